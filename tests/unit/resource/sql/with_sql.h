/* tests/unit/resource/sql/with_sql.h: a test's body on a fiber, with a fresh database of each kind.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_WITH_SQL_H
#define TEST_WITH_SQL_H

#include "base/clock.h"
#include "base/fault.h"
#include "fiber/fiber.h"
#include "resource/sql/sql.h"
#include <criterion/criterion.h>

enum backend { SQLITE, POSTGRESQL, LIBPQ }; /* LIBPQ: PostgreSQL, and all of it through libpq */

/* What a body works with. */
extern struct sql *db;
extern struct stoa_arena *mem;
extern char db_place[512]; /* file or conninfo of this test's database */

/* Opens a fresh database, runs body on a fiber of a loop, closes and removes all. */
void with_sql(enum backend backend, void (*body)(void));
/* The same without a loop: the command line's way. */
void with_sql_off_loop(enum backend backend, void (*body)(void));
struct sql *open_sql(enum backend backend, uint32_t loops);
/* The same, with a limit of its own for each statement on the shared connection. */
struct sql *open_sql_within(uint32_t shared_ms, enum backend backend, uint32_t loops);
/* A statement on a connection of its own, past the resource (PostgreSQL). */
void pg_direct(const char *text);
int64_t pg_number(const char *text); /* its first cell */
void pg_server(const char *command); /* to a server of this test alone: tests/servers/postgresql */
extern struct pool *pool;            /* of the resource with loops */

/* Runs fn(arg) on a fiber and counts it; wait_all() until all counted ones have ended. */
void go(void (*fn)(void *arg), void *arg, struct fiber **ret);
void wait_all(void);

/* Shorthand: owner "t". */
const struct stoa_rows *run(const char *text, struct stoa_values args);
stoa_err try_run(const char *text, uint32_t flags, struct stoa_values args,
                 const struct stoa_rows **ret);
int64_t count_of(const char *table);

/* One test of it; the body may follow after the last. */
#define SQL_CASE(backend, suite, name, suffix)                                                     \
    static void suite##_##name(void);                                                              \
    Test(suite, name##suffix)                                                                      \
    {                                                                                              \
        with_sql(backend, suite##_##name);                                                         \
    }

#define ON(backend, suite, name)                                                                   \
    SQL_CASE(backend, suite, name, )                                                               \
    static void suite##_##name(void)

/* Without libpq in between, and with it. */
#define ON_POSTGRESQL(suite, name)                                                                 \
    SQL_CASE(LIBPQ, suite, name, _on_libpq)                                                        \
    ON(POSTGRESQL, suite, name)

#define BOTH(suite, name)                                                                          \
    SQL_CASE(SQLITE, suite, name, _on_sqlite)                                                      \
    SQL_CASE(POSTGRESQL, suite, name, _on_postgresql)                                              \
    SQL_CASE(LIBPQ, suite, name, _on_libpq)                                                        \
    static void suite##_##name(void)

#define OK(call) cr_assert_eq((call), STOA_OK, "%s: %s", #call, sql_last_error())
#define FAILS(want, call)                                                                          \
    do {                                                                                           \
        stoa_err got_ = (call);                                                                    \
        cr_assert_eq(got_, (want), "%s gave %s, not %s: %s", #call, stoa_err_name(got_),           \
                     stoa_err_name(want), sql_last_error());                                       \
    } while (0)

#endif
