/* SPDX-License-Identifier: Apache-2.0 */
#include "number.h"

#include <criterion/criterion.h>

#define A_TIME INT64_C(1795371600000)

static struct stoa_arena *arena;

static void setup(void)
{
    arena = stoa_arena_create();
}
static void teardown(void)
{
    stoa_arena_destroy(arena);
}
TestSuite(number, .init = setup, .fini = teardown);

Test(number, sorts_by_time)
{
    stoa_str early = number_make(arena, A_TIME, UINT64_MAX);
    stoa_str late = number_make(arena, A_TIME + 64, 0);

    cr_expect_eq(early.len, 14);
    cr_expect_lt(memcmp(early.ptr, late.ptr, 14), 0);
}

Test(number, differs_at_the_same_time)
{
    cr_expect_not(stoa_str_eq(number_make(arena, A_TIME, 1), number_make(arena, A_TIME, 2)));
}

Test(number, reads_what_people_type)
{
    stoa_str number = number_make(arena, A_TIME, 33), typed;

    cr_assert_eq(number_parse(arena, number, &typed), STOA_OK);
    cr_expect(stoa_str_eq(number, typed));
    cr_assert_eq(number_parse(arena, STOA_STR("oil1 0000-00zz"), &typed), STOA_OK);
    cr_expect(stoa_str_is(typed, "0111-0000-00ZZ"));
}

Test(number, refuses_anything_else)
{
    stoa_str typed;

    cr_expect_eq(number_parse(arena, STOA_STR(""), &typed), STOA_E_INVALID);
    cr_expect_eq(number_parse(arena, STOA_STR("0111-00ZZ-ZZZ"), &typed), STOA_E_INVALID);
    cr_expect_eq(number_parse(arena, STOA_STR("0111-00ZZ-ZZZZZ"), &typed), STOA_E_INVALID);
    cr_expect_eq(number_parse(arena, STOA_STR("0111-00ZZ-ZZZU"), &typed), STOA_E_INVALID);
    cr_expect_eq(number_parse(arena, (stoa_str){"0111-00ZZ-ZZZ\0", 14}, &typed), STOA_E_INVALID);
}
