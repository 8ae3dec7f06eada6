/* SPDX-License-Identifier: Apache-2.0 */
#include "utf8.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stoa/str.h>

static const stoa_str nothing = {NULL, 0};

static struct stoa_arena *arena;
static void start(void)
{
    arena = stoa_arena_create();
}
static void end(void)
{
    stoa_arena_destroy(arena);
}
TestSuite(str, .init = start, .fini = end);

Test(str, takes_the_empty_slice_everywhere)
{
    cr_assert(stoa_str_eq(nothing, STOA_STR("")));
    cr_assert(stoa_str_starts(STOA_STR("a"), nothing));
    cr_assert(stoa_str_ends(nothing, nothing));
    cr_assert_eq(stoa_str_find(nothing, 'a', 0), -1);
    cr_assert_eq(stoa_str_trim(nothing).len, 0);
    cr_assert(stoa_str_is_utf8(nothing));
    cr_assert_eq(stoa_str_sub(nothing, 3, 9).len, 0);
    cr_assert_str_eq(stoa_cstr(arena, nothing), "");
    cr_assert_str_eq(stoa_str_copy(arena, nothing).ptr, "");
    cr_assert_eq(stoa_str_join(arena, NULL, 0).len, 0);
}

Test(str, cuts_parts_to_what_is_there)
{
    stoa_str s = STOA_STR("abcdef");

    cr_assert(stoa_str_is(stoa_str_sub(s, 2, 3), "cde"));
    cr_assert(stoa_str_is(stoa_str_sub(s, 4, UINT64_MAX), "ef"));
    cr_assert(stoa_str_is(stoa_str_sub(s, 6, 1), ""));
    cr_assert(stoa_str_is(stoa_str_sub(s, UINT64_MAX, UINT64_MAX), ""));
}

Test(str, finds_starts_ends_and_trims)
{
    stoa_str s = STOA_STR("\t a-b-c \r\n");

    cr_assert(stoa_str_is(stoa_str_trim(s), "a-b-c"));
    cr_assert_eq(stoa_str_find(s, '-', 0), 3);
    cr_assert_eq(stoa_str_find(s, '-', 4), 5);
    cr_assert_eq(stoa_str_find(s, '-', 99), -1);
    cr_assert(stoa_str_ends(STOA_STR("x.so"), STOA_STR(".so")));
    cr_assert_not(stoa_str_ends(STOA_STR("so"), STOA_STR(".so")));
    cr_assert(stoa_str_eq_nocase(STOA_STR("Host-9"), STOA_STR("hOST-9")));
    cr_assert_not(stoa_str_eq_nocase(STOA_STR("@"), STOA_STR("`")));
}

Test(str, cuts_at_the_separator_until_nothing_is_left)
{
    stoa_str rest = STOA_STR("a,,b");

    cr_assert(stoa_str_is(stoa_str_cut(&rest, ','), "a"));
    cr_assert(stoa_str_is(stoa_str_cut(&rest, ','), ""));
    cr_assert_not_null(rest.ptr);
    cr_assert(stoa_str_is(stoa_str_cut(&rest, ','), "b"));
    cr_assert_null(rest.ptr);
    rest = STOA_STR("a,");
    stoa_str_cut(&rest, ',');
    cr_assert_not_null(rest.ptr, "an empty part is still to come");
}

Test(str, reads_whole_numbers_within_bounds)
{
    int64_t v = 7;

    cr_assert_eq(stoa_str_int(STOA_STR("-9223372036854775808"), INT64_MIN, INT64_MAX, &v), STOA_OK);
    cr_assert_eq(v, INT64_MIN);
    cr_assert_eq(stoa_str_int(STOA_STR("9223372036854775807"), 0, INT64_MAX, &v), STOA_OK);
    cr_assert_eq(v, INT64_MAX);
    v = 7;
    static const char *const wrong[] = {"",
                                        "-",
                                        "+1",
                                        " 1",
                                        "1 ",
                                        "1.0",
                                        "0x1",
                                        "101",
                                        "-1",
                                        "1e1",
                                        "--1",
                                        "9223372036854775808",
                                        "99999999999999999999"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_assert_eq(stoa_str_int(stoa_str_of(wrong[i]), 0, 100, &v), STOA_E_RANGE, "%s", wrong[i]);
    cr_assert_eq(v, 7);
}

Test(str, writes_whole_numbers)
{
    static const int64_t values[] = {0, 7, 10, 99, 100, 12345, -1, -10, INT64_MAX, INT64_MIN};
    char text[32];

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        snprintf(text, sizeof(text), "%ld", (long)values[i]);
        cr_assert(stoa_str_is(stoa_str_from_int(arena, values[i]), text), "%s", text);
    }
}

/* Every code point is accepted, and every change of its form refused. */
Test(str, knows_well_formed_utf8)
{
    static const char *const right[] = {"",
                                        "plain",
                                        "\x7f",
                                        "\xc2\x80",
                                        "\xdf\xbf",
                                        "\xe0\xa0\x80",
                                        "\xed\x9f\xbf",
                                        "\xee\x80\x80",
                                        "\xef\xbf\xbf",
                                        "\xf0\x90\x80\x80",
                                        "\xf4\x8f\xbf\xbf",
                                        "12345678\xc3\xa9"};
    static const char *const wrong[] = {"\x80",
                                        "\xc0\x80",
                                        "\xc1\xbf",
                                        "\xc2",
                                        "\xc2\x41",
                                        "\xe0\x80\x80",
                                        "\xe0\x9f\xbf",
                                        "\xe2\x82",
                                        "\xed\xa0\x80",
                                        "\xed\xbf\xbf",
                                        "\xf0\x80\x80\x80",
                                        "\xf0\x8f\xbf\xbf",
                                        "\xf4\x90\x80\x80",
                                        "\xf5\x80\x80\x80",
                                        "\xff",
                                        "12345678\xff",
                                        "1234567\xc3",
                                        "\xf0\x9f\x98"};

    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
        cr_assert(stoa_str_is_utf8(stoa_str_of(right[i])), "right %zu", i);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_assert_not(stoa_str_is_utf8(stoa_str_of(wrong[i])), "wrong %zu", i);
}

Test(str, hashes_as_fnv_1a_says)
{
    cr_assert_eq(stoa_str_hash(STOA_STR("")), UINT64_C(0xcbf29ce484222325));
    cr_assert_eq(stoa_str_hash(STOA_STR("a")), UINT64_C(0xaf63dc4c8601ec8c));
    cr_assert_eq(stoa_str_hash(STOA_STR("foobar")), UINT64_C(0x85944171f73967e8));
}

Test(str, joins_and_copies_with_a_nul_behind)
{
    stoa_str joined = stoa_concat(arena, STOA_STR("ab"), nothing, STOA_STR("c"));

    cr_assert(stoa_str_is(joined, "abc"));
    cr_assert_eq(joined.ptr[3], '\0');
    cr_assert_eq(stoa_str_copy(arena, joined).ptr[3], '\0');
}

Test(buf, grows_and_keeps_what_was_put)
{
    struct stoa_buf buf;
    stoa_buf_init(&buf, arena = stoa_arena_create(), 0);

    for (int64_t i = 0; i < 10000; i++) {
        stoa_buf_int(&buf, i % 10);
        stoa_buf_char(&buf, ',');
        stoa_buf_put(&buf, nothing);
    }
    stoa_str all = stoa_buf_str(&buf);
    cr_assert_eq(all.len, 20000);
    for (uint64_t i = 0; i < all.len; i += 2)
        cr_assert(all.ptr[i] == (char)('0' + i / 2 % 10) && all.ptr[i + 1] == ',');
    stoa_arena_destroy(arena);
}
