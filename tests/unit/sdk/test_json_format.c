/* SPDX-License-Identifier: Apache-2.0 */
#include "json_escape.h"
#include <criterion/criterion.h>
#include <float.h>
#include <stoa/json.h>

static struct stoa_arena *arena;
static void start(void)
{
    arena = stoa_arena_create();
}
static void end(void)
{
    stoa_arena_destroy(arena);
}
TestSuite(json_format, .init = start, .fini = end);

static stoa_str written(const struct stoa_json *json)
{
    struct stoa_buf out;

    stoa_buf_init(&out, arena, 0);
    stoa_json_format(json, &out);
    return stoa_buf_str(&out);
}

static void string_is(stoa_str s, const char *expected)
{
    stoa_str text = written(stoa_json_new_str(arena, s));
    cr_assert(stoa_str_is(text, expected), "%.*s, not %s", (int)text.len, text.ptr, expected);
}

Test(json_format, escapes_what_json_and_html_need)
{
    string_is(STOA_STR("plain \xc3\xa9 \xf0\x9f\x98\x80"), "\"plain \xc3\xa9 \xf0\x9f\x98\x80\"");
    string_is(STOA_STR("\"\\/\b\f\n\r\t"), "\"\\\"\\\\/\\b\\f\\n\\r\\t\"");
    string_is(STOA_STR("\1\x1f\x7f"), "\"\\u0001\\u001f\\u007f\"");
    string_is((stoa_str){"a\0b", 3}, "\"a\\u0000b\"");
    string_is(STOA_STR("</script>&"), "\"\\u003c/script\\u003e\\u0026\"");
    string_is(STOA_STR("\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa"),
              "\"\xe2\x80\xa7\\u2028\\u2029\xe2\x80\xaa\"");
    string_is((stoa_str){NULL, 0}, "\"\"");
}

Test(json_format, writes_valid_utf8_whatever_it_is_given)
{
    string_is(STOA_STR("a\xff\xc3"), "\"a\\ufffd\\ufffd\"");
    string_is(STOA_STR("\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\"");
}

/* One byte that needs escaping at each place of each length, for the steps of sixteen. */
Test(json_format, escapes_at_every_position)
{
    static const char special[] = "\"\\<>&\x1f\x7f\n";
    char text[64], expected[128], out[64 * JSON_ESCAPE_FACTOR];

    for (uint32_t len = 1; len < 50; len++)
        for (uint32_t at = 0; at < len; at++)
            for (uint32_t i = 0; i < sizeof(special) - 1; i++) {
                memset(text, 'x', len);
                text[at] = special[i];
                char *end = json_escape(out, (stoa_str){&special[i], 1});
                uint64_t n = (uint64_t)(end - out);
                cr_assert_gt(n, 1);
                memset(expected, 'x', sizeof(expected));
                memcpy(expected + at, out, n);
                end = json_escape(out, (stoa_str){text, len});
                cr_assert_eq((uint64_t)(end - out), len - 1 + n);
                cr_assert_arr_eq(out, expected, len - 1 + n);
            }
}

Test(json_format, writes_long_strings_in_pieces_without_breaking_characters)
{
    for (uint32_t shift = 0; shift < 4; shift++) {
        struct stoa_buf text;
        stoa_buf_init(&text, arena, 0);
        for (uint32_t i = 0; i < shift; i++)
            stoa_buf_char(&text, 'x');
        for (uint32_t i = 0; i < 5000; i++)
            stoa_buf_put(&text, STOA_STR("\xf0\x9f\x98\x80"));
        stoa_str out = written(stoa_json_new_str(arena, stoa_buf_str(&text)));
        cr_assert(stoa_str_eq(stoa_str_sub(out, 1, out.len - 2), stoa_buf_str(&text)));
    }
}

Test(json_format, writes_reals_that_read_back_the_same)
{
    static const double values[] = {0.0,     -0.0,         1.0,           0.1,
                                    1.0 / 3, 1e20,         1e-300,        DBL_MAX,
                                    DBL_MIN, DBL_TRUE_MIN, 123456789.125, 9007199254740993.0,
                                    -2.5e-8};

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        const struct stoa_json *again = NULL;
        stoa_str text = written(stoa_json_new_real(arena, values[i]));
        cr_assert_eq(stoa_json_parse(arena, text, NULL, &again), STOA_OK);
        cr_assert_eq(stoa_json_type(again), STOA_JSON_REAL, "%.*s", (int)text.len, text.ptr);
        double v = stoa_json_real(again, "", 7);
        cr_assert_arr_eq(&v, &values[i], sizeof(v));
    }
    cr_assert(stoa_str_is(written(stoa_json_new_real(arena, 0.1)), "0.1"));
}

Test(json_format, writes_null_for_not_there)
{
    cr_assert(stoa_str_is(written(NULL), "null"));
}
