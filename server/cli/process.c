/* cli/process.c: log, loops, lists. SPDX-License-Identifier: Apache-2.0 */
#include "cli/process.h"

#include "base/log.h"
#include "plugin/world.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

stoa_err process_open_log(const struct config *config)
{
    struct stoa_arena *arena = stoa_arena_create();
    stoa_err err = log_configure(stoa_cstr(arena, config_str(config, "log.file")),
                                 stoa_cstr(arena, config_str(config, "log.format")),
                                 stoa_cstr(arena, config_str(config, "log.level")));

    stoa_arena_destroy(arena);
    return err;
}

uint32_t process_loops(const struct config *config)
{
    int64_t set = config_int(config, "loops");
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int64_t n = set > 0 ? set : cores;

    return n < 1 ? 1 : n > WORLD_LOOPS_MAX ? WORLD_LOOPS_MAX : (uint32_t)n;
}

/* A list of strings; *count of them. */
static const char **list(struct stoa_arena *arena, const struct stoa_json *json, uint32_t *count)
{
    const char **ret = stoa_new_array(arena, const char *, stoa_json_count(json) + 1);

    *count = 0;
    for (const struct stoa_json *e = stoa_json_first(json); e; e = stoa_json_next(e))
        ret[(*count)++] = stoa_cstr(arena, stoa_json_str(e, ""));
    return ret;
}

/* The check of the configuration has counted certificates and keys. */
static struct http_listen listen_of(struct stoa_arena *arena, const struct stoa_json *json)
{
    struct http_listen ret = {.address = stoa_cstr(arena, stoa_json_str(json, ""))};
    const char **certificates, **keys;
    uint32_t count, key_count;

    if (stoa_json_type(json) != STOA_JSON_OBJECT)
        return ret;
    certificates = list(arena, stoa_json_get(json, "certificate"), &count);
    keys = list(arena, stoa_json_get(json, "key"), &key_count);
    ret.address = stoa_cstr(arena, stoa_json_str(json, "address"));
    stoa_assert(count == key_count && count > 0 && count <= HTTP_CERTIFICATES_MAX);
    ret.certificate_count = count;
    for (uint32_t i = 0; i < count; i++) {
        ret.certificates[i] = certificates[i];
        ret.keys[i] = keys[i];
    }
    return ret;
}

struct http_wanted process_wanted(struct stoa_arena *arena, const struct config *config)
{
    const struct stoa_json *json = config_json(config), *node = stoa_json_get(json, "node.listen");
    struct http_listen *all = stoa_new_array(arena, struct http_listen, stoa_json_count(node) + 1);
    struct http_wanted wanted = {.listen = all};

    for (const struct stoa_json *e = stoa_json_first(node); e; e = stoa_json_next(e))
        all[wanted.listen_count++] = listen_of(arena, e);
    wanted.trusted_proxies =
        list(arena, stoa_json_get(json, "trusted_proxies"), &wanted.trusted_proxy_count);
    return wanted;
}

stoa_err process_at_listen(const struct config *config, struct diag *diag)
{
    struct diag why = *diag;
    char path[128];
    stoa_str name = config_str(config, "node.name");

    if (strcmp(why.file, "trusted_proxies") == 0)
        snprintf(path, sizeof path, "trusted_proxies");
    else
        snprintf(path, sizeof path, "nodes.%.*s.listen%s%.64s", (int)name.len, name.ptr,
                 why.file[0] ? "." : "", why.file);
    config_problem(config, path, diag, "%s", why.message);
    diag_hint(diag, "%s", why.hint);
    return STOA_E_CONFIG;
}
