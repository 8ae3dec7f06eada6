/* apply/migrations.c: whether the databases have what a configuration needs, without asking them
 * about files that they were found to have. SPDX-License-Identifier: Apache-2.0 */
#include "apply/internal.h"

static stoa_err ask_databases(const struct config *config, struct diag *diag)
{
    struct resources *databases = NULL;
    stoa_err err;

    STOA_TRY(resources_open(config, 0, diag, &databases));
    err = build_check_migrations(config, databases, diag);
    resources_close(databases);
    return err;
}

static bool are_same_files(const struct build_seen *a, const struct build_seen *b)
{
    return strcmp(a->owners, b->owners) == 0 && strcmp(a->files, b->files) == 0;
}

static bool are_there_still(const struct config *config, const struct resources *resources,
                            const struct build_seen *before)
{
    struct build_seen now;
    bool are_same = build_see_migrations(config, resources, &now) && are_same_files(before, &now);

    trail_destroy(now.trail);
    return are_same;
}

/* Takes what was seen. */
static void remember(struct build_seen *known, struct build_seen *seen)
{
    trail_destroy(known->trail);
    *known = *seen;
    seen->trail = NULL;
}

/* By their bytes. */
static stoa_err read_and_ask(const struct config *config, const struct resources *resources,
                             struct build_seen *known, struct diag *diag)
{
    struct build_seen now;
    bool can_tell = build_see_migrations(config, resources, &now);
    bool is_known = can_tell && are_same_files(&now, known);
    stoa_err err = is_known ? STOA_OK : ask_databases(config, diag);

    if (err == STOA_OK && can_tell && (is_known || are_there_still(config, resources, &now)))
        remember(known, &now);
    trail_destroy(now.trail);
    return err;
}

stoa_err migrations_check(struct apply *apply, const struct config *config, bool *missing,
                          struct diag *diag)
{
    const struct resources *resources = apply_in_force(apply)->resources;
    stoa_err err;

    if (!resources_are_same(resources, config))
        err = ask_databases(config, diag);
    else if (build_has_seen_migrations(config, resources, &apply->migrations))
        err = STOA_OK;
    else
        err = read_and_ask(config, resources, &apply->migrations, diag);
    if (err == STOA_OK || !missing)
        return err;
    *missing = true;
    return STOA_OK;
}
