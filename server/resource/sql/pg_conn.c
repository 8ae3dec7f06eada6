/* One PostgreSQL connection in pipeline mode
 * (https://www.postgresql.org/docs/15/libpq-pipeline-mode.html). SPDX-License-Identifier:
 * Apache-2.0 */
#include "base/clock.h"
#include "base/fault.h"
#include "resource/sql/pg.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    READS_FREE = 64,            /* reads for one reply before its bytes are counted */
    REPLY_BYTES_MAX = 32 << 20, /* as they come: 8 MiB of cells and what frames them */
    SCRATCH_BYTES = 1024,       /* parameters that fit need no heap */
    BOOLEAN_OID = 16,
};

/* ---- Life ---- */

static void on_io(void *data, int ready)
{
    struct pg_conn *conn = data;

    if (conn->lane) {
        pg_lane_on_io(conn->lane, ready);
    } else if (conn->waiting) {
        conn->waiting = false;
        fiber_wake(&conn->wait);
    } else {
        pg_idle_input(conn);
    }
}

static void watch(struct pg_conn *conn, int want)
{
    if (conn->io && conn->want != want)
        loop_io_want(conn->io, conn->want = want);
}

/* Only reads: where an answer decides what has happened, libpq reads it. The fault is how the tests
 * have the way of encrypted sessions. */
static bool may_be_wire(const struct pg_conn *conn)
{
    return conn->lane && conn->lane->is_read_only && !pq.sslInUse(conn->pg) &&
           !pq.gssEncInUse(conn->pg) && fault_point("sql.wire") == STOA_OK;
}

struct pg_conn *pg_conn_create(PGconn *pg, struct loop *loop, struct pg_slot *slot,
                               struct pg_lane *lane)
{
    struct pg_conn *conn = calloc(1, sizeof(*conn));

    stoa_assert(conn);
    conn->pg = pg;
    conn->loop = loop;
    conn->slot = slot;
    conn->lane = lane;
    pq.setnonblocking(pg, 1);
    conn->watched_fd = -1;
    if (loop) {
        /* libpq closes its socket by itself when the server goes; one that the loop still watches
         * would corrupt its state (facts 5.3). */
        conn->watched_fd = fcntl(pq.socket(pg), F_DUPFD_CLOEXEC, 0);
        stoa_assert(conn->watched_fd >= 0);
        conn->io = loop_io_create(loop, conn->watched_fd, on_io, conn);
    }
    if (may_be_wire(conn))
        conn->wire = pg_wire_create(conn->watched_fd);
    else
        stoa_assert(pq.enterPipelineMode(pg));
    watch(conn, LOOP_READ);
    return conn;
}

void pg_conn_destroy(struct pg_conn *conn)
{
    loop_io_destroy(conn->io);
    if (conn->watched_fd >= 0)
        close(conn->watched_fd);
    pq.finish(conn->pg);
    while (conn->statements.oldest)
        pg_statement_forget(conn, conn->statements.oldest);
    pg_wire_destroy(conn->wire);
    free(conn);
}

/* ---- Prepared statements ---- */

void pg_statement_forget(struct pg_conn *conn, struct statement *one)
{
    pg_columns_release(one->handle);
    statements_remove(&conn->statements, one);
}

/* ---- Sending ---- */

struct params {
    const char *values[SQL_PARAMS_MAX];
    char scratch[SCRATCH_BYTES];
    char *heap; /* instead of scratch, when it is too small */
};

static size_t params_size(const struct sql_call *call)
{
    size_t size = 0;

    for (uint32_t i = 0; i < call->params_count; i++)
        size += call->params[i].is_int ? 24 : call->params[i].s.len + 1;
    return size;
}

/* libpq wants C strings. */
static void params_fill(struct params *params, const struct sql_call *call)
{
    size_t size = params_size(call);
    char *to = params->scratch;

    params->heap = NULL;
    if (size > SCRATCH_BYTES) {
        to = params->heap = malloc(size);
        stoa_assert(to);
    }
    for (uint32_t i = 0; i < call->params_count; i++) {
        const struct sql_param *param = &call->params[i];
        params->values[i] = to;
        if (param->is_int) {
            to += snprintf(to, 24, "%lld", (long long)param->i) + 1;
        } else if (param->s.ptr) {
            memcpy(to, param->s.ptr, param->s.len);
            to[param->s.len] = 0;
            to += param->s.len + 1;
        } else {
            params->values[i] = NULL;
        }
    }
}

static bool send_text(struct pg_conn *conn, const char *text, const struct params *params,
                      struct pg_reply *reply, uint32_t count)
{
    reply->commands++;
    return pq.sendQueryParams(conn->pg, text, (int)count, NULL, params ? params->values : NULL,
                              NULL, NULL, 0);
}

static bool send_deallocate(struct pg_conn *conn, struct statement *surplus, struct pg_reply *reply)
{
    char text[40];

    snprintf(text, sizeof(text), "DEALLOCATE %s", surplus->name);
    pg_statement_forget(conn, surplus);
    return send_text(conn, text, NULL, reply, 0);
}

/* Not prepared yet: Parse travels with the first execution. */
static bool send_prepare(struct pg_conn *conn, const struct sql_call *call, struct statement **ret,
                         struct pg_reply *reply)
{
    struct statement *surplus = statements_surplus(&conn->statements);

    if (surplus && !send_deallocate(conn, surplus, reply))
        return false;
    *ret = sql_statement_add(&conn->statements, call);
    reply->prepare_at = reply->commands++;
    return pq.sendPrepare(conn->pg, (*ret)->name, call->text, 0, NULL);
}

static bool send_prepared(struct pg_conn *conn, const struct sql_call *call,
                          const struct params *params, struct pg_reply *reply)
{
    struct statement *one = sql_statement_find(&conn->statements, call);

    if (!one && !send_prepare(conn, call, &one, reply))
        return false;
    reply->prepare_hash = one->hash;
    reply->prepare_id = one->id;
    reply->commands++;
    return pq.sendQueryPrepared(conn->pg, one->name, (int)call->params_count, params->values, NULL,
                                NULL, 0);
}

bool pg_conn_queue(struct pg_conn *conn, const struct sql_call *call, bool begin,
                   struct pg_reply *ret)
{
    struct params params;
    bool sent;

    *ret = (struct pg_reply){.prepare_at = UINT32_MAX, .failed_at = UINT32_MAX};
    if (conn->wire) {
        stoa_assert(!begin);
        pg_wire_queue(conn, call, ret);
        return true;
    }
    if (begin && !send_text(conn, "BEGIN", NULL, ret, 0))
        return false;
    params_fill(&params, call);
    sent = call->owner ? send_prepared(conn, call, &params, ret)
                       : send_text(conn, call->text, &params, ret, call->params_count);
    free(params.heap);
    return sent;
}

bool pg_conn_sync(struct pg_conn *conn)
{
    if (conn->wire)
        pg_wire_sync(conn->wire);
    else if (!pq.pipelineSync(conn->pg))
        return false;
    return pg_conn_flush(conn);
}

bool pg_conn_flush(struct pg_conn *conn)
{
    int left = conn->wire ? pg_wire_flush(conn->wire) : pq.flush(conn->pg);

    watch(conn, LOOP_READ | (left == 1 ? LOOP_WRITE : 0));
    return left >= 0;
}

/* ---- Reading ---- */

static int bytes_waiting(struct pg_conn *conn)
{
    int bytes = 0;

    return ioctl(pq.socket(conn->pg), FIONREAD, &bytes) == 0 ? bytes : 0;
}

/* libpq keeps a result until its end however long it gets, so what goes in is counted. */
static bool consume(struct pg_conn *conn)
{
    int before;
    bool ok;

    if (++conn->reads <= READS_FREE)
        return pq.consumeInput(conn->pg);
    before = bytes_waiting(conn);
    ok = pq.consumeInput(conn->pg);
    if (ok && before > bytes_waiting(conn))
        conn->read_bytes += (uint64_t)(before - bytes_waiting(conn));
    return ok && !pg_conn_overflowed(conn);
}

bool pg_conn_overflowed(const struct pg_conn *conn)
{
    return conn->read_bytes > REPLY_BYTES_MAX;
}

bool pg_conn_read(struct pg_conn *conn)
{
    SSL *ssl;

    if (conn->wire)
        return pg_wire_read(conn);
    ssl = pq.sslInUse(conn->pg) ? pq.getssl(conn->pg) : NULL;
    /* What OpenSSL has read already makes no event on the socket. */
    do {
        if (!consume(conn))
            return false;
    } while (ssl && SSL_pending(ssl) > 0);
    return true;
}

static bool reply_feed(struct pg_reply *reply, PGresult *result)
{
    ExecStatusType status = pq.resultStatus(result);

    if (!result) {
        reply->at++;
        return reply->shares_sync && reply->at == reply->commands;
    }
    if (status == PGRES_FATAL_ERROR && !reply->error) {
        reply->error = pg_failure_of(result); /* of a command, or at Sync: a deferred constraint */
        reply->failed_at = reply->at;
    } else if ((status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) && !reply->result &&
               reply->at + 1 == reply->commands) {
        reply->result = result;
        return false;
    }
    reply->is_aborted |= status == PGRES_PIPELINE_ABORTED;
    pq.clear(result);
    return status == PGRES_PIPELINE_SYNC;
}

bool pg_conn_results(struct pg_conn *conn, struct pg_reply *reply)
{
    if (conn->wire)
        return pg_wire_results(conn, reply);
    while (!pq.isBusy(conn->pg) && pq.status(conn->pg) == CONNECTION_OK)
        if (reply_feed(reply, pq.getResult(conn->pg))) {
            conn->reads = 0;
            conn->read_bytes = 0;
            return true;
        }
    return false;
}

void pg_reply_finish(struct pg_reply *reply)
{
    pq.clear(reply->result);
    free(reply->error);
    free(reply->raw);
    pg_columns_release(reply->columns);
    reply->result = NULL;
    reply->error = NULL;
    reply->raw = NULL;
    reply->columns = NULL;
}

size_t pg_reply_size(const struct pg_reply *reply)
{
    return reply->result ? pq.resultMemorySize(reply->result) : reply->raw_cap;
}

void pg_conn_idle(struct pg_conn *conn)
{
    conn->reads = 0;
    if (conn->wire)
        pg_wire_idle(conn);
    else
        (void)pq.isBusy(conn->pg); /* it looks at what came */
}

/* Of a result that nobody reads, which has the same limits. */
static uint64_t bytes_of(const PGresult *result)
{
    int rows = pq.ntuples(result), columns = pq.nfields(result);
    uint64_t bytes = 0;

    for (int row = 0; row < rows; row++)
        for (int column = 0; column < columns; column++)
            bytes += (uint64_t)pq.getlength(result, row, column) + 1;
    return bytes;
}

/* Where libpq has the cells; *ret is the bytes of all, each with its NUL. False above 8 MiB. */
static bool find_cells(const PGresult *result, struct stoa_rows *rows, uint64_t *ret)
{
    int count = (int)stoa_rows_count(rows), columns = (int)rows_columns(rows);
    stoa_str *cell = rows_cells(rows);

    *ret = 0;
    for (int row = 0; row < count; row++)
        for (int column = 0; column < columns; column++, cell++) {
            cell->len = (uint64_t)pq.getlength(result, row, column);
            if (cell->len > 0 || !pq.getisnull(result, row, column))
                cell->ptr = pq.getvalue(result, row, column);
            *ret += cell->len + 1;
        }
    return *ret <= ROWS_BYTES_MAX;
}

/* A boolean column says t or f; plugins read 1 and 0 from every database. */
static void copy_cells(const PGresult *result, struct stoa_rows *rows, char *to)
{
    uint32_t columns = rows_columns(rows), count = stoa_rows_count(rows) * columns;
    stoa_str *cells = rows_cells(rows);

    for (uint32_t i = 0; i < count; i++) {
        stoa_str *cell = &cells[i];
        if (!cell->ptr)
            continue;
        memcpy(to, cell->ptr, cell->len + 1);
        cell->ptr = to;
        if (cell->len == 1 && pq.ftype(result, (int)(i % columns)) == BOOLEAN_OID)
            *to = *to == 't' ? '1' : '0';
        to += cell->len + 1;
    }
}

static int64_t affected_by(const PGresult *result)
{
    bool is_select = strncmp(pq.cmdStatus((PGresult *)result), "SELECT", 6) == 0;

    return is_select ? 0 : strtoll(pq.cmdTuples((PGresult *)result), NULL, 10);
}

/* one: the prepared statement, or NULL. Its columns stay as its first result had them: PostgreSQL
 * refuses to run it once they would be others ("cached plan must not change result type"). */
static struct stoa_rows *rows_named_as(const PGresult *result, const struct sql_call *call,
                                       struct statement *one)
{
    uint32_t columns = (uint32_t)pq.nfields(result), rows = (uint32_t)pq.ntuples(result);
    int64_t affected = affected_by(result);
    const struct seen_columns *kept = one ? one->columns : NULL;
    const char **names;

    if (kept && kept->count == columns)
        return rows_create_sharing(call->arena, columns, kept->names, rows, affected);
    names = stoa_new_array(call->arena, const char *, (uint64_t)columns + 1);
    for (uint32_t column = 0; column < columns; column++)
        names[column] = pq.fname(result, (int)column);
    kept = call->seen ? seen_names(call->seen, names, columns) : NULL;
    if (one)
        one->columns = kept;
    return kept ? rows_create_sharing(call->arena, columns, kept->names, rows, affected)
                : rows_create(call->arena, columns, names, rows, affected);
}

static stoa_err say_too_large(const struct sql_call *call)
{
    sql_error("%s: more than %u rows%s or 8 MiB", call->name, sql_rows_max(call),
              call->flags & STOA_SQL_MANY ? "" : " (STOA_SQL_MANY allows 100,000)");
    return STOA_E_TOO_LARGE;
}

/* Rows as they came. */
static stoa_err take_raw_rows(const struct pg_reply *reply, const struct sql_call *call)
{
    if (!pg_wire_fits(reply, call))
        return say_too_large(call);
    return call->ret ? pg_wire_rows(reply, call) : STOA_OK;
}

static stoa_err take_rows(const PGresult *result, const struct sql_call *call,
                          struct statement *one)
{
    bool fits = (uint32_t)pq.ntuples(result) <= sql_rows_max(call);
    uint64_t bytes = 0;

    if (fits && call->ret) {
        struct stoa_rows *rows = rows_named_as(result, call, one);
        fits = find_cells(result, rows, &bytes);
        if (fits)
            copy_cells(result, rows, stoa_arena_take(call->arena, bytes + 1));
        *call->ret = rows;
    } else if (fits) {
        fits = bytes_of(result) <= ROWS_BYTES_MAX;
    }
    return fits ? STOA_OK : say_too_large(call);
}

/* The server does not know the statement (its Parse failed for who sent it first, or the session
 * was reset), or its plan no longer fits the table. */
static bool reply_is_stale(const struct pg_reply *reply)
{
    const char *state = reply->error->state;

    /* 0A000 has other meanings, too, but those come when a statement is prepared; and its words may
     * be of any language (lc_messages). */
    return reply->prepare_id && (strcmp(state, "26000") == 0 ||
                                 (strcmp(state, "0A000") == 0 && reply->prepare_at == UINT32_MAX));
}

/* NULL: it is none, or has been given up, or its connection has gone. */
static struct statement *prepared_for(struct pg_conn *conn, const struct pg_reply *reply)
{
    return conn && reply->prepare_id
               ? statements_by_id(&conn->statements, reply->prepare_hash, reply->prepare_id)
               : NULL;
}

static void forget(struct pg_conn *conn, const struct pg_reply *reply)
{
    struct statement *one = prepared_for(conn, reply);

    if (one)
        pg_statement_forget(conn, one);
}

/* Its Parse did not come through: who sends the statement next parses it again. */
static bool prepare_failed(const struct pg_reply *reply)
{
    bool is_unknown =
        reply->columns && !reply->columns->list; /* it was parsed, and not described */

    if (reply->prepare_at == UINT32_MAX)
        return false;
    return reply->error ? is_unknown || reply->failed_at <= reply->prepare_at : reply->is_aborted;
}

/* Who prepared it failed before it was described, and this one was on its way already. */
static bool is_undescribed(const struct pg_reply *reply)
{
    return reply->raw_rows > 0 && !reply->error && !reply->columns->list;
}

void pg_reply_drop(struct pg_conn *conn, struct pg_reply *reply)
{
    if (prepare_failed(reply) || (reply->error && reply_is_stale(reply)))
        forget(conn, reply);
    pg_reply_finish(reply);
}

stoa_err pg_reply_take(struct pg_conn *conn, struct pg_reply *reply, const struct sql_call *call,
                       bool *again)
{
    bool is_stale = reply->error && reply_is_stale(reply);
    stoa_err err = STOA_E_INTERNAL;

    *again = is_stale || (reply->is_aborted && !reply->error) || is_undescribed(reply);
    if (is_stale || prepare_failed(reply))
        forget(conn, reply);
    if (reply->error)
        err = pg_error(call->name, reply->error);
    else if (reply->is_aborted)
        sql_error("%s: a statement before it failed", call->name);
    else if (reply->result)
        err = take_rows(reply->result, call, prepared_for(conn, reply));
    else if (is_undescribed(reply))
        sql_error("%s: its columns were not told", call->name);
    else if (reply->is_complete)
        err = take_raw_rows(reply, call);
    else
        sql_error("%s: PostgreSQL gave no result", call->name);
    pg_reply_finish(reply);
    return err;
}

/* ---- One user at a time ---- */

static stoa_err wait_with_poll(struct pg_conn *conn, bool write)
{
    struct pollfd fd = {.fd = pq.socket(conn->pg),
                        .events = (short)(POLLIN | (write ? POLLOUT : 0))};
    int64_t until = sql_deadline(), left;
    int ready;

    if (conn->until && conn->until < until)
        until = conn->until;
    left = until - clock_monotonic_ms();
    do
        ready = poll(&fd, 1, left > 0 ? (int)left : 0);
    while (ready < 0 && errno == EINTR);
    return ready > 0 ? STOA_OK : STOA_E_TIMEOUT;
}

static stoa_err wait_for_socket(struct pg_conn *conn)
{
    stoa_err err;

    if (!conn->io)
        return wait_with_poll(conn, pq.flush(conn->pg) == 1);
    conn->wait = (struct fiber_wait){0};
    conn->waiting = true;
    err = fiber_await(&conn->wait, -1);
    conn->waiting = false;
    return err;
}

static stoa_err wait_for_reply(struct pg_conn *conn, struct pg_reply *reply)
{
    while (!pg_conn_results(conn, reply)) {
        if (pq.status(conn->pg) != CONNECTION_OK)
            return STOA_E_STORE;
        STOA_TRY(wait_for_socket(conn));
        if (!pg_conn_read(conn))
            return pg_conn_overflowed(conn) ? STOA_E_TOO_LARGE : STOA_E_STORE;
        if (!pg_conn_flush(conn))
            return STOA_E_STORE;
    }
    return STOA_OK;
}

stoa_err pg_conn_exec(struct pg_conn *conn, const struct sql_call *call, bool begin, bool *again)
{
    struct pg_reply reply;
    stoa_err err = STOA_E_STORE;

    if (pg_conn_queue(conn, call, begin, &reply) && pg_conn_sync(conn))
        err = wait_for_reply(conn, &reply);
    if (err == STOA_OK && reply.error && pg_error_is_loss(reply.error))
        err = STOA_E_STORE;
    if (err == STOA_OK)
        return pg_reply_take(conn, &reply, call, again);
    if (reply.error)
        pg_error(call->name, reply.error);
    else
        sql_error("%s: %s", call->name,
                  err == STOA_E_STORE ? "the connection to PostgreSQL was lost"
                                      : stoa_err_name(err));
    pg_reply_finish(&reply);
    conn->broken = true;
    *again = err == STOA_E_STORE;
    return err;
}
