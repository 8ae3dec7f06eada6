/* resource/sql/driver.h: between sql.c, which checks, counts and times, and a database.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RESOURCE_SQL_DRIVER_H
#define RESOURCE_SQL_DRIVER_H

#include "resource/sql/rows.h"
#include "resource/sql/statements.h"

/* From the database's BEGIN on: one who holds SQLite's only write turn, or locks, keeps others
 * waiting. Its COMMIT may take longer. */
enum { SQL_TX_MAX_MS = 5000 };
#define SQL_TX_OVER "the transaction was open for more than 5 s and was rolled back"

/* SQL_PARAMS_ANY instead of a count: the plan is wanted, values do not matter. */
enum { SQL_PARAMS_MAX = 64, SQL_PARAMS_ANY = 255, SQL_ERROR_MAX = 400 };

/* One value for $1, $2, …: ptr NULL with is_int false is NULL. */
struct sql_param {
    bool is_int;
    int64_t i;
    stoa_str s;
};

/* One statement to run, checked by sql.c. All of it outlives the call. */
struct sql_call {
    const char *owner; /* NULL: the host's inner workings, unrestricted */
    const char *name, *text;
    uint32_t flags;
    uint32_t params_count;
    uint64_t hash; /* statement_hash() */
    const struct sql_param *params;
    struct seen *seen; /* NULL for inner workings */
    struct stoa_arena *arena;
    struct stoa_rows **ret; /* NULL: rows are not wanted */
};

static inline uint32_t sql_rows_max(const struct sql_call *call)
{
    return call->flags & STOA_SQL_MANY ? ROWS_MAX_MANY : ROWS_MAX;
}

/* The prepared statement for call on a connection, or NULL; and a new one, not there yet. */
static inline struct statement *sql_statement_find(struct statements *all,
                                                   const struct sql_call *call)
{
    return call->seen ? statements_find_seen(all, call->seen)
                      : statements_find(all, call->hash, call->owner, call->text);
}
static inline struct statement *sql_statement_add(struct statements *all,
                                                  const struct sql_call *call)
{
    struct statement *one = statements_add(all, call->hash, call->owner, call->text);

    one->seen = call->seen;
    return one;
}

/* Statements run outside the prepared ones, in one transaction, under the resource's lock against
 * other processes. */
struct sql_script {
    const char *file; /* for the diag; may be NULL */
    const char *text;
    const struct sql_call *unless; /* gives a row: nothing is done; may be NULL */
    const struct sql_call *after;  /* in the same transaction; may be NULL */
    bool skipped;                  /* out: unless gave a row */
};

struct sql;
struct sql_tx;

struct sql_driver {
    stoa_err (*open)(const struct sql_options *options, struct diag *diag, struct sql **ret);
    void (*close)(struct sql *sql);
    void (*rest)(struct sql *sql); /* NULL: it has nothing that would cost anybody */
    stoa_err (*exec)(struct sql *sql, const struct sql_call *call);
    /* Nothing is sent yet: the database's BEGIN goes with the first statement. */
    struct sql_tx *(*begin)(struct sql *sql);
    stoa_err (*tx_exec)(struct sql_tx *tx, const struct sql_call *call);
    stoa_err (*commit)(struct sql_tx *tx); /* ends tx */
    void (*rollback)(struct sql_tx *tx);   /* ends tx */
    stoa_err (*script)(struct sql *sql, struct sql_script *script, struct diag *diag);
    /* Whether each word (a table or not) is the owner's; NULL when the database does it by itself.
     */
    stoa_err (*check_words)(struct sql *sql, const struct sql_call *call, const stoa_str *words,
                            uint32_t count);
    /* The plan as text, in the arena. */
    stoa_err (*explain)(struct sql *sql, const struct seen *seen, struct stoa_arena *arena,
                        stoa_str *ret);
    bool is_postgresql;
};
extern const struct sql_driver sqlite_driver, postgresql_driver;

/* First member of the driver's own. */
struct sql {
    const struct sql_driver *driver;
    struct pool *pool;
    char name[64];
    struct seen_all seen;
};
struct sql_tx {
    struct sql *sql;
    bool failed; /* only rollback is possible */
};

/* Keeps the words for sql_last_error(), on this thread. */
void sql_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "order_" for "order", "stoa_" for "host". */
bool sql_owns(const char *owner, stoa_str table);
/* The fiber's deadline, or one for callers off fibers (monotonic ms). */
int64_t sql_deadline(void);
/* A call of the host's own, without owner. */
struct sql_call sql_inner(const char *text, const struct sql_param *params, uint32_t count);
/* Where in text (bytes from its start) something is wrong. */
void sql_diag_at(struct diag *diag, const struct sql_script *script, uint64_t offset,
                 const char *message);

#endif
