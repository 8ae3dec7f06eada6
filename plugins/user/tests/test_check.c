/* Addresses, names, passwords. SPDX-License-Identifier: Apache-2.0 */
#include "../user.h"
#include <criterion/criterion.h>

static bool accepts(const char *email)
{
    struct stoa_arena *arena = stoa_arena_create();
    bool ok = email_normalise(arena, stoa_str_of(email)).len > 0;

    stoa_arena_destroy(arena);
    return ok;
}

Test(email, is_trimmed_and_in_lower_case)
{
    struct stoa_arena *arena = stoa_arena_create();

    cr_assert(stoa_str_is(email_normalise(arena, STOA_STR("  Ada.L+shop@Example.COM\n")),
                          "ada.l+shop@example.com"));
    stoa_arena_destroy(arena);
}

Test(email, that_no_account_can_have_is_refused)
{
    static const char *const bad[] = {
        "", "ada", "@example.com", "a b@ex.com", "a\r\n@ex.co", "\xff@ex.com", "ada@ex.com\x7f."};

    for (uint32_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_not(accepts(bad[i]), "%s", bad[i]);
    cr_assert(accepts("ada@example.com"));
    cr_assert(accepts("\xc3\xbc@b\xc3\xbc"
                      "cher.example"));
}

Test(email, has_at_most_254_bytes)
{
    char text[300];

    memset(text, 'a', sizeof text);
    memcpy(text, "ada@", 4);
    memcpy(text + 250, ".com", 5);
    cr_assert(accepts(text));
    memset(text + 250, 'a', 1);
    memcpy(text + 251, ".com", 5);
    cr_assert_not(accepts(text));
}

Test(password, has_10_to_128_bytes)
{
    char text[200];

    memset(text, 'x', sizeof text);
    cr_assert_not_null(password_fault((stoa_str){text, 9}));
    cr_assert_null(password_fault((stoa_str){text, 10}));
    cr_assert_null(password_fault((stoa_str){text, 128}));
    cr_assert_not_null(password_fault((stoa_str){text, 129}));
}

Test(name, has_no_control_characters)
{
    cr_assert_null(name_fault(STOA_STR("")));
    cr_assert_null(name_fault(STOA_STR("Ada Lovelace")));
    cr_assert_not_null(name_fault(STOA_STR("Ada\r\nBcc: x@example.com")));
    cr_assert_not_null(name_fault(STOA_STR("Ada\x7f")));
}
