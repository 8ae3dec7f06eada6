/* config/check.c: one walk over schema and tree: refuses what is not in the schema, completes what
 * is. SPDX-License-Identifier: Apache-2.0 */
#include "config/check.h"

#include <stdarg.h>
#include <stdio.h>

#define PATH_MAX_LEN 512
#define CANDIDATES_MAX 64
#define STRING_MAX 4096
#define LIST_MAX 256
#define LISTEN_MAX 16
#define MAP_MAX 64

void check_place(const struct check *check, const char *path, struct diag *diag)
{
    const struct scan_place *place = scan_find(check->scan, stoa_str_of(path));

    *diag = (struct diag){0};
    snprintf(diag->file, sizeof(diag->file), "%s", check->file);
    if (!place)
        return;
    stoa_str line = scan_line(check->text, place->line);
    diag->line = place->line;
    diag->column = place->column;
    snprintf(diag->source, sizeof(diag->source), "%.*s", (int)(line.len < 199 ? line.len : 199),
             line.len ? line.ptr : "");
}

/* Problems without a line (line 0) come after those with one. */
static bool is_earlier(const struct diag *a, const struct diag *b)
{
    return a->line != 0 && (b->line == 0 || a->line < b->line);
}

void check_problem(struct check *check, const char *path, const char *format, ...)
{
    struct diag found;
    char text[sizeof(found.message) + sizeof(found.hint)];
    va_list args;

    check_place(check, path, &found);
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    char *hint = strstr(text, "; ");
    if (hint) {
        *hint = '\0';
        snprintf(found.hint, sizeof(found.hint), "%s", hint + 2);
    }
    snprintf(found.message, sizeof(found.message), "%.*s", (int)sizeof(found.message) - 1, text);
    if (check->problems++ == 0 || is_earlier(&found, check->diag))
        *check->diag = found;
}

stoa_err check_end(struct check *check)
{
    size_t len = strlen(check->diag->message);

    if (check->problems > 1)
        snprintf(check->diag->message + len, sizeof(check->diag->message) - len, " (and %u more)",
                 check->problems - 1);
    return check->problems == 0 ? STOA_OK : STOA_E_CONFIG;
}

const char *check_kind(const struct stoa_json *json)
{
    static const char *const names[] = {
        [STOA_JSON_NONE] = "nothing",    [STOA_JSON_NULL] = "nil",
        [STOA_JSON_BOOL] = "a boolean",  [STOA_JSON_INT] = "a whole number",
        [STOA_JSON_REAL] = "a fraction", [STOA_JSON_STRING] = "a string",
        [STOA_JSON_ARRAY] = "a list",    [STOA_JSON_OBJECT] = "a table",
    };
    return names[stoa_json_type(json)];
}

/* "limits" + "head" → "limits.head". */
static const char *join(struct check *check, const char *path, stoa_str name)
{
    if (!*path)
        return stoa_cstr(check->arena, name);
    return stoa_concat(check->arena, stoa_str_of(path), STOA_STR("."), name).ptr;
}

/* path as an operator counts: "listen.0" → "listen[1]". */
static const char *label(struct check *check, const char *path)
{
    const char *dot = strrchr(path, '.');
    int64_t index;

    if (!dot || stoa_str_int(stoa_str_of(dot + 1), 0, LIST_MAX, &index) != STOA_OK)
        return path;
    return stoa_concat(check->arena, ((stoa_str){path, (uint64_t)(dot - path)}), STOA_STR("["),
                       stoa_str_from_int(check->arena, index + 1), STOA_STR("]"))
        .ptr;
}

static void wrong_type(struct check *check, const char *path, const struct stoa_json *given,
                       const char *wanted)
{
    check_problem(check, path, "%s is %s; it takes %s", label(check, path), check_kind(given),
                  wanted);
}

/* The name closest to name among the keys of section; NULL when none is close. */
static const char *suggest(const char *section, stoa_str name, struct stoa_arena *arena)
{
    const char *candidates[CANDIDATES_MAX];
    uint32_t count = 0;

    for (uint32_t i = 0; i < config_key_count && count < CANDIDATES_MAX; i++)
        if (strcmp(config_keys[i].section, section) == 0)
            candidates[count++] = config_keys[i].name;
    return diag_did_you_mean(stoa_cstr(arena, name), candidates, count);
}

static void refuse_unknown(struct check *check, const char *section, const char *path,
                           const struct stoa_json *given)
{
    for (const struct stoa_json *e = stoa_json_first(given); e; e = stoa_json_next(e)) {
        stoa_str name = stoa_json_name(e);
        const char *below, *close;

        if (config_key_find(section, name) ||
            (strncmp(section, "stoa.", 5) == 0 && stoa_str_is(name, "kind")))
            continue;
        below = join(check, path, name);
        close = suggest(section, name, check->arena);
        if (close)
            check_problem(check, below, "%s is not a setting; did you mean '%s'?", below, close);
        else
            check_problem(check, below,
                          "%s is not a setting; docs/operator-guide.md lists them all", below);
    }
}

typedef struct stoa_json *(*fill_function)(struct check *check, const struct config_key *key,
                                           const char *path, const struct stoa_json *given);

static struct stoa_json *fill_string(struct check *check, const struct config_key *key,
                                     const char *path, const struct stoa_json *given)
{
    stoa_str text = stoa_json_str(given, "");
    int64_t max = key->max ? key->max : STRING_MAX;

    if (stoa_json_type(given) != STOA_JSON_STRING)
        wrong_type(check, path, given, "a string");
    else if ((int64_t)text.len < key->min || (int64_t)text.len > max)
        check_problem(check, path, "%s has %lu bytes; it takes %ld to %ld", label(check, path),
                      text.len, key->min, max);
    return stoa_json_new_str(check->arena, text);
}

static struct stoa_json *fill_number(struct check *check, const struct config_key *key,
                                     const char *path, int64_t number)
{
    if ((key->min || key->max) && number < key->min)
        check_problem(check, path, "%s is too small; at least %ld", path, key->min);
    else if ((key->min || key->max) && number > key->max)
        check_problem(check, path, "%s is too large; at most %ld", path, key->max);
    return stoa_json_new_int(check->arena, number);
}

/* Numbers may come from stoa.env(), which knows strings only. */
static struct stoa_json *fill_int(struct check *check, const struct config_key *key,
                                  const char *path, const struct stoa_json *given)
{
    int64_t number = stoa_json_int(given, "", 0);

    if (stoa_json_type(given) == STOA_JSON_STRING &&
        stoa_str_int(stoa_json_str(given, ""), INT64_MIN, INT64_MAX, &number) == STOA_OK)
        return fill_number(check, key, path, number);
    if (stoa_json_type(given) != STOA_JSON_INT) {
        wrong_type(check, path, given, "a whole number");
        return NULL;
    }
    return fill_number(check, key, path, number);
}

static struct stoa_json *fill_bool(struct check *check, const struct config_key *key,
                                   const char *path, const struct stoa_json *given)
{
    stoa_str text = stoa_json_str(given, "");
    bool is_text = stoa_str_is(text, "true") || stoa_str_is(text, "false");

    (void)key;
    if (stoa_json_type(given) != STOA_JSON_BOOL && !is_text)
        wrong_type(check, path, given, "true or false");
    return stoa_json_new_bool(check->arena, stoa_json_true(given, "") || stoa_str_is(text, "true"));
}

static struct stoa_json *fill_size(struct check *check, const struct config_key *key,
                                   const char *path, const struct stoa_json *given)
{
    int64_t bytes = stoa_json_int(given, "", 0);

    if (stoa_json_type(given) != STOA_JSON_INT &&
        !config_parse_size(stoa_json_str(given, ""), &bytes)) {
        check_problem(check, path,
                      "%s is not a size; write it like \"512KiB\", \"64MiB\" or \"1GiB\"", path);
        return NULL;
    }
    return fill_number(check, key, path, bytes);
}

static struct stoa_json *fill_duration(struct check *check, const struct config_key *key,
                                       const char *path, const struct stoa_json *given)
{
    int64_t ms = 0;

    if (!config_parse_duration(stoa_json_str(given, ""), &ms)) {
        check_problem(check, path,
                      "%s is not a duration; write it like \"250ms\", \"10s\", \"15min\" or \"2h\"",
                      path);
        return NULL;
    }
    return fill_number(check, key, path, ms);
}

static bool is_one_of(stoa_str choices, stoa_str text)
{
    while (choices.len > 0)
        if (stoa_str_eq(stoa_str_cut(&choices, ' '), text))
            return true;
    return false;
}

static struct stoa_json *fill_choice(struct check *check, const struct config_key *key,
                                     const char *path, const struct stoa_json *given)
{
    stoa_str text = stoa_json_str(given, "");

    if (stoa_json_type(given) != STOA_JSON_STRING)
        wrong_type(check, path, given, "a string");
    else if (!is_one_of(stoa_str_of(key->choices), text))
        check_problem(check, path, "%s = \"%.*s\" is not possible; one of: %s", path, (int)text.len,
                      text.ptr, key->choices);
    return stoa_json_new_str(check->arena, text);
}

/* {} is an empty list as well as an empty table: Lua does not tell them apart. */
static bool is_list(const struct stoa_json *given)
{
    return stoa_json_type(given) == STOA_JSON_ARRAY ||
           (stoa_json_type(given) == STOA_JSON_OBJECT && stoa_json_count(given) == 0);
}

static struct stoa_json *fill_list(struct check *check, const struct config_key *key,
                                   const char *path, const struct stoa_json *given)
{
    static const struct config_key element = {.min = 1, .max = 1000};
    struct stoa_json *list = stoa_json_array(check->arena);
    uint32_t index = 0;

    (void)key;
    if (!is_list(given)) {
        wrong_type(check, path, given, "a list of strings, such as { \"…\" }");
        return NULL;
    }
    if (stoa_json_count(given) > LIST_MAX)
        check_problem(check, path, "%s has %u entries; at most %d", path, stoa_json_count(given),
                      LIST_MAX);
    for (const struct stoa_json *e = stoa_json_first(given); e; e = stoa_json_next(e)) {
        const char *below = join(check, path, stoa_str_from_int(check->arena, index++));

        stoa_json_push(list, fill_string(check, &element, below, e));
    }
    return list;
}

static struct stoa_json *fill_strings(struct check *check, const struct config_key *key,
                                      const char *path, const struct stoa_json *given)
{
    struct stoa_json *list;

    if (stoa_json_type(given) != STOA_JSON_STRING)
        return fill_list(check, key, path, given);
    list = stoa_json_array(check->arena);
    stoa_json_push(list, stoa_json_new_str(check->arena, stoa_json_str(given, "")));
    return list;
}

static struct stoa_json *fill_names(struct check *check, const struct config_key *key,
                                    const char *path, const struct stoa_json *given)
{
    if (stoa_str_is(stoa_json_str(given, ""), "*"))
        return stoa_json_new_str(check->arena, STOA_STR("*"));
    if (is_list(given))
        return fill_list(check, key, path, given);
    wrong_type(check, path, given, "\"*\" or a list of names");
    return NULL;
}

static struct stoa_json *fill_secret(struct check *check, const struct config_key *key,
                                     const char *path, const struct stoa_json *given)
{
    stoa_json_push(check->secrets, stoa_json_new_str(check->arena, stoa_str_of(path)));
    if (stoa_json_type(stoa_json_get(given, "secret")) == STOA_JSON_STRING)
        return stoa_json_copy(check->arena, given);
    if (stoa_json_type(given) == STOA_JSON_STRING)
        return fill_string(check, key, path, given);
    wrong_type(check, path, given, "a string or stoa.secret \"name\"");
    return NULL;
}

static struct stoa_json *fill_section(struct check *check, const char *section, const char *path,
                                      const struct stoa_json *given);

static struct stoa_json *fill_group(struct check *check, const struct config_key *key,
                                    const char *path, const struct stoa_json *given)
{
    if (stoa_json_type(given) != STOA_JSON_OBJECT)
        wrong_type(check, path, given, "a table");
    refuse_unknown(check, key->name, path, given);
    return fill_section(check, key->name, path, given);
}

/* A plugin's table holds keys of its own, which its own schema checks later. */
static struct stoa_json *fill_plugin(struct check *check, const char *path,
                                     const struct stoa_json *given)
{
    struct stoa_json *filled = fill_section(check, "plugins.*", path, given);

    for (const struct stoa_json *e = stoa_json_first(given); e; e = stoa_json_next(e))
        if (!config_key_find("plugins.*", stoa_json_name(e)))
            stoa_json_set(filled, stoa_cstr(check->arena, stoa_json_name(e)),
                          stoa_json_copy(check->arena, e));
    return filled;
}

static struct stoa_json *fill_resource(struct check *check, const char *path, stoa_str name,
                                       const struct stoa_json *given)
{
    stoa_str kind_name = stoa_json_str(given, "kind");
    const struct config_kind *kind = config_kind_find(kind_name);
    const char *use = config_use_of(name), *section;

    if (!kind) {
        check_problem(check, path, "%s is a plain table; give it a kind, such as stoa.sqlite {}",
                      path);
        return NULL;
    }
    if (kind->instead) {
        check_problem(check, path, "stoa.%s is not yet supported in this version; use %s",
                      kind->name, kind->instead);
        return NULL;
    }
    if (!strstr(kind->use, use)) {
        check_problem(check, path, "%s cannot be stoa.%s; that is for %s", path, kind->name,
                      kind->use);
        return NULL;
    }
    section = stoa_concat(check->arena, STOA_STR("stoa."), kind_name).ptr;
    refuse_unknown(check, section, path, given);
    struct stoa_json *filled = fill_section(check, section, path, given);
    stoa_json_set_str(filled, "kind", kind_name);
    return filled;
}

/* Names become parts of paths, tables and files: lower-case letters, digits and "_". */
static bool is_name(stoa_str name)
{
    if (name.len == 0 || name.len > 31 || name.ptr[0] < 'a' || name.ptr[0] > 'z')
        return false;
    for (uint64_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
            return false;
    }
    return true;
}

static struct stoa_json *fill_named(struct check *check, const struct config_key *key,
                                    const char *path, const struct stoa_json *given)
{
    if (!is_name(stoa_json_name(given))) {
        check_problem(check, path, "%s: not a name; up to 31 of a-z, 0-9 and _, a letter first",
                      path);
        return NULL;
    }
    if (stoa_json_type(given) != STOA_JSON_OBJECT) {
        wrong_type(check, path, given, "a table");
        return NULL;
    }
    if (strcmp(key->name, "plugins") == 0)
        return fill_plugin(check, path, given);
    if (strcmp(key->name, "resources") == 0)
        return fill_resource(check, path, stoa_json_name(given), given);
    refuse_unknown(check, "nodes.*", path, given);
    return fill_section(check, "nodes.*", path, given);
}

/* An address becomes an object only by stoa.tls(), or by hand. */
static struct stoa_json *fill_listen(struct check *check, const struct config_key *key,
                                     const char *path, const struct stoa_json *given)
{
    static const struct config_key address = {.min = 1, .max = 100};
    struct stoa_json *list = stoa_json_array(check->arena);
    uint32_t index = 0;

    (void)key;
    if (!is_list(given)) {
        wrong_type(check, path, given, "a list, such as { \"127.0.0.1:8080\" }");
        return NULL;
    }
    if (stoa_json_count(given) > LISTEN_MAX)
        check_problem(check, path, "%s has %u entries; at most %d", path, stoa_json_count(given),
                      LISTEN_MAX);
    for (const struct stoa_json *e = stoa_json_first(given); e; e = stoa_json_next(e)) {
        const char *below = join(check, path, stoa_str_from_int(check->arena, index++));

        if (stoa_json_type(e) == STOA_JSON_OBJECT) {
            refuse_unknown(check, "stoa.tls", below, e);
            stoa_json_push(list, fill_section(check, "stoa.tls", below, e));
        } else {
            stoa_json_push(list, fill_string(check, &address, below, e));
        }
    }
    return list;
}

static struct stoa_json *fill_map(struct check *check, const struct config_key *key,
                                  const char *path, const struct stoa_json *given)
{
    struct stoa_json *map = stoa_json_object(check->arena);

    if (stoa_json_type(given) != STOA_JSON_OBJECT) {
        wrong_type(check, path, given, "a table of name = { … }");
        return map;
    }
    if (stoa_json_count(given) > MAP_MAX)
        check_problem(check, path, "%s has %u entries; at most %d", path, stoa_json_count(given),
                      MAP_MAX);
    for (const struct stoa_json *e = stoa_json_first(given); e; e = stoa_json_next(e)) {
        struct stoa_json *filled = fill_named(check, key, join(check, path, stoa_json_name(e)), e);

        if (filled)
            stoa_json_set(map, stoa_cstr(check->arena, stoa_json_name(e)), filled);
    }
    return map;
}

static struct stoa_json *refuse_later(struct check *check, const struct config_key *key,
                                      const char *path, const struct stoa_json *given)
{
    (void)key;
    (void)given;
    check_problem(check, path, "%s is not yet supported in this version; leave it out", path);
    return NULL;
}

static const fill_function fillers[CONFIG_TYPES] = {
    [CONFIG_STRING] = fill_string, [CONFIG_INT] = fill_int,           [CONFIG_BOOL] = fill_bool,
    [CONFIG_SIZE] = fill_size,     [CONFIG_DURATION] = fill_duration, [CONFIG_CHOICE] = fill_choice,
    [CONFIG_LIST] = fill_list,     [CONFIG_STRINGS] = fill_strings,   [CONFIG_NAMES] = fill_names,
    [CONFIG_SECRET] = fill_secret, [CONFIG_GROUP] = fill_group,       [CONFIG_MAP] = fill_map,
    [CONFIG_LATER] = refuse_later, [CONFIG_LISTEN] = fill_listen,
};

/* The default as if it had been written. NULL: the key stays away. */
static const struct stoa_json *default_of(struct check *check, const struct config_key *key)
{
    stoa_str text = stoa_str_of(key->otherwise);

    if (key->type == CONFIG_GROUP || key->type == CONFIG_MAP)
        return stoa_json_object(check->arena);
    if (!key->otherwise)
        return NULL;
    if (key->type != CONFIG_LIST && key->type != CONFIG_STRINGS && key->type != CONFIG_LISTEN)
        return stoa_json_new_str(check->arena, text);
    struct stoa_json *list = stoa_json_array(check->arena);
    while (text.len > 0)
        stoa_json_push(list, stoa_json_new_str(check->arena, stoa_str_cut(&text, ' ')));
    return list;
}

static struct stoa_json *fill_section(struct check *check, const char *section, const char *path,
                                      const struct stoa_json *given)
{
    struct stoa_json *filled = stoa_json_object(check->arena);

    for (uint32_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        if (strcmp(key->section, section) != 0)
            continue;
        const struct stoa_json *value = stoa_json_member(given, stoa_str_of(key->name));
        const char *below = join(check, path, stoa_str_of(key->name));

        if (!value && key->required)
            check_problem(check, below, "%s is missing; %s", below, key->help);
        if (!value)
            value = default_of(check, key);
        struct stoa_json *node = value ? fillers[key->type](check, key, below, value) : NULL;
        if (node)
            stoa_json_set(filled, key->name, node);
    }
    return filled;
}

/* What runs when the file does not say: everything embedded, on one node. */
static const char standard_resources[] =
    "{\"sql\":{\"kind\":\"sqlite\"},\"cache\":{\"kind\":\"memory\"},\"bus\":{\"kind\":\"sqlbus\"},"
    "\"mail\":{\"kind\":\"files\"},\"blobs\":{\"kind\":\"files\"}}";
static const char standard_nodes[] = "{\"all\":{\"listen\":[\"127.0.0.1:8080\"],\"run\":\"*\"}}";

static const struct stoa_json *standard(struct check *check, const char *text)
{
    const struct stoa_json *json = NULL;

    if (stoa_json_parse(check->arena, stoa_str_of(text), NULL, &json) != STOA_OK)
        stoa_assert(!"the standard configuration is JSON");
    return json;
}

static bool is_absent(const struct stoa_json *json)
{
    return !json || (stoa_json_type(json) == STOA_JSON_OBJECT && stoa_json_count(json) == 0);
}

/* given with nodes, and each resource the host cannot do without. */
static struct stoa_json *with_standards(struct check *check, const struct stoa_json *given)
{
    struct stoa_json *whole = stoa_json_copy(check->arena, given);
    const struct stoa_json *resources = stoa_json_member(given, STOA_STR("resources"));
    const struct stoa_json *usual = standard(check, standard_resources);

    if (is_absent(stoa_json_member(given, STOA_STR("nodes"))))
        stoa_json_set(whole, "nodes",
                      stoa_json_copy(check->arena, standard(check, standard_nodes)));
    if (resources && stoa_json_type(resources) != STOA_JSON_OBJECT)
        return whole; /* fill_map() will refuse it */
    struct stoa_json *all =
        resources ? stoa_json_copy(check->arena, resources) : stoa_json_object(check->arena);
    for (const struct stoa_json *e = stoa_json_first(usual); e; e = stoa_json_next(e))
        if (!stoa_json_member(all, stoa_json_name(e)))
            stoa_json_set(all, stoa_cstr(check->arena, stoa_json_name(e)),
                          stoa_json_copy(check->arena, e));
    stoa_json_set(whole, "resources", all);
    return whole;
}

struct stoa_json *check_fill(struct check *check, const struct stoa_json *given)
{
    if (stoa_json_type(given) != STOA_JSON_OBJECT) {
        check_problem(check, "", "stoa.config is given %s; it takes settings by name",
                      check_kind(given));
        return NULL;
    }
    refuse_unknown(check, "", "", given);
    return fill_section(check, "", "", with_standards(check, given));
}
