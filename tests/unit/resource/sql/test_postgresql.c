/* What only PostgreSQL can do wrong: connections that die. SPDX-License-Identifier: Apache-2.0 */
#include "resource/sql/pg.h"
#include "with_sql.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <unistd.h>

/* pg_sleep is not for plugins: these statements are the host's. */
static stoa_err run_as_host(const char *text, uint32_t flags)
{
    const struct stoa_stmt stmt = {.name = "host.test", .text = text, .flags = flags};

    return sql_exec(db, "host", &stmt, STOA_NO_ARGS, mem, NULL);
}

static void within(int64_t ms)
{
    fiber_set_deadline(loop_now(loop_current()) + ms);
}

/* By this name the server tells this test's sessions from others'. */
static char session[32];

static void name_sessions(void)
{
    snprintf(session, sizeof(session), "killed_%d", (int)getpid());
    strcat(db_place, "&application_name=");
    strcat(db_place, session);
    sql_close(db);
    db = open_sql(POSTGRESQL, 1);
}

static void end_sessions(const char *how)
{
    char text[300];

    snprintf(text, sizeof(text),
             "SELECT pg_terminate_backend(%s) FROM pg_stat_activity"
             " WHERE pid <> pg_backend_pid() AND application_name = '%s'",
             how, session);
    pg_direct(text);
}

/* All at once, then waiting for each, which takes 100 ms. */
static void kill_sessions(void)
{
    end_sessions("pid");
    end_sessions("pid, 30000");
}

/* Until that many of them run pg_sleep: less than the minute after which the last ends by itself.
 */
static void wait_for_sleepers(int count)
{
    int64_t until = clock_monotonic_ms() + 30000;
    char text[300];

    snprintf(text, sizeof(text),
             "SELECT count(*) FROM pg_stat_activity WHERE application_name = '%s'"
             " AND query LIKE '%%pg_sleep(%%' AND state = 'active' AND pid <> pg_backend_pid()",
             session);
    while (pg_number(text) != count) {
        cr_assert_lt(clock_monotonic_ms(), until);
        OK(fiber_sleep(5));
    }
}

/* ---- Killed under who waits ---- */

static stoa_err seen[10];
static int seen_count;

/* Nobody wakes by itself before the sessions are killed; who is tried again then sleeps as long as
 * the table says by then. */
static void make_nap(void)
{
    pg_direct("CREATE TABLE stoa_nap AS SELECT 25 AS seconds");
}

static void sleep_and_note(void *arg)
{
    stoa_err err = run_as_host("SELECT pg_sleep(seconds) FROM stoa_nap", (uint32_t)(uintptr_t)arg);

    seen[seen_count++] = err;
}

ON_POSTGRESQL(postgresql, fails_writes_that_were_on_a_killed_connection)
{
    make_nap();
    name_sessions();
    OK(run_as_host("SELECT 1", 0));
    for (int i = 0; i < 3; i++)
        go(sleep_and_note, 0, NULL); /* not declared READ: must not be tried again */
    wait_for_sleepers(3);
    kill_sessions();
    wait_all();
    cr_assert_eq(seen_count, 3);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(seen[i], STOA_E_STORE, "%s", stoa_err_name(seen[i]));
    OK(run_as_host("SELECT 1", 0));
    OK(run_as_host("SELECT 1", STOA_SQL_READ));
}

ON_POSTGRESQL(postgresql, tries_reads_again_that_were_on_a_killed_connection)
{
    make_nap();
    name_sessions();
    OK(run_as_host("SELECT 1", STOA_SQL_READ));
    for (int i = 0; i < 2; i++)
        go(sleep_and_note, (void *)(uintptr_t)STOA_SQL_READ, NULL);
    go(sleep_and_note, (void *)(uintptr_t)(STOA_SQL_READ | STOA_SQL_SLOW), NULL);
    wait_for_sleepers(2);
    pg_direct("UPDATE stoa_nap SET seconds = 0");
    kill_sessions();
    wait_all();
    for (int i = 0; i < 3; i++)
        cr_assert_eq(seen[i], STOA_OK, "%s", stoa_err_name(seen[i]));
}

ON_POSTGRESQL(postgresql, fails_a_transaction_whose_connection_was_killed)
{
    const struct stoa_stmt insert = {.name = "t.i", .text = "INSERT INTO t_a (id) VALUES (1)"};
    struct diag diag = {0};
    struct sql_tx *tx;

    OK(sql_script(db, "CREATE TABLE t_a (id BIGINT)", &diag));
    name_sessions();
    OK(sql_begin(db, &tx));
    OK(sql_tx_exec(tx, "t", &insert, STOA_NO_ARGS, mem, NULL));
    kill_sessions();
    FAILS(STOA_E_STORE, sql_tx_exec(tx, "t", &insert, STOA_NO_ARGS, mem, NULL));
    FAILS(STOA_E_TX, sql_commit(tx));

    OK(sql_begin(db, &tx));
    OK(sql_tx_exec(tx, "t", &insert, STOA_NO_ARGS, mem, NULL));
    kill_sessions();
    FAILS(STOA_E_STORE, sql_commit(tx));
    cr_assert_eq(count_of("t_a"), 0);
}

/* The server ended idle sessions (a failover, an idle timeout): nobody notices. */
ON_POSTGRESQL(postgresql, replaces_idle_connections_that_died)
{
    const struct stoa_stmt one = {.name = "host.one", .text = "SELECT 1"};
    struct sql_tx *tx;

    name_sessions();
    for (int round = 0; round < 3; round++) {
        OK(run_as_host("SELECT 1", STOA_SQL_READ));
        OK(run_as_host("SELECT 1", STOA_SQL_SLOW));
        OK(sql_begin(db, &tx));
        OK(sql_tx_exec(tx, "host", &one, STOA_NO_ARGS, mem, NULL));
        OK(sql_commit(tx));
        kill_sessions();
    }
}

/* ---- Limits ---- */

ON_POSTGRESQL(postgresql, ends_a_statement_that_holds_up_the_shared_connection)
{
    stoa_err err = STOA_E_TIMEOUT;
    int64_t started;

    sql_close(db);
    db = open_sql_within(600, POSTGRESQL, 1);
    started = clock_monotonic_ms();
    FAILS(STOA_E_TIMEOUT, run_as_host("SELECT pg_sleep(60)", STOA_SQL_READ));
    cr_assert_leq(clock_monotonic_ms() - started, 30000);
    for (int i = 0; i < 10 && err == STOA_E_TIMEOUT; i++) /* a stalled server takes 600 ms, too */
        err = run_as_host("SELECT pg_sleep(0.01)", STOA_SQL_READ);
    OK(err);
}

static void hold_connection(void *arg)
{
    const struct stoa_stmt slow = {.name = "host.slow", .text = "SELECT pg_sleep(0.05)"};
    struct sql_tx *tx;

    OK(sql_begin(db, &tx));
    OK(sql_tx_exec(tx, "host", &slow, STOA_NO_ARGS, mem, NULL));
    OK(sql_commit(tx));
    seen_count++;
}

static void wait_in_vain(void *arg)
{
    within(20);
    FAILS(STOA_E_TIMEOUT, run_as_host("SELECT 1", STOA_SQL_SLOW));
}

/* Ten connections are allowed: two are shared, eight are lent. */
ON_POSTGRESQL(postgresql, queues_for_connections_with_the_deadline)
{
    for (int i = 0; i < 24; i++)
        go(hold_connection, NULL, NULL);
    OK(fiber_sleep(30));
    go(wait_in_vain, NULL, NULL);
    wait_all();
    cr_assert_eq(seen_count, 24);
}

static void run_read(void *arg)
{
    OK(run_as_host("SELECT 1", STOA_SQL_READ));
}

/* Both connect at once: the one attempt must not be taken for the other. */
ON_POSTGRESQL(postgresql, connects_for_shared_and_lent_at_the_same_time)
{
    name_sessions();
    OK(run_as_host("SELECT 1", STOA_SQL_READ));
    OK(run_as_host("SELECT 1", STOA_SQL_READ | STOA_SQL_SLOW));
    kill_sessions();
    OK(fiber_sleep(20));
    go(run_read, NULL, NULL);
    fiber_yield();
    within(30000);
    OK(run_as_host("SELECT 1", STOA_SQL_READ | STOA_SQL_SLOW));
}

static void time_out_in_tx(void *arg)
{
    const struct stoa_stmt slow = {.name = "host.slow", .text = "SELECT pg_sleep(60)"};
    struct sql_tx *tx;

    within(50);
    OK(sql_begin(db, &tx));
    FAILS(STOA_E_TIMEOUT, sql_tx_exec(tx, "host", &slow, STOA_NO_ARGS, mem, NULL));
    sql_rollback(tx);
}

ON_POSTGRESQL(postgresql, cancels_what_nobody_waits_for)
{
    name_sessions();
    OK(run_as_host("SELECT 1", 0)); /* connecting may take longer than the statement is given */
    go(time_out_in_tx, NULL, NULL);
    wait_all();
    wait_for_sleepers(0);
}

static void count(void *arg)
{
    ++*(int *)arg;
}

static bool has_cancelled_all(void)
{
    return pg_number("SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"
                     " AND query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()") == 0;
}

enum { LENT = 8 };

/* Until all that may be lent are: so many connections are there then. */
static void hold_with_the_others(void *arg)
{
    const struct stoa_stmt one = {.name = "host.one", .text = "SELECT 1"};
    struct sql_tx *tx;

    OK(sql_begin(db, &tx));
    OK(sql_tx_exec(tx, "host", &one, STOA_NO_ARGS, mem, NULL));
    ++*(int *)arg;
    while (*(int *)arg < LENT)
        OK(fiber_sleep(1));
    OK(sql_commit(tx));
}

/* The pool has four threads: what cancels must not have them, as who reconnects needs one. */
ON_POSTGRESQL(postgresql, cancels_at_a_silent_server_without_the_pool)
{
    int ran = 0, held = 0;
    int64_t until;

    sql_close(db);
    pg_server("start");
    db = open_sql(POSTGRESQL, 1);
    for (int i = 0; i < LENT; i++)
        go(hold_with_the_others, &held, NULL);
    wait_all();
    pg_server("freeze");
    for (int i = 0; i < LENT; i++)
        go(time_out_in_tx, NULL, NULL);
    wait_all();
    within(10000);
    cr_expect_eq(pool_run(pool, POOL_SQL_READ, count, &ran), STOA_OK);
    cr_expect_eq(ran, 1);
    fiber_set_deadline(INT64_MAX);
    pg_server("thaw");
    until = clock_monotonic_ms() + 30000; /* they would go on by themselves for a minute */
    while (!has_cancelled_all()) {
        cr_assert_lt(clock_monotonic_ms(), until);
        OK(fiber_sleep(5));
    }
    OK(run_as_host("SELECT 1", STOA_SQL_SLOW));
}

/* ---- No server ---- */

/* Lets one in and answers nothing further. */
static void *let_in(void *listener)
{
    static const char hello[] = "R\0\0\0\10\0\0\0\0"
                                "S\0\0\0\30server_version\00015.0\0"
                                "S\0\0\0\27in_hot_standby\0off\0"
                                "S\0\0\0\46default_transaction_read_only\0off\0"
                                "Z\0\0\0\5I";
    int fd = accept(*(int *)listener, NULL, NULL);
    char in[512];

    cr_assert_gt(read(fd, in, sizeof(in)), 0);
    cr_assert_eq(write(fd, hello, sizeof(hello) - 1), sizeof(hello) - 1);
    while (read(fd, in, sizeof(in)) > 0)
        ;
    close(fd);
    return NULL;
}

Test(postgresql, gives_up_on_a_server_that_lets_it_in_and_is_silent, .timeout = 120)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    const struct pg_session wanted = {.statement_timeout_ms = 1000};
    char url[128], error[SQL_ERROR_MAX] = "";
    pthread_t server;

    cr_assert_eq(pg_library_load(error), STOA_OK);
    cr_assert_eq(bind(listener, (struct sockaddr *)&at, size), 0);
    cr_assert_eq(listen(listener, 1), 0);
    getsockname(listener, (struct sockaddr *)&at, &size);
    cr_assert_eq(pthread_create(&server, NULL, let_in, &listener), 0);
    snprintf(url, sizeof(url),
             "postgresql://ada@127.0.0.1:%d/shop?sslmode=disable&gssencmode=disable",
             ntohs(at.sin_port));
    cr_assert_null(pg_connect(url, &wanted, error));
    cr_assert_not_null(strstr(error, "said nothing for 5 s"), "%s", error);
    pthread_join(server, NULL);
    close(listener);
}

static void expect_option(const char *url, const char *name, const char *value)
{
    const struct pg_session wanted = {.statement_timeout_ms = 1000};
    char error[SQL_ERROR_MAX] = "";
    PGconn *pg = pg_connect(url, &wanted, error);
    PQconninfoOption *all = PQconninfo(pg), *one = all;

    cr_assert_not_null(all, "%s", error);
    while (one->keyword && strcmp(one->keyword, name) != 0)
        one++;
    cr_expect_str_eq(one->val ? one->val : "", value);
    PQconninfoFree(all);
    PQfinish(pg);
}

/* For PQcancel()'s connection, too, since libpq 15. */
ON_POSTGRESQL(postgresql, does_not_try_for_minutes_to_reach_a_host_that_vanished)
{
    expect_option(db_place, "tcp_user_timeout", "5000");
    strcat(db_place, "&tcp_user_timeout=900");
    expect_option(db_place, "tcp_user_timeout", "900");
}

ON_POSTGRESQL(postgresql, says_within_the_deadline_that_the_server_is_gone)
{
    int64_t started;

    sql_close(db);
    pg_server("start");
    db = open_sql(POSTGRESQL, 1);
    OK(run_as_host("SELECT 1", STOA_SQL_READ));
    pg_server("stop");
    for (int i = 0; i < 5; i++) {
        started = clock_monotonic_ms();
        within(20000);
        FAILS(STOA_E_STORE, run_as_host("SELECT 1", i % 2 ? STOA_SQL_READ : STOA_SQL_SLOW));
        cr_assert_leq(clock_monotonic_ms() - started, 40000);
    }
    pg_server("start");
    fiber_set_deadline(INT64_MAX);
    for (int i = 0; i < 600 && run_as_host("SELECT 1", STOA_SQL_READ) != STOA_OK; i++)
        OK(fiber_sleep(50));
    OK(run_as_host("SELECT 1", STOA_SQL_READ));
    OK(run_as_host("SELECT 1", STOA_SQL_SLOW));
}

Test(postgresql, tells_who_cannot_be_reached_without_the_password)
{
    struct sql_options options = {.name = "users",
                                  .postgresql = "postgresql://ada:geheim@127.0.0.1:1/shop"};
    struct diag diag = {0};
    struct sql *none = NULL;

    FAILS(STOA_E_STORE, sql_open(&options, &diag, &none));
    cr_assert_not_null(strstr(diag.message, "users"));
    cr_assert_not_null(strstr(diag.message, "127.0.0.1"), "%s", diag.message);
    cr_assert_not_null(strstr(diag.message, "shop"));
    cr_assert_null(strstr(diag.message, "geheim"), "%s", diag.message);
    cr_assert_null(strstr(sql_last_error(), "geheim"));
    options.postgresql = "mysql://x";
    cr_assert_neq(sql_open(&options, &diag, &none), STOA_OK);
}

/* ---- Words that reach around ---- */

ON_POSTGRESQL(postgresql, refuses_functions_that_reach_around)
{
    static const char *const texts[] = {"SELECT query_to_xml('SELECT 1', true, true, '')",
                                        "SELECT set_config('role', 'postgres', true)",
                                        "SELECT pg_read_file('/etc/passwd')",
                                        "SELECT pg_sleep(1)",
                                        "SELECT nextval('other_seq')",
                                        "SELECT rolpassword FROM pg_authid",
                                        "SELECT table_name FROM information_schema.tables",
                                        "SELECT 1 INTO t_new",
                                        "SELECT * FROM U&\"t_\\0061\"",
                                        "SELECT $q$x$q$",
                                        NULL};

    for (int i = 0; texts[i]; i++)
        FAILS(STOA_E_FORBIDDEN, try_run(texts[i], 0, STOA_NO_ARGS, NULL));
}

/* ---- Reads share a Sync ---- */

static int failed_as_wanted, answered;

static void read_or_fail(void *arg)
{
    static const char *const texts[] = {"SELECT 10 / CAST($1 AS BIGINT) AS n",
                                        "SELECT n FROM t_nowhere WHERE n = $1"};
    int number = (int)(intptr_t)arg;
    bool bad = number % 10 == 3 || number % 10 == 7;
    const struct stoa_rows *rows = NULL;
    stoa_err err = try_run(texts[number % 10 == 7], STOA_SQL_READ,
                           STOA_ARGS(stoa_i(bad ? 0 : number % 10 + 1)), &rows);

    failed_as_wanted += bad && err != STOA_OK;
    answered += !bad && err == STOA_OK && stoa_rows_int(rows, 0, "n") == 10 / (number % 10 + 1);
}

/* A statement that fails, or cannot even be parsed, skips all that share its Sync. */
ON_POSTGRESQL(postgresql, keeps_a_failing_reader_from_the_others)
{
    for (intptr_t i = 0; i < 200; i++)
        go(read_or_fail, (void *)i, NULL);
    wait_all();
    cr_assert_eq(failed_as_wanted, 40);
    cr_assert_eq(answered, 160);
}

static int64_t began[100];
static int began_count;

static void note_transaction(void *arg)
{
    const struct stoa_rows *rows;

    OK(try_run("SELECT CAST(extract(epoch FROM now()) * 1000000 AS BIGINT) AS began", STOA_SQL_READ,
               STOA_NO_ARGS, &rows));
    began[began_count++] = stoa_rows_int(rows, 0, "began");
}

static int transactions_of_a_hundred_reads(void)
{
    int transactions = 1;

    began_count = 0;
    for (int i = 0; i < 100; i++)
        go(note_transaction, NULL, NULL);
    wait_all();
    for (int i = 1; i < 100; i++)
        transactions += began[i] != began[i - 1];
    return transactions;
}

/* After a slow batch, which a busy machine has, each read has its own for a second. */
ON_POSTGRESQL(postgresql, sends_the_reads_of_a_turn_together)
{
    int rounds = 0;

    while (transactions_of_a_hundred_reads() > 20) {
        cr_assert_lt(++rounds, 50);
        OK(fiber_sleep(100));
    }
}

static void read_much(void *arg)
{
    const struct stoa_rows *rows = NULL;

    OK(try_run("SELECT repeat(CAST($1 AS TEXT), 100000) AS much", STOA_SQL_READ,
               STOA_ARGS(stoa_s(STOA_STR("x"))), &rows));
    answered += stoa_rows_str(rows, 0, "much").len == 100000;
}

/* More than what may wait for the end of a batch. */
ON_POSTGRESQL(postgresql, hands_large_answers_out_before_their_batch_ends)
{
    for (int i = 0; i < 64; i++)
        go(read_much, NULL, NULL);
    wait_all();
    cr_assert_eq(answered, 64);
}

/* Words cannot tell that a function writes; the session refuses it. */
ON_POSTGRESQL(postgresql, refuses_a_function_that_writes_behind_a_read)
{
    pg_direct("CREATE SEQUENCE host_number");
    FAILS(STOA_E_STORE, run_as_host("SELECT nextval('host_number')", STOA_SQL_READ));
}

/* On the shared connection, and on a lent one. */
ON_POSTGRESQL(postgresql, reads_a_table_that_has_other_columns_than_before)
{
    static const uint32_t ways[] = {STOA_SQL_READ, STOA_SQL_READ | STOA_SQL_SLOW};

    pg_direct("CREATE TABLE stoa_changed (id BIGINT)");
    for (int i = 0; i < 2; i++)
        OK(run_as_host("SELECT * FROM stoa_changed", ways[i]));
    pg_direct("ALTER TABLE stoa_changed ADD COLUMN more TEXT");
    for (int i = 0; i < 2; i++)
        OK(run_as_host("SELECT * FROM stoa_changed", ways[i]));
}

/* PostgreSQL lets both; the second is too long for a transaction. */
static void sleep_in_tx(void)
{
    const struct stoa_stmt quick = {.name = "host.quick", .text = "SELECT pg_sleep(0.1)"};
    const struct stoa_stmt slow = {.name = "host.slow", .text = "SELECT pg_sleep(60)"};
    struct sql_tx *tx;

    OK(sql_begin(db, &tx));
    OK(sql_tx_exec(tx, "host", &quick, STOA_NO_ARGS, mem, NULL));
    FAILS(STOA_E_TIMEOUT, sql_tx_exec(tx, "host", &slow, STOA_NO_ARGS, mem, NULL));
    sql_rollback(tx);
    OK(run_as_host("SELECT 1", STOA_SQL_READ));
}

Test(postgresql, ends_a_transaction_in_a_statement_off_the_loops_too)
{
    with_sql_off_loop(POSTGRESQL, sleep_in_tx);
}
