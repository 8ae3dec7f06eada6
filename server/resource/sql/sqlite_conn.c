/* One SQLite connection. SPDX-License-Identifier: Apache-2.0 */
#include "resource/sql/sqlite_conn.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

enum { PROGRESS_STEPS = 2000, BUSY_MAX_MS = 60000 };

/* What a prepared statement needs besides SQLite's own. */
struct prepared {
    sqlite3_stmt *stmt;
    uint32_t params;
    int at[SQL_PARAMS_MAX]; /* where SQLite put $1, $2, …: there they are names, not places */
};

static stoa_err sqlite_error(int code)
{
    switch (code & 0xff) {
    case SQLITE_CONSTRAINT:
        return STOA_E_EXISTS;
    case SQLITE_INTERRUPT:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return STOA_E_TIMEOUT;
    case SQLITE_AUTH:
        return STOA_E_FORBIDDEN;
    case SQLITE_TOOBIG:
        return STOA_E_TOO_LARGE;
    case SQLITE_MISMATCH:
        return STOA_E_INVALID;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CORRUPT:
    case SQLITE_CANTOPEN:
    case SQLITE_NOTADB:
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return STOA_E_STORE;
    default:
        return STOA_E_INTERNAL;
    }
}

/* ---- Whose tables ---- */

static bool readable_by_all(const char *table)
{
    return strcmp(table, "json_each") == 0 || strcmp(table, "json_tree") == 0;
}

static void copy_name(char to[TABLE_NAME_MAX], const char *from)
{
    snprintf(to, TABLE_NAME_MAX, "%s", from);
}

static int refuse(struct sqlite_conn *conn, const char *what)
{
    copy_name(conn->refused, what ? what : "?");
    return SQLITE_DENY;
}

static int authorize_table(struct sqlite_conn *conn, int action, const char *table,
                           const char *column)
{
    if (sql_owns(conn->owner, stoa_str_of(table)))
        return SQLITE_OK;
    if (action != SQLITE_READ)
        return refuse(conn, table);
    if (readable_by_all(table))
        return SQLITE_OK;
    /* Without a column it may be the name of a subquery that nothing is read of. */
    if (column && !*column && conn->suspects_count < SUSPECTS_MAX) {
        copy_name(conn->suspects[conn->suspects_count++], table);
        return SQLITE_OK;
    }
    return refuse(conn, table);
}

/* SQLite asks for each table and column, also of views and triggers, when it prepares a statement.
 */
/* cap: SQLite's signature */
static int authorize(void *data, int action, const char *one, const char *two, const char *schema,
                     const char *inside)
{
    struct sqlite_conn *conn = data;

    if (!conn->owner)
        return SQLITE_OK;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    case SQLITE_FUNCTION:
        return strcmp(two, "load_extension") == 0 ? refuse(conn, two) : SQLITE_OK;
    case SQLITE_READ:
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE:
        return authorize_table(conn, action, one, two);
    default:
        return refuse(conn, one);
    }
}

static bool suspects_are_no_tables(struct sqlite_conn *conn)
{
    for (uint32_t i = 0; i < conn->suspects_count; i++)
        if (sqlite3_table_column_metadata(conn->db, NULL, conn->suspects[i], NULL, NULL, NULL, NULL,
                                          NULL, NULL) == SQLITE_OK) {
            copy_name(conn->refused, conn->suspects[i]);
            return false;
        }
    return true;
}

/* ---- Opening ---- */

static int on_progress(void *data)
{
    const struct sqlite_conn *conn = data;

    return clock_monotonic_ms() >= conn->deadline;
}

static bool conn_set_up(struct sqlite_conn *conn, bool read_only)
{
    static const char *const writer = "PRAGMA journal_mode=WAL;"
                                      "PRAGMA synchronous=FULL;"
                                      "PRAGMA foreign_keys=ON;"
                                      "PRAGMA journal_size_limit=67108864;"
                                      "PRAGMA temp_store=MEMORY;"
                                      "PRAGMA trusted_schema=OFF;"
                                      "PRAGMA cache_size=-16384;";
    static const char *const reader = "PRAGMA query_only=ON;"
                                      "PRAGMA temp_store=MEMORY;"
                                      "PRAGMA trusted_schema=OFF;"
                                      "PRAGMA cache_size=-8192;";

    sqlite3_extended_result_codes(conn->db, 1);
    sqlite3_busy_timeout(conn->db, 5000);
    sqlite3_db_config(conn->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    /* One plan for all values: else it is planned anew whenever what LIKE is given changes, for
     * more than running it costs (https://www.sqlite.org/qpsg.html). */
    sqlite3_db_config(conn->db, SQLITE_DBCONFIG_ENABLE_QPSG, 1, NULL);
    /* "x" is a name, never a string, as in PostgreSQL. */
    sqlite3_db_config(conn->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(conn->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    if (sqlite3_exec(conn->db, read_only ? reader : writer, NULL, NULL, NULL) != SQLITE_OK)
        return false;
    /* json_each is a virtual table that is made at its first use, which the authorizer would
     * refuse. */
    if (sqlite3_exec(conn->db, "SELECT 1 FROM json_each('[]'), json_tree('[]')", NULL, NULL,
                     NULL) != SQLITE_OK)
        return false;
    conn->deadline = INT64_MAX;
    sqlite3_progress_handler(conn->db, PROGRESS_STEPS, on_progress, conn);
    return sqlite3_set_authorizer(conn->db, authorize, conn) == SQLITE_OK;
}

struct sqlite_conn *sqlite_conn_open(const char *path, bool read_only, char error[SQL_ERROR_MAX])
{
    int flags = read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    struct sqlite_conn *conn = calloc(1, sizeof(*conn));

    stoa_assert(conn);
    if (sqlite3_open_v2(path, &conn->db, flags | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK &&
        conn_set_up(conn, read_only))
        return conn;
    snprintf(error, SQL_ERROR_MAX, "%s", conn->db ? sqlite3_errmsg(conn->db) : "out of memory");
    sqlite_conn_close(conn);
    return NULL;
}

static void conn_forget(struct sqlite_conn *conn, struct statement *one)
{
    struct prepared *prepared = one->handle;

    sqlite3_finalize(prepared->stmt);
    free(prepared);
    statements_remove(&conn->statements, one);
}

void sqlite_conn_close(struct sqlite_conn *conn)
{
    if (!conn)
        return;
    while (conn->statements.oldest)
        conn_forget(conn, conn->statements.oldest);
    sqlite3_close(conn->db);
    free(conn);
}

/* ---- Preparing ---- */

static stoa_err fail(struct sqlite_result *result, const struct sql_call *call, stoa_err err,
                     const char *words)
{
    snprintf(result->error, sizeof(result->error), "%s: %s", call->name, words);
    result->err = err;
    return err;
}

static stoa_err fail_sqlite(struct sqlite_conn *conn, const struct sql_call *call, int code,
                            struct sqlite_result *result)
{
    char words[160];

    if (conn->refused[0]) {
        snprintf(
            words, sizeof(words),
            "refused: \"%s\" does not belong to %s, which sees tables %s_* only; ask its owner "
            "with stoa_call",
            conn->refused, conn->owner, strcmp(conn->owner, "host") ? conn->owner : "stoa");
        return fail(result, call, STOA_E_FORBIDDEN, words);
    }
    if (code == SQLITE_INTERRUPT)
        return fail(result, call, STOA_E_TIMEOUT, "the deadline passed while it ran");
    return fail(result, call, sqlite_error(code), sqlite3_errmsg(conn->db));
}

/* Maps $1 … $n to SQLite's numbers. False when there is another kind of parameter. */
static bool prepared_map(struct prepared *prepared)
{
    int count = sqlite3_bind_parameter_count(prepared->stmt);

    for (int i = 1; i <= count; i++) {
        const char *name = sqlite3_bind_parameter_name(prepared->stmt, i);
        long n = name && name[0] == '$' ? strtol(name + 1, NULL, 10) : 0;
        if (n < 1 || n > SQL_PARAMS_MAX)
            return false;
        prepared->at[n - 1] = i;
        if ((uint32_t)n > prepared->params)
            prepared->params = (uint32_t)n;
    }
    return true;
}

static stoa_err conn_prepare_new(struct sqlite_conn *conn, const struct sql_call *call,
                                 sqlite3_stmt **stmt, struct sqlite_result *result)
{
    const char *rest = "";
    int code;

    conn->suspects_count = 0;
    code = sqlite3_prepare_v3(conn->db, call->text, -1, SQLITE_PREPARE_PERSISTENT, stmt, &rest);
    if (code == SQLITE_OK && !suspects_are_no_tables(conn))
        code = SQLITE_AUTH;
    if (code != SQLITE_OK)
        return fail_sqlite(conn, call, code, result);
    if (!*stmt || rest[strspn(rest, " \t\r\n;")])
        return fail(result, call, STOA_E_FORBIDDEN, "refused: it is not exactly one statement");
    if ((call->flags & STOA_SQL_READ) && !sqlite3_stmt_readonly(*stmt))
        return fail(result, call, STOA_E_FORBIDDEN,
                    "refused: it is declared STOA_SQL_READ and writes");
    return STOA_OK;
}

static stoa_err conn_prepare(struct sqlite_conn *conn, const struct sql_call *call,
                             struct prepared **ret, struct sqlite_result *result)
{
    struct statement *one = sql_statement_find(&conn->statements, call);
    struct prepared *prepared;

    if (one) {
        *ret = one->handle;
        return STOA_OK;
    }
    prepared = calloc(1, sizeof(*prepared));
    stoa_assert(prepared);
    conn_prepare_new(conn, call, &prepared->stmt, result);
    if (result->err == STOA_OK && !prepared_map(prepared))
        fail(result, call, STOA_E_INTERNAL, "parameters are $1 to $64, nothing else");
    if (result->err != STOA_OK) {
        sqlite3_finalize(prepared->stmt);
        free(prepared);
        return result->err;
    }
    if ((one = statements_surplus(&conn->statements)))
        conn_forget(conn, one);
    one = sql_statement_add(&conn->statements, call);
    one->handle = *ret = prepared;
    return STOA_OK;
}

/* ---- Running ---- */

static stoa_err conn_bind(const struct sql_call *call, const struct prepared *prepared,
                          struct sqlite_result *result)
{
    char words[80];

    if (call->params_count == SQL_PARAMS_ANY)
        return STOA_OK;
    if (call->params_count != prepared->params) {
        snprintf(words, sizeof(words), "it has %u parameters and was given %u", prepared->params,
                 call->params_count);
        return fail(result, call, STOA_E_INTERNAL, words);
    }
    for (uint32_t i = 0; i < call->params_count; i++) {
        const struct sql_param *param = &call->params[i];
        if (!prepared->at[i])
            continue;
        if (param->is_int)
            sqlite3_bind_int64(prepared->stmt, prepared->at[i], param->i);
        else if (param->s.ptr)
            sqlite3_bind_text(prepared->stmt, prepared->at[i], param->s.ptr, (int)param->s.len,
                              SQLITE_STATIC);
        else
            sqlite3_bind_null(prepared->stmt, prepared->at[i]);
    }
    return STOA_OK;
}

static void pack_names(struct rows_pack *pack, sqlite3_stmt *stmt)
{
    pack->columns = (uint32_t)sqlite3_column_count(stmt);
    for (uint32_t i = 0; i < pack->columns; i++) {
        const char *name = sqlite3_column_name(stmt, (int)i);
        rows_pack_put(pack, name, (uint32_t)strlen(name), false);
    }
}

static void pack_row(struct rows_pack *pack, sqlite3_stmt *stmt)
{
    for (int i = 0; i < (int)pack->columns; i++) {
        const unsigned char *text = sqlite3_column_text(stmt, i);
        rows_pack_put(pack, text, text ? (uint32_t)sqlite3_column_bytes(stmt, i) : 0, !text);
    }
}

static stoa_err conn_step(struct sqlite_conn *conn, const struct sql_call *call, sqlite3_stmt *stmt,
                          struct sqlite_result *result)
{
    struct rows_pack *pack = &result->pack;
    uint32_t rows = 0;
    int code;

    while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (rows++ == 0)
            pack_names(pack, stmt);
        if (rows > sql_rows_max(call) || pack->used > ROWS_BYTES_MAX)
            return fail(result, call, STOA_E_TOO_LARGE,
                        call->flags & STOA_SQL_MANY
                            ? "more than 100,000 rows or 8 MiB"
                            : "more than 1,000 rows (STOA_SQL_MANY allows 100,000) or 8 MiB");
        pack_row(pack, stmt);
    }
    if (code != SQLITE_DONE)
        return fail_sqlite(conn, call, code, result);
    if (rows == 0)
        pack_names(pack, stmt);
    pack->affected = sqlite3_stmt_readonly(stmt) ? 0 : sqlite3_changes64(conn->db);
    return STOA_OK;
}

void sqlite_conn_run(struct sqlite_conn *conn, const struct sql_call *call, int64_t deadline,
                     struct sqlite_result *ret)
{
    struct prepared *prepared = NULL;

    rows_pack_clear(&ret->pack);
    ret->err = STOA_OK;
    conn->owner = call->owner; /* also for a statement that SQLite prepares again by itself */
    conn->deadline = deadline;
    conn->refused[0] = 0;
    if (conn_prepare(conn, call, &prepared, ret) == STOA_OK &&
        conn_bind(call, prepared, ret) == STOA_OK) {
        conn_step(conn, call, prepared->stmt, ret);
        sqlite3_reset(prepared->stmt);
        sqlite3_clear_bindings(prepared->stmt);
    }
    conn->owner = NULL;
    conn->deadline = INT64_MAX;
}

stoa_err sqlite_conn_plain(struct sqlite_conn *conn, const char *text, int64_t deadline,
                           char error[SQL_ERROR_MAX])
{
    const struct sql_call call = sql_inner(text, NULL, 0);
    int64_t patience = deadline - clock_monotonic_ms();
    struct sqlite_result result = {0};

    patience = patience < 1 ? 1 : patience > BUSY_MAX_MS ? BUSY_MAX_MS : patience;
    sqlite3_busy_timeout(conn->db, (int)patience);
    sqlite_conn_run(conn, &call, INT64_MAX, &result);
    if (result.err != STOA_OK)
        snprintf(error, SQL_ERROR_MAX, "%s", result.error);
    rows_pack_finish(&result.pack);
    return result.err;
}

bool sqlite_conn_in_transaction(const struct sqlite_conn *conn)
{
    return !sqlite3_get_autocommit(conn->db);
}

/* Runs the first statement of at. offset: where in it the error is. */
static int script_step(struct sqlite_conn *conn, const char *at, const char **rest, int *offset)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(conn->db, at, -1, &stmt, rest);

    *offset = code == SQLITE_OK ? -1 : sqlite3_error_offset(conn->db);
    while (code == SQLITE_OK && stmt && (code = sqlite3_step(stmt)) == SQLITE_ROW)
        code = SQLITE_OK;
    if (code != SQLITE_OK && code != SQLITE_DONE)
        sql_error("%s", sqlite3_errmsg(conn->db));
    else
        code = SQLITE_OK;
    sqlite3_finalize(stmt);
    return code;
}

stoa_err sqlite_conn_script(struct sqlite_conn *conn, const struct sql_script *script,
                            struct diag *diag)
{
    for (const char *at = script->text, *rest; *at; at = rest) {
        int offset, code;
        rest = at + strlen(at);
        code = script_step(conn, at, &rest, &offset);
        if (code == SQLITE_OK)
            continue;
        at += offset >= 0 ? (size_t)offset : strspn(at, " \t\r\n");
        sql_diag_at(diag, script, (uint64_t)(at - script->text), sql_last_error());
        return sqlite_error(code);
    }
    return STOA_OK;
}
