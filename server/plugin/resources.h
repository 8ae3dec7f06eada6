/* plugin/resources.h: what the host keeps open for plugins, across worlds.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGIN_RESOURCES_H
#define PLUGIN_RESOURCES_H

#include "config/config.h"
#include "resource/cache/cache.h"
#include "resource/mail/mail.h"
#include "resource/pool/pool.h"
#include "resource/sql/sql.h"

enum { RESOURCES_SQL_MAX = 8 };

struct resources {
    struct pool *pool;
    struct sql *sql[RESOURCES_SQL_MAX]; /* [0] is the one called "sql" */
    uint32_t sql_count;
    struct cache *cache;
    struct mail *mail;
    const char *data; /* the data folder; absolute */
    bool is_derived;  /* only mail is its own */
};

/* Opens what config names for that many loops. loops = 0: the databases only, for work off the
 * loops (migrations). */
STOA_NODISCARD stoa_err resources_open(const struct config *config, uint32_t loops,
                                       struct diag *diag, struct resources **ret);
/* What one world has: the rest of from, which must outlive it, with a mail of its own, whose sender
 * is config's. */
STOA_NODISCARD stoa_err resources_derive(const struct resources *from, const struct config *config,
                                         struct diag *diag, struct resources **ret);
void resources_close(struct resources *resources); /* NULL is fine */
/* By the name in resources = { … }; NULL when there is none. */
struct sql *resources_sql(const struct resources *resources, stoa_str name);

#endif
