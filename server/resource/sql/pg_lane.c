/* A connection that many fibers share: each statement has its own Sync, so that neighbours share
 * neither a transaction nor an error (facts 5.2: 11,068 inserts were lost the other way).
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "resource/sql/pg.h"

#include <stdlib.h>

enum { LANE_MAX = 2000 };

/* One statement on its way. It outlives its fiber's patience: the answer comes all the same. */
struct lane_op {
    struct lane_op *next;
    struct fiber_wait wait;
    struct pg_reply reply;
    struct seen *seen;
    int64_t began_us; /* when it became the first in line */
    bool ended, abandoned, lost, too_large;
};

/* ---- Answers ---- */

static void op_end(struct lane_op *op)
{
    op->ended = true;
    if (!op->abandoned) {
        fiber_wake(&op->wait);
        return;
    }
    pg_reply_finish(&op->reply);
    free(op);
}

static struct lane_op *lane_pop(struct pg_lane *lane)
{
    struct lane_op *op = lane->head;

    lane->head = op->next;
    if (!lane->head)
        lane->tail = NULL;
    lane->queued--;
    return op;
}

static void lane_lost(struct pg_lane *lane)
{
    struct pg_conn *conn = lane->conn;

    lane->conn = NULL;
    if (lane->head &&
        pg_conn_overflowed(
            conn)) /* the first in line gave more than any result may; the others may try again */
        lane->head->too_large = true;
    while (lane->head) {
        struct lane_op *op = lane_pop(lane);
        op->lost = true;
        op_end(op);
    }
    pg_conn_destroy(conn);
}

static void op_time(struct lane_op *op, int64_t now_us)
{
    if (op->seen && !op->reply.error && seen_time(op->seen, now_us - op->began_us))
        log_warn("sql", "statement is often above 5 ms and leaves the shared connection",
                 stoa_f("statement", stoa_z(op->seen->name)));
}

static void lane_results(struct pg_lane *lane)
{
    while (lane->head && pg_conn_results(lane->conn, &lane->head->reply)) {
        struct lane_op *op = lane_pop(lane);
        int64_t now_us = clock_monotonic_us();
        op_time(op, now_us);
        if (lane->head)
            lane->head->began_us = now_us;
        op_end(op);
    }
    if (lane->head)
        return;
    lane->conn->reads = 0;
    (void)PQisBusy(lane->conn->pg); /* parses what came: a notice, a changed setting */
}

void pg_lane_on_io(struct pg_lane *lane, int ready)
{
    struct pg_conn *conn = lane->conn;
    bool alive = !(ready & LOOP_READ) || pg_conn_read(conn);

    lane_results(lane);
    if (!alive || !pg_conn_flush(conn) || PQstatus(conn->pg) != CONNECTION_OK)
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

static void lane_push(struct pg_lane *lane, struct lane_op *op)
{
    if (lane->tail)
        lane->tail->next = op; /* NOLINT(clang-analyzer-unix.Malloc): who frees one unlinks it */
    else
        lane->head = op;
    lane->tail = op;
    lane->queued++;
}

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

static stoa_err lane_try(struct pg_lane *lane, const struct sql_call *call, bool *again)
{
    struct lane_op *op;
    stoa_err err;

    if (lane->queued >= LANE_MAX) {
        sql_error("%s: %d statements wait already", call->name, LANE_MAX);
        return STOA_E_BUSY;
    }
    op = calloc(1, sizeof(*op));
    stoa_assert(op);
    op->seen = call->seen;
    op->began_us = clock_monotonic_us();
    lane_push(lane, op);
    if (!pg_conn_send(lane->conn, call, false, &op->reply))
        lane_lost(lane);
    err = fiber_await(&op->wait, -1);
    if (op->ended)
        return op_take(lane, op, call, again);
    op->abandoned = true;
    sql_error("%s: %s", call->name, stoa_err_name(err));
    return err;
}

/* Tried once more when nothing can have happened: a read whose connection died, or a prepared
 * statement that the server no longer has. */
stoa_err pg_lane_exec(struct pg_lane *lane, const struct sql_call *call)
{
    bool again = false;
    stoa_err err;

    STOA_TRY(lane_ready(lane));
    err = lane_try(lane, call, &again);
    if (!again)
        return err;
    STOA_TRY(lane_ready(lane));
    return lane_try(lane, call, &again);
}

void pg_lane_close(struct pg_lane *lane)
{
    if (lane->conn)
        lane_lost(lane);
}
