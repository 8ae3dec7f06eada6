/* The writer thread. SPDX-License-Identifier: Apache-2.0 */
#include "resource/sql/sqlite_writer.h"
#include "base/clock.h"
#include "base/slice.h"
#include "base/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BATCH_MAX = 64 }; /* single writes that share one fsync */

/* ---- The queue; with the lock held ---- */

static void queue_push(struct writer *w, struct writer_job *job)
{
    job->state = JOB_QUEUED;
    if (job->tx && job->tx == w->tx) {
        w->tx_job = job;
        return;
    }
    job->prev = w->tail;
    job->next = NULL;
    if (w->tail)
        w->tail->next = job;
    else
        w->head = job;
    w->tail = job;
}

static void queue_unlink(struct writer *w, struct writer_job *job)
{
    if (job == w->tx_job) {
        w->tx_job = NULL;
        return;
    }
    if (job->prev)
        job->prev->next = job->next;
    else
        w->head = job->next;
    if (job->next)
        job->next->prev = job->prev;
    else
        w->tail = job->prev;
}

static struct writer_job *queue_pop(struct writer *w)
{
    struct writer_job *job = w->head;

    queue_unlink(w, job);
    job->state = JOB_RUNNING;
    return job;
}

/* ---- Running; the thread, without the lock ---- */

static void run_rollback(struct writer *w)
{
    char error[SQL_ERROR_MAX];

    if (sqlite_conn_in_transaction(w->conn))
        (void)sqlite_conn_plain(w->conn, "ROLLBACK", INT64_MAX, error);
}

static stoa_err run_plain(struct writer *w, struct writer_job *job, const char *text)
{
    job->result.err = sqlite_conn_plain(w->conn, text, job->deadline, job->result.error);
    return job->result.err;
}

static bool run_tx(struct writer *w, struct writer_job *job)
{
    if (!sqlite_conn_in_transaction(w->conn)) {
        if (run_plain(w, job, "BEGIN IMMEDIATE") != STOA_OK)
            return false;
        job->tx->until = clock_monotonic_ms() + SQL_TX_MAX_MS;
    }
    sqlite_conn_run(w->conn, job->call,
                    job->deadline < job->tx->until ? job->deadline : job->tx->until, &job->result);
    return true;
}

static void run_commit(struct writer *w, struct writer_job *job)
{
    if (!sqlite_conn_in_transaction(w->conn)) {
        job->result.err = STOA_E_STORE;
        snprintf(job->result.error, sizeof(job->result.error),
                 "SQLite rolled the transaction back by itself");
        return;
    }
    if (run_plain(w, job, "COMMIT") != STOA_OK)
        run_rollback(w);
}

static bool script_wanted(struct writer *w, struct writer_job *job)
{
    if (!job->script->unless)
        return true;
    sqlite_conn_run(w->conn, job->script->unless, INT64_MAX, &job->result);
    job->script->skipped = job->result.err == STOA_OK && job->result.pack.columns &&
                           job->result.pack.count > job->result.pack.columns;
    return job->result.err == STOA_OK && !job->script->skipped;
}

static void run_script(struct writer *w, struct writer_job *job)
{
    if (run_plain(w, job, "BEGIN IMMEDIATE") != STOA_OK)
        return;
    if (script_wanted(w, job)) {
        job->result.err = sqlite_conn_script(w->conn, job->script, job->diag);
        snprintf(job->result.error, sizeof(job->result.error), "%s", sql_last_error());
        if (job->result.err == STOA_OK && job->script->after)
            sqlite_conn_run(w->conn, job->script->after, INT64_MAX, &job->result);
    }
    if (job->result.err == STOA_OK)
        run_commit(w, job);
    else
        run_rollback(w);
}

/* One write by itself, or several that happened to wait: each whole or without effect. */
static bool run_in_savepoint(struct writer *w, struct writer_job *job)
{
    char error[SQL_ERROR_MAX];

    if (sqlite_conn_plain(w->conn, "SAVEPOINT one", INT64_MAX, error) != STOA_OK)
        return false;
    sqlite_conn_run(w->conn, job->call, job->deadline, &job->result);
    if (!sqlite_conn_in_transaction(w->conn))
        return false;
    if (job->result.err != STOA_OK &&
        sqlite_conn_plain(w->conn, "ROLLBACK TO one", INT64_MAX, error) != STOA_OK)
        return false;
    return sqlite_conn_plain(w->conn, "RELEASE one", INT64_MAX, error) == STOA_OK;
}

static void run_alone(struct writer *w, struct writer_job *job)
{
    if (run_plain(w, job, "BEGIN IMMEDIATE") != STOA_OK)
        return;
    sqlite_conn_run(w->conn, job->call, job->deadline, &job->result);
    if (job->result.err == STOA_OK)
        run_commit(w, job);
    else
        run_rollback(w);
}

/* One COMMIT for all. When a neighbour spoils it (a deferred constraint, an interrupt that rolled
 * everything back), nothing has happened yet: each is run again by itself. */
static void run_batch(struct writer *w, struct writer_job *first)
{
    struct writer_job *job = first;
    char error[SQL_ERROR_MAX];

    if (first->next &&
        sqlite_conn_plain(w->conn, "BEGIN IMMEDIATE", first->deadline, error) == STOA_OK) {
        while (job && run_in_savepoint(w, job))
            job = job->next;
        if (!job && sqlite_conn_plain(w->conn, "COMMIT", INT64_MAX, error) == STOA_OK)
            return;
        run_rollback(w);
    }
    for (job = first; job; job = job->next)
        run_alone(w, job);
}

/* ---- The thread ---- */

static void on_done(struct loop_message *message)
{
    struct writer_job *job =
        (struct writer_job *)((char *)message - offsetof(struct writer_job, message));

    fiber_wake(&job->wait);
}

static void job_done(struct writer *w, struct writer_job *job)
{
    job->state = JOB_DONE;
    if (job->loop)
        loop_post(job->loop, &job->message); /* job may be gone from here on */
    else
        pthread_cond_broadcast(&w->done);
}

/* The single writes at the head of the queue, as a chain. */
static struct writer_job *take_batch(struct writer *w)
{
    struct writer_job *first = queue_pop(w), *last = first;

    for (int i = 1; i < BATCH_MAX && w->head && w->head->kind == WRITER_EXEC; i++) {
        last->next = queue_pop(w);
        last = last->next;
    }
    last->next = NULL;
    return first;
}

static void serve_batch(struct writer *w)
{
    struct writer_job *next, *job = take_batch(w);

    pthread_mutex_unlock(&w->lock);
    run_batch(w, job);
    pthread_mutex_lock(&w->lock);
    for (; job; job = next) {
        next = job->next;
        job_done(w, job);
    }
}

static void serve_tx(struct writer *w, struct writer_job *job)
{
    bool goes_on = false;

    job->state = JOB_RUNNING;
    pthread_mutex_unlock(&w->lock);
    if (job->kind == WRITER_TX_EXEC)
        goes_on = run_tx(w, job);
    else if (job->kind == WRITER_COMMIT)
        run_commit(w, job);
    else
        run_rollback(w);
    pthread_mutex_lock(&w->lock);
    job->tx->open = goes_on;
    w->tx = goes_on ? job->tx : NULL;
    job_done(w, job);
}

static void serve_script(struct writer *w)
{
    struct writer_job *job = queue_pop(w);

    pthread_mutex_unlock(&w->lock);
    run_script(w, job);
    pthread_mutex_lock(&w->lock);
    job_done(w, job);
}

static void expire_tx(struct writer *w)
{
    struct writer_job *job = w->tx_job;

    w->tx->open = false;
    w->tx->expired = true; /* from here on its owner may free it */
    w->tx = NULL;
    w->tx_job = NULL;
    if (job)
        job->state = JOB_RUNNING;
    pthread_mutex_unlock(&w->lock);
    run_rollback(w);
    pthread_mutex_lock(&w->lock);
    if (!job)
        return;
    job->result.err = STOA_E_TIMEOUT;
    snprintf(job->result.error, sizeof(job->result.error), SQL_TX_OVER);
    job_done(w, job);
}

/* Has the turn, and everyone else waits: until it uses it again, and for so long only. */
static void wait_for_tx(struct writer *w)
{
    int64_t until = w->tx->until;
    struct timespec at = {until / 1000, until % 1000 * 1000000};

    while (!w->tx_job && !w->stop && clock_monotonic_ms() < until)
        pthread_cond_timedwait(&w->work, &w->lock, &at);
    if (!w->tx_job || (w->tx_job->kind == WRITER_TX_EXEC && clock_monotonic_ms() >= until))
        expire_tx(w);
}

static void serve_next(struct writer *w)
{
    struct writer_job *job;

    if (w->tx)
        wait_for_tx(w);
    if (w->tx_job) {
        job = w->tx_job;
        w->tx_job = NULL;
        serve_tx(w, job);
    } else if (!w->head) {
        if (!w->stop)
            pthread_cond_wait(&w->work, &w->lock);
    } else if (w->head->kind == WRITER_EXEC) {
        serve_batch(w);
    } else if (w->head->kind == WRITER_SCRIPT) {
        serve_script(w);
    } else {
        serve_tx(w, queue_pop(w));
    }
}

static void *writer_main(void *arg)
{
    struct writer *w = arg;

    slice_serve();
    pthread_mutex_lock(&w->lock);
    while (!w->stop || w->head || w->tx)
        serve_next(w);
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

stoa_err writer_start(struct writer *w, const char *path, char error[SQL_ERROR_MAX])
{
    pthread_condattr_t monotonic;

    w->conn = sqlite_conn_open(path, false, error);
    if (!w->conn)
        return STOA_E_STORE;
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->work, &monotonic);
    pthread_cond_init(&w->done, &monotonic);
    pthread_condattr_destroy(&monotonic);
    stoa_assert(thread_start("sql-writer", writer_main, w, &w->thread));
    return STOA_OK;
}

void writer_stop(struct writer *w)
{
    if (!w->conn)
        return;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_broadcast(&w->work);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->work);
    pthread_cond_destroy(&w->done);
    pthread_mutex_destroy(&w->lock);
    sqlite_conn_close(w->conn);
    w->conn = NULL;
}

/* ---- The caller's side ---- */

static bool take_back(struct writer *w, struct writer_job *job)
{
    bool queued;

    pthread_mutex_lock(&w->lock);
    queued = job->state == JOB_QUEUED;
    if (queued)
        queue_unlink(w, job);
    pthread_mutex_unlock(&w->lock);
    return queued;
}

static stoa_err wait_on_fiber(struct writer *w, struct writer_job *job)
{
    stoa_err err = fiber_await(&job->wait, -1);
    int64_t deadline;

    if (err == STOA_OK)
        return STOA_OK;
    if (take_back(w, job))
        return err;
    fiber_mask();
    deadline = fiber_set_deadline(INT64_MAX);
    err = fiber_await(&job->wait, -1);
    fiber_set_deadline(deadline);
    fiber_unmask();
    return err;
}

static stoa_err wait_on_thread(struct writer *w, struct writer_job *job)
{
    pthread_mutex_lock(&w->lock);
    while (job->state != JOB_DONE)
        pthread_cond_wait(&w->done, &w->lock);
    pthread_mutex_unlock(&w->lock);
    return STOA_OK;
}

stoa_err writer_run(struct writer *w, struct writer_job *job)
{
    bool expired, idle; /* idle: nothing was begun, so nothing is to be ended */
    stoa_err err;

    job->loop = fiber_self() ? loop_current() : NULL;
    job->message.run = on_done;
    pthread_mutex_lock(&w->lock);
    expired = job->tx && job->tx->expired;
    idle = job->kind != WRITER_TX_EXEC && job->tx && !job->tx->open;
    if (!expired && !idle) {
        queue_push(w, job);
        pthread_cond_signal(&w->work);
    }
    pthread_mutex_unlock(&w->lock);
    if (expired)
        sql_error(SQL_TX_OVER);
    if (expired || idle)
        return expired ? STOA_E_TIMEOUT : STOA_OK;
    err = job->loop ? wait_on_fiber(w, job) : wait_on_thread(w, job);
    if (err != STOA_OK)
        sql_error("%s: gave up waiting for the writer", job->call ? job->call->name : "sql");
    return err;
}
