/* order/order_store.c: orders and their sagas in the database. SPDX-License-Identifier: Apache-2.0
 */
#include "order.h"

#include "number.h"

enum { LONGEST_MS = 120000 }; /* twice the longest lease_ms; waits are shorter (saga.c) */

#define ORDER_COLUMNS                                                                              \
    "o.id, o.number, o.cart_id, o.token_hash, o.customer_id, o.email, o.currency, o.subtotal, "    \
    "o.adjusted, o.shipping, o.tax, o.total, o.lines, o.adjustments, o.shipping_option, "          \
    "o.address, o.created_ms"
#define SAGA_COLUMNS                                                                               \
    "s.step, s.reason, s.attempt, s.tries, s.deadline_ms, s.expires_ms, s.pay_key, s.provider, "   \
    "s.token"
#define FROM_BOTH " FROM order_order o JOIN order_saga s ON s.order_id = o.id "

static const struct stoa_stmt stmt_find = {
    "order.find",
    "SELECT " ORDER_COLUMNS ", " SAGA_COLUMNS FROM_BOTH "WHERE (o.id = $1 OR o.number = $2) "
    "AND (o.token_hash = $3 OR (o.customer_id <> '' AND o.customer_id = $4) OR $5 = 1)",
    NULL, STOA_SQL_READ, 0};
static const struct stoa_stmt stmt_load = {
    "order.load", "SELECT " ORDER_COLUMNS ", " SAGA_COLUMNS FROM_BOTH "WHERE o.id = $1", NULL,
    STOA_SQL_READ, 0};
/* No row unless the cart is as it was priced ($18): a line that another tab adds meanwhile must not
 * lie in an ordered cart without being in the order. SQLite has one writer at a time; on PostgreSQL
 * the new version makes that tab's change, which waits for this one, find another cart than it
 * read.
 */
#define INSERT                                                                                     \
    "INSERT INTO order_order (id, number, cart_id, token_hash, customer_id, email, currency, "     \
    "subtotal, adjusted, shipping, tax, total, lines, adjustments, shipping_option, address, "     \
    "created_ms) "
static const struct stoa_stmt stmt_insert = {
    "order.insert",
    INSERT "SELECT $1, $2, c.id, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17 "
           "FROM order_cart c WHERE c.id = $3 AND c.version = $18",
    "WITH c AS (UPDATE order_cart SET version = version + 1 WHERE id = $3 AND version = $18 "
    "RETURNING id) " INSERT
    "SELECT $1::text, $2::text, c.id, $4::text, $5::text, $6::text, $7::text, $8::bigint, "
    "$9::bigint, $10::bigint, $11::bigint, $12::bigint, $13::text, $14::text, $15::text, "
    "$16::text, $17::bigint FROM c",
    0, 0};
static const struct stoa_stmt stmt_insert_saga = {
    "order.insert_saga",
    "INSERT INTO order_saga (order_id, cart_id, step, reason, attempt, tries, pay_key, provider, "
    "token, deadline_ms, expires_ms, lease_owner, lease_until, changed_ms) "
    "VALUES ($1, $2, $3, '', 0, 0, '', $4, $5, $6, $7, $8, $9, $10)",
    NULL, 0, 0};
/* $5, and $3 below: later than any lease or deadline can be. Such a one was written before the
 * clock was set back, and nobody waits for the clock to come there again. */
static const struct stoa_stmt stmt_take = {
    "order.take",
    "UPDATE order_saga SET lease_owner = $2, lease_until = $3, changed_ms = $4 "
    "WHERE order_id = $1 AND (lease_until <= $4 OR lease_until > $5) "
    "AND step NOT IN ('done', 'cancelled')",
    NULL, 0, 0};
static const struct stoa_stmt stmt_save = {
    "order.save",
    "UPDATE order_saga SET step = $4, reason = $5, attempt = $6, tries = $7, pay_key = $8, "
    "deadline_ms = $9, lease_until = $10, token = $11, changed_ms = $12 "
    "WHERE order_id = $1 AND lease_owner = $2 AND step = $3",
    NULL, 0, 0};
static const struct stoa_stmt stmt_yield = {
    "order.yield", "UPDATE order_saga SET lease_until = 0 WHERE order_id = $1 AND lease_owner = $2",
    NULL, 0, 0};
static const struct stoa_stmt stmt_due = {
    "order.due",
    "SELECT order_id FROM order_saga WHERE step NOT IN ('done', 'cancelled') "
    "AND (deadline_ms <= $1 OR deadline_ms > $3) AND (lease_until <= $1 OR lease_until > $3) "
    "ORDER BY deadline_ms LIMIT $2",
    NULL, STOA_SQL_READ, 0};

static stoa_err read_json(struct stoa_req *req, const struct stoa_rows *rows, const char *column,
                          const struct stoa_json **ret)
{
    return stoa_json_parse(stoa_req_arena(req), stoa_rows_str(rows, 0, column), NULL, ret);
}

static stoa_err read_saga(const struct stoa_rows *rows, struct order_row *ret)
{
    stoa_str step = stoa_rows_str(rows, 0, "step"), reason = stoa_rows_str(rows, 0, "reason");

    ret->saga = (struct saga_state){.step = saga_step_of(step.ptr, step.len),
                                    .reason = saga_reason_of(reason.ptr, reason.len),
                                    .attempt = (uint32_t)stoa_rows_int(rows, 0, "attempt"),
                                    .tries = (uint32_t)stoa_rows_int(rows, 0, "tries"),
                                    .deadline_ms = stoa_rows_int(rows, 0, "deadline_ms"),
                                    .expires_ms = stoa_rows_int(rows, 0, "expires_ms")};
    ret->pay_key = stoa_rows_str(rows, 0, "pay_key");
    ret->provider = stoa_rows_str(rows, 0, "provider");
    ret->token = stoa_rows_str(rows, 0, "token");
    /* A step of a later version of this plugin: not ours to drive. */
    if (ret->saga.step == SAGA_STEP_COUNT || ret->saga.reason == SAGA_REASON_COUNT)
        return STOA_E_STALE;
    return STOA_OK;
}

static stoa_err read_row(struct stoa_req *req, const struct stoa_rows *rows, struct order_row *ret)
{
    stoa_str currency = stoa_rows_str(rows, 0, "currency");

    if (currency.len != 3)
        return STOA_E_INTERNAL;
    *ret = (struct order_row){.id = stoa_rows_str(rows, 0, "id"),
                              .number = stoa_rows_str(rows, 0, "number"),
                              .cart_id = stoa_rows_str(rows, 0, "cart_id"),
                              .token_hash = stoa_rows_str(rows, 0, "token_hash"),
                              .customer_id = stoa_rows_str(rows, 0, "customer_id"),
                              .email = stoa_rows_str(rows, 0, "email"),
                              .subtotal = stoa_rows_int(rows, 0, "subtotal"),
                              .adjusted = stoa_rows_int(rows, 0, "adjusted"),
                              .shipping = stoa_rows_int(rows, 0, "shipping"),
                              .tax = stoa_rows_int(rows, 0, "tax"),
                              .total = stoa_rows_int(rows, 0, "total"),
                              .created_ms = stoa_rows_int(rows, 0, "created_ms")};
    memcpy(ret->currency, currency.ptr, 3);
    STOA_TRY(read_json(req, rows, "lines", &ret->lines));
    STOA_TRY(read_json(req, rows, "adjustments", &ret->adjustments));
    STOA_TRY(read_json(req, rows, "shipping_option", &ret->shipping_option));
    STOA_TRY(read_json(req, rows, "address", &ret->address));
    return read_saga(rows, ret);
}

struct order_reader order_reader_of(struct stoa_req *req)
{
    const struct stoa_identity *who = stoa_req_identity(req);
    stoa_str token = stoa_req_header(req, "x-order-token");

    if (token.len == 0)
        token = stoa_req_query(req, "token");
    return (struct order_reader){
        .token_hash = token.len > 0 ? stoa_token_hash(req, token) : STOA_STR("-"),
        .customer_id = who->user_id,
        .is_staff = who->who == STOA_WHO_HOST || stoa_may(req, "orders:read")};
}

stoa_err order_find(struct stoa_req *req, stoa_str id_or_number, const struct order_reader *reader,
                    struct order_row *ret)
{
    const struct stoa_rows *rows;
    stoa_str number = STOA_STR("");

    if (!stoa_id_is(id_or_number, "ord"))
        STOA_TRY(number_parse(stoa_req_arena(req), id_or_number, &number) == STOA_OK
                     ? STOA_OK
                     : STOA_E_NOT_FOUND);
    STOA_TRY(stoa_sql(req, &stmt_find,
                      STOA_ARGS(stoa_s(id_or_number), stoa_s(number), stoa_s(reader->token_hash),
                                stoa_s(reader->customer_id), stoa_i(reader->is_staff)),
                      &rows));
    return stoa_rows_count(rows) == 1 ? read_row(req, rows, ret) : STOA_E_NOT_FOUND;
}

stoa_err order_load(struct stoa_req *req, stoa_str id, struct order_row *ret)
{
    const struct stoa_rows *rows;

    STOA_TRY(stoa_sql(req, &stmt_load, STOA_ARGS(stoa_s(id)), &rows));
    return stoa_rows_count(rows) == 1 ? read_row(req, rows, ret) : STOA_E_NOT_FOUND;
}

stoa_err order_insert(struct stoa_tx *tx, const struct order_row *row, int64_t cart_version,
                      stoa_str owner, stoa_ms lease_until)
{
    const struct stoa_rows *rows;

    STOA_TRY(stoa_tx_sql(tx, &stmt_insert,
                         STOA_ARGS(stoa_s(row->id), stoa_s(row->number), stoa_s(row->cart_id),
                                   stoa_s(row->token_hash), stoa_s(row->customer_id),
                                   stoa_s(row->email), stoa_z(row->currency), stoa_i(row->subtotal),
                                   stoa_i(row->adjusted), stoa_i(row->shipping), stoa_i(row->tax),
                                   stoa_i(row->total), stoa_j(row->lines), stoa_j(row->adjustments),
                                   stoa_j(row->shipping_option), stoa_j(row->address),
                                   stoa_i(row->created_ms), stoa_i(cart_version)),
                         &rows));
    if (stoa_rows_affected(rows) == 0)
        return STOA_E_CONFLICT;
    return stoa_tx_sql(tx, &stmt_insert_saga,
                       STOA_ARGS(stoa_s(row->id), stoa_s(row->cart_id),
                                 stoa_z(saga_step_name(row->saga.step)), stoa_s(row->provider),
                                 stoa_s(row->token), stoa_i(row->saga.deadline_ms),
                                 stoa_i(row->saga.expires_ms), stoa_s(owner), stoa_i(lease_until),
                                 stoa_i(row->created_ms)),
                       NULL);
}

stoa_err order_take(struct stoa_req *req, stoa_str id, stoa_str owner, stoa_ms lease_until,
                    struct order_row *ret)
{
    const struct stoa_rows *rows;

    STOA_TRY(stoa_sql(req, &stmt_take,
                      STOA_ARGS(stoa_s(id), stoa_s(owner), stoa_i(lease_until),
                                stoa_i(stoa_now(req)), stoa_i(stoa_now(req) + LONGEST_MS)),
                      &rows));
    STOA_TRY(order_load(req, id, ret));
    if (stoa_rows_affected(rows) == 1)
        return STOA_OK;
    return saga_is_final(ret->saga.step) ? STOA_E_CONFLICT : STOA_E_IN_FLIGHT;
}

stoa_err order_save(const struct order_save *how, const struct order_row *row,
                    const struct saga_state *next)
{
    const struct stoa_rows *rows;
    /* The token is needed for the mail, and again by nobody. */
    stoa_str token = saga_is_final(next->step) ? STOA_STR("") : row->token;
    struct stoa_values args = STOA_ARGS(
        stoa_s(row->id), stoa_s(how->owner), stoa_z(saga_step_name(row->saga.step)),
        stoa_z(saga_step_name(next->step)), stoa_z(saga_reason_name(next->reason)),
        stoa_i(next->attempt), stoa_i(next->tries), stoa_s(row->pay_key), stoa_i(next->deadline_ms),
        stoa_i(how->lease_until), stoa_s(token), stoa_i(stoa_now(how->req)));

    STOA_TRY(how->tx ? stoa_tx_sql(how->tx, &stmt_save, args, &rows)
                     : stoa_sql(how->req, &stmt_save, args, &rows));
    return stoa_rows_affected(rows) == 1 ? STOA_OK : STOA_E_CONFLICT;
}

stoa_err order_yield(struct stoa_req *req, stoa_str id, stoa_str owner)
{
    return stoa_sql(req, &stmt_yield, STOA_ARGS(stoa_s(id), stoa_s(owner)), NULL);
}

stoa_err order_due(struct stoa_req *req, int64_t limit, const struct stoa_rows **ret)
{
    return stoa_sql(
        req, &stmt_due,
        STOA_ARGS(stoa_i(stoa_now(req)), stoa_i(limit), stoa_i(stoa_now(req) + LONGEST_MS)), ret);
}

static void set_money(struct stoa_json *json, const char *name, const struct order_row *row,
                      int64_t minor)
{
    stoa_json_set_money(json, name, stoa_money_of(minor, row->currency));
}

struct stoa_json *order_json(struct stoa_arena *arena, const struct order_row *row, stoa_str token)
{
    struct stoa_json *json = stoa_json_object(arena);

    stoa_json_set_str(json, "id", row->id);
    stoa_json_set_str(json, "number", row->number);
    stoa_json_set_str(json, "state", stoa_str_of(saga_step_shown(row->saga.step)));
    if (row->saga.reason != SAGA_FOR_NONE)
        stoa_json_set_str(json, "reason", stoa_str_of(saga_reason_name(row->saga.reason)));
    if (token.len > 0)
        stoa_json_set_str(json, "token", token);
    stoa_json_set_str(json, "email", row->email);
    stoa_json_set_str(json, "currency", stoa_str_of(row->currency));
    stoa_json_set(json, "lines", stoa_json_copy(arena, row->lines));
    set_money(json, "subtotal", row, row->subtotal);
    stoa_json_set(json, "adjustments", stoa_json_copy(arena, row->adjustments));
    stoa_json_set(json, "shipping", stoa_json_copy(arena, row->shipping_option));
    set_money(json, "tax", row, row->tax);
    set_money(json, "total", row, row->total);
    stoa_json_set(json, "shipping_address", stoa_json_copy(arena, row->address));
    stoa_json_set_str(json, "created_at", stoa_time_format(arena, row->created_ms));
    return json;
}
