/* Which words cover which. SPDX-License-Identifier: Apache-2.0 */
#include "port/grants.h"

#include <criterion/criterion.h>

static bool covers(const char *words, const char *kind, const char *name)
{
    return grants_cover(stoa_str_of(words), kind, stoa_str_of(name));
}

Test(grants, cover_what_they_say)
{
    cr_assert(covers("sql mail", "mail", ""));
    cr_assert(covers("call:product", "call", "product"));
    cr_assert(covers("events:order.*", "events", "order.paid"));
    cr_assert(covers("call:*", "call", "user"));
}

Test(grants, cover_nothing_else)
{
    cr_assert(!covers("", "sql", ""));
    cr_assert(!covers("sqlite", "sql", ""));
    cr_assert(!covers("sql", "sqlite", ""));
    cr_assert(!covers("call", "call", "product"));
    cr_assert(!covers("call:product", "call", "products"));
    cr_assert(!covers("call:product", "call", "produc"));
    cr_assert(!covers("call:product", "call", ""));
    cr_assert(!covers("events:order.*", "events", "order"));
    cr_assert(!covers("events:order.*", "call", "order.paid"));
}

/* A name with a space must not reach over to the next word. */
Test(grants, cannot_be_spelled_around)
{
    cr_assert(!covers("call:a mail", "call", "a mail"));
    cr_assert(!covers("sql", "sql mail", ""));
}

Test(grants, all_of_a_manifest_or_the_first_that_is_missing)
{
    stoa_str missing = {0};
    stoa_str given = STOA_STR("sql call:* events:order.*");

    cr_assert(grants_cover_all(given, STOA_STR("sql call:product events:order.paid"), &missing));
    cr_assert(grants_cover_all(given, STOA_STR(""), &missing));
    cr_assert(!grants_cover_all(given, STOA_STR("sql mail cache"), &missing));
    cr_assert(stoa_str_is(missing, "mail"));
    cr_assert(!grants_cover_all(given, STOA_STR("events:*"), &missing));
    cr_assert(!grants_cover_all(STOA_STR(""), STOA_STR("sql"), &missing));
}
