/* call/jobs.c: a fiber a job; it never runs twice at once. SPDX-License-Identifier: Apache-2.0 */
#include "call/jobs.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "call/audit.h"
#include "call/events.h"
#include "call/invoke.h"
#include "call/journal.h"
#include "call/remote.h"
#include "call/wiring.h"
#include "fiber/fiber.h"
#include "loop/loop.h"
#include <stdatomic.h>
#include <stdlib.h>

enum {
    FIRST_RUN_MS = 50,
    EXPIRE_EVERY_MS = 10 * 60 * 1000,
    AUDIT_EVERY_MS = 60 * 1000,
    AUDIT_SHARE = 20
};

/* What holds a world for a while. It has a fiber of its own: one that was cut waits for nothing any
 * more, and whose turn it was goes on with the next world. */
struct turn {
    struct world_hold hold;
    void (*work)(struct turn *turn);
    const struct job *job; /* or NULL: the host's own work */
    struct fiber *fiber;   /* NULL: over */
    struct fiber_wait wait;
    bool is_cut;
};

static bool cut_turn(struct world_hold *hold)
{
    struct turn *turn = (struct turn *)((char *)hold - offsetof(struct turn, hold));

    if (!turn->fiber || turn->is_cut)
        return false;
    turn->is_cut = true;
    log_warn("jobs", "a job of a replaced world was cut", stoa_f("job", stoa_z(hold->name)),
             stoa_f("world", stoa_i((int64_t)hold->world->number)));
    fiber_cancel(turn->fiber);
    return true;
}

static void turn_run(void *arg)
{
    struct turn *turn = arg;

    turn->work(turn);
}

static void turn_over(void *arg)
{
    struct turn *turn = arg;

    turn->fiber = NULL;
    fiber_wake(&turn->wait);
}

/* Returns when work is over; the world is pinned until then. */
static void take_turn(struct world *world, const char *name, void (*work)(struct turn *turn),
                      const struct job *job)
{
    struct turn turn = {.hold = {.world = world,
                                 .kind = "job",
                                 .name = name,
                                 .since_us = clock_monotonic_us(),
                                 .cut = cut_turn},
                        .work = work,
                        .job = job,
                        .wait = {.fiber = fiber_self()}};

    world_hold_begin(&turn.hold);
    if (fiber_spawn(turn_run, turn_over, &turn, &turn.fiber) != STOA_OK)
        log_warn("jobs", "a job found no fiber", stoa_f("job", stoa_z(name)));
    while (turn.fiber)
        STOA_IGNORE(fiber_await(&turn.wait, -1));
    world_hold_end(&turn.hold);
}

static void run_once(struct turn *turn)
{
    const struct job *job = turn->job;
    struct stoa_req *req = invoke_request_create(turn->hold.world, job->plugin, job->timeout_ms);
    stoa_err err;

    req->route_path = job->name;
    err = invoke_handler(req, job->handler);
    metric_add(METRIC_jobs_run_total, 1);
    if (err != STOA_OK && !turn->is_cut) { /* that was said, and is no failure of its own */
        metric_add(METRIC_jobs_failed_total, 1);
        log_warn("jobs", "a job failed", stoa_f("job", stoa_z(job->name)),
                 stoa_f("error", stoa_z(stoa_err_name(err))),
                 stoa_f("sql", stoa_z(sql_last_error())));
    }
    invoke_request_destroy(req);
}

static const struct job *find_job(const struct world *world, const char *name)
{
    for (uint32_t i = 0; i < world->wiring->job_count; i++)
        if (strcmp(world->wiring->jobs[i].name, name) == 0 &&
            !remote_is(world, world->wiring->jobs[i].plugin))
            return &world->wiring->jobs[i];
    return NULL;
}

static bool is_ours(const struct world *world, const struct job *job)
{
    struct stoa_instance *in = world_instance(world, loop_index(loop_current()), job->plugin);

    return events_jobs_lease_held(in->sql, in->generation->name);
}

/* Returns how long to wait for the next run; 0 when this world has no such job any more. */
static uint32_t step(const char *name)
{
    struct world *world = world_pin();
    const struct job *job = find_job(world, name);
    uint32_t every = job ? job->every_ms : 0;

    if (job && !world->generations[job->plugin]->left_out && is_ours(world, job))
        take_turn(world, job->name, run_once, job);
    world_unpin(world);
    return every;
}

/* The fiber of one job on this loop; it outlives worlds. */
struct runner {
    char *name;
    struct fiber_wait nap;
    bool is_napping;
    uint32_t every_ms; /* what it naps for */
    struct runner *next, **link;
};
static __thread struct runner *runners;

/* Cut short when another world has another interval for the job, or no such job. */
static stoa_err nap(struct runner *r, uint32_t ms)
{
    stoa_err err;

    r->nap = (struct fiber_wait){.fiber = fiber_self()};
    r->is_napping = true;
    r->every_ms = ms;
    err = fiber_await(&r->nap, ms);
    r->is_napping = false;
    return err == STOA_E_TIMEOUT ? STOA_OK : err;
}

static void runner_destroy(struct runner *r)
{
    *r->link = r->next;
    if (r->next)
        r->next->link = r->link;
    free(r->name);
    free(r);
}

static void job_run(void *arg)
{
    struct runner *r = arg;
    uint32_t pause = FIRST_RUN_MS;

    fiber_set_deadline(INT64_MAX);
    while (pause > 0 && nap(r, pause) == STOA_OK && !events_stopping())
        pause = step(r->name);
    runner_destroy(r);
}

static void expire_all(struct turn *turn)
{
    const struct resources *resources = turn->hold.world->resources;

    for (uint32_t i = 0; i < resources->sql_count && !turn->is_cut; i++)
        if (events_lease_held(resources->sql[i]) && journal_expire(resources->sql[i]) != STOA_OK &&
            !turn->is_cut)
            log_warn("journal", "old rows could not be deleted",
                     stoa_f("sql", stoa_z(sql_last_error())));
}

static void expire_run(void *arg)
{
    fiber_set_deadline(INT64_MAX);
    while (fiber_sleep(EXPIRE_EVERY_MS) == STOA_OK && !events_stopping()) {
        struct world *world = world_pin();
        take_turn(world, "journal.expire", expire_all, NULL);
        world_unpin(world);
    }
}

static bool is_auditor(const struct world *world)
{
    return world->resources->sql_count > 0 && events_lease_held(world->resources->sql[0]);
}

static void audit_once(struct turn *turn)
{
    struct stoa_arena *arena = stoa_arena_create();
    const struct stoa_json *report = audit_world(turn->hold.world, arena);
    const struct stoa_json *findings = stoa_json_get(report, "findings");

    if (!turn->is_cut) { /* what it could not look at is no finding */
        metric_add(METRIC_audit_runs_total, 1);
        metric_set(METRIC_audit_findings, stoa_json_count(findings));
        for (const struct stoa_json *f = stoa_json_first(findings); f; f = stoa_json_next(f))
            log_error("audit", "an invariant does not hold", stoa_f("finding", stoa_j(f)));
    }
    stoa_arena_destroy(arena);
}

static void audit_run(void *arg)
{
    int64_t pause = AUDIT_EVERY_MS, began;

    fiber_set_deadline(INT64_MAX);
    while (fiber_sleep(pause) == STOA_OK && !events_stopping()) {
        struct world *world = world_pin();
        began = clock_monotonic_ms();
        if (is_auditor(world))
            take_turn(world, "audit", audit_once, NULL);
        else
            metric_set(METRIC_audit_findings, 0); /* they are another node's to tell */
        world_unpin(world);
        /* The more there is to look at the rarer: it may take a twentieth of the time, no more. */
        pause = (clock_monotonic_ms() - began) * AUDIT_SHARE;
        pause = pause > AUDIT_EVERY_MS ? pause : AUDIT_EVERY_MS;
    }
}

/* Which of the other nodes are up. */
static void probe_run(void *arg)
{
    fiber_set_deadline(INT64_MAX);
    while (fiber_sleep(PEER_PROBE_MS) == STOA_OK && !events_stopping()) {
        struct world *world = world_pin();
        if (world->wiring->remote)
            peer_probe(&world->wiring->remote->others, world->resources->pool);
        world_unpin(world);
    }
}

static bool spawn(void (*run)(void *), void *arg, const char *name)
{
    if (fiber_spawn(run, NULL, arg, NULL) == STOA_OK)
        return true;
    log_error("jobs", "a job could not start", stoa_f("job", stoa_z(name)));
    return false;
}

static struct runner *find_runner(const char *name)
{
    for (struct runner *r = runners; r; r = r->next)
        if (strcmp(r->name, name) == 0)
            return r;
    return NULL;
}

static void start(const char *name)
{
    struct runner *r = calloc(1, sizeof *r);

    stoa_assert(r);
    r->name = strdup(name);
    stoa_assert(r->name);
    r->link = &runners;
    r->next = runners;
    if (r->next)
        r->next->link = &r->next;
    runners = r;
    if (!spawn(job_run, r, name))
        runner_destroy(r); /* the next world tries again */
}

static void wake_changed(const struct world *world)
{
    for (struct runner *r = runners; r; r = r->next) {
        const struct job *job = find_job(world, r->name);
        if (r->is_napping && (!job || job->every_ms != r->every_ms))
            fiber_wake(&r->nap);
    }
}

static void start_own_work(void)
{
    static _Atomic bool started;

    if (loop_index(loop_current()) != 0 || atomic_exchange(&started, true))
        return;
    spawn(expire_run, NULL, "journal.expire");
    spawn(audit_run, NULL, "audit");
    spawn(probe_run, NULL, "peer.probe");
}

void jobs_start(struct world *world)
{
    uint32_t here = loop_index(loop_current());

    wake_changed(world);
    for (uint32_t i = 0; i < world->wiring->job_count; i++) {
        const char *name = world->wiring->jobs[i].name;
        if (!remote_is(world, world->wiring->jobs[i].plugin) &&
            stoa_str_hash(stoa_str_of(name)) % world->loops == here && !find_runner(name))
            start(name);
    }
    start_own_work();
}
