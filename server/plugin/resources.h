/* plugin/resources.h: what the host keeps open for plugins, across worlds.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGIN_RESOURCES_H
#define PLUGIN_RESOURCES_H

#include "config/config.h"
#include "resource/cache/cache.h"
#include "resource/mail/mail.h"
#include "resource/pool/pool.h"
#include "resource/sql/sql.h"

enum {
    RESOURCES_SQL_MAX = 8,     /* of one configuration */
    RESOURCES_OPENED_MAX = 32, /* in the life of a process: one that is not used any more rests */
};

struct resources_opened; /* all of the process, used or not */
struct resources {
    struct pool *pool;
    struct resources_opened *opened;
    uint32_t loops;
    struct sql *sql[RESOURCES_SQL_MAX]; /* [0] is the one called "sql" */
    uint32_t sql_count;
    struct cache *cache;
    struct mail *mail;
    const char *data; /* the data folder; absolute */
    bool is_derived;  /* a world's: only mail is its own */
    bool is_trial;    /* see resources_try() */
};

/* Opens what config names for that many loops. loops = 0: the databases only, for work off the
 * loops (migrations). */
STOA_NODISCARD stoa_err resources_open(const struct config *config, uint32_t loops,
                                       struct diag *diag, struct resources **ret);
/* The databases only, and no file is made: an SQLite database that is not there yet is an empty one
 * in memory. For `stoa check`. */
STOA_NODISCARD stoa_err resources_try(const struct config *config, struct diag *diag,
                                      struct resources **ret);
/* What one world has: the rest of from, which must outlive it, with a mail of its own, whose sender
 * is config's, and with config's databases: those that are open with the same settings, and new
 * ones. Like all that follows on one thread. STOA_E_CONFIG, STOA_E_STORE with *diag. */
STOA_NODISCARD stoa_err resources_derive(const struct resources *from, const struct config *config,
                                         struct diag *diag, struct resources **ret);
void resources_close(struct resources *resources); /* NULL is fine */
/* Whether config's databases are those of resources, with the same settings. */
bool resources_are_same(const struct resources *resources, const struct config *config);
/* The world that had from itself has ended: its databases are used by derived ones only. Once. */
void resources_let_go(struct resources *from);
/* Calls each for the databases that no world uses. */
void resources_each_unused(const struct resources *from, void (*each)(void *data, struct sql *sql),
                           void *data);
/* By the name in resources = { … }; NULL when there is none. */
struct sql *resources_sql(const struct resources *resources, stoa_str name);

#endif
