/* SPDX-License-Identifier: Apache-2.0 */
#include "with_sql.h"

#include <criterion/hooks.h>
#include <dirent.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct sql *db;
struct stoa_arena *mem;
char db_place[512];

struct pool *pool;
static char own_cluster[128]; /* folder of the server that this executable started */
static uint32_t running;
static struct fiber_wait all_ended;

/* ---- The server: ./dev test starts one for all; alone, this executable does ---- */

static bool script(const char *command, const char *folder, char *out, size_t size)
{
    char line[512];
    FILE *pipe;

    snprintf(line, sizeof(line), "%s/postgresql %s %s", TEST_SERVERS, command, folder);
    pipe = popen(line, "r");
    if (!pipe)
        return false;
    if (!fgets(out, (int)size, pipe))
        out[0] = 0;
    out[strcspn(out, "\n")] = 0;
    return pclose(pipe) == 0;
}

static void temporary_folder(char *ret, size_t size)
{
    snprintf(ret, size, "/tmp/stoa-sql-XXXXXX");
    cr_assert_not_null(mkdtemp(ret));
}

ReportHook(PRE_ALL)(struct criterion_test_set *tests)
{
    char url[256];

    if (getenv("STOA_TEST_PG"))
        return;
    snprintf(own_cluster, sizeof(own_cluster), "/tmp/stoa-pg-XXXXXX");
    if (!mkdtemp(own_cluster) || !script("start", own_cluster, url, sizeof(url)))
        abort();
    setenv("STOA_TEST_PG", url, 1);
}

static void remove_tree(const char *folder)
{
    char line[300];

    snprintf(line, sizeof(line), "rm -rf '%s'", folder);
    if (system(line) != 0)
        fprintf(stderr, "could not remove %s\n", folder);
}

ReportHook(POST_ALL)(struct criterion_global_stats *stats)
{
    char out[256];

    if (!own_cluster[0])
        return;
    script("stop", own_cluster, out, sizeof(out));
    remove_tree(own_cluster);
}

static char alone[128];

void pg_server(const char *command)
{
    char url[256];

    if (!alone[0])
        temporary_folder(alone, sizeof(alone));
    cr_assert(script(command, alone, url, sizeof(url)));
    if (strcmp(command, "start") == 0)
        snprintf(db_place, sizeof(db_place), "%s", url);
}

/* ---- A fresh database ---- */

static void ignore_notice(void *data, const char *text) {}

static int64_t pg_run(const char *place, const char *text)
{
    PGconn *conn = PQconnectdb(place);
    PGresult *result;
    int64_t first = 0;

    cr_assert_eq(PQstatus(conn), CONNECTION_OK, "%s", PQerrorMessage(conn));
    PQsetNoticeProcessor(conn, ignore_notice, NULL);
    result = PQexec(conn, text);
    cr_assert(PQresultStatus(result) == PGRES_COMMAND_OK ||
                  PQresultStatus(result) == PGRES_TUPLES_OK,
              "%s", PQerrorMessage(conn));
    if (PQntuples(result) > 0)
        first = atoll(PQgetvalue(result, 0, 0));
    PQclear(result);
    PQfinish(conn);
    return first;
}

void pg_direct(const char *text)
{
    pg_run(db_place, text);
}

int64_t pg_number(const char *text)
{
    return pg_run(db_place, text);
}

/* A schema of its own: making a database takes ten times as long. */
static void pg_fresh(void)
{
    const char *url = getenv("STOA_TEST_PG");
    char text[128];

    snprintf(text, sizeof(text), "CREATE SCHEMA test_%d", (int)getpid());
    pg_run(url, text);
    snprintf(db_place, sizeof(db_place), "%s&options=-csearch_path%%3Dtest_%d", url, (int)getpid());
}

static void pg_drop(void)
{
    char text[128];

    snprintf(text, sizeof(text), "DROP SCHEMA test_%d CASCADE", (int)getpid());
    pg_run(getenv("STOA_TEST_PG"), text);
}

static char folder[128];

static void place_fresh(enum backend backend)
{
    temporary_folder(folder, sizeof(folder));
    if (backend != SQLITE)
        pg_fresh();
    else
        snprintf(db_place, sizeof(db_place), "%s/test.db", folder);
}

static void place_remove(enum backend backend)
{
    char out[256];

    remove_tree(folder);
    if (backend != SQLITE)
        pg_drop();
    if (alone[0]) {
        script("stop", alone, out, sizeof(out));
        remove_tree(alone);
    }
}

struct sql *open_sql_within(uint32_t shared_ms, enum backend backend, uint32_t loops)
{
    struct sql_options options = {.name = "sql",
                                  .loops = loops,
                                  .connections = 10,
                                  .shared_timeout_ms = shared_ms,
                                  .pool_timeout_ms = 120000,
                                  .pool = loops ? pool : NULL};
    struct sql *sql = NULL;
    struct diag diag = {0};

    if (backend != SQLITE)
        options.postgresql = db_place;
    else
        options.sqlite = db_place;
    cr_assert_eq(sql_open(&options, &diag, &sql), STOA_OK, "%s", diag.message);
    return sql;
}

/* Longer than Valgrind takes for the largest result of any test. */
struct sql *open_sql(enum backend backend, uint32_t loops)
{
    return open_sql_within(30000, backend, loops);
}

/* ---- On a loop ---- */

struct start {
    struct loop_task task;
    void (*body)(void);
};

static void on_body(void *arg)
{
    struct start *start = arg;

    start->body();
    wait_all();
    sql_close(db);
}

static void on_end(void *arg)
{
    loop_stop(loop_current());
}

static void on_start(struct loop_task *task)
{
    cr_assert_eq(fiber_spawn(on_body, on_end, task, NULL), STOA_OK);
}

void with_sql(enum backend backend, void (*body)(void))
{
    static const uint32_t threads[POOL_KINDS] = {4, 1, 1, 1},
                          queue_max[POOL_KINDS] = {256, 1, 1, 1};
    struct loop *loop = loop_create(0);
    struct start start = {.task.run = on_start, .body = body};

    place_fresh(backend);
    if (backend == LIBPQ)
        cr_assert_eq(fault_arm("sql.wire=error:STORE"), STOA_OK);
    pool = pool_create(threads, queue_max);
    mem = stoa_arena_create();
    db = open_sql(backend, 1);
    loop_defer(loop, &start.task);
    loop_run(loop);
    pool_destroy(pool); /* may still post to the loop */
    loop_destroy(loop);
    stoa_arena_destroy(mem);
    place_remove(backend);
}

void with_sql_off_loop(enum backend backend, void (*body)(void))
{
    place_fresh(backend);
    mem = stoa_arena_create();
    db = open_sql(backend, 0);
    body();
    sql_close(db);
    stoa_arena_destroy(mem);
    place_remove(backend);
}

struct started {
    void (*fn)(void *arg);
    void *arg;
};

static void run_started(void *data)
{
    struct started started = *(struct started *)data;

    free(data);
    started.fn(started.arg);
    if (--running == 0 && all_ended.fiber)
        fiber_wake(&all_ended);
}

void go(void (*fn)(void *arg), void *arg, struct fiber **ret)
{
    struct started *started = malloc(sizeof(*started));

    *started = (struct started){fn, arg};
    running++;
    cr_assert_eq(fiber_spawn(run_started, NULL, started, ret), STOA_OK);
}

void wait_all(void)
{
    all_ended = (struct fiber_wait){0};
    while (running)
        cr_assert_eq(fiber_await(&all_ended, 300000), STOA_OK);
}

/* ---- Statements ---- */

stoa_err try_run(const char *text, uint32_t flags, struct stoa_values args,
                 const struct stoa_rows **ret)
{
    const struct stoa_stmt stmt = {.name = "t.test", .text = text, .flags = flags};

    return sql_exec(db, "t", &stmt, args, mem, ret);
}

const struct stoa_rows *run(const char *text, struct stoa_values args)
{
    const struct stoa_rows *rows = NULL;

    OK(try_run(text, strncmp(text, "SELECT", 6) == 0 ? STOA_SQL_READ : 0, args, &rows));
    return rows;
}

int64_t count_of(const char *table)
{
    char text[128];

    snprintf(text, sizeof(text), "SELECT count(*) AS n FROM %s", table);
    return stoa_rows_int(run(text, STOA_NO_ARGS), 0, "n");
}
