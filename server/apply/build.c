/* apply/build.c: nothing here touches what serves. SPDX-License-Identifier: Apache-2.0 */
#include "apply/build.h"

#include "base/hex.h"
#include "call/wiring.h"
#include "config/schema.h"
#include "plugin/trust.h"
#include "port/port.h"
#include <limits.h>
#include <sodium.h>
#include <stdio.h>

/* Next to the binary, where the build and the package put them, unless the file says otherwise. */
void build_plugin_path(const struct config *config, char ret[PATH_MAX])
{
    stoa_str set = config_str(config, "plugin_path");

    if (set.len > 0)
        snprintf(ret, PATH_MAX, "%.*s", (int)set.len, set.ptr);
    else
        trust_shipped_folder(ret);
}

/* cap: what a world is made of */
stoa_err build_world(const struct config *config, struct resources *resources, uint32_t loops,
                     const struct world_choice *choice, struct diag *diag, struct world **ret)
{
    char plugin_path[PATH_MAX];
    const struct world_options options = {
        .config = config,
        .resources = resources,
        .plugin_path = plugin_path,
        .port = port_find(config_str(config, "port")),
        .sandbox = &port_sandbox,
        .loops = loops,
        .choice = choice ? *choice : (struct world_choice){0},
    };
    struct world *world = NULL;
    stoa_err err;

    build_plugin_path(config, plugin_path);
    STOA_TRY(world_create(&options, diag, &world));
    err = wiring_build(world, diag);
    if (err != STOA_OK) {
        world_destroy(world);
        return err;
    }
    *ret = world;
    return STOA_OK;
}

static stoa_err refuse_change(const struct config *wanted, const char *path, struct diag *diag)
{
    config_problem(wanted, path, diag, "%s cannot change while the shop runs", path);
    diag_hint(diag, "restart to change it; `stoa apply` does the rest without");
    return STOA_E_CONFIG;
}

static bool has(const struct config *config, const char *path)
{
    return stoa_json_get(config_json(config), path) != NULL;
}

/* All but databases and the size of a cache that stays. The value behind a secret counts. */
static stoa_err check_resources(const struct config *running, const struct config *wanted,
                                struct diag *diag)
{
    const struct stoa_json *lists[] = {stoa_json_get(config_json(running), "resources"),
                                       stoa_json_get(config_json(wanted), "resources")};
    char path[96], kind[104];

    for (int pass = 0; pass < 2; pass++)
        for (const struct stoa_json *e = stoa_json_first(lists[pass]); e; e = stoa_json_next(e)) {
            stoa_str name = stoa_json_name(e);
            bool is_cache = stoa_str_is(name, "cache");
            snprintf(path, sizeof path, "resources.%.*s", (int)name.len, name.ptr);
            snprintf(kind, sizeof kind, "%s.kind", path);
            is_cache = is_cache && has(running, path) && has(wanted, path);
            if (strcmp(config_use_of(name), "sql") != 0 &&
                !config_is_same(running, wanted, is_cache ? kind : path))
                return refuse_change(wanted, path, diag);
        }
    return STOA_OK;
}

stoa_err build_check_fixed(const struct config *running, const struct config *wanted,
                           struct diag *diag)
{
    /* What the process was built from. */
    static const char *const fixed[] = {"data",
                                        "node.name",
                                        "loops",
                                        "trace",
                                        "limits.pool_sql_threads",
                                        "limits.pool_password_threads",
                                        "limits.pool_file_threads",
                                        "limits.pool_plugin_threads",
                                        "limits.pool_queue",
                                        "limits.pool_password_queue",
                                        "limits.event_backoff"};
    stoa_err err = check_resources(running, wanted, diag);

    for (uint32_t i = 0; err == STOA_OK && i < sizeof fixed / sizeof *fixed; i++)
        if (!config_is_same(running, wanted, fixed[i]))
            err = refuse_change(wanted, fixed[i], diag);
    return err;
}

struct sql *build_sql_of(const struct config *config, const struct resources *resources,
                         stoa_str plugin)
{
    char path[64];
    stoa_str name;

    snprintf(path, sizeof path, "plugins.%.*s.sql", (int)plugin.len, plugin.ptr);
    name = config_str(config, path);
    return resources_sql(resources, name.len ? name : STOA_STR("sql"));
}

bool build_is_used(const struct config *config, const struct sql *sql)
{
    const struct stoa_json *plugins = stoa_json_get(config_json(config), "plugins");

    for (const struct stoa_json *p = stoa_json_first(plugins); p; p = stoa_json_next(p))
        if (stoa_str_is(stoa_json_str(p, "sql"), sql_name(sql)) &&
            world_runs_here(config, stoa_json_name(p)))
            return true;
    return stoa_json_count(plugins) == 0;
}

/* ---- Migrations ---- */

/* Whose migrations a database must have: the host's, and those of each plugin that runs here. */
struct owners {
    const struct config *config;
    const struct resources *resources;
    stoa_err (*each)(struct owners *o, struct sql *sql, const char *owner);
    char folder[PATH_MAX];
    struct diag *diag;
    bool pending;
    struct trail *trail;
    crypto_generichash_state owners, files;
};

static stoa_err each_owner(struct owners *o)
{
    const struct stoa_json *plugins = stoa_json_get(config_json(o->config), "plugins");
    stoa_str folder = config_str(o->config, "migration_path");
    char owner[32];

    snprintf(o->folder, sizeof o->folder, "%.*s", (int)folder.len, folder.ptr);
    for (uint32_t i = 0; i < o->resources->sql_count; i++)
        if (build_is_used(o->config, o->resources->sql[i]))
            STOA_TRY(o->each(o, o->resources->sql[i], "host"));
    for (const struct stoa_json *p = stoa_json_first(plugins); p; p = stoa_json_next(p)) {
        struct sql *sql = build_sql_of(o->config, o->resources, stoa_json_name(p));
        snprintf(owner, sizeof owner, "%.*s", (int)stoa_json_name(p).len, stoa_json_name(p).ptr);
        if (sql && world_runs_here(o->config, stoa_json_name(p)))
            STOA_TRY(o->each(o, sql, owner));
    }
    return STOA_OK;
}

/* *diag keeps the first that is missing. */
static stoa_err ask_pending(struct owners *o, struct sql *sql, const char *owner)
{
    return o->pending ? STOA_OK
                      : sql_migrations_pending(sql, o->folder, owner, o->diag, &o->pending);
}

stoa_err build_find_missing(const struct config *config, const struct resources *resources,
                            struct diag *diag, bool *ret)
{
    struct owners o = {.config = config, .resources = resources, .each = ask_pending, .diag = diag};

    STOA_TRY(each_owner(&o));
    if (o.pending)
        diag_hint(diag, "run `stoa migrate` with the same options first");
    *ret = o.pending;
    return STOA_OK;
}

stoa_err build_check_migrations(const struct config *config, struct resources *resources,
                                struct diag *diag)
{
    bool missing = false;

    STOA_TRY(build_find_missing(config, resources, diag, &missing));
    return missing ? STOA_E_CONFIG : STOA_OK;
}

enum { DIGEST_BYTES = (BUILD_DIGEST_LEN - 1) / 2 };

static stoa_err add_owner(struct owners *o, struct sql *sql, const char *owner)
{
    const char *const words[] = {sql_name(sql), owner, o->folder};

    for (uint32_t i = 0; i < sizeof words / sizeof *words; i++)
        crypto_generichash_update(&o->owners, (const unsigned char *)words[i],
                                  strlen(words[i]) + 1);
    return STOA_OK;
}

static stoa_err add_files(struct owners *o, struct sql *sql, const char *owner)
{
    struct sql_migrations_seen seen = {.trail = o->trail};

    STOA_TRY(sql_migrations_digest(sql, o->folder, owner, o->diag, &seen));
    crypto_generichash_update(&o->files, (const unsigned char *)seen.sha256, sizeof seen.sha256);
    return add_owner(o, sql, owner);
}

static void end_digest(crypto_generichash_state *state, char ret[BUILD_DIGEST_LEN])
{
    unsigned char digest[DIGEST_BYTES];

    crypto_generichash_final(state, digest, sizeof digest);
    hex_encode(digest, sizeof digest, ret);
    ret[BUILD_DIGEST_LEN - 1] = '\0';
}

static bool see(struct owners *o, struct build_seen *ret)
{
    struct diag ignored;

    o->diag = &ignored;
    crypto_generichash_init(&o->owners, NULL, 0, DIGEST_BYTES);
    crypto_generichash_init(&o->files, NULL, 0, DIGEST_BYTES);
    if (each_owner(o) != STOA_OK)
        return false;
    end_digest(&o->owners, ret->owners);
    end_digest(&o->files, ret->files);
    return true;
}

bool build_see_migrations(const struct config *config, const struct resources *resources,
                          struct build_seen *ret)
{
    struct owners o = {.config = config, .resources = resources, .each = add_files};

    ret->trail = o.trail = trail_create();
    return see(&o, ret);
}

bool build_has_seen_migrations(const struct config *config, const struct resources *resources,
                               const struct build_seen *seen)
{
    struct owners o = {.config = config, .resources = resources, .each = add_owner};
    struct build_seen now;

    return see(&o, &now) && strcmp(now.owners, seen->owners) == 0 && trail_is_same(seen->trail);
}
