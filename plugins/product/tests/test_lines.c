/* Lines of orders, slugs, search words. SPDX-License-Identifier: Apache-2.0 */
#include "../product.h"
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

TestSuite(lines, .init = begin, .fini = end);
TestSuite(text, .init = begin, .fini = end);

static const char *parse(const char *text, struct catalogue_lines *ret)
{
    const struct stoa_json *body = NULL;

    cr_assert_eq(stoa_json_parse(arena, stoa_str_of(text), NULL, &body), STOA_OK);
    return lines_parse(arena, body, ret);
}

Test(lines, are_sorted_by_sku_and_the_same_sku_is_added_up)
{
    struct catalogue_lines l;

    cr_assert_null(
        parse("{\"lines\":[{\"sku\":\"B\",\"quantity\":1},{\"sku\":\"A\",\"quantity\":2},"
              "{\"sku\":\"B\",\"quantity\":3},{\"sku\":\"AB\",\"quantity\":1}]}",
              &l));
    cr_assert_eq(l.count, 3);
    cr_assert(stoa_str_is(l.ptr[0].sku, "A") && l.ptr[0].quantity == 2);
    cr_assert(stoa_str_is(l.ptr[1].sku, "AB") && l.ptr[1].quantity == 1);
    cr_assert(stoa_str_is(l.ptr[2].sku, "B") && l.ptr[2].quantity == 4);
}

Test(lines, refuse_what_is_no_order)
{
    static const char *const bad[] = {
        "{}",
        "{\"lines\":[]}",
        "{\"lines\":{}}",
        "{\"lines\":[1]}",
        "{\"lines\":[{\"sku\":\"\",\"quantity\":1}]}",
        "{\"lines\":[{\"sku\":\"A\"}]}",
        "{\"lines\":[{\"sku\":\"A\",\"quantity\":0}]}",
        "{\"lines\":[{\"sku\":\"A\",\"quantity\":-1}]}",
        "{\"lines\":[{\"sku\":\"A\",\"quantity\":1.5}]}",
        "{\"lines\":[{\"sku\":\"A\",\"quantity\":\"1\"}]}",
        "{\"lines\":[{\"sku\":\"A\",\"quantity\":10000}]}",
    };
    struct catalogue_lines l;

    for (uint32_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_not_null(parse(bad[i], &l), "%s", bad[i]);
}

Test(lines, take_a_hundred_and_no_more)
{
    struct stoa_buf buf;
    struct catalogue_lines l;

    for (int count = 100; count <= 101; count++) {
        stoa_buf_init(&buf, arena, 8192);
        stoa_buf_put(&buf, STOA_STR("{\"lines\":["));
        for (int i = 0; i < count; i++) {
            stoa_buf_put(&buf, i ? STOA_STR(",{\"sku\":\"S") : STOA_STR("{\"sku\":\"S"));
            stoa_buf_int(&buf, i);
            stoa_buf_put(&buf, STOA_STR("\",\"quantity\":1}"));
        }
        stoa_buf_put(&buf, STOA_STR("]}"));
        stoa_buf_char(&buf, '\0');
        cr_assert_eq(parse(buf.ptr, &l) == NULL, count == 100);
    }
}

Test(text, slugs_are_what_may_stand_in_an_address)
{
    cr_assert(slug_is(STOA_STR("aegina-mug")));
    cr_assert(slug_is(STOA_STR("a")));
    cr_assert(slug_is(STOA_STR("2-cups")));
    cr_assert_not(slug_is(STOA_STR("")));
    cr_assert_not(slug_is(STOA_STR("-a")));
    cr_assert_not(slug_is(STOA_STR("a-")));
    cr_assert_not(slug_is(STOA_STR("a--b")));
    cr_assert_not(slug_is(STOA_STR("A")));
    cr_assert_not(slug_is(STOA_STR("a/b")));
    cr_assert_not(slug_is(STOA_STR("a b")));
    cr_assert_not(slug_is(STOA_STR("caf\xc3\xa9")));
}

Test(text, a_pattern_finds_its_word_and_nothing_wilder)
{
    cr_assert(stoa_str_is(pattern_of(arena, STOA_STR("Wool")), "%wool%"));
    cr_assert(stoa_str_is(pattern_of(arena, STOA_STR("100%_!")), "%100!%!_!!%"));
    cr_assert(stoa_str_is(pattern_of(arena, STOA_STR("")), "%%"));
    cr_assert(stoa_str_is(pattern_of(arena, STOA_STR("\xc3\x89T\xc3\x89")), "%\xc3\x89t\xc3\x89%"));
}
