/* fiber/fiber.h: straight-line code that waits without a thread. A fiber never leaves its loop's
 * thread; only the loop's own stack talks to h2o. SPDX-License-Identifier: Apache-2.0 */
#ifndef FIBER_FIBER_H
#define FIBER_FIBER_H

#include "loop/loop.h"
#include <stoa/errors.h>

struct fiber;

enum { FIBER_STACK = 64 * 1024, FIBER_GUARD = 16 * 1024 };

/* Runs fn(arg) on a fiber of the loop of this thread: at once when called on the loop's stack,
 * from the run queue when called on a fiber (or from a done() within eight done()s). done(arg),
 * when not NULL, runs on the loop's stack afterwards, before this returns when fn did not wait.
 * *ret is set before fn runs and is good until done() begins. STOA_E_BUSY when fiber_limit()
 * fibers are live or memory for stacks has run out. */
STOA_NODISCARD stoa_err fiber_spawn(void (*fn)(void *arg), void (*done)(void *arg), void *arg,
                                    struct fiber **ret /* may be NULL */);
/* The fiber that runs; NULL on the loop's stack and on other threads. */
struct fiber *fiber_self(void);
/* At most this many live on a loop (default 20,000). Before the first spawn. */
void fiber_limit(uint32_t live_max);
uint32_t fiber_live(void); /* on this loop */

/* ---- Deadline and cancellation ---- */
/* Every wait of this fiber ends by then (monotonic ms); INT64_MAX = none. Returns the one before.
 */
int64_t fiber_set_deadline(int64_t at_ms);
int64_t fiber_deadline(void);
/* A word for a crash report: what this fiber is about (a route). Outlives the fiber or is replaced.
 * Returns the one before; NULL and nothing happens on no fiber. */
const char *fiber_set_note(const char *note);
/* The client has gone: the current wait and all later ones return STOA_E_CANCELLED. Loop's thread.
 */
void fiber_cancel(struct fiber *fiber);
/* Until the matching fiber_unmask(), cancellation waits (a transaction's end, a clean-up).
 * Deadlines hold. */
void fiber_mask(void);
void fiber_unmask(void);
/* STOA_OK, or what a wait begun now would return at once. On a fiber. */
STOA_NODISCARD stoa_err fiber_check(void);

/* ---- Waiting ---- */
struct fiber_wait {      /* on the fiber's stack, or in memory that outlives the operation */
    struct fiber *fiber; /* who waits; NULL when nobody does (any more) */
    bool done;
};
/* Waits until fiber_wake(wait), the deadline (STOA_E_TIMEOUT) or a cancellation (STOA_E_CANCELLED).
 * Woken before it waits: returns at once. timeout_ms < 0: the fiber's deadline only. */
STOA_NODISCARD stoa_err fiber_await(struct fiber_wait *wait, int64_t timeout_ms);
/* Loop's thread; the fiber runs from the run queue, never from here. */
void fiber_wake(struct fiber_wait *wait);
/* ---- From outside ---- */
/* What the fiber that runs works for; a number to others, never followed. Returns the one before.
 * Off a fiber: nothing. */
const void *fiber_set_label(const void *label);
struct fiber_running {
    uint32_t loop;
    uint64_t turn; /* another one each time a fiber of that loop goes on */
    const void *label;
};
/* Each loop that is running a fiber right now; any thread. */
void fiber_look(void (*look)(void *data, const struct fiber_running *running), void *data);

/* Lets others run. */
void fiber_yield(void);
STOA_NODISCARD stoa_err fiber_sleep(int64_t ms);

/* No wait while a C library's frame is on the stack (yajl, an sqlite callback, Lua): asserted. */
void fiber_no_wait_begin(void);
void fiber_no_wait_end(void);

/* ---- A lock that fibers of one loop queue for, first come, first served ---- */
struct fiber_queue {
    struct fiber_queue_entry *head, *tail;
    bool held;
};
STOA_NODISCARD stoa_err fiber_lock(struct fiber_queue *queue, int64_t timeout_ms);
void fiber_unlock(struct fiber_queue *queue);

/* ---- Threads ---- */
/* On each loop's thread, before its loop runs: a signal stack, and once a process handlers of
 * SIGSEGV and SIGBUS that write "fiber stack overflow at …" to stderr when a guard was hit. What
 * was installed before, or the default action, follows. */
void fiber_crash_init_thread(void);
/* What is known when a thread is about to end the process: SIGSEGV, SIGBUS, SIGABRT, SIGILL,
 * SIGFPE. */
struct fiber_crash {
    int signal;
    uintptr_t pc;
    const uintptr_t *stack, *stack_end; /* of the fiber, innermost first; both NULL on none */
    const char *note;                   /* see fiber_set_note(); may be NULL */
};
/* report() is called in the signal handler, before what would happen anyway. Once a process, before
 * fiber_crash_init_thread(). */
void fiber_crash_watch(void (*report)(const struct fiber_crash *crash));
/* Both at the thread's end. The first keeps everything when fibers are still live. */
void fiber_finish_thread(void);
void fiber_crash_finish_thread(void);

#endif
