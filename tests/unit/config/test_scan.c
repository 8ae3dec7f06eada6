/* The token scan: where keys stand in all of Lua's ways to write them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/scan.h"

#include <criterion/criterion.h>

static struct stoa_arena *arena;
static void begin(void)
{
    arena = stoa_arena_create();
}
static void end(void)
{
    stoa_arena_destroy(arena);
}
TestSuite(scan, .init = begin, .fini = end);

static void expect(const char *text, const char *path, uint32_t line, uint32_t column)
{
    const struct scan_place *place =
        scan_find(scan_text(arena, stoa_str_of(text)), stoa_str_of(path));

    cr_expect_eq(place ? place->line : 0, line, "%s in\n%s\nline %u", path, text,
                 place ? place->line : 0);
    cr_expect_eq(place ? place->column : 0, column, "%s in\n%s\ncolumn %u", path, text,
                 place ? place->column : 0);
}

Test(scan, finds_names_brackets_and_list_entries)
{
    static const char text[] =
        "return stoa.config {\n  a = 1; ['b'] = 2,\n  c = { 'x', { d = 3 }, [\"e\"] = 4 } }";

    expect(text, "a", 2, 3);
    expect(text, "b", 2, 10);
    expect(text, "c", 3, 3);
    expect(text, "c.0", 3, 9);
    expect(text, "c.1.d", 3, 16);
    expect(text, "c.e", 3, 25);
}

Test(scan, looks_through_calls)
{
    static const char text[] = "return stoa.config({ sql = stoa.sqlite { file = 'x' }, m = "
                               "stoa.env('A', 'b'), n = f{}{ k = 1 } })";

    expect(text, "sql.file", 1, 42);
    expect(text, "m", 1, 56);
    expect(text, "n.k", 1, 89);
}

Test(scan, is_not_led_astray_by_comments_and_strings)
{
    static const char text[] =
        "-- config { a = 1 }\n--[[ config { a = 2 } ]] --[==[ ]] \n]==]\nlocal s = 'config {'\n"
        "return stoa.config { -- a = 3,\n x = [[\n a = 4, }]], y = \"}\\\"}\", z = [=[]]]=],\na = "
        "5 }";

    expect(text, "a", 8, 1);
    expect(text, "x", 6, 2);
    expect(text, "y", 7, 14);
}

Test(scan, steps_over_functions)
{
    static const char text[] =
        "return stoa.config { f = (function() if x then return { a = 1 }, 2 end end)(),\n a = 2 }";

    expect(text, "a", 2, 2);
}

Test(scan, takes_the_last_of_two_equal_keys)
{
    expect("return stoa.config { a = 1,\na = 2 }", "a", 2, 1);
}

Test(scan, falls_back_on_the_key_above)
{
    expect("return stoa.config {\n a = x }", "a.b.c", 2, 2);
    expect("return stoa.config {\n a = x }", "b", 0, 0);
    expect("return stoa.config(t)", "a", 0, 0);
}

Test(scan, survives_what_is_no_lua)
{
    static const char *const texts[] = {"",
                                        "config",
                                        "config {",
                                        "config { a",
                                        "config { [",
                                        "config { ['a'",
                                        "config { a = {{{{",
                                        "config { '",
                                        "config { [[",
                                        "config { --[[",
                                        "config { a = = }",
                                        "config { }}}}",
                                        "config { ['"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        (void)scan_text(arena, stoa_str_of(texts[i]));
    char deep[4096] = "config ";
    memset(deep + 7, '{', sizeof(deep) - 8);
    (void)scan_text(arena, stoa_str_of(deep));
}
