/* theme/schema.c: what a section lets a page set, and pages that set it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "tree.h"
#include <stdio.h>

static const struct stoa_json *settings_of(const struct stoa_json *schema)
{
    return stoa_json_member(schema, STOA_STR("settings"));
}

static void set_member(struct stoa_arena *arena, struct stoa_json *object, stoa_str name,
                       const struct stoa_json *v)
{
    stoa_json_set(object, stoa_cstr(arena, name),
                  v ? stoa_json_copy(arena, v) : stoa_json_new_null(arena));
}

static struct stoa_json *defaults_of(struct stoa_arena *arena, const struct stoa_json *schema)
{
    struct stoa_json *ret = stoa_json_object(arena);

    for (const struct stoa_json *s = stoa_json_first(settings_of(schema)); s;
         s = stoa_json_next(s)) {
        stoa_str id = stoa_json_str(s, "id");
        if (id.len > 0)
            set_member(arena, ret, id, stoa_json_member(s, STOA_STR("default")));
    }
    return ret;
}

static struct stoa_json *section_object(struct stoa_arena *arena, stoa_str type, stoa_str id,
                                        struct stoa_json *settings)
{
    struct stoa_json *ret = stoa_json_object(arena);

    stoa_json_set_str(ret, "type", type);
    stoa_json_set_str(ret, "id", id);
    stoa_json_set(ret, "settings", settings);
    return ret;
}

static const char *schema_fault(const struct stoa_json *schema)
{
    const struct stoa_json *settings = settings_of(schema);

    if (stoa_json_type(schema) != STOA_JSON_OBJECT)
        return "a schema is an object: {\"name\": …, \"settings\": […]}";
    if (settings && stoa_json_type(settings) != STOA_JSON_ARRAY)
        return "settings is an array of {\"type\", \"id\", \"label\", \"default\"}";
    for (const struct stoa_json *s = stoa_json_first(settings); s; s = stoa_json_next(s))
        if (stoa_json_str(s, "id").len == 0 && !stoa_str_is(stoa_json_str(s, "type"), "header") &&
            !stoa_str_is(stoa_json_str(s, "type"), "paragraph"))
            return "a setting has no id";
    return NULL;
}

/* The place in the template that a place in its JSON is. */
static const char *json_place(stoa_str text, const struct stoa_json_error *error)
{
    const char *at = text.ptr, *end = text.ptr + text.len;

    for (uint32_t line = 1; line < error->line && at < end; at++)
        line += *at == '\n';
    for (uint32_t column = 1; column < error->column && at < end && *at != '\n'; at++)
        column++;
    return at;
}

void tree_read_schema(struct compiler *c, stoa_str text)
{
    struct stoa_json_error error = {0};
    const struct stoa_json *schema;
    const char *fault;

    if (stoa_json_parse(c->arena, text, &error, &schema) != STOA_OK) {
        compile_error(c, json_place(text, &error), "schema: %s", error.reason);
        return;
    }
    fault = schema_fault(schema);
    if (fault) {
        compile_error(c, text.ptr, "schema: %s", fault);
        return;
    }
    c->tpl->schema = schema;
    c->tpl->defaults =
        section_object(c->arena, c->tpl->name, c->tpl->name, defaults_of(c->arena, schema));
}

/* --- pages --- */

static bool fail(struct tree_reader *reader, const char *file, const char *what, stoa_str name)
{
    diag_set(reader->diag, file, 0, 0, "%s '%.*s'", what, (int)(name.len < 100 ? name.len : 100),
             name.ptr ? name.ptr : "");
    return false;
}

static bool unknown_setting(struct tree_reader *reader, const char *file, stoa_str name,
                            const struct stoa_json *known)
{
    const char *names[TREE_SECTIONS_MAX], *near;
    uint32_t count = 0;

    for (const struct stoa_json *e = stoa_json_first(known); e && count < TREE_SECTIONS_MAX;
         e = stoa_json_next(e))
        names[count++] = stoa_cstr(reader->arena, stoa_json_name(e));
    near = diag_did_you_mean(stoa_cstr(reader->arena, name), names, count);
    fail(reader, file, "the section's schema has no setting", name);
    if (near)
        diag_hint(reader->diag, "did you mean '%s'?", near);
    return false;
}

static bool apply_settings(struct tree_reader *reader, const char *file, struct stoa_json *to,
                           const struct stoa_json *from)
{
    for (const struct stoa_json *e = stoa_json_first(from); e; e = stoa_json_next(e)) {
        stoa_str name = stoa_json_name(e);
        if (!stoa_json_member(to, name))
            return unknown_setting(reader, file, name, to);
        set_member(reader->arena, to, name, e);
    }
    return true;
}

static const struct stoa_json *block_schema(const struct stoa_json *schema, stoa_str type)
{
    const struct stoa_json *blocks = stoa_json_member(schema, STOA_STR("blocks"));

    for (const struct stoa_json *b = stoa_json_first(blocks); b; b = stoa_json_next(b))
        if (stoa_str_eq(stoa_json_str(b, "type"), type))
            return b;
    return NULL;
}

static bool add_block(struct tree_reader *reader, const char *file, const struct template *tpl,
                      const struct stoa_json *entry, struct stoa_json *blocks)
{
    stoa_str type = stoa_json_str(entry, "type"), id = stoa_json_str(entry, "id");
    const struct stoa_json *schema = block_schema(tpl->schema, type);
    struct stoa_json *settings;

    if (!schema)
        return fail(reader, file, "the section's schema has no block", type);
    settings = defaults_of(reader->arena, schema);
    if (!apply_settings(reader, file, settings, settings_of(entry)))
        return false;
    stoa_json_push(blocks, section_object(reader->arena, type, id.len > 0 ? id : type, settings));
    return true;
}

bool schema_apply(struct tree_reader *reader, const char *file, const struct template *tpl,
                  const struct stoa_json *entry, const struct stoa_json **ret)
{
    stoa_str id = stoa_json_str(entry, "id");
    struct stoa_json *settings = defaults_of(reader->arena, tpl->schema);
    struct stoa_json *blocks = stoa_json_array(reader->arena), *object;
    const struct stoa_json *from = stoa_json_member(entry, STOA_STR("blocks"));

    if (!apply_settings(reader, file, settings, settings_of(entry)))
        return false;
    if (stoa_json_count(from) > TREE_BLOCKS_MAX)
        return fail(reader, file, "too many blocks in section", tpl->name);
    for (const struct stoa_json *b = stoa_json_first(from); b; b = stoa_json_next(b))
        if (!add_block(reader, file, tpl, b, blocks))
            return false;
    object = section_object(reader->arena, tpl->name, id.len > 0 ? id : tpl->name, settings);
    stoa_json_set(object, "blocks", blocks);
    *ret = object;
    return true;
}

static bool read_section(struct tree_reader *reader, const char *file,
                         const struct stoa_json *entry, struct page_section *ret)
{
    stoa_str type = stoa_json_str(entry, "type");

    ret->tpl = tree_get(reader->theme, PLACE_SECTION, type);
    if (!ret->tpl)
        return fail(reader, file, "there is no section", type);
    return schema_apply(reader, file, ret->tpl, entry, &ret->object);
}

static bool read_layout(struct tree_reader *reader, const char *file, const struct stoa_json *json,
                        struct page *page)
{
    stoa_str name = STOA_STR("theme");

    if (stoa_json_type(json) == STOA_JSON_BOOL && !stoa_json_true(json, ""))
        return true;
    if (json)
        name = stoa_json_str(json, "");
    page->layout = tree_get(reader->theme, PLACE_LAYOUT, name);
    return page->layout || fail(reader, file, "there is no layout", name);
}

static bool check_members(struct tree_reader *reader, const char *file,
                          const struct stoa_json *json)
{
    for (const struct stoa_json *e = stoa_json_first(json); e; e = stoa_json_next(e)) {
        stoa_str name = stoa_json_name(e);
        if (stoa_str_is(name, "layout") || stoa_str_is(name, "sections") ||
            stoa_str_is(name, "name"))
            continue;
        fail(reader, file, "unknown member", name);
        diag_hint(reader->diag, "a page has name, layout and sections");
        return false;
    }
    return true;
}

bool page_read(struct tree_reader *reader, const char *file, stoa_str text, struct page *ret)
{
    struct stoa_json_error error = {0};
    const struct stoa_json *json, *list;
    struct page_section *sections;
    uint32_t count;

    if (stoa_json_parse(reader->arena, text, &error, &json) != STOA_OK) {
        diag_set(reader->diag, file, error.line, error.column, "%s", error.reason);
        return false;
    }
    list = stoa_json_member(json, STOA_STR("sections"));
    count = stoa_json_count(list);
    if (stoa_json_type(list) != STOA_JSON_ARRAY || count > TREE_SECTIONS_MAX) {
        diag_set(reader->diag, file, 0, 0, "'sections' is an array of at most %d sections",
                 TREE_SECTIONS_MAX);
        diag_hint(reader->diag, "{\"layout\": \"theme\", \"sections\": [{\"type\": \"hero\"}]}");
        return false;
    }
    sections = stoa_new_array(reader->arena, struct page_section, count + 1);
    for (const struct stoa_json *e = stoa_json_first(list); e; e = stoa_json_next(e))
        if (!read_section(reader, file, e, &sections[ret->section_count++]))
            return false;
    ret->sections = sections;
    return check_members(reader, file, json) &&
           read_layout(reader, file, stoa_json_member(json, STOA_STR("layout")), ret);
}
