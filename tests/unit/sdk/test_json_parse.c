/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stoa/json.h>
#include <time.h>

static struct stoa_arena *arena;
static void start(void)
{
    arena = stoa_arena_create();
}
static void end(void)
{
    stoa_arena_destroy(arena);
}
TestSuite(json_parse, .init = start, .fini = end);

static void reads_as(const char *text, const char *expected)
{
    struct stoa_json_error error;
    const struct stoa_json *json = NULL;
    struct stoa_buf out;

    cr_assert_eq(stoa_json_parse(arena, stoa_str_of(text), &error, &json), STOA_OK, "%s", text);
    stoa_buf_init(&out, arena, 0);
    stoa_json_format(json, &out);
    cr_assert(stoa_str_is(stoa_buf_str(&out), expected), "%s", text);
}

static void refuses(stoa_str text, uint32_t line, uint32_t column, const char *reason)
{
    struct stoa_json_error error = {0};
    const struct stoa_json *untouched = (const struct stoa_json *)&error, *json = untouched;

    cr_assert_eq(stoa_json_parse(arena, text, &error, &json), STOA_E_BAD_REQUEST, "%.*s",
                 (int)text.len, text.ptr);
    cr_assert_eq(json, untouched);
    cr_assert_eq(stoa_json_parse(arena, text, NULL, &json), STOA_E_BAD_REQUEST);
    cr_assert(strstr(error.reason, reason), "%.*s: %s", (int)(text.len > 99 ? 99 : text.len),
              text.ptr, error.reason);
    cr_assert(error.line == line && error.column == column, "%.*s: %u:%u %s",
              (int)(text.len > 99 ? 99 : text.len), text.ptr, error.line, error.column,
              error.reason);
}

static stoa_str repeated(const char *piece, uint64_t count, const char *tail)
{
    struct stoa_buf buf;

    stoa_buf_init(&buf, arena, 0);
    while (count--)
        stoa_buf_put(&buf, stoa_str_of(piece));
    stoa_buf_put(&buf, stoa_str_of(tail));
    return stoa_buf_str(&buf);
}

Test(json_parse, reads_every_kind)
{
    reads_as(" {\"a\" : [1, -2.5, \"x\", true, false, null, {}, []]}\r\n\t",
             "{\"a\":[1,-2.5,\"x\",true,false,null,{},[]]}");
    reads_as("\"\\u00e9\\ud83d\\ude00\\n\\/\"", "\"\xc3\xa9\xf0\x9f\x98\x80\\n/\"");
    reads_as("\"\\\\u0000\"", "\"\\\\u0000\"");
    reads_as("{\"\":0}", "{\"\":0}");
}

Test(json_parse, keeps_whole_numbers_exactly)
{
    reads_as("[9007199254740993,9223372036854775807,-9223372036854775808,-0]",
             "[9007199254740993,9223372036854775807,-9223372036854775808,0]");
    reads_as("[9223372036854775808,1.0,1e2,1E-7]", "[9.223372036854776e+18,1.0,100.0,1e-07]");
}

Test(json_parse, says_where_a_text_is_wrong)
{
    refuses(STOA_STR(""), 1, 1, "premature EOF");
    refuses(STOA_STR("{\"a\":1,\n \"b\":}"), 2, 6, "unallowed token");
    refuses(STOA_STR("[1,2"), 1, 5, "premature EOF");
    refuses(STOA_STR("[1] x"), 1, 5, "");
    refuses(STOA_STR("[1][2]"), 1, 4, "trailing garbage");
    refuses(STOA_STR("{\"a\":1,\n\"b\":2,\n  \"a\":3}"), 3, 3, "same name twice");
    refuses(STOA_STR("[1,\n1e999]"), 2, 1, "too large");
    refuses(STOA_STR("[\"\xff\"]"), 1, 1, "UTF-8");
    refuses(STOA_STR("[\n\"\\ud800\"]"), 2, 2, "stands for no character");
}

Test(json_parse, refuses_what_is_nearly_json)
{
    static const char *const texts[] = {"{a:1}",     "{'a':1}",
                                        "[1,]",      "{\"a\":1,}",
                                        "[01]",      "[+1]",
                                        "[1.]",      "[.5]",
                                        "[NaN]",     "[Infinity]",
                                        "[-]",       "[1e]",
                                        "[0x1]",     "nul",
                                        "tru",       "/* */1",
                                        "// x\n1",   "\"\t\"",
                                        "\"\n\"",    "\"\\x41\"",
                                        "\"\\u12\"", "\"abc",
                                        "{\"a\"}",   "{\"a\":}",
                                        "{1:2}",     "[}",
                                        "{]",        "]",
                                        ",",         "\xef\xbb\xbf{}",
                                        "1 2",       "{\"a\":1 \"b\":2}"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const struct stoa_json *json;
        cr_assert_eq(stoa_json_parse(arena, stoa_str_of(texts[i]), NULL, &json), STOA_E_BAD_REQUEST,
                     "%s", texts[i]);
    }
}

Test(json_parse, refuses_escapes_that_stand_for_no_character)
{
    static const char *const texts[] = {"\"\\ud800\"",      "\"\\udc00\"",        "\"\\ud800x\"",
                                        "\"\\u0000\"",      "\"\\ud800\\ud800\"", "\"\\ud800\\n\"",
                                        "\"a\\\\\\udfff\"", "\"\\ud83d\\u0041\"", "{\"\\udead\":1}",
                                        "\"\\ud83d"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const struct stoa_json *json;
        cr_assert_eq(stoa_json_parse(arena, stoa_str_of(texts[i]), NULL, &json), STOA_E_BAD_REQUEST,
                     "%s", texts[i]);
    }
}

Test(json_parse, refuses_duplicate_names)
{
    refuses(STOA_STR("{\"a\":1,\"a\":1}"), 1, 8, "same name twice");
    refuses(STOA_STR("{\"a\":1,\"\\u0061\":1}"), 1, 8, "same name twice");
    reads_as("{\"a\":{\"a\":1},\"b\":{\"a\":1}}", "{\"a\":{\"a\":1},\"b\":{\"a\":1}}");
}

Test(json_parse, stops_at_32_levels)
{
    const struct stoa_json *json;
    stoa_str deepest = repeated("[", 32, "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");

    cr_assert_eq(stoa_json_parse(arena, deepest, NULL, &json), STOA_OK);
    refuses(repeated("[", 33, ""), 1, 33, "32 levels");
    refuses(repeated("{\"a\":", 33, ""), 1, 161, "32 levels");
    refuses(repeated("[", 1000000, ""), 1, 33, "32 levels");
}

Test(json_parse, stops_at_20000_values)
{
    const struct stoa_json *json;
    stoa_str most = repeated("[],", 19998, "[]]");
    most = stoa_concat(arena, STOA_STR("["), most);

    cr_assert_eq(stoa_json_parse(arena, most, NULL, &json), STOA_OK);
    cr_assert_eq(stoa_json_count(json), 19999);
    refuses(stoa_concat(arena, STOA_STR("["), repeated("1,", 19999, "7]")), 1, 40000,
            "20000 values");
}

Test(json_parse, stops_at_one_mebibyte)
{
    const struct stoa_json *json;
    stoa_str fits = repeated(" ", (1 << 20) - 1, "1"), over = repeated(" ", 1 << 20, "1");

    cr_assert_eq(stoa_json_parse(arena, fits, NULL, &json), STOA_OK);
    refuses(over, 1, 1, "1 MiB");
}

Test(json_parse, stops_at_names_of_256_bytes)
{
    const struct stoa_json *json;
    stoa_str fits = stoa_concat(arena, STOA_STR("{\""), repeated("n", 256, "\":1}"));

    cr_assert_eq(stoa_json_parse(arena, fits, NULL, &json), STOA_OK);
    refuses(stoa_concat(arena, STOA_STR("{ \""), repeated("n", 257, "\":1}")), 1, 3, "256 bytes");
}

#ifdef STOA_VALGRIND
enum { SLOWER = 40 };
#else
enum { SLOWER = 1 };
#endif

/* 19,999 names took 0.006 s here; quadratically it would be seconds. Time of this process only. */
Test(json_parse, checks_many_names_in_little_time)
{
    struct stoa_buf text;
    const struct stoa_json *json;

    stoa_buf_init(&text, arena, 1 << 19);
    for (int64_t i = 0; i < 19999; i++) {
        stoa_buf_put(&text, i ? STOA_STR(",\"name") : STOA_STR("{\"name"));
        stoa_buf_int(&text, i);
        stoa_buf_put(&text, STOA_STR("\":1"));
    }
    stoa_buf_char(&text, '}');
    clock_t begun = clock();
    cr_assert_eq(stoa_json_parse(arena, stoa_buf_str(&text), NULL, &json), STOA_OK);
    cr_assert_lt(clock() - begun, SLOWER * CLOCKS_PER_SEC / 2);
    cr_assert_eq(stoa_json_count(json), 19999);
}

Test(json_parse, copies_what_it_keeps)
{
    char text[] = "{\"key\":\"value\"}";
    const struct stoa_json *json;

    cr_assert_eq(stoa_json_parse(arena, stoa_str_of(text), NULL, &json), STOA_OK);
    memset(text, '!', sizeof(text));
    cr_assert(stoa_str_is(stoa_json_str(json, "key"), "value"));
}
