/* order/recover.c: jobs: finishes or compensates what nobody drives any more, and forgets carts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "order.h"

enum {
    BATCH = 50,
    CARTS_BATCH = 500,
    CARTS_PAUSE_MS = 10,
    TIME_KEPT_BACK_MS = 2000,
};

#define OLD_CARTS                                                                                  \
    "(SELECT id FROM order_cart WHERE expires_ms <= $1 ORDER BY expires_ms, id LIMIT $2)"
static const struct stoa_stmt stmt_forget_lines = {
    "order.forget_cart_lines", "DELETE FROM order_cart_line WHERE cart_id IN " OLD_CARTS, NULL, 0,
    0};
static const struct stoa_stmt stmt_forget_carts = {
    "order.forget_carts", "DELETE FROM order_cart WHERE id IN " OLD_CARTS, NULL, 0, 0};

static stoa_err recover_one(struct stoa_req *req, const struct order_plugin *self, stoa_str id)
{
    struct order_row row;
    struct saga_run run = {.req = req, .self = self, .order = &row, .owner = saga_owner(req)};
    stoa_err err = order_take(req, id, run.owner, stoa_now(req) + self->lease_ms, &row);

    if (err == STOA_E_CONFLICT || err == STOA_E_IN_FLIGHT)
        return STOA_OK; /* somebody was faster */
    return err == STOA_OK ? saga_run(&run) : err;
}

/* One order that cannot be helped now must not keep the others waiting. */
stoa_err recover_orders(struct stoa_req *req, void *self)
{
    const struct order_plugin *order = self;
    const struct stoa_rows *due;

    STOA_TRY(order_due(req, BATCH, &due));
    for (uint32_t i = 0; i < stoa_rows_count(due); i++) {
        stoa_str id = stoa_rows_str(due, i, "order_id");
        stoa_err err;

        if (stoa_time_left(req) < order->payment_timeout_ms + TIME_KEPT_BACK_MS)
            break; /* the next run goes on: the oldest come first */
        err = recover_one(req, order, id);
        if (err != STOA_OK)
            stoa_log(req, STOA_WARN, "an order could not be recovered yet",
                     STOA_FIELDS(stoa_f("order_id", stoa_s(id)),
                                 stoa_f("error", stoa_z(stoa_err_name(err)))));
    }
    return STOA_OK;
}

static stoa_err forget(struct stoa_req *req, struct stoa_tx *tx, int64_t *forgotten)
{
    struct stoa_values args = STOA_ARGS(stoa_i(stoa_now(req)), stoa_i(CARTS_BATCH));
    const struct stoa_rows *rows;

    STOA_TRY(stoa_tx_sql(tx, &stmt_forget_lines, args, NULL));
    STOA_TRY(stoa_tx_sql(tx, &stmt_forget_carts, args, &rows));
    *forgotten = stoa_rows_affected(rows);
    return STOA_OK;
}

static stoa_err forget_some(struct stoa_req *req, int64_t *forgotten)
{
    struct stoa_tx *tx;
    stoa_err err;

    STOA_TRY(stoa_tx_begin(req, &tx));
    err = forget(req, tx, forgotten);
    if (err == STOA_OK)
        return stoa_tx_commit(tx);
    stoa_tx_rollback(tx);
    return err;
}

/* Carts that nobody has touched for long, as many as there are: crawlers make more of them than any
 * fixed number a minute. Their orders keep what they need. */
stoa_err recover_carts(struct stoa_req *req, void *self)
{
    int64_t forgotten = CARTS_BATCH;

    (void)self;
    while (forgotten == CARTS_BATCH && stoa_time_left(req) > TIME_KEPT_BACK_MS) {
        STOA_TRY(forget_some(req, &forgotten));
        STOA_TRY(stoa_sleep(req, CARTS_PAUSE_MS)); /* buyers write, too */
    }
    return STOA_OK;
}
