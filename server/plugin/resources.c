/* plugin/resources.c: what config.lua names under resources = { … }, opened once.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/resources.h"

#include <stdio.h>
#include <stdlib.h>

static uint32_t config_u32(const struct config *config, const char *path)
{
    return (uint32_t)config_int(config, path);
}

static struct pool *open_pool(const struct config *config)
{
    const uint32_t threads[POOL_KINDS] = {
        [POOL_SQL_READ] = config_u32(config, "limits.pool_sql_threads"),
        [POOL_PASSWORD] = config_u32(config, "limits.pool_password_threads"),
        [POOL_FILE] = config_u32(config, "limits.pool_file_threads"),
        [POOL_PLUGIN] = config_u32(config, "limits.pool_plugin_threads"),
    };
    const uint32_t queue = config_u32(config, "limits.pool_queue");
    const uint32_t queues[POOL_KINDS] = {queue, config_u32(config, "limits.pool_password_queue"),
                                         queue, queue};

    return pool_create(threads, queues);
}

static bool is_kind(const struct stoa_json *resource, const char *kind)
{
    return stoa_str_is(stoa_json_str(resource, "kind"), kind);
}

/* "sql", "users", …: every resource of kind sqlite or postgresql, "sql" first. */
static stoa_err open_sql(struct resources *r, const struct config *config, uint32_t loops,
                         const struct stoa_json *resource, struct diag *diag)
{
    char file[4096] = "", name[64], url_path[96];
    struct stoa_arena *arena = stoa_arena_create();
    stoa_str key = stoa_json_name(resource), named = stoa_json_str(resource, "file");
    struct sql_options o = {
        .name = name,
        .loops = loops,
        .connections = config_u32(config, "sql.connections"),
        .shared_timeout_ms = config_u32(config, "sql.shared_timeout"),
        .pool_timeout_ms = config_u32(config, "sql.pool_timeout"),
        .pool = r->pool,
    };
    stoa_err err;

    snprintf(name, sizeof name, "%.*s", (int)key.len, key.ptr);
    if (is_kind(resource, "sqlite")) {
        const char *slash = named.len && named.ptr[0] == '/' ? "" : "/";
        snprintf(file, sizeof file, "%s%s%.*s", *slash ? r->data : "", slash, (int)named.len,
                 named.ptr);
        o.sqlite = file;
    } else {
        snprintf(url_path, sizeof url_path, "resources.%s.url", name);
        o.postgresql = stoa_cstr(arena, config_secret(config, url_path));
    }
    err = sql_open(&o, diag, &r->sql[r->sql_count]);
    r->sql_count += err == STOA_OK;
    stoa_arena_destroy(arena);
    return err;
}

static stoa_err open_all_sql(struct resources *r, const struct config *config, uint32_t loops,
                             struct diag *diag)
{
    const struct stoa_json *all = stoa_json_get(config_json(config), "resources");

    for (int pass = 0; pass < 2; pass++)
        for (const struct stoa_json *e = stoa_json_first(all); e; e = stoa_json_next(e)) {
            bool is_sql = is_kind(e, "sqlite") || is_kind(e, "postgresql");
            bool is_main = stoa_str_is(stoa_json_name(e), "sql");
            if (is_sql && is_main == (pass == 0) && r->sql_count < RESOURCES_SQL_MAX)
                STOA_TRY(open_sql(r, config, loops, e, diag));
        }
    return STOA_OK;
}

static stoa_err open_mail(struct resources *r, const struct config *config, struct diag *diag)
{
    char folder[4096], from[400];
    stoa_str name = config_str(config, "shop.name"), address = config_str(config, "shop.email");
    stoa_err err;

    snprintf(folder, sizeof folder, "%s/mail", r->data);
    snprintf(from, sizeof from, "%.*s <%.*s>", (int)name.len, name.ptr, (int)address.len,
             address.ptr);
    err = mail_open_files(folder, from, r->pool, &r->mail);
    if (err != STOA_OK)
        diag_set(diag, folder, 0, 0, "the mail folder cannot be used");
    return err;
}

stoa_err resources_open(const struct config *config, uint32_t loops, struct diag *diag,
                        struct resources **ret)
{
    struct resources *r = calloc(1, sizeof *r);
    stoa_str data = config_str(config, "data");
    stoa_err err;

    r->data = strndup(data.ptr, data.len);
    r->pool = open_pool(config);
    err = open_all_sql(r, config, loops, diag);
    if (err == STOA_OK && loops > 0)
        err = open_mail(r, config, diag);
    if (err != STOA_OK) {
        resources_close(r);
        return err;
    }
    if (loops > 0)
        r->cache = cache_create(loops, (uint64_t)config_int(config, "resources.cache.max"));
    *ret = r;
    return STOA_OK;
}

stoa_err resources_derive(const struct resources *from, const struct config *config,
                          struct diag *diag, struct resources **ret)
{
    struct resources *r = calloc(1, sizeof *r);
    stoa_err err;

    *r = *from;
    r->is_derived = true;
    r->mail = NULL;
    err = open_mail(r, config, diag);
    if (err != STOA_OK) {
        free(r);
        return err;
    }
    *ret = r;
    return STOA_OK;
}

void resources_close(struct resources *resources)
{
    if (!resources)
        return;
    if (resources->is_derived) {
        mail_close(resources->mail);
        free(resources);
        return;
    }
    for (uint32_t i = 0; i < resources->sql_count; i++)
        sql_close(resources->sql[i]);
    if (resources->mail)
        mail_close(resources->mail);
    if (resources->cache)
        cache_destroy(resources->cache);
    pool_destroy(resources->pool);
    free((char *)resources->data);
    free(resources);
}

struct sql *resources_sql(const struct resources *resources, stoa_str name)
{
    for (uint32_t i = 0; i < resources->sql_count; i++)
        if (stoa_str_is(name, sql_name(resources->sql[i])))
            return resources->sql[i];
    return NULL;
}
