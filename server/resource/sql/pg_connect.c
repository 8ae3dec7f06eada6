/* Opening a session, and what PostgreSQL's errors mean here. SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "resource/sql/pg.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define CONNECT_S "5"
#define UNACKNOWLEDGED_MS "5000" /* a host that vanished: else the kernel tries for 15 minutes */
enum { SET_UP_MS = 5000 };

/* Notices would go to stderr. */
static void ignore_notice(void *data, const PGresult *result) {}

static void first_line(char to[SQL_ERROR_MAX], const char *from)
{
    snprintf(to, SQL_ERROR_MAX, "%.*s", (int)strcspn(from, "\n"), from);
}

/* Until libpq has a result; connect_timeout bounds only what was before. */
static bool await_result(PGconn *pg, int64_t until)
{
    struct pollfd fd = {.fd = pq.socket(pg), .events = POLLIN};

    while (pq.isBusy(pg)) {
        int64_t left = until - clock_monotonic_ms();
        if (left <= 0)
            return false;
        if (poll(&fd, 1, (int)left) > 0 && !pq.consumeInput(pg))
            return false;
    }
    return true;
}

static bool run_all(PGconn *pg, const char *text)
{
    int64_t until = clock_monotonic_ms() + SET_UP_MS;
    PGresult *result;
    bool ok = true;

    if (!pq.sendQuery(pg, text))
        return false;
    while (await_result(pg, until)) {
        result = pq.getResult(pg);
        if (!result)
            return ok;
        ok &= pq.resultStatus(result) == PGRES_COMMAND_OK;
        pq.clear(result);
    }
    return false;
}

static bool session_set_up(PGconn *pg, const struct pg_session *session)
{
    char text[240];

    snprintf(text, sizeof(text),
             "SET statement_timeout = %u; SET idle_in_transaction_session_timeout = %d;"
             "SET standard_conforming_strings = on; SET default_transaction_read_only = %s",
             session->statement_timeout_ms, SQL_TX_MAX_MS, session->is_read_only ? "on" : "off");
    return run_all(pg, text);
}

/* What stands before dbname is a default that the URL may overrule. */
PGconn *pg_connect(const char *url, const struct pg_session *session, char error[SQL_ERROR_MAX])
{
    static const char *const names[] = {"connect_timeout",
                                        "tcp_user_timeout",
                                        "target_session_attrs",
                                        "fallback_application_name",
                                        "dbname",
                                        "client_encoding",
                                        NULL};
    const char *const values[] = {CONNECT_S, UNACKNOWLEDGED_MS, "read-write", "stoa", url, "UTF8",
                                  NULL};
    PGconn *pg = pq.connectdbParams(names, values, 1);

    pq.setNoticeReceiver(pg, ignore_notice, NULL);
    if (pq.status(pg) == CONNECTION_OK && session_set_up(pg, session))
        return pg;
    first_line(error, pq.errorMessage(pg));
    if (!error[0])
        snprintf(error, SQL_ERROR_MAX, "it let us in, and then said nothing for %d s",
                 SET_UP_MS / 1000);
    pq.finish(pg);
    return NULL;
}

struct pg_failure *pg_failure_create(const char *state, const char *words)
{
    struct pg_failure *failure = calloc(1, sizeof(*failure));

    stoa_assert(failure);
    snprintf(failure->state, sizeof(failure->state), "%s", state ? state : "");
    snprintf(failure->words, sizeof(failure->words), "%s", words ? words : "");
    return failure;
}

struct pg_failure *pg_failure_of(const PGresult *result)
{
    return pg_failure_create(pq.resultErrorField(result, PG_DIAG_SQLSTATE),
                             pq.resultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
}

bool pg_error_is_loss(const struct pg_failure *failure)
{
    const char *state = failure->state;

    /* 08: connection exception, but 08P01 is our own misuse of the protocol. 57P: shutting down. */
    return !*state || (strncmp(state, "08", 2) == 0 && strcmp(state, "08P01") != 0) ||
           strncmp(state, "57P", 3) == 0;
}

static stoa_err error_of(const char *state)
{
    static const struct {
        const char *state; /* or its beginning */
        stoa_err err;
    } table[] = {
        {"08P01", STOA_E_INTERNAL},  {"08", STOA_E_STORE},      {"22", STOA_E_INVALID},
        {"23", STOA_E_EXISTS},       {"25P03", STOA_E_TIMEOUT}, {"40", STOA_E_CONFLICT},
        {"42501", STOA_E_FORBIDDEN}, {"53", STOA_E_STORE},      {"54", STOA_E_TOO_LARGE},
        {"55P03", STOA_E_CONFLICT},  {"57014", STOA_E_TIMEOUT}, {"57P", STOA_E_STORE},
        {"58", STOA_E_STORE},        {"25006", STOA_E_STORE},   {"XX", STOA_E_STORE},
    };

    if (!*state)
        return STOA_E_STORE;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (strncmp(state, table[i].state, strlen(table[i].state)) == 0)
            return table[i].err;
    return STOA_E_INTERNAL;
}

stoa_err pg_error(const char *name, const struct pg_failure *failure)
{
    sql_error("%s: %s (%s)", name,
              *failure->words ? failure->words : "the connection to PostgreSQL was lost",
              *failure->state ? failure->state : "no answer");
    return error_of(failure->state);
}
