/* loop/loop.c: turns, the run queue, messages from other threads.
 * SPDX-License-Identifier: Apache-2.0 */
#include "loop/loop_internal.h"

#include "base/clock.h"
#include <errno.h>
#include <stdlib.h>
#include <stoa/api.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Tasks run in one turn, so that fibers that wake each other cannot starve the sockets. */
enum { LOOP_RUN_MAX = 256 };

static _Thread_local struct loop *loop_mine;

struct loop *loop_current(void)
{
    return loop_mine;
}

uint32_t loop_index(const struct loop *loop)
{
    return loop->index;
}

void *loop_h2o(struct loop *loop)
{
    return loop->h2o;
}

uint64_t loop_turns(const struct loop *loop)
{
    return atomic_load_explicit(&loop->turns, memory_order_acquire);
}

/* Read when first asked for after the wait: a callback that comes from an hour of idleness must
 * not see the time from before it, and a turn nobody asks in needs no clock. */
int64_t loop_now(const struct loop *loop)
{
    struct loop *self = (struct loop *)loop;

    if (self->now_old) {
        self->now_ms = clock_monotonic_ms();
        self->now_old = false;
    }
    return self->now_ms;
}

/* Woken: what to do about it is in the list of messages and the flag. */
static void on_wake(void *data, int ready)
{
    struct loop *loop = data;
    uint64_t count;

    if (read(loop->wake_fd, &count, sizeof(count)) < 0)
        stoa_assert(errno == EAGAIN || errno == EINTR);
}

struct loop *loop_create(uint32_t index)
{
    struct loop *loop = calloc(1, sizeof(*loop));

    stoa_assert(loop);
    loop->index = index;
    loop->now_old = true;
    loop->run_tail = &loop->run_head;
    loop->hooks_tail = &loop->hooks;
    loop->h2o = h2o_evloop_create();
    loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    stoa_assert(loop->wake_fd >= 0);
    loop->wake_io = loop_io_create(loop, loop->wake_fd, on_wake, loop);
    loop_io_want(loop->wake_io, LOOP_READ);
    return loop;
}

void loop_destroy(struct loop *loop)
{
    if (!loop)
        return;
    loop_io_destroy(loop->wake_io);
    loop_io_reap(loop);
    close(loop->wake_fd);
    h2o_evloop_destroy(loop->h2o);
    free(loop->heap);
    free(loop);
}

void loop_defer(struct loop *loop, struct loop_task *task)
{
    if (task->queued)
        return;
    task->queued = true;
    task->next = NULL;
    *loop->run_tail = task;
    loop->run_tail = &task->next;
}

static void run_tasks(struct loop *loop)
{
    for (uint32_t n = 0; n < LOOP_RUN_MAX && loop->run_head; n++) {
        struct loop_task *task = loop->run_head;

        loop->run_head = task->next;
        if (!loop->run_head)
            loop->run_tail = &loop->run_head;
        task->queued = false;
        task->run(task);
    }
}

static void loop_wake(struct loop *loop)
{
    uint64_t one = 1;

    while (write(loop->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

/* Who finds the list empty wakes the loop; the others ride along. */
void loop_post(struct loop *loop, struct loop_message *message)
{
    struct loop_message *head = atomic_load_explicit(&loop->posted, memory_order_relaxed);

    do {
        message->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&loop->posted, &head, message,
                                                    memory_order_release, memory_order_relaxed));
    if (!head && loop != loop_mine)
        loop_wake(loop);
}

static void run_messages(struct loop *loop)
{
    struct loop_message *newest, *oldest = NULL;

    if (!atomic_load_explicit(&loop->posted, memory_order_relaxed))
        return;
    newest = atomic_exchange_explicit(&loop->posted, NULL, memory_order_acquire);
    while (newest) {
        struct loop_message *next = newest->next;

        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        struct loop_message *message = oldest;

        oldest = message->next;
        message->run(message);
    }
}

void loop_add_hook(struct loop *loop, struct loop_hook *hook)
{
    hook->next = NULL;
    *loop->hooks_tail = hook;
    loop->hooks_tail = &hook->next;
}

static int32_t wait_ms(const struct loop *loop)
{
    if (loop->run_head || atomic_load_explicit(&loop->posted, memory_order_relaxed) ||
        atomic_load_explicit(&loop->stopping, memory_order_relaxed))
        return 0;
    return loop_timers_wait_ms(loop);
}

static void turn(struct loop *loop)
{
    int32_t wait = wait_ms(loop);

    loop->now_old = true;
    /* Any signal ends the wait with EINTR, SA_RESTART or not; then it is just a short turn. All
     * else means that a watched descriptor was closed before loop_io_destroy(): h2o's list of
     * sockets is then broken. */
    if (h2o_evloop_run(loop->h2o, wait) != 0)
        stoa_assert(errno == EINTR);
    run_messages(loop);
    loop_timers_run(loop);
    run_tasks(loop);
    for (struct loop_hook *hook = loop->hooks; hook; hook = hook->next)
        hook->run(hook);
    loop_io_reap(loop);
    atomic_fetch_add_explicit(&loop->turns, 1, memory_order_release);
}

void loop_run(struct loop *loop)
{
    stoa_assert(!loop_mine);
    loop_mine = loop;
    do
        turn(loop);
    while (!atomic_exchange_explicit(&loop->stopping, false, memory_order_acquire));
    loop_mine = NULL;
}

void loop_stop(struct loop *loop)
{
    atomic_store_explicit(&loop->stopping, true, memory_order_release);
    if (loop != loop_mine)
        loop_wake(loop);
}
