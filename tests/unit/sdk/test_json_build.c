/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
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
TestSuite(json_build, .init = start, .fini = end);

static bool reads(const struct stoa_json *json, const char *expected)
{
    struct stoa_buf out;

    stoa_buf_init(&out, arena, 0);
    stoa_json_format(json, &out);
    return stoa_str_is(stoa_buf_str(&out), expected);
}

Test(json_build, builds_what_it_is_told)
{
    struct stoa_json *object = stoa_json_object(arena), *array = stoa_json_array(arena);
    char name[] = "name", text[] = "text";

    cr_assert_eq(stoa_json_set(object, "list", array), array);
    stoa_json_push(array, stoa_json_new_null(arena));
    stoa_json_push(array, stoa_json_new_bool(arena, true));
    stoa_json_push(array, stoa_json_new_real(arena, 0.5));
    stoa_json_set_str(object, name, stoa_str_of(text));
    stoa_json_set_int(object, "n", -3);
    stoa_json_set_bool(object, "b", false);
    stoa_json_set_money(object, "m", stoa_money_of(1, "JPY"));
    memset(name, 'x', sizeof(name));
    memset(text, 'x', sizeof(text));
    cr_assert(reads(object, "{\"list\":[null,true,0.5],\"name\":\"text\",\"n\":-3,\"b\":false,"
                            "\"m\":{\"amount\":1,\"currency\":\"JPY\"}}"));
}

Test(json_build, replaces_a_name_in_its_place)
{
    for (uint32_t size = 1; size < 40; size++)
        for (uint32_t at = 0; at < size; at++) {
            struct stoa_json *object = stoa_json_object(arena);
            for (uint32_t i = 0; i < size; i++)
                stoa_json_set_int(object, stoa_str_from_int(arena, i).ptr, i);
            stoa_json_set_str(object, stoa_str_from_int(arena, at).ptr, STOA_STR("new"));
            stoa_json_set_int(object, "last", 1);
            cr_assert_eq(stoa_json_count(object), size + 1);
            cr_assert(stoa_str_is(stoa_json_str(stoa_json_at(object, at), ""), "new"));
            const struct stoa_json *e = stoa_json_first(object);
            for (uint32_t i = 0; i < size; i++, e = stoa_json_next(e))
                cr_assert_eq(stoa_json_int(e, "", -1), i == at ? -1 : (int64_t)i);
            cr_assert(stoa_str_is(stoa_json_name(e), "last"));
            cr_assert_null(stoa_json_next(e));
            stoa_arena_reset(arena);
        }
}

Test(json_build, frees_the_replaced_node_for_another_parent)
{
    struct stoa_json *object = stoa_json_object(arena), *array = stoa_json_array(arena);
    struct stoa_json *one = stoa_json_set(object, "a", stoa_json_new_int(arena, 1));

    stoa_json_set_int(object, "a", 2);
    stoa_json_push(array, one);
    cr_assert(reads(array, "[1]"));
    cr_assert(reads(object, "{\"a\":2}"));
}

Test(json_build, copies_deeply)
{
    const struct stoa_json *json;
    const char *text = "{\"a\":[1,\"two\",{\"b\":null}],\"c\":2.5,\"d\":true}";
    struct stoa_arena *other = stoa_arena_create();

    cr_assert_eq(stoa_json_parse(other, stoa_str_of(text), NULL, &json), STOA_OK);
    struct stoa_json *twin = stoa_json_copy(arena, json);
    stoa_arena_destroy(other);
    cr_assert(reads(twin, text));
    stoa_json_push(stoa_json_array(arena), twin);
    cr_assert(reads(stoa_json_copy(arena, NULL), "null"));
}

Test(json_build, sets_what_a_text_says)
{
    struct stoa_json *object = stoa_json_object(arena);

    cr_assert_eq(stoa_json_set_parsed(object, "a", STOA_STR("[1,{\"b\":null}]")), STOA_OK);
    cr_assert_eq(stoa_json_set_parsed(object, "c", STOA_STR("[1,")), STOA_E_BAD_REQUEST);
    cr_assert_eq(stoa_json_set_parsed(object, "a", STOA_STR("{\"a\":1,}")), STOA_E_BAD_REQUEST);
    cr_assert(reads(object, "{\"a\":[1,{\"b\":null}]}"));
}

Test(json_build, refuses_a_second_parent, .signal = SIGABRT)
{
    struct stoa_json *array = stoa_json_array(arena), *one = stoa_json_new_int(arena, 1);
    stoa_json_push(array, one);
    stoa_json_push(array, one);
}

Test(json_build, refuses_members_in_an_array, .signal = SIGABRT)
{
    stoa_json_set_int(stoa_json_array(arena), "a", 1);
}

Test(json_build, refuses_what_is_no_number, .signal = SIGABRT)
{
    stoa_json_new_real(arena, NAN);
}

Test(json_build, refuses_to_write_trees_deeper_than_a_fiber_bears, .signal = SIGABRT)
{
    struct stoa_json *top = stoa_json_array(arena), *at = top;
    for (uint32_t i = 0; i < 100; i++)
        at = stoa_json_push(at, stoa_json_array(arena));
    reads(top, "");
}
