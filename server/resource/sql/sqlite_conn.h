/* resource/sql/sqlite_conn.h: one SQLite connection with its prepared statements; one thread at a
 * time. SPDX-License-Identifier: Apache-2.0 */
#ifndef RESOURCE_SQL_SQLITE_CONN_H
#define RESOURCE_SQL_SQLITE_CONN_H

#include "resource/sql/driver.h"
#include <sqlite3.h>

enum { SUSPECTS_MAX = 8, TABLE_NAME_MAX = 64 };

struct sqlite_conn {
    sqlite3 *db;
    struct statements statements;
    const char *owner;            /* of what is being prepared or run; NULL: unrestricted */
    int64_t deadline;             /* of what is being run */
    char refused[TABLE_NAME_MAX]; /* what the authorizer said no to */
    /* Names that may be tables or names of subqueries: looked at once the statement is prepared. */
    char suspects[SUSPECTS_MAX][TABLE_NAME_MAX];
    uint32_t suspects_count;
    struct sqlite_conn *next;
};

/* What one run gives back, without the request's arena: that belongs to another thread. */
struct sqlite_result {
    struct rows_pack pack;
    stoa_err err;
    char error[SQL_ERROR_MAX];
};

/* NULL with error filled when it cannot be opened. */
struct sqlite_conn *sqlite_conn_open(const char *path, bool read_only, char error[SQL_ERROR_MAX]);
void sqlite_conn_close(struct sqlite_conn *conn); /* NULL is fine */
/* Runs call to its end, or to the deadline. */
void sqlite_conn_run(struct sqlite_conn *conn, const struct sql_call *call, int64_t deadline,
                     struct sqlite_result *ret);
/* BEGIN, COMMIT and the like. */
stoa_err sqlite_conn_plain(struct sqlite_conn *conn, const char *text, int64_t deadline,
                           char error[SQL_ERROR_MAX]);
bool sqlite_conn_in_transaction(const struct sqlite_conn *conn);
/* All statements of script->text, not prepared. */
stoa_err sqlite_conn_script(struct sqlite_conn *conn, const struct sql_script *script,
                            struct diag *diag);

#endif
