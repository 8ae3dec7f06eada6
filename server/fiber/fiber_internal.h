/* fiber/fiber_internal.h: what the parts of fiber/ share. SPDX-License-Identifier: Apache-2.0 */
#ifndef FIBER_FIBER_INTERNAL_H
#define FIBER_FIBER_INTERNAL_H

#include "fiber/fiber.h"
#include "fiber/switch.h"

#if defined(__SANITIZE_ADDRESS__)
#define FIBER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#endif
#ifndef FIBER_ASAN
#define FIBER_ASAN 0
#endif

enum {
    FIBER_STACK_USED = FIBER_ASAN ? 4 * FIBER_STACK : FIBER_STACK, /* red zones need room */
    FIBER_STRIDE = FIBER_STACK_USED + FIBER_GUARD,
    FIBER_SLAB = 32,     /* stacks mapped at once */
    FIBER_WARM_MAX = 256 /* unused stacks of a loop that keep their pages */
};

enum fiber_state { FIBER_FREE, FIBER_READY, FIBER_RUNNING, FIBER_WAITING, FIBER_DONE };

struct fiber {
    struct fiber_context context;
    struct fiber_sched *sched;
    void (*fn)(void *arg);
    void (*done)(void *arg);
    void *arg;
    struct loop_task task;
    struct loop_timer timer; /* stays armed from wait to wait: see on_timer() in fiber.c */
    int64_t deadline;
    const char *note; /* for a crash report */
    int64_t until;    /* of the wait; INT64_MAX: none */
    uint32_t masked;
    uint32_t no_wait;
    enum fiber_state state;
    bool cancelled;
    bool cold; /* its stack has no pages: context is to be set up */
    char *stack;
    struct fiber *next; /* while free */
    const void *label;  /* read by other threads */
    void *asan_frames;
};

/* The stacks that one mmap() made: guard, stack, guard, stack, …, guard. */
struct fiber_slab {
    struct fiber_slab *next;
    char *base;
    uint32_t valgrind_ids[FIBER_SLAB];
    struct fiber fibers[FIBER_SLAB];
};

/* One for each thread that has run a fiber. */
struct fiber_sched {
    struct loop *loop;
    struct fiber *current; /* as turns, read by other threads */
    uint64_t turns;
    struct fiber_context loop_context;
    uint32_t live;
    uint32_t depth; /* fibers begun from done() from fibers begun …: all on the loop's stack */
    uint32_t warm_count;
    struct fiber *warm, *cold; /* free */
    struct fiber_slab *slabs;
    struct fiber_sched *next; /* of all threads */
    const void *loop_stack;   /* for ASan */
    size_t loop_stack_size;
};

/* All threads' fibers, for a debugger: walk slabs, skip FIBER_FREE. */
extern struct fiber_sched *fiber_scheds;

/* This thread's; NULL before its first fiber. */
struct fiber_sched *fiber_sched_mine(void);
/* This thread's; made when it is not there. */
struct fiber_sched *fiber_sched_get(void);

/* A free fiber, out of the pool or newly mapped; NULL when memory or mappings have run out. */
struct fiber *fiber_stack_acquire(struct fiber_sched *sched);
/* Past FIBER_WARM_MAX the stack's pages go back to the system. */
void fiber_stack_release(struct fiber *fiber);
void fiber_stacks_free(struct fiber_sched *sched);

/* STOA_OK, or what a wait of fiber would return at once. */
stoa_err fiber_refusal(const struct fiber *fiber);

#endif
