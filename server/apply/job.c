/* apply/job.c: what one job does, step by step, and its answer.
 * SPDX-License-Identifier: Apache-2.0 */
#include "apply/job.h"

#include "apply/alive.h"
#include "apply/boot.h"
#include "apply/plan.h"
#include "base/aside.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/metrics.h"
#include "call/events.h"
#include <stdio.h>

/* What one job has done so far. */
struct run {
    struct apply *apply;
    const struct apply_job *job;
    struct stoa_arena *arena;
    struct stoa_json *answer, *steps;
    struct diag diag;
    const char *step;
    int64_t step_us;
    struct config *config;
    struct world *world;
    const struct stoa_json *revision; /* of a rollback */
    uint64_t number;                  /* the revision that this becomes */
};

/* ---- Steps ---- */

static void step_end(struct run *r)
{
    int64_t now = clock_monotonic_us();

    if (r->step)
        stoa_json_set_int(r->steps, r->step, now - r->step_us);
    r->step_us = now;
}

/* Tests make a step fail, or end the process there: STOA_FAULT="apply.warm=kill". */
static stoa_err step(struct run *r, const char *name)
{
    char place[32];
    stoa_err err;

    step_end(r);
    r->step = name;
    snprintf(place, sizeof place, "apply.%s", name);
    err = fault_point(place);
    if (err != STOA_OK)
        diag_set(&r->diag, place, 0, 0, "made to fail: %s", stoa_err_name(err));
    return err;
}

static stoa_err load_revision(struct run *r, struct config_source *source)
{
    struct apply *a = r->apply;
    uint64_t number = r->job->revision ? r->job->revision : a->history.last - 1;

    STOA_TRY(history_read(&a->history, number, r->arena, &r->diag, &r->revision));
    source->evaluated = history_config(&a->history, r->revision, r->arena);
    return boot_load_text(source, r->revision, r->arena, &r->diag, &r->config);
}

static stoa_err load(struct run *r)
{
    struct config_source source = r->apply->options.source;

    source.last = apply_in_force(r->apply)->config;
    STOA_TRY(step(r, "config"));
    if (r->job->kind == APPLY_ROLLBACK)
        return load_revision(r, &source);
    return config_load(&source, &r->diag, &r->config);
}

static stoa_err check(struct run *r)
{
    STOA_TRY(step(r, "check"));
    STOA_TRY(build_check_fixed(apply_in_force(r->apply)->config, r->config, &r->diag));
    return migrations_check(r->apply, r->config, NULL, &r->diag);
}

static stoa_err build(struct run *r)
{
    struct apply *a = r->apply;
    const struct world_choice choice = {
        .files = r->revision ? history_files(&a->history, r->revision, r->arena) : NULL,
        .last = apply_in_force(a)};
    struct resources *resources;
    stoa_err err;

    STOA_TRY(step(r, "build"));
    STOA_TRY(resources_derive(a->options.resources, r->config, &r->diag, &resources));
    err = build_world(r->config, resources, a->loops.count, &choice, &r->diag, &r->world);
    if (err != STOA_OK)
        resources_close(resources);
    return err;
}

/* ---- Into force ---- */

static stoa_err record(struct run *r)
{
    char why[48] = "apply";
    struct stoa_json *changes = stoa_json_object(r->arena);

    STOA_TRY(step(r, "record"));
    plan_compare(apply_in_force(r->apply), r->world, changes, r->arena);
    r->apply->history.changes = changes;
    if (r->revision)
        snprintf(why, sizeof why, "rollback %lld",
                 (long long)stoa_json_int(r->revision, "revision", 0));
    return history_add(&r->apply->history, r->world, r->job->who, why, &r->diag, &r->number);
}

/* Where the priority is the ordinary one: loops wait for locks that this takes. */
static void publish(void *arg)
{
    struct run *r = arg;
    struct world *old = apply_in_force(r->apply);
    uint64_t back = r->apply->revision;

    STOA_IGNORE(step(r, "publish")); /* too late to fail */
    events_add(r->world->resources);
    swap_publish(&r->apply->loops, r->world, old);
    if (r->apply->options.follower.commit)
        r->apply->options.follower.commit(r->apply->options.follower.data, r->config);
    alive_enter(r->apply, r->world, r->config, r->number);
    apply_await_confirmation(r->apply, r->job->confirm_s, back);
    apply_tell(r->apply, false);
    step_end(r);
    stoa_json_set_int(r->answer, "world", (int64_t)r->world->number);
    stoa_json_set_int(r->answer, "revision", (int64_t)r->number);
    stoa_json_set_str(r->answer, "config_hash", stoa_str_of(config_hash(r->config)));
    log_info("apply", "a new world is in force", stoa_f("world", stoa_i((int64_t)r->world->number)),
             stoa_f("revision", stoa_i((int64_t)r->number)),
             stoa_f("config", stoa_z(config_hash(r->config))), stoa_f("who", stoa_z(r->job->who)),
             stoa_f("steps_us", stoa_j(r->steps)));
    r->world = NULL;
    r->config = NULL;
}

static stoa_err prepare(struct run *r)
{
    const struct apply_follower *f = &r->apply->options.follower;

    STOA_TRY(step(r, "listen"));
    return f->prepare ? f->prepare(f->data, r->config, &r->diag) : STOA_OK;
}

static void abandon(struct run *r)
{
    const struct apply_follower *f = &r->apply->options.follower;

    if (f->abandon)
        f->abandon(f->data);
}

static stoa_err record_unless_closed(struct run *r)
{
    if (!apply_is_closed(r->apply))
        return record(r);
    diag_set(&r->diag, "queue", 0, 0, "the shop is about to end");
    return STOA_E_BUSY;
}

/* Nothing after record() can fail, and nothing before publish() is seen by a request. */
static stoa_err change(struct run *r)
{
    stoa_err err;

    if (r->job->kind == APPLY_APPLY && r->apply->confirm_until_ms) {
        diag_set(&r->diag, "confirm", 0, 0, "the last apply waits for its confirmation");
        diag_hint(&r->diag, "`stoa confirm` or `stoa rollback` first");
        return STOA_E_BUSY;
    }
    STOA_TRY(alive_make_room(r->apply, &r->diag));
    STOA_TRY(load(r));
    STOA_TRY(check(r));
    STOA_TRY(build(r));
    STOA_TRY(step(r, "warm"));
    STOA_TRY(swap_warm(&r->apply->loops, r->world, &r->diag));
    STOA_TRY(prepare(r));
    err = record_unless_closed(r);
    if (err != STOA_OK) {
        abandon(r);
        return err;
    }
    aside_start(publish, r);
    return STOA_OK;
}

static stoa_err confirm(struct run *r)
{
    if (!r->apply->confirm_until_ms) {
        diag_set(&r->diag, "confirm", 0, 0, "nothing waits for a confirmation");
        return STOA_E_NOT_FOUND;
    }
    apply_await_confirmation(r->apply, 0, 0);
    apply_tell(r->apply, false);
    stoa_json_set_int(r->answer, "revision", (int64_t)r->apply->revision);
    stoa_json_set_int(r->answer, "world", (int64_t)apply_in_force(r->apply)->number);
    log_info("apply", "confirmed", stoa_f("revision", stoa_i((int64_t)r->apply->revision)),
             stoa_f("who", stoa_z(r->job->who)));
    return STOA_OK;
}

/* Unlike an apply, a plan goes on when migrations are missing: that is part of the answer. */
static stoa_err check_planned(struct run *r)
{
    bool missing = false;

    STOA_TRY(step(r, "check"));
    STOA_TRY(build_check_fixed(apply_in_force(r->apply)->config, r->config, &r->diag));
    STOA_TRY(migrations_check(r->apply, r->config, &missing, &r->diag));
    if (missing) {
        struct stoa_json *list = stoa_json_set(r->answer, "migrations", stoa_json_array(r->arena));
        stoa_str first = stoa_concat(r->arena, stoa_str_of(r->diag.file), STOA_STR(" "),
                                     stoa_str_of(r->diag.message));
        stoa_json_push(list, stoa_json_new_str(r->arena, first));
        r->diag = (struct diag){0};
    }
    return STOA_OK;
}

static stoa_err plan(struct run *r)
{
    const struct apply_follower *f = &r->apply->options.follower;

    STOA_TRY(load(r));
    STOA_TRY(check_planned(r));
    STOA_TRY(build(r));
    STOA_TRY(step(r, "compare"));
    plan_compare(apply_in_force(r->apply), r->world, r->answer, r->arena);
    if (f->plan)
        STOA_TRY(f->plan(f->data, r->config, &r->diag, r->answer, r->arena));
    if (stoa_json_get(r->answer, "migrations"))
        stoa_json_set_bool(r->answer, "changes", true);
    apply_put_worlds(r->apply, stoa_json_set(r->answer, "drains", stoa_json_array(r->arena)),
                     r->arena);
    step_end(r);
    return STOA_OK;
}

static stoa_err list(struct run *r)
{
    stoa_json_set_int(r->answer, "in_force", (int64_t)r->apply->revision);
    stoa_json_set(r->answer, "revisions", history_list(&r->apply->history, r->arena));
    return STOA_OK;
}

static stoa_err why(struct run *r)
{
    if (apply_why(r->apply, r->job->plugin, r->answer, r->arena))
        return STOA_OK;
    diag_set(&r->diag, r->job->plugin, 0, 0, "no world has a plugin of this name");
    diag_hint(&r->diag, "`stoa status` lists them");
    return STOA_E_NOT_FOUND;
}

/* ---- One job ---- */

static void tell_failure(struct run *r, stoa_err err)
{
    struct stoa_json *a = r->answer;
    struct stoa_buf text;

    stoa_buf_init(&text, r->arena, 512);
    diag_format(&r->diag, &text);
    stoa_json_set_str(a, "step", stoa_str_of(r->step ? r->step : "room"));
    stoa_json_set_str(a, "error", stoa_str_of(stoa_err_name(err)));
    stoa_json_set_str(a, "file", stoa_str_of(r->diag.file));
    stoa_json_set_int(a, "line", r->diag.line);
    stoa_json_set_str(a, "message", stoa_str_of(r->diag.message));
    stoa_json_set_str(a, "hint", stoa_str_of(r->diag.hint));
    stoa_json_set_str(a, "text", stoa_buf_str(&text));
}

static void note_failure(struct run *r)
{
    struct apply *a = r->apply;
    stoa_str text = stoa_json_str(r->answer, "text");

    pthread_mutex_lock(&a->lock);
    a->failed++;
    snprintf(a->last_error, sizeof a->last_error, "%s: %.*s", r->step ? r->step : "room",
             (int)text.len, text.ptr);
    pthread_mutex_unlock(&a->lock);
    metric_add(METRIC_applies_failed_total, 1);
    log_error("apply", "nothing was changed", stoa_f("step", stoa_z(r->step ? r->step : "room")),
              stoa_f("why", stoa_s(text)), stoa_f("who", stoa_z(r->job->who)));
}

static stoa_err perform(struct run *r)
{
    switch (r->job->kind) {
    case APPLY_PLAN:
        return plan(r);
    case APPLY_HISTORY:
        return list(r);
    case APPLY_CONFIRM:
        return confirm(r);
    case APPLY_WHY:
        return why(r);
    default:
        return change(r);
    }
}

static void finish(struct run *r, struct apply_job *job)
{
    struct stoa_buf out;

    stoa_buf_init(&out, r->arena, 4096);
    stoa_json_format(r->answer, &out);
    job->done(job, stoa_buf_str(&out));
}

void job_work(struct apply *a, struct apply_job *job)
{
    struct run r = {.apply = a, .job = job, .arena = stoa_arena_create()};
    int64_t started = clock_monotonic_us();
    stoa_err err;

    r.answer = stoa_json_object(r.arena);
    r.steps = stoa_json_object(r.arena);
    err = perform(&r);
    stoa_json_set_bool(r.answer, "ok", err == STOA_OK);
    stoa_json_set(r.answer, "steps_us", r.steps);
    stoa_json_set_int(r.answer, "total_us", clock_monotonic_us() - started);
    if (err != STOA_OK)
        tell_failure(&r, err);
    if (err != STOA_OK && (job->kind == APPLY_APPLY || job->kind == APPLY_ROLLBACK))
        note_failure(&r);
    alive_end(a, r.world);
    config_destroy(r.config);
    finish(&r, job);
    stoa_arena_destroy(r.arena);
}
