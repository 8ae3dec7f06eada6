/* store_sql_edit.c: what the staff writes: products and their variants. A product that was sold
 * once is archived, never deleted: orders tell its SKU. SPDX-License-Identifier: Apache-2.0 */
#include "store_sql.h"

static const struct stoa_stmt category_by_slug = {"product.category_by_slug",
                                                  "select id from product_category where slug = $1",
                                                  NULL, STOA_SQL_READ, 0};
static const struct stoa_stmt category_insert = {
    "product.category_insert",
    "insert into product_category (id, slug, name, description, place) values ($1, $2, $3, $4, $5)",
    NULL, 0, 0};
static const struct stoa_stmt item_count = {
    "product.item_count", "select count(*) as items from product_item", NULL, STOA_SQL_READ, 0};
static const struct stoa_stmt item_insert = {
    "product.item_insert",
    "insert into product_item (id, slug, category_id, name, summary, description, image, "
    "tax_class, "
    "details, search, state, price_from, version, created_at, updated_at) "
    "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, 1, $12, $13)",
    NULL, 0, 0};
static const struct stoa_stmt variant_insert = {
    "product.variant_insert",
    "insert into product_variant (sku, product_id, name, price, currency, place) "
    "values ($1, $2, $3, $4, $5, $6)",
    NULL, 0, 0};
static const struct stoa_stmt stock_insert = {
    "product.stock_insert",
    "insert into product_stock (sku, product_id, initial, received, available, reserved, sold, "
    "low_at) "
    "values ($1, $2, $3, 0, $4, 0, 0, $5)",
    NULL, 0, 0};
static const struct stoa_stmt price_refresh = {
    "product.price_refresh",
    "update product_item set price_from = (select min(v.price) from product_variant v "
    "where v.product_id = $1) where id = $2",
    NULL, 0, 0};
static const struct stoa_stmt item_for_change = {
    "product.item_for_change",
    "select p.slug, p.name, p.summary, p.description, p.image, p.tax_class, p.details, p.state, "
    "c.slug as category from product_item p join product_category c on c.id = p.category_id "
    "where p.id = $1 and p.state <> 'archived'",
    NULL, STOA_SQL_READ, 0};
static const struct stoa_stmt item_update = {
    "product.item_update",
    "update product_item set slug = $3, category_id = $4, name = $5, summary = $6, "
    "description = $7, image = $8, tax_class = $9, details = $10, search = $11, state = $12, "
    "version = version + 1, updated_at = $13 where id = $1 and version = $2",
    NULL, 0, 0};
static const struct stoa_stmt variant_price = {
    "product.variant_price",
    "update product_variant set price = $3, currency = $4 where sku = $1 and product_id = $2", NULL,
    0, 0};
static const struct stoa_stmt item_archive = {
    "product.item_archive",
    "update product_item set state = 'archived', version = version + 1, updated_at = $2 "
    "where id = $1 and state <> 'archived'",
    NULL, 0, 0};

/* What a search looks into. */
static stoa_str search_text(struct stoa_arena *arena, const struct stoa_json *p)
{
    stoa_str gap = STOA_STR(" ");

    return lower_ascii(
        arena, stoa_concat(arena, stoa_json_str(p, "name"), gap, stoa_json_str(p, "summary"), gap,
                           stoa_json_str(p, "category"), gap, stoa_json_str(p, "description")));
}

static stoa_str details_text(struct stoa_arena *arena, const struct stoa_json *p)
{
    const struct stoa_json *details = stoa_json_get(p, "details");
    struct stoa_buf buf;

    if (!details)
        return STOA_STR("[]");
    stoa_buf_init(&buf, arena, 256);
    stoa_json_format(details, &buf);
    return stoa_buf_str(&buf);
}

static stoa_err category_id(struct stoa_req *req, struct stoa_tx *tx, const struct stoa_json *p,
                            stoa_str *ret)
{
    const struct stoa_rows *rows;

    STOA_TRY(
        stoa_tx_sql(tx, &category_by_slug, STOA_ARGS(stoa_s(stoa_json_str(p, "category"))), &rows));
    if (stoa_rows_count(rows) == 0)
        return stoa_fail(req, STOA_E_INVALID, "There is no such category",
                         STOA_FIELDS(stoa_f("field", stoa_z("category"))));
    *ret = stoa_rows_str(rows, 0, "id");
    return STOA_OK;
}

static stoa_err insert_variant(struct stoa_tx *tx, stoa_str id, const struct stoa_json *v,
                               int64_t place)
{
    stoa_value sku = stoa_s(stoa_json_str(v, "sku"));
    stoa_value stock = stoa_i(stoa_json_int(v, "stock", 0));
    stoa_money price;

    STOA_TRY(stoa_json_money(v, "price", &price));
    STOA_TRY(stoa_tx_sql(tx, &variant_insert,
                         STOA_ARGS(sku, stoa_s(id), stoa_s(stoa_json_str(v, "name")),
                                   stoa_i(price.minor), stoa_z(price.cur), stoa_i(place)),
                         NULL));
    return stoa_tx_sql(
        tx, &stock_insert,
        STOA_ARGS(sku, stoa_s(id), stock, stock, stoa_i(stoa_json_int(v, "low_at", 3))), NULL);
}

static stoa_err insert_variants(struct stoa_tx *tx, stoa_str id, const struct stoa_json *p)
{
    const struct stoa_json *v = stoa_json_first(stoa_json_get(p, "variants"));

    for (int64_t place = 0; v; v = stoa_json_next(v), place++)
        STOA_TRY(insert_variant(tx, id, v, place));
    return stoa_tx_sql(tx, &price_refresh, STOA_ARGS(stoa_s(id), stoa_s(id)), NULL);
}

static stoa_err tell(struct stoa_req *req, struct stoa_tx *tx, const char *event, stoa_str id)
{
    struct stoa_arena *arena = stoa_req_arena(req);

    stoa_cache_drop(req, stoa_concat(arena, STOA_STR("product:"), id));
    stoa_cache_drop(req, STOA_STR("catalogue"));
    return stoa_emit(tx, event, id,
                     stoa_json_fields(arena, STOA_FIELDS(stoa_f("product_id", stoa_s(id)))));
}

static stoa_err insert_product(struct stoa_req *req, struct stoa_tx *tx, const struct stoa_json *p,
                               stoa_str id, stoa_ms at)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    stoa_value now = stoa_i(at);
    stoa_str category;

    STOA_TRY(category_id(req, tx, p, &category));
    STOA_TRY(stoa_tx_sql(
        tx, &item_insert,
        STOA_ARGS(stoa_s(id), stoa_s(stoa_json_str(p, "slug")), stoa_s(category),
                  stoa_s(stoa_json_str(p, "name")), stoa_s(stoa_json_str(p, "summary")),
                  stoa_s(stoa_json_str(p, "description")), stoa_s(stoa_json_str(p, "image")),
                  stoa_s(stoa_json_str(p, "tax_class")), stoa_s(details_text(arena, p)),
                  stoa_s(search_text(arena, p)), stoa_s(stoa_json_str(p, "state")), now, now),
        NULL));
    return insert_variants(tx, id, p);
}

static stoa_err create_in(struct stoa_req *req, struct stoa_tx *tx, const struct stoa_json *p,
                          stoa_str id)
{
    struct stoa_fields made =
        STOA_FIELDS(stoa_f("id", stoa_s(id)), stoa_f("slug", stoa_s(stoa_json_str(p, "slug"))),
                    stoa_f("version", stoa_i(1)));

    STOA_TRY(stoa_tx_creates(tx, id));
    STOA_TRY(insert_product(req, tx, p, id, stoa_now(req)));
    STOA_TRY(tell(req, tx, "product.created", id));
    return stoa_tx_reply(tx, 201, stoa_json_fields(stoa_req_arena(req), made));
}

stoa_err sql_create(struct stoa_req *req, const struct stoa_json *product, stoa_str *ret)
{
    stoa_str id = stoa_id_new(req, "prd");
    struct stoa_tx *tx;

    STOA_TRY(stoa_tx_begin(req, &tx));
    STOA_TRY(sql_finish(tx, create_in(req, tx, product, id)));
    *ret = id;
    return STOA_OK;
}

/* The row as it is, with what the editor sent laid over it. */
static struct stoa_json *merged(struct stoa_arena *arena, const struct stoa_rows *rows,
                                const struct stoa_json *change)
{
    static const char *const texts[] = {"slug",  "name",      "summary", "description",
                                        "image", "tax_class", "state",   "category"};
    const struct stoa_json *details = stoa_json_get(change, "details");
    struct stoa_json *p = stoa_json_object(arena);

    for (uint32_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        stoa_json_set_str(p, texts[i],
                          stoa_json_get(change, texts[i]) ? stoa_json_str(change, texts[i])
                                                          : stoa_rows_str(rows, 0, texts[i]));
    if (!details &&
        stoa_json_parse(arena, stoa_rows_str(rows, 0, "details"), NULL, &details) != STOA_OK)
        details = NULL;
    if (details)
        stoa_json_set(p, "details", stoa_json_copy(arena, details));
    return p;
}

static stoa_err change_prices(struct stoa_req *req, struct stoa_tx *tx, stoa_str id,
                              const struct stoa_json *change)
{
    const struct stoa_json *v = stoa_json_first(stoa_json_get(change, "variants"));
    const struct stoa_rows *rows;
    stoa_money price;

    for (; v; v = stoa_json_next(v)) {
        stoa_value sku = stoa_s(stoa_json_str(v, "sku"));

        STOA_TRY(stoa_json_money(v, "price", &price));
        STOA_TRY(stoa_tx_sql(tx, &variant_price,
                             STOA_ARGS(sku, stoa_s(id), stoa_i(price.minor), stoa_z(price.cur)),
                             &rows));
        if (stoa_rows_affected(rows) == 0)
            return stoa_fail(req, STOA_E_INVALID, "This product has no such variant",
                             STOA_FIELDS(stoa_f("sku", sku)));
    }
    return stoa_tx_sql(tx, &price_refresh, STOA_ARGS(stoa_s(id), stoa_s(id)), NULL);
}

static stoa_err update_item(struct stoa_req *req, struct stoa_tx *tx, const struct stoa_json *p,
                            struct stoa_values which)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    const struct stoa_rows *rows;
    stoa_str category;

    STOA_TRY(category_id(req, tx, p, &category));
    STOA_TRY(stoa_tx_sql(
        tx, &item_update,
        STOA_ARGS(which.ptr[0], which.ptr[1], stoa_s(stoa_json_str(p, "slug")), stoa_s(category),
                  stoa_s(stoa_json_str(p, "name")), stoa_s(stoa_json_str(p, "summary")),
                  stoa_s(stoa_json_str(p, "description")), stoa_s(stoa_json_str(p, "image")),
                  stoa_s(stoa_json_str(p, "tax_class")), stoa_s(details_text(arena, p)),
                  stoa_s(search_text(arena, p)), stoa_s(stoa_json_str(p, "state")),
                  stoa_i(stoa_now(req))),
        &rows));
    return stoa_rows_affected(rows) ? STOA_OK : STOA_E_CONFLICT;
}

static stoa_err change_in(struct stoa_req *req, struct stoa_tx *tx, struct stoa_values which,
                          const struct stoa_json *change)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    const struct stoa_rows *rows;

    STOA_TRY(stoa_tx_sql(tx, &item_for_change, STOA_ARGS(which.ptr[0]), &rows));
    if (stoa_rows_count(rows) == 0)
        return STOA_E_NOT_FOUND;
    STOA_TRY(update_item(req, tx, merged(arena, rows, change), which));
    STOA_TRY(change_prices(req, tx, which.ptr[0].s, change));
    STOA_TRY(tell(req, tx, "product.updated", which.ptr[0].s));
    return stoa_tx_reply(
        tx, 200,
        stoa_json_fields(arena, STOA_FIELDS(stoa_f("id", which.ptr[0]),
                                            stoa_f("version", stoa_i(which.ptr[1].i + 1)))));
}

stoa_err sql_change(struct stoa_req *req, stoa_str id, int64_t version,
                    const struct stoa_json *product)
{
    struct stoa_tx *tx;

    STOA_TRY(stoa_tx_begin(req, &tx));
    return sql_finish(tx, change_in(req, tx, STOA_ARGS(stoa_s(id), stoa_i(version)), product));
}

static stoa_err archive_in(struct stoa_req *req, struct stoa_tx *tx, stoa_str id)
{
    const struct stoa_rows *rows;

    STOA_TRY(stoa_tx_sql(tx, &item_archive, STOA_ARGS(stoa_s(id), stoa_i(stoa_now(req))), &rows));
    if (stoa_rows_affected(rows) == 0)
        return STOA_E_NOT_FOUND;
    return tell(req, tx, "product.deleted", id);
}

stoa_err sql_archive(struct stoa_req *req, stoa_str id)
{
    struct stoa_tx *tx;

    STOA_TRY(stoa_tx_begin(req, &tx));
    return sql_finish(tx, archive_in(req, tx, id));
}

static stoa_err import_categories(struct stoa_req *req, struct stoa_tx *tx,
                                  const struct stoa_json *categories)
{
    const struct stoa_json *c = stoa_json_first(categories);

    for (int64_t place = 0; c; c = stoa_json_next(c), place++)
        STOA_TRY(
            stoa_tx_sql(tx, &category_insert,
                        STOA_ARGS(stoa_s(stoa_id_new(req, "cat")), stoa_s(stoa_json_str(c, "slug")),
                                  stoa_s(stoa_json_str(c, "name")),
                                  stoa_s(stoa_json_str(c, "description")), stoa_i(place)),
                        NULL));
    return STOA_OK;
}

static stoa_err import_in(struct stoa_req *req, struct stoa_tx *tx,
                          const struct stoa_json *categories, const struct stoa_json *products)
{
    const struct stoa_json *p;
    const struct stoa_rows *rows;
    stoa_ms now = stoa_now(req);

    STOA_TRY(stoa_tx_sql(tx, &item_count, STOA_NO_ARGS, &rows));
    if (stoa_rows_int(rows, 0, "items") > 0)
        return STOA_E_EXISTS;
    STOA_TRY(import_categories(req, tx, categories));
    /* The first of them is the newest, so that the home page shows them in this order. */
    for (p = stoa_json_first(products); p; p = stoa_json_next(p))
        STOA_TRY(insert_product(req, tx, p, stoa_id_new(req, "prd"), now--));
    stoa_cache_drop(req, STOA_STR("catalogue"));
    return STOA_OK;
}

stoa_err sql_import_first(struct stoa_req *req, const struct stoa_json *categories,
                          const struct stoa_json *products)
{
    struct stoa_tx *tx;

    STOA_TRY(stoa_tx_begin(req, &tx));
    return sql_finish(tx, import_in(req, tx, categories, products));
}
