/* Which address gets the next call. SPDX-License-Identifier: Apache-2.0 */
#include "call/balance.h"

#include <criterion/criterion.h>

Test(balance, takes_the_least_loaded)
{
    const struct balance_address all[] = {{.is_up = true, .in_flight = 4},
                                          {.is_up = true, .in_flight = 2},
                                          {.is_up = true, .in_flight = 3}};

    for (uint32_t turn = 0; turn < 5; turn++)
        cr_assert_eq(balance_choose(all, 3, turn), 1);
}

Test(balance, takes_turns_among_equals)
{
    const struct balance_address all[] = {{.is_up = true}, {.is_up = true}, {.is_up = true}};
    uint32_t got[3] = {0};

    for (uint32_t turn = 0; turn < 9; turn++)
        got[balance_choose(all, 3, turn)]++;
    for (uint32_t i = 0; i < 3; i++)
        cr_assert_eq(got[i], 3);
}

Test(balance, never_takes_one_that_is_down)
{
    const struct balance_address all[] = {{.is_up = false}, {.is_up = true, .in_flight = 99}};

    for (uint32_t turn = 0; turn < 4; turn++)
        cr_assert_eq(balance_choose(all, 2, turn), 1);
    cr_assert_eq(balance_choose(all, 1, 0), -1);
    cr_assert_eq(balance_choose(all, 0, 0), -1);
}

Test(balance, tries_another_one_before_the_same_again)
{
    const struct balance_address all[] = {{.is_up = true, .was_tried = true},
                                          {.is_up = true, .in_flight = 50}};

    cr_assert_eq(balance_choose(all, 2, 0), 1);
    cr_assert_eq(balance_choose(all, 1, 0), 0, "there is nobody else");
}
