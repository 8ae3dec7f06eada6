/* http/drain.c: ending without cutting anybody off. Listeners let nobody new knock, take who stands
 * at the door, and close; each connection gets "Connection: close" with its next reply; one on
 * which nothing happens is ended, though not at once: its next request may be on the way.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/internal.h"

#define loop_of(member, ptr)                                                                       \
    ((struct http_loop *)((char *)(ptr)-offsetof(struct http_loop, member)))

static void tell_idle(struct http *http)
{
    if (!atomic_exchange(&http->is_idle, true) && http->idle)
        http->idle(http->idle_data);
}

static void loop_is_drained(struct http_loop *loop)
{
    loop->is_drained = true;
    loop_timer_cancel(loop->loop, &loop->drain_tick);
    if (atomic_fetch_sub(&loop->http->undrained, 1) == 1)
        tell_idle(loop->http);
}

void http_drain_check(struct http_loop *loop)
{
    if (loop->is_shut && !loop->is_drained && loop->open == 0 && loop->in_flight == 0)
        loop_is_drained(loop);
}

static void shut(struct http_loop *loop)
{
    if (loop->is_shut)
        return;
    loop->is_shut = true;
    http_accept_stop(loop);
}

static void on_tick(struct loop_timer *timer)
{
    struct http_loop *loop = loop_of(drain_tick, timer);
    int64_t now = loop_now(loop->loop);

    if (now >= loop->drain_until_ms) {
        tell_idle(loop->http); /* the deadline is every loop's */
        return;
    }
    if (now >= loop->shut_at_ms)
        shut(loop);
    for (struct http_connection *c = loop->connections; c; c = c->next)
        if (http_connection_is_quiet(c, now))
            http_connection_cut(c);
    loop_timer_arm(loop->loop, timer, HTTP_DRAIN_TICK_MS);
    http_drain_check(loop);
}

void http_drain_start(struct loop_message *message)
{
    struct http_loop *loop = loop_of(drain, message);

    loop->drain_until_ms = loop_now(loop->loop) + http_tuning(loop->http)->limits.drain_ms;
    loop->shut_at_ms = loop_now(loop->loop);
    if (!atomic_load(&loop->http->keeps_sockets) && http_accept_refuse_new(loop))
        loop->shut_at_ms += HTTP_DRAIN_TICK_MS;
    h2o_context_request_shutdown(&loop->context);
    loop->drain_tick.fire = on_tick;
    loop_timer_arm(loop->loop, &loop->drain_tick, 0);
}

void http_drain(struct http *http, void (*idle)(void *data), void *data)
{
    pthread_mutex_lock(&http->lock);
    if (!atomic_load(&http->is_draining)) {
        uint32_t attached = 0;

        http->idle = idle;
        http->idle_data = data;
        for (uint32_t i = 0; i < http->loop_count; i++)
            attached += http->loops[i] != NULL;
        /* A loop that is still on its way drains when it comes. */
        atomic_store(&http->undrained, attached ? http->loop_count : 0);
        atomic_store(&http->is_draining, true);
        for (uint32_t i = 0; i < http->loop_count; i++)
            if (http->loops[i])
                loop_post(http->loops[i]->loop, &http->loops[i]->drain);
        if (attached == 0)
            tell_idle(http);
    }
    pthread_mutex_unlock(&http->lock);
}

bool http_is_draining(const struct http *http)
{
    return atomic_load(&http->is_draining);
}
