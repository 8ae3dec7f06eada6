/* call/deliver.c: what is due, who has a place, how it ended. SPDX-License-Identifier: Apache-2.0
 */
#include "call/deliver.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "call/events.h"
#include "call/invoke.h"
#include "call/journal.h"
#include "call/remote.h"
#include "call/wiring.h"
#include "fiber/fiber.h"
#include <stddef.h>
#include <stdio.h>

struct delivery {
    struct deliveries *home;
    struct stoa_arena *arena;
    struct world *world; /* NULL: read, and not begun */
    struct world_hold hold;
    struct stoa_event event;
    const char *subscriber;
    stoa_str data, trace;
    bool is_refused; /* its plugin could not be reached */
    bool is_settled; /* its outcome is written down */
    bool is_cut;
    struct fiber *fiber;
    struct delivery *next;
};

#define TEXT_OF(number) TEXT(number) /* of what it stands for */
#define TEXT(token) #token

/* In order per subscriber and aggregate: what an earlier event still waits for waits, too. $2: of
 * subscribers for whom nothing is wanted; $3: ["subscriber event_id"], read already. */
static const struct stoa_stmt DUE = {
    "bus.due",
    "SELECT event_id, subscriber, event, aggregate, data, trace, created_at, attempt FROM stoa_bus"
    " b WHERE state = 'ready' AND next_at <= $1"
    " AND subscriber NOT IN (SELECT value FROM json_each($2))"
    " AND subscriber || ' ' || event_id NOT IN (SELECT value FROM json_each($3))"
    " AND NOT EXISTS (SELECT 1 FROM stoa_bus e"
    " WHERE e.subscriber = b.subscriber AND e.aggregate = b.aggregate AND e.state = 'ready'"
    " AND e.event_id < b.event_id) ORDER BY event_id"
    " LIMIT " TEXT_OF(DELIVER_AHEAD),
    "SELECT event_id, subscriber, event, aggregate, data, trace, created_at, attempt FROM stoa_bus"
    " b WHERE state = 'ready' AND next_at <= $1"
    " AND subscriber NOT IN (SELECT json_array_elements_text($2::json))"
    " AND subscriber || ' ' || event_id NOT IN (SELECT json_array_elements_text($3::json))"
    " AND NOT EXISTS (SELECT 1 FROM stoa_bus e"
    " WHERE e.subscriber = b.subscriber AND e.aggregate = b.aggregate AND e.state = 'ready'"
    " AND e.event_id < b.event_id) ORDER BY event_id"
    " LIMIT " TEXT_OF(DELIVER_AHEAD),
    STOA_SQL_READ, 0};
static const struct stoa_stmt ACK = {
    "bus.ack", "DELETE FROM stoa_bus WHERE subscriber = $1 AND event_id = $2", NULL, 0, 0};
static const struct stoa_stmt RETRY = {
    "bus.retry",
    "UPDATE stoa_bus SET attempt = $3, next_at = $4, state = $5, error = $6"
    " WHERE subscriber = $1 AND event_id = $2",
    NULL, 0, 0};

/* ---- Who cannot be reached ---- */

/* One that ends later than any can was begun before the clock was set back. */
static bool is_away(const struct outage *o)
{
    int64_t left = o->until_ms - clock_utc_ms();

    return left > 0 && left <= DELIVER_WAIT_MS;
}

static struct outage *find_outage(struct deliveries *all, const char *subscriber)
{
    for (uint32_t i = 0; i < WORLD_PLUGINS_MAX; i++)
        if (strcmp(all->outages[i].subscriber, subscriber) == 0)
            return &all->outages[i];
    return NULL;
}

/* Those of plugins that no world has any more give way. */
static struct outage *add_outage(struct deliveries *all, const char *subscriber)
{
    struct outage *o = &all->outages[0];

    for (uint32_t i = 1; i < WORLD_PLUGINS_MAX; i++)
        if (all->outages[i].until_ms < o->until_ms)
            o = &all->outages[i];
    *o = (struct outage){0};
    snprintf(o->subscriber, sizeof o->subscriber, "%s", subscriber);
    return o;
}

/* Returns whether that is news, not one more of those that were on their way together. */
static bool note_refusal(struct deliveries *all, const char *subscriber)
{
    struct outage *o = find_outage(all, subscriber);

    if (o && is_away(o))
        return false;
    if (!o)
        o = add_outage(all, subscriber);
    o->pause_ms = o->pause_ms > 0 ? 2 * o->pause_ms : all->backoff_ms;
    o->pause_ms = o->pause_ms < DELIVER_WAIT_MS ? o->pause_ms : DELIVER_WAIT_MS;
    o->until_ms = clock_utc_ms() + o->pause_ms;
    return true;
}

static void note_reached(struct deliveries *all, const char *subscriber)
{
    struct outage *o = find_outage(all, subscriber);

    if (o)
        *o = (struct outage){0};
}

/* ---- One delivery, on its fiber ---- */

static const struct subscription *find_subscription(const struct delivery *d)
{
    const struct wiring *w = d->world->wiring;

    for (uint32_t i = 0; i < w->subscription_count; i++)
        if (stoa_str_is(d->event.name, w->subscriptions[i].event) &&
            strcmp(d->subscriber, d->world->generations[w->subscriptions[i].plugin]->name) == 0)
            return &w->subscriptions[i];
    return NULL;
}

/* The world is to end: whatever the handler waits for is over. */
static bool cut_delivery(struct world_hold *hold)
{
    struct delivery *d = (struct delivery *)((char *)hold - offsetof(struct delivery, hold));

    if (d->is_cut)
        return false;
    d->is_cut = true;
    log_warn("events", "an event's handler of a replaced world was cut",
             stoa_f("event", stoa_s(d->event.name)), stoa_f("subscriber", stoa_z(d->subscriber)),
             stoa_f("world", stoa_i((int64_t)hold->world->number)));
    fiber_cancel(d->fiber);
    return true;
}

static stoa_err hand_over(struct delivery *d, const struct subscription *s, struct stoa_req *req)
{
    stoa_err err;

    STOA_TRY(stoa_json_parse(req->arena, d->data, NULL, &req->json));
    if (remote_is(d->world, s->plugin))
        return remote_ask(req, REMOTE_EVENT); /* its inbox is there */
    journal_inbox(req, d->subscriber, d->event.id);
    err = invoke_handler(req, s->handler);
    return req->journal->state == JOURNAL_DUPLICATE ? STOA_OK : err;
}

static stoa_err handle(struct delivery *d, const struct subscription *s)
{
    struct stoa_req *req = invoke_request_create(d->world, s->plugin, EVENT_TIMEOUT_MS);
    stoa_err err;

    trace_start(d->trace, &req->trace);
    req->event = &d->event;
    req->route_path = s->event;
    d->hold.req = req;
    err = hand_over(d, s, req);
    d->hold.req = NULL;
    d->is_refused = err != STOA_OK && req->is_refused;
    invoke_request_destroy(req);
    return err;
}

static void put_off(struct delivery *d, uint32_t attempts, int64_t pause_ms, const char *state,
                    stoa_err err)
{
    d->is_settled = sql_exec(d->home->sql, "host", &RETRY,
                             STOA_ARGS(stoa_z(d->subscriber), stoa_s(d->event.id), stoa_i(attempts),
                                       stoa_i(clock_utc_ms() + pause_ms), stoa_z(state),
                                       stoa_z(stoa_err_name(err))),
                             d->arena, NULL) == STOA_OK;
}

static void try_again(struct delivery *d, stoa_err err)
{
    bool is_dead = d->event.attempt >= EVENT_ATTEMPTS_MAX;
    int64_t pause = is_dead ? 0 : (int64_t)d->home->backoff_ms << (d->event.attempt - 1);

    metric_add(is_dead ? METRIC_events_dead_total : METRIC_events_retried_total, 1);
    log_put(is_dead ? STOA_ERROR : STOA_WARN, "events",
            is_dead ? "an event was given up" : "an event will be tried again",
            STOA_FIELDS(stoa_f("event", stoa_s(d->event.name)), stoa_f("id", stoa_s(d->event.id)),
                        stoa_f("subscriber", stoa_z(d->subscriber)),
                        stoa_f("attempt", stoa_i(d->event.attempt)),
                        stoa_f("error", stoa_z(stoa_err_name(err)))));
    put_off(d, d->event.attempt, pause, is_dead ? "dead" : "ready", err);
}

/* Its plugin, or the node or sandbox of it, is not there now: that is no failed try, however long
 * it takes. As long again as the event has waited; the log has the reason where it was seen. One
 * event is put off, so that the next try is another one's; the rest is due, and waits for its
 * subscriber, which costs no write however many they are. */
static void wait_for_plugin(struct delivery *d, stoa_err err)
{
    int64_t pause = clock_utc_ms() - d->event.time_ms;

    if (!note_refusal(d->home, d->subscriber))
        return;
    pause = pause < DELIVER_WAIT_MS ? pause : DELIVER_WAIT_MS;
    pause = pause > d->home->backoff_ms ? pause : d->home->backoff_ms;
    put_off(d, d->event.attempt - 1, pause, "ready", err);
}

static void acknowledge(struct delivery *d)
{
    metric_add(METRIC_events_relayed_total, 1);
    /* Not acknowledged: it comes again, and the inbox knows it. */
    d->is_settled =
        sql_exec(d->home->sql, "host", &ACK, STOA_ARGS(stoa_z(d->subscriber), stoa_s(d->event.id)),
                 d->arena, NULL) == STOA_OK;
}

static void note_result(struct delivery *d, stoa_err err)
{
    note_reached(d->home, d->subscriber);
    if (err == STOA_OK)
        acknowledge(d);
    else
        try_again(d, err);
}

static void deliver(void *arg)
{
    struct delivery *d = arg;
    const struct subscription *s = find_subscription(d);
    stoa_err err = s ? handle(d, s) : STOA_E_PLUGIN;

    fiber_mask(); /* the outcome is written down also when the handler was cut */
    if (err != STOA_OK && d->is_cut)
        put_off(d, d->event.attempt - 1, 0, "ready", err); /* to the next world, at once */
    else if (d->is_refused)
        wait_for_plugin(d, err);
    else
        note_result(d, err);
    fiber_unmask();
}

/* ---- All of them ---- */

static void destroy(struct delivery *d)
{
    struct delivery **link = &d->home->first;

    while (*link != d)
        link = &(*link)->next;
    *link = d->next;
    stoa_arena_destroy(d->arena);
}

struct share {
    uint32_t running, waiting;
};

static struct share share_of(const struct deliveries *all, const char *subscriber)
{
    struct share share = {0};

    for (const struct delivery *d = all->first; d; d = d->next)
        if (strcmp(d->subscriber, subscriber) == 0)
            *(d->world ? &share.running : &share.waiting) += 1;
    return share;
}

/* After an outage one event finds out whether it is over. */
static bool has_place(struct deliveries *all, const char *subscriber, struct share share)
{
    const struct outage *o = find_outage(all, subscriber);

    if (o)
        return share.running == 0 && !is_away(o);
    return share.running < (all->running < DELIVER_AT_ONCE ? DELIVER_TO_ONE : 1);
}

/* What was not written down is due all the same: to look for it now would make the relay spin for
 * as long as the database takes no writes. */
static void delivered(void *arg)
{
    struct delivery *d = arg;
    struct deliveries *all = d->home;
    bool is_settled = d->is_settled;

    world_hold_end(&d->hold);
    world_unpin(d->world);
    all->running--;
    all->must_look |= is_settled && share_of(all, d->subscriber).waiting == 0;
    destroy(d);
    if (is_settled || all->running == 0)
        all->delivered(all);
}

/* Returns false when no fiber could be had: it has its place still, for the next time. */
static bool begin(struct delivery *d)
{
    d->world = world_pin();
    d->hold = (struct world_hold){.world = d->world,
                                  .kind = "event",
                                  .name = d->subscriber,
                                  .since_us = clock_monotonic_us(),
                                  .cut = cut_delivery};
    world_hold_begin(&d->hold);
    d->home->running++;
    if (fiber_spawn(deliver, delivered, d, &d->fiber) == STOA_OK)
        return true;
    world_hold_end(&d->hold);
    world_unpin(d->world);
    d->world = NULL;
    d->home->running--;
    return false;
}

/* Returns false when there was no fiber for one that has a place. */
static bool begin_all(struct deliveries *all)
{
    struct delivery *next;

    for (struct delivery *d = all->first; d; d = next) {
        next = d->next;
        if (!d->world && has_place(all, d->subscriber, share_of(all, d->subscriber)) && !begin(d))
            return false;
    }
    return true;
}

/* ---- Reading ---- */

static void push(struct stoa_json *list, struct stoa_arena *arena, stoa_str text)
{
    stoa_json_push(list, stoa_json_new_str(arena, text));
}

static const struct stoa_json *busy(struct deliveries *all, struct stoa_arena *arena)
{
    struct stoa_json *list = stoa_json_array(arena);

    for (const struct delivery *d = all->first; d; d = d->next) {
        struct share share = share_of(all, d->subscriber);
        if (share.waiting > 0 || !has_place(all, d->subscriber, share))
            push(list, arena, stoa_str_of(d->subscriber));
    }
    for (uint32_t i = 0; i < WORLD_PLUGINS_MAX; i++)
        if (is_away(&all->outages[i]))
            push(list, arena, stoa_str_of(all->outages[i].subscriber));
    return list;
}

static const struct stoa_json *keys(const struct deliveries *all, struct stoa_arena *arena)
{
    struct stoa_json *list = stoa_json_array(arena);

    for (const struct delivery *d = all->first; d; d = d->next)
        push(list, arena,
             stoa_concat(arena, stoa_str_of(d->subscriber), STOA_STR(" "), d->event.id));
    return list;
}

static struct delivery *read_row(struct deliveries *all, const struct stoa_rows *rows, uint32_t i)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct delivery *d = stoa_new(arena, struct delivery);

    *d = (struct delivery){
        .home = all,
        .arena = arena,
        .subscriber = stoa_cstr(arena, stoa_rows_str(rows, i, "subscriber")),
        .data = stoa_str_copy(arena, stoa_rows_str(rows, i, "data")),
        .trace = stoa_str_copy(arena, stoa_rows_str(rows, i, "trace")),
        .event = {.id = stoa_str_copy(arena, stoa_rows_str(rows, i, "event_id")),
                  .name = stoa_str_copy(arena, stoa_rows_str(rows, i, "event")),
                  .aggregate = stoa_str_copy(arena, stoa_rows_str(rows, i, "aggregate")),
                  .time_ms = stoa_rows_int(rows, i, "created_at"),
                  .attempt = (uint32_t)stoa_rows_int(rows, i, "attempt") + 1}};
    return d;
}

/* Returns whether there may be more of it. */
static bool read_ahead(struct deliveries *all)
{
    struct stoa_arena *arena = stoa_arena_create();
    const struct stoa_rows *rows = NULL;
    struct delivery **end = &all->first;
    uint32_t count = 0;

    if (sql_exec(
            all->sql, "host", &DUE,
            STOA_ARGS(stoa_i(clock_utc_ms()), stoa_j(busy(all, arena)), stoa_j(keys(all, arena))),
            arena, &rows) == STOA_OK)
        count = stoa_rows_count(rows);
    while (*end)
        end = &(*end)->next;
    for (uint32_t i = 0; i < count; i++) {
        *end = read_row(all, rows, i);
        end = &(*end)->next;
    }
    stoa_arena_destroy(arena);
    return count == DELIVER_AHEAD;
}

/* Those of one subscriber may have been all that was read: then the others are looked for without
 * it. Each time at least one more of them has some that wait, so it ends. Without a fiber there is
 * no use in reading more. */
void deliver_due(struct deliveries *all)
{
    bool is_more = true;

    if (!begin_all(all))
        return;
    if (!all->must_look && clock_monotonic_ms() < all->looked_ms + EVENT_POLL_MS)
        return;
    all->must_look = false; /* one that ends meanwhile says so again */
    all->looked_ms = clock_monotonic_ms();
    while (is_more) {
        is_more = read_ahead(all);
        is_more &= begin_all(all);
    }
}

void deliver_forget(struct deliveries *all)
{
    struct delivery *next;

    for (struct delivery *d = all->first; d; d = next) {
        next = d->next;
        if (!d->world)
            destroy(d);
    }
    all->must_look = true;
}
