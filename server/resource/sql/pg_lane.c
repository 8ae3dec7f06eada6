/* A connection that many fibers share. A Sync ends a transaction, so each write has its own: writes
 * that shared one were acknowledged and then rolled back with a neighbour (facts 5.2: 11,068 of
 * them). Reads have nothing to roll back, on a session that refuses to write: those of a turn share
 * a Sync, one send and one receive, and who was skipped because of a neighbour's error asks again
 * by itself (docs/adr/0016-shared-sync.md). SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "resource/sql/pg.h"

#include <stdlib.h>

enum {
    LANE_MAX = 2000,
    BATCH_MAX = 32,         /* statements that share a Sync */
    ANSWERED_MAX = 1 << 18, /* bytes of answers that wait for their batch's end */
    BATCHES_MAX = 2,        /* on their way: the server works on one while the next one travels */
    BATCH_SLOW = 5000,      /* us for a batch, and BATCH_EACH for each statement in it */
    BATCH_EACH = 500,
    APART_MS = 1000, /* how long statements are timed one by one after a slow batch */
    APART_EVERY_MS = 10000,
};

/* One statement, or a Sync that several share. It outlives its fiber's patience: the answer comes
 * all the same. */
struct lane_op {
    struct lane_op *next;
    struct fiber_wait wait;
    struct pg_reply reply;
    const struct sql_call *call; /* its fiber's, as long as it waits */
    uint32_t statements;         /* before a shared Sync; 0: this is a statement */
    bool ended, abandoned, lost, too_large;
};

static struct lane_op *op_create(const struct sql_call *call)
{
    struct lane_op *op = malloc(sizeof(*op)); /* calloc() has no cache of its own */

    stoa_assert(op);
    *op = (struct lane_op){.call = call};
    return op;
}

static void line_push(struct lane_line *line, struct lane_op *op)
{
    op->next = NULL;
    if (line->tail)
        line->tail->next = op; /* NOLINT(clang-analyzer-unix.Malloc): who frees one unlinks it */
    else
        line->head = op;
    line->tail = op;
    line->count++;
}

static struct lane_op *line_pop(struct lane_line *line)
{
    struct lane_op *op = line->head;

    line->head = op->next;
    if (!line->head)
        line->tail = NULL;
    line->count--;
    return op;
}

/* ---- Sending ---- */

/* False: the connection is lost. */
static bool op_send(struct pg_lane *lane, struct lane_op *op, bool shares_sync)
{
    line_push(&lane->sent, op);
    if (!pg_conn_queue(lane->conn, op->call, false, &op->reply))
        return false;
    op->reply.shares_sync = shares_sync;
    return true;
}

/* Who has given up meanwhile need not be sent. */
static void lane_drop_abandoned(struct pg_lane *lane)
{
    struct lane_line all = lane->gathered;

    lane->gathered = (struct lane_line){0};
    while (all.head) {
        struct lane_op *op = line_pop(&all);
        if (op->abandoned)
            free(op);
        else
            line_push(&lane->gathered, op);
    }
}

/* Sends what was gathered, with one Sync. */
static bool lane_sync(struct pg_lane *lane)
{
    struct lane_op *end;

    lane_drop_abandoned(lane);
    if (!lane->gathered.head)
        return true;
    if (!lane->sent.head)
        lane->began_us = clock_monotonic_us();
    if (lane->gathered.count == 1)
        return op_send(lane, line_pop(&lane->gathered), false) && pg_conn_sync(lane->conn);
    end = op_create(NULL);
    end->abandoned = true; /* nobody waits for it */
    end->statements = lane->gathered.count;
    while (lane->gathered.head)
        if (!op_send(lane, line_pop(&lane->gathered), true)) {
            free(end);
            return false;
        }
    line_push(&lane->sent, end);
    lane->batches++;
    return pg_conn_sync(lane->conn);
}

/* ---- Answers ---- */

/* conn NULL: it is lost. */
static void op_end(struct pg_conn *conn, struct lane_op *op)
{
    op->ended = true;
    if (!op->abandoned) {
        fiber_wake(&op->wait);
        return;
    }
    pg_reply_drop(conn, &op->reply);
    free(op);
}

/* Answers that have come go to who waits for them. */
static void lane_hand_out(struct pg_lane *lane)
{
    while (lane->answered.head)
        op_end(lane->conn, line_pop(&lane->answered));
    lane->answered_bytes = 0;
}

static void line_lost(struct lane_line *line)
{
    while (line->head) {
        struct lane_op *op = line_pop(line);
        op->lost = true;
        op_end(NULL, op);
    }
}

static void lane_lost(struct pg_lane *lane)
{
    struct pg_conn *conn = lane->conn;

    lane_hand_out(lane);
    lane->conn = NULL;
    lane->batches = 0;
    if (lane->sent.head &&
        pg_conn_overflowed(
            conn)) /* the first in line gave more than any result may; the others may try again */
        lane->sent.head->too_large = true;
    line_lost(&lane->sent);
    line_lost(&lane->gathered);
    pg_conn_destroy(conn);
}

/* Which one of a batch was slow cannot be told: for a while each has its own Sync and is timed. */
static void batch_time(struct pg_lane *lane, const struct lane_op *op, int64_t took_us)
{
    int64_t now = loop_now(lane->slot->loop);

    lane->batches--;
    if (took_us > BATCH_SLOW + BATCH_EACH * (int64_t)op->statements &&
        now - lane->apart_until > APART_EVERY_MS - APART_MS)
        lane->apart_until = now + APART_MS;
}

static void op_time(const struct lane_op *op, int64_t took_us)
{
    struct seen *seen = op->abandoned ? NULL : op->call->seen;

    if (seen && !op->reply.error && seen_time(seen, took_us))
        log_warn("sql", "statement is often above 5 ms and leaves the shared connection",
                 stoa_f("statement", stoa_z(seen->name)));
}

/* The server turns to what is behind a Sync when it is through with what is before it. */
static void lane_time(struct pg_lane *lane, const struct lane_op *op)
{
    int64_t now_us = clock_monotonic_us(), took_us = now_us - lane->began_us;

    if (op->statements)
        batch_time(lane, op, took_us);
    else
        op_time(op, took_us);
    lane->began_us = now_us;
}

/* A Sync has come. What was gathered meanwhile goes first: the server works on it while those who
 * have their answers go on. False: the connection is lost. */
static bool lane_synced(struct pg_lane *lane, const struct lane_op *op)
{
    bool alive;

    lane_time(lane, op);
    alive = lane->batches >= BATCHES_MAX || lane_sync(lane);
    lane_hand_out(lane);
    return alive;
}

/* Answers wait until their batch is whole: PostgreSQL sends them 8 KB at a time, and fibers that go
 * on together share the caches, and what they send then wakes others once. False: the server has
 * ended the session. Whoever is behind that must not be told to try again while the connection
 * still looks alive. */
static bool lane_results(struct pg_lane *lane)
{
    while (lane->sent.head && pg_conn_results(lane->conn, &lane->sent.head->reply)) {
        struct lane_op *op = lane->sent.head;
        if (op->reply.error && pg_error_is_loss(op->reply.error))
            return false;
        line_push(&lane->answered, line_pop(&lane->sent));
        lane->answered_bytes += pg_reply_size(&op->reply);
        if (!op->reply.shares_sync && !lane_synced(lane, op))
            return false;
        if (lane->answered_bytes > ANSWERED_MAX)
            lane_hand_out(lane);
    }
    if (lane->sent.head)
        return true;
    pg_conn_idle(lane->conn);
    return true;
}

void pg_lane_on_io(struct pg_lane *lane, int ready)
{
    struct pg_conn *conn = lane->conn;
    bool alive = !(ready & LOOP_READ) || pg_conn_read(conn);

    if (!lane_results(lane) || !alive || !pg_conn_flush(conn) ||
        pq.status(conn->pg) != CONNECTION_OK || conn->broken)
        lane_lost(lane);
}

/* ---- What fibers ask for ---- */

void pg_lane_on_task(struct loop_task *task)
{
    struct pg_lane *lane = (struct pg_lane *)((char *)task - offsetof(struct pg_lane, sync));

    if (lane->conn && lane->batches < BATCHES_MAX && !lane_sync(lane))
        lane_lost(lane);
}

static bool lane_send_apart(struct pg_lane *lane, struct lane_op *op)
{
    if (!lane_sync(lane)) { /* who came before must not share this one's fate */
        line_push(&lane->sent, op);
        return false;
    }
    if (!lane->sent.head)
        lane->began_us = clock_monotonic_us();
    return op_send(lane, op, false) && pg_conn_sync(lane->conn);
}

static void lane_send(struct pg_lane *lane, struct lane_op *op, bool apart)
{
    if (!lane->is_read_only || apart || loop_now(lane->slot->loop) < lane->apart_until) {
        if (!lane_send_apart(lane, op))
            lane_lost(lane);
        return;
    }
    line_push(&lane->gathered, op);
    if (lane->gathered.count < BATCH_MAX)
        loop_defer(lane->slot->loop, &lane->sync);
    else if (!lane_sync(lane))
        lane_lost(lane);
}

/* ---- The connection ---- */

static void on_connected(struct pg_connecting *how, PGconn *pg)
{
    struct pg_lane *lane = how->lane;

    lane->connecting = false;
    if (pg) {
        metric_add(METRIC_sql_reconnects_total, 1);
        lane->conn = pg_conn_create(pg, how->slot->loop, how->slot, lane);
    }
    pg_waiters_wake_all(&lane->waiting, pg ? STOA_OK : STOA_E_STORE, how->error);
}

static stoa_err lane_ready(struct pg_lane *lane)
{
    const struct pg_connecting how = {.slot = lane->slot, .lane = lane, .connected = on_connected};
    struct pg_waiter waiter;
    stoa_err err;

    if (lane->conn)
        return STOA_OK;
    STOA_TRY(pg_backoff_check(lane->slot));
    pg_waiters_push(&lane->waiting, &waiter);
    if (!lane->connecting) {
        lane->connecting = true;
        pg_connect_start(&how);
    }
    err = fiber_await(&waiter.wait, -1);
    pg_waiters_remove(&lane->waiting, &waiter);
    if (err == STOA_OK && waiter.err == STOA_OK && lane->conn)
        return STOA_OK;
    sql_error("PostgreSQL cannot be reached: %s", waiter.error);
    return err != STOA_OK ? err : STOA_E_STORE;
}

/* ---- Statements ---- */

static stoa_err op_take(struct pg_lane *lane, struct lane_op *op, const struct sql_call *call,
                        bool *again)
{
    stoa_err err = STOA_E_STORE;

    if (op->too_large) {
        sql_error("%s: more rows than a statement may give", call->name);
        err = STOA_E_TOO_LARGE;
    } else if (op->lost || (op->reply.error && pg_error_is_loss(op->reply.error))) {
        sql_error("%s: the connection to PostgreSQL was lost", call->name);
        *again = call->flags & STOA_SQL_READ;
    } else {
        err = pg_reply_take(lane->conn, &op->reply, call, again);
    }
    pg_reply_finish(&op->reply);
    free(op);
    return err;
}

static stoa_err lane_try(struct pg_lane *lane, const struct sql_call *call, bool apart, bool *again)
{
    struct lane_op *op;
    stoa_err err;

    if (lane->sent.count + lane->gathered.count >= LANE_MAX) {
        sql_error("%s: %d statements wait already", call->name, LANE_MAX);
        return STOA_E_BUSY;
    }
    op = op_create(call);
    lane_send(lane, op, apart);
    err = fiber_await(&op->wait, -1);
    if (op->ended)
        return op_take(lane, op, call, again);
    op->abandoned = true;
    op->call = NULL;
    sql_error("%s: %s", call->name, stoa_err_name(err));
    return err;
}

/* Tried once more, apart from others, when nothing can have happened: a read whose connection died
 * or whose neighbour failed, or a prepared statement that the server no longer has. */
stoa_err pg_lane_exec(struct pg_lane *lane, const struct sql_call *call)
{
    bool again = false;
    stoa_err err;

    STOA_TRY(lane_ready(lane));
    err = lane_try(lane, call, false, &again);
    if (!again)
        return err;
    STOA_TRY(lane_ready(lane));
    return lane_try(lane, call, true, &again);
}

void pg_lane_close(struct pg_lane *lane)
{
    if (lane->conn)
        lane_lost(lane);
}
