/* order/orders.c: the API of orders. SPDX-License-Identifier: Apache-2.0 */
#include "order.h"

enum {
    PAGE_MAX = 100,
    PAGE_DEFAULT = 20,
    ADVANCE_TRIES = 20, /* × 100 ms: longer than a step takes when nothing is wrong */
    ADVANCE_PAUSE_MS = 100,
};

#define LIST_COLUMNS                                                                               \
    "SELECT o.id, o.number, o.email, o.currency, o.total, o.created_ms, s.step "                   \
    "FROM order_order o JOIN order_saga s ON s.order_id = o.id "
#define NEWEST " ORDER BY o.id DESC LIMIT $1"
/* The first page has no comparison: no text is behind every id in every collation. */
static const struct stoa_stmt stmt_list_own = {
    "order.list_own", LIST_COLUMNS "WHERE o.customer_id = $2" NEWEST, NULL, STOA_SQL_READ, 0};
static const struct stoa_stmt stmt_list_own_after = {
    "order.list_own_after", LIST_COLUMNS "WHERE o.customer_id = $2 AND o.id < $3" NEWEST, NULL,
    STOA_SQL_READ, 0};
static const struct stoa_stmt stmt_list_all = {"order.list_all", LIST_COLUMNS NEWEST, NULL,
                                               STOA_SQL_READ, 0};
static const struct stoa_stmt stmt_list_all_after = {
    "order.list_all_after", LIST_COLUMNS "WHERE o.id < $2" NEWEST, NULL, STOA_SQL_READ, 0};

/* GET /orders/{id or number}: its customer, staff, or a guest with the order's token. */
stoa_err orders_show(struct stoa_req *req, void *self)
{
    struct order_reader reader = order_reader_of(req);
    struct order_row row;

    (void)self;
    STOA_TRY(order_find(req, stoa_req_param(req, "id"), &reader, &row));
    return stoa_reply_json(req, 200, order_json(stoa_req_arena(req), &row, STOA_STR("")));
}

static struct stoa_json *summary(struct stoa_arena *arena, const struct stoa_rows *rows, uint32_t i)
{
    struct stoa_json *json = stoa_json_object(arena);
    stoa_str step = stoa_rows_str(rows, i, "step");
    enum saga_step known = saga_step_of(step.ptr, step.len);

    stoa_json_set_column(json, rows, i, "id");
    stoa_json_set_column(json, rows, i, "number");
    stoa_json_set_str(json, "state",
                      known == SAGA_STEP_COUNT ? step : stoa_str_of(saga_step_shown(known)));
    stoa_json_set_column(json, rows, i, "email");
    stoa_json_set_money(json, "total",
                        stoa_money_of(stoa_rows_int(rows, i, "total"),
                                      stoa_cstr(arena, stoa_rows_str(rows, i, "currency"))));
    stoa_json_set_str(json, "created_at",
                      stoa_time_format(arena, stoa_rows_int(rows, i, "created_ms")));
    return json;
}

static stoa_err read_list(struct stoa_req *req, int64_t limit, const struct stoa_rows **ret)
{
    stoa_value most = stoa_i(limit), cursor = stoa_s(stoa_req_query(req, "cursor"));
    stoa_value customer = stoa_s(stoa_req_identity(req)->user_id);

    if (stoa_may(req, "orders:read"))
        return cursor.s.len == 0
                   ? stoa_sql(req, &stmt_list_all, STOA_ARGS(most), ret)
                   : stoa_sql(req, &stmt_list_all_after, STOA_ARGS(most, cursor), ret);
    return cursor.s.len == 0
               ? stoa_sql(req, &stmt_list_own, STOA_ARGS(most, customer), ret)
               : stoa_sql(req, &stmt_list_own_after, STOA_ARGS(most, customer, cursor), ret);
}

/* GET /orders?limit=&cursor=: the customer's own; all for staff. cursor: the last page's
 * next_cursor. */
stoa_err orders_list(struct stoa_req *req, void *self)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    stoa_str limit_text = stoa_req_query(req, "limit");
    struct stoa_json *json = stoa_json_object(arena), *items;
    const struct stoa_rows *rows;
    int64_t limit = PAGE_DEFAULT;

    (void)self;
    if (limit_text.ptr)
        STOA_TRY(stoa_str_int(limit_text, 1, PAGE_MAX, &limit));
    STOA_TRY(read_list(req, limit, &rows));
    items = stoa_json_set(json, "items", stoa_json_array(arena));
    for (uint32_t i = 0; i < stoa_rows_count(rows); i++)
        stoa_json_push(items, summary(arena, rows, i));
    if (stoa_rows_count(rows) == limit)
        stoa_json_set_str(json, "next_cursor",
                          stoa_rows_str(rows, stoa_rows_count(rows) - 1, "id"));
    else
        stoa_json_set(json, "next_cursor", stoa_json_new_null(arena));
    return stoa_reply_json(req, 200, json);
}

/* Takes the order's lease, waiting a little for whoever has it. As order_take(). */
static stoa_err take_patiently(struct saga_run *run, stoa_str id)
{
    stoa_err err = STOA_E_IN_FLIGHT;

    for (int i = 0; i < ADVANCE_TRIES && err == STOA_E_IN_FLIGHT; i++) {
        if (i > 0)
            STOA_TRY(stoa_sleep(run->req, ADVANCE_PAUSE_MS));
        err = order_take(run->req, id, run->owner, stoa_now(run->req) + run->self->lease_ms,
                         run->order);
    }
    return err;
}

static stoa_err cancel_taken(struct saga_run *run)
{
    struct saga_state next;

    if (!saga_cancel(&run->order->saga, &next)) {
        STOA_TRY(saga_run(run)); /* paid: it is finished, so that nobody waits for the lease */
        return STOA_OK;
    }
    STOA_TRY(saga_step_to(run, &next));
    return saga_run(run);
}

/* POST /orders/{id}/cancel: until it is paid. */
stoa_err orders_cancel(struct stoa_req *req, void *self)
{
    struct order_reader reader = order_reader_of(req);
    struct order_row row;
    struct saga_run run = {.req = req, .self = self, .order = &row, .owner = saga_owner(req)};
    stoa_err err;

    if (reader.is_staff)
        reader.is_staff = stoa_may(req, "orders:write");
    STOA_TRY(order_find(req, stoa_req_param(req, "id"), &reader, &row));
    if (!saga_is_final(row.saga.step)) {
        err = take_patiently(&run, row.id);
        if (err == STOA_OK)
            STOA_TRY(cancel_taken(&run));
        else if (err != STOA_E_CONFLICT)
            return err;
    }
    if (saga_is_paid(row.saga.step))
        return stoa_fail(req, STOA_E_CONFLICT, "A paid order is refunded, not cancelled",
                         STOA_NO_FIELDS);
    return stoa_reply_json(req, 200, order_json(stoa_req_arena(req), &row, STOA_STR("")));
}

/* POST /internal/order/advance {"order_id"}: something has happened to its payment. */
stoa_err orders_advance(struct stoa_req *req, void *self)
{
    stoa_str id = stoa_json_str(stoa_req_json(req), "order_id");
    struct order_row row;
    struct saga_run run = {.req = req, .self = self, .order = &row, .owner = saga_owner(req)};
    stoa_err err = take_patiently(&run, id);

    if (err == STOA_OK)
        err = saga_run(&run);
    /* Final, or in another's hands: the answer is where it stands. */
    if (err != STOA_OK && err != STOA_E_CONFLICT && err != STOA_E_IN_FLIGHT)
        return err;
    STOA_TRY(order_load(req, id, &row));
    return stoa_reply_fields(req, 200,
                             STOA_FIELDS(stoa_f("order_id", stoa_s(row.id)),
                                         stoa_f("number", stoa_s(row.number)),
                                         stoa_f("state", stoa_z(saga_step_shown(row.saga.step)))));
}
