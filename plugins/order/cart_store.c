/* order/cart_store.c: carts in the database. SPDX-License-Identifier: Apache-2.0 */
#include "order.h"

#define LIVE_ORDER "SELECT 1 FROM order_saga s WHERE s.cart_id = $1 AND s.step <> 'cancelled'"

static const struct stoa_stmt stmt_load = {
    "order.cart_load",
    "SELECT c.id, c.version, c.attributes, l.sku, l.quantity, s.order_id AS ordered "
    "FROM order_cart c LEFT JOIN order_cart_line l ON l.cart_id = c.id "
    "LEFT JOIN order_saga s ON s.cart_id = c.id AND s.step <> 'cancelled' "
    "WHERE c.id = $1 AND c.expires_ms > $2 "
    "AND (c.token_hash = $3 OR (c.customer_id <> '' AND c.customer_id = $4)) "
    "ORDER BY l.added_ms, l.sku",
    NULL, STOA_SQL_READ, 0};
static const struct stoa_stmt stmt_insert = {
    "order.cart_insert",
    "INSERT INTO order_cart (id, token_hash, customer_id, version, attributes, created_ms, "
    "expires_ms) VALUES ($1, $2, $3, 1, $4, $5, $6)",
    NULL, 0, 0};
static const struct stoa_stmt stmt_bump = {
    "order.cart_bump",
    "UPDATE order_cart SET version = version + 1, attributes = $3, expires_ms = $4 "
    "WHERE id = $1 AND version = $2 AND NOT EXISTS (" LIVE_ORDER ")",
    NULL, 0, 0};
static const struct stoa_stmt stmt_put_line = {
    "order.cart_put_line",
    "INSERT INTO order_cart_line (cart_id, sku, quantity, added_ms) VALUES ($1, $2, $3, $4) "
    "ON CONFLICT (cart_id, sku) DO UPDATE SET quantity = excluded.quantity",
    NULL, 0, 0};
static const struct stoa_stmt stmt_drop_line = {
    "order.cart_drop_line", "DELETE FROM order_cart_line WHERE cart_id = $1 AND sku = $2", NULL, 0,
    0};

static stoa_str attributes_text(struct stoa_req *req, const struct stoa_json *attributes)
{
    struct stoa_buf out;

    if (!attributes)
        return STOA_STR("{}");
    stoa_buf_init(&out, stoa_req_arena(req), 64);
    stoa_json_format(attributes, &out);
    return stoa_buf_str(&out);
}

stoa_err cart_load(struct stoa_req *req, stoa_str id, struct cart *ret)
{
    stoa_str token = stoa_req_header(req, "x-cart-token");
    stoa_str hash = token.len > 0 ? stoa_token_hash(req, token) : STOA_STR("-");
    stoa_str customer = stoa_req_identity(req)->user_id;
    const struct stoa_rows *rows;

    STOA_TRY(stoa_sql(req, &stmt_load,
                      STOA_ARGS(stoa_s(id), stoa_i(stoa_now(req)), stoa_s(hash), stoa_s(customer)),
                      &rows));
    if (stoa_rows_count(rows) == 0)
        return STOA_E_NOT_FOUND;
    *ret = (struct cart){.id = stoa_rows_str(rows, 0, "id"),
                         .version = stoa_rows_int(rows, 0, "version"),
                         .ordered = stoa_rows_str(rows, 0, "ordered")};
    STOA_TRY(stoa_json_parse(stoa_req_arena(req), stoa_rows_str(rows, 0, "attributes"), NULL,
                             &ret->attributes));
    ret->lines = stoa_new_array(stoa_req_arena(req), struct cart_line, stoa_rows_count(rows) + 1);
    for (uint32_t i = 0; i < stoa_rows_count(rows); i++)
        if (!stoa_rows_is_null(rows, i, "sku"))
            ret->lines[ret->count++] = (struct cart_line){stoa_rows_str(rows, i, "sku"),
                                                          stoa_rows_int(rows, i, "quantity")};
    return STOA_OK;
}

stoa_err cart_insert(struct stoa_tx *tx, struct stoa_req *req, const struct cart *cart,
                     stoa_str token, stoa_ms expires_ms)
{
    return stoa_tx_sql(tx, &stmt_insert,
                       STOA_ARGS(stoa_s(cart->id), stoa_s(stoa_token_hash(req, token)),
                                 stoa_s(stoa_req_identity(req)->user_id),
                                 stoa_s(attributes_text(req, cart->attributes)),
                                 stoa_i(stoa_now(req)), stoa_i(expires_ms)),
                       NULL);
}

static stoa_err write_line(struct stoa_tx *tx, struct stoa_req *req, const struct cart *cart,
                           const struct cart_change *change)
{
    if (change->sku.len == 0)
        return STOA_OK;
    if (change->quantity == 0)
        return stoa_tx_sql(tx, &stmt_drop_line, STOA_ARGS(stoa_s(cart->id), stoa_s(change->sku)),
                           NULL);
    return stoa_tx_sql(tx, &stmt_put_line,
                       STOA_ARGS(stoa_s(cart->id), stoa_s(change->sku), stoa_i(change->quantity),
                                 stoa_i(stoa_now(req))),
                       NULL);
}

stoa_err cart_write(struct stoa_tx *tx, struct stoa_req *req, const struct cart *cart,
                    const struct cart_change *change, stoa_ms expires_ms)
{
    const struct stoa_json *attributes = change->attributes ? change->attributes : cart->attributes;
    const struct stoa_rows *rows;

    STOA_TRY(stoa_tx_sql(tx, &stmt_bump,
                         STOA_ARGS(stoa_s(cart->id), stoa_i(cart->version),
                                   stoa_s(attributes_text(req, attributes)), stoa_i(expires_ms)),
                         &rows));
    if (stoa_rows_affected(rows) != 1)
        return STOA_E_CONFLICT;
    return write_line(tx, req, cart, change);
}
