/* The connections of one loop for transactions and long statements: lent to one fiber at a time,
 * first come, first served, with the fiber's deadline. SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "resource/sql/pg.h"

#include <stdio.h>
#include <stdlib.h>

enum { BACKOFF_FIRST_MS = 100, BACKOFF_MAX_MS = 2000 };

/* ---- Who waits ---- */

void pg_waiters_push(struct pg_waiters *all, struct pg_waiter *waiter)
{
    *waiter = (struct pg_waiter){.prev = all->tail, .queued = true};
    if (all->tail)
        all->tail->next = waiter;
    else
        all->head = waiter;
    all->tail = waiter;
    all->count++;
}

void pg_waiters_remove(struct pg_waiters *all, struct pg_waiter *waiter)
{
    if (!waiter->queued)
        return;
    if (waiter->prev)
        waiter->prev->next = waiter->next;
    else
        all->head = waiter->next;
    if (waiter->next)
        waiter->next->prev = waiter->prev;
    else
        all->tail = waiter->prev;
    waiter->queued = false;
    all->count--;
}

void pg_waiters_wake(struct pg_waiters *all, stoa_err err, const char *error, struct pg_conn *conn)
{
    struct pg_waiter *waiter = all->head;

    pg_waiters_remove(all, waiter);
    waiter->err = err;
    waiter->conn = conn;
    snprintf(waiter->error, sizeof(waiter->error), "%s", error);
    fiber_wake(&waiter->wait);
}

void pg_waiters_wake_all(struct pg_waiters *all, stoa_err err, const char *error)
{
    while (all->head)
        pg_waiters_wake(all, err, error, NULL);
}

/* ---- Connecting ---- */

struct connect_job {
    struct pg_connecting how;
    char *url; /* a copy: the thread may outlive the resource */
    struct pg_session session;
    PGconn *pg;
};

static void connect_work(void *arg)
{
    struct connect_job *job = arg;

    job->pg = pg_connect(job->url, &job->session, job->how.error);
}

static void job_free(struct connect_job *job)
{
    free(job->url);
    free(job);
}

static void backoff_note(struct pg_slot *slot, const struct connect_job *job)
{
    if (job->pg) {
        if (slot->backoff_ms)
            log_info("sql", "PostgreSQL is back", stoa_f("resource", stoa_z(slot->db->base.name)));
        slot->backoff_ms = 0;
        slot->retry_at = 0;
        return;
    }
    if (slot->backoff_ms == 0)
        log_error("sql", "PostgreSQL cannot be reached",
                  stoa_f("resource", stoa_z(slot->db->base.name)),
                  stoa_f("error", stoa_z(job->how.error)));
    slot->backoff_ms = slot->backoff_ms ? slot->backoff_ms * 2 : BACKOFF_FIRST_MS;
    if (slot->backoff_ms > BACKOFF_MAX_MS)
        slot->backoff_ms = BACKOFF_MAX_MS;
    slot->retry_at = clock_monotonic_ms() + slot->backoff_ms;
    snprintf(slot->error, sizeof(slot->error), "%s", job->how.error);
}

/* On a fiber of its own, so that no request's deadline or end cuts it off. Resolving a name blocks
 * in libpq, so all of it is done on a thread. */
static void connect_fiber(void *arg)
{
    struct connect_job *job = arg;
    struct pg_slot *slot = job->how.slot;
    stoa_err err = STOA_OK;

    if (slot->db->base.pool)
        err = pool_run(slot->db->base.pool, POOL_SQL_READ, connect_work, job);
    else
        connect_work(job);
    if (err != STOA_OK)
        snprintf(job->how.error, sizeof(job->how.error), "no thread to connect on: %s",
                 stoa_err_name(err));
    backoff_note(slot, job);
    slot->attempts--;
    if (slot->db->closing && job->pg) {
        pq.finish(job->pg);
        job->pg = NULL;
    }
    job->how.connected(&job->how, job->pg);
    job_free(job);
}

bool pg_connect_start(const struct pg_connecting *how)
{
    const struct postgresql *db = how->slot->db;
    struct connect_job *job = calloc(1, sizeof(*job));

    stoa_assert(job);
    job->how = *how;
    job->url = strdup(db->url);
    stoa_assert(job->url);
    job->session = (struct pg_session){.statement_timeout_ms =
                                           how->lane ? db->shared_timeout_ms : db->pool_timeout_ms,
                                       .is_read_only = how->lane && how->lane->is_read_only};
    how->slot->attempts++;
    if (fiber_spawn(connect_fiber, NULL, job, NULL) == STOA_OK)
        return true;
    how->slot->attempts--;
    snprintf(job->how.error, sizeof(job->how.error), "too many fibers");
    job->how.connected(&job->how, NULL);
    job_free(job);
    return false;
}

stoa_err pg_backoff_check(const struct pg_slot *slot)
{
    if (slot->retry_at <= clock_monotonic_ms())
        return STOA_OK;
    sql_error("PostgreSQL cannot be reached: %s", slot->error);
    return STOA_E_STORE;
}

/* ---- Lending, on a loop ---- */

static void slot_connect(struct pg_slot *slot);

static void slot_give(struct pg_slot *slot, struct pg_conn *conn)
{
    if (slot->waiting.head) {
        pg_waiters_wake(&slot->waiting, STOA_OK, "", conn);
        return;
    }
    conn->next = slot->idle;
    slot->idle = conn;
}

static void on_connected(struct pg_connecting *how, PGconn *pg)
{
    struct pg_slot *slot = how->slot;

    slot->connecting--;
    if (pg) {
        metric_add(METRIC_sql_reconnects_total, 1);
        slot_give(slot, pg_conn_create(pg, slot->loop, slot, NULL));
        return;
    }
    slot->open--;
    if (slot->open == slot->connecting) /* none is in use that could come back */
        pg_waiters_wake_all(&slot->waiting, STOA_E_STORE, how->error);
}

/* One attempt for each who waits, up to the cap. */
static void slot_connect(struct pg_slot *slot)
{
    const struct pg_connecting how = {.slot = slot, .connected = on_connected};
    uint32_t wanted = slot->waiting.count;

    while (slot->connecting < wanted && slot->open < slot->cap && !slot->db->closing) {
        slot->open++;
        slot->connecting++;
        if (!pg_connect_start(&how))
            return;
    }
}

static stoa_err acquire_on_fiber(struct pg_slot *slot, struct pg_conn **ret)
{
    struct pg_waiter waiter;
    stoa_err err;

    if (slot->open == 0)
        STOA_TRY(pg_backoff_check(slot));
    pg_waiters_push(&slot->waiting, &waiter);
    if (slot->retry_at <= clock_monotonic_ms())
        slot_connect(slot);
    err = fiber_await(&waiter.wait, -1);
    pg_waiters_remove(&slot->waiting, &waiter);
    if (waiter.conn && err == STOA_OK) {
        *ret = waiter.conn;
        return STOA_OK;
    }
    if (waiter.conn) /* given at the moment the deadline passed */
        slot_give(slot, waiter.conn);
    if (err != STOA_OK)
        sql_error("no connection to PostgreSQL became free in time");
    else
        sql_error("PostgreSQL cannot be reached: %s", waiter.error);
    return err != STOA_OK ? err : waiter.err;
}

/* ---- Lending, off the loops ---- */

static stoa_err acquire_on_thread(struct pg_slot *slot, struct pg_conn **ret)
{
    char error[SQL_ERROR_MAX];
    const struct pg_session session = {.statement_timeout_ms = slot->db->pool_timeout_ms};
    PGconn *pg = pg_connect(slot->db->url, &session, error);

    if (!pg) {
        sql_error("PostgreSQL cannot be reached: %s", error);
        return STOA_E_STORE;
    }
    *ret = pg_conn_create(pg, NULL, slot, NULL);
    return STOA_OK;
}

stoa_err pg_acquire(struct pg_slot *slot, struct pg_conn **ret)
{
    struct pg_conn *conn;

    pthread_mutex_lock(&slot->lock);
    conn = slot->waiting.head ? NULL : slot->idle;
    if (conn)
        slot->idle = conn->next;
    pthread_mutex_unlock(&slot->lock);
    if (conn) {
        conn->next = NULL;
        *ret = conn;
        return STOA_OK;
    }
    return slot->loop ? acquire_on_fiber(slot, ret) : acquire_on_thread(slot, ret);
}

/* ---- Giving back ---- */

/* A statement that nobody waits for any more would hold its locks until its own timeout. */
static void cancel_statement(struct pg_conn *conn)
{
    PGcancel *cancel;

    if (!conn->slot->db->base.pool || conn->slot->db->closing ||
        pq.status(conn->pg) != CONNECTION_OK || pq.transactionStatus(conn->pg) != PQTRANS_ACTIVE)
        return;
    cancel = pq.getCancel(conn->pg);
    if (cancel)
        pg_cancels_put(conn->slot->db->cancels, cancel);
}

static void release_on_thread(struct pg_slot *slot, struct pg_conn *conn)
{
    if (conn->broken) {
        pg_conn_destroy(conn);
        return;
    }
    pthread_mutex_lock(&slot->lock);
    conn->next = slot->idle;
    slot->idle = conn;
    pthread_mutex_unlock(&slot->lock);
}

void pg_release(struct pg_conn *conn)
{
    struct pg_slot *slot = conn->slot;

    if (!conn->loop) {
        release_on_thread(slot, conn);
    } else if (!conn->broken) {
        slot_give(slot, conn);
    } else {
        cancel_statement(conn);
        pg_conn_destroy(conn);
        slot->open--;
        slot_connect(slot);
    }
}

void pg_idle_input(struct pg_conn *conn)
{
    struct pg_conn **link = &conn->slot->idle;

    if (pq.consumeInput(conn->pg)) {
        (void)pq.isBusy(conn->pg); /* parses what came: a notice, a changed setting */
        return;
    }
    conn->broken = true;
    while (*link && *link != conn)
        link = &(*link)->next;
    if (!*link) { /* lent, and its fiber is busy elsewhere: it will see */
        loop_io_want(conn->io, conn->want = 0);
        return;
    }
    *link = conn->next;
    conn->slot->open--;
    pg_conn_destroy(conn);
}

void pg_slot_close(struct pg_slot *slot)
{
    struct pg_conn *next;

    for (struct pg_conn *conn = slot->idle; conn; conn = next) {
        next = conn->next;
        pg_conn_destroy(conn);
    }
    slot->idle = NULL;
    pthread_mutex_destroy(&slot->lock);
}
