/* call/events.c: one relay a database, on one loop: the lease, outbox to bus, and when to deliver.
 * SPDX-License-Identifier: Apache-2.0 */
#include "call/events.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "call/deliver.h"
#include "call/wiring.h"
#include "fiber/fiber.h"
#include "loop/loop.h"
#include <stdatomic.h>
#include <stdio.h>

enum { HOUSEKEEPING_MS = 2000, ATTACH_AGAIN_MS = 1000 };

/* Of a plugin's jobs: several nodes may run it, and the relay's holder need not. */
struct plugin_lease {
    char name[40]; /* "jobs.order"; empty: free */
    _Atomic int64_t until;
};

struct relay {
    struct sql *sql;
    uint32_t loop_index;
    struct loop *_Atomic loop; /* NULL: not started yet */
    struct fiber_wait nap;
    bool napping, is_over;
    _Atomic bool poked;          /* something was committed since the last step began */
    _Atomic bool posted;         /* message is on its way */
    _Atomic int64_t lease_until; /* monotonic ms */
    struct plugin_lease plugins[WORLD_PLUGINS_MAX];
    _Atomic bool is_used; /* by a plugin that runs on this node */
    _Atomic bool is_at_work;
    struct deliveries deliveries;
    int64_t housekeeping_at;
    int64_t pending;              /* its part of the metric */
    bool is_relaying, is_leasing; /* has the fiber for it */
    struct loop_timer again;      /* no fiber could be had */
    struct loop_message message;
};

static struct relay relays[RESOURCES_OPENED_MAX];
static _Atomic uint32_t relay_count; /* grows only; the rest of a relay is set before */
static uint32_t relay_loops, backoff_base_ms = 1000;
static char owner_name[64];
static _Atomic bool stopping;
static _Atomic bool held; /* see events_hold() */

/* Only on PostgreSQL, by its clock: the nodes' own may differ by more than a lease. One that ends
 * later than any lease can was taken before that clock was set back. */
static const struct stoa_stmt LEASE = {
    "lease.take",
    "INSERT INTO stoa_lease (name, owner, until) SELECT n, $1,"
    " (extract(epoch FROM clock_timestamp()) * 1000)::bigint + $2::bigint"
    " FROM json_array_elements_text($3::json) AS n ORDER BY n"
    " ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until"
    " WHERE stoa_lease.owner = excluded.owner OR stoa_lease.until < excluded.until - $2::bigint"
    " OR stoa_lease.until > excluded.until + $2::bigint RETURNING name",
    NULL, 0, 0};
/* As many as a step moves. */
static const struct stoa_stmt WAITING = {
    "outbox.waiting", "SELECT id FROM stoa_outbox ORDER BY id LIMIT 200", NULL, STOA_SQL_READ, 0};
/* $1: [{"e": event, "s": subscriber}], $2: [id] */
static const struct stoa_stmt FAN_OUT = {
    "outbox.fan_out",
    "INSERT INTO stoa_bus (event_id, subscriber, event, aggregate, data, trace, created_at, state,"
    " attempt, next_at, error) SELECT o.id, json_extract(s.value, '$.s'), o.event, o.aggregate,"
    " o.data, o.trace, o.created_at, 'ready', 0, 0, '' FROM stoa_outbox o JOIN json_each($1) s"
    " ON json_extract(s.value, '$.e') = o.event WHERE o.id IN (SELECT value FROM json_each($2))"
    " ON CONFLICT (subscriber, event_id) DO NOTHING",
    "INSERT INTO stoa_bus (event_id, subscriber, event, aggregate, data, trace, created_at, state,"
    " attempt, next_at, error) SELECT o.id, s->>'s', o.event, o.aggregate, o.data, o.trace,"
    " o.created_at, 'ready', 0, 0, '' FROM stoa_outbox o JOIN json_array_elements($1::json) s"
    " ON s->>'e' = o.event WHERE o.id IN (SELECT json_array_elements_text($2::json))"
    " ON CONFLICT (subscriber, event_id) DO NOTHING",
    0, 0};
static const struct stoa_stmt FORGET = {
    "outbox.forget", "DELETE FROM stoa_outbox WHERE id IN (SELECT value FROM json_each($1))",
    "DELETE FROM stoa_outbox WHERE id IN (SELECT json_array_elements_text($1::json))", 0, 0};
static const struct stoa_stmt PENDING = {
    "bus.pending",
    "SELECT (SELECT COUNT(*) FROM stoa_outbox) + (SELECT COUNT(*) FROM stoa_bus"
    " WHERE state = 'ready') AS n",
    NULL, STOA_SQL_READ, 0};

static void wake(struct relay *r)
{
    atomic_store(&r->poked, !r->napping);
    if (r->napping)
        fiber_wake(&r->nap);
}

static void wake_on_loop(struct loop_message *message)
{
    struct relay *r = (struct relay *)((char *)message - offsetof(struct relay, message));

    atomic_store(&r->posted, false);
    r->deliveries.must_look = true;
    wake(r);
}

static void on_delivered(struct deliveries *deliveries)
{
    struct relay *r = (struct relay *)((char *)deliveries - offsetof(struct relay, deliveries));

    wake(r);
}

static void attach_again(struct loop_timer *timer);

void events_init(struct resources *resources, uint32_t loops, const char *owner,
                 uint32_t backoff_ms)
{
    snprintf(owner_name, sizeof owner_name, "%s", owner);
    backoff_base_ms = backoff_ms;
    relay_loops = loops;
    atomic_store(&relay_count, 0);
    atomic_store(&stopping, false);
    events_add(resources);
}

static struct relay *relay_of(const struct sql *sql)
{
    for (uint32_t i = 0; i < relay_count; i++)
        if (relays[i].sql == sql)
            return &relays[i];
    return NULL;
}

void events_add(const struct resources *resources)
{
    for (uint32_t i = 0; i < resources->sql_count; i++) {
        uint32_t n = atomic_load(&relay_count);
        if (relay_of(resources->sql[i]) || n == RESOURCES_OPENED_MAX)
            continue;
        relays[n] = (struct relay){.sql = resources->sql[i],
                                   .loop_index = n % relay_loops,
                                   .is_used = true,
                                   .deliveries = {.sql = resources->sql[i],
                                                  .backoff_ms = backoff_base_ms,
                                                  .delivered = on_delivered},
                                   .again = {.fire = attach_again},
                                   .message = {.run = wake_on_loop}};
        atomic_store(&relay_count, n + 1);
    }
}

/* ---- The lease. On SQLite the lock on the data folder has settled it already. ---- */

static bool uses(const struct world *world, uint32_t plugin, const struct sql *sql)
{
    return !world->is_elsewhere[plugin] &&
           world_instance(world, loop_index(loop_current()), plugin)->sql == sql;
}

/* What this node would have: the relay, and the jobs of each plugin that runs here. */
static const struct stoa_json *wanted_leases(struct relay *r, const struct world *world,
                                             struct stoa_arena *arena)
{
    struct stoa_json *names = stoa_json_array(arena);
    char name[48];

    for (uint32_t p = 0; p < world->plugins; p++)
        if (uses(world, p, r->sql)) {
            snprintf(name, sizeof name, "jobs.%s", world->generations[p]->name);
            stoa_json_push(names, stoa_json_new_str(arena, stoa_str_of(name)));
        }
    atomic_store(&r->is_used, stoa_json_count(names) > 0);
    stoa_json_push(names, stoa_json_new_str(arena, STOA_STR("worker")));
    return names;
}

/* Slots are only ever filled, by this loop; the others read. */
static struct plugin_lease *find_lease(struct relay *r, stoa_str name, bool may_add)
{
    for (uint32_t i = 0; i < WORLD_PLUGINS_MAX; i++) {
        struct plugin_lease *l = &r->plugins[i];
        if (stoa_str_is(name, l->name))
            return l;
        if (!l->name[0] && may_add && name.len < sizeof l->name) {
            memcpy(l->name, name.ptr, name.len);
            return l;
        }
        if (!l->name[0])
            return NULL;
    }
    return NULL;
}

static void note_lease(struct relay *r, stoa_str name, int64_t until)
{
    struct plugin_lease *l;

    if (stoa_str_is(name, "worker")) {
        if (!events_lease_held(r->sql))
            events_wake(r->sql);
        atomic_store(&r->lease_until, until);
        return;
    }
    l = find_lease(r, name, true);
    if (l)
        atomic_store(&l->until, until);
}

static void take_leases(struct relay *r)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct world *world = world_pin();
    const struct stoa_rows *rows = NULL;
    int64_t now = clock_monotonic_ms();
    const struct stoa_json *names = wanted_leases(r, world, arena);

    world_unpin(world);
    if (atomic_load(&r->is_used) && !atomic_load(&held) &&
        sql_exec(r->sql, "host", &LEASE,
                 STOA_ARGS(stoa_z(owner_name), stoa_i(LEASE_MS), stoa_j(names)), arena,
                 &rows) == STOA_OK)
        for (uint32_t i = 0; i < stoa_rows_count(rows); i++)
            note_lease(r, stoa_rows_str(rows, i, "name"), now + LEASE_MS);
    stoa_arena_destroy(arena);
}

/* On a fiber of its own: a delivery may take longer than a lease, and must not lose it to another
 * node that would deliver the same event at the same time. */
static void lease_run(void *arg)
{
    struct relay *r = arg;

    fiber_set_deadline(INT64_MAX);
    do
        take_leases(r);
    while (fiber_sleep(events_lease_held(r->sql) ? LEASE_MS / 3 : EVENT_POLL_MS) == STOA_OK &&
           !r->is_over);
}

void events_hold(void)
{
    atomic_store(&held, true);
}

void events_release(void)
{
    atomic_store(&held, false);
}

bool events_lease_held(const struct sql *sql)
{
    struct relay *r = relay_of(sql);

    if (!r || !atomic_load(&r->is_used) || atomic_load(&held))
        return false;
    return !sql_is_postgresql(sql) || atomic_load(&r->lease_until) > clock_monotonic_ms();
}

bool events_jobs_lease_held(const struct sql *sql, const char *plugin)
{
    struct relay *r = relay_of(sql);
    struct plugin_lease *l;
    char name[48];

    if (!r || atomic_load(&held))
        return false;
    if (!sql_is_postgresql(sql))
        return true;
    snprintf(name, sizeof name, "jobs.%s", plugin);
    l = find_lease(r, stoa_str_of(name), false);
    return l && atomic_load(&l->until) > clock_monotonic_ms();
}

/* ---- Outbox to bus ---- */

static const struct stoa_json *subscribers(struct stoa_arena *arena, const struct world *world)
{
    const struct wiring *w = world->wiring;
    struct stoa_json *list = stoa_json_array(arena);

    for (uint32_t i = 0; i < w->subscription_count; i++) {
        struct stoa_json *s = stoa_json_push(list, stoa_json_object(arena));
        stoa_json_set_str(s, "e", stoa_str_of(w->subscriptions[i].event));
        stoa_json_set_str(s, "s",
                          stoa_str_of(world->generations[w->subscriptions[i].plugin]->name));
    }
    return list;
}

static stoa_err fan_out_tx(struct relay *r, struct stoa_arena *arena, const struct stoa_json *who,
                           const struct stoa_json *ids)
{
    struct sql_tx *tx;
    stoa_err err;

    STOA_TRY(sql_begin(r->sql, &tx));
    err = sql_tx_exec(tx, "host", &FAN_OUT, STOA_ARGS(stoa_j(who), stoa_j(ids)), arena, NULL);
    if (err == STOA_OK)
        err = sql_tx_exec(tx, "host", &FORGET, STOA_ARGS(stoa_j(ids)), arena, NULL);
    if (err == STOA_OK)
        return sql_commit(tx);
    sql_rollback(tx);
    return err;
}

/* Number of events moved. */
static uint32_t fan_out(struct relay *r, struct stoa_arena *arena, const struct world *world)
{
    const struct stoa_rows *rows = NULL;
    struct stoa_json *ids = stoa_json_array(arena);

    if (sql_exec(r->sql, "host", &WAITING, STOA_NO_ARGS, arena, &rows) != STOA_OK)
        return 0;
    if (stoa_rows_count(rows) == 0)
        return 0;
    for (uint32_t i = 0; i < stoa_rows_count(rows); i++)
        stoa_json_push(ids, stoa_json_new_str(arena, stoa_rows_str(rows, i, "id")));
    if (fan_out_tx(r, arena, subscribers(arena, world), ids) == STOA_OK)
        return stoa_rows_count(rows);
    log_warn("events", "the outbox could not be relayed",
             stoa_f("error", stoa_z(sql_last_error())));
    return 0;
}

/* ---- The relay's fiber ---- */

/* The metric is the sum of what all relays of this process have to do. */
static void set_pending(struct relay *r, int64_t pending)
{
    metric_add(METRIC_outbox_pending, pending - r->pending);
    r->pending = pending;
}

static void housekeeping(struct relay *r, struct stoa_arena *arena)
{
    const struct stoa_rows *rows = NULL;

    if (clock_monotonic_ms() < r->housekeeping_at)
        return;
    r->housekeeping_at = clock_monotonic_ms() + HOUSEKEEPING_MS;
    if (sql_exec(r->sql, "host", &PENDING, STOA_NO_ARGS, arena, &rows) == STOA_OK)
        set_pending(r, stoa_rows_int(rows, 0, "n"));
}

/* On SQLite nobody takes a lease, which would tell. */
static void note_use(struct relay *r, const struct world *world)
{
    bool is_used = false;

    for (uint32_t p = 0; p < world->plugins && !is_used; p++)
        is_used = uses(world, p, r->sql);
    atomic_store(&r->is_used, is_used);
}

/* The same database may have been given other settings: what the relay before it has begun must not
 * be done twice at the same time. Both may give way; then the next step is one's. */
static bool has_rival(const struct relay *r)
{
    uint32_t count = atomic_load(&relay_count);

    for (uint32_t i = 0; i < count; i++)
        if (&relays[i] != r && atomic_load(&relays[i].is_at_work) &&
            strcmp(sql_name(relays[i].sql), sql_name(r->sql)) == 0)
            return true;
    return false;
}

/* Who holds the lease counts what waits; the others have nothing to do with it. */
static uint32_t relay_all(struct relay *r, struct stoa_arena *arena, struct world *world)
{
    uint32_t moved;

    if (!events_lease_held(r->sql) || has_rival(r)) {
        deliver_forget(&r->deliveries);
        set_pending(r, 0);
        r->housekeeping_at = 0;
        return 0;
    }
    moved = fan_out(r, arena, world);
    r->deliveries.must_look |= moved > 0;
    deliver_due(&r->deliveries);
    housekeeping(r, arena);
    return moved;
}

static uint32_t relay_step(struct relay *r)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct world *world = world_pin();
    struct world_hold hold = {
        .world = world, .kind = "event", .name = "relay", .since_us = clock_monotonic_us()};
    uint32_t moved = 0;

    world_hold_begin(&hold);
    if (world)
        note_use(r, world);
    atomic_store(&r->is_at_work, atomic_load(&r->is_used) || r->deliveries.running > 0);
    if (world)
        moved = relay_all(r, arena, world);
    atomic_store(&r->is_at_work, r->deliveries.running > 0);
    world_hold_end(&hold);
    if (world)
        world_unpin(world);
    stoa_arena_destroy(arena);
    return moved;
}

static void nap(struct relay *r)
{
    if (atomic_exchange(&r->poked, false))
        return;
    r->nap = (struct fiber_wait){.fiber = fiber_self()};
    r->napping = true;
    STOA_IGNORE(fiber_await(&r->nap, EVENT_POLL_MS)); /* woken or time to look: the same */
    r->napping = false;
}

/* What has begun is waited for: until then this process keeps the lease. */
static void relay_run(void *arg)
{
    struct relay *r = arg;

    fiber_set_deadline(INT64_MAX);
    while (!atomic_load(&stopping))
        if (relay_step(r) == 0)
            nap(r);
    deliver_forget(&r->deliveries);
    while (r->deliveries.running > 0)
        nap(r);
    set_pending(r, 0);
    r->is_over = true;
}

/* On its loop's thread, again and again until it has both fibers. */
static void attach(struct relay *r)
{
    r->loop = loop_current();
    if (!r->is_relaying)
        r->is_relaying = fiber_spawn(relay_run, NULL, r, NULL) == STOA_OK;
    if (!sql_is_postgresql(r->sql))
        r->is_leasing = true; /* needs none */
    else if (r->is_relaying && !r->is_leasing && !r->is_over)
        r->is_leasing = fiber_spawn(lease_run, NULL, r, NULL) == STOA_OK;
    if (r->is_over || (r->is_relaying && r->is_leasing))
        return;
    log_error("events", "the relay could not start, and will be started again",
              stoa_f("database", stoa_z(sql_name(r->sql))));
    loop_timer_arm(r->loop, &r->again, ATTACH_AGAIN_MS);
}

static void attach_again(struct loop_timer *timer)
{
    struct relay *r = (struct relay *)((char *)timer - offsetof(struct relay, again));

    if (!atomic_load(&stopping))
        attach(r);
}

void events_attach(void)
{
    for (uint32_t i = 0; i < relay_count; i++)
        if (relays[i].loop_index == loop_index(loop_current()) && !relays[i].loop)
            attach(&relays[i]);
}

void events_wake(struct sql *sql)
{
    struct relay *r = relay_of(sql);
    struct loop *loop = r ? r->loop : NULL;

    if (!loop)
        return;
    atomic_store(&r->poked, true);
    if (!atomic_exchange(&r->posted, true))
        loop_post(loop, &r->message);
}

void events_stop(void)
{
    atomic_store(&stopping, true);
}

bool events_stopping(void)
{
    return atomic_load(&stopping);
}
