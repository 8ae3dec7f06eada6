/* Who is left out, and how long the next start waits. SPDX-License-Identifier: Apache-2.0 */
#include "supervise/blame.h"

#include <criterion/criterion.h>

Test(blame, counts_crashes_of_one_plugin_within_the_window)
{
    struct blame b = {0};

    cr_assert(!blame_note(&b, "gift", 1000, 3));
    cr_assert(!blame_note(&b, "other", 1500, 3));
    cr_assert(!blame_note(&b, "gift", 2000, 3));
    cr_assert(!blame_note(&b, "gift", 1000 + BLAME_WINDOW_MS, 3), "the first is too long ago");
    cr_assert(blame_note(&b, "gift", 1001 + BLAME_WINDOW_MS, 3));
    cr_assert(!blame_note(&b, "other", 1501 + BLAME_WINDOW_MS, 3));
}

Test(blame, at_a_limit_of_one_the_first_is_one_too_many)
{
    struct blame b = {0};

    cr_assert(blame_note(&b, "gift", 5, 1));
}

Test(blame, forgets_when_told_to)
{
    struct blame b = {0};

    cr_assert(!blame_note(&b, "gift", 1, 2));
    blame_forget(&b);
    cr_assert(!blame_note(&b, "gift", 2, 2));
    cr_assert(blame_note(&b, "gift", 3, 2));
}

Test(blame, an_empty_slot_is_nobodys_crash)
{
    struct blame b = {0};

    cr_assert(!blame_note(&b, "gift", 10, 100), "slots of time 0 have no name");
    for (int i = 0; i < 98; i++)
        cr_assert(!blame_note(&b, "gift", 11 + i, 100));
    cr_assert(blame_note(&b, "gift", 500, 100));
}

Test(blame, the_ring_holds_what_the_greatest_limit_asks_for)
{
    struct blame b = {0};
    bool is_last = false;

    for (int i = 0; i < 1000; i++)
        is_last = blame_note(&b, "gift", i, 100);
    cr_assert(is_last);
}

Test(restart, the_first_time_at_once_then_it_doubles_up_to_ten_seconds)
{
    static const int64_t wanted[] = {0, 100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000};
    struct restart r = {0};

    for (int i = 0; i < 10; i++)
        cr_assert_eq(restart_pause(&r, -1), wanted[i], "try %d", i);
}

Test(restart, who_has_served_starts_anew)
{
    struct restart r = {0};

    for (int i = 0; i < 5; i++)
        restart_pause(&r, 10);
    cr_assert_eq(restart_pause(&r, RESTART_YOUNG_MS), 0);
    cr_assert_eq(restart_pause(&r, RESTART_YOUNG_MS - 1), 0);
    cr_assert_eq(restart_pause(&r, RESTART_YOUNG_MS - 1), RESTART_FIRST_MS);
}

Test(restart, no_number_of_failures_overflows)
{
    struct restart r = {.young = UINT32_MAX - 1};

    cr_assert_eq(restart_pause(&r, -1), RESTART_LAST_MS);
}
