/* Opening a session, and what PostgreSQL's errors mean here. SPDX-License-Identifier: Apache-2.0 */
#include "resource/sql/pg.h"

#include <stdio.h>

/* Notices would go to stderr. */
static void ignore_notice(void *data, const PGresult *result) {}

static void first_line(char to[SQL_ERROR_MAX], const char *from)
{
    snprintf(to, SQL_ERROR_MAX, "%.*s", (int)strcspn(from, "\n"), from);
}

static bool session_set_up(PGconn *pg, const struct pg_session *session)
{
    char text[240];
    PGresult *result;
    bool ok;

    snprintf(text, sizeof(text),
             "SET statement_timeout = %u; SET idle_in_transaction_session_timeout = 10000;"
             "SET standard_conforming_strings = on; SET default_transaction_read_only = %s",
             session->statement_timeout_ms, session->is_read_only ? "on" : "off");
    result = pq.exec(pg, text);
    ok = pq.resultStatus(result) == PGRES_COMMAND_OK;
    pq.clear(result);
    return ok;
}

/* What stands before dbname is a default that the URL may overrule. */
PGconn *pg_connect(const char *url, const struct pg_session *session, char error[SQL_ERROR_MAX])
{
    static const char *const names[] = {"connect_timeout",           "target_session_attrs",
                                        "fallback_application_name", "dbname",
                                        "client_encoding",           NULL};
    const char *const values[] = {"5", "read-write", "stoa", url, "UTF8", NULL};
    PGconn *pg = pq.connectdbParams(names, values, 1);

    pq.setNoticeReceiver(pg, ignore_notice, NULL);
    if (pq.status(pg) == CONNECTION_OK && session_set_up(pg, session))
        return pg;
    first_line(error, pq.errorMessage(pg));
    pq.finish(pg);
    return NULL;
}

bool pg_error_is_loss(const PGresult *result)
{
    const char *state = pq.resultErrorField(result, PG_DIAG_SQLSTATE);

    /* 08: connection exception, but 08P01 is our own misuse of the protocol. 57P: shutting down. */
    return !state || (strncmp(state, "08", 2) == 0 && strcmp(state, "08P01") != 0) ||
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

    if (!state)
        return STOA_E_STORE;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (strncmp(state, table[i].state, strlen(table[i].state)) == 0)
            return table[i].err;
    return STOA_E_INTERNAL;
}

/* The detail is left out: it quotes what people entered. */
stoa_err pg_error(const char *name, const PGresult *result)
{
    const char *state = pq.resultErrorField(result, PG_DIAG_SQLSTATE);
    const char *words = pq.resultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    sql_error("%s: %s (%s)", name, words ? words : "the connection to PostgreSQL was lost",
              state ? state : "no answer");
    return error_of(state);
}
