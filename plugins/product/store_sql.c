/* store_sql.c: the catalogue in sql: what is read. Stock is in store_sql_stock.c, what the staff
 * writes in store_sql_edit.c. SPDX-License-Identifier: Apache-2.0 */
#include "store_sql.h"

enum { PRODUCT_BYTES = 1500 }; /* of its JSON, mostly */

/* One row per variant; the product's own columns repeat. In the order in which they are read:
 * the next column is the one that is found at once. */
#define GET_SELECT                                                                                 \
    "select v.currency, v.price, s.available, p.id, p.slug, p.name, p.summary, p.description, "    \
    "p.image, p.tax_class, c.slug as category_slug, c.name as category_name, v.sku, "              \
    "v.name as variant_name, p.details, p.version from product_item p "                            \
    "join product_category c on c.id = p.category_id "                                             \
    "join product_variant v on v.product_id = p.id join product_stock s on s.sku = v.sku "
#define GET_ORDER " and p.state = 'active' order by v.place, v.sku"

static const struct stoa_stmt get_by_id = {"product.by_id", GET_SELECT "where p.id = $1" GET_ORDER,
                                           NULL, STOA_SQL_READ, 0};
static const struct stoa_stmt get_by_slug = {
    "product.by_slug", GET_SELECT "where p.slug = $1" GET_ORDER, NULL, STOA_SQL_READ, 0};

/* A page of the list. One statement for each way to ask, as a database keeps one plan for a
 * statement, whatever is asked: what is optional in it would rule out the index that finds the page
 * in its order. The page's ids come first, so that the rest is read of these rows only.
 *
 * Two hints, for planners who do not know the values: a condition within CASE is no reason to walk
 * another index, nor taken to leave next to nothing; and "limit 101", the longest page and the row
 * that tells of a next one, says that few rows are wanted.
 *
 * The cursor is the last product's id: its sort value is looked up, so that nothing a client sends
 * is trusted to be one. */
#define LIST_COLUMNS                                                                               \
    "select p.id, p.slug, p.name, p.summary, p.image, p.price_from, c.slug as category_slug, "     \
    "c.name as category_name, (select v.currency from product_variant v "                          \
    "where v.product_id = p.id order by v.place, v.sku limit 1) as currency, "                     \
    "(select v.sku from product_variant v where v.product_id = p.id order by v.place, v.sku "      \
    "limit 1) as sku, (select count(*) from product_variant v where v.product_id = p.id) "         \
    "as variants, (select coalesce(sum(s.available), 0) from product_stock s "                     \
    "where s.product_id = p.id) as available "
#define LIST_WORDS                                                                                 \
    "p.search like $1 escape '!' and p.search like $2 escape '!' and p.search like $3 escape '!'"
#define LIST_PRICE " and p.price_from >= $4 and p.price_from <= $5 "
#define LIST_IF(condition) "and case when " condition " then true else false end "
#define LIST_BY_ORDER LIST_IF(LIST_WORDS LIST_PRICE)
#define LIST_BY_PRICE LIST_IF(LIST_WORDS) LIST_PRICE
#define LIST_IN "and p.category_id = (select k.id from product_category k where k.slug = $8) "
#define LIST_AFTER(column, than, id)                                                               \
    "and (p." column ", p.id) " than " ((select l." column " from product_item l where l.id = " id \
    "), " id ") "
#define LIST_ORDER(of, column, down) "order by " of "." column down ", " of ".id" down " "
#define LIST(fits, column, down, more)                                                             \
    LIST_COLUMNS                                                                                   \
    "from (select w.id from (select p.id, p." column " from product_item p "                       \
    "where p.state = 'active' " fits                                                               \
    "and (cast($6 as bigint) = 0 or exists (select 1 from product_stock s "                        \
    "where s.product_id = p.id and s.available > 0)) " more                                        \
        LIST_ORDER("p", column, down) "limit 101) w " LIST_ORDER(                                  \
            "w", column,                                                                           \
            down) "limit $7) page join product_item p on p.id = page.id "                          \
                  "join product_category c on c.id = p.category_id " LIST_ORDER("p", column, down)
static_assert(CATALOGUE_PAGE_MAX == 100, "LIST has limit 101");

enum { LIST_FROM_START, LIST_FROM_CURSOR, LIST_STARTS };
enum { LIST_OF_ALL, LIST_OF_CATEGORY, LIST_WHOLES };
/* $8: the category, when there is one; the cursor, when there is one, comes last. With both, the
 * cursor alone says where in the prices to begin, or SQLite goes past the category's index. */
#define LIST_WAYS(name, fits, column, than, down)                                                  \
    {                                                                                              \
        [LIST_OF_ALL] = {[LIST_FROM_START] = {name, LIST(fits, column, down, ""), NULL,            \
                                              STOA_SQL_READ, 0},                                   \
                         [LIST_FROM_CURSOR] = {name "_after",                                      \
                                               LIST(fits, column, down,                            \
                                                    LIST_AFTER(column, than, "$8")),               \
                                               NULL, STOA_SQL_READ, 0}},                           \
        [LIST_OF_CATEGORY] = {[LIST_FROM_START] = {name "_in", LIST(fits, column, down, LIST_IN),  \
                                                   NULL, STOA_SQL_READ, 0},                        \
                              [LIST_FROM_CURSOR] = {name "_in_after",                              \
                                                    LIST(LIST_BY_ORDER, column, down,              \
                                                         LIST_IN LIST_AFTER(column, than, "$9")),  \
                                                    NULL, STOA_SQL_READ, 0}},                      \
    }
#define LIST_UP(name, fits, column) LIST_WAYS(name, fits, column, ">", "")
#define LIST_DOWN(name, fits, column) LIST_WAYS(name, fits, column, "<", " desc")

static const struct stoa_stmt list_sorted[CATALOGUE_SORTS][LIST_WHOLES][LIST_STARTS] = {
    [CATALOGUE_NEWEST] = LIST_DOWN("product.list_newest", LIST_BY_ORDER, "created_at"),
    [CATALOGUE_BY_NAME] = LIST_UP("product.list_by_name", LIST_BY_ORDER, "name"),
    [CATALOGUE_BY_PRICE] = LIST_UP("product.list_by_price", LIST_BY_PRICE, "price_from"),
    [CATALOGUE_BY_PRICE_DOWN] =
        LIST_DOWN("product.list_by_price_down", LIST_BY_PRICE, "price_from"),
};

static const struct stoa_stmt list_categories = {
    "product.categories",
    "select c.id, c.slug, c.name, c.description, (select count(*) from product_item p "
    "where p.category_id = c.id and p.state = 'active') as products "
    "from product_category c order by c.place, c.slug limit 200",
    NULL, STOA_SQL_READ, 0};

#define QUOTE_SELECT                                                                               \
    "select v.sku, v.product_id, p.slug, p.name, p.image, p.tax_class, v.name as variant_name, "   \
    "v.price, v.currency, s.available from product_variant v "                                     \
    "join product_item p on p.id = v.product_id join product_stock s on s.sku = v.sku "            \
    "where p.state = 'active' and v.sku in "
static const struct stoa_stmt quote_lines = {
    "product.quote", QUOTE_SELECT "(select w.value from json_each($1) w)",
    QUOTE_SELECT "(select w.value from json_array_elements_text($1::json) as w(value))",
    STOA_SQL_READ, 0};

stoa_money row_money(const struct stoa_rows *rows, uint32_t row, const char *column)
{
    char cur[4] = "EUR";
    stoa_str currency = stoa_rows_str(rows, row, "currency");

    if (currency.len == 3)
        memcpy(cur, currency.ptr, 3);
    return stoa_money_of(stoa_rows_int(rows, row, column), cur);
}

stoa_err sql_finish(struct stoa_tx *tx, stoa_err err)
{
    if (err == STOA_OK)
        return stoa_tx_commit(tx);
    stoa_tx_rollback(tx);
    return err;
}

static void set_category(struct stoa_json *into, struct stoa_arena *arena,
                         const struct stoa_rows *rows, uint32_t row)
{
    struct stoa_json *category = stoa_json_object(arena);

    stoa_json_set_str(category, "slug", stoa_rows_str(rows, row, "category_slug"));
    stoa_json_set_str(category, "name", stoa_rows_str(rows, row, "category_name"));
    stoa_json_set(into, "category", category);
}

static void set_text(struct stoa_json *into, const struct stoa_rows *rows, uint32_t row,
                     const char *column)
{
    stoa_json_set_column(into, rows, row, column);
}

/* Pieces of all variants. *lowest is the price to show for the whole. */
static int64_t sum_up(const struct stoa_rows *rows, stoa_money *lowest)
{
    int64_t available = 0;

    for (uint32_t i = 0; i < stoa_rows_count(rows); i++) {
        stoa_money price = row_money(rows, i, "price");

        available += stoa_rows_int(rows, i, "available");
        if (i == 0 || price.minor < lowest->minor)
            *lowest = price;
    }
    return available;
}

#define WRITE_TEXT(w, rows, row, column)                                                           \
    stoa_write_str(w, STOA_NAME(column), stoa_rows_str(rows, row, column))

static void write_category(struct stoa_writer *w, const struct stoa_rows *rows)
{
    stoa_write_object(w, STOA_NAME("category"));
    stoa_write_str(w, STOA_NAME("slug"), stoa_rows_str(rows, 0, "category_slug"));
    stoa_write_str(w, STOA_NAME("name"), stoa_rows_str(rows, 0, "category_name"));
    stoa_write_end(w);
}

static void write_variants(struct stoa_writer *w, const struct stoa_rows *rows)
{
    stoa_write_array(w, STOA_NAME("variants"));
    for (uint32_t i = 0; i < stoa_rows_count(rows); i++) {
        stoa_write_object(w, STOA_UNNAMED);
        WRITE_TEXT(w, rows, i, "sku");
        stoa_write_str(w, STOA_NAME("name"), stoa_rows_str(rows, i, "variant_name"));
        stoa_write_money(w, STOA_NAME("price"), row_money(rows, i, "price"));
        stoa_write_int(w, STOA_NAME("available"), stoa_rows_int(rows, i, "available"));
        stoa_write_end(w);
    }
    stoa_write_end(w);
}

static void write_product(struct stoa_req *req, struct stoa_writer *w, const struct stoa_rows *rows)
{
    stoa_money lowest = {0};
    int64_t available = sum_up(rows, &lowest);

    stoa_write_object(w, STOA_UNNAMED);
    WRITE_TEXT(w, rows, 0, "id");
    WRITE_TEXT(w, rows, 0, "slug");
    WRITE_TEXT(w, rows, 0, "name");
    WRITE_TEXT(w, rows, 0, "summary");
    WRITE_TEXT(w, rows, 0, "description");
    WRITE_TEXT(w, rows, 0, "image");
    WRITE_TEXT(w, rows, 0, "tax_class");
    write_category(w, rows);
    WRITE_TEXT(w, rows, 0, "sku");
    stoa_write_money(w, STOA_NAME("price"), lowest);
    stoa_write_int(w, STOA_NAME("available"), available);
    stoa_write_bool(w, STOA_NAME("in_stock"), available > 0);
    write_variants(w, rows);
    if (stoa_write_parsed(w, STOA_NAME("details"), stoa_rows_str(rows, 0, "details")) != STOA_OK)
        stoa_log(req, STOA_WARN, "the details of a product are not JSON",
                 STOA_FIELDS(stoa_f("product", stoa_s(stoa_rows_str(rows, 0, "id")))));
    stoa_write_int(w, STOA_NAME("version"), stoa_rows_int(rows, 0, "version"));
    stoa_write_end(w);
}

static stoa_err sql_get(struct stoa_req *req, stoa_str id_or_slug, struct catalogue_product *ret)
{
    const struct stoa_stmt *stmt = stoa_id_is(id_or_slug, "prd") ? &get_by_id : &get_by_slug;
    const struct stoa_rows *rows;
    struct stoa_writer w;

    STOA_TRY(stoa_sql(req, stmt, STOA_ARGS(stoa_s(id_or_slug)), &rows));
    if (stoa_rows_count(rows) == 0)
        return STOA_E_NOT_FOUND;
    stoa_write_begin(&w, stoa_req_arena(req), PRODUCT_BYTES);
    write_product(req, &w, rows);
    *ret = (struct catalogue_product){stoa_write_finish(&w), stoa_rows_str(rows, 0, "id")};
    return STOA_OK;
}

static struct stoa_json *list_item(struct stoa_arena *arena, const struct stoa_rows *rows,
                                   uint32_t row)
{
    struct stoa_json *item = stoa_json_object(arena);
    int64_t available = stoa_rows_int(rows, row, "available");

    set_text(item, rows, row, "id");
    set_text(item, rows, row, "slug");
    set_text(item, rows, row, "name");
    set_text(item, rows, row, "summary");
    set_text(item, rows, row, "image");
    set_category(item, arena, rows, row);
    set_text(item, rows, row, "sku");
    stoa_json_set_int(item, "variants", stoa_rows_int(rows, row, "variants"));
    stoa_json_set_money(item, "price", row_money(rows, row, "price_from"));
    stoa_json_set_int(item, "available", available);
    stoa_json_set_bool(item, "in_stock", available > 0);
    return item;
}

/* One more than asked for tells whether there is a next page. */
static stoa_err list_rows(struct stoa_req *req, const struct catalogue_filter *f,
                          const struct stoa_rows **ret)
{
    bool has_category = f->category.len > 0, has_cursor = f->cursor.len > 0;
    stoa_value args[9] = {stoa_s(f->words[0]),  stoa_s(f->words[1]),  stoa_s(f->words[2]),
                          stoa_i(f->min_price), stoa_i(f->max_price), stoa_i(f->in_stock),
                          stoa_i(f->limit + 1)};
    uint32_t count = 7;

    if (has_category)
        args[count++] = stoa_s(f->category);
    if (has_cursor)
        args[count++] = stoa_s(f->cursor);
    return stoa_sql(req, &list_sorted[f->sort][has_category][has_cursor],
                    (struct stoa_values){args, count, 0}, ret);
}

static stoa_err sql_page(struct stoa_req *req, const struct catalogue_filter *f,
                         struct stoa_json **ret)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    struct stoa_json *page = stoa_json_object(arena), *items = stoa_json_array(arena);
    const struct stoa_rows *rows;
    uint32_t shown;

    STOA_TRY(list_rows(req, f, &rows));
    shown = stoa_rows_count(rows);
    if (shown > (uint64_t)f->limit)
        shown = (uint32_t)f->limit;
    for (uint32_t i = 0; i < shown; i++)
        stoa_json_push(items, list_item(arena, rows, i));
    stoa_json_set(page, "items", items);
    if (stoa_rows_count(rows) > shown)
        stoa_json_set_str(page, "next_cursor", stoa_rows_str(rows, shown - 1, "id"));
    else
        stoa_json_set(page, "next_cursor", stoa_json_new_null(arena));
    *ret = page;
    return STOA_OK;
}

static stoa_err sql_categories(struct stoa_req *req, struct stoa_json **ret)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    struct stoa_json *list = stoa_json_object(arena), *items = stoa_json_array(arena);
    const struct stoa_rows *rows;

    STOA_TRY(stoa_sql(req, &list_categories, STOA_NO_ARGS, &rows));
    for (uint32_t i = 0; i < stoa_rows_count(rows); i++) {
        struct stoa_json *c = stoa_json_push(items, stoa_json_object(arena));

        set_text(c, rows, i, "id");
        set_text(c, rows, i, "slug");
        set_text(c, rows, i, "name");
        set_text(c, rows, i, "description");
        stoa_json_set_int(c, "products", stoa_rows_int(rows, i, "products"));
    }
    stoa_json_set(list, "items", items);
    stoa_json_set(list, "next_cursor", stoa_json_new_null(arena));
    *ret = list;
    return STOA_OK;
}

static int64_t row_of(const struct stoa_rows *rows, stoa_str sku)
{
    for (uint32_t i = 0; i < stoa_rows_count(rows); i++)
        if (stoa_str_eq(stoa_rows_str(rows, i, "sku"), sku))
            return i;
    return -1;
}

static struct stoa_json *quote_item(struct stoa_arena *arena, const struct stoa_rows *rows,
                                    uint32_t row, int64_t quantity)
{
    struct stoa_json *item = stoa_json_object(arena);
    stoa_str variant = stoa_rows_str(rows, row, "variant_name");
    stoa_str name = stoa_rows_str(rows, row, "name");

    if (variant.len > 0)
        name = stoa_concat(arena, name, STOA_STR(", "), variant);
    set_text(item, rows, row, "sku");
    set_text(item, rows, row, "product_id");
    set_text(item, rows, row, "slug");
    stoa_json_set_str(item, "name", name);
    set_text(item, rows, row, "image");
    stoa_json_set_money(item, "unit_price", row_money(rows, row, "price"));
    stoa_json_set_int(item, "quantity", quantity);
    stoa_json_set_int(item, "available", stoa_rows_int(rows, row, "available"));
    set_text(item, rows, row, "tax_class");
    return item;
}

static stoa_err sql_quote(struct stoa_req *req, struct catalogue_lines lines,
                          struct stoa_json **ret)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    struct stoa_json *skus = stoa_json_array(arena), *quote = stoa_json_object(arena);
    struct stoa_json *items = stoa_json_array(arena), *missing = stoa_json_array(arena);
    const struct stoa_rows *rows;

    for (uint32_t i = 0; i < lines.count; i++)
        stoa_json_push(skus, stoa_json_new_str(arena, lines.ptr[i].sku));
    STOA_TRY(stoa_sql(req, &quote_lines, STOA_ARGS(stoa_j(skus)), &rows));
    for (uint32_t i = 0; i < lines.count; i++) {
        int64_t row = row_of(rows, lines.ptr[i].sku);

        if (row < 0)
            stoa_json_push(missing, stoa_json_new_str(arena, lines.ptr[i].sku));
        else
            stoa_json_push(items, quote_item(arena, rows, (uint32_t)row, lines.ptr[i].quantity));
    }
    stoa_json_set(quote, "items", items);
    stoa_json_set(quote, "missing", missing);
    *ret = quote;
    return STOA_OK;
}

const struct catalogue_store catalogue_store_sql = {
    .get = sql_get,
    .page = sql_page,
    .categories = sql_categories,
    .quote = sql_quote,
    .reserve = sql_reserve,
    .commit = sql_commit,
    .release = sql_release,
    .overdue = sql_overdue,
    .stock_get = sql_stock_get,
    .stock_set = sql_stock_set,
    .create = sql_create,
    .change = sql_change,
    .archive = sql_archive,
    .import_first = sql_import_first,
    .audit = sql_audit,
};
