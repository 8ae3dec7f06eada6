/* SPDX-License-Identifier: Apache-2.0 */
#include "on_fiber.h"

#include <fenv.h>
#include <signal.h>
#include <string.h>

/* ---- Spawning ---- */

static char trace[64];

static void say(char what)
{
    trace[strlen(trace)] = what;
}

static void note(void *arg)
{
    say(*(const char *)arg);
}

static void note_twice(void *arg)
{
    note(arg);
    fiber_yield();
    note(arg);
}

static void spawn_two(void *arg)
{
    spawn(note_twice, "a", NULL);
    spawn(note_twice, "b", NULL);
    say('-');
    while (fiber_live() > 1)
        fiber_yield();
}

Test(fiber, spawned_on_a_fiber_runs_from_the_run_queue)
{
    on_fiber(spawn_two, NULL);
    cr_assert_str_eq(trace, "-abab");
}

static void on_loop_stack(struct loop_task *task)
{
    char name = 'x';

    cr_assert_null(fiber_self());
    cr_assert_eq(fiber_spawn(note, note, &name, NULL), STOA_OK);
    cr_assert_str_eq(trace, "xx", "fn and done have run before fiber_spawn() returns");
    cr_assert_eq(fiber_live(), 0);
    loop_stop(loop_current());
}

Test(fiber, spawned_on_the_loop_runs_at_once)
{
    struct loop *loop = loop_create(0);
    struct loop_task task = {.run = on_loop_stack};

    loop_defer(loop, &task);
    loop_run(loop);
    fiber_finish_thread();
    loop_destroy(loop);
}

static uint32_t chain_left = 1000, chain_deepest, chain_depth;

static void nothing(void *arg) {}

static void chain(void *arg)
{
    if (++chain_depth > chain_deepest)
        chain_deepest = chain_depth;
    if (chain_left-- > 0)
        cr_assert_eq(fiber_spawn(nothing, chain, NULL, NULL), STOA_OK);
    else
        loop_stop(loop_current());
    chain_depth--;
}

static void start_chain(struct loop_task *task)
{
    chain(NULL);
}

Test(fiber, done_that_spawns_does_not_eat_the_loops_stack)
{
    struct loop *loop = loop_create(0);
    struct loop_task task = {.run = start_chain};

    loop_defer(loop, &task);
    loop_run(loop);
    cr_assert_leq(chain_deepest, 10);
    fiber_finish_thread();
    loop_destroy(loop);
}

static void wait_for_ever(void *arg)
{
    struct fiber_wait wait = {0};

    cr_assert_eq(fiber_await(&wait, -1), STOA_E_CANCELLED);
}

static void spawn_too_many(void *arg)
{
    struct fiber *fibers[4];

    for (int i = 0; i < 4; i++)
        spawn(wait_for_ever, NULL, &fibers[i]);
    cr_assert_eq(fiber_spawn(nothing, NULL, NULL, NULL), STOA_E_BUSY);
    cr_assert_eq(fiber_live(), 5);
    fiber_yield();
    for (int i = 0; i < 4; i++)
        fiber_cancel(fibers[i]);
    while (fiber_live() > 1)
        fiber_yield();
    spawn(nothing, NULL, NULL);
    fiber_yield();
}

Test(fiber, refuses_more_than_its_limit)
{
    fiber_limit(5);
    on_fiber(spawn_too_many, NULL);
}

/* Valgrind computes in the nearest mode whatever is set. */
#ifdef STOA_VALGRIND
enum { ROUNDS = 0 };
#else
enum { ROUNDS = 1 };
#endif
static volatile double one = 1, ten = 10;

static void round_down(void *arg)
{
    double tenth = one / ten;

    fesetround(FE_DOWNWARD);
    fiber_yield();
    cr_assert_eq(fegetround(), FE_DOWNWARD);
    cr_assert(!ROUNDS || one / ten < tenth);
}

static void round_nearest(void *arg)
{
    double tenth = one / ten;

    spawn(round_down, NULL, NULL);
    fiber_yield();
    cr_assert_eq(fegetround(), FE_TONEAREST, "another fiber's rounding mode must not leak");
    cr_assert_eq(one / ten, tenth);
    fiber_yield();
}

Test(fiber, keeps_the_rounding_mode)
{
    on_fiber(round_nearest, NULL);
}

/* ---- Waiting ---- */

static struct fiber_wait shared;

static void wake_shared(void *arg)
{
    fiber_wake(&shared);
    say('w');
}

static void wait_woken(void *arg)
{
    spawn(wake_shared, NULL, NULL);
    cr_assert_eq(fiber_await(&shared, -1), STOA_OK);
    say('r');
    cr_assert_eq(fiber_await(&shared, -1), STOA_OK, "woken already: returns at once");
    cr_assert_null(shared.fiber);
}

Test(fiber, wakes_from_the_run_queue_and_not_within_the_wake)
{
    on_fiber(wait_woken, NULL);
    cr_assert_str_eq(trace, "wr");
}

static void wait_times_out(void *arg)
{
    struct fiber_wait wait = {0};
    int64_t begin = loop_now(loop_current());

    cr_assert_eq(fiber_await(&wait, 5), STOA_E_TIMEOUT);
    cr_assert_geq(loop_now(loop_current()) - begin, 5);
    cr_assert_eq(fiber_await(&wait, 0), STOA_E_TIMEOUT);
    fiber_wake(&wait); /* late: nobody waits */
    cr_assert(wait.done);
}

Test(fiber, waits_no_longer_than_the_timeout)
{
    on_fiber(wait_times_out, NULL);
}

static void wait_to_deadline(void *arg)
{
    struct fiber_wait wait = {0};
    int64_t begin = loop_now(loop_current());

    cr_assert_eq(fiber_set_deadline(begin + 5), INT64_MAX);
    cr_assert_eq(fiber_deadline(), begin + 5);
    cr_assert_eq(fiber_await(&wait, -1), STOA_E_TIMEOUT);
    cr_assert_lt(loop_now(loop_current()) - begin, 30000);
    cr_assert_eq(fiber_await(&wait, 60000), STOA_E_TIMEOUT);
    cr_assert_eq(fiber_sleep(1), STOA_E_TIMEOUT);
    cr_assert_eq(fiber_check(), STOA_E_TIMEOUT);
    cr_assert_eq(fiber_set_deadline(INT64_MAX), begin + 5);
    cr_assert_eq(fiber_sleep(1), STOA_OK);
}

Test(fiber, ends_every_wait_at_the_deadline)
{
    on_fiber(wait_to_deadline, NULL);
}

/* The timer of the first wait stays armed: it must not end the second one early. */
static void wait_short_then_long(void *arg)
{
    struct fiber_wait wait = {0};
    int64_t begin = loop_now(loop_current());

    shared = (struct fiber_wait){0};
    spawn(wake_shared, NULL, NULL);
    cr_assert_eq(fiber_await(&shared, 3), STOA_OK);
    cr_assert_eq(fiber_await(&wait, 15), STOA_E_TIMEOUT);
    cr_assert_geq(loop_now(loop_current()) - begin, 15);
    begin = loop_now(loop_current());
    shared = (struct fiber_wait){0};
    spawn(wake_shared, NULL, NULL);
    cr_assert_eq(fiber_await(&shared, 60000), STOA_OK);
    cr_assert_eq(fiber_await(&wait, 5), STOA_E_TIMEOUT);
    cr_assert_lt(loop_now(loop_current()) - begin, 30000);
}

Test(fiber, waits_right_after_waits_of_other_lengths)
{
    on_fiber(wait_short_then_long, NULL);
}

static void sleep_all_ways(void *arg)
{
    int64_t begin = loop_now(loop_current());

    cr_assert_eq(fiber_sleep(0), STOA_OK);
    cr_assert_eq(fiber_sleep(-5), STOA_OK);
    cr_assert_eq(fiber_sleep(4), STOA_OK);
    cr_assert_geq(loop_now(loop_current()) - begin, 4);
}

Test(fiber, sleeps)
{
    on_fiber(sleep_all_ways, NULL);
}

static bool yielding;

static void yield_on(void *arg)
{
    while (yielding)
        fiber_yield();
}

static void sleep_beside_yielder(void *arg)
{
    yielding = true;
    spawn(yield_on, NULL, NULL);
    cr_assert_eq(fiber_sleep(3), STOA_OK, "a fiber that yields for ever does not stop the timers");
    yielding = false;
    fiber_yield();
}

Test(fiber, yielding_for_ever_starves_nobody)
{
    on_fiber(sleep_beside_yielder, NULL);
}

/* ---- Cancellation ---- */

static stoa_err results[4];

static void wait_masked(void *arg)
{
    struct fiber_wait wait = {0};

    fiber_mask();
    fiber_mask();
    results[0] = fiber_sleep(2); /* cancelled meanwhile */
    fiber_unmask();
    results[1] = fiber_sleep(2);
    fiber_unmask();
    results[2] = fiber_await(&wait, -1);
    results[3] = fiber_sleep(2);
}

static void cancel_masked(void *arg)
{
    struct fiber *fiber;

    spawn(wait_masked, NULL, &fiber);
    fiber_yield();
    fiber_cancel(fiber);
    while (fiber_live() > 1)
        cr_assert_eq(fiber_sleep(1), STOA_OK);
}

Test(fiber, cancellation_waits_for_the_last_unmask)
{
    on_fiber(cancel_masked, NULL);
    cr_assert_eq(results[0], STOA_OK);
    cr_assert_eq(results[1], STOA_OK);
    cr_assert_eq(results[2], STOA_E_CANCELLED);
    cr_assert_eq(results[3], STOA_E_CANCELLED, "all later waits too");
}

static void wait_masked_to_deadline(void *arg)
{
    struct fiber_wait wait = {0};

    fiber_mask();
    fiber_set_deadline(loop_now(loop_current()) + 3);
    cr_assert_eq(fiber_await(&wait, -1), STOA_E_TIMEOUT);
    fiber_unmask();
}

Test(fiber, deadlines_hold_under_a_mask)
{
    on_fiber(wait_masked_to_deadline, NULL);
}

static void take_result(void *arg)
{
    results[0] = fiber_await(&shared, -1);
}

static void wake_then_cancel(void *arg)
{
    struct fiber *fiber;

    shared = (struct fiber_wait){0};
    spawn(take_result, NULL, &fiber);
    fiber_yield();
    fiber_cancel(fiber);
    fiber_wake(&shared); /* both before it runs: what it waited for has happened */
    fiber_yield();
}

Test(fiber, a_wake_counts_even_beside_a_cancellation)
{
    results[0] = STOA_E_INTERNAL;
    on_fiber(wake_then_cancel, NULL);
    cr_assert_eq(results[0], STOA_OK);
}

static void check_fresh(void *arg)
{
    cr_assert_eq(fiber_deadline(), INT64_MAX);
    cr_assert_eq(fiber_check(), STOA_OK);
}

static void reuse_after_cancel(void *arg)
{
    struct fiber *first, *second;

    spawn(wait_to_deadline, NULL, &first);
    while (fiber_live() > 1)
        fiber_yield();
    spawn(wait_for_ever, NULL, &first);
    fiber_yield();
    fiber_cancel(first);
    fiber_yield();
    spawn(check_fresh, NULL, &second);
    cr_assert_eq(first, second, "the stack used last is used first");
    fiber_yield();
}

Test(fiber, reused_starts_without_its_forerunners_state)
{
    on_fiber(reuse_after_cancel, NULL);
}

/* ---- No wait in a C library's frame ---- */

static void wait_in_callback(void *arg)
{
    fiber_no_wait_begin();
    fiber_yield();
}

Test(fiber, asserts_no_wait_within_a_librarys_frame, .signal = SIGABRT)
{
    on_fiber(wait_in_callback, NULL);
}

static void wake_in_callback(void *arg)
{
    shared = (struct fiber_wait){0};
    fiber_no_wait_begin();
    fiber_no_wait_begin();
    fiber_wake(&shared);
    fiber_no_wait_end();
    fiber_no_wait_end();
    cr_assert_eq(fiber_await(&shared, -1), STOA_OK);
}

Test(fiber, may_wake_within_a_librarys_frame)
{
    on_fiber(wake_in_callback, NULL);
}
