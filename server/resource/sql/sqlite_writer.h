/* resource/sql/sqlite_writer.h: the one connection that writes, on its own thread. Work waits in
 * line with its caller's deadline and holds no thread while it waits.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RESOURCE_SQL_SQLITE_WRITER_H
#define RESOURCE_SQL_SQLITE_WRITER_H

#include "fiber/fiber.h"
#include "resource/sql/sqlite_conn.h"
#include <pthread.h>

struct writer_tx {
    bool open;     /* BEGIN was done and its turn has not ended; the writer's lock guards it */
    bool expired;  /* the writer rolled it back: it was open for SQL_TX_MAX_MS */
    int64_t until; /* when that is, monotonic ms; the writer's thread's own */
};

enum writer_kind { WRITER_EXEC, WRITER_TX_EXEC, WRITER_COMMIT, WRITER_ROLLBACK, WRITER_SCRIPT };

/* On the stack of who waits for it. */
struct writer_job {
    enum writer_kind kind;
    const struct sql_call *call;
    struct writer_tx *tx;
    struct sql_script *script;
    struct diag *diag;
    int64_t deadline;
    struct sqlite_result result;
    /* The writer's. */
    enum { JOB_QUEUED, JOB_RUNNING, JOB_DONE } state;
    struct writer_job *prev, *next;
    struct loop *loop; /* NULL: a thread waits */
    struct fiber_wait wait;
    struct loop_message message;
};

struct writer {
    struct sqlite_conn *conn;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    struct writer_job *head, *tail; /* first come, first served */
    struct writer_tx *tx;           /* has the turn, until it ends */
    struct writer_job *tx_job;
    bool stop;
};

stoa_err writer_start(struct writer *writer, const char *path, char error[SQL_ERROR_MAX]);
/* Nobody waits any more. */
void writer_stop(struct writer *writer);
/* Waits for its turn and for the work. A job that has begun is waited for past any deadline: it
 * reads the caller's stack. STOA_OK: job->result says how it went. */
STOA_NODISCARD stoa_err writer_run(struct writer *writer, struct writer_job *job);

#endif
