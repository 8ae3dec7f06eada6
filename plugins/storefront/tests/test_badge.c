/* The cart badge. SPDX-License-Identifier: Apache-2.0 */
#include "../storefront.h"
#include <criterion/criterion.h>

static struct stoa_arena *arena;

static void begin(void)
{
    arena = stoa_arena_create();
}

static void end(void)
{
    stoa_arena_destroy(arena);
}

TestSuite(badge, .init = begin, .fini = end);

Test(badge, is_nothing_for_an_empty_cart)
{
    cr_assert_eq(badge_html(arena, 0).len, 0);
    cr_assert_eq(badge_html(arena, -3).len, 0);
}

Test(badge, stops_counting_at_99)
{
    cr_assert(stoa_str_is(badge_html(arena, 7), "<span class=\"badge\">7</span>"));
    cr_assert(stoa_str_is(badge_html(arena, 99), "<span class=\"badge\">99</span>"));
    cr_assert(stoa_str_is(badge_html(arena, 100), "<span class=\"badge\">99+</span>"));
}

Test(badge, fills_the_slot_of_a_kept_page)
{
    stoa_str page = STOA_STR("<a>Cart" BADGE_SLOT "</a>");

    cr_assert(stoa_str_is(badge_fill(arena, page, 2), "<a>Cart<span class=\"badge\">2</span></a>"));
}

Test(badge, leaves_a_page_alone_that_needs_none)
{
    stoa_str page = STOA_STR("<a>Cart" BADGE_SLOT "</a>"), other = STOA_STR("<p>no slot</p>");

    cr_assert_eq(badge_fill(arena, page, 0).ptr, page.ptr);
    cr_assert_eq(badge_fill(arena, other, 5).ptr, other.ptr);
}
