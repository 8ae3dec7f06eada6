/* plugin/settings.c: the schema made sure of types; readers only look up.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/settings.h"

#include "config/config.h"
#include "plugin/generation.h"
#include <stdio.h>

struct setting_value {
    const char *name;
    uint32_t type; /* stoa_setting_type */
    stoa_value value;
};

struct stoa_settings {
    struct stoa_arena *arena;
    uint32_t count;
    struct setting_value values[SETTINGS_MAX];
};

static const struct setting_value *find(const struct stoa_settings *set, const char *name,
                                        uint32_t type)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (strcmp(set->values[i].name, name) == 0) {
            stoa_assert(set->values[i].type == type);
            return &set->values[i];
        }
    stoa_assert(!"a setting that the plugin's schema does not have");
    return NULL;
}

stoa_str stoa_setting_str(const struct stoa_settings *set, const char *name)
{
    return find(set, name, STOA_SET_STRING)->value.s;
}

int64_t stoa_setting_int(const struct stoa_settings *set, const char *name)
{
    return find(set, name, STOA_SET_INT)->value.i;
}

bool stoa_setting_bool(const struct stoa_settings *set, const char *name)
{
    return find(set, name, STOA_SET_BOOL)->value.i != 0;
}

stoa_money stoa_setting_money(const struct stoa_settings *set, const char *name)
{
    return find(set, name, STOA_SET_MONEY)->value.m;
}

const struct stoa_json *stoa_setting_json(const struct stoa_settings *set, const char *name)
{
    return find(set, name, STOA_SET_TABLE)->value.j;
}

/* The table was checked: what is there has the right type. */
static stoa_value value_given(struct stoa_arena *arena, const struct stoa_json *json, uint32_t type)
{
    stoa_money money = stoa_money_of(0, "EUR");

    switch (type) {
    case STOA_SET_STRING:
        return stoa_s(stoa_str_copy(arena, stoa_json_str(json, "")));
    case STOA_SET_INT:
        return stoa_i(stoa_json_int(json, "", 0));
    case STOA_SET_BOOL:
        return stoa_b(stoa_json_true(json, ""));
    case STOA_SET_MONEY:
        if (stoa_json_money(json, "", &money) != STOA_OK &&
            stoa_money_parse(stoa_json_str(json, ""), &money) != STOA_OK)
            stoa_assert(!"the schema let a price through that is none");
        return stoa_m(money);
    default:
        return stoa_j(stoa_json_copy(arena, json));
    }
}

/* Only the plugin's author can make a default that does not parse. */
static stoa_err value_default(struct stoa_arena *arena, const struct stoa_setting *s,
                              stoa_value *ret)
{
    stoa_str text = stoa_str_of(s->otherwise);

    switch (s->type) {
    case STOA_SET_STRING:
        *ret = stoa_s(stoa_str_copy(arena, text));
        return STOA_OK;
    case STOA_SET_INT:
        *ret = stoa_i(0);
        return text.len == 0 ? STOA_OK : stoa_str_int(text, INT64_MIN, INT64_MAX, &ret->i);
    case STOA_SET_BOOL:
        *ret = stoa_b(stoa_str_is(text, "true"));
        return STOA_OK;
    case STOA_SET_MONEY:
        *ret = stoa_m(stoa_money_of(0, "EUR"));
        return text.len == 0 ? STOA_OK : stoa_money_parse(text, &ret->m);
    default:
        *ret = stoa_j(NULL);
        return text.len == 0 ? STOA_OK : stoa_json_parse(arena, text, NULL, &ret->j);
    }
}

static stoa_err read_value(struct stoa_settings *set, const struct stoa_json *table,
                           const struct stoa_setting *s, struct diag *diag)
{
    struct setting_value *v = &set->values[set->count++];
    const struct stoa_json *given = stoa_json_member(table, stoa_str_of(s->name));

    v->name = stoa_cstr(set->arena, stoa_str_of(s->name));
    v->type = s->type;
    if (given && stoa_json_type(given) != STOA_JSON_NULL) {
        v->value = value_given(set->arena, given, s->type);
        return STOA_OK;
    }
    if (value_default(set->arena, s, &v->value) == STOA_OK)
        return STOA_OK;
    diag_set(diag, s->name, 0, 0, "the default of the setting '%s' is no value of its type",
             s->name);
    diag_hint(diag, "this is the plugin author's mistake; correct it in STOA_SETTINGS");
    return STOA_E_PLUGIN;
}

static stoa_err read_entries(const struct stoa_span *schema, const char *path, struct diag *diag,
                             struct stoa_setting entries[SETTINGS_MAX])
{
    if (schema->count > SETTINGS_MAX) {
        diag_set(diag, path, 0, 0, "the plugin declares %u settings; %d are possible",
                 schema->count, SETTINGS_MAX);
        return STOA_E_PLUGIN;
    }
    for (uint32_t i = 0; i < schema->count; i++)
        span_read(schema, i, &entries[i], sizeof entries[i]);
    return STOA_OK;
}

stoa_err settings_read(const struct stoa_json *table, const struct stoa_span *schema,
                       struct diag *diag, struct stoa_settings **ret)
{
    struct stoa_setting entries[SETTINGS_MAX];
    struct stoa_arena *arena;
    struct stoa_settings *set;
    stoa_err err = STOA_OK;

    STOA_TRY(read_entries(schema, "settings", diag, entries));
    arena = stoa_arena_create();
    set = stoa_new(arena, struct stoa_settings);
    set->arena = arena;
    for (uint32_t i = 0; err == STOA_OK && i < schema->count; i++)
        err = read_value(set, table, &entries[i], diag);
    if (err == STOA_OK)
        *ret = set;
    else
        settings_destroy(set);
    return err;
}

static bool is_string(const struct stoa_span *schema, stoa_str name)
{
    for (uint32_t i = 0; schema && i < schema->count; i++) {
        struct stoa_setting entry;
        span_read(schema, i, &entry, sizeof entry);
        if (stoa_str_is(name, entry.name))
            return entry.type == STOA_SET_STRING;
    }
    return !schema;
}

const struct stoa_json *settings_table(const struct config *config, const char *path,
                                       const struct stoa_span *schema, struct stoa_arena *arena)
{
    const struct stoa_json *given = stoa_json_get(config_json(config), path);
    struct stoa_json *all = stoa_json_object(arena);
    char below[128];

    for (const struct stoa_json *e = stoa_json_first(given); e; e = stoa_json_next(e)) {
        const char *name = stoa_cstr(arena, stoa_json_name(e));
        stoa_str secret = {0};
        snprintf(below, sizeof below, "%s.%s", path, name);
        if (stoa_json_type(e) == STOA_JSON_OBJECT && is_string(schema, stoa_json_name(e)))
            secret = config_secret(config, below);
        if (secret.len > 0)
            stoa_json_set_str(all, name, secret);
        else
            stoa_json_set(all, name, stoa_json_copy(arena, e));
    }
    return all;
}

stoa_err settings_create(const struct config *config, const char *path,
                         const struct stoa_span *schema, struct diag *diag,
                         struct stoa_settings **ret)
{
    struct stoa_setting entries[SETTINGS_MAX];
    struct stoa_arena *arena;
    stoa_err err;

    STOA_TRY(read_entries(schema, path, diag, entries));
    STOA_TRY(config_check_table(config, path, entries, schema->count, diag));
    arena = stoa_arena_create();
    err = settings_read(settings_table(config, path, schema, arena), schema, diag, ret);
    stoa_arena_destroy(arena);
    return err;
}

void settings_destroy(struct stoa_settings *settings)
{
    if (!settings)
        return;
    for (uint32_t i = 0; i < settings->count; i++)
        if (settings->values[i].type == STOA_SET_STRING && settings->values[i].value.s.len > 0)
            explicit_bzero((char *)settings->values[i].value.s.ptr,
                           settings->values[i].value.s.len); /* it may be a secret */
    stoa_arena_destroy(settings->arena);
}
