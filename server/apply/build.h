/* apply/build.h: from a configuration to a world that serves nobody yet, and whether this process
 * can have it. SPDX-License-Identifier: Apache-2.0 */
#ifndef APPLY_BUILD_H
#define APPLY_BUILD_H

#include "base/trail.h"
#include "plugin/world.h"
#include <limits.h>

/* Theme, plugins and wiring. choice may be NULL. */
STOA_NODISCARD stoa_err build_world(const struct config *config, struct resources *resources,
                                    uint32_t loops, const struct world_choice *choice,
                                    struct diag *diag, struct world **ret);
/* STOA_E_CONFIG with *diag naming the first key that only a restart can change (listeners, limits,
 * resources, …). */
STOA_NODISCARD stoa_err build_check_fixed(const struct config *running, const struct config *wanted,
                                          struct diag *diag);
/* Whether a database lacks a migration of the host or of a plugin that runs here; *diag names the
 * first, and what to do. STOA_E_CONFIG or STOA_E_STORE with *diag when that cannot be told. */
STOA_NODISCARD stoa_err build_find_missing(const struct config *config,
                                           const struct resources *resources, struct diag *diag,
                                           bool *ret);
/* The databases lack nothing that the host or a plugin needs. Off the loops. */
STOA_NODISCARD stoa_err build_check_migrations(const struct config *config,
                                               struct resources *resources, struct diag *diag);
/* What it looks at. */
enum { BUILD_DIGEST_LEN = 65 };
struct build_seen {
    char owners[BUILD_DIGEST_LEN]; /* whose files, in which folder, for which databases */
    char files[BUILD_DIGEST_LEN];  /* what is in them */
    struct trail *trail;           /* of reading them */
};
/* Asks no database. False when a file cannot be read. The trail is the caller's, in both cases. */
bool build_see_migrations(const struct config *config, const struct resources *resources,
                          struct build_seen *ret);
/* The same owners and, by their stamps, the same files: none is read. */
bool build_has_seen_migrations(const struct config *config, const struct resources *resources,
                               const struct build_seen *seen);
/* Does a plugin that runs on this node keep its tables there? */
bool build_is_used(const struct config *config, const struct sql *sql);
/* Where <name>.so is looked for. */
void build_plugin_path(const struct config *config, char ret[PATH_MAX]);
/* The sql resource that the plugin's table names; NULL when there is none. */
struct sql *build_sql_of(const struct config *config, const struct resources *resources,
                         stoa_str plugin);

#endif
