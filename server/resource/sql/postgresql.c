/* PostgreSQL: short statements share a pipelined connection per loop, the rest borrows one.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "resource/sql/pg.h"

#include <stdio.h>
#include <stdlib.h>

enum { CONNECTIONS = 40, SHARED_TIMEOUT_MS = 1000, POOL_TIMEOUT_MS = 10000, END_MS = 2000 };

struct pg_tx {
    struct sql_tx base;
    struct pg_slot *slot;
    struct pg_conn *conn; /* from the first statement on */
    int64_t until;        /* monotonic ms */
};

static struct pg_slot *slot_mine(struct postgresql *db)
{
    struct loop *loop = fiber_self() ? loop_current() : NULL;
    uint32_t index = loop ? loop_index(loop) : db->loops;
    struct pg_slot *slot = &db->slots[index < db->loops ? index : db->loops];

    if (slot != &db->slots[db->loops])
        slot->loop = loop;
    return slot;
}

/* ---- Opening ---- */

/* Who was asked, without the password. */
static void diag_unreachable(const struct sql_options *options, const char *error,
                             struct diag *diag)
{
    PQconninfoOption *all = pq.conninfoParse(options->postgresql, NULL);
    const char *host = NULL, *database = NULL, *user = NULL;

    for (PQconninfoOption *one = all; one && one->keyword; one++) {
        host = strcmp(one->keyword, "host") ? host : one->val;
        database = strcmp(one->keyword, "dbname") ? database : one->val;
        user = strcmp(one->keyword, "user") ? user : one->val;
    }
    if (!all)
        diag_set(diag, "", 0, 0, "resource %s: the URL of PostgreSQL cannot be read",
                 options->name);
    else
        diag_set(diag, "", 0, 0,
                 "resource %s: PostgreSQL cannot be reached (host %s, database %s, user %s): %s",
                 options->name, host ? host : "local", database ? database : "default",
                 user ? user : "default", error);
    diag_hint(diag, all ? "is it running, and may this user connect from here?"
                        : "postgresql://user:password@host:5432/database");
    pq.conninfoFree(all);
}

static void slots_create(struct postgresql *db, uint32_t connections)
{
    uint32_t lanes = LANES * db->loops;
    uint32_t rest = connections > lanes ? connections - lanes : 0;
    uint32_t cap = db->loops ? rest / db->loops : connections;

    db->slots = calloc(db->loops + 1, sizeof(*db->slots));
    stoa_assert(db->slots);
    for (uint32_t i = 0; i <= db->loops; i++) {
        struct pg_slot *slot = &db->slots[i];
        slot->db = db;
        slot->cap = cap ? cap : 1;
        pthread_mutex_init(&slot->lock, NULL);
        for (int lane = 0; lane < LANES; lane++)
            slot->lanes[lane] = (struct pg_lane){
                .slot = slot, .is_read_only = lane == LANE_READ, .sync.run = pg_lane_on_task};
    }
}

static void diag_no_library(const char *error, struct diag *diag)
{
    diag_set(diag, "", 0, 0, "libpq, PostgreSQL's client library, cannot be loaded: %s", error);
    diag_hint(diag, "install it (Debian: libpq5); with SQLite it is not needed");
    sql_error("%s", error);
}

static stoa_err pg_open(const struct sql_options *options, struct diag *diag, struct sql **ret)
{
    uint32_t pool_ms = options->pool_timeout_ms ? options->pool_timeout_ms : POOL_TIMEOUT_MS;
    const struct pg_session session = {.statement_timeout_ms = pool_ms};
    char error[SQL_ERROR_MAX] = "";
    struct postgresql *db;
    PGconn *first;

    if (pg_library_load(error) != STOA_OK) {
        diag_no_library(error, diag);
        return STOA_E_STORE;
    }
    first = pg_connect(options->postgresql, &session, error);
    if (!first) {
        diag_unreachable(options, error, diag);
        sql_error("%s", error);
        return STOA_E_STORE;
    }
    db = calloc(1, sizeof(*db));
    stoa_assert(db);
    db->url = strdup(options->postgresql);
    stoa_assert(db->url);
    db->loops = options->loops;
    db->pool_timeout_ms = pool_ms;
    db->shared_timeout_ms =
        options->shared_timeout_ms ? options->shared_timeout_ms : SHARED_TIMEOUT_MS;
    db->cancels = pg_cancels_create();
    slots_create(db, options->connections ? options->connections : CONNECTIONS);
    pg_release(pg_conn_create(first, NULL, &db->slots[db->loops], NULL));
    *ret = &db->base;
    return STOA_OK;
}

/* A task of the loop that still points at a lane. */
static bool slot_is_deferred(const struct pg_slot *slot)
{
    bool deferred = false;

    for (int lane = 0; lane < LANES; lane++)
        deferred |= slot->lanes[lane].sync.queued;
    return deferred;
}

/* On the loop's thread, or when the loops have stopped and are not destroyed yet. */
static void pg_close(struct sql *sql)
{
    struct postgresql *db = (struct postgresql *)sql;

    db->closing = true;
    for (uint32_t i = 0; i <= db->loops; i++) {
        struct pg_slot *slot = &db->slots[i];
        while ((slot->attempts || slot_is_deferred(slot)) && fiber_self() &&
               slot->loop == loop_current())
            if (fiber_sleep(5) != STOA_OK)
                break;
        for (int lane = 0; lane < LANES; lane++)
            pg_lane_close(&slot->lanes[lane]);
        pg_slot_close(slot);
    }
    pg_cancels_close(db->cancels);
    free(db->slots);
    free(db->url);
}

/* One that is at work stays. */
static void slot_rest(struct pg_slot *slot)
{
    struct pg_conn *conn, *next;

    for (int i = 0; i < LANES; i++) {
        struct pg_lane *lane = &slot->lanes[i];
        if (!lane->sent.head && !lane->gathered.head && !lane->sync.queued && !lane->waiting.head)
            pg_lane_close(lane);
    }
    pthread_mutex_lock(&slot->lock); /* off the loops it is shared */
    conn = slot->idle;
    slot->idle = NULL;
    pthread_mutex_unlock(&slot->lock);
    for (; conn; conn = next) {
        next = conn->next;
        slot->open -= slot->loop != NULL;
        pg_conn_destroy(conn);
    }
}

static void pg_rest(struct sql *sql)
{
    struct postgresql *db = (struct postgresql *)sql;
    uint32_t index = loop_index(loop_current());

    if (index < db->loops)
        slot_rest(&db->slots[index]);
    if (index == 0)
        slot_rest(&db->slots[db->loops]);
}

/* ---- Single statements ---- */

/* A write waits for the disk. Behind another it would wait for two: on a connection of its own it
 * shares the other's fsync (PostgreSQL commits in groups). */
static bool lane_is_busy(const struct pg_slot *slot, enum pg_lane_kind kind)
{
    return kind == LANE_WRITE && slot->lanes[kind].sent.head &&
           (slot->idle || slot->open < slot->cap);
}

/* The shared connection for this call, or NULL when it is to borrow one. */
static struct pg_lane *lane_for(struct pg_slot *slot, const struct sql_call *call)
{
    enum pg_lane_kind kind = call->flags & STOA_SQL_READ ? LANE_READ : LANE_WRITE;

    if (!slot->loop || (call->flags & (STOA_SQL_SLOW | STOA_SQL_MANY)) ||
        (call->seen && atomic_load_explicit(&call->seen->slow, memory_order_relaxed)) ||
        lane_is_busy(slot, kind))
        return NULL;
    return &slot->lanes[kind];
}

static stoa_err exec_borrowed(struct pg_slot *slot, const struct sql_call *call)
{
    stoa_err err = STOA_OK;

    for (int attempt = 0; attempt < 2; attempt++) {
        struct pg_conn *conn;
        bool again = false, lost;
        STOA_TRY(pg_acquire(slot, &conn));
        err = pg_conn_exec(conn, call, false, &again);
        lost = conn->broken;
        pg_release(conn);
        if (!again || (lost && !(call->flags & STOA_SQL_READ)))
            break;
    }
    return err;
}

static stoa_err pg_exec(struct sql *sql, const struct sql_call *call)
{
    struct pg_slot *slot = slot_mine((struct postgresql *)sql);
    struct pg_lane *lane = lane_for(slot, call);

    return lane ? pg_lane_exec(lane, call) : exec_borrowed(slot, call);
}

/* ---- Transactions ---- */

static struct sql_tx *pg_begin(struct sql *sql)
{
    struct pg_tx *tx = calloc(1, sizeof(*tx));

    stoa_assert(tx);
    tx->slot = slot_mine((struct postgresql *)sql);
    return &tx->base;
}

static void tx_drop(struct pg_tx *tx)
{
    tx->conn->broken = true;
    pg_release(tx->conn);
    tx->conn = NULL;
}

static stoa_err exec_in_time(struct pg_tx *tx, const struct sql_call *call, bool begin, bool *again)
{
    int64_t deadline = fiber_self() ? fiber_deadline() : INT64_MAX;
    bool is_shorter = fiber_self() && tx->until < deadline;
    stoa_err err;

    if (is_shorter)
        fiber_set_deadline(tx->until);
    tx->conn->until = tx->until;
    err = pg_conn_exec(tx->conn, call, begin, again);
    tx->conn->until = 0;
    if (is_shorter)
        fiber_set_deadline(deadline);
    return err;
}

/* BEGIN travels with the first statement. Nothing of a transaction that was never committed can
 * have happened, so its beginning may be tried again on another connection. */
static stoa_err tx_first(struct pg_tx *tx, const struct sql_call *call)
{
    stoa_err err = STOA_OK;

    for (int attempt = 0; attempt < 2; attempt++) {
        bool again = false;
        STOA_TRY(pg_acquire(tx->slot, &tx->conn));
        tx->until = clock_monotonic_ms() + SQL_TX_MAX_MS;
        err = exec_in_time(tx, call, true, &again);
        if (again || tx->conn->broken)
            tx_drop(tx);
        if (!again)
            break;
    }
    return err;
}

/* COMMIT or ROLLBACK, whatever the fiber's state is: the connection must come back clean, and a
 * commit that was sent should be known to have happened. */
static stoa_err tx_end(struct pg_tx *tx, const char *text)
{
    const struct sql_call call = sql_inner(text, NULL, 0);
    int64_t deadline = INT64_MAX, least = clock_monotonic_ms() + END_MS;
    bool again = false;
    stoa_err err;

    if (fiber_self()) {
        fiber_mask();
        deadline = fiber_set_deadline(least);
        if (deadline > least)
            fiber_set_deadline(deadline);
    }
    err = pg_conn_exec(tx->conn, &call, false, &again);
    if (fiber_self()) {
        fiber_set_deadline(deadline);
        fiber_unmask();
    }
    if (tx->conn->broken || pq.transactionStatus(tx->conn->pg) != PQTRANS_IDLE)
        tx->conn->broken = true;
    return err;
}

/* Between two statements nobody looks: what does nothing is ended by the server
 * (idle_in_transaction_session_timeout), as long after its last statement. */
static stoa_err tx_expire(struct pg_tx *tx)
{
    (void)tx_end(tx, "ROLLBACK");
    pg_release(tx->conn);
    tx->conn = NULL;
    sql_error(SQL_TX_OVER);
    return STOA_E_TIMEOUT;
}

static stoa_err pg_tx_exec(struct sql_tx *base, const struct sql_call *call)
{
    struct pg_tx *tx = (struct pg_tx *)base;
    bool again = false;
    stoa_err err;

    if (!tx->conn)
        return tx_first(tx, call);
    if (clock_monotonic_ms() >= tx->until)
        return tx_expire(tx);
    err = exec_in_time(tx, call, false, &again);
    if (tx->conn->broken)
        tx_drop(tx);
    else if (again)
        err = STOA_E_CONFLICT; /* its table was changed meanwhile: the request may try again */
    return err;
}

static stoa_err pg_commit(struct sql_tx *base)
{
    struct pg_tx *tx = (struct pg_tx *)base;
    stoa_err err = STOA_OK;

    if (tx->conn && clock_monotonic_ms() >= tx->until) {
        err = tx_expire(tx);
    } else if (tx->conn) {
        err = tx_end(tx, "COMMIT");
        if (tx->conn->broken && err != STOA_OK) {
            sql_error("the connection was lost at COMMIT: whether it happened is unknown");
            err = STOA_E_STORE;
        }
        pg_release(tx->conn);
    }
    free(tx);
    return err;
}

static void pg_rollback(struct sql_tx *base)
{
    struct pg_tx *tx = (struct pg_tx *)base;

    if (tx->conn) {
        (void)tx_end(tx, "ROLLBACK");
        pg_release(tx->conn);
    }
    free(tx);
}

/* ---- Whose tables: which of the words is a table of another owner? ---- */

static stoa_str text_array(struct stoa_arena *arena, const stoa_str *words, uint32_t count)
{
    struct stoa_buf buf;

    stoa_buf_init(&buf, arena, 512);
    for (uint32_t i = 0; i < count; i++) {
        stoa_buf_put(&buf, i ? STOA_STR(",\"") : STOA_STR("{\""));
        for (uint64_t c = 0; c < words[i].len; c++) {
            if (words[i].ptr[c] == '"' || words[i].ptr[c] == '\\')
                stoa_buf_char(&buf, '\\');
            stoa_buf_char(&buf, words[i].ptr[c]);
        }
        stoa_buf_char(&buf, '"');
    }
    stoa_buf_char(&buf, count ? '}' : '{');
    if (!count)
        stoa_buf_char(&buf, '}');
    return stoa_buf_str(&buf);
}

/* Views of information_schema are left out as columns often bear their names; the schema itself
 * cannot be named by a plugin. */
static stoa_err pg_check_words(struct sql *sql, const struct sql_call *call, const stoa_str *words,
                               uint32_t count)
{
    struct stoa_arena *arena = stoa_arena_create();
    const struct sql_param names = {.s = text_array(arena, words, count)};
    struct sql_call ask = sql_inner("SELECT c.relname FROM pg_catalog.pg_class c"
                                    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                                    " WHERE c.relkind IN ('r','v','m','f','p','S')"
                                    " AND n.nspname <> 'information_schema'"
                                    " AND c.relname = ANY (CAST($1 AS text[]))",
                                    &names, 1);
    struct stoa_rows *rows = NULL;
    stoa_err err;

    ask.flags = STOA_SQL_READ;
    ask.arena = arena;
    ask.ret = &rows;
    err = pg_exec(sql, &ask);
    for (uint32_t i = 0; err == STOA_OK && i < stoa_rows_count(rows); i++) {
        stoa_str table = rows_cell(rows, i, 0);
        if (sql_owns(call->owner, table))
            continue;
        sql_error("%s: refused: \"%.*s\" does not belong to %s, which sees tables %s_* only; ask "
                  "its owner with stoa_call",
                  call->name, (int)table.len, table.ptr, call->owner,
                  strcmp(call->owner, "host") ? call->owner : "stoa");
        err = STOA_E_FORBIDDEN;
    }
    stoa_arena_destroy(arena);
    return err;
}

/* ---- Scripts: a session of their own, as pipeline mode takes one statement at a time ---- */

/* Any fixed number: all who migrate a database take this lock. */
#define SCRIPT_LOCK "SELECT pg_advisory_xact_lock(6037411918284)"

struct script_job {
    struct postgresql *db;
    struct sql_script *script;
    struct diag *diag;
    PGconn *pg;
    stoa_err err;
    char error[SQL_ERROR_MAX];
};

static bool script_failed(struct script_job *job, PGresult *result, bool in_text)
{
    ExecStatusType status = pq.resultStatus(result);
    const char *position = pq.resultErrorField(result, PG_DIAG_STATEMENT_POSITION);
    const char *words = pq.resultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    bool failed = status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK;

    if (failed) {
        struct pg_failure *failure = pg_failure_of(result);
        job->err = pg_error("script", failure);
        free(failure);
        snprintf(job->error, sizeof(job->error), "%s", words ? words : pq.errorMessage(job->pg));
        sql_diag_at(job->diag, job->script,
                    in_text && position ? strtoull(position, NULL, 10) - 1 : 0, job->error);
    }
    pq.clear(result);
    return failed;
}

static PGresult *script_call(PGconn *pg, const struct sql_call *call)
{
    const char *values[SQL_PARAMS_MAX];
    char numbers[8][24];

    stoa_assert(call->params_count <= 8);
    for (uint32_t i = 0; i < call->params_count; i++) {
        snprintf(numbers[i], sizeof(numbers[i]), "%lld", (long long)call->params[i].i);
        values[i] = call->params[i].is_int ? numbers[i] : call->params[i].s.ptr;
    }
    return pq.execParams(pg, call->text, (int)call->params_count, NULL, values, NULL, NULL, 0);
}

static void script_run(struct script_job *job)
{
    struct sql_script *script = job->script;
    PGresult *result;

    if (script_failed(job, pq.exec(job->pg, "BEGIN"), false) ||
        script_failed(job, pq.exec(job->pg, SCRIPT_LOCK), false))
        return;
    if (script->unless) {
        result = script_call(job->pg, script->unless);
        script->skipped = pq.ntuples(result) > 0;
        if (script_failed(job, result, false) || script->skipped)
            return;
    }
    if (script_failed(job, pq.exec(job->pg, script->text), true) ||
        (script->after && script_failed(job, script_call(job->pg, script->after), false)))
        return;
    script_failed(job, pq.exec(job->pg, "COMMIT"), false);
}

static void script_work(void *arg)
{
    const struct pg_session session = {.statement_timeout_ms = 0};
    struct script_job *job = arg;

    job->pg = pg_connect(job->db->url, &session, job->error);
    if (!job->pg) {
        job->err = STOA_E_STORE;
        return;
    }
    script_run(job);
    pq.finish(job->pg); /* what was not committed is rolled back */
}

static stoa_err pg_script(struct sql *sql, struct sql_script *script, struct diag *diag)
{
    struct script_job job = {.db = (struct postgresql *)sql, .script = script, .diag = diag};

    diag->message[0] = 0;
    if (sql->pool)
        STOA_TRY(pool_run(sql->pool, POOL_SQL_READ, script_work, &job));
    else
        script_work(&job);
    if (job.err == STOA_OK)
        return STOA_OK;
    sql_error("%s", job.error);
    if (!diag->message[0])
        diag_set(diag, script->file ? script->file : "", 0, 0, "%s", job.error);
    return job.err;
}

/* ---- Plans ---- */

static stoa_err plain(struct sql_tx *tx, struct stoa_arena *arena, const char *text,
                      struct stoa_rows **ret)
{
    struct sql_call call = sql_inner(text, NULL, 0);

    call.name = "explain";
    call.arena = arena;
    call.ret = ret;
    return pg_tx_exec(tx, &call);
}

/* "(NULL,NULL)" for a text whose highest parameter is $2. */
static stoa_str nulls_for(struct stoa_arena *arena, const char *text)
{
    struct stoa_buf buf;
    long highest = 0;

    for (const char *at = strchr(text, '$'); at; at = strchr(at + 1, '$'))
        highest = strtol(at + 1, NULL, 10) > highest ? strtol(at + 1, NULL, 10) : highest;
    stoa_buf_init(&buf, arena, 64);
    for (long i = 0; i < highest && i < SQL_PARAMS_MAX; i++)
        stoa_buf_put(&buf, i ? STOA_STR(",NULL") : STOA_STR("(NULL"));
    if (highest)
        stoa_buf_char(&buf, ')');
    return stoa_str_copy(arena, stoa_buf_str(&buf));
}

/* The plan for any values, and with an index wherever one could serve: a test's tables are small.
 */
static stoa_err explain_in(struct sql_tx *tx, const struct seen *seen, struct stoa_arena *arena,
                           struct stoa_rows **ret)
{
    stoa_str prepare =
        stoa_concat(arena, STOA_STR("PREPARE stoa_explained AS "), stoa_str_of(seen->text));
    stoa_str explain = stoa_concat(arena, STOA_STR("EXPLAIN EXECUTE stoa_explained"),
                                   nulls_for(arena, seen->text));

    STOA_TRY(plain(tx, arena, "SET LOCAL plan_cache_mode = force_generic_plan", NULL));
    STOA_TRY(plain(tx, arena, "SET LOCAL enable_seqscan = off", NULL));
    STOA_TRY(plain(tx, arena, prepare.ptr, NULL));
    STOA_TRY(plain(tx, arena, explain.ptr, ret));
    return plain(tx, arena, "DEALLOCATE stoa_explained", NULL);
}

static stoa_err pg_explain(struct sql *sql, const struct seen *seen, struct stoa_arena *arena,
                           stoa_str *ret)
{
    struct sql_tx *tx = pg_begin(sql);
    struct stoa_rows *rows = NULL;
    struct stoa_buf plan;
    stoa_err err;

    tx->sql = sql;
    err = explain_in(tx, seen, arena, &rows);
    pg_rollback(tx);
    STOA_TRY(err);
    stoa_buf_init(&plan, arena, 512);
    for (uint32_t i = 0; i < stoa_rows_count(rows); i++) {
        if (i)
            stoa_buf_char(&plan, '\n');
        stoa_buf_put(&plan, rows_cell(rows, i, 0));
    }
    *ret = stoa_buf_str(&plan);
    return STOA_OK;
}

const struct sql_driver postgresql_driver = {
    .open = pg_open,
    .close = pg_close,
    .rest = pg_rest,
    .exec = pg_exec,
    .begin = pg_begin,
    .tx_exec = pg_tx_exec,
    .commit = pg_commit,
    .rollback = pg_rollback,
    .script = pg_script,
    .check_words = pg_check_words,
    .explain = pg_explain,
    .is_postgresql = true,
};
