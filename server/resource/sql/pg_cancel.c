/* Telling PostgreSQL that nobody waits for a statement any more. PQcancel() blocks: it connects
 * anew, past connect_timeout, and reads without end from a server that is silent. On the pool's
 * threads a host that hung would so keep all from reconnecting; hence one thread a resource, and a
 * short queue in front of it. SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/thread.h"
#include "resource/sql/pg.h"

#include <stdlib.h>

enum { WAITING_MAX = 64 };

/* Outlives its resource while the thread is in libpq: who is last frees it. */
struct pg_cancels {
    pthread_mutex_t lock;
    PGcancel *waiting[WAITING_MAX];
    uint32_t count;
    bool working; /* the thread is there; it ends when nothing waits */
    bool closed;
    bool told; /* that some were dropped; until the thread has caught up */
};

struct pg_cancels *pg_cancels_create(void)
{
    struct pg_cancels *all = calloc(1, sizeof(*all));

    stoa_assert(all);
    pthread_mutex_init(&all->lock, NULL);
    return all;
}

static void cancels_free(struct pg_cancels *all)
{
    pthread_mutex_destroy(&all->lock);
    free(all);
}

void pg_cancels_close(struct pg_cancels *all)
{
    bool working;

    pthread_mutex_lock(&all->lock);
    while (all->count)
        pq.freeCancel(all->waiting[--all->count]);
    all->closed = true;
    working = all->working;
    pthread_mutex_unlock(&all->lock);
    if (!working)
        cancels_free(all);
}

/* The latest first: its statement has the most of its own timeout left. With nothing there NULL,
 * and the thread is no longer counted. */
static PGcancel *next_one(struct pg_cancels *all, bool *closed)
{
    PGcancel *one = NULL;

    pthread_mutex_lock(&all->lock);
    if (all->count)
        one = all->waiting[--all->count];
    else
        all->working = all->told = false;
    *closed = all->closed;
    pthread_mutex_unlock(&all->lock);
    return one;
}

static void *cancels_main(void *arg)
{
    struct pg_cancels *all = arg;
    char error[256];
    PGcancel *one;
    bool closed;

    while ((one = next_one(all, &closed))) {
        (void)pq.cancel(one, error, sizeof(error)); /* if not, its own timeout ends the statement */
        pq.freeCancel(one);
    }
    if (closed)
        cancels_free(all);
    return NULL;
}

void pg_cancels_put(struct pg_cancels *all, PGcancel *one)
{
    bool taken, tell;

    pthread_mutex_lock(&all->lock);
    if (!all->working)
        all->working = thread_start("sql-cancel", cancels_main, all, NULL);
    taken = all->working && all->count < WAITING_MAX;
    if (taken)
        all->waiting[all->count++] = one;
    tell = !taken && !all->told;
    all->told |= tell;
    pthread_mutex_unlock(&all->lock);
    if (taken)
        return;
    pq.freeCancel(one);
    if (tell)
        log_put(STOA_WARN, "sql",
                "statements could not be cancelled; their own timeouts will end them",
                STOA_NO_FIELDS);
}
