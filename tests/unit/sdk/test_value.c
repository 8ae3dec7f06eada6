/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stoa/value.h>

static struct stoa_arena *arena;
static void start(void)
{
    arena = stoa_arena_create();
}
static void end(void)
{
    stoa_arena_destroy(arena);
}
TestSuite(value, .init = start, .fini = end);

Test(value, fields_become_an_object)
{
    struct stoa_buf out;
    struct stoa_json *tree = stoa_json_array(arena);
    stoa_json_push(tree, stoa_json_new_int(arena, 1));
    struct stoa_json *parent = stoa_json_object(arena);
    stoa_json_set(parent, "tree", tree);

    struct stoa_json *json =
        stoa_json_fields(arena, STOA_FIELDS(stoa_f("n", stoa_null()), stoa_f("b", stoa_b(true)),
                                            stoa_f("i", stoa_i(-5)), stoa_f("s", stoa_z("x")),
                                            stoa_f("m", stoa_m(stoa_money_of(450, "EUR"))),
                                            stoa_f("j", stoa_j(tree)), stoa_f("none", stoa_j(NULL)),
                                            stoa_f("i", stoa_i(6))));
    stoa_buf_init(&out, arena, 0);
    stoa_json_format(json, &out);
    cr_assert(stoa_str_is(stoa_buf_str(&out),
                          "{\"n\":null,\"b\":true,\"i\":6,\"s\":\"x\",\"m\":{\"amount\":450,"
                          "\"currency\":\"EUR\"},\"j\":[1],\"none\":null}"));
}

Test(value, no_fields_become_an_empty_object)
{
    cr_assert_eq(stoa_json_type(stoa_json_fields(arena, STOA_NO_FIELDS)), STOA_JSON_OBJECT);
    cr_assert_eq(stoa_json_count(stoa_json_fields(arena, STOA_NO_FIELDS)), 0);
}
