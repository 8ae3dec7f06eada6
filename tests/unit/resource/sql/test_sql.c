/* One set of tests for both databases. SPDX-License-Identifier: Apache-2.0 */
#include "with_sql.h"

#include <stdio.h>
#include <stdlib.h>

static void make_tables(void)
{
    struct diag diag = {0};

    cr_assert_eq(
        sql_script(db,
                   "CREATE TABLE t_item (id TEXT PRIMARY KEY, qty BIGINT NOT NULL, note TEXT,"
                   " CHECK (qty >= 0));"
                   "CREATE TABLE t_line (id BIGINT PRIMARY KEY, item TEXT NOT NULL"
                   " REFERENCES t_item (id) DEFERRABLE INITIALLY DEFERRED);"
                   "CREATE TABLE other_secret (id TEXT PRIMARY KEY);"
                   "CREATE VIEW t_spy AS SELECT id FROM other_secret;",
                   &diag),
        STOA_OK, "%s", diag.message);
}

static stoa_err insert(const char *id, int64_t qty)
{
    return try_run("INSERT INTO t_item (id, qty) VALUES ($1, $2)", 0,
                   STOA_ARGS(stoa_z(id), stoa_i(qty)), NULL);
}

static stoa_err tx_run(struct sql_tx *tx, const char *text, struct stoa_values args)
{
    const struct stoa_stmt stmt = {.name = "t.tx", .text = text};

    return sql_tx_exec(tx, "t", &stmt, args, mem, NULL);
}

static stoa_err tx_insert(struct sql_tx *tx, const char *id, int64_t qty)
{
    return tx_run(tx, "INSERT INTO t_item (id, qty) VALUES ($1, $2)",
                  STOA_ARGS(stoa_z(id), stoa_i(qty)));
}

/* ---- Values ---- */

BOTH(sql, gives_values_back_by_column_name)
{
    const struct stoa_rows *rows;

    make_tables();
    run("INSERT INTO t_item (id, qty, note) VALUES ($1, $2, $3)",
        STOA_ARGS(stoa_z("käse 🧀"), stoa_i(-0 + INT64_MAX), stoa_null()));
    run("INSERT INTO t_item (id, qty, note) VALUES ($1, $2, $3)",
        STOA_ARGS(stoa_z("two"), stoa_b(true), stoa_z("")));
    rows = run("SELECT id, qty, note FROM t_item ORDER BY qty DESC", STOA_NO_ARGS);
    cr_assert_eq(stoa_rows_count(rows), 2);
    cr_assert(stoa_str_is(stoa_rows_str(rows, 0, "id"), "käse 🧀"));
    cr_assert_eq(stoa_rows_int(rows, 0, "qty"), INT64_MAX);
    cr_assert(stoa_rows_is_null(rows, 0, "note"));
    cr_assert_null(stoa_rows_str(rows, 0, "note").ptr);
    cr_assert_eq(stoa_rows_int(rows, 0, "note"), 0);
    cr_assert_not(stoa_rows_is_null(rows, 1, "note"));
    cr_assert_eq(stoa_rows_str(rows, 1, "note").len, 0);
    cr_assert_eq(stoa_rows_int(rows, 1, "qty"), 1);
    cr_assert_eq(rows_columns(rows), 3);
    cr_assert_str_eq(rows_column_name(rows, 1), "qty");
}

BOTH(sql, binds_parameters_by_their_number)
{
    const struct stoa_rows *rows =
        run("SELECT CAST($2 AS TEXT) AS b, CAST($1 AS TEXT) AS a, CAST($2 AS TEXT) AS c",
            STOA_ARGS(stoa_z("first"), stoa_z("second")));

    cr_assert(stoa_str_is(stoa_rows_str(rows, 0, "a"), "first"));
    cr_assert(stoa_str_is(stoa_rows_str(rows, 0, "b"), "second"));
    cr_assert(stoa_str_is(stoa_rows_str(rows, 0, "c"), "second"));
}

BOTH(sql, says_how_many_rows_were_touched)
{
    make_tables();
    OK(insert("a", 1));
    OK(insert("b", 2));
    cr_assert_eq(stoa_rows_affected(run("UPDATE t_item SET qty = qty + 1", STOA_NO_ARGS)), 2);
    cr_assert_eq(stoa_rows_affected(run("DELETE FROM t_item WHERE id = 'zz'", STOA_NO_ARGS)), 0);
    cr_assert_eq(stoa_rows_affected(run("SELECT id FROM t_item", STOA_NO_ARGS)), 0);
    cr_assert_eq(stoa_rows_affected(run("INSERT INTO t_item (id, qty) VALUES ('a', 5)"
                                        " ON CONFLICT (id) DO NOTHING",
                                        STOA_NO_ARGS)),
                 0);
}

BOTH(sql, gives_rows_of_returning)
{
    const struct stoa_rows *rows;

    make_tables();
    rows = run("INSERT INTO t_item (id, qty) VALUES ('a', 7) RETURNING id, qty + 1 AS more",
               STOA_NO_ARGS);
    cr_assert_eq(stoa_rows_count(rows), 1);
    cr_assert_eq(stoa_rows_int(rows, 0, "more"), 8);
    cr_assert_eq(stoa_rows_affected(rows), 1);
}

BOTH(sql, writes_truth_as_one_and_nought)
{
    const struct stoa_rows *rows = run("SELECT 1 = 1 AS yes, 1 = 2 AS no", STOA_NO_ARGS);

    cr_assert_eq(stoa_rows_int(rows, 0, "yes"), 1);
    cr_assert(stoa_str_is(stoa_rows_str(rows, 0, "no"), "0"));
}

BOTH(sql, knows_the_columns_of_an_empty_result)
{
    const struct stoa_rows *rows;

    make_tables();
    rows = run("SELECT id, qty FROM t_item", STOA_NO_ARGS);
    cr_assert_eq(stoa_rows_count(rows), 0);
    cr_assert_eq(rows_columns(rows), 2);
}

BOTH(sql, keeps_json_as_text)
{
    struct stoa_json *json = stoa_json_object(mem);
    const struct stoa_rows *rows;

    make_tables();
    stoa_json_set_int(json, "n", 5);
    run("INSERT INTO t_item (id, qty, note) VALUES ('j', 0, $1)", STOA_ARGS(stoa_j(json)));
    rows = run("SELECT note FROM t_item", STOA_NO_ARGS);
    cr_assert(stoa_str_is(stoa_rows_str(rows, 0, "note"), "{\"n\":5}"));
}

BOTH(sql, refuses_text_that_only_one_database_would_keep)
{
    make_tables();
    FAILS(STOA_E_INVALID, try_run("INSERT INTO t_item (id, qty) VALUES ($1, 1)", 0,
                                  STOA_ARGS(stoa_s(STOA_STR("a\0b"))), NULL));
    FAILS(STOA_E_INVALID, try_run("INSERT INTO t_item (id, qty) VALUES ($1, 1)", 0,
                                  STOA_ARGS(stoa_s(STOA_STR("\xff"))), NULL));
    cr_assert_eq(count_of("t_item"), 0);
}

/* ---- Limits ---- */

BOTH(sql, caps_the_rows_of_a_result)
{
    const struct stoa_rows *rows;
    const char *many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                       " WHERE i < CAST($1 AS BIGINT)) SELECT i FROM n";

    OK(try_run(many, STOA_SQL_READ, STOA_ARGS(stoa_i(1000)), &rows));
    cr_assert_eq(stoa_rows_count(rows), 1000);
    FAILS(STOA_E_TOO_LARGE, try_run(many, STOA_SQL_READ, STOA_ARGS(stoa_i(1001)), &rows));
    OK(try_run(many, STOA_SQL_READ | STOA_SQL_MANY, STOA_ARGS(stoa_i(10000)), &rows));
    cr_assert_eq(stoa_rows_count(rows), 10000);
    cr_assert_eq(stoa_rows_int(rows, 9999, "i"), 10000);
    FAILS(STOA_E_TOO_LARGE,
          try_run(many, STOA_SQL_READ | STOA_SQL_MANY, STOA_ARGS(stoa_i(100001)), &rows));
}

BOTH(sql, caps_the_bytes_of_a_result)
{
    char *text = malloc(600001);

    memset(text, 'x', 600000);
    text[600000] = 0;
    make_tables();
    for (int i = 0; i < 15; i++)
        run("INSERT INTO t_item (id, qty, note) VALUES ($1, 0, $2)",
            STOA_ARGS(stoa_s(stoa_str_from_int(mem, i)), stoa_z(text)));
    FAILS(STOA_E_TOO_LARGE, try_run("SELECT note FROM t_item", STOA_SQL_READ, STOA_NO_ARGS, NULL));
    cr_assert_eq(count_of("t_item"), 15);
    free(text);
}

BOTH(sql, ends_a_statement_at_the_deadline)
{
    const char *slow = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                       " WHERE i < 2000000000) SELECT count(*) AS n FROM n";
    int64_t before = fiber_set_deadline(loop_now(loop_current()) + 200);
    int64_t started = clock_monotonic_ms();

    FAILS(STOA_E_TIMEOUT, try_run(slow, STOA_SQL_READ, STOA_NO_ARGS, NULL));
    cr_assert_leq(clock_monotonic_ms() - started, 30000);
    fiber_set_deadline(before);
    run("SELECT 1 AS one", STOA_NO_ARGS);
}

/* However busy it is: others wait for its locks. */
BOTH(sql, ends_a_transaction_that_never_ends)
{
    int64_t started = clock_monotonic_ms();
    stoa_err err = STOA_OK;
    struct sql_tx *tx;

    make_tables();
    OK(sql_begin(db, &tx));
    for (int64_t i = 0; err == STOA_OK && clock_monotonic_ms() - started < 20000; i++) {
        err = tx_insert(tx, stoa_str_from_int(mem, i).ptr, i);
        OK(fiber_sleep(50));
    }
    cr_assert_eq(err, STOA_E_TIMEOUT, "%s", stoa_err_name(err));
    OK(insert("0", 1)); /* its locks are gone before it ends itself */
    FAILS(STOA_E_TX, sql_commit(tx));
    cr_assert_eq(count_of("t_item"), 1);
}

BOTH(sql, commits_nothing_of_a_transaction_that_was_open_for_too_long)
{
    struct sql_tx *tx;

    make_tables();
    OK(sql_begin(db, &tx));
    OK(tx_insert(tx, "a", 1));
    OK(fiber_sleep(5100));
    FAILS(STOA_E_TIMEOUT, sql_commit(tx));
    OK(insert("a", 1));
    cr_assert_eq(count_of("t_item"), 1);
}

/* A statement that begins in time may not go on for as long as it likes. */
BOTH(sql, ends_a_statement_with_the_time_of_its_transaction)
{
    const struct stoa_stmt slow = {
        .name = "t.slow",
        .text = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                " WHERE i < 2000000000) SELECT count(*) AS n FROM n"};
    int64_t started = clock_monotonic_ms();
    struct sql_tx *tx;

    make_tables();
    OK(sql_begin(db, &tx));
    OK(tx_insert(tx, "a", 1));
    OK(fiber_sleep(4500));
    FAILS(STOA_E_TIMEOUT, sql_tx_exec(tx, "t", &slow, STOA_NO_ARGS, mem, NULL));
    OK(insert("a", 1));
    cr_assert_lt(clock_monotonic_ms() - started, 30000); /* by itself after 124,500 or more */
    sql_rollback(tx);
}

BOTH(sql, counts_statements_of_this_thread)
{
    uint64_t before = sql_statements_on_this_thread();

    run("SELECT 1 AS one", STOA_NO_ARGS);
    run("SELECT 2 AS one", STOA_NO_ARGS);
    cr_assert_eq(sql_statements_on_this_thread() - before, 2);
}

/* ---- Errors ---- */

BOTH(sql, tells_violations_from_other_errors)
{
    make_tables();
    OK(insert("a", 1));
    FAILS(STOA_E_EXISTS, insert("a", 1));
    FAILS(STOA_E_EXISTS, insert("b", -1));
    FAILS(STOA_E_EXISTS,
          try_run("INSERT INTO t_item (id, qty) VALUES ('c', NULL)", 0, STOA_NO_ARGS, NULL));
    FAILS(STOA_E_EXISTS,
          try_run("INSERT INTO t_line (id, item) VALUES (1, 'zz')", 0, STOA_NO_ARGS, NULL));
    FAILS(STOA_E_INTERNAL,
          try_run("SELECT nothing FROM t_item", STOA_SQL_READ, STOA_NO_ARGS, NULL));
    FAILS(STOA_E_INTERNAL,
          try_run("SELECT id FROM t_item WHERE id = $1", STOA_SQL_READ, STOA_NO_ARGS, NULL));
    FAILS(STOA_E_INTERNAL,
          try_run("SELECT id FROM t_item", STOA_SQL_READ, STOA_ARGS(stoa_i(1)), NULL));
    cr_assert_eq(count_of("t_item"), 1);
    cr_assert_eq(count_of("t_line"), 0);
}

BOTH(sql, names_the_statement_in_its_last_error)
{
    make_tables();
    OK(insert("a", 1));
    FAILS(STOA_E_EXISTS, insert("a", 1));
    cr_assert_not_null(strstr(sql_last_error(), "t.test: "), "%s", sql_last_error());
}

/* ---- Whose tables ---- */

static stoa_err refused(const char *text)
{
    return try_run(text, 0, STOA_NO_ARGS, NULL);
}

BOTH(sql, lets_an_owner_see_its_own_tables_only)
{
    make_tables();
    FAILS(STOA_E_FORBIDDEN, refused("SELECT id FROM other_secret"));
    cr_assert_not_null(strstr(sql_last_error(), "other_secret"), "%s", sql_last_error());
    FAILS(STOA_E_FORBIDDEN, refused("SELECT count(*) FROM other_secret"));
    FAILS(STOA_E_FORBIDDEN, refused("SELECT 1 WHERE EXISTS (SELECT 1 FROM Other_Secret)"));
    FAILS(STOA_E_FORBIDDEN, refused("SELECT id FROM \"other_secret\""));
    FAILS(STOA_E_FORBIDDEN, refused("SELECT id FROM t_item UNION SELECT id FROM/**/other_secret"));
    FAILS(STOA_E_FORBIDDEN, refused("INSERT INTO other_secret (id) VALUES ('x')"));
    FAILS(STOA_E_FORBIDDEN, refused("DELETE FROM other_secret"));
    FAILS(STOA_E_FORBIDDEN, refused("WITH x AS (SELECT id FROM other_secret) SELECT id FROM x"));
    FAILS(STOA_E_FORBIDDEN, refused("DROP TABLE t_item"));
    FAILS(STOA_E_FORBIDDEN, refused("CREATE TABLE t_more (id TEXT)"));
    FAILS(STOA_E_FORBIDDEN, refused("BEGIN"));
    FAILS(STOA_E_FORBIDDEN, refused("SELECT 1; DELETE FROM other_secret"));
    FAILS(STOA_E_FORBIDDEN, refused(""));
    OK(refused("WITH x AS (SELECT id FROM t_item) SELECT count(*) FROM x"));
    OK(refused("SELECT i.id FROM t_item i JOIN t_line l ON l.item = i.id"));
}

BOTH(sql, gives_the_host_its_own_tables_only)
{
    const struct stoa_stmt own = {.name = "host.own", .text = "SELECT id FROM stoa_own"};
    const struct stoa_stmt theirs = {.name = "host.theirs", .text = "SELECT id FROM t_item"};
    struct diag diag = {0};

    make_tables();
    OK(sql_script(db, "CREATE TABLE stoa_own (id TEXT)", &diag));
    OK(sql_exec(db, "host", &own, STOA_NO_ARGS, mem, NULL));
    FAILS(STOA_E_FORBIDDEN, sql_exec(db, "host", &theirs, STOA_NO_ARGS, mem, NULL));
    FAILS(STOA_E_FORBIDDEN, sql_exec(db, "t", &own, STOA_NO_ARGS, mem, NULL));
}

BOTH(sql, refuses_a_read_that_writes)
{
    make_tables();
    FAILS(STOA_E_FORBIDDEN, try_run("INSERT INTO t_item (id, qty) VALUES ('a', 1)", STOA_SQL_READ,
                                    STOA_NO_ARGS, NULL));
    FAILS(STOA_E_FORBIDDEN,
          try_run("WITH x AS (SELECT 1) DELETE FROM t_item", STOA_SQL_READ, STOA_NO_ARGS, NULL));
}

/* ---- Transactions ---- */

BOTH(sql, commits_all_or_nothing)
{
    struct sql_tx *tx;

    make_tables();
    OK(sql_begin(db, &tx));
    OK(tx_insert(tx, "a", 1));
    OK(tx_insert(tx, "b", 2));
    OK(sql_commit(tx));
    cr_assert_eq(count_of("t_item"), 2);

    OK(sql_begin(db, &tx));
    OK(tx_insert(tx, "c", 1));
    sql_rollback(tx);
    cr_assert_eq(count_of("t_item"), 2);

    OK(sql_begin(db, &tx));
    OK(tx_insert(tx, "d", 1));
    FAILS(STOA_E_EXISTS, tx_insert(tx, "a", 1));
    FAILS(STOA_E_TX, tx_insert(tx, "e", 1));
    FAILS(STOA_E_TX, sql_commit(tx));
    cr_assert_eq(count_of("t_item"), 2);
}

BOTH(sql, ends_a_transaction_without_statements)
{
    struct sql_tx *tx;

    OK(sql_begin(db, &tx));
    OK(sql_commit(tx));
    OK(sql_begin(db, &tx));
    sql_rollback(tx);
    sql_rollback(NULL);
}

BOTH(sql, sees_its_own_writes_inside_and_others_do_not)
{
    const struct stoa_stmt count = {
        .name = "t.count", .text = "SELECT count(*) AS n FROM t_item", .flags = STOA_SQL_READ};
    const struct stoa_rows *rows;
    struct sql_tx *tx;

    make_tables();
    OK(sql_begin(db, &tx));
    OK(tx_insert(tx, "a", 1));
    OK(sql_tx_exec(tx, "t", &count, STOA_NO_ARGS, mem, &rows));
    cr_assert_eq(stoa_rows_int(rows, 0, "n"), 1);
    cr_assert_eq(count_of("t_item"), 0);
    OK(sql_commit(tx));
    cr_assert_eq(count_of("t_item"), 1);
}

BOTH(sql, finds_a_deferred_violation_at_commit)
{
    struct sql_tx *tx;

    make_tables();
    OK(sql_begin(db, &tx));
    OK(tx_run(tx, "INSERT INTO t_line (id, item) VALUES (1, 'zz')", STOA_NO_ARGS));
    FAILS(STOA_E_EXISTS, sql_commit(tx));
    cr_assert_eq(count_of("t_line"), 0);
    OK(insert("zz", 1));
}

BOTH(sql, rolls_back_at_the_fault_points)
{
    struct sql_tx *tx;

    make_tables();
    cr_assert_eq(fault_arm("sql.commit.before=error:STORE@1!"), STOA_OK);
    OK(sql_begin(db, &tx));
    OK(tx_insert(tx, "a", 1));
    FAILS(STOA_E_STORE, sql_commit(tx));
    fault_clear();
    cr_assert_eq(count_of("t_item"), 0);

    cr_assert_eq(fault_arm("sql.commit.after=error:STORE@1!"), STOA_OK);
    OK(sql_begin(db, &tx));
    OK(tx_insert(tx, "a", 1));
    FAILS(STOA_E_STORE, sql_commit(tx));
    fault_clear();
    cr_assert_eq(count_of("t_item"), 1);
}

/* A request whose client has gone, in the middle of its transaction. */
static struct fiber_wait inserted, never;

static void insert_and_hang(void *arg)
{
    struct sql_tx *tx;

    OK(sql_begin(db, &tx));
    OK(tx_insert(tx, "left", 1));
    fiber_wake(&inserted);
    FAILS(STOA_E_CANCELLED, fiber_await(&never, -1));
    FAILS(STOA_E_CANCELLED, tx_insert(tx, "more", 1));
    sql_rollback(tx);
}

BOTH(sql, cleans_up_after_a_cancelled_transaction)
{
    struct fiber *fiber;
    struct sql_tx *tx;

    make_tables();
    go(insert_and_hang, NULL, &fiber);
    OK(fiber_await(&inserted, 60000));
    fiber_cancel(fiber);
    wait_all();
    for (int i = 0; i < 12; i++) { /* more than there are connections: none is dirty or lost */
        OK(sql_begin(db, &tx));
        OK(tx_insert(tx, (char[2]){(char)('a' + i), 0}, 1));
        OK(sql_commit(tx));
    }
    cr_assert_eq(count_of("t_item"), 12);
}

static int served[50], served_count;

static void transfer(void *arg)
{
    struct sql_tx *tx;
    int number = (int)(intptr_t)arg;

    fiber_set_deadline(loop_now(loop_current()) + 60000);
    OK(sql_begin(db, &tx));
    OK(tx_run(tx, "UPDATE t_item SET qty = qty + 1 WHERE id = 'a'", STOA_NO_ARGS));
    OK(tx_insert(tx, stoa_str_from_int(mem, number).ptr, number));
    OK(sql_commit(tx));
    served[served_count++] = number;
}

BOTH(sql, serves_fifty_fibers_that_write)
{
    make_tables();
    OK(insert("a", 0));
    for (intptr_t i = 0; i < 50; i++)
        go(transfer, (void *)i, NULL);
    wait_all();
    cr_assert_eq(served_count, 50);
    cr_assert_eq(count_of("t_item"), 51);
    cr_assert_eq(
        stoa_rows_int(run("SELECT qty FROM t_item WHERE id = 'a'", STOA_NO_ARGS), 0, "qty"), 50);
}

static void write_one(void *arg)
{
    int number = (int)(intptr_t)arg;
    stoa_err want = number % 10 == 3 ? STOA_E_EXISTS : STOA_OK;

    FAILS(want, insert(number % 10 == 3 ? "taken" : stoa_str_from_int(mem, number).ptr, number));
}

/* Facts 5.2: with a shared Sync or a shared transaction a neighbour's error takes good writes
 * along. */
BOTH(sql, keeps_a_failing_neighbour_from_the_others)
{
    make_tables();
    OK(insert("taken", 1));
    for (intptr_t i = 0; i < 200; i++)
        go(write_one, (void *)i, NULL);
    wait_all();
    cr_assert_eq(count_of("t_item"), 181);
}

static void write_line(void *arg)
{
    int number = (int)(intptr_t)arg;
    bool good = number % 10 != 3;

    FAILS(good ? STOA_OK : STOA_E_EXISTS,
          try_run("INSERT INTO t_line (id, item) VALUES ($1, $2)", 0,
                  STOA_ARGS(stoa_i(number), stoa_z(good ? "a" : "zz")), NULL));
}

BOTH(sql, keeps_a_neighbour_that_fails_at_commit_from_the_others)
{
    make_tables();
    OK(insert("a", 1));
    for (intptr_t i = 0; i < 100; i++)
        go(write_line, (void *)i, NULL);
    wait_all();
    cr_assert_eq(count_of("t_line"), 90);
}

static void read_some(void *arg)
{
    const struct stoa_rows *rows;
    int64_t number = (intptr_t)arg;

    OK(try_run("SELECT CAST($1 AS BIGINT) AS n", STOA_SQL_READ, STOA_ARGS(stoa_i(number)), &rows));
    cr_assert_eq(stoa_rows_int(rows, 0, "n"), number);
}

BOTH(sql, gives_each_reader_its_own_answer)
{
    for (intptr_t i = 0; i < 200; i++)
        go(read_some, (void *)i, NULL);
    wait_all();
}

BOTH(sql, forgets_prepared_statements_beyond_its_bound)
{
    char text[64];

    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 600; i++) {
            snprintf(text, sizeof(text), "SELECT %d AS n", i);
            cr_assert_eq(stoa_rows_int(run(text, STOA_NO_ARGS), 0, "n"), i);
        }
}

BOTH(sql, goes_on_after_a_table_has_changed)
{
    struct diag diag = {0};

    make_tables();
    OK(insert("a", 1));
    cr_assert_eq(rows_columns(run("SELECT * FROM t_item", STOA_NO_ARGS)), 3);
    OK(sql_script(db, "ALTER TABLE t_item ADD COLUMN extra BIGINT", &diag));
    cr_assert_eq(rows_columns(run("SELECT * FROM t_item", STOA_NO_ARGS)), 4);
}

BOTH(sql, explains_what_it_has_seen)
{
    struct stoa_json *plans;

    make_tables();
    run("SELECT qty FROM t_item WHERE id = $1", STOA_ARGS(stoa_z("a")));
    OK(sql_explain_all(db, mem, &plans));
    cr_assert_eq(stoa_json_count(plans), 1);
    cr_assert(stoa_str_is(stoa_json_str(plans, "0.name"), "t.test"));
    cr_assert_gt(stoa_json_str(plans, "0.plan").len, 10);
}

/* ---- Off the loops ---- */

static void use_off_loop(void)
{
    struct sql_tx *tx;

    make_tables();
    OK(insert("a", 1));
    OK(sql_begin(db, &tx));
    OK(tx_insert(tx, "b", 1));
    OK(sql_commit(tx));
    OK(sql_begin(db, &tx));
    OK(tx_insert(tx, "c", 1));
    sql_rollback(tx);
    FAILS(STOA_E_EXISTS, insert("a", 1));
    cr_assert_eq(count_of("t_item"), 2);
}

Test(sql, works_off_the_loops_on_sqlite)
{
    with_sql_off_loop(SQLITE, use_off_loop);
}

Test(sql, works_off_the_loops_on_postgresql)
{
    with_sql_off_loop(POSTGRESQL, use_off_loop);
}
