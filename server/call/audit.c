/* call/audit.c: nothing is corrected here; people decide about money. SPDX-License-Identifier:
 * Apache-2.0 */
#include "call/audit.h"

#include "base/clock.h"
#include "call/invoke.h"

enum { OVERDUE_MS = 60000 };

/* What waits for more than a minute is stuck: every retry is due earlier. */
static const struct stoa_stmt EVENTS = {
    "audit.events",
    "SELECT (SELECT COUNT(*) FROM stoa_outbox WHERE created_at < $1) AS unsent,"
    " (SELECT COUNT(*) FROM stoa_bus WHERE state = 'ready' AND created_at < $1) AS undelivered,"
    " (SELECT COUNT(*) FROM stoa_bus WHERE state = 'dead') AS dead,"
    " (SELECT COUNT(*) FROM stoa_outbox) + (SELECT COUNT(*) FROM stoa_bus"
    " WHERE state = 'ready') AS pending",
    NULL, STOA_SQL_READ, 0};

struct audit {
    struct world *world;
    struct stoa_arena *arena;
    struct stoa_json *findings, *totals;
};

static struct stoa_json *find(struct audit *a, const char *plugin, const char *code)
{
    struct stoa_json *f = stoa_json_push(a->findings, stoa_json_object(a->arena));

    stoa_json_set_str(f, "plugin", stoa_str_of(plugin));
    stoa_json_set_str(f, "code", stoa_str_of(code));
    return f;
}

static void take_findings(struct audit *a, const char *plugin, const struct stoa_json *list)
{
    for (const struct stoa_json *e = stoa_json_first(list); e; e = stoa_json_next(e)) {
        struct stoa_json *f = stoa_json_push(a->findings, stoa_json_copy(a->arena, e));
        stoa_json_set_str(f, "plugin", stoa_str_of(plugin));
    }
}

static void ask_plugin(struct audit *a, uint32_t plugin)
{
    const struct generation *g = a->world->generations[plugin];
    struct stoa_req *req = invoke_request_create(a->world, plugin, AUDIT_TIMEOUT_MS);
    const struct stoa_json *totals;
    stoa_err err;

    req->route_path = "audit";
    err = invoke_handler(req, g->desc.audit);
    if (err != STOA_OK)
        stoa_json_set_str(find(a, g->name, "audit_failed"), "detail",
                          stoa_str_of(stoa_err_name(err)));
    take_findings(a, g->name, stoa_json_get(req->reply.json, "findings"));
    totals = stoa_json_get(req->reply.json, "totals");
    if (totals)
        stoa_json_set(a->totals, g->name, stoa_json_copy(a->arena, totals));
    invoke_request_destroy(req);
}

static void check_events(struct audit *a, struct sql *sql)
{
    static const char *const counts[] = {"unsent", "undelivered", "dead"};
    const struct stoa_rows *rows = NULL;
    struct stoa_json *totals = stoa_json_object(a->arena);

    if (sql_exec(sql, "host", &EVENTS, STOA_ARGS(stoa_i(clock_utc_ms() - OVERDUE_MS)), a->arena,
                 &rows) != STOA_OK) {
        stoa_json_set_str(find(a, "host", "audit_failed"), "detail", stoa_str_of(sql_last_error()));
        return;
    }
    for (uint32_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (stoa_rows_int(rows, 0, counts[i]) > 0) {
            struct stoa_json *f = find(a, "host", "events_stuck");
            stoa_json_set_str(f, "detail", stoa_str_of(counts[i]));
            stoa_json_set_int(f, "count", stoa_rows_int(rows, 0, counts[i]));
        }
    stoa_json_set_int(totals, "pending", stoa_rows_int(rows, 0, "pending"));
    stoa_json_set(a->totals, "events", totals);
}

/* Compared only when nothing is in flight: between two plugins' transactions sums differ rightly.
 */
static void compare(struct audit *a, const char *left, const char *right, const char *code)
{
    const struct stoa_json *l = stoa_json_get(a->totals, left),
                           *r = stoa_json_get(a->totals, right);
    struct stoa_json *f;

    if (!l || !r || stoa_json_int(l, "", 0) == stoa_json_int(r, "", 0))
        return;
    f = find(a, "host", code);
    stoa_json_set_int(f, left, stoa_json_int(l, "", 0));
    stoa_json_set_int(f, right, stoa_json_int(r, "", 0));
}

struct stoa_json *audit_world(struct world *world, struct stoa_arena *arena)
{
    struct audit a = {world, arena, stoa_json_array(arena), stoa_json_object(arena)};
    struct stoa_json *report = stoa_json_object(arena);

    for (uint32_t i = 0; i < world->resources->sql_count; i++)
        check_events(&a, world->resources->sql[i]);
    for (uint32_t p = 0; p < world->plugins; p++)
        if (world->generations[p]->desc.audit)
            ask_plugin(&a, p);
    if (stoa_json_int(a.totals, "order.orders_in_flight", 0) == 0) {
        compare(&a, "order.paid_minus_refunds", "payment.captured", "money_differs");
        if (stoa_json_int(a.totals, "events.pending", 0) == 0)
            compare(&a, "order.paid_orders", "notification.mails", "mails_differ");
    }
    stoa_json_set(report, "findings", a.findings);
    stoa_json_set(report, "totals", a.totals);
    return report;
}
