/* plugin/resources.c: what config.lua names under resources = { … }, opened once.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/resources.h"

#include "base/hex.h"
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { NAME_THREADS = 2 }; /* that look up names of hosts; a question may take half a minute */

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
        [POOL_NAME] = NAME_THREADS,
    };
    const uint32_t queue = config_u32(config, "limits.pool_queue");
    const uint32_t queues[POOL_KINDS] = {queue, config_u32(config, "limits.pool_password_queue"),
                                         queue, queue, queue};

    return pool_create(threads, queues);
}

static bool is_kind(const struct stoa_json *resource, const char *kind)
{
    return stoa_str_is(stoa_json_str(resource, "kind"), kind);
}

/* ---- Databases: one handle for the same settings, whatever the number of worlds ---- */

struct opened {
    struct sql *sql;
    char key[65]; /* of its name and settings; they may hold a password */
    uint32_t users;
};
struct resources_opened {
    struct opened all[RESOURCES_OPENED_MAX];
    uint32_t count;
};

/* With its end, so that no two lists of texts are one. */
static void add_text(crypto_hash_sha256_state *state, const char *text)
{
    crypto_hash_sha256_update(state, (const unsigned char *)text, strlen(text) + 1);
}

/* What must be equal for two to be one, however long. A file is one whatever its name: two writers
 * of one process would wait for each other. */
static void make_key(const struct sql_options *o, char ret[65])
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    const uint32_t numbers[] = {o->connections, o->shared_timeout_ms, o->pool_timeout_ms};
    crypto_hash_sha256_state state;
    char real[PATH_MAX];

    crypto_hash_sha256_init(&state);
    add_text(&state, o->sqlite ? "sqlite" : "postgresql");
    add_text(&state, o->name);
    if (o->sqlite)
        add_text(&state, realpath(o->sqlite, real) ? real : o->sqlite);
    if (o->postgresql)
        add_text(&state, o->postgresql);
    if (o->postgresql)
        crypto_hash_sha256_update(&state, (const unsigned char *)numbers, sizeof numbers);
    crypto_hash_sha256_final(&state, digest);
    hex_encode(digest, sizeof digest, ret);
    ret[64] = '\0';
}

static struct opened *find_opened(struct resources_opened *all, const char *key)
{
    for (uint32_t i = 0; i < all->count; i++)
        if (strcmp(all->all[i].key, key) == 0)
            return &all->all[i];
    return NULL;
}

static stoa_err open_new(struct resources_opened *all, const struct sql_options *o,
                         struct diag *diag, struct opened **ret)
{
    struct opened *one = &all->all[all->count];

    if (all->count == RESOURCES_OPENED_MAX) {
        diag_set(diag, "resources", 0, 0, "this process has opened %d databases, old ones included",
                 RESOURCES_OPENED_MAX);
        diag_hint(diag, "restart to change more of them");
        return STOA_E_CONFIG;
    }
    STOA_TRY(sql_open(o, diag, &one->sql));
    make_key(o, one->key);
    all->count++;
    *ret = one;
    return STOA_OK;
}

static stoa_err take(struct resources *r, const struct sql_options *o, struct diag *diag)
{
    struct opened *one;
    char key[65];

    make_key(o, key);
    one = find_opened(r->opened, key);
    if (!one)
        STOA_TRY(open_new(r->opened, o, diag, &one));
    one->users++;
    r->sql[r->sql_count++] = one->sql;
    return STOA_OK;
}

static void let_go(struct resources *r)
{
    for (uint32_t i = 0; i < r->sql_count; i++)
        for (uint32_t k = 0; k < r->opened->count; k++)
            r->opened->all[k].users -= r->opened->all[k].sql == r->sql[i];
}

void resources_let_go(struct resources *from)
{
    let_go(from);
}

void resources_each_unused(const struct resources *from, void (*each)(void *data, struct sql *sql),
                           void *data)
{
    for (uint32_t i = 0; i < from->opened->count; i++)
        if (from->opened->all[i].users == 0)
            each(data, from->opened->all[i].sql);
}

static void fill_options(const struct resources *r, const struct config *config,
                         const struct stoa_json *resource, struct stoa_arena *arena,
                         struct sql_options *ret)
{
    stoa_str name = stoa_json_name(resource), file = stoa_json_str(resource, "file");
    char path[96];

    *ret = (struct sql_options){
        .name = stoa_cstr(arena, name),
        .loops = r->loops,
        .connections = config_u32(config, "sql.connections"),
        .shared_timeout_ms = config_u32(config, "sql.shared_timeout"),
        .pool_timeout_ms = config_u32(config, "sql.pool_timeout"),
        .pool = r->pool,
    };
    snprintf(path, sizeof path, "resources.%s.url", ret->name);
    if (!is_kind(resource, "sqlite"))
        ret->postgresql = stoa_cstr(arena, config_secret(config, path));
    else if (file.len && file.ptr[0] == '/')
        ret->sqlite = stoa_cstr(arena, file);
    else
        ret->sqlite = stoa_concat(arena, stoa_str_of(r->data), STOA_STR("/"), file).ptr;
    if (ret->sqlite && r->is_trial && access(ret->sqlite, F_OK) != 0)
        ret->sqlite = ":memory:";
}

static bool is_sql(const struct stoa_json *resource)
{
    return is_kind(resource, "sqlite") || is_kind(resource, "postgresql");
}

/* "sql", "users", …: every resource of kind sqlite or postgresql, "sql" first. */
static stoa_err open_all_sql(struct resources *r, const struct config *config, struct diag *diag)
{
    const struct stoa_json *all = stoa_json_get(config_json(config), "resources");
    struct stoa_arena *arena = stoa_arena_create();
    struct sql_options options;
    stoa_err err = STOA_OK;

    for (int pass = 0; pass < 2; pass++)
        for (const struct stoa_json *e = stoa_json_first(all); e && err == STOA_OK;
             e = stoa_json_next(e)) {
            bool is_main = stoa_str_is(stoa_json_name(e), "sql");
            if (!is_sql(e) || is_main != (pass == 0) || r->sql_count == RESOURCES_SQL_MAX)
                continue;
            fill_options(r, config, e, arena, &options);
            err = take(r, &options, diag);
        }
    stoa_arena_destroy(arena);
    return err;
}

/* Whether its world uses it. */
static bool has_key(const struct resources *r, const char *key)
{
    struct opened *one = find_opened(r->opened, key);

    for (uint32_t i = 0; one && i < r->sql_count; i++)
        if (r->sql[i] == one->sql)
            return true;
    return false;
}

bool resources_are_same(const struct resources *r, const struct config *config)
{
    const struct stoa_json *all = stoa_json_get(config_json(config), "resources");
    struct stoa_arena *arena = stoa_arena_create();
    struct sql_options options;
    bool same = true;
    char key[65];

    for (const struct stoa_json *e = stoa_json_first(all); e && same; e = stoa_json_next(e))
        if (is_sql(e)) {
            fill_options(r, config, e, arena, &options);
            make_key(&options, key);
            same = has_key(r, key);
        }
    stoa_arena_destroy(arena);
    return same;
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

static struct resources *create(const struct config *config, uint32_t loops)
{
    struct resources *r = calloc(1, sizeof *r);
    stoa_str data = config_str(config, "data");

    r->opened = calloc(1, sizeof *r->opened);
    r->loops = loops;
    r->data = strndup(data.ptr, data.len);
    r->pool = open_pool(config);
    return r;
}

stoa_err resources_try(const struct config *config, struct diag *diag, struct resources **ret)
{
    struct resources *r = create(config, 0);
    stoa_err err;

    r->is_trial = true;
    err = open_all_sql(r, config, diag);
    if (err == STOA_OK)
        *ret = r;
    else
        resources_close(r);
    return err;
}

stoa_err resources_open(const struct config *config, uint32_t loops, struct diag *diag,
                        struct resources **ret)
{
    struct resources *r = create(config, loops);
    stoa_err err;

    err = open_all_sql(r, config, diag);
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
    r->sql_count = 0;
    err = open_all_sql(r, config, diag);
    if (err == STOA_OK)
        err = open_mail(r, config, diag);
    if (err != STOA_OK) {
        resources_close(r);
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
        let_go(resources);
        if (resources->mail)
            mail_close(resources->mail);
        free(resources);
        return;
    }
    for (uint32_t i = 0; i < resources->opened->count; i++)
        sql_close(resources->opened->all[i].sql);
    free(resources->opened);
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
