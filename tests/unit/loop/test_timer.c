/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/loop.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct loop *loop;

static void setup(void)
{
    loop = loop_create(0);
}

static void teardown(void)
{
    loop_destroy(loop);
}

TestSuite(timer, .init = setup, .fini = teardown);

struct named {
    struct loop_timer timer;
    char name;
};

static char fired[64];

static void note(struct loop_timer *timer)
{
    char name[2] = {((struct named *)timer)->name, '\0'};

    cr_assert_eq(timer->slot, 0, "not armed any more when called");
    cr_assert_leq(timer->at_ms, loop_now(loop));
    strcat(fired, name);
}

static void stop(struct loop_timer *timer)
{
    loop_stop(loop);
}

Test(timer, fires_in_the_order_of_time_then_of_arming)
{
    struct named timers[] = {{{note}, 'd'}, {{note}, 'a'}, {{note}, 'b'}, {{note}, 'c'}};
    const int64_t ms[] = {7, 1, 3, 3};
    struct loop_timer end = {.fire = stop};

    for (int i = 0; i < 4; i++)
        loop_timer_arm(loop, &timers[i].timer, ms[i]);
    loop_timer_arm(loop, &end, 7);
    loop_run(loop);
    cr_assert_str_eq(fired, "abcd");
}

Test(timer, armed_again_moves)
{
    struct named a = {{note}, 'a'}, b = {{note}, 'b'}, c = {{note}, 'c'};
    struct loop_timer end = {.fire = stop};

    loop_timer_arm(loop, &a.timer, 1);
    loop_timer_arm(loop, &b.timer, 2);
    loop_timer_arm(loop, &c.timer, 60000);
    loop_timer_arm(loop, &a.timer, 3);
    loop_timer_arm(loop, &c.timer, 0);
    loop_timer_arm(loop, &end, 4);
    loop_run(loop);
    cr_assert_str_eq(fired, "cba");
}

static struct named victim = {{note}, 'v'};

static void cancel_victim(struct loop_timer *timer)
{
    loop_timer_cancel(loop, &victim.timer);
    loop_timer_cancel(loop, &victim.timer);
    cr_assert_eq(victim.timer.slot, 0);
}

Test(timer, cancelled_by_one_that_is_due_with_it_does_not_fire)
{
    struct loop_timer first = {.fire = cancel_victim}, end = {.fire = stop};

    loop_timer_arm(loop, &first, 1);
    loop_timer_arm(loop, &victim.timer, 1);
    loop_timer_arm(loop, &end, 1);
    loop_run(loop);
    cr_assert_str_eq(fired, "");
}

static uint32_t rearmed;
static uint64_t first_turn;

static void rearm(struct loop_timer *timer)
{
    if (rearmed++ == 0)
        first_turn = loop_turns(loop);
    loop_timer_arm(loop, timer, 0);
    cr_assert_eq(loop_turns(loop) - first_turn, rearmed - 1, "once a turn, or sockets starve");
    if (rearmed == 100)
        loop_stop(loop);
}

Test(timer, rearmed_with_no_delay_within_its_fire_waits_for_the_next_turn)
{
    struct loop_timer timer = {.fire = rearm};

    loop_timer_arm(loop, &timer, 0);
    loop_run(loop);
    cr_assert_eq(rearmed, 100);
    loop_timer_cancel(loop, &timer);
}

enum { MANY = 5000 };
static int64_t last_at;

/* The same at each run: below 20. */
static int64_t some_ms(void)
{
    static uint32_t state = 7;

    state = state * 1664525 + 1013904223;
    return (state >> 16) % 20;
}
static uint32_t fired_count;

static void in_order(struct loop_timer *timer)
{
    cr_assert_geq(timer->at_ms, last_at);
    last_at = timer->at_ms;
    fired_count++;
}

Test(timer, keeps_the_order_of_many_armed_moved_and_cancelled)
{
    struct loop_timer *timers = calloc(MANY, sizeof(*timers));
    struct loop_timer end = {.fire = stop};
    uint32_t left = MANY;

    for (int i = 0; i < MANY; i++) {
        timers[i].fire = in_order;
        loop_timer_arm(loop, &timers[i], some_ms());
    }
    for (int i = 0; i < MANY; i += 3)
        loop_timer_arm(loop, &timers[i], some_ms());
    for (int i = 0; i < MANY; i += 2, left--)
        loop_timer_cancel(loop, &timers[i]);
    loop_timer_arm(loop, &end, 20);
    loop_run(loop);
    cr_assert_eq(fired_count, left);
    free(timers);
}

Test(timer, takes_any_duration)
{
    struct named far = {{note}, 'f'}, past = {{note}, 'p'};
    struct loop_timer end = {.fire = stop};

    loop_timer_arm(loop, &far.timer, INT64_MAX);
    cr_assert_eq(far.timer.at_ms, INT64_MAX);
    loop_timer_arm(loop, &past.timer, -5);
    loop_timer_arm(loop, &end, 1);
    loop_run(loop);
    cr_assert_str_eq(fired, "p");
    loop_timer_cancel(loop, &far.timer);
}

static int64_t now_in_task;

static void read_clock(struct loop_timer *timer)
{
    now_in_task = loop_now(loop);
    cr_assert_geq(now_in_task, timer->at_ms, "time has passed while the loop waited");
    loop_stop(loop);
}

Test(timer, sees_the_time_after_the_wait)
{
    struct loop_timer timer = {.fire = read_clock};

    loop_timer_arm(loop, &timer, 10);
    loop_run(loop);
    cr_assert_eq(loop_now(loop), now_in_task, "read once a turn");
}
