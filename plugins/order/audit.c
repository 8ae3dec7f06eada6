/* order/audit.c: do the books agree? SPDX-License-Identifier: Apache-2.0 */
#include "order.h"

enum {
    PAGE = 100,          /* orders of a part: the largest ones need some 150 KB each */
    FINDINGS_MAX = 1000, /* of one kind; the first thousand tell as much as all */
    MAIL_DUE_MS = 60000,
    STUCK_AFTER_MS = 60000,
    STUCK_AFTER_TRIES = 10, /* about three minutes (saga_backoff_ms) */
};

static const struct stoa_stmt stmt_page = {
    "order.audit_page",
    "SELECT o.id, o.subtotal, o.adjusted, o.shipping, o.total, o.lines, o.adjustments, s.step, "
    "s.changed_ms "
    "FROM order_order o JOIN order_saga s ON s.order_id = o.id "
    "WHERE o.id > $1 ORDER BY o.id LIMIT $2",
    NULL, STOA_SQL_READ | STOA_SQL_SLOW, 0};
/* Past its deadline nobody drives it; each fruitless try moves the deadline on, so these are
 * counted. Waiting for the buyer is not fruitless until the window has closed. */
static const struct stoa_stmt stmt_stuck = {
    "order.audit_stuck",
    "SELECT order_id, step, tries FROM order_saga WHERE step NOT IN ('done', 'cancelled') "
    "AND (deadline_ms < $1 OR (tries >= $3 AND (step <> 'action' OR expires_ms < $1))) "
    "ORDER BY deadline_ms LIMIT $2",
    NULL, STOA_SQL_READ | STOA_SQL_SLOW, 0};

struct audit {
    struct stoa_req *req;
    struct stoa_arena *arena;
    struct stoa_json *findings;
    int64_t paid_sum, refunded_sum, paid, in_flight, orders;
};

static struct stoa_json *add_finding(struct audit *a, const char *code, stoa_str order_id,
                                     const char *detail)
{
    struct stoa_json *finding = stoa_json_push(a->findings, stoa_json_object(a->arena));

    stoa_json_set_str(finding, "code", stoa_str_of(code));
    stoa_json_set_str(finding, "order_id", order_id);
    stoa_json_set_str(finding, "detail", stoa_str_of(detail));
    return finding;
}

/* Sum of "amount" over a stored list. */
static stoa_err sum_of(struct audit *a, const struct stoa_rows *rows, uint32_t i,
                       const char *column, int64_t *ret)
{
    const struct stoa_json *list;

    *ret = 0;
    STOA_TRY(stoa_json_parse(a->arena, stoa_rows_str(rows, i, column), NULL, &list));
    for (const struct stoa_json *e = stoa_json_first(list); e; e = stoa_json_next(e))
        *ret += stoa_json_int(e, "amount.amount", 0);
    return STOA_OK;
}

static stoa_err check_amounts(struct audit *a, const struct stoa_rows *rows, uint32_t i)
{
    int64_t subtotal = stoa_rows_int(rows, i, "subtotal");
    int64_t adjusted = stoa_rows_int(rows, i, "adjusted");
    int64_t shipping = stoa_rows_int(rows, i, "shipping");
    int64_t lines, adjustments;

    STOA_TRY(sum_of(a, rows, i, "lines", &lines));
    STOA_TRY(sum_of(a, rows, i, "adjustments", &adjustments));
    if (lines != subtotal || adjustments != adjusted ||
        subtotal + adjusted + shipping != stoa_rows_int(rows, i, "total"))
        add_finding(a, "order.amounts", stoa_rows_str(rows, i, "id"),
                    "lines, adjustments and shipping do not make up the total");
    return STOA_OK;
}

static int64_t money_of(const struct stoa_json *money, const char *name, stoa_str id)
{
    return stoa_json_int(stoa_json_member(stoa_json_get(money, name), id), "", 0);
}

/* money: {"captured": {"ord_…": minor units}, "refunded": …} of those orders that payment has any
 * of; the total was captured whatever was given back later. */
static void check_money(struct audit *a, const struct stoa_rows *rows, uint32_t i,
                        const struct stoa_json *money)
{
    stoa_str id = stoa_rows_str(rows, i, "id"), step = stoa_rows_str(rows, i, "step");
    enum saga_step known = saga_step_of(step.ptr, step.len);
    int64_t captured = money_of(money, "captured", id);
    int64_t total = stoa_rows_int(rows, i, "total");

    a->orders++;
    if (known == SAGA_STEP_COUNT || saga_is_paid(known)) {
        a->paid++;
        a->paid_sum += total;
        a->refunded_sum += money_of(money, "refunded", id);
        if (captured != total)
            stoa_json_set_int(add_finding(a, "order.payment_differs", id,
                                          "the captured amount is not the order's total"),
                              "captured", captured);
    } else if (known != SAGA_CANCELLED) {
        a->in_flight++;
    } else if (captured != 0) {
        stoa_json_set_int(add_finding(a, "order.captured_but_cancelled", id,
                                      "a cancelled order has a captured payment"),
                          "captured", captured);
    }
}

/* Payment's view of these orders; what it does not have, it leaves out. */
static stoa_err ask_payment(struct audit *a, const struct stoa_rows *rows,
                            const struct stoa_json **ret)
{
    struct stoa_json *body = stoa_json_object(a->arena);
    struct stoa_json *ids = stoa_json_set(body, "orders", stoa_json_array(a->arena));
    struct stoa_answer answer;

    for (uint32_t i = 0; i < stoa_rows_count(rows); i++)
        stoa_json_push(ids, stoa_json_new_str(a->arena, stoa_rows_str(rows, i, "id")));
    STOA_TRY(
        stoa_call_post(a->req, "payment", STOA_STR("/internal/payment/captured"), body, &answer));
    if (answer.status != 200)
        return STOA_E_PLUGIN;
    *ret = answer.json;
    return STOA_OK;
}

static bool needs_mail(struct audit *a, const struct stoa_rows *rows, uint32_t i)
{
    stoa_str step = stoa_rows_str(rows, i, "step");

    return saga_is_paid(saga_step_of(step.ptr, step.len)) &&
           stoa_rows_int(rows, i, "changed_ms") < stoa_now(a->req) - MAIL_DUE_MS;
}

/* Sums of orders and mails say little while some of either are on their way; this asks for each. A
 * mail that could not be sent yet is the other plugin's finding. */
static stoa_err check_mails(struct audit *a, const struct stoa_rows *rows)
{
    struct stoa_json *body = stoa_json_object(a->arena);
    struct stoa_json *ids = stoa_json_set(body, "aggregates", stoa_json_array(a->arena));
    struct stoa_answer answer;
    const struct stoa_json *known;
    stoa_err err;

    for (uint32_t i = 0; i < stoa_rows_count(rows); i++)
        if (needs_mail(a, rows, i))
            stoa_json_push(ids, stoa_json_new_str(a->arena, stoa_rows_str(rows, i, "id")));
    if (stoa_json_count(ids) == 0)
        return STOA_OK;
    err = stoa_call_post(a->req, "notification", STOA_STR("/internal/notification/known"), body,
                         &answer);
    if (err == STOA_E_PLUGIN)
        return STOA_OK; /* a shop that sends no mails */
    STOA_TRY(err);
    if (answer.status != 200)
        return STOA_E_PLUGIN;
    known = stoa_json_get(answer.json, "known");
    for (const struct stoa_json *e = stoa_json_first(ids); e; e = stoa_json_next(e))
        if (!stoa_json_member(known, stoa_json_str(e, "")))
            add_finding(a, "order.mail_missing", stoa_json_str(e, ""),
                        "a paid order without a confirmation mail");
    return STOA_OK;
}

/* The orders behind after; *next: empty when these were the last. */
static stoa_err audit_page(struct audit *a, stoa_str after, stoa_str *next)
{
    const struct stoa_rows *rows;
    const struct stoa_json *money;
    uint32_t count;

    STOA_TRY(stoa_sql(a->req, &stmt_page, STOA_ARGS(stoa_s(after), stoa_i(PAGE)), &rows));
    count = stoa_rows_count(rows);
    *next = count == PAGE ? stoa_rows_str(rows, count - 1, "id") : STOA_STR("");
    if (count == 0)
        return STOA_OK;
    STOA_TRY(ask_payment(a, rows, &money));
    for (uint32_t i = 0; i < count; i++) {
        STOA_TRY(check_amounts(a, rows, i));
        check_money(a, rows, i, money);
    }
    return check_mails(a, rows);
}

static stoa_err audit_stuck(struct audit *a)
{
    const struct stoa_rows *rows;

    STOA_TRY(stoa_sql(a->req, &stmt_stuck,
                      STOA_ARGS(stoa_i(stoa_now(a->req) - STUCK_AFTER_MS), stoa_i(FINDINGS_MAX),
                                stoa_i(STUCK_AFTER_TRIES)),
                      &rows));
    for (uint32_t i = 0; i < stoa_rows_count(rows); i++) {
        struct stoa_json *finding =
            add_finding(a, "order.stuck", stoa_rows_str(rows, i, "order_id"),
                        "the order is past its step's deadline, or tries in vain");
        stoa_json_set_column(finding, rows, i, "step");
        stoa_json_set_int(finding, "tries", stoa_rows_int(rows, i, "tries"));
    }
    return STOA_OK;
}

stoa_err audit_orders(struct stoa_req *req, void *self)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    struct stoa_json *json = stoa_json_object(arena), *totals;
    struct audit a = {.req = req, .arena = arena};
    stoa_str after = stoa_json_str(stoa_req_json(req), "after"), next;

    (void)self;
    a.findings = stoa_json_set(json, "findings", stoa_json_array(arena));
    STOA_TRY(audit_page(&a, after, &next));
    if (next.len > 0)
        stoa_json_set_str(json, "next", next);
    else
        STOA_TRY(audit_stuck(&a));
    totals = stoa_json_set(json, "totals", stoa_json_object(arena));
    stoa_json_set_int(totals, "orders", a.orders);
    stoa_json_set_int(totals, "orders_in_flight", a.in_flight);
    stoa_json_set_int(totals, "paid_orders", a.paid);
    stoa_json_set_int(totals, "paid_minus_refunds", a.paid_sum - a.refunded_sum);
    return stoa_reply_json(req, 200, json);
}
