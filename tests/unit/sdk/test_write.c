/* Text at once is the text that a tree would give. SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stoa/json.h>
#include <stoa/write.h>

static struct stoa_arena *arena;
static struct stoa_writer w;

static void start(void)
{
    arena = stoa_arena_create();
    stoa_write_begin(&w, arena, 0);
}

static void end(void)
{
    stoa_arena_destroy(arena);
}

TestSuite(write, .init = start, .fini = end);

#define WRITTEN(expected)                                                                          \
    do {                                                                                           \
        stoa_str written = stoa_write_finish(&w);                                                  \
        cr_assert(stoa_str_is(written, expected), "%.*s", (int)written.len, written.ptr);          \
    } while (0)

Test(write, puts_commas_between_values_only)
{
    stoa_write_object(&w, STOA_UNNAMED);
    stoa_write_array(&w, STOA_NAME("none"));
    stoa_write_end(&w);
    stoa_write_object(&w, STOA_NAME("empty"));
    stoa_write_end(&w);
    stoa_write_array(&w, STOA_NAME("list"));
    stoa_write_int(&w, STOA_UNNAMED, INT64_MIN);
    stoa_write_object(&w, STOA_UNNAMED);
    stoa_write_bool(&w, STOA_NAME("yes"), true);
    stoa_write_bool(&w, STOA_NAME("no"), false);
    stoa_write_end(&w);
    stoa_write_str(&w, STOA_UNNAMED, STOA_STR("x"));
    stoa_write_end(&w);
    stoa_write_int(&w, STOA_NAME("last"), 0);
    stoa_write_end(&w);
    WRITTEN("{\"none\":[],\"empty\":{},\"list\":[-9223372036854775808,{\"yes\":true,\"no\":false},"
            "\"x\"],"
            "\"last\":0}");
}

Test(write, is_a_single_value_too)
{
    stoa_write_str(&w, STOA_UNNAMED, (stoa_str){NULL, 0});
    WRITTEN("\"\"");
}

Test(write, says_money_as_a_tree_does)
{
    struct stoa_json *tree = stoa_json_object(arena);
    struct stoa_buf text;

    stoa_buf_init(&text, arena, 0);
    stoa_json_set_money(tree, "price", stoa_money_of(1999, "EUR"));
    stoa_json_format(tree, &text);
    stoa_write_object(&w, STOA_UNNAMED);
    stoa_write_money(&w, STOA_NAME("price"), stoa_money_of(1999, "EUR"));
    stoa_write_end(&w);
    cr_assert(stoa_str_eq(stoa_write_finish(&w), stoa_buf_str(&text)));
}

/* Of each length around the steps of sixteen bytes, with each ASCII character somewhere in it. */
Test(write, reads_back_as_it_was)
{
    const struct stoa_json *back;
    char bytes[70];

    for (uint32_t len = 1; len < sizeof bytes; len++)
        for (uint32_t c = 1; c < 0x80; c++) {
            memset(bytes, 'a', len);
            bytes[c * 7 % len] = (char)c;
            stoa_write_begin(&w, arena, 0);
            stoa_write_array(&w, STOA_UNNAMED);
            stoa_write_str(&w, STOA_UNNAMED, (stoa_str){bytes, len});
            stoa_write_end(&w);
            cr_assert_eq(stoa_json_parse(arena, stoa_write_finish(&w), NULL, &back), STOA_OK);
            cr_assert(stoa_str_eq(stoa_json_str(back, "0"), (stoa_str){bytes, len}), "%u of %u", c,
                      len);
        }
}

Test(write, a_long_string_goes_piece_by_piece)
{
    struct stoa_buf text;
    stoa_str s;

    stoa_buf_init(&text, arena, 0);
    for (int i = 0; i < 5000; i++)
        stoa_buf_put(&text, STOA_STR("\xc3\xa4<"));
    s = stoa_buf_str(&text);
    stoa_write_str(&w, STOA_UNNAMED, s);
    cr_assert_eq(stoa_write_finish(&w).len, 2 + 5000 * (2 + 6));
}

Test(write, takes_what_is_json_already)
{
    stoa_write_array(&w, STOA_UNNAMED);
    cr_assert_eq(stoa_write_parsed(&w, STOA_UNNAMED, STOA_STR("{\"a\":[1,\"b\"]}")), STOA_OK);
    cr_assert_eq(stoa_write_parsed(&w, STOA_UNNAMED, STOA_STR(" { \"a\" : \"<\" } ")), STOA_OK);
    cr_assert_eq(stoa_write_parsed(&w, STOA_UNNAMED, STOA_STR("7")), STOA_OK);
    stoa_write_end(&w);
    WRITTEN("[{\"a\":[1,\"b\"]},{\"a\":\"\\u003c\"},7]");
}

Test(write, writes_nothing_of_what_is_no_json)
{
    stoa_write_object(&w, STOA_UNNAMED);
    stoa_write_int(&w, STOA_NAME("a"), 1);
    cr_assert_eq(stoa_write_parsed(&w, STOA_NAME("b"), STOA_STR("{\"c\":")), STOA_E_BAD_REQUEST);
    cr_assert_eq(stoa_write_parsed(&w, STOA_NAME("b"), STOA_STR("")), STOA_E_BAD_REQUEST);
    stoa_write_int(&w, STOA_NAME("d"), 2);
    stoa_write_end(&w);
    WRITTEN("{\"a\":1,\"d\":2}");
}

Test(write, wants_a_name_in_an_object, .signal = SIGABRT)
{
    stoa_write_object(&w, STOA_UNNAMED);
    stoa_write_int(&w, STOA_UNNAMED, 1);
}

Test(write, wants_no_name_in_an_array, .signal = SIGABRT)
{
    stoa_write_array(&w, STOA_UNNAMED);
    stoa_write_int(&w, STOA_NAME("a"), 1);
}

Test(write, is_one_value, .signal = SIGABRT)
{
    stoa_write_int(&w, STOA_UNNAMED, 1);
    stoa_write_int(&w, STOA_UNNAMED, 2);
}

Test(write, wants_all_to_be_ended, .signal = SIGABRT)
{
    stoa_write_object(&w, STOA_UNNAMED);
    STOA_IGNORE(stoa_write_finish(&w).len ? STOA_OK : STOA_E_INTERNAL);
}

Test(write, has_a_limit_of_depth, .signal = SIGABRT)
{
    for (int i = 0; i <= STOA_WRITE_DEPTH_MAX; i++)
        stoa_write_array(&w, STOA_UNNAMED);
}
