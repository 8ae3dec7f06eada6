/* When another node is left alone, and when it is asked again. SPDX-License-Identifier: Apache-2.0
 */
#include "call/breaker.h"
#include "call/budget.h"

#include <criterion/criterion.h>

enum { T0 = 1000000, LATER = T0 + BREAKER_PAUSE_MS };

/* Of a call that was let in since it last opened. */
static struct breaker_pass pass(const struct breaker *b, enum breaker_admission as)
{
    return (struct breaker_pass){as, b->epoch};
}

static void fail_times(struct breaker *b, uint32_t times, int64_t now)
{
    for (uint32_t i = 0; i < times; i++) {
        cr_assert(breaker_enter(b, now).as);
        breaker_fail(b, pass(b, BREAKER_CALL), now);
    }
}

/* Opens it; a call that began before, and has not ended. */
static struct breaker_pass open_under_a_call(struct breaker *b)
{
    struct breaker_pass old = breaker_enter(b, T0);

    fail_times(b, BREAKER_IN_A_ROW, T0);
    return old;
}

Test(breaker, opens_after_five_failures_in_a_row)
{
    struct breaker b = {0};

    fail_times(&b, BREAKER_IN_A_ROW - 1, T0);
    cr_assert(breaker_is_passable(&b, T0));
    cr_assert(breaker_enter(&b, T0).as);
    cr_assert(breaker_fail(&b, pass(&b, BREAKER_CALL), T0));
    cr_assert_eq(b.state, BREAKER_OPEN);
    cr_assert_not(breaker_enter(&b, T0 + BREAKER_PAUSE_MS - 1).as);
}

Test(breaker, one_success_ends_the_row)
{
    struct breaker b = {0};

    for (uint32_t i = 0; i < 3; i++) {
        fail_times(&b, BREAKER_IN_A_ROW - 1, T0);
        cr_assert(breaker_enter(&b, T0).as);
        breaker_succeed(&b, pass(&b, BREAKER_CALL), T0);
        for (uint32_t j = 0; j < BREAKER_IN_A_ROW; j++)
            breaker_succeed(&b, pass(&b, BREAKER_CALL), T0);
    }
    cr_assert_eq(b.state, BREAKER_CLOSED);
}

/* Fails and answers in turn, so that there never is a row. */
Test(breaker, opens_when_more_than_half_of_twenty_fail)
{
    struct breaker b = {0};
    uint32_t calls = 0;

    while (b.state == BREAKER_CLOSED && calls < 100) {
        calls += 3;
        breaker_fail(&b, pass(&b, BREAKER_CALL), T0);
        if (b.state == BREAKER_CLOSED)
            breaker_fail(&b, pass(&b, BREAKER_CALL), T0);
        if (b.state == BREAKER_CLOSED)
            breaker_succeed(&b, pass(&b, BREAKER_CALL), T0);
    }
    cr_assert_eq(b.state, BREAKER_OPEN);
    cr_assert_geq(calls, BREAKER_SHARE_OF);
    cr_assert_lt(calls, BREAKER_SHARE_OF + 3);
}

Test(breaker, forgets_what_is_older_than_ten_seconds)
{
    struct breaker b = {0};

    for (uint32_t i = 0; i < 9; i++) {
        breaker_fail(&b, pass(&b, BREAKER_CALL), T0);
        breaker_succeed(&b, pass(&b, BREAKER_CALL), T0);
    }
    for (uint32_t i = 0; i < 4; i++)
        breaker_fail(&b, pass(&b, BREAKER_CALL), T0 + SECONDS * 1000);
    cr_assert_eq(b.state, BREAKER_CLOSED);
}

Test(breaker, one_probe_decides)
{
    struct breaker b = {0};

    fail_times(&b, BREAKER_IN_A_ROW, T0);
    cr_assert(breaker_enter(&b, LATER).as);
    cr_assert_eq(b.state, BREAKER_HALF_OPEN);
    cr_assert_not(breaker_enter(&b, LATER).as, "a second probe");
    cr_assert(breaker_succeed(&b, pass(&b, BREAKER_PROBE), LATER));
    cr_assert_eq(b.state, BREAKER_CLOSED);
    cr_assert(breaker_enter(&b, LATER).as);
}

Test(breaker, a_probe_that_was_given_up_lets_the_next_one_in)
{
    struct breaker b = {0};

    fail_times(&b, BREAKER_IN_A_ROW, T0);
    cr_assert(breaker_enter(&b, LATER).as);
    breaker_forget(&b, pass(&b, BREAKER_PROBE));
    cr_assert(breaker_enter(&b, LATER).as);
}

Test(breaker, waits_longer_each_time_up_to_half_a_minute)
{
    struct breaker b = {0};
    int64_t now = T0;

    fail_times(&b, BREAKER_IN_A_ROW, now);
    for (uint32_t want = 2 * BREAKER_PAUSE_MS; want < 4 * BREAKER_PAUSE_MAX_MS; want *= 2) {
        now = b.until_ms;
        cr_assert(breaker_enter(&b, now).as);
        cr_assert(breaker_fail(&b, pass(&b, BREAKER_PROBE), now));
        cr_assert_eq(b.until_ms - now, want < BREAKER_PAUSE_MAX_MS ? want : BREAKER_PAUSE_MAX_MS);
    }
    breaker_hurry(&b, now + 1);
    cr_assert(breaker_enter(&b, now + 1).as, "a sign of life ends the pause");
}

Test(breaker, what_was_on_its_way_does_not_close_it)
{
    struct breaker b = {0};
    struct breaker_pass old = open_under_a_call(&b);

    cr_assert_not(breaker_succeed(&b, old, T0 + 1));
    cr_assert_eq(b.state, BREAKER_OPEN);
}

/* Calls that began before it opened end while the probe is on its way. */
Test(breaker, only_the_probe_decides)
{
    struct breaker b = {0};
    struct breaker_pass old = open_under_a_call(&b);

    cr_assert_eq(breaker_enter(&b, LATER).as, BREAKER_PROBE);
    breaker_forget(&b, old);
    cr_assert_not(breaker_enter(&b, LATER).as, "another call's end let a second probe in");
    cr_assert_not(breaker_fail(&b, old, LATER));
    cr_assert_not(breaker_succeed(&b, old, LATER));
    cr_assert_eq(b.state, BREAKER_HALF_OPEN);
    cr_assert(breaker_succeed(&b, pass(&b, BREAKER_PROBE), LATER));
    cr_assert_eq(b.state, BREAKER_CLOSED);
}

Test(breaker, what_began_before_it_opened_does_not_open_it_again)
{
    struct breaker b = {0};
    struct breaker_pass old = open_under_a_call(&b);

    cr_assert(breaker_succeed(&b, breaker_enter(&b, LATER), LATER));
    for (uint32_t i = 0; i < 2 * BREAKER_SHARE_OF; i++)
        cr_assert_not(breaker_fail(&b, old, LATER));
    cr_assert_eq(b.state, BREAKER_CLOSED);
    cr_assert_eq(b.in_a_row, 0);
    fail_times(&b, BREAKER_IN_A_ROW, LATER);
    cr_assert_eq(b.state, BREAKER_OPEN, "new ones do");
}

/* ---- The retry budget ---- */

static uint32_t retries(struct budget *b, int64_t now)
{
    uint32_t n = 0;

    while (n < 10000 && budget_retry(b, now))
        n++;
    return n;
}

Test(budget, gives_three_a_second_to_who_calls_seldom)
{
    struct budget b = {0};

    budget_call(&b, T0);
    cr_assert_eq(retries(&b, T0), BUDGET_FREE);
    cr_assert_eq(retries(&b, T0 + 999), 0);
    cr_assert_eq(retries(&b, T0 + 1000), BUDGET_FREE);
}

Test(budget, is_a_tenth_of_the_calls_of_ten_seconds)
{
    struct budget b = {0};

    for (uint32_t i = 0; i < 1000; i++)
        budget_call(&b, T0);
    cr_assert_eq(retries(&b, T0), 100);
    cr_assert_eq(retries(&b, T0 + 5000), BUDGET_FREE);
    cr_assert_eq(retries(&b, T0 + 11000), BUDGET_FREE, "the thousand are forgotten");
}
