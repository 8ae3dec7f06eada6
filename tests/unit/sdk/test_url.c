/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stoa/str.h>

static struct stoa_arena *arena;
static void start(void)
{
    arena = stoa_arena_create();
}
static void end(void)
{
    stoa_arena_destroy(arena);
}
TestSuite(url, .init = start, .fini = end);

static void decodes(const char *text, bool form, const char *expected)
{
    stoa_str s;

    cr_assert_eq(stoa_url_decode(arena, stoa_str_of(text), form, &s), STOA_OK, "%s", text);
    cr_assert(stoa_str_is(s, expected), "%s", text);
}

Test(url, decodes_escapes)
{
    decodes("", false, "");
    decodes("a%20b%2Fc", false, "a b/c");
    decodes("%c3%A9", false, "\xc3\xa9");
    decodes("a+b", false, "a+b");
    decodes("a+b%2B", true, "a b+");
}

Test(url, refuses_broken_escapes_nul_and_bad_utf8)
{
    static const char *const texts[] = {"%",     "%2",  "a%2", "%zz",       "%2g",    "%g2", "%00",
                                        "a%00b", "%ff", "%c3", "%ed%a0%80", "%C0%80", "%-1", "% 1"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        stoa_str s = STOA_STR("untouched");
        cr_assert_eq(stoa_url_decode(arena, stoa_str_of(texts[i]), false, &s), STOA_E_BAD_REQUEST,
                     "%s", texts[i]);
        cr_assert(stoa_str_is(s, "untouched"));
    }
    stoa_str nul = {"a\0b", 3}, s;
    cr_assert_eq(stoa_url_decode(arena, nul, false, &s), STOA_E_BAD_REQUEST);
}

Test(url, encodes_all_but_the_unreserved)
{
    cr_assert(stoa_str_is(stoa_url_encode(arena, STOA_STR("aZ09-._~")), "aZ09-._~"));
    cr_assert(stoa_str_is(stoa_url_encode(arena, STOA_STR("a b/\xc3\xa9&")), "a%20b%2F%C3%A9%26"));
}

Test(url, decodes_what_it_encodes)
{
    char all[127];
    stoa_str text = {all, sizeof(all)}, again;

    for (uint32_t i = 0; i < sizeof(all); i++)
        all[i] = (char)(i + 1);
    cr_assert_eq(stoa_url_decode(arena, stoa_url_encode(arena, text), true, &again), STOA_OK);
    cr_assert(stoa_str_eq(again, text));
}
