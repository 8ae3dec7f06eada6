/* SPDX-License-Identifier: Apache-2.0 */
#include "json_plain.h"
#include "json_private.h"
#include <criterion/criterion.h>
#include <stdio.h>

static struct stoa_arena *arena;
static void start(void)
{
    arena = stoa_arena_create();
}
static void end(void)
{
    stoa_arena_destroy(arena);
}
TestSuite(json_plain, .init = start, .fini = end);

static stoa_str format(const struct stoa_json *json)
{
    struct stoa_buf out;

    stoa_buf_init(&out, arena, 0);
    stoa_json_format(json, &out);
    return stoa_buf_str(&out);
}

Test(json_plain, is_what_the_formatter_writes)
{
    static const char *const texts[] = {
        "[]",
        "{}",
        "[[],{}]",
        "[true,false,null]",
        "[0,7,-1,999999999999999999]",
        "{\"a\":{\"b\":[1,\"two\"]},\"c\":\"\"}",
        "[\"a text of more than sixteen bytes, and then some\"]",
        "[\"\xc3\xa9t\xc3\xa9, \xe2\x82\xac\"]",
        "[[[[[[[1]]]]]]]",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        stoa_str text = stoa_str_of(texts[i]);
        const struct stoa_json *json = NULL;
        cr_expect(json_is_plain(text), "%s", texts[i]);
        cr_expect_eq(stoa_json_parse(arena, text, NULL, &json), STOA_OK);
        cr_expect(stoa_str_eq(format(json), text), "%s", texts[i]);
    }
}

Test(json_plain, is_nothing_that_is_written_otherwise_or_not_at_all)
{
    static const char *const texts[] = {
        "",
        "[",
        "]",
        "[1",
        "[1,]",
        "[,1]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "[1]x",
        "[ 1]",
        "[1 ]",
        " []",
        "1",
        "\"a\"",
        "true",
        "[tru]",
        "[nulL]",
        "[01]",
        "[-0]",
        "[-]",
        "[1.0]",
        "[1e3]",
        "[1000000000000000000]",
        "[+1]",
        "[\"a]",
        "[\"\\n\"]",
        "[\"<\"]",
        "[\"&\"]",
        "[\"\x01\"]",
        "[\"\x7f\"]",
        "[\"\xff\"]",
        "[\"\xc3\"]",
        "[\"\xe2\x80\xa8\"]",
        "{\"a\":1,\"a\":2}",
        "[[[[[[[[[1]]]]]]]]]",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        cr_expect_not(json_is_plain(stoa_str_of(texts[i])), "%s", texts[i]);
    cr_expect_not(json_is_plain((stoa_str){NULL, 0}));
}

/* count members a0 … or elements, each `filler` long. */
static stoa_str object_of(uint32_t count, uint32_t filler)
{
    struct stoa_buf out;

    stoa_buf_init(&out, arena, 0);
    for (uint32_t i = 0; i < count; i++) {
        stoa_buf_put(&out, i ? STOA_STR(",\"a") : STOA_STR("{\"a"));
        stoa_buf_int(&out, i);
        stoa_buf_put(&out, STOA_STR("\":\""));
        for (uint32_t n = 0; n < filler; n++)
            stoa_buf_char(&out, 'x');
        stoa_buf_char(&out, '"');
    }
    stoa_buf_char(&out, '}');
    return stoa_buf_str(&out);
}

Test(json_plain, has_limits)
{
    cr_assert(json_is_plain(object_of(15, 1)));
    cr_assert_not(json_is_plain(object_of(16, 1)));
    cr_assert(json_is_plain(object_of(4, 1000)));
    cr_assert_not(json_is_plain(object_of(5, 1000)));
}

static struct stoa_json *holder(const char *text)
{
    struct stoa_json *object = stoa_json_object(arena);

    stoa_json_set_int(object, "before", 1);
    cr_assert_eq(stoa_json_set_parsed(object, "it", stoa_str_of(text)), STOA_OK);
    stoa_json_set_int(object, "after", 2);
    return object;
}

Test(json_plain, is_passed_on_unread)
{
    struct stoa_json *object = holder("[{\"a\":\"b\"}]");

    cr_assert(stoa_str_is(format(object), "{\"before\":1,\"it\":[{\"a\":\"b\"}],\"after\":2}"));
    cr_assert_eq(stoa_json_type(stoa_json_get(object, "it")), STOA_JSON_ARRAY);
    cr_assert_eq(stoa_json_get(object, "it")->kind, JSON_CLOSED, "nobody has looked inside");
}

Test(json_plain, opens_for_every_reader)
{
    const struct stoa_json *it;

    cr_assert(stoa_str_is(stoa_json_str(holder("[{\"a\":\"b\"}]"), "it.0.a"), "b"));
    cr_assert_eq(stoa_json_count(stoa_json_get(holder("[1,2,3]"), "it")), 3);
    cr_assert_eq(stoa_json_int(stoa_json_at(stoa_json_get(holder("[1,2]"), "it"), 1), "", 0), 2);
    it = stoa_json_get(holder("{\"amount\":5,\"currency\":\"EUR\"}"), "it");
    cr_assert_eq(stoa_json_type(it), STOA_JSON_OBJECT);
    stoa_money money = {0};
    cr_assert_eq(stoa_json_money(it, "", &money), STOA_OK);
    cr_assert_eq(money.minor, 5);
    it = stoa_json_get(holder("{\"x\":null}"), "it");
    cr_assert(stoa_str_is(stoa_json_name(stoa_json_first(it)), "x"));
    cr_assert(stoa_str_is(stoa_json_name(it), "it"), "its own place is as it was");
    cr_assert(stoa_str_is(stoa_json_name(stoa_json_next(it)), "after"));
}

Test(json_plain, is_copied_and_replaced_like_any_other)
{
    struct stoa_arena *other = stoa_arena_create();
    struct stoa_json *object = holder("[1]"), *twin = stoa_json_copy(other, object);

    stoa_json_set_int(object, "it", 9);
    cr_assert(stoa_str_is(format(object), "{\"before\":1,\"it\":9,\"after\":2}"));
    stoa_arena_reset(arena);
    cr_assert(stoa_str_is(format(twin), "{\"before\":1,\"it\":[1],\"after\":2}"));
    stoa_arena_destroy(other);
}
