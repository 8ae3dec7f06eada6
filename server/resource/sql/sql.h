/* resource/sql/sql.h: a relational database as plugins and the host see it. Drivers: sqlite.c,
 * postgresql.c; one test file for both. Called on fibers; from the command line also off them
 * (sql_open with loops = 0 then gives a blocking handle).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RESOURCE_SQL_H
#define RESOURCE_SQL_H

#include "base/diag.h"
#include "base/trail.h"
#include "resource/pool/pool.h"
#include <stoa/sql.h>

struct sql;    /* one named resource of the process */
struct sql_tx; /* one open transaction; belongs to the fiber that began it */

struct sql_options {
    const char *name;       /* "sql", "users": as in resources = { … } */
    const char *sqlite;     /* path of the file, or NULL */
    const char *postgresql; /* connection URL, or NULL */
    uint32_t loops;
    uint32_t connections;       /* PostgreSQL: cap of the process over all loops (default 40) */
    uint32_t shared_timeout_ms; /* statement_timeout of the shared connection (default 1,000) */
    uint32_t pool_timeout_ms;   /* statement_timeout elsewhere (default 10,000) */
    struct pool *pool;
};
/* Connects once to see that it works. STOA_E_STORE with *diag telling who cannot be reached and
 * what to do; passwords in the URL are masked. */
STOA_NODISCARD stoa_err sql_open(const struct sql_options *options, struct diag *diag,
                                 struct sql **ret);
/* On the loop's thread, or when the loops have stopped and are not destroyed yet. NULL is fine. */
void sql_close(struct sql *sql);
/* On each loop's thread, off its fibers: nobody is about to use it, so that connections which
 * nobody has are closed. It may be used all the same, and connects again. */
void sql_rest(struct sql *sql);
const char *sql_name(const struct sql *sql);
bool sql_is_postgresql(const struct sql *sql);

/* owner: whose tables it may see ("order": tables order_*), "host" for the host's own (stoa_*).
 * Rows live in the arena. ret may be NULL. */
STOA_NODISCARD stoa_err sql_exec(struct sql *sql, const char *owner, const struct stoa_stmt *stmt,
                                 struct stoa_values args, struct stoa_arena *arena,
                                 const struct stoa_rows **ret);
STOA_NODISCARD stoa_err sql_begin(struct sql *sql, struct sql_tx **ret);
STOA_NODISCARD stoa_err sql_tx_exec(struct sql_tx *tx, const char *owner,
                                    const struct stoa_stmt *stmt, struct stoa_values args,
                                    struct stoa_arena *arena, const struct stoa_rows **ret);
/* Both end tx, whatever they return. */
STOA_NODISCARD stoa_err sql_commit(struct sql_tx *tx);
void sql_rollback(struct sql_tx *tx);
/* The database's own words for the last error on this fiber's thread, for the operator's log. */
const char *sql_last_error(void);
/* Several statements at once, not prepared: migrations and the tests' set-up. In one transaction.
 */
STOA_NODISCARD stoa_err sql_script(struct sql *sql, const char *text, struct diag *diag);

/* Statements run on this thread since it started: for budgets per route. */
uint64_t sql_statements_on_this_thread(void);
/* For every statement seen so far: name, text and its plan. */
STOA_NODISCARD stoa_err sql_explain_all(struct sql *sql, struct stoa_arena *arena,
                                        struct stoa_json **ret);

/* ---- Migrations: migrations/<owner>/NNNN_what.sql, or NNNN_what.{sqlite,postgresql}.sql ---- */
struct sql_migration_report {
    uint32_t applied, already;
};
/* Applies what is missing, each in its transaction with its row in stoa_migration (owner, number,
 * name, sha256, at). Refuses a file that changed after it was applied. Two processes at once: one
 * waits. */
STOA_NODISCARD stoa_err sql_migrate(struct sql *sql, const char *folder, const char *owner,
                                    struct diag *diag, struct sql_migration_report *ret);
/* Whether anything is missing; *diag names the first. */
STOA_NODISCARD stoa_err sql_migrations_pending(struct sql *sql, const char *folder,
                                               const char *owner, struct diag *diag, bool *ret);
struct sql_migrations_seen {
    char sha256[65];     /* of the owner's migration files with their paths, as hex */
    struct trail *trail; /* the caller's, or NULL: is told of each file and folder */
};
/* Asks no database. STOA_E_CONFIG with *diag when a file cannot be taken in. */
STOA_NODISCARD stoa_err sql_migrations_digest(const struct sql *sql, const char *folder,
                                              const char *owner, struct diag *diag,
                                              struct sql_migrations_seen *ret);

/* Rows made by hand, for the wire and for tests. */
struct stoa_rows *rows_create(struct stoa_arena *arena, uint32_t columns, const char *const *names,
                              uint32_t rows, int64_t affected);
/* value is not copied: it must live as long as rows. */
void rows_set(struct stoa_rows *rows, uint32_t row, uint32_t column, stoa_str value, bool is_null);
uint32_t rows_columns(const struct stoa_rows *rows);
const char *rows_column_name(const struct stoa_rows *rows, uint32_t column);
/* Cell as text; ptr NULL for NULL. */
stoa_str rows_cell(const struct stoa_rows *rows, uint32_t row, uint32_t column);

#endif
