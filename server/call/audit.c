/* call/audit.c: nothing is corrected here; people decide about money. SPDX-License-Identifier:
 * Apache-2.0 */
#include "call/audit.h"

#include "base/clock.h"
#include "call/invoke.h"
#include "call/remote.h"

enum { OVERDUE_MS = 60000, FINDINGS_MAX = 1000 };

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

static void add_totals(struct audit *a, struct stoa_json *sums, const struct stoa_json *totals)
{
    for (const struct stoa_json *e = stoa_json_first(totals); e; e = stoa_json_next(e)) {
        const char *name = stoa_cstr(a->arena, stoa_json_name(e));
        stoa_json_set_int(sums, name, stoa_json_int(sums, name, 0) + stoa_json_int(e, "", 0));
    }
}

/* From another node it comes as bytes. */
static void read_report(struct stoa_req *req)
{
    if (!req->reply.json && req->reply.body.len > 0 &&
        stoa_json_parse(req->arena, req->reply.body, NULL, &req->reply.json) != STOA_OK)
        req->reply.json = NULL;
}

/* One part, in memory of its own: a million orders need no more than a thousand do. Returns where
 * the next one begins; empty after the last. */
static stoa_str ask_part(struct audit *a, uint32_t plugin, stoa_str after, struct stoa_json *sums)
{
    const struct generation *g = a->world->generations[plugin];
    struct stoa_req *req = invoke_request_create(a->world, plugin, AUDIT_TIMEOUT_MS);
    struct stoa_json *question = stoa_json_object(req->arena);
    stoa_str next = {0};
    stoa_err err;

    stoa_json_set_str(question, "after", after);
    req->route_path = "audit";
    req->json = question;
    err = remote_is(a->world, plugin) ? remote_ask(req, REMOTE_AUDIT)
                                      : invoke_handler(req, g->desc.audit);
    read_report(req);
    if (err == STOA_OK)
        next = stoa_str_copy(a->arena, stoa_json_str(req->reply.json, "next"));
    else
        stoa_json_set_str(find(a, g->name, "audit_failed"), "detail",
                          stoa_str_of(stoa_err_name(err)));
    take_findings(a, g->name, stoa_json_get(req->reply.json, "findings"));
    add_totals(a, sums, stoa_json_get(req->reply.json, "totals"));
    invoke_request_destroy(req);
    return next;
}

static void ask_plugin(struct audit *a, uint32_t plugin)
{
    struct stoa_json *sums = stoa_json_object(a->arena);
    stoa_str after = STOA_STR(""), next = ask_part(a, plugin, after, sums);

    while (next.len > 0 && !stoa_str_eq(next, after) &&
           stoa_json_count(a->findings) < FINDINGS_MAX) {
        after = next;
        next = ask_part(a, plugin, after, sums);
    }
    if (stoa_json_count(sums) > 0)
        stoa_json_set(a->totals, a->world->generations[plugin]->name, sums);
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

static bool is_used(const struct world *world, const struct sql *sql)
{
    for (uint32_t p = 0; p < world->plugins; p++)
        if (!remote_is(world, p) && world_instance(world, 0, p)->sql == sql)
            return true;
    return false;
}

static void ask_all(struct audit *a)
{
    for (uint32_t i = 0; i < a->world->resources->sql_count; i++)
        if (is_used(a->world, a->world->resources->sql[i]))
            check_events(a, a->world->resources->sql[i]);
    for (uint32_t p = 0; p < a->world->plugins; p++)
        if (a->world->generations[p]->desc.audit && !a->world->generations[p]->left_out)
            ask_plugin(a, p);
}

/* What two plugins' books must have in common. */
static const struct pair {
    const char *left, *right, *code;
    bool after_events; /* true only once all events have arrived */
} pairs[] = {
    {"order.paid_minus_refunds", "payment.captured", "money_differs", false},
    {"order.paid_orders", "notification.mails", "mails_differ", true},
};

/* Nothing is in flight: between two plugins' transactions sums differ rightly. */
static bool differs(const struct audit *a, const struct pair *p)
{
    const struct stoa_json *l = stoa_json_get(a->totals, p->left),
                           *r = stoa_json_get(a->totals, p->right);

    if (!l || !r || stoa_json_int(a->totals, "order.orders_in_flight", 0) > 0)
        return false;
    if (p->after_events && stoa_json_int(a->totals, "events.pending", 0) > 0)
        return false;
    return stoa_json_int(l, "", 0) != stoa_json_int(r, "", 0);
}

static bool same_total(const struct audit *a, const struct audit *b, const char *path)
{
    return stoa_json_int(a->totals, path, 0) == stoa_json_int(b->totals, path, 0);
}

/* The plugins were asked one after the other, and orders came in meanwhile: what differs counts
 * only if nothing at all has changed when they are asked again. */
static void compare(struct audit *a, const struct audit *again, const struct pair *p)
{
    struct stoa_json *f;

    if (!differs(a, p) || !differs(again, p) || !same_total(a, again, p->left) ||
        !same_total(a, again, p->right))
        return;
    f = find(a, "host", p->code);
    stoa_json_set_int(f, p->left, stoa_json_int(a->totals, p->left, 0));
    stoa_json_set_int(f, p->right, stoa_json_int(a->totals, p->right, 0));
}

struct stoa_json *audit_world(struct world *world, struct stoa_arena *arena)
{
    struct audit a = {world, arena, stoa_json_array(arena), stoa_json_object(arena)};
    struct audit again = {world, arena, stoa_json_array(arena), stoa_json_object(arena)};
    struct stoa_json *report = stoa_json_object(arena);

    ask_all(&a);
    if (differs(&a, &pairs[0]) || differs(&a, &pairs[1]))
        ask_all(&again);
    for (uint32_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        compare(&a, &again, &pairs[i]);
    stoa_json_set(report, "findings", a.findings);
    stoa_json_set(report, "totals", a.totals);
    return report;
}
