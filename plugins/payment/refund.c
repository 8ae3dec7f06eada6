/* payment/refund.c: money back. SPDX-License-Identifier: Apache-2.0 */
#include "payment.h"

enum { KEY_MAX = 64 };

static const struct stoa_stmt stmt_insert = {
    "payment.refund_insert",
    "INSERT INTO payment_refund (refund_key, pay_key, amount, state, created_ms) "
    "VALUES ($1, $2, $3, 'opening', $4) ON CONFLICT (refund_key) DO NOTHING",
    NULL, 0, 0};
static const struct stoa_stmt stmt_find = {
    "payment.refund_find",
    "SELECT pay_key, amount, state FROM payment_refund WHERE refund_key = $1", NULL, STOA_SQL_READ,
    0};
static const struct stoa_stmt stmt_done = {
    "payment.refund_done",
    "UPDATE payment_refund SET state = $2 WHERE refund_key = $1 AND state = 'opening'", NULL, 0, 0};
static const struct stoa_stmt stmt_book = {
    "payment.refund_book",
    "UPDATE payment_intent SET refunded = refunded + $2, changed_ms = $3 WHERE pay_key = $1", NULL,
    0, 0};

static stoa_err read_back(struct stoa_req *req, struct payment_back *ret)
{
    const struct stoa_json *body = stoa_req_json(req);

    *ret = (struct payment_back){.refund_key = stoa_json_str(body, "refund_key"),
                                 .key = stoa_json_str(body, "key")};
    if (ret->refund_key.len < 1 || ret->refund_key.len > KEY_MAX || ret->key.len < 1 ||
        ret->key.len > KEY_MAX || stoa_json_money(body, "amount", &ret->amount) != STOA_OK ||
        ret->amount.minor <= 0)
        return stoa_fail(req, STOA_E_INVALID, "refund_key, key or amount is wrong", STOA_NO_FIELDS);
    return STOA_OK;
}

/* Writes the refund before anybody is asked. *is_done: an earlier try went all the way. */
static stoa_err begin(struct stoa_req *req, const struct payment_back *back, bool *is_done)
{
    const struct stoa_rows *rows;

    STOA_TRY(stoa_sql(req, &stmt_insert,
                      STOA_ARGS(stoa_s(back->refund_key), stoa_s(back->key),
                                stoa_i(back->amount.minor), stoa_i(stoa_now(req))),
                      NULL));
    STOA_TRY(stoa_sql(req, &stmt_find, STOA_ARGS(stoa_s(back->refund_key)), &rows));
    if (stoa_rows_count(rows) != 1 || !stoa_str_eq(stoa_rows_str(rows, 0, "pay_key"), back->key) ||
        stoa_rows_int(rows, 0, "amount") != back->amount.minor)
        return stoa_fail(req, STOA_E_CONFLICT, "This key belongs to another refund",
                         STOA_NO_FIELDS);
    if (stoa_str_is(stoa_rows_str(rows, 0, "state"), "refused"))
        return STOA_E_RANGE;
    *is_done = stoa_str_is(stoa_rows_str(rows, 0, "state"), "done");
    return STOA_OK;
}

static stoa_err book_in(struct stoa_req *req, struct stoa_tx *tx, const struct payment_back *back)
{
    const struct stoa_rows *rows;

    STOA_TRY(
        stoa_tx_sql(tx, &stmt_done, STOA_ARGS(stoa_s(back->refund_key), stoa_z("done")), &rows));
    if (stoa_rows_affected(rows) == 0)
        return STOA_OK;
    return stoa_tx_sql(
        tx, &stmt_book,
        STOA_ARGS(stoa_s(back->key), stoa_i(back->amount.minor), stoa_i(stoa_now(req))), NULL);
}

static stoa_err book(struct stoa_req *req, const struct payment_back *back)
{
    struct stoa_tx *tx;
    stoa_err err;

    STOA_TRY(stoa_tx_begin(req, &tx));
    err = book_in(req, tx, back);
    if (err == STOA_OK)
        return stoa_tx_commit(tx);
    stoa_tx_rollback(tx);
    return err;
}

/* POST /internal/payment/refund {"key", "refund_key", "amount"} */
stoa_err refund_make(struct stoa_req *req, void *self)
{
    const struct payment_plugin *payment = self;
    struct payment_back back;
    struct payment_intent intent;
    bool is_done = false;
    stoa_err err;

    STOA_TRY(read_back(req, &back));
    STOA_TRY(intent_by_key(req, back.key, &intent));
    if (intent.state != PAYMENT_CAPTURED || strcmp(intent.amount.cur, back.amount.cur) != 0)
        return stoa_fail(req, STOA_E_CONFLICT, "Nothing was captured that could be given back",
                         STOA_NO_FIELDS);
    STOA_TRY(begin(req, &back, &is_done));
    if (!is_done) {
        err = payment->provider->refund(req, &back);
        if (err == STOA_E_RANGE)
            STOA_TRY(stoa_sql(req, &stmt_done,
                              STOA_ARGS(stoa_s(back.refund_key), stoa_z("refused")), NULL));
        STOA_TRY(err);
        STOA_TRY(book(req, &back));
    }
    return stoa_reply_fields(req, 200, STOA_FIELDS(stoa_f("state", stoa_z("refunded"))));
}
