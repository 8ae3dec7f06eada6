/* apply/apply.c: the thread and its queue. SPDX-License-Identifier: Apache-2.0 */
#include "apply/internal.h"

#include "apply/alive.h"
#include "apply/job.h"
#include "base/aside.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/slice.h"
#include "base/thread.h"
#include "config/evaluate.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { LOOK_FIRST_MS = 2, LOOK_LAST_MS = 50, GO_BACK_AGAIN_S = 5, SYNC_AFTER_MS = 500 };

static const char is_ending[] =
    "{\"ok\":false,\"step\":\"queue\",\"text\":\"the shop is about to end\"}";

/* ---- What jobs and the thread share ---- */

void apply_await_confirmation(struct apply *a, uint32_t seconds, uint64_t back)
{
    pthread_mutex_lock(&a->lock);
    a->confirm_until_ms = seconds ? clock_monotonic_ms() + (int64_t)seconds * 1000 : 0;
    a->confirm_back = back;
    pthread_mutex_unlock(&a->lock);
}

void apply_tell(struct apply *a, bool is_start)
{
    if (a->options.changed)
        a->options.changed(a->revision, a->confirm_until_ms ? a->confirm_back : a->revision,
                           is_start);
}

bool apply_is_closed(struct apply *a)
{
    bool ret;

    pthread_mutex_lock(&a->lock);
    ret = a->is_closed;
    pthread_mutex_unlock(&a->lock);
    return ret;
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
    apply_await_confirmation(a, GO_BACK_AGAIN_S, a->confirm_back);
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
        job_work(turn->apply, turn->job);
    evaluate_prepare();
    sync_history(turn->apply);
    turn->left = alive_retire(turn->apply);
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
        bool is_over = apply_is_closed(a), has_worked;
        if (is_over)
            apply_await_confirmation(a, 0, 0);
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
    apply_tell(apply, true);
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
