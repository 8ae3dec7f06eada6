/* notification/delivery.c: which mails were sent. SPDX-License-Identifier: Apache-2.0 */
#include "notification.h"

enum {
    PAGE_MAX = 100,
    PAGE_DEFAULT = 20,
    FINDINGS_MAX = 1000,
    KNOWN_MAX = 1000,      /* of one question */
    RETRY_BATCH = 20,      /* of one run */
    RETRY_TRIES_MAX = 24,  /* with the pause below: most of a day; then staff may go on */
    RETRY_UNIT_MS = 15000, /* times the square of the tries so far */
    TIME_KEPT_BACK_MS = 5000,
};

#define INSERT                                                                                     \
    "INSERT INTO notification_delivery (id, message_id, kind, aggregate, recipient, state, "       \
    "attempts, error, payload, created_ms, changed_ms) "
static const struct stoa_stmt stmt_is_sent = {
    "notification.is_sent",
    "SELECT id FROM notification_delivery WHERE message_id = $1 AND state = 'sent'", NULL,
    STOA_SQL_READ, 0};
static const struct stoa_stmt stmt_sent = {
    "notification.sent",
    INSERT "VALUES ($1, $2, $3, $4, $5, 'sent', 1, '', '', $6, $6) ON CONFLICT (message_id) "
           "DO UPDATE SET state = 'sent', error = '', payload = '', "
           "attempts = notification_delivery.attempts + 1, changed_ms = excluded.changed_ms "
           "WHERE notification_delivery.state <> 'sent'",
    NULL, 0, 0};
static const struct stoa_stmt stmt_failed = {
    "notification.failed",
    INSERT "VALUES ($1, $2, $3, $4, $5, 'failed', 1, $6, $7, $8, $8) ON CONFLICT (message_id) "
           "DO UPDATE SET state = 'failed', error = excluded.error, payload = excluded.payload, "
           "attempts = notification_delivery.attempts + 1, changed_ms = excluded.changed_ms "
           "WHERE notification_delivery.state <> 'sent'",
    NULL, 0, 0};
#define LIST                                                                                       \
    "SELECT id, message_id, kind, aggregate, recipient, state, attempts, error, created_ms, "      \
    "changed_ms FROM notification_delivery "
#define NEWEST "ORDER BY id DESC LIMIT $1"
/* The first page has no comparison: no text is behind every id in every collation. */
static const struct stoa_stmt stmt_list = {"notification.list", LIST NEWEST, NULL, STOA_SQL_READ,
                                           0};
static const struct stoa_stmt stmt_list_after = {
    "notification.list_after", LIST "WHERE id < $2 " NEWEST, NULL, STOA_SQL_READ, 0};
static const struct stoa_stmt stmt_find = {
    "notification.find",
    "SELECT id, message_id, kind, aggregate, recipient, state, attempts, payload "
    "FROM notification_delivery WHERE id = $1",
    NULL, STOA_SQL_READ, 0};
/* Of two who try the same mail at once, a job and a member of the staff, one goes on. */
static const struct stoa_stmt stmt_claim = {
    "notification.claim",
    "UPDATE notification_delivery SET attempts = attempts + 1, changed_ms = $3 "
    "WHERE id = $1 AND state = 'failed' AND attempts = $2",
    NULL, 0, 0};
static const struct stoa_stmt stmt_failed_again = {
    "notification.failed_again",
    "UPDATE notification_delivery SET error = $2 WHERE id = $1 AND state = 'failed'", NULL, 0, 0};
static const struct stoa_stmt stmt_due = {
    "notification.due",
    "SELECT id, message_id, kind, aggregate, recipient, state, attempts, payload "
    "FROM notification_delivery WHERE state = 'failed' AND attempts < $1 "
    "AND changed_ms + attempts * attempts * $2 <= $3 ORDER BY id LIMIT $4",
    NULL, STOA_SQL_READ, 0};
#define KNOWN                                                                                      \
    "SELECT aggregate, state FROM notification_delivery WHERE kind = 'order.paid' AND aggregate "  \
    "IN "
static const struct stoa_stmt stmt_known = {
    "notification.known", KNOWN "(SELECT value FROM json_each($1))",
    KNOWN "(SELECT json_array_elements_text($1::json))", STOA_SQL_READ | STOA_SQL_SLOW, 0};
static const struct stoa_stmt stmt_open = {
    "notification.audit_failed",
    "SELECT id, aggregate, attempts, error FROM notification_delivery WHERE state = 'failed' "
    "ORDER BY id LIMIT $1",
    NULL, STOA_SQL_READ | STOA_SQL_SLOW, 0};
static const struct stoa_stmt stmt_count = {"notification.audit_count",
                                            "SELECT COUNT(*) AS mails FROM notification_delivery "
                                            "WHERE kind = 'order.paid' AND state = 'sent'",
                                            NULL, STOA_SQL_READ | STOA_SQL_SLOW, 0};

/* "shop.example" of "https://shop.example:8080/", "--1" of "http://[::1]": a message id has no
 * brackets and no colons. */
static stoa_str host_of(struct stoa_req *req, stoa_str url)
{
    int64_t at = stoa_str_find(url, '/', 0);
    stoa_str rest = at >= 0 ? stoa_str_sub(url, (uint64_t)at + 2, UINT64_MAX) : url;
    stoa_str host = stoa_str_cut(&rest, '/');
    bool is_literal = host.len > 0 && host.ptr[0] == '[';
    char *ret;

    if (is_literal)
        host = stoa_str_sub(host, 1, UINT64_MAX);
    host = stoa_str_cut(&host, is_literal ? ']' : ':');
    ret = stoa_cstr(stoa_req_arena(req), host);
    for (char *c = ret; *c; c++)
        if (*c == ':' || *c == '%')
            *c = '-';
    return stoa_str_of(ret);
}

stoa_str delivery_message_id(struct stoa_req *req, stoa_str aggregate)
{
    return stoa_concat(stoa_req_arena(req), aggregate, STOA_STR(".paid@"),
                       host_of(req, stoa_shop_url(req)));
}

stoa_err delivery_is_sent(struct stoa_req *req, stoa_str message_id, bool *ret)
{
    const struct stoa_rows *rows;

    STOA_TRY(stoa_sql(req, &stmt_is_sent, STOA_ARGS(stoa_s(message_id)), &rows));
    *ret = stoa_rows_count(rows) > 0;
    return STOA_OK;
}

stoa_err delivery_sent(struct stoa_req *req, struct stoa_tx *tx, const struct delivery *delivery)
{
    struct stoa_values args =
        STOA_ARGS(stoa_s(delivery->id), stoa_s(delivery->message_id), stoa_s(delivery->kind),
                  stoa_s(delivery->aggregate), stoa_s(delivery->recipient), stoa_i(stoa_now(req)));

    return tx ? stoa_tx_sql(tx, &stmt_sent, args, NULL) : stoa_sql(req, &stmt_sent, args, NULL);
}

stoa_err delivery_failed(struct stoa_req *event, struct stoa_tx *tx,
                         const struct delivery *delivery, stoa_err why)
{
    struct stoa_values args = STOA_ARGS(stoa_s(delivery->id), stoa_s(delivery->message_id),
                                        stoa_s(delivery->kind), stoa_s(delivery->aggregate),
                                        stoa_s(delivery->recipient), stoa_z(stoa_err_name(why)),
                                        stoa_j(stoa_req_json(event)), stoa_i(stoa_now(event)));

    return tx ? stoa_tx_sql(tx, &stmt_failed, args, NULL)
              : stoa_sql(event, &stmt_failed, args, NULL);
}

static struct stoa_json *delivery_json(struct stoa_arena *arena, const struct stoa_rows *rows,
                                       uint32_t i)
{
    static const char *const texts[] = {"id",        "message_id", "kind", "aggregate",
                                        "recipient", "state",      "error"};
    struct stoa_json *json = stoa_json_object(arena);

    for (uint64_t t = 0; t < sizeof(texts) / sizeof(texts[0]); t++)
        stoa_json_set_str(json, texts[t], stoa_rows_str(rows, i, texts[t]));
    stoa_json_set_int(json, "attempts", stoa_rows_int(rows, i, "attempts"));
    stoa_json_set_str(json, "created_at",
                      stoa_time_format(arena, stoa_rows_int(rows, i, "created_ms")));
    stoa_json_set_str(json, "changed_at",
                      stoa_time_format(arena, stoa_rows_int(rows, i, "changed_ms")));
    return json;
}

/* GET /deliveries?limit=&cursor= */
stoa_err deliveries_list(struct stoa_req *req, void *self)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    stoa_str cursor = stoa_req_query(req, "cursor"), limit_text = stoa_req_query(req, "limit");
    struct stoa_json *json = stoa_json_object(arena), *items;
    const struct stoa_rows *rows;
    int64_t limit = PAGE_DEFAULT;

    (void)self;
    if (limit_text.ptr)
        STOA_TRY(stoa_str_int(limit_text, 1, PAGE_MAX, &limit));
    STOA_TRY(cursor.len == 0 ? stoa_sql(req, &stmt_list, STOA_ARGS(stoa_i(limit)), &rows)
                             : stoa_sql(req, &stmt_list_after,
                                        STOA_ARGS(stoa_i(limit), stoa_s(cursor)), &rows));
    items = stoa_json_set(json, "items", stoa_json_array(arena));
    for (uint32_t i = 0; i < stoa_rows_count(rows); i++)
        stoa_json_push(items, delivery_json(arena, rows, i));
    if (stoa_rows_count(rows) == limit)
        stoa_json_set_str(json, "next_cursor",
                          stoa_rows_str(rows, stoa_rows_count(rows) - 1, "id"));
    else
        stoa_json_set(json, "next_cursor", stoa_json_new_null(arena));
    return stoa_reply_json(req, 200, json);
}

static stoa_err send_again(struct stoa_req *req, const struct delivery *delivery, stoa_str payload)
{
    const struct stoa_json *order;
    stoa_err err;

    STOA_TRY(stoa_json_parse(stoa_req_arena(req), payload, NULL, &order));
    err = mail_confirm(req, delivery, order);
    if (err == STOA_OK)
        return delivery_sent(req, NULL, delivery);
    STOA_TRY(stoa_sql(req, &stmt_failed_again,
                      STOA_ARGS(stoa_s(delivery->id), stoa_z(stoa_err_name(err))), NULL));
    return err;
}

/* Row i, a failed one. STOA_E_CONFLICT when somebody else tries it now. */
static stoa_err retry(struct stoa_req *req, const struct stoa_rows *rows, uint32_t i)
{
    struct delivery delivery = {.id = stoa_rows_str(rows, i, "id"),
                                .message_id = stoa_rows_str(rows, i, "message_id"),
                                .kind = stoa_rows_str(rows, i, "kind"),
                                .aggregate = stoa_rows_str(rows, i, "aggregate"),
                                .recipient = stoa_rows_str(rows, i, "recipient")};
    const struct stoa_rows *claimed;

    STOA_TRY(stoa_sql(req, &stmt_claim,
                      STOA_ARGS(stoa_s(delivery.id), stoa_i(stoa_rows_int(rows, i, "attempts")),
                                stoa_i(stoa_now(req))),
                      &claimed));
    if (stoa_rows_affected(claimed) == 0)
        return STOA_E_CONFLICT;
    return send_again(req, &delivery, stoa_rows_str(rows, i, "payload"));
}

/* POST /deliveries/{id}/retry: a failed one, once more. */
stoa_err deliveries_retry(struct stoa_req *req, void *self)
{
    const struct stoa_rows *rows;

    (void)self;
    STOA_TRY(stoa_sql(req, &stmt_find, STOA_ARGS(stoa_s(stoa_req_param(req, "id"))), &rows));
    if (stoa_rows_count(rows) == 0)
        return STOA_E_NOT_FOUND;
    if (!stoa_str_is(stoa_rows_str(rows, 0, "state"), "sent"))
        STOA_TRY(retry(req, rows, 0));
    return stoa_reply_fields(req, 200,
                             STOA_FIELDS(stoa_f("id", stoa_s(stoa_rows_str(rows, 0, "id"))),
                                         stoa_f("state", stoa_z("sent"))));
}

/* A job: a mail server may be away for longer than an event is tried. */
stoa_err deliveries_retry_due(struct stoa_req *req, void *self)
{
    const struct stoa_rows *rows;

    (void)self;
    STOA_TRY(stoa_sql(req, &stmt_due,
                      STOA_ARGS(stoa_i(RETRY_TRIES_MAX), stoa_i(RETRY_UNIT_MS),
                                stoa_i(stoa_now(req)), stoa_i(RETRY_BATCH)),
                      &rows));
    for (uint32_t i = 0; i < stoa_rows_count(rows); i++) {
        stoa_err err;

        if (stoa_time_left(req) < TIME_KEPT_BACK_MS)
            break;
        err = retry(req, rows, i);
        if (err != STOA_OK && err != STOA_E_CONFLICT)
            stoa_log(req, STOA_WARN, "a mail could not be sent yet",
                     STOA_FIELDS(stoa_f("delivery_id", stoa_s(stoa_rows_str(rows, i, "id"))),
                                 stoa_f("error", stoa_z(stoa_err_name(err)))));
    }
    return STOA_OK;
}

/* POST /internal/notification/known {"aggregates": [id]}: the state of the mail for each that has
 * one. */
stoa_err deliveries_known(struct stoa_req *req, void *self)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    const struct stoa_json *ids = stoa_json_get(stoa_req_json(req), "aggregates");
    struct stoa_json *json = stoa_json_object(arena), *known;
    const struct stoa_rows *rows;

    (void)self;
    if (stoa_json_type(ids) != STOA_JSON_ARRAY || stoa_json_count(ids) > KNOWN_MAX)
        return stoa_fail(req, STOA_E_INVALID, "aggregates must be a list of at most 1000 ids",
                         STOA_NO_FIELDS);
    STOA_TRY(stoa_sql(req, &stmt_known, STOA_ARGS(stoa_j(ids)), &rows));
    known = stoa_json_set(json, "known", stoa_json_object(arena));
    for (uint32_t i = 0; i < stoa_rows_count(rows); i++)
        stoa_json_set_str(known, stoa_cstr(arena, stoa_rows_str(rows, i, "aggregate")),
                          stoa_rows_str(rows, i, "state"));
    return stoa_reply_json(req, 200, json);
}

stoa_err deliveries_audit(struct stoa_req *req, void *self)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    struct stoa_json *json = stoa_json_object(arena), *findings, *totals;
    const struct stoa_rows *open, *count;

    (void)self;
    STOA_TRY(stoa_sql(req, &stmt_open, STOA_ARGS(stoa_i(FINDINGS_MAX)), &open));
    STOA_TRY(stoa_sql(req, &stmt_count, STOA_NO_ARGS, &count));
    findings = stoa_json_set(json, "findings", stoa_json_array(arena));
    for (uint32_t i = 0; i < stoa_rows_count(open); i++) {
        struct stoa_json *finding = stoa_json_push(findings, stoa_json_object(arena));
        stoa_json_set_str(finding, "code", STOA_STR("notification.failed"));
        stoa_json_set_str(finding, "delivery_id", stoa_rows_str(open, i, "id"));
        stoa_json_set_str(finding, "order_id", stoa_rows_str(open, i, "aggregate"));
        stoa_json_set_int(finding, "attempts", stoa_rows_int(open, i, "attempts"));
        stoa_json_set_str(finding, "detail", stoa_rows_str(open, i, "error"));
    }
    totals = stoa_json_set(json, "totals", stoa_json_object(arena));
    stoa_json_set_int(totals, "mails", stoa_rows_int(count, 0, "mails"));
    return stoa_reply_json(req, 200, json);
}
