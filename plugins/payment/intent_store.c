/* payment/intent_store.c: payment intents in the database. SPDX-License-Identifier: Apache-2.0 */
#include "payment.h"

#define COLUMNS "id, order_id, attempt, pay_key, amount, currency, state"
#define INSERT                                                                                     \
    "INSERT INTO payment_intent (id, order_id, attempt, pay_key, amount, currency, provider, "     \
    "state, refunded, created_ms, changed_ms) "                                                    \
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9, $9) ON CONFLICT (pay_key) "

static const struct stoa_stmt stmt_by_key = {
    "payment.by_key", "SELECT " COLUMNS " FROM payment_intent WHERE pay_key = $1", NULL,
    STOA_SQL_READ, 0};
static const struct stoa_stmt stmt_by_id = {"payment.by_id",
                                            "SELECT " COLUMNS " FROM payment_intent WHERE id = $1",
                                            NULL, STOA_SQL_READ, 0};
static const struct stoa_stmt stmt_insert = {"payment.insert", INSERT "DO NOTHING", NULL, 0, 0};
static const struct stoa_stmt stmt_settle = {
    "payment.settle",
    "UPDATE payment_intent SET state = $2, changed_ms = $3 "
    "WHERE pay_key = $1 AND state IN ('opening', 'requires_action')",
    NULL, 0, 0};
static const struct stoa_stmt stmt_voiding = {
    "payment.voiding",
    INSERT "DO UPDATE SET state = 'voiding', changed_ms = excluded.changed_ms "
           "WHERE payment_intent.state <> 'voided'",
    NULL, 0, 0};
static const struct stoa_stmt stmt_voided = {
    "payment.voided",
    "UPDATE payment_intent SET state = 'voided', changed_ms = $2 "
    "WHERE pay_key = $1 AND state = 'voiding'",
    NULL, 0, 0};

const char *payment_state_name(enum payment_state state)
{
#define X(name, text) [PAYMENT_##name] = text,
    static const char *const names[] = {PAYMENT_STATES(X)};
#undef X
    return names[state];
}

enum payment_state payment_state_of(stoa_str name)
{
    for (enum payment_state s = 0; s < PAYMENT_STATE_COUNT; s++)
        if (stoa_str_is(name, payment_state_name(s)))
            return s;
    return PAYMENT_STATE_COUNT;
}

static stoa_err read_one(struct stoa_req *req, const struct stoa_rows *rows,
                         struct payment_intent *ret)
{
    if (stoa_rows_count(rows) == 0)
        return STOA_E_NOT_FOUND;
    *ret = (struct payment_intent){
        .id = stoa_rows_str(rows, 0, "id"),
        .order_id = stoa_rows_str(rows, 0, "order_id"),
        .key = stoa_rows_str(rows, 0, "pay_key"),
        .attempt = stoa_rows_int(rows, 0, "attempt"),
        .amount = stoa_money_of(stoa_rows_int(rows, 0, "amount"),
                                stoa_cstr(stoa_req_arena(req), stoa_rows_str(rows, 0, "currency"))),
        .state = payment_state_of(stoa_rows_str(rows, 0, "state"))};
    return ret->state == PAYMENT_STATE_COUNT ? STOA_E_STALE : STOA_OK;
}

stoa_err intent_by_key(struct stoa_req *req, stoa_str key, struct payment_intent *ret)
{
    const struct stoa_rows *rows;

    STOA_TRY(stoa_sql(req, &stmt_by_key, STOA_ARGS(stoa_s(key)), &rows));
    return read_one(req, rows, ret);
}

stoa_err intent_by_id(struct stoa_req *req, stoa_str id, struct payment_intent *ret)
{
    const struct stoa_rows *rows;

    STOA_TRY(stoa_sql(req, &stmt_by_id, STOA_ARGS(stoa_s(id)), &rows));
    return read_one(req, rows, ret);
}

static stoa_err insert(struct stoa_req *req, const struct stoa_stmt *stmt,
                       const struct payment_intent *intent, const char *provider,
                       const struct stoa_rows **ret)
{
    return stoa_sql(req, stmt,
                    STOA_ARGS(stoa_s(intent->id), stoa_s(intent->order_id), stoa_i(intent->attempt),
                              stoa_s(intent->key), stoa_i(intent->amount.minor),
                              stoa_z(intent->amount.cur), stoa_z(provider),
                              stoa_z(payment_state_name(intent->state)), stoa_i(stoa_now(req))),
                    ret);
}

stoa_err intent_insert(struct stoa_req *req, const struct payment_intent *intent,
                       const char *provider, bool *is_new)
{
    const struct stoa_rows *rows;

    STOA_TRY(insert(req, &stmt_insert, intent, provider, &rows));
    *is_new = stoa_rows_affected(rows) == 1;
    return STOA_OK;
}

stoa_err intent_settle(struct stoa_req *req, const struct payment_intent *intent,
                       enum payment_state state, enum payment_state *ret)
{
    const struct stoa_rows *rows;
    struct payment_intent now;

    STOA_TRY(stoa_sql(
        req, &stmt_settle,
        STOA_ARGS(stoa_s(intent->key), stoa_z(payment_state_name(state)), stoa_i(stoa_now(req))),
        &rows));
    if (stoa_rows_affected(rows) == 1) {
        *ret = state;
        return STOA_OK;
    }
    STOA_TRY(intent_by_key(req, intent->key, &now));
    *ret = now.state;
    return STOA_OK;
}

stoa_err intent_voiding(struct stoa_req *req, const struct payment_intent *intent,
                        const char *provider)
{
    return insert(req, &stmt_voiding, intent, provider, NULL);
}

stoa_err intent_voided(struct stoa_req *req, stoa_str key)
{
    return stoa_sql(req, &stmt_voided, STOA_ARGS(stoa_s(key), stoa_i(stoa_now(req))), NULL);
}
