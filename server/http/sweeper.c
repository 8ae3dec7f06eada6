/* http/sweeper.c: once a second: clients that do not read, handlers that do not end. libh2o has no
 * time-out for either. SPDX-License-Identifier: Apache-2.0 */
#include "http/internal.h"

#include "base/log.h"
#include "base/metrics.h"
#include <linux/tcp.h>
#include <netinet/in.h>

#define sweep_loop(timer) ((struct http_loop *)((char *)(timer)-offsetof(struct http_loop, sweep)))

/* What the client's kernel has confirmed: a reader of one byte a second keeps any time-out on the
 * socket itself alive. */
static bool bytes_acked(struct http_connection *c, uint64_t *ret)
{
    struct tcp_info info;
    socklen_t len = sizeof(info);

    if (getsockopt(h2o_socket_get_fd(c->sock), IPPROTO_TCP, TCP_INFO, &info, &len) != 0 ||
        len < offsetof(struct tcp_info, tcpi_bytes_acked) + sizeof(info.tcpi_bytes_acked))
        return false;
    *ret = info.tcpi_bytes_acked;
    return true;
}

/* Watches over windows of stall_ms, so that one long breath is no offence. */
static void check_writing(struct http_connection *c, int64_t now)
{
    const struct http_limits *limits = &http_tuning(c->loop->http)->limits;
    int64_t elapsed = now - c->stall_since_ms;
    uint64_t acked;

    if (!h2o_socket_is_writing(c->sock)) {
        c->stall_since_ms = 0;
        return;
    }
    if ((c->stall_since_ms != 0 && elapsed < limits->stall_ms) || !bytes_acked(c, &acked))
        return;
    if (c->stall_since_ms != 0 &&
        acked - c->stall_acked < (uint64_t)limits->stall_bytes * (uint64_t)elapsed / 1000) {
        metric_add(METRIC_connections_stalled_total, 1);
        http_connection_cut(c);
        return;
    }
    c->stall_since_ms = now;
    c->stall_acked = acked;
}

static void on_sweep(struct loop_timer *timer)
{
    struct http_loop *loop = sweep_loop(timer);
    int64_t now = loop_now(loop->loop);

    for (struct http_connection *c = loop->connections; c; c = c->next)
        check_writing(c, now);
    for (struct http_exchange *x = loop->exchanges, *next; x; x = next) {
        next = x->next;
        if (x->h2o && x->fiber && now > x->req.deadline_ms + HTTP_OVERDUE_MS)
            http_bridge_give_up(x);
    }
    if (loop->index == 0)
        http_certificates_watch(loop->http);
    loop_timer_arm(loop->loop, timer, HTTP_SWEEP_MS);
}

void http_sweep_start(struct http_loop *loop)
{
    loop->sweep.fire = on_sweep;
    if (loop->index == 0)
        http_certificates_watch(loop->http);
    loop_timer_arm(loop->loop, &loop->sweep, HTTP_SWEEP_MS);
}
