/* tests/runner/forked.c: runs the tests of a Criterion program, each in a fork of its own.
 * Criterion starts the whole program anew for each, which under Valgrind costs a second a test. It
 * is linked into the unit tests of -Dvalgrind=true; of Criterion they then use its macros and
 * messages. SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <criterion/new/assert.h>
#include <criterion/redirect.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where Criterion's macros put what they declare; a program need not have all of it. */
extern struct criterion_test *__start_cr_tst[], *__stop_cr_tst[];
extern struct criterion_suite *__start_cr_sts[] __attribute__((weak)),
    *__stop_cr_sts[] __attribute__((weak));
extern f_report_hook __start_cr_pra[] __attribute__((weak)), __stop_cr_pra[] __attribute__((weak));
extern f_report_hook __start_cr_poa[] __attribute__((weak)), __stop_cr_poa[] __attribute__((weak));

static const struct criterion_test *current; /* of a child */
static const struct criterion_test_extra_data *suite;
static bool has_failed;

/* ---- What the macros call, in the child ---- */

void criterion_internal_test_setup(void)
{
    if (suite && suite->init)
        suite->init();
    if (current->data->init)
        current->data->init();
}

void criterion_internal_test_main(void (*fn)(void))
{
    fn();
}

void criterion_internal_test_teardown(void)
{
    if (current->data->fini)
        current->data->fini();
    if (suite && suite->fini)
        suite->fini();
}

static void tell(const char *file, unsigned line, const char *message)
{
    has_failed = true;
    fprintf(stderr, "%s/%s: %s:%u: %s\n", current->category, current->name, file, line, message);
}

void criterion_send_assert(struct criterion_assert_stats *stats)
{
    if (!stats->passed)
        tell(stats->file, stats->line, stats->message);
}

void cri_assert_node_send(const char *file, size_t line, struct cri_assert_node *node)
{
    if (!node->pass)
        tell(file, (unsigned)line, node->message ? node->message : node->repr);
}

void criterion_abort_test(void)
{
    exit(EXIT_FAILURE);
}

void criterion_continue_test(void) {}

void criterion_skip_test(const char *format, ...)
{
    exit(EXIT_SUCCESS);
}

static void swallow(int fd)
{
    int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);

    if (nothing < 0 || dup2(nothing, fd) < 0)
        abort();
    close(nothing);
}

void cr_redirect_stdout(void)
{
    swallow(STDOUT_FILENO);
}

void cr_redirect_stderr(void)
{
    swallow(STDERR_FILENO);
}

/* ---- The parent ---- */

static const struct criterion_test_extra_data *suite_of(const struct criterion_test *test)
{
    if (!__start_cr_sts)
        return NULL;
    for (struct criterion_suite **s = __start_cr_sts; s < __stop_cr_sts; s++)
        if (*s && strcmp((*s)->name, test->category) == 0)
            return (*s)->data;
    return NULL;
}

static bool ended_as_it_should(const struct criterion_test *test, int status)
{
    if (test->data->signal)
        return WIFSIGNALED(status) && WTERMSIG(status) == test->data->signal;
    return WIFEXITED(status) && WEXITSTATUS(status) == test->data->exit_code;
}

static bool run(const struct criterion_test *test)
{
    int status;
    pid_t child = fork();

    if (child < 0)
        abort();
    if (child == 0) {
        current = test;
        suite = suite_of(test);
        test->test();
        exit(has_failed ? EXIT_FAILURE : test->data->exit_code);
    }
    if (waitpid(child, &status, 0) != child)
        abort();
    if (!ended_as_it_should(test, status))
        fprintf(stderr, "%s/%s failed: %s %d\n", test->category, test->name,
                WIFSIGNALED(status) ? "signal" : "code",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return ended_as_it_should(test, status);
}

static void call_hooks(f_report_hook *from, f_report_hook *to)
{
    for (f_report_hook *hook = from; from && hook < to; hook++)
        if (*hook)
            (*hook)(NULL);
}

/* Valgrind translates code when it first runs, and a fork inherits what is translated: that of the
 * databases' libraries is most of what a test of ours needs. */
int sqlite3_open(const char *name, void **db) __attribute__((weak));
int sqlite3_close(void *db) __attribute__((weak));
int sqlite3_exec(void *db, const char *text, int (*row)(void *, int, char **, char **), void *arg,
                 char **error) __attribute__((weak));

static void warm_sqlite(void)
{
    static const char *const work =
        "PRAGMA journal_mode=WAL;PRAGMA foreign_keys=ON;"
        "CREATE TABLE a (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, n INTEGER DEFAULT 1);"
        "CREATE INDEX a_n ON a (n); BEGIN IMMEDIATE; INSERT INTO a (name) VALUES ('x'),('y');"
        "INSERT INTO a (name, n) VALUES ('x', 2) ON CONFLICT (name) DO UPDATE SET n = n + 1;"
        "SAVEPOINT s; UPDATE a SET n = n + 1 WHERE name = 'y' AND n < 9; RELEASE s; COMMIT;"
        "SELECT count(*), max(n), lower(name) FROM a WHERE n IN (1, 2) GROUP BY name ORDER BY n;"
        "DELETE FROM a WHERE id = 1; DROP TABLE a";
    char folder[] = "/tmp/stoa-warm-XXXXXX", path[64];
    void *db;

    if (!sqlite3_open || !mkdtemp(folder))
        return;
    snprintf(path, sizeof path, "%s/db", folder);
    if (sqlite3_open(path, &db) == 0)
        sqlite3_exec(db, work, NULL, NULL, NULL);
    sqlite3_close(db);
    unlink(path);
    rmdir(folder);
}

void *PQconnectdb(const char *place) __attribute__((weak));
void *PQexecParams(void *conn, const char *text, int count, const unsigned *types,
                   const char *const *values, const int *lengths, const int *formats, int format)
    __attribute__((weak));
void PQclear(void *result) __attribute__((weak));
void PQfinish(void *conn) __attribute__((weak));

static void warm_postgresql(void)
{
    const char *place = getenv("STOA_TEST_PG");
    void *conn;

    if (!PQconnectdb || !place)
        return;
    conn = PQconnectdb(place);
    PQclear(PQexecParams(conn, "SELECT 1", 0, NULL, NULL, NULL, NULL, 0));
    PQfinish(conn);
}

int main(void)
{
    unsigned tested = 0, passed = 0;

    warm_sqlite();
    warm_postgresql();
    call_hooks(__start_cr_pra, __stop_cr_pra);
    for (struct criterion_test **test = __start_cr_tst; test < __stop_cr_tst; test++)
        if (*test && !(*test)->data->disabled) {
            tested++;
            passed += run(*test);
        }
    call_hooks(__start_cr_poa, __stop_cr_poa);
    printf("Synthesis: Tested: %u | Passing: %u | Failing: %u | Crashing: 0\n", tested, passed,
           tested - passed);
    return tested > 0 && passed == tested ? EXIT_SUCCESS : EXIT_FAILURE;
}
