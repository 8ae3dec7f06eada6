/* loop/loop.h: one event loop a thread, behind a small interface. With http/ the only folder that
 * includes h2o.h. Everything here is for the loop's own thread unless it says "any thread".
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;

/* The loop of this thread; NULL on other threads. */
struct loop *loop_current(void);
uint32_t loop_index(const struct loop *loop); /* 0 … count - 1 */
/* Created on any thread, run on one. */
struct loop *loop_create(uint32_t index);
/* Turns until loop_stop(). Each turn: events, timers, the run queue (bounded), hooks. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop); /* any thread */
void loop_destroy(struct loop *loop);
void *loop_h2o(struct loop *loop); /* h2o_loop_t *, for http/ only */
/* Monotonic ms, read once a turn. */
int64_t loop_now(const struct loop *loop);
/* Counts turns; a turn passed on every loop is a quiescent point. */
uint64_t loop_turns(const struct loop *loop); /* any thread */

/* ---- Work for this turn or the next: the run queue. The task is the caller's memory. ---- */
struct loop_task {
    void (*run)(struct loop_task *task);
    struct loop_task *next;
    bool queued;
};
void loop_defer(struct loop *loop, struct loop_task *task); /* queued already: nothing happens */

/* ---- Work from other threads ---- */
struct loop_message {
    void (*run)(struct loop_message *message); /* on the loop's thread; owns message from then on */
    struct loop_message *next;
};
void loop_post(struct loop *loop, struct loop_message *message); /* any thread */

/* ---- Called at the end of each turn ---- */
struct loop_hook {
    void (*run)(struct loop_hook *hook);
    struct loop_hook *next;
};
void loop_add_hook(struct loop *loop, struct loop_hook *hook);

/* ---- Timers: a min-heap; any number, any duration. The timer is the caller's memory. ---- */
struct loop_timer {
    void (*fire)(struct loop_timer *timer); /* not armed any more when called */
    int64_t at_ms;                          /* monotonic */
    uint32_t slot;                          /* the loop's: place in the heap + 1; 0 = not armed */
};
/* Armed already: moved. ms from now, 0 or more. */
void loop_timer_arm(struct loop *loop, struct loop_timer *timer, int64_t ms);
void loop_timer_cancel(struct loop *loop, struct loop_timer *timer);

/* ---- Foreign file descriptors (libpq, curl, …) ---- */
enum { LOOP_READ = 1, LOOP_WRITE = 2 };
struct loop_io;
/* Watches fd, which stays the caller's. cb gets what is ready; level-triggered. */
struct loop_io *loop_io_create(struct loop *loop, int fd, void (*cb)(void *data, int ready),
                               void *data);
void loop_io_want(struct loop_io *io, int events); /* LOOP_READ | LOOP_WRITE, or 0 */
/* Before fd is closed. cb is not called again; safe inside cb. NULL is fine. */
void loop_io_destroy(struct loop_io *io);

#endif
