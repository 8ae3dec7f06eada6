/* Reading trees. SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
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
TestSuite(json, .init = start, .fini = end);

static const struct stoa_json *tree(const char *text)
{
    const struct stoa_json *json = NULL;

    cr_assert_eq(stoa_json_parse(arena, stoa_str_of(text), NULL, &json), STOA_OK, "%s", text);
    return json;
}

Test(json, takes_null_for_not_there_everywhere)
{
    stoa_money m = stoa_money_of(1, "EUR");

    cr_assert_eq(stoa_json_type(NULL), STOA_JSON_NONE);
    cr_assert_null(stoa_json_get(NULL, "a.b"));
    cr_assert_null(stoa_json_get(NULL, ""));
    cr_assert_null(stoa_json_member(NULL, STOA_STR("a")));
    cr_assert_eq(stoa_json_str(NULL, "").len, 0);
    cr_assert_eq(stoa_json_int(NULL, "a", 5), 5);
    cr_assert(stoa_json_real(NULL, "a", 0.5) == 0.5);
    cr_assert_not(stoa_json_true(NULL, "a"));
    cr_assert_eq(stoa_json_money(NULL, "", &m), STOA_E_INVALID);
    cr_assert_eq(stoa_json_count(NULL), 0);
    cr_assert_null(stoa_json_at(NULL, 0));
    cr_assert_null(stoa_json_first(NULL));
    cr_assert_null(stoa_json_next(NULL));
    cr_assert_eq(stoa_json_name(NULL).len, 0);
    cr_assert_eq(stoa_json_name_at(NULL, 0).len, 0);
}

Test(json, goes_down_paths)
{
    const struct stoa_json *json =
        tree("{\"a\":{\"b\":[10,{\"c\":\"deep\"}],\"x.y\":1},\"\":2,\"n\":null}");

    cr_assert(stoa_str_is(stoa_json_str(json, "a.b.1.c"), "deep"));
    cr_assert_eq(stoa_json_int(json, "a.b.0", -1), 10);
    cr_assert_eq(stoa_json_get(json, ""), json);
    static const char *const nowhere[] = {"a.b.2", "a.b.-1", "a.b.x", "a.b.00x", "b",  "a.b.0.c",
                                          "a.x.y", "a.",     ".a",    "a..b",    "n.a"};
    for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++)
        cr_assert_null(stoa_json_get(json, nowhere[i]), "%s", nowhere[i]);
    cr_assert_eq(stoa_json_type(stoa_json_get(json, "n")), STOA_JSON_NULL);
    cr_assert_eq(stoa_json_int(stoa_json_member(stoa_json_get(json, "a"), STOA_STR("x.y")), "", 0),
                 1);
    cr_assert_eq(stoa_json_int(stoa_json_member(json, STOA_STR("")), "", 0), 2);
}

Test(json, never_turns_one_kind_into_another)
{
    const struct stoa_json *json = tree("{\"s\":\"1\",\"i\":1,\"r\":1.5,\"t\":true,\"f\":false}");

    cr_assert_eq(stoa_json_int(json, "s", -1), -1);
    cr_assert_eq(stoa_json_int(json, "r", -1), -1);
    cr_assert_eq(stoa_json_int(json, "t", -1), -1);
    cr_assert_eq(stoa_json_str(json, "i").len, 0);
    cr_assert(stoa_json_true(json, "t"));
    cr_assert_not(stoa_json_true(json, "f"));
    cr_assert_not(stoa_json_true(json, "i"));
    cr_assert(stoa_json_real(json, "i", 0) == 1.0, "a whole number is a real one too");
}

Test(json, reads_money_and_nothing_like_it)
{
    stoa_money m = stoa_money_of(7, "USD");
    const struct stoa_json *json = tree("{\"p\":{\"amount\":1999,\"currency\":\"EUR\"}}");
    static const char *const wrong[] = {"1999",
                                        "{\"amount\":1999}",
                                        "{\"amount\":\"1999\",\"currency\":\"EUR\"}",
                                        "{\"amount\":19.99,\"currency\":\"EUR\"}",
                                        "{\"amount\":1e3,\"currency\":\"EUR\"}",
                                        "{\"amount\":9223372036854775808,\"currency\":\"EUR\"}",
                                        "{\"amount\":1,\"currency\":\"eur\"}",
                                        "{\"amount\":1,\"currency\":\"EURO\"}",
                                        "{\"amount\":1,\"currency\":\"QQQ\"}",
                                        "{\"amount\":1,\"currency\":978}",
                                        "[1,\"EUR\"]"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_assert_eq(stoa_json_money(tree(wrong[i]), "", &m), STOA_E_INVALID, "%s", wrong[i]);
    cr_assert(stoa_money_eq(m, stoa_money_of(7, "USD")));
    cr_assert_eq(stoa_json_money(json, "p", &m), STOA_OK);
    cr_assert(stoa_money_eq(m, stoa_money_of(1999, "EUR")));
}

/* Sizes around the one from which on there is an index. */
Test(json, finds_by_position_and_name_in_containers_of_any_size)
{
    for (uint32_t size = 0; size < 100; size++) {
        struct stoa_buf text;
        stoa_buf_init(&text, arena, 0);
        for (uint32_t i = 0; i < size; i++) {
            stoa_buf_put(&text, i ? STOA_STR(",\"k") : STOA_STR("{\"k"));
            stoa_buf_int(&text, i * 7);
            stoa_buf_put(&text, STOA_STR("\":"));
            stoa_buf_int(&text, i);
        }
        stoa_buf_put(&text, size ? STOA_STR("}") : STOA_STR("{}"));
        const struct stoa_json *json = tree(stoa_cstr(arena, stoa_buf_str(&text))), *walk;
        walk = stoa_json_first(json);
        cr_assert_eq(stoa_json_count(json), size);
        for (uint32_t i = 0; i < size; i++, walk = stoa_json_next(walk)) {
            stoa_str name =
                stoa_concat(arena, STOA_STR("k"), stoa_str_from_int(arena, (int64_t)i * 7));
            cr_assert_eq(stoa_json_at(json, i), walk);
            cr_assert_eq(stoa_json_member(json, name), walk);
            cr_assert(stoa_str_eq(stoa_json_name_at(json, i), name));
            cr_assert_eq(stoa_json_int(walk, "", -1), i);
        }
        cr_assert_null(walk);
        cr_assert_null(stoa_json_at(json, size));
        cr_assert_null(stoa_json_member(json, STOA_STR("k1")));
    }
}
