/* resource/sql/pg.h: the parts of the PostgreSQL driver. Each loop has its own connections; no
 * lock is needed. SPDX-License-Identifier: Apache-2.0 */
#ifndef RESOURCE_SQL_PG_H
#define RESOURCE_SQL_PG_H

#include "fiber/fiber.h"
#include "resource/sql/driver.h"
#include "resource/sql/pg_library.h"
#include <pthread.h>

struct pg_lane;
struct pg_slot;
struct pg_wire;
struct postgresql;

/* ---- pg_connect.c: blocking, for a thread of the pool ---- */
struct pg_session {
    uint32_t statement_timeout_ms; /* 0: none */
    bool is_read_only;             /* the server refuses whatever writes */
};
/* NULL with error filled: within 5 s for each address of the host and 5 s for the session's
 * settings, unless the URL says connect_timeout. What is sent and not acknowledged for 5 s ends the
 * connection (tcp_user_timeout, which the URL may set). */
PGconn *pg_connect(const char *url, const struct pg_session *session, char error[SQL_ERROR_MAX]);
/* What PostgreSQL says when something fails. The detail is left out: it quotes what people entered.
 */
struct pg_failure {
    char state[6]; /* SQLSTATE; "": the connection has gone without a word */
    char words[SQL_ERROR_MAX];
};
/* NULL: nothing was said. The caller frees it. */
struct pg_failure *pg_failure_create(const char *state, const char *words);
struct pg_failure *pg_failure_of(const PGresult *result);
/* The typed error, with words for sql_last_error(). */
stoa_err pg_error(const char *name, const struct pg_failure *failure);
/* The session is over. */
bool pg_error_is_loss(const struct pg_failure *failure);

/* ---- pg_conn.c: one connection in pipeline mode ---- */

/* The answer to one statement, with the Sync behind it unless it shares that with others. */
struct pg_reply {
    uint32_t commands, at, failed_at;
    bool shares_sync;      /* ends with its last command */
    bool is_aborted;       /* never run: one before it, with which it shares its Sync, failed */
    uint32_t prepare_at;   /* which command prepares; UINT32_MAX: none does */
    uint64_t prepare_hash; /* of the statement that the last command runs */
    uint32_t prepare_id;   /* 0: it is not a prepared one */
    struct pg_failure *error;
    PGresult *result;
    /* Instead of result, without libpq: */
    struct pg_columns *columns; /* held */
    char *raw;                  /* rows as they came: a count, and each cell behind its length */
    size_t raw_len, raw_cap;
    uint32_t raw_rows;
    int64_t affected;
    bool is_complete;
};

struct pg_conn {
    PGconn *pg;
    struct loop *loop;  /* NULL: off the loops, waits with poll(2) */
    struct loop_io *io; /* NULL without a loop */
    int watched_fd;     /* the loop's own copy of the socket, or -1 */
    int want;           /* what io watches */
    struct statements statements;
    struct fiber_wait wait; /* of the one fiber that has the connection */
    bool waiting;
    bool broken;
    int64_t until;        /* off the loops no wait goes beyond (monotonic ms); 0: no such end */
    uint32_t reads;       /* since the last reply ended */
    uint64_t read_bytes;  /* of these, past the first few: bounds what one result may hold */
    struct pg_lane *lane; /* NULL: one user at a time */
    struct pg_wire *wire; /* NULL: libpq talks */
    struct pg_slot *slot;
    struct pg_conn *next;
};
/* Takes pg over, on the loop of this thread or, with loop NULL, off the loops. */
struct pg_conn *pg_conn_create(PGconn *pg, struct loop *loop, struct pg_slot *slot,
                               struct pg_lane *lane);
void pg_conn_destroy(struct pg_conn *conn);
/* Puts call, after BEGIN if wanted, into the connection's buffer. False: the connection is lost. */
bool pg_conn_queue(struct pg_conn *conn, const struct sql_call *call, bool begin,
                   struct pg_reply *ret);
/* Ends the transaction of what was queued since the last Sync, and sends all of it. */
bool pg_conn_sync(struct pg_conn *conn);
/* Sends what the socket had no room for. */
bool pg_conn_flush(struct pg_conn *conn);
/* Reads what is there. False: lost, or one result holds more than any may. */
bool pg_conn_read(struct pg_conn *conn);
bool pg_conn_overflowed(const struct pg_conn *conn);
/* Takes results for reply. True: that was the last. */
bool pg_conn_results(struct pg_conn *conn, struct pg_reply *reply);
/* Rows or error of a finished reply; frees it. conn NULL: it has gone since. *again: nothing has
 * happened; the prepared statement was gone, or a neighbour's error skipped this one. */
stoa_err pg_reply_take(struct pg_conn *conn, struct pg_reply *reply, const struct sql_call *call,
                       bool *again);
/* The same for a finished reply that nobody waits for. */
void pg_reply_drop(struct pg_conn *conn, struct pg_reply *reply);
void pg_reply_finish(struct pg_reply *reply);
/* Bytes that its rows take till then. */
size_t pg_reply_size(const struct pg_reply *reply);
/* What came although nobody waits: a notice, a changed setting. */
void pg_conn_idle(struct pg_conn *conn);
void pg_statement_forget(struct pg_conn *conn, struct statement *one);
/* send, wait, take, for who has the connection alone. After an error that leaves it in an unknown
 * state conn->broken is set. */
stoa_err pg_conn_exec(struct pg_conn *conn, const struct sql_call *call, bool begin, bool *again);

/* ---- pg_pool.c: connections for one user at a time ---- */

struct pg_waiter { /* on the stack of the fiber that waits */
    struct fiber_wait wait;
    struct pg_waiter *prev, *next;
    bool queued;
    stoa_err err;
    char error[SQL_ERROR_MAX];
    struct pg_conn *conn;
};
struct pg_waiters {
    struct pg_waiter *head, *tail;
    uint32_t count;
};
void pg_waiters_push(struct pg_waiters *all, struct pg_waiter *waiter);
void pg_waiters_remove(struct pg_waiters *all, struct pg_waiter *waiter);
/* Removes and wakes the first. */
void pg_waiters_wake(struct pg_waiters *all, stoa_err err, const char *error, struct pg_conn *conn);
void pg_waiters_wake_all(struct pg_waiters *all, stoa_err err, const char *error);

STOA_NODISCARD stoa_err pg_acquire(struct pg_slot *slot, struct pg_conn **ret);
/* Back to the pool; a broken one is closed. */
void pg_release(struct pg_conn *conn);
/* Something came on a connection that nobody uses. */
void pg_idle_input(struct pg_conn *conn);
/* Connects on a thread of the pool, then calls connected on the loop (conn NULL: it failed). */
struct pg_connecting {
    struct pg_slot *slot;
    struct pg_lane *lane;
    void (*connected)(struct pg_connecting *self, PGconn *pg);
    char error[SQL_ERROR_MAX];
};
/* False: it could not even begin; connected has been called. */
bool pg_connect_start(const struct pg_connecting *how);
/* STOA_OK, or STOA_E_STORE while it is too early to try again. */
stoa_err pg_backoff_check(const struct pg_slot *slot);
void pg_slot_close(struct pg_slot *slot);

/* ---- pg_wire.c: the messages of a connection that libpq has opened, without it ---- */

struct pg_column {
    const char *name;
    bool is_boolean;
};
/* Of a statement's results. Filled in by the answer to who prepares it, before any row comes. */
struct pg_columns {
    uint32_t holders, count;
    struct pg_column *list;
    const struct seen_columns *kept; /* NULL: not looked at yet, or others than the first had */
};
void pg_columns_release(struct pg_columns *columns);
/* fd stays the caller's. Plain text only, and nobody else reads or writes it. */
struct pg_wire *pg_wire_create(int fd);
void pg_wire_destroy(struct pg_wire *w);      /* NULL is fine */
size_t pg_wire_size(const struct pg_wire *w); /* bytes of its buffers */
/* As pg_conn_queue(), …_sync(), …_flush(), …_read(), …_results(), …_idle(). What no server sends
 * sets conn->broken, and so does more than any result may hold (pg_conn_overflowed()). */
void pg_wire_queue(struct pg_conn *conn, const struct sql_call *call, struct pg_reply *reply);
void pg_wire_sync(struct pg_wire *w);
int pg_wire_flush(struct pg_wire *w); /* 1: the socket has no room; -1: lost */
bool pg_wire_read(struct pg_conn *conn);
bool pg_wire_results(struct pg_conn *conn, struct pg_reply *reply);
void pg_wire_idle(struct pg_conn *conn);
/* Not too many rows, nor bytes. */
bool pg_wire_fits(const struct pg_reply *reply, const struct sql_call *call);
stoa_err pg_wire_rows(const struct pg_reply *reply, const struct sql_call *call);

/* ---- pg_cancel.c: statements that nobody waits for ---- */

struct pg_cancels;
struct pg_cancels *pg_cancels_create(void);
/* Drops what waits. Never blocks: a thread that hangs in libpq frees all when it comes back. */
void pg_cancels_close(struct pg_cancels *all);
/* Takes one over. One at a time is sent, on a thread of the resource's own; 64 wait, more are
 * dropped (statement_timeout ends what they were for). Any thread; never blocks. */
void pg_cancels_put(struct pg_cancels *all, PGcancel *one);

/* ---- pg_lane.c: a connection that many statements share ---- */

struct lane_line {
    struct lane_op *head, *tail;
    uint32_t count;
};
struct pg_lane {
    struct pg_slot *slot;
    struct pg_conn *conn; /* NULL: down */
    bool is_read_only;    /* statements may share a Sync: none can undo another's work */
    bool connecting;
    struct pg_waiters waiting;     /* for the connection */
    struct lane_line sent;         /* statements and shared Syncs without an answer yet */
    struct lane_line answered;     /* statements whose Sync has not come yet */
    uint64_t answered_bytes;       /* of memory, in their answers */
    struct lane_line gathered;     /* statements to be sent at the end of this turn's work */
    struct loop_task sync;         /* does that */
    uint32_t batches;              /* shared Syncs among what is sent */
    int64_t began_us, apart_until; /* when the server turned to the first in line; monotonic ms:
                                    * till then each statement has its own Sync */
};
stoa_err pg_lane_exec(struct pg_lane *lane, const struct sql_call *call);
void pg_lane_on_io(struct pg_lane *lane, int ready);
void pg_lane_on_task(struct loop_task *task);
void pg_lane_close(struct pg_lane *lane);

/* ---- What a loop has ---- */
/* Reads and writes have a lane each: a write's fsync would hold the reads behind it up. */
enum pg_lane_kind { LANE_READ, LANE_WRITE, LANES };
struct pg_slot {
    struct postgresql *db;
    struct loop *loop; /* NULL: for callers off the loops, who share it under the lock */
    pthread_mutex_t lock;
    struct pg_lane lanes[LANES];
    struct pg_conn *idle;
    uint32_t open, cap;  /* open: idle, in use and connecting */
    uint32_t connecting; /* of open: not there yet */
    uint32_t attempts;   /* fibers that connect, for the lanes too */
    struct pg_waiters waiting;
    int64_t retry_at;
    uint32_t backoff_ms;
    char error[SQL_ERROR_MAX]; /* why the last connection failed */
};

struct postgresql {
    struct sql base;
    char *url;
    uint32_t shared_timeout_ms, pool_timeout_ms;
    uint32_t loops;
    struct pg_slot *slots; /* one a loop, and the last for callers off the loops */
    struct pg_cancels *cancels;
    bool closing;
};

#endif
