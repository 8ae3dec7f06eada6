/* fiber/fiber.c: spawning, switching, waiting. SPDX-License-Identifier: Apache-2.0 */
#include "fiber/fiber_internal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#if FIBER_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

/* done() may spawn (h2o starts the next pipelined request from within a send): deeper than this it
 * is queued, so that no client decides how deep the loop's stack gets. */
enum { FIBER_DEPTH_MAX = 8 };

#define fiber_of(member, ptr) ((struct fiber *)((char *)(ptr)-offsetof(struct fiber, member)))
#define NO_ASAN __attribute__((no_sanitize("address")))

struct fiber_sched *fiber_scheds;
static pthread_mutex_t scheds_lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local struct fiber_sched *mine;
static atomic_uint_least32_t live_limit = 20000;

struct fiber_sched *fiber_sched_mine(void)
{
    return mine;
}

struct fiber_sched *fiber_sched_get(void)
{
    if (mine)
        return mine;
    mine = calloc(1, sizeof(*mine));
    stoa_assert(mine);
    pthread_mutex_lock(&scheds_lock);
    mine->next = fiber_scheds;
    fiber_scheds = mine;
    pthread_mutex_unlock(&scheds_lock);
    return mine;
}

void fiber_finish_thread(void)
{
    struct fiber_sched **link = &fiber_scheds;

    if (!mine || mine->live > 0)
        return;
    pthread_mutex_lock(&scheds_lock);
    while (*link != mine)
        link = &(*link)->next;
    *link = mine->next;
    pthread_mutex_unlock(&scheds_lock);
    fiber_stacks_free(mine);
    free(mine);
    mine = NULL;
}

struct fiber *fiber_self(void)
{
    return mine ? mine->current : NULL;
}

void fiber_limit(uint32_t live_max)
{
    atomic_store(&live_limit, live_max);
}

uint32_t fiber_live(void)
{
    return mine ? mine->live : 0;
}

/* ---- Switching. ASan is told of both stacks around each switch. A fiber that has ended gives its
 * fake frames back, and so neither it nor what follows in fiber_main() may have any. ---- */

static inline void switch_to_fiber(struct fiber_sched *sched, struct fiber *fiber)
{
#if FIBER_ASAN
    void *frames = NULL;

    __sanitizer_start_switch_fiber(&frames, fiber->stack, FIBER_STACK_USED);
    fiber_context_switch(&sched->loop_context, &fiber->context);
    __sanitizer_finish_switch_fiber(frames, NULL, NULL);
#else
    fiber_context_switch(&sched->loop_context, &fiber->context);
#endif
}

NO_ASAN static inline void switch_to_loop(struct fiber *fiber)
{
    struct fiber_sched *sched = fiber->sched;

#if FIBER_ASAN
    bool ended = fiber->state == FIBER_DONE;

    fiber->asan_frames = NULL;
    __sanitizer_start_switch_fiber(ended ? NULL : &fiber->asan_frames, sched->loop_stack,
                                   sched->loop_stack_size);
    fiber_context_switch(&fiber->context, &sched->loop_context);
    __sanitizer_finish_switch_fiber(fiber->asan_frames, &sched->loop_stack,
                                    &sched->loop_stack_size);
#else
    fiber_context_switch(&fiber->context, &sched->loop_context);
#endif
}

/* The bottom of every fiber's stack: it never returns, so a pooled one starts with a switch. */
NO_ASAN static void fiber_main(void)
{
    struct fiber *self = mine->current;

#if FIBER_ASAN
    __sanitizer_finish_switch_fiber(NULL, &mine->loop_stack, &mine->loop_stack_size);
#endif
    for (;;) {
        self->fn(self->arg);
        self->state = FIBER_DONE;
        switch_to_loop(self);
    }
}

/* ---- Life ---- */

static void finish(struct fiber *fiber)
{
    struct fiber_sched *sched = fiber->sched;
    void (*done)(void *arg) = fiber->done;
    void *arg = fiber->arg;

    stoa_assert(fiber->masked == 0 && fiber->no_wait == 0);
    loop_timer_cancel(sched->loop, &fiber->timer);
    fiber->state = FIBER_FREE;
    fiber_stack_release(fiber);
    sched->live--;
    if (done)
        done(arg);
}

/* On the loop's stack. */
static void run(struct fiber *fiber)
{
    struct fiber_sched *sched = fiber->sched;

    stoa_assert(!sched->current && fiber->state == FIBER_READY);
    __atomic_store_n(&sched->turns, sched->turns + 1, __ATOMIC_RELAXED);
    __atomic_store_n(&sched->current, fiber, __ATOMIC_RELAXED);
    fiber->state = FIBER_RUNNING;
    switch_to_fiber(sched, fiber);
    __atomic_store_n(&sched->current, NULL, __ATOMIC_RELAXED);
    if (fiber->state == FIBER_DONE) {
        sched->depth++;
        finish(fiber);
        sched->depth--;
    }
}

static void on_task(struct loop_task *task)
{
    run(fiber_of(task, task));
}

static void make_ready(struct fiber *fiber)
{
    if (fiber->state != FIBER_WAITING)
        return;
    fiber->state = FIBER_READY;
    loop_defer(fiber->sched->loop, &fiber->task);
}

/* A timer is left armed when its wait ends: the next wait of the same request mostly ends later,
 * so that one timer a request comes to fire, or to be cancelled, for all its waits. */
static void on_timer(struct loop_timer *timer)
{
    struct fiber *fiber = fiber_of(timer, timer);
    struct loop *loop = fiber->sched->loop;

    if (fiber->until == INT64_MAX)
        return;
    if (fiber->until <= loop_now(loop))
        make_ready(fiber);
    else
        loop_timer_arm(loop, timer, fiber->until - loop_now(loop));
}

static void prepare(struct fiber *fiber)
{
    fiber->task.run = on_task;
    fiber->timer.fire = on_timer;
    fiber->deadline = INT64_MAX;
    fiber->note = NULL;
    fiber->label = NULL;
    fiber->until = INT64_MAX;
    fiber->cancelled = false;
    if (!fiber->cold)
        return;
    fiber_context_init(&fiber->context, fiber->stack, FIBER_STACK_USED, fiber_main);
    fiber->cold = false;
}

stoa_err fiber_spawn(void (*fn)(void *arg), void (*done)(void *arg), void *arg, struct fiber **ret)
{
    struct fiber_sched *sched = fiber_sched_get();
    struct fiber *fiber;

    stoa_assert(loop_current());
    if (sched->live >= atomic_load_explicit(&live_limit, memory_order_relaxed))
        return STOA_E_BUSY;
    fiber = fiber_stack_acquire(sched);
    if (!fiber)
        return STOA_E_BUSY;
    sched->live++;
    sched->loop = loop_current();
    prepare(fiber);
    fiber->fn = fn;
    fiber->done = done;
    fiber->arg = arg;
    fiber->state = FIBER_READY;
    if (ret)
        *ret = fiber;
    if (sched->current || sched->depth >= FIBER_DEPTH_MAX)
        loop_defer(sched->loop, &fiber->task);
    else
        run(fiber);
    return STOA_OK;
}

/* ---- Deadline and cancellation ---- */

static struct fiber *self_or_die(void)
{
    struct fiber *self = fiber_self();

    stoa_assert(self);
    return self;
}

int64_t fiber_set_deadline(int64_t at_ms)
{
    struct fiber *self = self_or_die();
    int64_t before = self->deadline;

    self->deadline = at_ms;
    return before;
}

int64_t fiber_deadline(void)
{
    return self_or_die()->deadline;
}

const char *fiber_set_note(const char *note)
{
    struct fiber *self = fiber_self();
    const char *before = self ? self->note : NULL;

    if (self)
        self->note = note;
    return before;
}

const void *fiber_set_label(const void *label)
{
    struct fiber *self = fiber_self();
    const void *before = self ? self->label : NULL;

    if (self)
        __atomic_store_n(&self->label, label, __ATOMIC_RELAXED);
    return before;
}

/* The lock keeps scheds and with them their fibers; what they do meanwhile is a glimpse. */
void fiber_look(void (*look)(void *data, const struct fiber_running *running), void *data)
{
    pthread_mutex_lock(&scheds_lock);
    for (struct fiber_sched *s = fiber_scheds; s; s = s->next) {
        const struct fiber *f = __atomic_load_n(&s->current, __ATOMIC_RELAXED);
        struct fiber_running running;
        if (!f)
            continue;
        running.loop = loop_index(f->sched->loop);
        running.turn = __atomic_load_n(&s->turns, __ATOMIC_RELAXED);
        running.label = __atomic_load_n(&f->label, __ATOMIC_RELAXED);
        look(data, &running);
    }
    pthread_mutex_unlock(&scheds_lock);
}

void fiber_cancel(struct fiber *fiber)
{
    stoa_assert(fiber->sched == mine && fiber->state != FIBER_FREE);
    fiber->cancelled = true;
    if (fiber->masked == 0)
        make_ready(fiber);
}

void fiber_mask(void)
{
    self_or_die()->masked++;
}

void fiber_unmask(void)
{
    struct fiber *self = self_or_die();

    stoa_assert(self->masked > 0);
    self->masked--;
}

void fiber_no_wait_begin(void)
{
    struct fiber *self = fiber_self();

    if (self)
        self->no_wait++;
}

void fiber_no_wait_end(void)
{
    struct fiber *self = fiber_self();

    if (!self)
        return;
    stoa_assert(self->no_wait > 0);
    self->no_wait--;
}

/* ---- Waiting ---- */

stoa_err fiber_refusal(const struct fiber *fiber)
{
    if (fiber->cancelled && fiber->masked == 0)
        return STOA_E_CANCELLED;
    return fiber->deadline <= loop_now(fiber->sched->loop) ? STOA_E_TIMEOUT : STOA_OK;
}

stoa_err fiber_check(void)
{
    return fiber_refusal(self_or_die());
}

/* Until make_ready(). */
static void suspend(struct fiber *self)
{
    stoa_assert(self->no_wait == 0);
    self->state = FIBER_WAITING;
    switch_to_loop(self);
}

static void suspend_until(struct fiber *self, int64_t until)
{
    struct loop *loop = self->sched->loop;

    self->until = until;
    if (until != INT64_MAX && (self->timer.slot == 0 || self->timer.at_ms > until))
        loop_timer_arm(loop, &self->timer, until - loop_now(loop));
    suspend(self);
    self->until = INT64_MAX;
}

stoa_err fiber_await(struct fiber_wait *wait, int64_t timeout_ms)
{
    struct fiber *self = self_or_die();
    int64_t until = self->deadline;
    int64_t now = loop_now(self->sched->loop);
    stoa_err err;

    stoa_assert(self->no_wait == 0);
    if (wait->done)
        return STOA_OK;
    err = fiber_refusal(self);
    if (err != STOA_OK)
        return err;
    if (timeout_ms >= 0 && timeout_ms < until - now)
        until = now + timeout_ms;
    if (until <= now)
        return STOA_E_TIMEOUT;
    wait->fiber = self;
    suspend_until(self, until);
    wait->fiber = NULL;
    if (wait->done)
        return STOA_OK;
    return self->cancelled && self->masked == 0 ? STOA_E_CANCELLED : STOA_E_TIMEOUT;
}

void fiber_wake(struct fiber_wait *wait)
{
    wait->done = true;
    if (wait->fiber)
        make_ready(wait->fiber);
}

void fiber_yield(void)
{
    struct fiber *self = self_or_die();

    stoa_assert(self->no_wait == 0);
    self->state = FIBER_READY;
    loop_defer(self->sched->loop, &self->task);
    switch_to_loop(self);
}

stoa_err fiber_sleep(int64_t ms)
{
    struct fiber *self = self_or_die();
    struct fiber_wait never = {0};
    int64_t end;
    stoa_err err;

    if (ms <= 0) {
        fiber_yield();
        return fiber_refusal(self);
    }
    end = loop_now(self->sched->loop);
    end = ms < INT64_MAX - end ? end + ms : INT64_MAX;
    err = fiber_await(&never, ms);
    return err == STOA_E_TIMEOUT && loop_now(self->sched->loop) >= end ? STOA_OK : err;
}
