/* What only SQLite does. SPDX-License-Identifier: Apache-2.0 */
#include "with_sql.h"

#include "resource/sql/sqlite_conn.h"
#include "resource/sql/sqlite_writer.h"
#include <sqlite3.h>
#include <stdlib.h>

static stoa_err insert(struct sql_tx *tx, int64_t id)
{
    const struct stoa_stmt stmt = {.name = "t.i", .text = "INSERT INTO t_a (id) VALUES ($1)"};

    return sql_tx_exec(tx, "t", &stmt, STOA_ARGS(stoa_i(id)), mem, NULL);
}

static void make_table(void)
{
    struct diag diag = {0};

    OK(sql_script(db, "CREATE TABLE t_a (id BIGINT PRIMARY KEY)", &diag));
}

static int order[50], order_count;

static void begin_in_turn(void *arg)
{
    int64_t id = (intptr_t)arg;
    struct sql_tx *tx;

    fiber_set_deadline(loop_now(loop_current()) + 60000);
    OK(sql_begin(db, &tx));
    OK(insert(tx, id));
    OK(insert(tx, id + 1000));
    order[order_count++] = (int)id;
    OK(sql_commit(tx));
}

ON(SQLITE, sqlite, serves_writers_in_the_order_they_came)
{
    make_table();
    for (intptr_t i = 0; i < 50; i++)
        go(begin_in_turn, (void *)i, NULL);
    wait_all();
    for (int i = 0; i < 50; i++)
        cr_assert_eq(order[i], i);
    cr_assert_eq(count_of("t_a"), 100);
}

static struct fiber_wait began, leave;

static void hold_the_writer(void *arg)
{
    struct sql_tx *tx;

    OK(sql_begin(db, &tx));
    OK(insert(tx, 1));
    fiber_wake(&began);
    OK(fiber_await(&leave, -1));
    OK(sql_commit(tx));
}

/* A waiter whose time is up leaves the queue, and takes no thread while it is in it. */
ON(SQLITE, sqlite, lets_a_waiting_writer_go_at_its_deadline)
{
    int64_t started, before;
    struct sql_tx *tx;

    make_table();
    go(hold_the_writer, NULL, NULL);
    OK(fiber_await(&began, 60000));
    before = fiber_set_deadline(loop_now(loop_current()) + 50);
    started = clock_monotonic_ms();
    OK(sql_begin(db, &tx));
    FAILS(STOA_E_TIMEOUT, insert(tx, 2));
    sql_rollback(tx);
    cr_assert_leq(clock_monotonic_ms() - started, 10000);
    fiber_set_deadline(before);
    cr_assert_eq(count_of("t_a"), 0); /* readers go on meanwhile */
    fiber_wake(&leave);
    wait_all();
    cr_assert_eq(count_of("t_a"), 1);
}

/* stoa seed beside a running server. */
ON(SQLITE, sqlite, waits_for_another_process_that_writes)
{
    sqlite3 *other;
    int64_t before;

    make_table();
    cr_assert_eq(sqlite3_open(db_place, &other), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    before = fiber_set_deadline(loop_now(loop_current()) + 100);
    FAILS(STOA_E_TIMEOUT, try_run("INSERT INTO t_a (id) VALUES (1)", 0, STOA_NO_ARGS, NULL));
    fiber_set_deadline(before);
    cr_assert_eq(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    OK(try_run("INSERT INTO t_a (id) VALUES (1)", 0, STOA_NO_ARGS, NULL));
    sqlite3_close(other);
}

ON(SQLITE, sqlite, keeps_what_was_committed_in_the_safest_way)
{
    sqlite3 *other;
    sqlite3_stmt *stmt;

    make_table();
    cr_assert_eq(sqlite3_open(db_place, &other), SQLITE_OK);
    cr_assert_eq(sqlite3_prepare_v2(other, "PRAGMA journal_mode", -1, &stmt, NULL), SQLITE_OK);
    cr_assert_eq(sqlite3_step(stmt), SQLITE_ROW);
    cr_assert_str_eq((const char *)sqlite3_column_text(stmt, 0), "wal");
    sqlite3_finalize(stmt);
    sqlite3_close(other);
}

ON(SQLITE, sqlite, refuses_what_reaches_around)
{
    FAILS(STOA_E_FORBIDDEN, try_run("SELECT name FROM sqlite_master", 0, STOA_NO_ARGS, NULL));
    FAILS(STOA_E_FORBIDDEN,
          try_run("SELECT name FROM pragma_table_info('t_a')", 0, STOA_NO_ARGS, NULL));
    FAILS(STOA_E_FORBIDDEN, try_run("PRAGMA user_version", 0, STOA_NO_ARGS, NULL));
    FAILS(STOA_E_FORBIDDEN, try_run("ATTACH 'x' AS x", 0, STOA_NO_ARGS, NULL));
    FAILS(STOA_E_FORBIDDEN, try_run("SELECT load_extension('x')", 0, STOA_NO_ARGS, NULL));
    FAILS(STOA_E_INTERNAL, try_run("SELECT ?", 0, STOA_ARGS(stoa_i(1)), NULL));
}

ON(SQLITE, sqlite, refuses_a_view_of_anothers_table)
{
    struct diag diag = {0};

    OK(sql_script(db, "CREATE TABLE other_a (id TEXT); CREATE VIEW t_v AS SELECT id FROM other_a",
                  &diag));
    FAILS(STOA_E_FORBIDDEN, try_run("SELECT id FROM t_v", STOA_SQL_READ, STOA_NO_ARGS, NULL));
}

ON(SQLITE, sqlite, unfolds_json_lists)
{
    const struct stoa_rows *rows;

    OK(try_run("SELECT value FROM json_each($1)", STOA_SQL_READ, STOA_ARGS(stoa_z("[1,2,3]")),
               &rows));
    cr_assert_eq(stoa_rows_count(rows), 3);
}

Test(sqlite, says_which_file_cannot_be_opened)
{
    struct sql_options options = {.name = "sql", .sqlite = "/nonexistent/folder/shop.db"};
    struct diag diag = {0};
    struct sql *none = NULL;

    FAILS(STOA_E_STORE, sql_open(&options, &diag, &none));
    cr_assert_str_eq(diag.file, "/nonexistent/folder/shop.db");
    cr_assert_not(diag.hint[0] == 0);
    FAILS(STOA_E_CONFIG, sql_open(&(struct sql_options){.name = "sql"}, &diag, &none));
}

static int plannings(struct sqlite_conn *conn)
{
    int count = 0;

    for (sqlite3_stmt *one = sqlite3_next_stmt(conn->db, NULL); one;
         one = sqlite3_next_stmt(conn->db, one))
        count += sqlite3_stmt_status(one, SQLITE_STMTSTATUS_REPREPARE, 0);
    return count;
}

ON(SQLITE, sqlite, plans_a_statement_once_whatever_it_is_given)
{
    static const char *const patterns[] = {"a%", "b%", "%c", "d"};
    char error[SQL_ERROR_MAX];
    struct sqlite_conn *conn = sqlite_conn_open(":memory:", false, error);
    struct sqlite_result result = {0};

    cr_assert(conn, "%s", error);
    for (int i = 0; i < 4; i++) {
        const struct sql_param pattern = {.s = stoa_str_of(patterns[i])};
        struct sql_call call =
            sql_inner("SELECT name FROM sqlite_schema WHERE name LIKE $1", &pattern, 1);
        sqlite_conn_run(conn, &call, INT64_MAX, &result);
        cr_assert_eq(result.err, STOA_OK, "%s", result.error);
        rows_pack_clear(&result.pack);
    }
    cr_assert_eq(plannings(conn), 0);
    rows_pack_finish(&result.pack);
    sqlite_conn_close(conn);
}

static int rollbacks, rollbacks_locked;

static void on_rollback(void *data)
{
    struct writer *writer = data;

    rollbacks++;
    if (pthread_mutex_trylock(&writer->lock) == 0)
        pthread_mutex_unlock(&writer->lock);
    else
        rollbacks_locked++;
}

/* Loops take the lock to get in line: a large ROLLBACK must not stop them. */
Test(sqlite, ends_a_transaction_that_is_over_without_the_lock)
{
    struct writer writer = {0};
    struct writer_tx tx = {0};
    const struct sql_call call = sql_inner("CREATE TABLE a (id BIGINT)", NULL, 0);
    struct writer_job job = {
        .kind = WRITER_TX_EXEC, .call = &call, .tx = &tx, .deadline = INT64_MAX};
    char error[SQL_ERROR_MAX];

    cr_assert_eq(writer_start(&writer, ":memory:", error), STOA_OK, "%s", error);
    sqlite3_rollback_hook(writer.conn->db, on_rollback, &writer);
    OK(writer_run(&writer, &job));
    cr_assert_eq(job.result.err, STOA_OK, "%s", job.result.error);
    writer_stop(&writer);
    cr_assert(tx.expired);
    cr_assert_eq(rollbacks, 1);
    cr_assert_eq(rollbacks_locked, 0);
    rows_pack_finish(&job.result.pack);
}
