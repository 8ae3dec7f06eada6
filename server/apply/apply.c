/* apply/apply.c: the thread, its queue, and the worlds that are alive.
 * SPDX-License-Identifier: Apache-2.0 */
#include "apply/internal.h"

#include "apply/boot.h"
#include "apply/build.h"
#include "apply/plan.h"
#include "base/aside.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/slice.h"
#include "base/thread.h"
#include "call/events.h"
#include "config/evaluate.h"
#include "plugin/preflight.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { LOOK_FIRST_MS = 2, LOOK_LAST_MS = 50, GO_BACK_AGAIN_S = 5, SYNC_AFTER_MS = 500 };

static const char is_ending[] =
    "{\"ok\":false,\"step\":\"queue\",\"text\":\"the shop is about to end\"}";

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

static void rest(void *data, struct sql *sql)
{
    const struct apply *a = data;

    swap_rest(&a->loops, sql);
}

/* With what only it had. NULL is fine. */
static void end_world(struct apply *a, struct world *world)
{
    struct resources *resources = world ? world->resources : NULL;

    world_destroy(world);
    if (resources == a->options.resources)
        resources_let_go(resources);
    else
        resources_close(resources);
    if (resources)
        resources_each_unused(a->options.resources, rest, a);
}

/* ---- Worlds that are not in force ---- */

static void forget(struct apply *a, uint32_t index)
{
    struct alive gone = a->alive[index];

    pthread_mutex_lock(&a->lock);
    a->alive[index] = a->alive[--a->alive_count];
    pthread_mutex_unlock(&a->lock);
    end_world(a, gone.world);
    config_destroy(gone.config);
    metric_add(METRIC_worlds_alive, -1);
}

/* A world that drains for longer than limits.retire loses what holds it. */
static void cut_overdue(struct apply *a)
{
    int64_t limit = config_int(apply_in_force(a)->config, "limits.retire");

    for (uint32_t i = 1; i < a->alive_count; i++) {
        uint32_t cut;
        if (clock_monotonic_ms() - a->alive[i].since_ms < limit)
            continue;
        cut = swap_cut_holds(&a->loops, a->alive[i].world);
        if (cut > 0)
            log_warn("apply", "a replaced world was not let go in time",
                     stoa_f("world", stoa_i((int64_t)a->alive[i].world->number)),
                     stoa_f("cut", stoa_i(cut)));
    }
}

/* Number of worlds still draining. */
static uint32_t retire(struct apply *a)
{
    struct world *worlds[APPLY_WORLDS_MAX];
    bool unused[APPLY_WORLDS_MAX];

    if (a->alive_count == 1)
        return 0;
    for (uint32_t i = 1; i < a->alive_count; i++)
        worlds[i - 1] = a->alive[i].world;
    swap_find_unused(&a->loops, worlds, a->alive_count - 1, unused);
    for (uint32_t i = a->alive_count - 1; i >= 1; i--)
        if (unused[i - 1])
            forget(a, i);
    cut_overdue(a);
    return a->alive_count - 1;
}

/* Generations that stay for the life of the process: with sanitizers all do, for their reports. */
static uint64_t kept_generations(void)
{
    return preflight_is_relaxed() ? 0 : generation_count().kept;
}

static bool is_full(const struct apply *a)
{
    const struct world *w = apply_in_force(a);
    uint64_t most = (uint64_t)config_int(w->config, "limits.generations");

    return a->alive_count == APPLY_WORLDS_MAX ||
           generation_count().alive + kept_generations() + w->plugins > most;
}

static stoa_err refuse_generations(struct run *r)
{
    struct generation_counts count = generation_count();

    diag_set(&r->diag, "limits.generations", 0, 0,
             "%llu generations of plugins are loaded, and %llu that cannot be unloaded",
             (unsigned long long)count.alive, (unsigned long long)kept_generations());
    diag_hint(&r->diag, "`stoa plugin why NAME` shows what holds them; a restart lets go of those "
                        "that cannot be unloaded");
    return STOA_E_BUSY;
}

static stoa_err make_room(struct run *r)
{
    struct apply *a = r->apply;
    int64_t until = clock_monotonic_ms() + APPLY_ROOM_MS;

    while (is_full(a) && a->alive_count > 1 && clock_monotonic_ms() < until) {
        const struct timespec pause = {0, LOOK_LAST_MS * 1000000L};
        uint32_t before = a->alive_count;
        if (retire(a) + 1 == before)
            nanosleep(&pause, NULL);
    }
    if (!is_full(a))
        return STOA_OK;
    if (a->alive_count < APPLY_WORLDS_MAX)
        return refuse_generations(r);
    diag_set(&r->diag, "worlds", 0, 0, "%d replaced worlds still have open requests",
             APPLY_WORLDS_MAX - 1);
    diag_hint(&r->diag, "`stoa status` shows them; try again when they have ended");
    return STOA_E_BUSY;
}

/* ---- Into force ---- */

static void enter(struct apply *a, struct world *world, struct config *config, uint64_t revision)
{
    int64_t now = clock_monotonic_ms();

    pthread_mutex_lock(&a->lock);
    a->alive[a->alive_count++] = (struct alive){a->alive[0].world, a->alive[0].config, now};
    a->alive[0] = (struct alive){world, config, now};
    a->revision = revision;
    a->applied++;
    a->last_error[0] = '\0';
    pthread_mutex_unlock(&a->lock);
    metric_add(METRIC_applies_total, 1);
    metric_add(METRIC_worlds_alive, 1);
}

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

/* From now on, or no more. */
static void await_confirmation(struct apply *a, uint32_t seconds, uint64_t back)
{
    pthread_mutex_lock(&a->lock);
    a->confirm_until_ms = seconds ? clock_monotonic_ms() + (int64_t)seconds * 1000 : 0;
    a->confirm_back = back;
    pthread_mutex_unlock(&a->lock);
}

static void tell(struct apply *a, bool is_start)
{
    if (a->options.changed)
        a->options.changed(a->revision, a->confirm_until_ms ? a->confirm_back : a->revision,
                           is_start);
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
    enter(r->apply, r->world, r->config, r->number);
    await_confirmation(r->apply, r->job->confirm_s, back);
    tell(r->apply, false);
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

/* A process that ends may have a successor, which knows nothing of what is changed here. */
static bool is_closed(struct apply *a)
{
    bool ret;

    pthread_mutex_lock(&a->lock);
    ret = a->is_closed;
    pthread_mutex_unlock(&a->lock);
    return ret;
}

static stoa_err record_unless_closed(struct run *r)
{
    if (!is_closed(r->apply))
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
    STOA_TRY(make_room(r));
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
    await_confirmation(r->apply, 0, 0);
    tell(r->apply, false);
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

static void work(struct apply *a, struct apply_job *job)
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
    end_world(a, r.world);
    config_destroy(r.config);
    finish(&r, job);
    stoa_arena_destroy(r.arena);
}

/* ---- The thread ---- */

static struct apply_job *take(struct apply *a)
{
    struct apply_job *job = a->head;

    if (!job || !(a->is_open || a->is_closed))
        return NULL;
    a->head = job->next;
    if (!a->head)
        a->tail = &a->head;
    a->waiting--;
    return job;
}

/* The next job; NULL after at most wait_ms (0: no limit). */
static struct apply_job *next_job(struct apply *a, uint32_t wait_ms)
{
    struct apply_job *job;
    struct timespec until;
    int failed = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)wait_ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&a->lock);
    while (!(job = take(a)) && !failed)
        failed = wait_ms ? pthread_cond_timedwait(&a->wake, &a->lock, &until)
                         : pthread_cond_wait(&a->wake, &a->lock);
    pthread_mutex_unlock(&a->lock);
    return job;
}

/* Milliseconds until there is something to do; 0: only a job will tell. */
static uint32_t wait_of(const struct apply *a, uint32_t pause)
{
    const int64_t due_ms[] = {a->confirm_until_ms, a->sync_at_ms};
    int64_t now = clock_monotonic_ms(), least = pause;

    for (uint32_t i = 0; i < sizeof due_ms / sizeof *due_ms; i++) {
        int64_t left = due_ms[i] > now ? due_ms[i] - now : 1;
        if (due_ms[i] && (least == 0 || left < least))
            least = left;
    }
    return (uint32_t)least;
}

/* A revision reaches the disk soon after its world is in force; many applies share one wait. */
static void sync_history(struct apply *a)
{
    int64_t now = clock_monotonic_ms();

    if (!a->history.unsynced)
        return;
    if (!a->sync_at_ms) {
        a->sync_at_ms = now + SYNC_AFTER_MS;
    } else if (now >= a->sync_at_ms) {
        a->sync_at_ms = 0;
        if (!history_sync(&a->history))
            log_error("apply", "a power cut may take the last revisions with it",
                      stoa_f("why", stoa_z(strerror(errno))));
    }
}

static void went_back(struct apply_job *job, stoa_str answer)
{
    free(job); /* how it went is in the log */
}

/* Nobody confirmed in time: the way back. NULL while there still is time. Until it has succeeded
 * the apply waits for its confirmation. */
static struct apply_job *unconfirmed(struct apply *a)
{
    struct apply_job *job;

    if (!a->confirm_until_ms || clock_monotonic_ms() < a->confirm_until_ms)
        return NULL;
    job = calloc(1, sizeof *job);
    *job = (struct apply_job){.kind = APPLY_ROLLBACK,
                              .revision = a->confirm_back,
                              .who = "not confirmed",
                              .done = went_back};
    await_confirmation(a, GO_BACK_AGAIN_S, a->confirm_back);
    return job;
}

static void await_open(struct apply *a)
{
    pthread_mutex_lock(&a->lock);
    while (!a->is_open && !a->is_closed)
        pthread_cond_wait(&a->wake, &a->lock);
    pthread_mutex_unlock(&a->lock);
}

struct turn {
    struct apply *apply;
    struct apply_job *job; /* NULL: none */
    uint32_t left;         /* worlds that are still to be ended */
};

static void take_turn(void *arg)
{
    struct turn *turn = arg;

    if (turn->job)
        work(turn->apply, turn->job);
    evaluate_prepare();
    sync_history(turn->apply);
    turn->left = retire(turn->apply);
    log_flush();
}

/* Serving comes before changing: on a busy machine a job has what the loops leave. */
static void *thread_main(void *data)
{
    struct apply *a = data;
    uint32_t pause = 0;

    slice_work();
    aside_prepare();
    await_open(a);
    evaluate_prepare();
    sync_history(a);
    for (;;) {
        struct turn turn = {a, next_job(a, wait_of(a, pause)), 0};
        bool is_over = is_closed(a), has_worked;
        if (is_over)
            await_confirmation(a, 0, 0);
        else if (!turn.job)
            turn.job = unconfirmed(a);
        if (turn.job && is_over) {
            turn.job->done(turn.job, stoa_str_of(is_ending));
            turn.job = NULL;
        }
        has_worked = turn.job != NULL;
        aside_run(take_turn, &turn);
        if (turn.left == 0)
            pause = 0;
        else if (has_worked)
            pause = LOOK_FIRST_MS;
        else
            pause = pause * 2 < LOOK_LAST_MS ? pause * 2 : LOOK_LAST_MS;
    }
    return NULL;
}

static void init_condition(struct apply *a)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&a->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&a->lock, NULL);
}

stoa_err apply_create(const struct apply_options *options, struct diag *diag, struct apply **ret)
{
    struct apply *a = calloc(1, sizeof *a);
    stoa_err err;

    a->options = *options;
    a->loops = (struct swap_loops){options->loops, options->loop_count};
    a->tail = &a->head;
    a->alive[0] = (struct alive){options->world, NULL, clock_monotonic_ms()};
    a->alive_count = 1;
    init_condition(a);
    err = history_open(options->resources->data, diag, &a->history);
    if (err == STOA_OK && !thread_start("apply", thread_main, a, NULL)) {
        diag_set(diag, "apply", 0, 0, "no thread can be started: %s", strerror(errno));
        err = STOA_E_CONFIG;
    }
    if (err != STOA_OK) {
        free(a);
        return STOA_E_CONFIG;
    }
    metric_add(METRIC_worlds_alive, 1);
    *ret = a;
    return STOA_OK;
}

static void set(struct apply *a, bool *flag)
{
    pthread_mutex_lock(&a->lock);
    *flag = true;
    pthread_cond_signal(&a->wake);
    pthread_mutex_unlock(&a->lock);
}

void apply_start(struct apply *apply)
{
    struct diag diag = {0};

    /* Only now: what could not warm up is nothing to come back to. */
    if (history_add(&apply->history, apply->options.world, "start", "start", &diag,
                    &apply->revision) != STOA_OK)
        log_error("apply", "the world in force is not in the history",
                  stoa_f("why", stoa_z(diag.message)));
    tell(apply, true);
}

void apply_open(struct apply *apply)
{
    set(apply, &apply->is_open);
}

void apply_close(struct apply *apply)
{
    evaluate_end_spare();
    set(apply, &apply->is_closed);
}

/* One that waits reads the file when its turn comes: two would do the same. */
static bool has_waiting_twin(const struct apply *apply, const struct apply_job *job)
{
    if (!job->may_merge)
        return false;
    for (const struct apply_job *j = apply->head; j; j = j->next)
        if (j->may_merge && j->kind == job->kind)
            return true;
    return false;
}

void apply_submit(struct apply *apply, struct apply_job *job)
{
    const char *refusal = NULL;

    pthread_mutex_lock(&apply->lock);
    if (has_waiting_twin(apply, job)) {
        refusal = "{\"ok\":true,\"merged\":true}";
    } else if (apply->is_closed) {
        refusal = is_ending;
    } else if (apply->waiting == APPLY_QUEUE_MAX) {
        refusal = "{\"ok\":false,\"step\":\"queue\",\"text\":\"too many applies are waiting\"}";
    } else {
        job->next = NULL;
        *apply->tail = job;
        apply->tail = &job->next;
        apply->waiting++;
        pthread_cond_signal(&apply->wake);
    }
    pthread_mutex_unlock(&apply->lock);
    if (refusal)
        job->done(job, stoa_str_of(refusal));
}
