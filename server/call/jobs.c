/* call/jobs.c: a fiber a job; it never runs twice at once. SPDX-License-Identifier: Apache-2.0 */
#include "call/jobs.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "call/audit.h"
#include "call/events.h"
#include "call/invoke.h"
#include "call/journal.h"
#include "call/wiring.h"
#include "fiber/fiber.h"
#include "loop/loop.h"
#include <stdlib.h>

enum {
    FIRST_RUN_MS = 50,
    EXPIRE_EVERY_MS = 10 * 60 * 1000,
    AUDIT_EVERY_MS = 60 * 1000,
    AUDIT_SHARE = 20
};

static void run_once(struct world *world, const struct job *job)
{
    struct stoa_req *req = invoke_request_create(world, job->plugin, job->timeout_ms);
    stoa_err err;

    req->route_path = job->name;
    err = invoke_handler(req, job->handler);
    metric_add(METRIC_jobs_run_total, 1);
    if (err != STOA_OK) {
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
        if (strcmp(world->wiring->jobs[i].name, name) == 0)
            return &world->wiring->jobs[i];
    return NULL;
}

/* Returns how long to wait for the next run; 0 when this world has no such job any more. */
static uint32_t step(const char *name)
{
    struct world *world = world_pin();
    const struct job *job = find_job(world, name);
    uint32_t every = job ? job->every_ms : 0;

    if (job &&
        events_lease_held(world_instance(world, loop_index(loop_current()), job->plugin)->sql))
        run_once(world, job);
    world_unpin(world);
    return every;
}

static void job_run(void *arg)
{
    char *name = arg;
    uint32_t pause = FIRST_RUN_MS;

    fiber_set_deadline(INT64_MAX);
    while (pause > 0 && fiber_sleep(pause) == STOA_OK && !events_stopping())
        pause = step(name);
    free(name);
}

static void expire_run(void *arg)
{
    struct resources *resources = arg;

    fiber_set_deadline(INT64_MAX);
    while (fiber_sleep(EXPIRE_EVERY_MS) == STOA_OK && !events_stopping())
        for (uint32_t i = 0; i < resources->sql_count; i++)
            if (events_lease_held(resources->sql[i]) &&
                journal_expire(resources->sql[i]) != STOA_OK)
                log_warn("journal", "old rows could not be deleted",
                         stoa_f("sql", stoa_z(sql_last_error())));
}

static void audit_once(void)
{
    struct world *world = world_pin();
    struct stoa_arena *arena = stoa_arena_create();
    struct stoa_json *report = audit_world(world, arena);
    const struct stoa_json *findings = stoa_json_get(report, "findings");

    metric_add(METRIC_audit_runs_total, 1);
    metric_set(METRIC_audit_findings, stoa_json_count(findings));
    for (const struct stoa_json *f = stoa_json_first(findings); f; f = stoa_json_next(f))
        log_error("audit", "an invariant does not hold", stoa_f("finding", stoa_j(f)));
    stoa_arena_destroy(arena);
    world_unpin(world);
}

static void audit_run(void *arg)
{
    struct resources *resources = arg;

    int64_t pause = AUDIT_EVERY_MS, began;

    fiber_set_deadline(INT64_MAX);
    while (fiber_sleep(pause) == STOA_OK && !events_stopping()) {
        began = clock_monotonic_ms();
        if (events_lease_held(resources->sql[0]))
            audit_once();
        /* The more there is to look at the rarer: it may take a twentieth of the time, no more. */
        pause = (clock_monotonic_ms() - began) * AUDIT_SHARE;
        pause = pause > AUDIT_EVERY_MS ? pause : AUDIT_EVERY_MS;
    }
}

static void spawn(void (*run)(void *), void *arg, const char *name)
{
    if (fiber_spawn(run, NULL, arg, NULL) != STOA_OK)
        log_error("jobs", "a job could not start", stoa_f("job", stoa_z(name)));
}

void jobs_start(struct world *world)
{
    uint32_t here = loop_index(loop_current());

    for (uint32_t i = 0; i < world->wiring->job_count; i++) {
        const char *name = world->wiring->jobs[i].name;
        if (stoa_str_hash(stoa_str_of(name)) % world->loops == here)
            spawn(job_run, strdup(name), name);
    }
    if (here != 0)
        return;
    spawn(expire_run, world->resources, "journal.expire");
    spawn(audit_run, world->resources, "audit");
}
