/* config/settings.c: a plugin's own keys against the plugin's own schema.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/config_private.h"

#include <stdio.h>

#define CANDIDATES_MAX 80

static const struct stoa_setting *find(const struct stoa_setting *schema, uint32_t count,
                                       stoa_str name)
{
    for (uint32_t i = 0; i < count; i++)
        if (stoa_str_is(name, schema[i].name))
            return &schema[i];
    return NULL;
}

static const char *suggest(struct stoa_arena *arena, const struct stoa_setting *schema,
                           uint32_t count, stoa_str name)
{
    const char *candidates[CANDIDATES_MAX];
    uint32_t found = 0;

    for (uint32_t i = 0; i < count && found < CANDIDATES_MAX; i++)
        candidates[found++] = schema[i].name;
    for (uint32_t i = 0; i < config_key_count && found < CANDIDATES_MAX; i++)
        if (strcmp(config_keys[i].section, "plugins.*") == 0)
            candidates[found++] = config_keys[i].name;
    return diag_did_you_mean(stoa_cstr(arena, name), candidates, found);
}

static bool has_type(const struct stoa_json *json, uint32_t type)
{
    stoa_json_kind kind = stoa_json_type(json);
    stoa_money money;

    switch (type) {
    case STOA_SET_STRING:
        return kind == STOA_JSON_STRING || config_secret_name(json).len > 0;
    case STOA_SET_INT:
        return kind == STOA_JSON_INT;
    case STOA_SET_BOOL:
        return kind == STOA_JSON_BOOL;
    case STOA_SET_MONEY:
        return stoa_json_money(json, "", &money) == STOA_OK ||
               stoa_money_parse(stoa_json_str(json, ""), &money) == STOA_OK;
    default:
        return kind == STOA_JSON_OBJECT || kind == STOA_JSON_ARRAY;
    }
}

static const char *type_name(uint32_t type)
{
    static const char *const names[] = {
        [STOA_SET_STRING] = "a string",
        [STOA_SET_INT] = "a whole number",
        [STOA_SET_BOOL] = "true or false",
        [STOA_SET_MONEY] = "money, such as stoa.money \"4.50 EUR\"",
        [STOA_SET_TABLE] = "a table",
    };
    return type < sizeof(names) / sizeof(*names) && names[type] ? names[type] : "a table";
}

static void check_value(struct check *check, const char *path, const struct stoa_setting *setting,
                        const struct stoa_json *given)
{
    int64_t number = stoa_json_int(given, "", 0);

    if (!has_type(given, setting->type))
        check_problem(check, path, "%s is %s; it takes %s", path, check_kind(given),
                      type_name(setting->type));
    else if (setting->type == STOA_SET_INT && (setting->min || setting->max) &&
             number < setting->min)
        check_problem(check, path, "%s is too small; at least %ld", path, setting->min);
    else if (setting->type == STOA_SET_INT && (setting->min || setting->max) &&
             number > setting->max)
        check_problem(check, path, "%s is too large; at most %ld", path, setting->max);
}

static void refuse_unknown(struct check *check, const char *path, stoa_str name, const char *close)
{
    char below[256];

    snprintf(below, sizeof(below), "%s.%.*s", path, (int)name.len, name.ptr);
    if (close)
        check_problem(check, below, "%s is not a setting; did you mean '%s'?", below, close);
    else
        check_problem(check, below, "%s is not a setting of this plugin; leave it out", below);
}

stoa_err config_check_table(const struct config *config, const char *path,
                            const struct stoa_setting *schema, uint32_t count, struct diag *diag)
{
    const struct stoa_json *table = stoa_json_get(config->json, path);
    struct check check = {.arena = stoa_arena_create(),
                          .file = config->file,
                          .text = config->text,
                          .scan = config->scan,
                          .diag = diag};

    for (const struct stoa_json *e = stoa_json_first(table); e; e = stoa_json_next(e)) {
        stoa_str name = stoa_json_name(e);
        if (!find(schema, count, name) && !config_key_find("plugins.*", name))
            refuse_unknown(&check, path, name, suggest(check.arena, schema, count, name));
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct stoa_json *given = stoa_json_member(table, stoa_str_of(schema[i].name));
        char below[256];

        snprintf(below, sizeof(below), "%s.%s", path, schema[i].name);
        if (given)
            check_value(&check, below, &schema[i], given);
        else if (schema[i].required)
            check_problem(&check, below, "%s is missing; %s", below,
                          schema[i].help ? schema[i].help : "the plugin cannot do without");
    }
    stoa_arena_destroy(check.arena);
    return check_end(&check);
}
