/* config/secrets.c: from a handle to its value, and how everything is printed without it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/config_private.h"
#include "config/evaluate.h"

#include <libgen.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define SECRET_MAX (16 * 1024)
#define PATH_LEN 512

stoa_str config_secret_name(const struct stoa_json *json)
{
    if (stoa_json_type(json) != STOA_JSON_OBJECT || stoa_json_count(json) != 1)
        return (stoa_str){NULL, 0};
    return stoa_json_str(stoa_json_member(json, STOA_STR("secret")), "");
}

static const struct config_secret_value *find(const struct config *config, stoa_str name)
{
    for (uint32_t i = 0; i < config->secret_count; i++)
        if (stoa_str_eq(config->secrets[i].name, name))
            return &config->secrets[i];
    return NULL;
}

/* "stripe_key" → the value of STOA_SECRET_STRIPE_KEY. */
static const char *from_environment(struct stoa_arena *arena, stoa_str name)
{
    char *variable = stoa_cstr(arena, stoa_concat(arena, STOA_STR("STOA_SECRET_"), name));

    for (char *c = variable; *c; c++)
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
    return getenv(variable);
}

static stoa_err from_file(struct config *c, stoa_str name, stoa_str *ret)
{
    const char *folder = dirname(stoa_cstr(c->arena, stoa_str_of(c->file)));
    stoa_str path = stoa_concat(c->arena, stoa_str_of(folder), STOA_STR("/secrets/"), name);

    STOA_TRY(evaluate_read(c->arena, path.ptr, SECRET_MAX, ret));
    while (ret->len > 0 && (ret->ptr[ret->len - 1] == '\n' || ret->ptr[ret->len - 1] == '\r'))
        ret->len--;
    return STOA_OK;
}

static stoa_err read_one(struct config *c, stoa_str name, const char *path, struct diag *diag)
{
    const char *variable = from_environment(c->arena, name);
    stoa_str value = stoa_str_copy(c->arena, stoa_str_of(variable));

    if (find(c, name))
        return STOA_OK;
    if (c->secret_count == CONFIG_SECRETS_MAX) {
        config_problem(c, path, diag, "there are more than %d secrets", CONFIG_SECRETS_MAX);
        return STOA_E_CONFIG;
    }
    if (value.len == 0 && (from_file(c, name, &value) != STOA_OK || value.len == 0)) {
        config_problem(c, path, diag, "the secret '%.*s' is nowhere", (int)name.len, name.ptr);
        diag_hint(
            diag,
            "set STOA_SECRET_… in the environment, or write it to secrets/%.*s beside the file",
            (int)name.len, name.ptr);
        return STOA_E_CONFIG;
    }
    c->secrets[c->secret_count++] = (struct config_secret_value){name, value};
    return STOA_OK;
}

static stoa_err read_below(struct config *c, const struct stoa_json *json, const char *path,
                           struct diag *diag)
{
    stoa_str name = config_secret_name(json);

    if (name.len > 0)
        return read_one(c, name, path, diag);
    uint32_t index = 0;
    for (const struct stoa_json *e = stoa_json_first(json); e; e = stoa_json_next(e), index++) {
        char deeper[PATH_LEN], number[16];
        stoa_str part = stoa_json_name(e);

        snprintf(number, sizeof(number), "%u", index);
        if (stoa_json_type(json) == STOA_JSON_ARRAY)
            part = stoa_str_of(number);
        snprintf(deeper, sizeof(deeper), "%s%s%.*s", path, *path ? "." : "", (int)part.len,
                 part.ptr);
        STOA_TRY(read_below(c, e, deeper, diag));
    }
    return STOA_OK;
}

stoa_err config_secrets_read(struct config *config, struct diag *diag)
{
    config->secrets = stoa_new_array(config->arena, struct config_secret_value, CONFIG_SECRETS_MAX);
    return read_below(config, config->json, "", diag);
}

void config_secrets_wipe(struct config *config)
{
    for (uint32_t i = 0; i < config->secret_count; i++)
        sodium_memzero((char *)config->secrets[i].value.ptr, config->secrets[i].value.len);
}

bool config_secrets_are_same(const struct config *config, struct stoa_arena *arena)
{
    struct config now = {.arena = arena, .file = config->file, .scan = config->scan};
    struct diag ignored;
    bool are_same = true;

    now.secrets = stoa_new_array(arena, struct config_secret_value, CONFIG_SECRETS_MAX);
    for (uint32_t i = 0; are_same && i < config->secret_count; i++)
        are_same = read_one(&now, config->secrets[i].name, "", &ignored) == STOA_OK &&
                   stoa_str_eq(now.secrets[i].value, config->secrets[i].value);
    config_secrets_wipe(&now);
    return are_same;
}

stoa_str config_secret(const struct config *config, const char *path)
{
    const struct stoa_json *json = stoa_json_get(config->json, path);
    const struct config_secret_value *secret = find(config, config_secret_name(json));

    return secret ? secret->value : stoa_json_str(json, "");
}

/* json: what both say in the same words. */
static bool has_same_secrets(const struct config *a, const struct config *b,
                             const struct stoa_json *json)
{
    stoa_str name = config_secret_name(json);

    if (name.len > 0) {
        const struct config_secret_value *one = find(a, name), *other = find(b, name);
        return one && other && stoa_str_eq(one->value, other->value);
    }
    for (const struct stoa_json *e = stoa_json_first(json); e; e = stoa_json_next(e))
        if (!has_same_secrets(a, b, e))
            return false;
    return true;
}

bool config_is_same(const struct config *a, const struct config *b, const char *path)
{
    const struct stoa_json *one = stoa_json_get(a->json, path),
                           *other = stoa_json_get(b->json, path);
    struct stoa_arena *arena;
    struct stoa_buf left, right;
    bool ret;

    if (a == b || !one || !other)
        return a == b || one == other;
    arena = stoa_arena_create();
    stoa_buf_init(&left, arena, 256);
    stoa_buf_init(&right, arena, 256);
    stoa_json_format(one, &left);
    stoa_json_format(other, &right);
    ret = stoa_str_eq(stoa_buf_str(&left), stoa_buf_str(&right)) && has_same_secrets(a, b, one);
    stoa_arena_destroy(arena);
    return ret;
}

static bool is_secret_path(const struct config *config, const char *path)
{
    for (const struct stoa_json *e = stoa_json_first(config->secret_paths); e;
         e = stoa_json_next(e))
        if (stoa_str_is(stoa_json_str(e, ""), path))
            return true;
    return false;
}

struct printer {
    const struct config *config;
    struct stoa_arena *arena;
    struct stoa_buf *out;
};

static void put_indent(struct stoa_buf *out, uint32_t depth)
{
    stoa_buf_char(out, '\n');
    for (uint32_t i = 0; i < depth; i++)
        stoa_buf_put(out, STOA_STR("  "));
}

static void put_string(struct printer *p, const char *path, stoa_str text)
{
    stoa_str masked = config_mask(p->arena, text, is_secret_path(p->config, path));

    stoa_json_format(stoa_json_new_str(p->arena, masked), p->out);
}

static void put_node(struct printer *p, const struct stoa_json *json, const char *path,
                     uint32_t depth);

static void put_members(struct printer *p, const struct stoa_json *json, const char *path,
                        uint32_t depth)
{
    bool is_object = stoa_json_type(json) == STOA_JSON_OBJECT, first = true;

    for (const struct stoa_json *e = stoa_json_first(json); e; e = stoa_json_next(e)) {
        stoa_str name = is_object ? stoa_json_name(e) : STOA_STR("0");
        char deeper[PATH_LEN];

        if (!first)
            stoa_buf_char(p->out, ',');
        first = false;
        put_indent(p->out, depth + 1);
        if (is_object) {
            stoa_json_format(stoa_json_new_str(p->arena, name), p->out);
            stoa_buf_put(p->out, STOA_STR(": "));
        }
        snprintf(deeper, sizeof(deeper), "%s%s%.*s", path, *path ? "." : "", (int)name.len,
                 name.ptr);
        put_node(p, e, deeper, depth + 1);
    }
}

static void put_node(struct printer *p, const struct stoa_json *json, const char *path,
                     uint32_t depth)
{
    bool is_array = stoa_json_type(json) == STOA_JSON_ARRAY;

    if (config_secret_name(json).len > 0) {
        stoa_buf_put(p->out, STOA_STR("\"***\""));
    } else if (stoa_json_type(json) == STOA_JSON_STRING) {
        put_string(p, path, stoa_json_str(json, ""));
    } else if (stoa_json_count(json) == 0) {
        stoa_json_format(json, p->out);
    } else {
        stoa_buf_char(p->out, is_array ? '[' : '{');
        put_members(p, json, path, depth);
        put_indent(p->out, depth);
        stoa_buf_char(p->out, is_array ? ']' : '}');
    }
}

void config_print(const struct config *config, struct stoa_buf *out)
{
    struct printer p = {config, stoa_arena_create(), out};

    put_node(&p, config->json, "", 0);
    stoa_buf_char(out, '\n');
    stoa_arena_destroy(p.arena);
}
