/* A bucket of its own for each address. SPDX-License-Identifier: Apache-2.0 */
#include "gate/rate.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { START = 1000000 };

static bool take(const char *client, int64_t at, int64_t *retry_s)
{
    return rate_take(stoa_str_of(client), START + at, retry_s);
}

static uint32_t taken(const char *client, int64_t at, uint32_t tries)
{
    int64_t retry_s;
    uint32_t n = 0;

    for (uint32_t i = 0; i < tries; i++)
        n += take(client, at, &retry_s);
    return n;
}

Test(rate, a_burst_goes_through_and_no_more)
{
    rate_init(2, 10, 1);
    cr_assert_eq(taken("a", 0, 100), 10);
}

Test(rate, what_was_taken_comes_back_with_time)
{
    rate_init(2, 10, 1);
    taken("a", 0, 100);
    cr_assert_eq(taken("a", 499, 10), 0);
    cr_assert_eq(taken("a", 500, 10), 1);
    cr_assert_eq(taken("a", 3500, 100), 6);
}

Test(rate, waiting_gives_no_more_than_the_burst)
{
    rate_init(2, 10, 1);
    taken("a", 0, 1);
    cr_assert_eq(taken("a", 365LL * 24 * 3600 * 1000, 100), 10);
}

Test(rate, it_says_when_to_come_again)
{
    int64_t retry_s = 0;

    rate_init(1, 1, 1);
    cr_assert(take("a", 0, &retry_s));
    cr_assert(!take("a", 0, &retry_s));
    cr_assert_eq(retry_s, 1);
    cr_assert(!take("a", 999, &retry_s));
    cr_assert_eq(retry_s, 1);
    cr_assert(take("a", 1000, &retry_s));
}

Test(rate, addresses_do_not_share)
{
    rate_init(1, 1, 1);
    cr_assert_eq(taken("192.0.2.1", 0, 5), 1);
    cr_assert_eq(taken("192.0.2.2", 0, 5), 1);
    cr_assert_eq(taken("", 0, 5), 1);
}

Test(rate, loops_divide_what_is_allowed)
{
    rate_init(10, 20, 4);
    cr_assert_eq(taken("a", 0, 100), 5);
    cr_assert_eq(taken("a", 1000, 100), 3);
    rate_init(1, 1, 4);
    cr_assert_eq(taken("b", 0, 100), 1);
}

Test(rate, zero_is_no_limit)
{
    rate_init(0, 0, 1);
    cr_assert_eq(taken("a", 0, 1000), 1000);
}

Test(rate, a_full_table_forgets_who_was_least_active)
{
    char client[16];

    rate_init(1, 1, 1);
    for (int i = 0; i < 50000; i++) {
        snprintf(client, sizeof(client), "c%d", i);
        cr_assert_eq(taken(client, i, 1), 1);
    }
    /* The newest are still known, whoever came before. */
    for (int i = 49990, known = 0; i < 50000; i++) {
        snprintf(client, sizeof(client), "c%d", i);
        known += taken(client, 50000, 1) == 0;
        if (i == 49999)
            cr_assert_geq(known, 9);
    }
}
