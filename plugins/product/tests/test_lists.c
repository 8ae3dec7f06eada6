/* Each list is found in the order in which it is shown. SPDX-License-Identifier: Apache-2.0 */

#include "testing.h"
#include <criterion/criterion.h>
#include <stdio.h>

extern const struct stoa_plugin_v1 stoa_plugin;

static void run_file(const char *path)
{
    static char text[16384];
    FILE *file = fopen(path, "re");

    cr_assert(file, "%s", path);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    t_script(text);
}

static void make_products(void)
{
    char text[2048];

    run_file(TEST_MIGRATIONS "/0001_catalogue.sql");
    run_file(TEST_MIGRATIONS "/0002_lists.sql");
    t_script("insert into product_category values ('cat_0', 'cups', 'Cups', '', 0),"
             " ('cat_1', 'bowls', 'Bowls', '', 1)");
    for (int i = 0; i < 6; i++) {
        snprintf(text, sizeof text,
                 "insert into product_item values ('prd_%026d', 's%d', 'cat_%d', 'n%d', '', '', '',"
                 " 'standard', '{}', 'text', 'active', %d, 1, %d, 1);"
                 "insert into product_variant values ('K%d', 'prd_%026d', '', %d, 'EUR', 0);"
                 "insert into product_stock values ('K%d', 'prd_%026d', 5, 0, 5, 0, 0, 0)",
                 i, i, i % 2, (i * 7) % 5, 100 + (i * 5) % 7, i / 2, i, i, 100 + (i * 5) % 7, i, i);
        t_script(text);
    }
}

/* All pages of two, one after the other: every product once, in order. */
static int walk(const char *sort, const char *category)
{
    char path[200], cursor[64] = "", ids[16][64];
    int count = 0;

    do {
        const struct stoa_json *page;
        snprintf(path, sizeof path, "/api/v1/products?limit=2&sort=%s%s%s%s%s", sort,
                 *category ? "&category=" : "", category, *cursor ? "&cursor=" : "", cursor);
        cr_assert_eq(t_get(path), 200, "%s", path);
        page = t_answer()->json;
        for (const struct stoa_json *p = stoa_json_first(stoa_json_get(page, "items")); p;
             p = stoa_json_next(p)) {
            stoa_str id = stoa_json_str(p, "id");
            snprintf(ids[count++], 64, "%.*s", (int)id.len, id.ptr);
            for (int i = 0; i < count - 1; i++)
                cr_assert_str_neq(ids[i], ids[count - 1], "%s", path);
        }
        stoa_str next = stoa_json_str(page, "next_cursor");
        snprintf(cursor, sizeof cursor, "%.*s", (int)next.len, next.ptr ? next.ptr : "");
    } while (*cursor && count < 8);
    return count;
}

static void expect_count(const char *more, uint32_t count)
{
    static const char *const sorts[] = {"newest", "name", "price", "-price"};
    char path[200];

    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "/api/v1/products?sort=%s%s", sorts[i], more);
        cr_assert_eq(t_get(path), 200, "%s", path);
        cr_expect_eq(stoa_json_count(stoa_json_get(t_answer()->json, "items")), count, "%s", path);
    }
}

static void expect_filters(void)
{
    expect_count("&min_price=103&max_price=105", 3);
    expect_count("&min_price=103&category=bowls", 2);
    expect_count("&q=text", 6);
    expect_count("&q=nothing", 0);
    expect_count("&category=plates", 0);
    t_script("update product_stock set available = 0, sold = 5 where sku = 'K0'");
    expect_count("&in_stock=true", 5);
    expect_count("&cursor=prd_00000000000000000000000099", 0);
}

static const struct {
    const char *sort, *name, *index;
} lists[] = {{"newest", "product.list_newest", "age"},
             {"name", "product.list_by_name", "name"},
             {"price", "product.list_by_price", "price"},
             {"-price", "product.list_by_price_down", "price"}};

static void expect_plan(const struct stoa_json *plans, const char *name, const char *ending,
                        const char *index)
{
    char wanted[80], whole[80];
    int found = 0;

    snprintf(whole, sizeof whole, "%s%s", name, ending);
    snprintf(wanted, sizeof wanted, "SEARCH p USING INDEX product_item_by_%s%s (",
             strstr(ending, "_in") ? "category_" : "", index);
    for (const struct stoa_json *p = stoa_json_first(plans); p; p = stoa_json_next(p)) {
        stoa_str plan = stoa_json_str(p, "plan");
        if (!stoa_str_is(stoa_json_str(p, "name"), whole))
            continue;
        found++;
        cr_expect(memmem(plan.ptr, plan.len, wanted, strlen(wanted)), "%s: %.*s", whole,
                  (int)plan.len, plan.ptr);
    }
    cr_expect_eq(found, 1, "%s", whole);
}

static void walk_all(void)
{
    static const char *const endings[] = {"", "_after", "_in", "_in_after"};
    struct stoa_json *plans;

    make_products();
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        cr_expect_eq(walk(lists[i].sort, ""), 6);
        cr_expect_eq(walk(lists[i].sort, "bowls"), 3);
    }
    expect_filters();
    cr_assert_eq(sql_explain_all(t_sql(), t_arena(), &plans), STOA_OK);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (size_t k = 0; k < sizeof endings / sizeof *endings; k++)
            expect_plan(plans, lists[i].name, endings[k], lists[i].index);
}

Test(lists, are_walked_by_the_index_of_their_order)
{
    static const struct t_plugin plugins[] = {{"product", &stoa_plugin, NULL}};

    t_run(&(struct t_shop){.plugins = plugins, .plugin_count = 1}, walk_all);
}
