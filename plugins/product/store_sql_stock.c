/* store_sql_stock.c: stock and what orders hold of it. The number of statements does not depend on
 * the number of lines. On PostgreSQL rows are locked in the order of their SKUs first: two orders
 * with the same goods in another order must not wait for each other for ever.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store_sql.h"

static const struct stoa_stmt hold_begin = {
    "product.hold_begin",
    "insert into product_reservation (order_id, state, expires_at, updated_at) "
    "values ($1, 'reserved', $2, $3) on conflict (order_id) do nothing",
    NULL, 0, 0};
static const struct stoa_stmt hold_state = {
    "product.hold_state", "select state from product_reservation where order_id = $1", NULL,
    STOA_SQL_READ, 0};
static const struct stoa_stmt hold_commit = {
    "product.hold_commit",
    "update product_reservation set state = 'committed', updated_at = $2 "
    "where order_id = $1 and state = 'reserved'",
    NULL, 0, 0};
/* Writes the tombstone when nothing is known of the order yet. */
static const struct stoa_stmt hold_release = {
    "product.hold_release",
    "insert into product_reservation (order_id, state, expires_at, updated_at) "
    "values ($1, 'released', 0, $2) on conflict (order_id) do update "
    "set state = 'released', updated_at = excluded.updated_at "
    "where product_reservation.state = 'reserved'",
    NULL, 0, 0};
static const struct stoa_stmt hold_overdue = {"product.hold_overdue",
                                              "select count(*) as holds from product_reservation "
                                              "where state = 'reserved' and expires_at < $1",
                                              NULL, STOA_SQL_READ, 0};

#define STOCK_RETURNING                                                                            \
    " returning product_stock.sku as sku, product_stock.product_id as product_id, "                \
    "product_stock.available as available, product_stock.low_at as low_at"

/* The compare-and-set: a SKU without enough pieces is not touched and not returned. */
static const struct stoa_stmt stock_take = {
    "product.stock_take",
    "update product_stock set available = available - w.quantity, reserved = reserved + w.quantity "
    "from (select json_extract(value, '$.sku') as sku, json_extract(value, '$.quantity') as "
    "quantity "
    "from json_each($1)) as w where product_stock.sku = w.sku "
    "and product_stock.available >= w.quantity" STOCK_RETURNING,
    "with w as (select e.value ->> 'sku' as sku, (e.value ->> 'quantity')::bigint as quantity "
    "from json_array_elements($1::json) as e(value)), l as materialized (select s.sku, w.quantity "
    "from product_stock s join w on w.sku = s.sku order by s.sku for update of s) "
    "update product_stock set available = available - l.quantity, "
    "reserved = reserved + l.quantity from l where product_stock.sku = l.sku "
    "and product_stock.available >= l.quantity" STOCK_RETURNING,
    0, 0};
static const struct stoa_stmt hold_lines = {
    "product.hold_lines",
    "insert into product_reservation_line (order_id, sku, quantity) "
    "select $1, json_extract(value, '$.sku'), json_extract(value, '$.quantity') from json_each($2)",
    "insert into product_reservation_line (order_id, sku, quantity) "
    "select $1::text, e.value ->> 'sku', (e.value ->> 'quantity')::bigint "
    "from json_array_elements($2::json) as e(value)",
    0, 0};

#define HELD_SQLITE                                                                                \
    " from product_reservation_line l where l.order_id = $1 and product_stock.sku = "              \
    "l.sku" STOCK_RETURNING
#define HELD_LOCKED                                                                                \
    "with l as materialized (select s.sku, r.quantity from product_stock s "                       \
    "join product_reservation_line r on r.sku = s.sku where r.order_id = $1 "                      \
    "order by s.sku for update of s) "
#define HELD_POSTGRESQL " from l where product_stock.sku = l.sku" STOCK_RETURNING
#define SELL "update product_stock set reserved = reserved - l.quantity, sold = sold + l.quantity"
#define GIVE_BACK                                                                                  \
    "update product_stock set reserved = reserved - l.quantity, available = available + "          \
    "l.quantity"
static const struct stoa_stmt stock_sell = {"product.stock_sell", SELL HELD_SQLITE,
                                            HELD_LOCKED SELL HELD_POSTGRESQL, 0, 0};
static const struct stoa_stmt stock_give_back = {"product.stock_give_back", GIVE_BACK HELD_SQLITE,
                                                 HELD_LOCKED GIVE_BACK HELD_POSTGRESQL, 0, 0};

#define STOCK_COLUMNS "sku, product_id, initial, received, available, reserved, sold, low_at"
static const struct stoa_stmt stock_by_sku = {
    "product.stock_by_sku", "select " STOCK_COLUMNS " from product_stock where sku = $1", NULL,
    STOA_SQL_READ, 0};
/* Both right sides read the row as it was. */
static const struct stoa_stmt stock_correct = {
    "product.stock_correct",
    "update product_stock set received = received + ($2 - available), available = $2 "
    "where sku = $1 returning " STOCK_COLUMNS,
    "update product_stock set received = received + ($2::bigint - available), "
    "available = $2::bigint where sku = $1 returning " STOCK_COLUMNS,
    0, 0};

static catalogue_hold hold_of(const struct stoa_rows *rows)
{
    stoa_str state = stoa_rows_count(rows) ? stoa_rows_str(rows, 0, "state") : STOA_STR("");

    if (stoa_str_is(state, "reserved"))
        return CATALOGUE_HOLD_RESERVED;
    if (stoa_str_is(state, "committed"))
        return CATALOGUE_HOLD_COMMITTED;
    return state.len ? CATALOGUE_HOLD_RELEASED : CATALOGUE_HOLD_NONE;
}

static stoa_err read_hold(struct stoa_tx *tx, stoa_str order_id, catalogue_hold *ret)
{
    const struct stoa_rows *rows;

    STOA_TRY(stoa_tx_sql(tx, &hold_state, STOA_ARGS(stoa_s(order_id)), &rows));
    *ret = hold_of(rows);
    return STOA_OK;
}

static struct stoa_json *lines_json(struct stoa_arena *arena, struct catalogue_lines lines)
{
    struct stoa_json *list = stoa_json_array(arena);

    for (uint32_t i = 0; i < lines.count; i++) {
        struct stoa_json *line = stoa_json_push(list, stoa_json_object(arena));

        stoa_json_set_str(line, "sku", lines.ptr[i].sku);
        stoa_json_set_int(line, "quantity", lines.ptr[i].quantity);
    }
    return list;
}

static int64_t line_quantity(struct catalogue_lines lines, stoa_str sku)
{
    for (uint32_t i = 0; i < lines.count; i++)
        if (stoa_str_eq(lines.ptr[i].sku, sku))
            return lines.ptr[i].quantity;
    return 0;
}

static struct stoa_json *not_taken(struct stoa_arena *arena, struct catalogue_lines lines,
                                   const struct stoa_rows *taken)
{
    struct stoa_json *skus = stoa_json_array(arena);

    for (uint32_t i = 0; i < lines.count; i++) {
        bool found = false;

        for (uint32_t row = 0; row < stoa_rows_count(taken) && !found; row++)
            found = stoa_str_eq(stoa_rows_str(taken, row, "sku"), lines.ptr[i].sku);
        if (!found)
            stoa_json_push(skus, stoa_json_new_str(arena, lines.ptr[i].sku));
    }
    return skus;
}

static bool is_of_earlier(const struct stoa_rows *rows, uint32_t i)
{
    for (uint32_t before = 0; before < i; before++)
        if (stoa_str_eq(stoa_rows_str(rows, before, "product_id"),
                        stoa_rows_str(rows, i, "product_id")))
            return true;
    return false;
}

/* Copies of the products are dropped, each once; lists only when one of them sold out or came back,
 * since they do not show how many pieces there are. */
static void drop_copies(struct stoa_req *req, const struct stoa_rows *rows, bool lists)
{
    struct stoa_arena *arena = stoa_req_arena(req);

    for (uint32_t i = 0; i < stoa_rows_count(rows); i++)
        if (!is_of_earlier(rows, i))
            stoa_cache_drop(req, stoa_concat(arena, STOA_STR("product:"),
                                             stoa_rows_str(rows, i, "product_id")));
    if (lists)
        stoa_cache_drop(req, STOA_STR("catalogue"));
}

/* One event for all SKUs of the change, in its transaction. */
static stoa_err tell(struct stoa_req *req, struct stoa_tx *tx, stoa_str cause,
                     const struct stoa_rows *rows)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    struct stoa_json *data = stoa_json_object(arena), *skus = stoa_json_array(arena);

    if (stoa_rows_count(rows) == 0)
        return STOA_OK;
    for (uint32_t i = 0; i < stoa_rows_count(rows); i++) {
        struct stoa_json *one = stoa_json_push(skus, stoa_json_object(arena));

        stoa_json_set_column(one, rows, i, "sku");
        stoa_json_set_column(one, rows, i, "product_id");
        stoa_json_set_int(one, "available", stoa_rows_int(rows, i, "available"));
    }
    stoa_json_set_str(data, "cause", cause);
    stoa_json_set(data, "stock", skus);
    return stoa_emit(tx, "stock.changed", cause, data);
}

/* SKUs that this reservation took to their mark or below. */
static stoa_err tell_low(struct stoa_req *req, struct stoa_tx *tx,
                         const struct catalogue_reserve *what, const struct stoa_rows *rows)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    struct stoa_json *data = stoa_json_object(arena), *low = stoa_json_array(arena);

    for (uint32_t i = 0; i < stoa_rows_count(rows); i++) {
        stoa_str sku = stoa_rows_str(rows, i, "sku");
        int64_t now = stoa_rows_int(rows, i, "available");
        int64_t mark = stoa_rows_int(rows, i, "low_at");
        struct stoa_json *one;

        if (now > mark || now + line_quantity(what->lines, sku) <= mark)
            continue;
        one = stoa_json_push(low, stoa_json_object(arena));
        stoa_json_set_str(one, "sku", sku);
        stoa_json_set_int(one, "available", now);
    }
    if (stoa_json_count(low) == 0)
        return STOA_OK;
    stoa_json_set(data, "stock", low);
    return stoa_emit(tx, "stock.low", what->order_id, data);
}

static bool any_sold_out(const struct stoa_rows *rows)
{
    for (uint32_t i = 0; i < stoa_rows_count(rows); i++)
        if (stoa_rows_int(rows, i, "available") == 0)
            return true;
    return false;
}

static stoa_err reserve_in(struct stoa_req *req, struct stoa_tx *tx,
                           const struct catalogue_reserve *what, struct stoa_json **sold_out)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    const struct stoa_json *lines = lines_json(arena, what->lines);
    const struct stoa_rows *taken;

    STOA_TRY(stoa_tx_sql(tx, &stock_take, STOA_ARGS(stoa_j(lines)), &taken));
    if (stoa_rows_count(taken) < what->lines.count) {
        *sold_out = not_taken(arena, what->lines, taken);
        return STOA_E_SOLD_OUT;
    }
    STOA_TRY(stoa_tx_sql(tx, &hold_lines, STOA_ARGS(stoa_s(what->order_id), stoa_j(lines)), NULL));
    STOA_TRY(tell(req, tx, what->order_id, taken));
    STOA_TRY(tell_low(req, tx, what, taken));
    drop_copies(req, taken, any_sold_out(taken));
    return STOA_OK;
}

/* The order's row comes first: it makes reserve, commit and release of one order wait for each
 * other, and shows a repeat before any stock is touched. */
stoa_err sql_reserve(struct stoa_req *req, const struct catalogue_reserve *what,
                     catalogue_hold *ret, struct stoa_json **sold_out)
{
    const struct stoa_rows *rows;
    struct stoa_tx *tx;
    stoa_err err;

    STOA_TRY(stoa_tx_begin(req, &tx));
    err = stoa_tx_sql(
        tx, &hold_begin,
        STOA_ARGS(stoa_s(what->order_id), stoa_i(what->expires_at), stoa_i(stoa_now(req))), &rows);
    if (err == STOA_OK && stoa_rows_affected(rows) == 0) {
        err = read_hold(tx, what->order_id, ret);
    } else if (err == STOA_OK) {
        *ret = CATALOGUE_HOLD_RESERVED;
        err = reserve_in(req, tx, what, sold_out);
    }
    return sql_finish(tx, err);
}

static stoa_err commit_in(struct stoa_req *req, struct stoa_tx *tx, stoa_str order_id,
                          catalogue_hold *ret)
{
    const struct stoa_rows *rows;

    STOA_TRY(
        stoa_tx_sql(tx, &hold_commit, STOA_ARGS(stoa_s(order_id), stoa_i(stoa_now(req))), &rows));
    if (stoa_rows_affected(rows) == 0)
        return read_hold(tx, order_id, ret);
    *ret = CATALOGUE_HOLD_COMMITTED;
    return stoa_tx_sql(tx, &stock_sell, STOA_ARGS(stoa_s(order_id)), NULL);
}

stoa_err sql_commit(struct stoa_req *req, stoa_str order_id, catalogue_hold *ret)
{
    struct stoa_tx *tx;

    STOA_TRY(stoa_tx_begin(req, &tx));
    return sql_finish(tx, commit_in(req, tx, order_id, ret));
}

static stoa_err release_in(struct stoa_req *req, struct stoa_tx *tx, stoa_str order_id,
                           catalogue_hold *ret)
{
    const struct stoa_rows *rows;

    STOA_TRY(
        stoa_tx_sql(tx, &hold_release, STOA_ARGS(stoa_s(order_id), stoa_i(stoa_now(req))), &rows));
    if (stoa_rows_affected(rows) == 0)
        return read_hold(tx, order_id, ret);
    *ret = CATALOGUE_HOLD_RELEASED;
    STOA_TRY(stoa_tx_sql(tx, &stock_give_back, STOA_ARGS(stoa_s(order_id)), &rows));
    drop_copies(req, rows, true);
    return tell(req, tx, order_id, rows);
}

stoa_err sql_release(struct stoa_req *req, stoa_str order_id, catalogue_hold *ret)
{
    struct stoa_tx *tx;

    STOA_TRY(stoa_tx_begin(req, &tx));
    return sql_finish(tx, release_in(req, tx, order_id, ret));
}

stoa_err sql_overdue(struct stoa_req *req, stoa_ms before, int64_t *ret)
{
    const struct stoa_rows *rows;

    STOA_TRY(stoa_sql(req, &hold_overdue, STOA_ARGS(stoa_i(before)), &rows));
    *ret = stoa_rows_int(rows, 0, "holds");
    return STOA_OK;
}

static struct stoa_json *stock_json(struct stoa_req *req, const struct stoa_rows *rows)
{
    static const char *const numbers[] = {"initial",  "received", "available",
                                          "reserved", "sold",     "low_at"};
    struct stoa_json *stock = stoa_json_object(stoa_req_arena(req));

    stoa_json_set_column(stock, rows, 0, "sku");
    stoa_json_set_column(stock, rows, 0, "product_id");
    for (uint32_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        stoa_json_set_int(stock, numbers[i], stoa_rows_int(rows, 0, numbers[i]));
    return stock;
}

stoa_err sql_stock_get(struct stoa_req *req, stoa_str sku, struct stoa_json **ret)
{
    const struct stoa_rows *rows;

    STOA_TRY(stoa_sql(req, &stock_by_sku, STOA_ARGS(stoa_s(sku)), &rows));
    if (stoa_rows_count(rows) == 0)
        return STOA_E_NOT_FOUND;
    *ret = stock_json(req, rows);
    return STOA_OK;
}

static stoa_err stock_set_in(struct stoa_req *req, struct stoa_tx *tx, stoa_value sku,
                             stoa_value available, struct stoa_json **ret)
{
    const struct stoa_rows *rows;

    STOA_TRY(stoa_tx_sql(tx, &stock_correct, STOA_ARGS(sku, available), &rows));
    if (stoa_rows_count(rows) == 0)
        return STOA_E_NOT_FOUND;
    *ret = stock_json(req, rows);
    drop_copies(req, rows, true);
    STOA_TRY(tell(req, tx, sku.s, rows));
    return stoa_tx_reply(tx, 200, *ret);
}

stoa_err sql_stock_set(struct stoa_req *req, stoa_str sku, int64_t available,
                       struct stoa_json **ret)
{
    struct stoa_tx *tx;

    STOA_TRY(stoa_tx_begin(req, &tx));
    return sql_finish(tx, stock_set_in(req, tx, stoa_s(sku), stoa_i(available), ret));
}
