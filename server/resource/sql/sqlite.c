/* SQLite: reads on a few connections through the blocking pool, writes through the writer thread.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "resource/sql/sqlite_writer.h"

#include <stdio.h>
#include <stdlib.h>

struct sqlite {
    struct sql base;
    char path[256];
    struct writer writer;
    pthread_mutex_t lock; /* of the readers that are free */
    struct sqlite_conn *readers;
};

struct sqlite_tx {
    struct sql_tx base;
    struct writer_tx writer;
};

/* ---- Opening ---- */

static stoa_err sqlite_open_files(const struct sql_options *options, struct diag *diag,
                                  struct sql **ret)
{
    struct sqlite *db = calloc(1, sizeof(*db));
    char error[SQL_ERROR_MAX] = "";
    stoa_err err = STOA_E_STORE;

    stoa_assert(db);
    if (strlen(options->sqlite) >= sizeof(db->path))
        snprintf(error, sizeof(error), "its path is longer than %zu bytes", sizeof(db->path) - 1);
    else
        err = writer_start(&db->writer, options->sqlite, error);
    if (err != STOA_OK) {
        diag_set(diag, options->sqlite, 0, 0, "cannot open the database: %s", error);
        diag_hint(diag, "the folder must exist and be writable by this user");
        sql_error("%s", error);
        free(db);
        return err;
    }
    snprintf(db->path, sizeof(db->path), "%s", options->sqlite);
    pthread_mutex_init(&db->lock, NULL);
    *ret = &db->base;
    return STOA_OK;
}

static void sqlite_close_files(struct sql *sql)
{
    struct sqlite *db = (struct sqlite *)sql;
    struct sqlite_conn *next;

    /* The writer goes last: it folds the log back into the file. */
    for (struct sqlite_conn *conn = db->readers; conn; conn = next) {
        next = conn->next;
        sqlite_conn_close(conn);
    }
    writer_stop(&db->writer);
    pthread_mutex_destroy(&db->lock);
}

/* ---- Reading ---- */

struct read_job {
    struct sqlite *db;
    const struct sql_call *call;
    int64_t deadline;
    struct sqlite_result result;
};

static struct sqlite_conn *reader_acquire(struct sqlite *db, char error[SQL_ERROR_MAX])
{
    struct sqlite_conn *conn;

    pthread_mutex_lock(&db->lock);
    conn = db->readers;
    if (conn)
        db->readers = conn->next;
    pthread_mutex_unlock(&db->lock);
    return conn ? conn : sqlite_conn_open(db->path, true, error);
}

static void reader_release(struct sqlite *db, struct sqlite_conn *conn)
{
    pthread_mutex_lock(&db->lock);
    conn->next = db->readers;
    db->readers = conn;
    pthread_mutex_unlock(&db->lock);
}

/* On a thread of the pool. */
static void read_work(void *arg)
{
    struct read_job *job = arg;
    struct sqlite_conn *conn = reader_acquire(job->db, job->result.error);

    if (!conn) {
        job->result.err = STOA_E_STORE;
        return;
    }
    sqlite_conn_run(conn, job->call, job->deadline, &job->result);
    reader_release(job->db, conn);
}

static stoa_err result_take(struct sqlite_result *result, const struct sql_call *call)
{
    if (result->err != STOA_OK)
        sql_error("%s", result->error);
    else if (call && call->ret)
        *call->ret = rows_unpack(&result->pack, call->arena);
    rows_pack_finish(&result->pack);
    return result->err;
}

static stoa_err sqlite_read(struct sqlite *db, const struct sql_call *call)
{
    struct read_job job = {.db = db, .call = call, .deadline = sql_deadline()};
    stoa_err err = STOA_OK;

    if (db->base.pool)
        err = pool_run(db->base.pool, POOL_SQL_READ, read_work, &job);
    else
        read_work(&job);
    if (err == STOA_OK)
        return result_take(&job.result, call);
    sql_error("%s: the readers' queue: %s", call->name, stoa_err_name(err));
    rows_pack_finish(&job.result.pack);
    return err;
}

/* ---- Writing ---- */

static stoa_err sqlite_write(struct sqlite *db, struct writer_job *job)
{
    job->deadline = sql_deadline();
    stoa_err err = writer_run(&db->writer, job);

    if (err == STOA_OK)
        return result_take(&job->result, job->call);
    rows_pack_finish(&job->result.pack);
    return err;
}

static stoa_err sqlite_exec(struct sql *sql, const struct sql_call *call)
{
    struct sqlite *db = (struct sqlite *)sql;
    struct writer_job job = {.kind = WRITER_EXEC, .call = call};

    return call->flags & STOA_SQL_READ ? sqlite_read(db, call) : sqlite_write(db, &job);
}

static struct sql_tx *sqlite_begin(struct sql *sql)
{
    struct sqlite_tx *tx = calloc(1, sizeof(*tx));

    stoa_assert(tx);
    return &tx->base;
}

static stoa_err sqlite_tx_exec(struct sql_tx *base, const struct sql_call *call)
{
    struct sqlite_tx *tx = (struct sqlite_tx *)base;
    struct writer_job job = {.kind = WRITER_TX_EXEC, .call = call, .tx = &tx->writer};

    return sqlite_write((struct sqlite *)base->sql, &job);
}

/* Ends the turn whatever the fiber's state is: the others wait for it. */
static stoa_err tx_end(struct sqlite_tx *tx, enum writer_kind kind)
{
    struct writer_job job = {.kind = kind, .tx = &tx->writer};
    struct sqlite *db = (struct sqlite *)tx->base.sql;
    int64_t deadline;
    stoa_err err;

    if (!fiber_self()) {
        err = sqlite_write(db, &job);
    } else {
        fiber_mask();
        deadline = fiber_set_deadline(INT64_MAX);
        err = sqlite_write(db, &job);
        fiber_set_deadline(deadline);
        fiber_unmask();
    }
    free(tx);
    return err;
}

static stoa_err sqlite_commit(struct sql_tx *tx)
{
    return tx_end((struct sqlite_tx *)tx, WRITER_COMMIT);
}

static void sqlite_rollback(struct sql_tx *tx)
{
    (void)tx_end((struct sqlite_tx *)tx, WRITER_ROLLBACK);
}

static stoa_err sqlite_script(struct sql *sql, struct sql_script *script, struct diag *diag)
{
    struct writer_job job = {.kind = WRITER_SCRIPT, .script = script, .diag = diag};
    stoa_err err = sqlite_write((struct sqlite *)sql, &job);

    if (err != STOA_OK && !diag->message[0])
        diag_set(diag, script->file ? script->file : "", 0, 0, "%s", sql_last_error());
    return err;
}

/* ---- Plans ---- */

static stoa_err sqlite_explain(struct sql *sql, const struct seen *seen, struct stoa_arena *arena,
                               stoa_str *ret)
{
    struct stoa_rows *rows = NULL;
    stoa_str text = stoa_concat(arena, STOA_STR("EXPLAIN QUERY PLAN "), stoa_str_of(seen->text));
    struct sql_call call = sql_inner(text.ptr, NULL, SQL_PARAMS_ANY);
    struct stoa_buf plan;

    call.name = seen->name;
    call.flags = STOA_SQL_READ;
    call.arena = arena;
    call.ret = &rows;
    STOA_TRY(sqlite_read((struct sqlite *)sql, &call));
    stoa_buf_init(&plan, arena, 256);
    for (uint32_t i = 0; i < stoa_rows_count(rows); i++) {
        if (i)
            stoa_buf_char(&plan, '\n');
        stoa_buf_put(&plan, stoa_rows_str(rows, i, "detail"));
    }
    *ret = stoa_buf_str(&plan);
    return STOA_OK;
}

const struct sql_driver sqlite_driver = {
    .open = sqlite_open_files,
    .close = sqlite_close_files,
    .exec = sqlite_exec,
    .begin = sqlite_begin,
    .tx_exec = sqlite_tx_exec,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .script = sqlite_script,
    .explain = sqlite_explain,
};
