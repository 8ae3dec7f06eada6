/* payment/sandbox.c: a provider for trying things out. Its bank keeps its own books, and writes
 * them by itself: what is between a charge and our knowing of it is as real as with a true one.
 *   tok_ok           captured
 *   tok_declined     declined, as is every token that is not in this list
 *   tok_3ds          captured once the buyer has confirmed
 *   tok_charge_drop  captured, but the answer is lost
 *   tok_timeout      no answer in time; captured when stoa_str_hash(key) is odd: every second order
 *   tok_timeout_charged, tok_timeout_lost: the one or the other half of it
 * SPDX-License-Identifier: Apache-2.0 */
#include "payment.h"

static const struct stoa_stmt stmt_charge = {
    "payment.bank_charge",
    "INSERT INTO payment_sandbox_charge (charge_key, amount, currency, state, refunded, "
    "created_ms) VALUES ($1, $2, $3, $4, 0, $5) ON CONFLICT (charge_key) DO NOTHING",
    NULL, 0, 0};
static const struct stoa_stmt stmt_state = {
    "payment.bank_state", "SELECT state FROM payment_sandbox_charge WHERE charge_key = $1", NULL,
    STOA_SQL_READ, 0};
static const struct stoa_stmt stmt_confirm = {"payment.bank_confirm",
                                              "UPDATE payment_sandbox_charge SET state = $2 "
                                              "WHERE charge_key = $1 AND state = 'requires_action'",
                                              NULL, 0, 0};
/* A key that the bank has never seen is remembered as voided. */
static const struct stoa_stmt stmt_cancel = {
    "payment.bank_cancel",
    "INSERT INTO payment_sandbox_charge (charge_key, amount, currency, state, refunded, "
    "created_ms) VALUES ($1, $2, $3, 'voided', 0, $4) ON CONFLICT (charge_key) "
    "DO UPDATE SET state = 'voided' "
    "WHERE payment_sandbox_charge.state IN ('captured', 'requires_action')",
    NULL, 0, 0};
static const struct stoa_stmt stmt_refund = {
    "payment.bank_refund",
    "INSERT INTO payment_sandbox_refund (refund_key, charge_key, amount, created_ms) "
    "VALUES ($1, $2, $3, $4) ON CONFLICT (refund_key) DO NOTHING",
    NULL, 0, 0};
static const struct stoa_stmt stmt_give_back = {
    "payment.bank_give_back",
    "UPDATE payment_sandbox_charge SET refunded = refunded + $2 "
    "WHERE charge_key = $1 AND state = 'captured' AND refunded + $2 <= amount",
    NULL, 0, 0};

static stoa_err sandbox_status(struct stoa_req *req, stoa_str key, enum payment_state *ret)
{
    const struct stoa_rows *rows;

    STOA_TRY(stoa_sql(req, &stmt_state, STOA_ARGS(stoa_s(key)), &rows));
    *ret = PAYMENT_NONE;
    if (stoa_rows_count(rows) > 0)
        *ret = payment_state_of(stoa_rows_str(rows, 0, "state"));
    return *ret == PAYMENT_STATE_COUNT ? STOA_E_UPSTREAM : STOA_OK;
}

static stoa_err charge(struct stoa_req *req, const struct payment_charge *charge,
                       enum payment_state state, enum payment_state *ret)
{
    const struct stoa_rows *rows;

    STOA_TRY(stoa_sql(req, &stmt_charge,
                      STOA_ARGS(stoa_s(charge->key), stoa_i(charge->amount.minor),
                                stoa_z(charge->amount.cur), stoa_z(payment_state_name(state)),
                                stoa_i(stoa_now(req))),
                      &rows));
    *ret = state;
    return stoa_rows_affected(rows) == 1 ? STOA_OK : sandbox_status(req, charge->key, ret);
}

static bool is_charged_in_time(const struct payment_charge *charge)
{
    if (stoa_str_is(charge->token, "tok_timeout"))
        return stoa_str_hash(charge->key) & 1;
    return stoa_str_is(charge->token, "tok_timeout_charged");
}

static stoa_err sandbox_open(struct stoa_req *req, const struct payment_charge *what,
                             enum payment_state *ret)
{
    if (stoa_str_is(what->token, "tok_ok"))
        return charge(req, what, PAYMENT_CAPTURED, ret);
    if (stoa_str_is(what->token, "tok_3ds"))
        return charge(req, what, PAYMENT_ACTION, ret);
    if (stoa_str_is(what->token, "tok_charge_drop")) {
        STOA_TRY(charge(req, what, PAYMENT_CAPTURED, ret));
        return STOA_E_UPSTREAM;
    }
    if (stoa_str_starts(what->token, STOA_STR("tok_timeout"))) {
        if (is_charged_in_time(what))
            STOA_TRY(charge(req, what, PAYMENT_CAPTURED, ret));
        STOA_TRY(stoa_sleep(req, stoa_time_left(req) + 1));
        return STOA_E_TIMEOUT;
    }
    return charge(req, what, PAYMENT_DECLINED, ret);
}

static stoa_err sandbox_confirm(struct stoa_req *req, stoa_str key, bool is_accepted,
                                enum payment_state *ret)
{
    enum payment_state state = is_accepted ? PAYMENT_CAPTURED : PAYMENT_DECLINED;

    STOA_TRY(stoa_sql(req, &stmt_confirm, STOA_ARGS(stoa_s(key), stoa_z(payment_state_name(state))),
                      NULL));
    return sandbox_status(req, key, ret);
}

static stoa_err sandbox_cancel(struct stoa_req *req, const struct payment_charge *what)
{
    return stoa_sql(req, &stmt_cancel,
                    STOA_ARGS(stoa_s(what->key), stoa_i(what->amount.minor),
                              stoa_z(what->amount.cur), stoa_i(stoa_now(req))),
                    NULL);
}

static stoa_err refund_in(struct stoa_req *req, struct stoa_tx *tx, const struct payment_back *back)
{
    const struct stoa_rows *rows;

    STOA_TRY(stoa_tx_sql(tx, &stmt_refund,
                         STOA_ARGS(stoa_s(back->refund_key), stoa_s(back->key),
                                   stoa_i(back->amount.minor), stoa_i(stoa_now(req))),
                         &rows));
    if (stoa_rows_affected(rows) == 0)
        return STOA_OK; /* done before */
    STOA_TRY(stoa_tx_sql(tx, &stmt_give_back,
                         STOA_ARGS(stoa_s(back->key), stoa_i(back->amount.minor)), &rows));
    return stoa_rows_affected(rows) == 1 ? STOA_OK : STOA_E_RANGE;
}

static stoa_err sandbox_refund(struct stoa_req *req, const struct payment_back *back)
{
    struct stoa_tx *tx;
    stoa_err err;

    STOA_TRY(stoa_tx_begin(req, &tx));
    err = refund_in(req, tx, back);
    if (err == STOA_OK)
        return stoa_tx_commit(tx);
    stoa_tx_rollback(tx);
    return err;
}

const struct payment_provider payment_sandbox = {.name = "sandbox",
                                                 .open = sandbox_open,
                                                 .status = sandbox_status,
                                                 .confirm = sandbox_confirm,
                                                 .cancel = sandbox_cancel,
                                                 .refund = sandbox_refund};
