/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/file.h"
#include "with_sql.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

static void file(const char *name, const char *text)
{
    char path[256];
    FILE *out;

    if (!root[0]) {
        strcpy(root, "/tmp/stoa-migrations-XXXXXX");
        cr_assert_not_null(mkdtemp(root));
        snprintf(path, sizeof(path), "%s/t", root);
        cr_assert_eq(mkdir(path, 0700), 0);
    }
    snprintf(path, sizeof(path), "%s/t/%s", root, name);
    out = fopen(path, "w");
    fputs(text, out);
    fclose(out);
}

static void remove_root(void)
{
    char line[100];

    snprintf(line, sizeof(line), "rm -rf '%s'", root);
    cr_assert(!root[0] || system(line) == 0);
}

TestSuite(migrate, .fini = remove_root);

static struct diag diag;

static stoa_err migrate(uint32_t applied, uint32_t already)
{
    struct sql_migration_report report = {0};
    stoa_err err = sql_migrate(db, root, "t", &diag, &report);

    if (err == STOA_OK) {
        cr_assert_eq(report.applied, applied);
        cr_assert_eq(report.already, already);
    }
    return err;
}

static bool pending(void)
{
    bool is = false;

    cr_assert_eq(sql_migrations_pending(db, root, "t", &diag, &is), STOA_OK, "%s", diag.message);
    return is;
}

static void two_files(void)
{
    file("0001_start.sql", "CREATE TABLE t_a (id TEXT PRIMARY KEY);\n-- a comment\n");
    file("0002_more.sql", "CREATE TABLE t_b (id TEXT);\nINSERT INTO t_b (id) VALUES ('x;y');\n");
}

BOTH(migrate, applies_what_is_missing_once)
{
    two_files();
    cr_assert(pending());
    cr_assert_not_null(strstr(diag.file, "0001_start.sql"));
    OK(migrate(2, 0));
    cr_assert_not(pending());
    OK(migrate(0, 2));
    cr_assert_eq(count_of("t_b"), 1);
    file("0003_last.sql", "DELETE FROM t_b;");
    cr_assert(pending());
    cr_assert_not_null(strstr(diag.file, "0003_last.sql"));
    OK(migrate(1, 2));
    cr_assert_eq(count_of("t_b"), 0);
}

BOTH(migrate, takes_the_file_of_its_dialect)
{
    file("0001_start.sqlite.sql", "CREATE TABLE t_a (id TEXT, s TEXT);");
    file("0001_start.postgresql.sql", "CREATE TABLE t_a (id TEXT, p JSONB);");
    OK(migrate(1, 0));
    cr_assert_eq(count_of("t_a"), 0);
}

BOTH(migrate, refuses_a_file_that_changed)
{
    two_files();
    OK(migrate(2, 0));
    file("0001_start.sql", "CREATE TABLE t_a (id TEXT PRIMARY KEY, more TEXT);");
    FAILS(STOA_E_CONFLICT, migrate(0, 0));
    cr_assert_not_null(strstr(diag.file, "0001_start.sql"));
    cr_assert_not_null(strstr(diag.message, "changed"));
}

BOTH(migrate, leaves_nothing_of_a_file_that_fails)
{
    file("0001_start.sql", "CREATE TABLE t_a (id TEXT);\n\nINSERT INTO t_a (id) VALUES ('1');\n\n"
                           "INSERT INTO t_nowhere (id)\n VALUES ('1');\n");
    cr_assert_neq(migrate(0, 0), STOA_OK);
    cr_assert_not_null(strstr(diag.file, "0001_start.sql"));
    cr_assert_eq(diag.line, 5, "%u: %s", diag.line, diag.message);
    cr_assert_not_null(strstr(diag.message, "t_nowhere"), "%s", diag.message);
    cr_assert(pending());
    file("0001_start.sql", "CREATE TABLE t_a (id TEXT);");
    OK(migrate(1, 0));
    cr_assert_eq(count_of("t_a"), 0);
}

BOTH(migrate, refuses_names_and_numbers_that_are_unclear)
{
    file("1_start.sql", "SELECT 1;");
    FAILS(STOA_E_CONFIG, migrate(0, 0));
    remove_root();
    root[0] = 0;
    file("0001_a.sql", "SELECT 1;");
    file("0001_b.sql", "SELECT 1;");
    FAILS(STOA_E_CONFIG, migrate(0, 0));
    strcpy(root, "/nonexistent");
    FAILS(STOA_E_CONFIG, migrate(0, 0));
    root[0] = 0;
}

/* ---- What has been read ---- */

static void look(struct sql_migrations_seen *ret)
{
    *ret = (struct sql_migrations_seen){.trail = trail_create()};
    OK(sql_migrations_digest(db, root, "t", &diag, ret));
}

BOTH(migrate, tells_by_stamps_that_a_file_has_come_or_changed)
{
    struct sql_migrations_seen before, after;

    two_files();
    clock_shift_for_test(FILE_SETTLED_MS);
    look(&before);
    cr_assert(trail_is_same(before.trail));
    file("0003_last.sql", "DELETE FROM t_b;");
    cr_assert_not(trail_is_same(before.trail));
    look(&after);
    cr_assert_str_neq(before.sha256, after.sha256);
    trail_destroy(before.trail);
    file("0003_last.sql", "DELETE FROM t_a;");
    file("0003_last.sql", "DELETE FROM t_a");
    cr_assert_not(trail_is_same(after.trail));
    trail_destroy(after.trail);
}

BOTH(migrate, tells_by_stamps_that_an_owner_has_a_folder_now)
{
    struct sql_migrations_seen seen = {.trail = trail_create()};
    char own[128];

    two_files();
    clock_shift_for_test(FILE_SETTLED_MS);
    OK(sql_migrations_digest(db, root, "new", &diag, &seen));
    cr_assert(trail_is_same(seen.trail));
    snprintf(own, sizeof own, "%s/new", root);
    cr_assert_eq(mkdir(own, 0700), 0);
    cr_assert_not(trail_is_same(seen.trail));
    trail_destroy(seen.trail);
}

/* ---- Two processes at once: here two handles on two threads ---- */

static enum backend kind;

static void *migrate_on_thread(void *arg)
{
    struct sql *own = open_sql(kind, 0);
    struct sql_migration_report report = {0};
    struct diag own_diag = {0};
    stoa_err err = sql_migrate(own, root, "t", &own_diag, &report);

    cr_assert_eq(err, STOA_OK, "%s: %s", own_diag.file, own_diag.message);
    *(uint32_t *)arg = report.applied;
    sql_close(own);
    return NULL;
}

static void migrate_twice(void)
{
    pthread_t threads[4];
    uint32_t applied[4] = {0}, total = 0;

    two_files();
    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, migrate_on_thread, &applied[i]), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        total += applied[i];
    }
    cr_assert_eq(total, 2);
    cr_assert_eq(count_of("t_b"), 1);
}

Test(migrate, lets_one_of_several_do_it_on_sqlite)
{
    kind = SQLITE;
    with_sql_off_loop(SQLITE, migrate_twice);
}

Test(migrate, lets_one_of_several_do_it_on_postgresql)
{
    kind = POSTGRESQL;
    with_sql_off_loop(POSTGRESQL, migrate_twice);
}
