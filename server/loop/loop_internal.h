/* loop/loop_internal.h: what the parts of loop/ share. SPDX-License-Identifier: Apache-2.0 */
#ifndef LOOP_LOOP_INTERNAL_H
#define LOOP_LOOP_INTERNAL_H

#include "loop/loop.h"
#include <h2o.h>
#include <stdatomic.h>

struct loop_heap_entry {
    int64_t at_ms;
    uint64_t order; /* of arming: equal times fire first armed, first fired */
    struct loop_timer *timer;
};

struct loop {
    h2o_evloop_t *h2o;
    struct loop_io *wake_io; /* on wake_fd, an eventfd: other threads end the wait by it */
    int wake_fd;
    uint32_t index;
    bool now_old; /* now_ms is to be read again when first asked for */
    int64_t now_ms;
    atomic_uint_fast64_t turns;
    atomic_bool stopping;
    _Atomic(struct loop_message *) posted; /* newest first */
    struct loop_task *run_head, **run_tail;
    struct loop_hook *hooks, **hooks_tail;
    struct loop_heap_entry *heap;
    uint32_t heap_count, heap_max;
    uint64_t heap_order;
    struct loop_io *io_dead; /* freed at the end of the turn: their callback may be on the stack */
};

/* Fires what is due; what is armed meanwhile waits for the next turn. */
void loop_timers_run(struct loop *loop);
/* Milliseconds until the next timer, at most INT32_MAX. */
int32_t loop_timers_wait_ms(const struct loop *loop);
/* Frees the destroyed watchers. */
void loop_io_reap(struct loop *loop);

#endif
