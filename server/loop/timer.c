/* loop/timer.c: a binary min-heap of timers. h2o's own time-outs are lists that every turn walks,
 * one a duration, on the wall clock: not for one a request.
 * SPDX-License-Identifier: Apache-2.0 */
#include "loop/loop_internal.h"

#include "base/clock.h"
#include <stdlib.h>
#include <stoa/api.h>

static bool before(const struct loop_heap_entry *a, const struct loop_heap_entry *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void put(struct loop *loop, uint32_t at, struct loop_heap_entry entry)
{
    loop->heap[at] = entry;
    entry.timer->slot = at + 1;
}

/* Both place entry, for which `at` is free, and move others out of its way. */
static void sift_up(struct loop *loop, uint32_t at, struct loop_heap_entry entry)
{
    while (at > 0) {
        uint32_t parent = (at - 1) / 2;

        if (!before(&entry, &loop->heap[parent]))
            break;
        put(loop, at, loop->heap[parent]);
        at = parent;
    }
    put(loop, at, entry);
}

static void sift_down(struct loop *loop, uint32_t at, struct loop_heap_entry entry)
{
    for (;;) {
        uint32_t child = 2 * at + 1;

        if (child >= loop->heap_count)
            break;
        if (child + 1 < loop->heap_count && before(&loop->heap[child + 1], &loop->heap[child]))
            child++;
        if (!before(&loop->heap[child], &entry))
            break;
        put(loop, at, loop->heap[child]);
        at = child;
    }
    put(loop, at, entry);
}

/* Places entry where the heap has a hole at `at`. */
static void settle(struct loop *loop, uint32_t at, struct loop_heap_entry entry)
{
    if (at > 0 && before(&entry, &loop->heap[(at - 1) / 2]))
        sift_up(loop, at, entry);
    else
        sift_down(loop, at, entry);
}

static void grow(struct loop *loop)
{
    uint32_t max = loop->heap_max ? loop->heap_max * 2 : 64;
    struct loop_heap_entry *heap = realloc(loop->heap, max * sizeof(*heap));

    stoa_assert(heap);
    loop->heap = heap;
    loop->heap_max = max;
}

void loop_timer_arm(struct loop *loop, struct loop_timer *timer, int64_t ms)
{
    int64_t now = loop_now(loop);
    struct loop_heap_entry entry;

    if (ms < 0)
        ms = 0;
    timer->at_ms = ms < INT64_MAX - now ? now + ms : INT64_MAX;
    entry = (struct loop_heap_entry){timer->at_ms, loop->heap_order++, timer};
    if (timer->slot) {
        settle(loop, timer->slot - 1, entry);
        return;
    }
    if (loop->heap_count == loop->heap_max)
        grow(loop);
    sift_up(loop, loop->heap_count++, entry);
}

void loop_timer_cancel(struct loop *loop, struct loop_timer *timer)
{
    uint32_t at = timer->slot - 1;

    if (!timer->slot)
        return;
    stoa_assert(at < loop->heap_count && loop->heap[at].timer == timer);
    timer->slot = 0;
    loop->heap_count--;
    if (at != loop->heap_count)
        settle(loop, at, loop->heap[loop->heap_count]);
}

void loop_timers_run(struct loop *loop)
{
    uint64_t end = loop->heap_order;

    /* What is armed from here on is ordered behind all that is due now. */
    while (loop->heap_count > 0 && loop->heap[0].at_ms <= loop_now(loop) &&
           loop->heap[0].order < end) {
        struct loop_timer *timer = loop->heap[0].timer;

        loop_timer_cancel(loop, timer);
        timer->fire(timer);
    }
}

int32_t loop_timers_wait_ms(const struct loop *loop)
{
    int64_t wait;

    if (loop->heap_count == 0)
        return INT32_MAX;
    wait = loop->heap[0].at_ms - clock_monotonic_ms();
    return wait <= 0 ? 0 : wait < INT32_MAX ? (int32_t)wait : INT32_MAX;
}
