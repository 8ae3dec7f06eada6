/* theme/tree.c: reads a theme's folder. SPDX-License-Identifier: Apache-2.0 */
#include "tree.h"
#include "filters.h"
#include "folder.h"
#include <stdio.h>
#include <stdlib.h>

enum { JSON_FILE_MAX = 1024 * 1024 };

static const char *const places[] = {
    [PLACE_LAYOUT] = "layout",
    [PLACE_PAGE] = "templates",
    [PLACE_SECTION] = "sections",
    [PLACE_SNIPPET] = "snippets",
};

const struct template *tree_get(const struct theme *theme, enum template_place place, stoa_str name)
{
    for (uint32_t i = 0; i < theme->template_count; i++)
        if (theme->templates[i]->place == place && stoa_str_eq(theme->templates[i]->name, name))
            return theme->templates[i];
    return NULL;
}

const struct page *tree_page(const struct theme *theme, stoa_str name)
{
    for (uint32_t i = 0; i < theme->page_count; i++)
        if (stoa_str_eq(theme->pages[i].name, name))
            return &theme->pages[i];
    return NULL;
}

/* --- for the compiler --- */

const struct template *tree_find_template(struct compiler *c, enum template_place place,
                                          stoa_str name)
{
    const struct template *found = c->theme ? tree_get(c->theme, place, name) : NULL;
    const char *names[TREE_TEMPLATES_MAX], *near;
    uint32_t count = 0;

    if (found)
        return found;
    for (uint32_t i = 0; c->theme && i < c->theme->template_count; i++)
        if (c->theme->templates[i]->place == place)
            names[count++] = c->theme->templates[i]->name.ptr;
    near = diag_did_you_mean(stoa_cstr(c->arena, name), names, count);
    compile_error(c, name.ptr, "there is no %s/%.*s.liquid", places[place], (int)name.len,
                  name.ptr);
    if (near)
        compile_hint(c, "did you mean '%s'?", near);
    return NULL;
}

static void check_asset(struct compiler *c, stoa_str name)
{
    const struct assets *assets = &c->theme->assets;
    const char *names[ASSETS_MAX], *near;
    bool hashed;

    if (assets_find(assets, name, &hashed))
        return;
    for (uint32_t i = 0; i < assets->count; i++)
        names[i] = assets->items[i].name.ptr;
    near = diag_did_you_mean(stoa_cstr(c->arena, name), names, assets->count);
    compile_error(c, name.ptr, "there is no assets/%.*s", (int)name.len, name.ptr);
    if (near)
        compile_hint(c, "did you mean '%s'?", near);
}

static void check_text(struct compiler *c, stoa_str key)
{
    const struct locale *en = locale_find(&c->theme->locales, STOA_STR("en"));
    const char **names, *near;

    if (!en || locale_has(&c->theme->locales, key))
        return;
    names = stoa_new_array(c->arena, const char *, en->count + 1);
    for (uint32_t i = 0; i < en->count; i++)
        names[i] = stoa_cstr(c->arena, en->entries[i].key);
    near = diag_did_you_mean(stoa_cstr(c->arena, key), names, en->count);
    compile_error(c, key.ptr, "locales/en.json has no '%.*s'", (int)key.len, key.ptr);
    if (near)
        compile_hint(c, "did you mean '%s'?", near);
}

void tree_check_literal(struct compiler *c, const struct expr_filter *filter, stoa_str name)
{
    struct value v = filter->input->as.literal;

    if (!value_is_str(v))
        return;
    if (stoa_str_is(name, "asset_url"))
        check_asset(c, value_str(v));
    else if (stoa_str_is(name, "t") || stoa_str_is(name, "translate"))
        check_text(c, value_str(v));
}

/* --- reading --- */

static const char *path_of(struct tree_reader *reader, const char *folder, const char *file)
{
    return stoa_concat(reader->arena, stoa_str_of(reader->folder), STOA_STR("/"),
                       stoa_str_of(folder), stoa_str_of(*folder ? "/" : ""), stoa_str_of(file))
        .ptr;
}

/* "product" of "product.liquid"; false when the file is of another kind or its name is not fit. */
static bool base_name(struct tree_reader *reader, const char *file, const char *extension,
                      stoa_str *ret)
{
    stoa_str name = stoa_str_of(file);

    if (!stoa_str_ends(name, stoa_str_of(extension)))
        return false;
    name.len -= strlen(extension);
    *ret = stoa_str_copy(reader->arena, name);
    return name.len > 0 &&
           strspn(ret->ptr, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
               name.len;
}

/* A reader of one file of a folder. */
typedef bool read_fn(struct tree_reader *reader, const char *path, stoa_str name);

static struct folder_reading reading_of(const struct tree_reader *reader)
{
    return (struct folder_reading){reader->arena, reader->diag, reader->trail};
}

static bool read_folder(struct tree_reader *reader, const char *folder, const char *extension,
                        read_fn *fn)
{
    const struct folder_reading reading = reading_of(reader);
    const char *const *files;
    uint32_t count;

    if (!folder_list(&reading, path_of(reader, folder, ""), &files, &count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        stoa_str name;
        if (base_name(reader, files[i], extension, &name) &&
            !fn(reader, path_of(reader, folder, files[i]), name))
            return false;
    }
    return true;
}

/* Every file of the theme comes through here. */
static bool read_file(struct tree_reader *reader, const char *path, uint64_t max, stoa_str *ret)
{
    const struct folder_reading reading = reading_of(reader);
    uint64_t len;

    if (!folder_read(&reading, path, max, ret))
        return false;
    len = ret->len;
    crypto_generichash_update(&reader->digest, (const unsigned char *)path, strlen(path) + 1);
    crypto_generichash_update(&reader->digest, (const unsigned char *)&len, sizeof len);
    crypto_generichash_update(&reader->digest, (const unsigned char *)ret->ptr, len);
    return true;
}

static bool look_at_json(struct tree_reader *reader, const char *path)
{
    stoa_str text;

    return read_file(reader, path, JSON_FILE_MAX, &text);
}

static bool read_json(struct tree_reader *reader, const char *path, const struct stoa_json **ret)
{
    struct stoa_json_error error = {0};
    stoa_str text;

    if (!read_file(reader, path, JSON_FILE_MAX, &text))
        return false;
    if (stoa_json_parse(reader->arena, text, &error, ret) == STOA_OK)
        return true;
    diag_set(reader->diag, path, error.line, error.column, "%s", error.reason);
    return false;
}

static bool read_about(struct tree_reader *reader)
{
    const char *path = path_of(reader, "", "theme.json");
    struct theme *theme = reader->theme;

    if (reader->only_looks)
        return look_at_json(reader, path);
    if (!read_json(reader, path, &theme->about))
        return false;
    theme->name = stoa_cstr(reader->arena, stoa_json_str(theme->about, "name"));
    if (*theme->name)
        return true;
    diag_set(reader->diag, path, 0, 0, "the theme has no name");
    diag_hint(reader->diag, "{\"name\": \"Aurora\", \"version\": \"1.0.0\"}");
    return false;
}

static bool read_asset(struct tree_reader *reader, const char *path, stoa_str name)
{
    stoa_str bytes;

    return read_file(reader, path, ASSETS_FILE_MAX, &bytes) &&
           (reader->only_looks ||
            assets_add(&reader->theme->assets, reader->arena, name, bytes, reader->diag));
}

static bool read_asset_folder(struct tree_reader *reader, const char *folder, const char *prefix)
{
    const struct folder_reading reading = reading_of(reader);
    const char *const *files;
    uint32_t count;

    if (!folder_list(&reading, path_of(reader, folder, ""), &files, &count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        stoa_str name = stoa_concat(reader->arena, stoa_str_of(prefix), stoa_str_of(files[i]));
        if (!read_asset(reader, path_of(reader, folder, files[i]), name))
            return false;
    }
    return true;
}

/* assets/ and the folders in it, one level deep: "products/mug.svg". */
static bool read_assets(struct tree_reader *reader)
{
    const struct folder_reading reading = reading_of(reader);
    const char *const *folders;
    uint32_t count;

    if (!reader->only_looks)
        assets_init(&reader->theme->assets, reader->arena,
                    reader->last ? &reader->last->assets : NULL);
    if (!read_asset_folder(reader, "assets", "") ||
        !folder_list_folders(&reading, path_of(reader, "assets", ""), &folders, &count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        stoa_str name = stoa_str_of(folders[i]);
        stoa_str folder = stoa_concat(reader->arena, STOA_STR("assets/"), name);
        stoa_str prefix = stoa_concat(reader->arena, name, STOA_STR("/"));
        if (!read_asset_folder(reader, folder.ptr, prefix.ptr))
            return false;
    }
    if (!reader->only_looks)
        assets_seal(&reader->theme->assets, reader->arena);
    return true;
}

static bool read_locale(struct tree_reader *reader, const char *path, stoa_str name)
{
    const struct stoa_json *json;

    if (reader->only_looks)
        return look_at_json(reader, path);
    if (reader->theme->locales.count == LOCALES_MAX) {
        diag_set(reader->diag, path, 0, 0, "more than %d languages", LOCALES_MAX);
        return false;
    }
    return read_json(reader, path, &json) &&
           locale_add(&reader->theme->locales, reader->arena, name, json, reader->diag);
}

static bool add_template(struct tree_reader *reader, const char *path, stoa_str name,
                         enum template_place place)
{
    struct theme *theme = reader->theme;
    struct template *tpl = stoa_new(reader->arena, struct template);

    if (reader->only_looks)
        return read_file(reader, path, COMPILE_SOURCE_MAX, &tpl->source);
    if (theme->template_count == TREE_TEMPLATES_MAX) {
        diag_set(reader->diag, path, 0, 0, "a theme holds at most %d templates",
                 TREE_TEMPLATES_MAX);
        return false;
    }
    tpl->name = name;
    tpl->file = path;
    tpl->place = place;
    theme->templates[theme->template_count++] = tpl;
    return read_file(reader, path, COMPILE_SOURCE_MAX, &tpl->source);
}

static bool add_layout(struct tree_reader *reader, const char *path, stoa_str name)
{
    return add_template(reader, path, name, PLACE_LAYOUT);
}

static bool add_section(struct tree_reader *reader, const char *path, stoa_str name)
{
    return add_template(reader, path, name, PLACE_SECTION);
}

static bool add_snippet(struct tree_reader *reader, const char *path, stoa_str name)
{
    return add_template(reader, path, name, PLACE_SNIPPET);
}

static struct page *add_page(struct tree_reader *reader, stoa_str name)
{
    struct theme *theme = reader->theme;
    struct page *page = &theme->pages[theme->page_count++];

    page->name = name;
    return page;
}

static bool pages_fit(struct tree_reader *reader, const char *path, stoa_str name)
{
    if (reader->theme->page_count < FOLDER_FILES_MAX && !tree_page(reader->theme, name))
        return true;
    diag_set(reader->diag, path, 0, 0, "there are two templates '%s'", name.ptr);
    diag_hint(reader->diag, "keep the .json or the .liquid");
    return false;
}

static bool add_plain_page(struct tree_reader *reader, const char *path, stoa_str name)
{
    struct page *page;

    if (reader->only_looks)
        return add_template(reader, path, name, PLACE_PAGE);
    if (!pages_fit(reader, path, name) || !add_template(reader, path, name, PLACE_PAGE))
        return false;
    page = add_page(reader, name);
    page->plain = tree_get(reader->theme, PLACE_PAGE, name);
    page->layout = tree_get(reader->theme, PLACE_LAYOUT, STOA_STR("theme"));
    return true;
}

static bool add_section_page(struct tree_reader *reader, const char *path, stoa_str name)
{
    stoa_str text;

    if (reader->only_looks)
        return read_file(reader, path, COMPILE_SOURCE_MAX, &text);
    return pages_fit(reader, path, name) && read_file(reader, path, COMPILE_SOURCE_MAX, &text) &&
           page_read(reader, path, text, add_page(reader, name));
}

static bool compile_all(struct tree_reader *reader)
{
    struct theme *theme = reader->theme;
    struct compiler *c = calloc(1, sizeof(*c)); /* large: its table of names */
    struct node_render *links = NULL;
    bool done = true;

    stoa_assert(c != NULL);
    c->arena = reader->arena;
    c->theme = theme;
    c->diag = reader->diag;
    c->links = &links;
    for (uint32_t i = 0; done && i < theme->template_count; i++)
        done = compile_template(c, theme->templates[i]) == STOA_OK;
    if (done)
        compile_link(links);
    free(c);
    return done;
}

/* The same steps in the same order, whether it makes a theme of it or only looks: so the digest is
 * of what was read. */
static bool read_tree(struct tree_reader *reader)
{
    return read_about(reader) && read_assets(reader) &&
           read_folder(reader, "locales", ".json", read_locale) &&
           read_folder(reader, "layout", ".liquid", add_layout) &&
           read_folder(reader, "sections", ".liquid", add_section) &&
           read_folder(reader, "snippets", ".liquid", add_snippet) &&
           read_folder(reader, "templates", ".liquid", add_plain_page) &&
           (reader->only_looks || compile_all(reader)) &&
           read_folder(reader, "templates", ".json", add_section_page);
}

static void take_trail(struct theme *theme, struct trail *trail)
{
    trail_destroy(theme->trail);
    theme->trail = trail;
}

/* By the bytes: an editor or a package may leave what they like as the time of a file. */
static bool has_bytes_of(const char *folder, struct theme *theme)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct diag ignored;
    struct tree_reader reader = {.arena = arena,
                                 .folder = folder,
                                 .diag = &ignored,
                                 .trail = trail_create(),
                                 .only_looks = true};
    unsigned char digest[sizeof theme->digest];
    bool is_whole, is_same;

    crypto_generichash_init(&reader.digest, NULL, 0, TREE_DIGEST_LEN);
    is_whole = read_tree(&reader);
    crypto_generichash_final(&reader.digest, digest, sizeof digest);
    stoa_arena_destroy(arena);
    is_same = is_whole && memcmp(digest, theme->digest, sizeof digest) == 0;
    if (is_same)
        take_trail(theme, reader.trail);
    else
        trail_destroy(reader.trail);
    return is_same;
}

struct theme *theme_share(struct theme *last, const char *folder)
{
    if (strcmp(last->folder, folder) != 0 || !trail_is_same(last->trail))
        return NULL;
    last->uses++;
    return last;
}

static struct theme *theme_new(void)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct theme *theme = stoa_new(arena, struct theme);

    theme->arena = arena;
    theme->uses = 1;
    theme->templates = stoa_new_array(arena, struct template *, TREE_TEMPLATES_MAX);
    theme->pages = stoa_new_array(arena, struct page, FOLDER_FILES_MAX);
    return theme;
}

stoa_err theme_load(const char *folder, struct theme *last, struct diag *diag, struct theme **ret)
{
    struct tree_reader reader = {.diag = diag, .last = last};

    memset(diag, 0, sizeof(*diag));
    if (last && strcmp(last->folder, folder) == 0 && has_bytes_of(folder, last)) {
        last->uses++;
        *ret = last;
        return STOA_OK;
    }
    reader.theme = theme_new();
    reader.arena = reader.theme->arena;
    reader.folder = stoa_cstr(reader.arena, stoa_str_of(folder));
    reader.trail = trail_create();
    reader.theme->folder = reader.folder;
    take_trail(reader.theme, reader.trail);
    crypto_generichash_init(&reader.digest, NULL, 0, TREE_DIGEST_LEN);
    if (!read_tree(&reader)) {
        theme_destroy(reader.theme);
        return STOA_E_INVALID;
    }
    crypto_generichash_final(&reader.digest, reader.theme->digest, TREE_DIGEST_LEN);
    *ret = reader.theme;
    return STOA_OK;
}

void theme_destroy(struct theme *theme)
{
    if (!theme || --theme->uses > 0)
        return;
    trail_destroy(theme->trail);
    stoa_arena_destroy(theme->arena);
}
