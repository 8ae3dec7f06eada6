/* payment/audit.c: our books against the bank's. SPDX-License-Identifier: Apache-2.0 */
#include "payment.h"

enum {
    FINDINGS_MAX = 1000,
    ORDERS_MAX = 1000,        /* of one question */
    SETTLED_AFTER_MS = 60000, /* younger differences may be a payment under way */
};

#define CAPTURED_OF                                                                                \
    "SELECT order_id, CAST(SUM(amount) AS BIGINT) AS captured, "                                   \
    "CAST(SUM(refunded) AS BIGINT) AS refunded FROM payment_intent "
static const struct stoa_stmt stmt_captured = {
    "payment.captured_of_orders",
    CAPTURED_OF "WHERE state = 'captured' AND order_id IN (SELECT value FROM json_each($1)) "
                "GROUP BY order_id",
    CAPTURED_OF "WHERE state = 'captured' "
                "AND order_id IN (SELECT json_array_elements_text($1::json)) GROUP BY order_id",
    STOA_SQL_READ | STOA_SQL_SLOW, 0};
static const struct stoa_stmt stmt_double = {
    "payment.audit_double",
    "SELECT i.order_id AS subject, COUNT(*) AS number FROM payment_intent i "
    "JOIN payment_sandbox_charge c ON c.charge_key = i.pay_key WHERE c.state = 'captured' "
    "GROUP BY i.order_id HAVING COUNT(*) > 1 LIMIT $1",
    NULL, STOA_SQL_READ | STOA_SQL_SLOW, 0};
static const struct stoa_stmt stmt_differs = {
    "payment.audit_differs",
    "SELECT i.pay_key AS subject, i.amount AS number FROM payment_intent i "
    "LEFT JOIN payment_sandbox_charge c ON c.charge_key = i.pay_key "
    "WHERE i.provider = 'sandbox' AND i.changed_ms < $2 AND ((i.state = 'captured' "
    "AND (c.state IS NULL OR c.state <> 'captured' OR c.amount <> i.amount "
    "OR c.refunded <> i.refunded)) OR (i.state <> 'captured' AND c.state = 'captured')) LIMIT $1",
    NULL, STOA_SQL_READ | STOA_SQL_SLOW, 0};
static const struct stoa_stmt stmt_foreign = {
    "payment.audit_foreign",
    "SELECT c.charge_key AS subject, c.amount AS number FROM payment_sandbox_charge c "
    "LEFT JOIN payment_intent i ON i.pay_key = c.charge_key WHERE i.id IS NULL LIMIT $1",
    NULL, STOA_SQL_READ | STOA_SQL_SLOW, 0};
static const struct stoa_stmt stmt_totals = {
    "payment.audit_totals",
    "SELECT COUNT(*) AS charges, CAST(COALESCE(SUM(amount - refunded), 0) AS BIGINT) AS captured "
    "FROM payment_sandbox_charge WHERE state = 'captured'",
    NULL, STOA_SQL_READ | STOA_SQL_SLOW, 0};

static void set_sums(struct stoa_json *json, const char *name, struct stoa_arena *arena,
                     const struct stoa_rows *rows)
{
    struct stoa_json *sums = stoa_json_set(json, name, stoa_json_object(arena));

    for (uint32_t i = 0; i < stoa_rows_count(rows); i++)
        stoa_json_set_int(sums, stoa_cstr(arena, stoa_rows_str(rows, i, "order_id")),
                          stoa_rows_int(rows, i, name));
}

/* POST /internal/payment/captured {"orders": [id]}: what was captured of each, and what of that was
 * given back. */
stoa_err audit_captured(struct stoa_req *req, void *self)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    const struct stoa_json *orders = stoa_json_get(stoa_req_json(req), "orders");
    struct stoa_json *json = stoa_json_object(arena);
    const struct stoa_rows *rows;

    (void)self;
    if (stoa_json_type(orders) != STOA_JSON_ARRAY || stoa_json_count(orders) > ORDERS_MAX)
        return stoa_fail(req, STOA_E_INVALID, "orders must be a list of at most 1000 ids",
                         STOA_NO_FIELDS);
    STOA_TRY(stoa_sql(req, &stmt_captured, STOA_ARGS(stoa_j(orders)), &rows));
    set_sums(json, "captured", arena, rows);
    set_sums(json, "refunded", arena, rows);
    return stoa_reply_json(req, 200, json);
}

static void add_findings(struct stoa_req *req, struct stoa_json *findings, const char *code,
                         const char *detail, const struct stoa_rows *rows)
{
    for (uint32_t i = 0; i < stoa_rows_count(rows); i++) {
        struct stoa_json *finding = stoa_json_push(findings, stoa_json_object(stoa_req_arena(req)));
        stoa_json_set_str(finding, "code", stoa_str_of(code));
        stoa_json_set_column(finding, rows, i, "subject");
        stoa_json_set_int(finding, "number", stoa_rows_int(rows, i, "number"));
        stoa_json_set_str(finding, "detail", stoa_str_of(detail));
    }
}

static stoa_err look(struct stoa_req *req, struct stoa_json *findings)
{
    const struct stoa_rows *rows;

    STOA_TRY(stoa_sql(req, &stmt_double, STOA_ARGS(stoa_i(FINDINGS_MAX)), &rows));
    add_findings(req, findings, "payment.double_capture", "more than one capture for one order",
                 rows);
    STOA_TRY(stoa_sql(req, &stmt_differs,
                      STOA_ARGS(stoa_i(FINDINGS_MAX), stoa_i(stoa_now(req) - SETTLED_AFTER_MS)),
                      &rows));
    add_findings(req, findings, "payment.bank_differs", "our books and the bank's differ", rows);
    STOA_TRY(stoa_sql(req, &stmt_foreign, STOA_ARGS(stoa_i(FINDINGS_MAX)), &rows));
    add_findings(req, findings, "payment.unknown_charge", "the bank has a charge that we do not",
                 rows);
    return STOA_OK;
}

stoa_err audit_payments(struct stoa_req *req, void *self)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    struct stoa_json *json = stoa_json_object(arena), *totals;
    const struct stoa_rows *rows;

    (void)self;
    STOA_TRY(look(req, stoa_json_set(json, "findings", stoa_json_array(arena))));
    STOA_TRY(stoa_sql(req, &stmt_totals, STOA_NO_ARGS, &rows));
    totals = stoa_json_set(json, "totals", stoa_json_object(arena));
    stoa_json_set_int(totals, "charges", stoa_rows_int(rows, 0, "charges"));
    stoa_json_set_int(totals, "captured", stoa_rows_int(rows, 0, "captured"));
    return stoa_reply_json(req, 200, json);
}
