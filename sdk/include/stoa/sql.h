/* stoa/sql.h: declared statements, rows by column name, transactions and once-only work.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef STOA_SQL_H
#define STOA_SQL_H

#include "request.h"

enum {
    STOA_SQL_READ = 1,       /* changes nothing: may use a reader, may be tried again */
    STOA_SQL_REPLICA_OK = 2, /* may be some seconds old */
    STOA_SQL_SLOW = 4,       /* not on the shared connection */
    STOA_SQL_MANY = 8,       /* more than 1,000 rows may come (up to 100,000) */
};

/* One statement, `static const` in the plugin. Its text is for SQLite and PostgreSQL alike unless
 * postgresql is set. Parameters are $1, $2 …; tables are called <plugin>_<what>. Types that both
 * know: BIGINT (integers, milliseconds UTC, booleans as 0/1), TEXT (also ids and JSON). */
struct stoa_stmt {
    const char *name; /* "product.by_slug", for logs and metrics */
    const char *text;
    const char *postgresql; /* NULL: text serves both */
    uint32_t flags;
    uint32_t reserved;
};
static_assert(sizeof(struct stoa_stmt) == 32, "SDK ABI");

struct stoa_rows;
STOA_API uint32_t stoa_rows_count(const struct stoa_rows *rows);
/* Rows that an insert, update or delete touched. */
STOA_API int64_t stoa_rows_affected(const struct stoa_rows *rows);
/* NULL reads as empty (ptr NULL) or 0. A column that the statement does not have is asserted. */
STOA_API stoa_str stoa_rows_str(const struct stoa_rows *rows, uint32_t row, const char *column);
STOA_API int64_t stoa_rows_int(const struct stoa_rows *rows, uint32_t row, const char *column);
STOA_API bool stoa_rows_is_null(const struct stoa_rows *rows, uint32_t row, const char *column);
/* Sets the member that is called as the column to its text, "" for NULL. As stoa_json_set_str(),
 * and cheaper: what is in the request's arena already is not copied. */
STOA_API void stoa_json_set_column(struct stoa_json *object, const struct stoa_rows *rows,
                                   uint32_t row, const char *column);

/* Runs one statement by itself. ret may be NULL. Rows live as long as the request.
 * STOA_E_TX while a transaction of this request is open; STOA_E_EXISTS on a unique or foreign key
 * or check violation; STOA_E_STORE when the database is away; STOA_E_TIMEOUT past the deadline. */
STOA_NODISCARD STOA_API stoa_err stoa_sql(struct stoa_req *req, const struct stoa_stmt *stmt,
                                          struct stoa_values args, const struct stoa_rows **ret);

/* ---- Transactions. While one is open, stoa_sql, stoa_call, stoa_collect, stoa_render, stoa_sleep
 * and stoa_offload return STOA_E_TX: a transaction never waits for the world. An event's or a job's
 * handler may have one too; an event's handler exactly one. Others wait for its locks: 5 s after
 * its first statement got them it is rolled back, and what comes then is STOA_E_TIMEOUT. ---- */
struct stoa_tx;
/* Opens the request's transaction. With an Idempotency-Key (or for an event) the first one also
 * writes the journal row. STOA_E_IN_FLIGHT when another request with that key came first, or the
 * event was handled already. */
STOA_NODISCARD STOA_API stoa_err stoa_tx_begin(struct stoa_req *req, struct stoa_tx **ret);
/* As stoa_sql. After an error only rollback is possible; the transaction has no effect then. */
STOA_NODISCARD STOA_API stoa_err stoa_tx_sql(struct stoa_tx *tx, const struct stoa_stmt *stmt,
                                             struct stoa_values args, const struct stoa_rows **ret);
/* Says what this request creates, for the journal: where a repeated request resumes. */
STOA_NODISCARD STOA_API stoa_err stoa_tx_creates(struct stoa_tx *tx, stoa_str id);
/* Fills in the reply and keeps it in the journal with this transaction, for repeats of the request:
 * status, body (json NULL: none) and a Location that stoa_reply_header() has set before. */
STOA_NODISCARD STOA_API stoa_err stoa_tx_reply(struct stoa_tx *tx, int32_t status,
                                               const struct stoa_json *json);
/* Ends tx. On an error nothing of it has happened, except STOA_E_STORE: then it is unknown. */
STOA_NODISCARD STOA_API stoa_err stoa_tx_commit(struct stoa_tx *tx);
/* Ends tx; nothing of it has happened. NULL is fine. A handler that returns with an open tx is
 * rolled back. */
STOA_API void stoa_tx_rollback(struct stoa_tx *tx);

/* An event, in the transaction that makes it true; subscribers get it at least once, with effect
 * once. aggregate: the id by which it is ordered ("ord_…"). data: at most 64 KiB. */
STOA_NODISCARD STOA_API stoa_err stoa_emit(struct stoa_tx *tx, const char *event,
                                           stoa_str aggregate, const struct stoa_json *data);

/* Has this request been begun before? A repeat whose first try died resumes at the id it made. */
typedef enum stoa_once_state {
    STOA_ONCE_FRESH,  /* first try, or no key */
    STOA_ONCE_RESUME, /* an earlier try died: id says what it had begun */
} stoa_once_state;
struct stoa_once {
    uint32_t state; /* stoa_once_state */
    uint32_t reserved;
    stoa_str id; /* as given to stoa_tx_creates; may be empty */
};
STOA_API struct stoa_once stoa_once(struct stoa_req *req);
/* The client's Idempotency-Key; empty without one. At most 255 characters. */
STOA_API stoa_str stoa_idempotency_key(const struct stoa_req *req);

#endif
