/* store.c: the test's own look into the database. SPDX-License-Identifier: Apache-2.0 */
#include "testing_private.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUSY_TIMEOUT_MS = 30000 };

static sqlite3 *db;

void t_fail(const char *what, const char *why)
{
    fprintf(stderr, "testing: %s: %s\n", what, why);
    abort();
}

void t_store_open(const char *path)
{
    if (sqlite3_open(path, &db) != SQLITE_OK)
        t_fail(path, sqlite3_errmsg(db));
    sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
}

void t_store_close(void)
{
    sqlite3_close(db);
    db = NULL;
}

int64_t t_number(const char *query)
{
    sqlite3_stmt *stmt = NULL;
    int64_t number = 0;
    int step;

    if (sqlite3_prepare_v2(db, query, -1, &stmt, NULL) != SQLITE_OK)
        t_fail(query, sqlite3_errmsg(db));
    step = sqlite3_step(stmt);
    if (step == SQLITE_ROW)
        number = sqlite3_column_int64(stmt, 0);
    else if (step != SQLITE_DONE)
        t_fail(query, sqlite3_errmsg(db));
    sqlite3_finalize(stmt);
    return number;
}

int64_t t_rows(const char *table)
{
    char query[160];

    snprintf(query, sizeof(query), "SELECT COUNT(*) FROM %s", table);
    return t_number(query);
}

void t_script(const char *text)
{
    char *error = NULL;

    if (sqlite3_exec(db, text, NULL, NULL, &error) != SQLITE_OK)
        t_fail(text, error);
}

static int empty_one(void *data, int count, char **values, char **names)
{
    struct stoa_buf *script = data;

    stoa_buf_put(script, STOA_STR("DELETE FROM "));
    stoa_buf_put(script, stoa_str_of(values[0]));
    stoa_buf_put(script, STOA_STR(";"));
    return 0;
}

void t_empty(void)
{
    struct stoa_buf script;

    stoa_buf_init(&script, t_arena(), 256);
    sqlite3_exec(db,
                 "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'stoa_migration'",
                 empty_one, &script, NULL);
    stoa_buf_char(&script, '\0');
    t_script(script.ptr);
}
