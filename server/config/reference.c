/* config/reference.c: the schema as Markdown, for docs/operator-guide.md.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/config_private.h"

static const char *const type_names[CONFIG_TYPES] = {
    [CONFIG_STRING] = "string",        [CONFIG_INT] = "number",
    [CONFIG_BOOL] = "true, false",     [CONFIG_SIZE] = "size",
    [CONFIG_DURATION] = "duration",    [CONFIG_LIST] = "list of strings",
    [CONFIG_STRINGS] = "string, list", [CONFIG_NAMES] = "list, \"*\"",
    [CONFIG_SECRET] = "secret",        [CONFIG_GROUP] = "table",
    [CONFIG_MAP] = "tables by name",   [CONFIG_LATER] = "(later)",
    [CONFIG_LISTEN] = "list",
};

static void put(struct stoa_buf *out, const char *text)
{
    stoa_buf_put(out, stoa_str_of(text));
}

/* "limits.head"; "stoa.sqlite { file }" for a resource's key. */
static void put_name(struct stoa_buf *out, const struct config_key *key)
{
    bool is_resource = strncmp(key->section, "stoa.", 5) == 0;

    put(out, key->section);
    if (*key->section)
        put(out, is_resource ? " { " : ".");
    put(out, key->name);
    if (is_resource)
        put(out, " }");
}

/* "a b c" → "a, b, c" */
static void put_choices(struct stoa_buf *out, const char *choices)
{
    for (; *choices; choices++) {
        if (*choices == ' ')
            stoa_buf_char(out, ',');
        stoa_buf_char(out, *choices);
    }
}

static void put_number(struct stoa_buf *out, const struct config_key *key, int64_t number)
{
    static const struct {
        int64_t factor;
        const char *name;
    } sizes[] = {{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}, {1, "B"}},
      times[] = {{3600000, "h"}, {60000, "min"}, {1000, "s"}, {1, "ms"}};

    if (key->type != CONFIG_SIZE && key->type != CONFIG_DURATION) {
        stoa_buf_int(out, number);
        return;
    }
    for (uint32_t i = 0; i < 4; i++) {
        int64_t factor = key->type == CONFIG_SIZE ? sizes[i].factor : times[i].factor;
        if (i < 3 && (number == 0 || number % factor != 0))
            continue;
        stoa_buf_int(out, number / factor);
        put(out, key->type == CONFIG_SIZE ? sizes[i].name : times[i].name);
        return;
    }
}

static void put_range(struct stoa_buf *out, const struct config_key *key)
{
    bool is_number =
        key->type == CONFIG_INT || key->type == CONFIG_SIZE || key->type == CONFIG_DURATION;

    if (key->choices)
        put_choices(out, key->choices);
    else if (is_number && key->max) {
        put_number(out, key, key->min);
        put(out, " … ");
        put_number(out, key, key->max);
    }
}

static void put_default(struct stoa_buf *out, const struct config_key *key)
{
    if (key->required)
        put(out, "required");
    else if (key->otherwise && *key->otherwise) {
        stoa_buf_char(out, '`');
        put(out, key->otherwise);
        stoa_buf_char(out, '`');
    }
}

static void put_key(struct stoa_buf *out, const struct config_key *key)
{
    put(out, "| `");
    put_name(out, key);
    put(out, "` | ");
    put(out, key->choices ? "choice" : type_names[key->type]);
    put(out, " | ");
    put_default(out, key);
    put(out, " | ");
    put_range(out, key);
    put(out, " | ");
    put(out, key->help);
    put(out, " |\n");
}

void config_reference(struct stoa_buf *out)
{
    put(out, "| key | type | default | range | meaning |\n|---|---|---|---|---|\n");
    for (uint32_t i = 0; i < config_key_count; i++)
        put_key(out, &config_keys[i]);
    put(out, "\n| resource | is a |\n|---|---|\n");
    for (uint32_t i = 0; i < config_kind_count; i++) {
        put(out, "| `stoa.");
        put(out, config_kinds[i].name);
        put(out, " {…}` | ");
        put_choices(out, config_kinds[i].use);
        put(out, config_kinds[i].instead ? " (not in this version) |\n" : " |\n");
    }
}
