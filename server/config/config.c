/* config/config.c: from the file to the effective configuration. SPDX-License-Identifier:
 * Apache-2.0 */
#include "config/config.h"

#include "base/hex.h"
#include "config/config_private.h"
#include "config/evaluate.h"
#include <libgen.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void config_locate(const struct config *config, const char *path, struct diag *ret)
{
    struct check check = {.file = config->file, .text = config->text, .scan = config->scan};

    check_place(&check, path, ret);
}

void config_problem(const struct config *config, const char *path, struct diag *diag,
                    const char *format, ...)
{
    va_list args;

    config_locate(config, path, diag);
    va_start(args, format);
    vsnprintf(diag->message, sizeof(diag->message), format, args);
    va_end(args);
}

const struct stoa_json *config_json(const struct config *config)
{
    return config->json;
}

/* The node at path. Below "plugins" a plugin's own keys may be absent; elsewhere a name that the
 * schema does not have is a spelling mistake in our code. */
static const struct stoa_json *get(const struct config *config, const char *path)
{
    const struct stoa_json *json = stoa_json_get(config->json, path);

    stoa_assert(json || strncmp(path, "plugins.", 8) == 0 || strncmp(path, "resources.", 10) == 0);
    return json;
}

stoa_str config_str(const struct config *config, const char *path)
{
    return stoa_json_str(get(config, path), "");
}

int64_t config_int(const struct config *config, const char *path)
{
    return stoa_json_int(get(config, path), "", 0);
}

bool config_bool(const struct config *config, const char *path)
{
    return stoa_json_true(get(config, path), "");
}

stoa_str config_text(const struct config *config)
{
    return config->text;
}

stoa_str config_evaluated(const struct config *config)
{
    return config->evaluated;
}

const char *config_file(const struct config *config)
{
    return config->file;
}

const char *config_hash(const struct config *config)
{
    return config->hash;
}

/* folder + "/" + path, or path when it is absolute. */
static stoa_str below(struct stoa_arena *arena, const char *folder, stoa_str path)
{
    if (path.len > 0 && path.ptr[0] == '/')
        return path;
    return stoa_concat(arena, stoa_str_of(folder), STOA_STR("/"), path);
}

static struct stoa_json *below_all(struct config *c, const char *folder,
                                   const struct stoa_json *paths)
{
    struct stoa_json *all = stoa_json_array(c->arena);

    for (const struct stoa_json *e = stoa_json_first(paths); e; e = stoa_json_next(e))
        stoa_json_push(all,
                       stoa_json_new_str(c->arena, below(c->arena, folder, stoa_json_str(e, ""))));
    return all;
}

/* Certificates and keys of this node's listeners. */
static void resolve_listen(struct config *c, struct stoa_json *json, const char *folder)
{
    struct stoa_json *node = stoa_json_copy(c->arena, stoa_json_get(json, "node"));
    struct stoa_json *listen = stoa_json_array(c->arena);

    for (const struct stoa_json *e = stoa_json_first(stoa_json_get(node, "listen")); e;
         e = stoa_json_next(e)) {
        struct stoa_json *one = stoa_json_push(listen, stoa_json_copy(c->arena, e));
        const struct stoa_json *certificate = stoa_json_get(e, "certificate"),
                               *key = stoa_json_get(e, "key");
        if (certificate && key) {
            stoa_json_set(one, "certificate", below_all(c, folder, certificate));
            stoa_json_set(one, "key", below_all(c, folder, key));
        }
    }
    stoa_json_set(node, "listen", listen);
    stoa_json_set(json, "node", node);
}

/* What a relative path is below: the file's own folder, and for --data the working directory. */
static void find_folders(struct config *c)
{
    char *whole = realpath(c->file, NULL), *here = c->data ? getcwd(NULL, 0) : NULL;

    c->folder = whole ? stoa_cstr(c->arena, stoa_str_of(dirname(whole))) : ".";
    c->here = here ? stoa_cstr(c->arena, stoa_str_of(here)) : ".";
    free(whole);
    free(here);
}

/* Folders become absolute: what is started later may have another working directory. */
static void resolve_folders(struct config *c, struct stoa_json *json,
                            const struct config_source *source)
{
    static const char *const relative[] = {"plugin_path", "theme_path", "migration_path"};
    stoa_str log = stoa_json_str(json, "log.file");

    for (uint32_t i = 0; i < sizeof(relative) / sizeof(*relative); i++) {
        stoa_str path = stoa_json_str(json, relative[i]);
        if (path.len > 0)
            stoa_json_set_str(json, relative[i], below(c->arena, c->folder, path));
    }
    if (log.len > 0) {
        struct stoa_json *all = stoa_json_copy(c->arena, stoa_json_get(json, "log"));
        stoa_json_set_str(all, "file", below(c->arena, c->folder, log));
        stoa_json_set(json, "log", all);
    }
    resolve_listen(c, json, c->folder);
    if (source->data)
        stoa_json_set_str(json, "data", below(c->arena, c->here, stoa_str_of(source->data)));
    else
        stoa_json_set_str(json, "data", below(c->arena, c->folder, stoa_json_str(json, "data")));
}

static struct stoa_json *edit_shop(struct config *c, struct stoa_json *json)
{
    return stoa_json_set(json, "shop", stoa_json_copy(c->arena, stoa_json_get(json, "shop")));
}

/* --listen moves the port of a loopback shop.url along, so that links in mails reach this instance.
 */
static void move_shop_url(struct config *c, struct stoa_json *json, const char *listen)
{
    const char *port = listen ? strrchr(listen, ':') : NULL;
    struct check_url url;

    if (!port || strcmp(port, ":0") == 0 ||
        !check_url_parse(stoa_json_str(json, "shop.url"), &url) || !check_is_loopback(url.host) ||
        !stoa_str_is(url.scheme, "http") || stoa_str_find(url.host, ':', 0) >= 0)
        return;
    stoa_json_set_str(edit_shop(c, json), "url",
                      stoa_concat(c->arena, STOA_STR("http://"), url.host, stoa_str_of(port)));
}

static void set_development(struct stoa_json *json)
{
    struct check_url url;

    if (!stoa_json_get(json, "development"))
        stoa_json_set_bool(json, "development",
                           check_url_parse(stoa_json_str(json, "shop.url"), &url) &&
                               check_is_loopback(url.host));
}

static stoa_err no_such_node(const struct config *c, const char *name,
                             const struct stoa_json *nodes, struct diag *diag)
{
    struct stoa_buf names;

    stoa_buf_init(&names, c->arena, 64);
    for (const struct stoa_json *e = stoa_json_first(nodes); e; e = stoa_json_next(e)) {
        stoa_buf_put(&names, names.len ? STOA_STR(", ") : STOA_STR(""));
        stoa_buf_put(&names, stoa_json_name(e));
    }
    config_locate(c, "nodes", diag);
    if (name)
        snprintf(diag->message, sizeof(diag->message), "there is no node '%.64s'", name);
    else
        snprintf(diag->message, sizeof(diag->message), "there are several nodes");
    diag_hint(diag, "say which one this is: --node NAME (%.*s)", (int)names.len, names.ptr);
    return STOA_E_CONFIG;
}

static void choose_all(struct config *c, struct stoa_json *json)
{
    struct stoa_json *node = stoa_json_set(json, "node", stoa_json_object(c->arena));

    stoa_json_set_str(node, "name", STOA_STR("all"));
    stoa_json_set_str(node, "run", STOA_STR("*"));
    stoa_json_set(node, "listen", stoa_json_array(c->arena));
    stoa_json_set_bool(node, "is_all", true);
}

/* "node" becomes a copy of the one that this process is. */
static stoa_err choose_node(struct config *c, struct stoa_json *json,
                            const struct config_source *source, struct diag *diag)
{
    const struct stoa_json *nodes = stoa_json_get(json, "nodes"), *chosen;
    const char *name = c->node;

    if (!name && source->is_all && stoa_json_count(nodes) > 1) {
        choose_all(c, json);
        return STOA_OK;
    }
    if (name)
        chosen = stoa_json_member(nodes, stoa_str_of(name));
    else if (stoa_json_count(nodes) == 1)
        chosen = stoa_json_first(nodes);
    else
        chosen = stoa_json_member(nodes, STOA_STR("all"));
    if (!chosen)
        return no_such_node(c, name, nodes, diag);

    stoa_str chosen_name = stoa_json_name(chosen);
    struct stoa_json *node = stoa_json_copy(c->arena, chosen);
    if (source->listen) {
        struct stoa_json *listen = stoa_json_array(c->arena);
        stoa_json_push(listen, stoa_json_new_str(c->arena, stoa_str_of(source->listen)));
        stoa_json_set(node, "listen", listen);
    }
    stoa_json_set(json, "node", node);
    stoa_json_set_str(node, "name", chosen_name);
    return STOA_OK;
}

static stoa_err read_text(struct config *c, struct diag *diag)
{
    stoa_err err = evaluate_read(c->arena, c->read, EVALUATE_FILE_MAX, &c->text);

    if (err == STOA_OK)
        return STOA_OK;
    if (err == STOA_E_NOT_FOUND)
        diag_set(diag, c->read, 0, 0, "there is no such file");
    else if (err == STOA_E_TOO_LARGE)
        diag_set(diag, c->file, 0, 0, "has more than %d KiB", EVALUATE_FILE_MAX / 1024);
    else
        diag_set(diag, c->file, 0, 0, "cannot be read");
    diag_hint(diag, "name the configuration with -c FILE");
    return STOA_E_CONFIG;
}

static void hash_text(struct config *c, stoa_str text)
{
    unsigned char digest[crypto_hash_sha256_BYTES];

    crypto_hash_sha256(digest, (const unsigned char *)text.ptr, text.len);
    hex_encode(digest, sizeof(digest), c->hash);
}

/* What the child says of a value begins with the value's path: gives it a place. Then the line that
 * *diag speaks of, for the caret. */
static void add_place(const struct config *c, struct diag *diag)
{
    stoa_str rest = stoa_str_of(diag->message);
    const struct scan_place *place = scan_find(c->scan, stoa_str_cut(&rest, ' '));

    if (!diag->line && place) {
        diag->line = place->line;
        diag->column = place->column;
    }
    stoa_str line = scan_line(c->text, diag->line);
    if (diag->line && line.len < sizeof(diag->source))
        snprintf(diag->source, sizeof(diag->source), "%.*s", (int)line.len,
                 line.len ? line.ptr : "");
}

/* The file is a pure function: the same text in the same process says the same. */
static bool take_last(struct config *c, const struct config *last)
{
    if (!last || !last->is_pure || !stoa_str_eq(last->text, c->text) ||
        strcmp(last->file, c->file) != 0)
        return false;
    c->evaluated = stoa_str_copy(c->arena, last->evaluated);
    c->is_pure = true;
    memcpy(c->hash, last->hash, sizeof c->hash);
    return true;
}

static bool take_kept(struct config *c, stoa_str evaluated)
{
    if (evaluated.len > 0)
        c->evaluated = stoa_str_copy(c->arena, evaluated);
    return evaluated.len > 0;
}

static stoa_err evaluate_anew(struct config *c, struct diag *diag)
{
    const struct evaluate_source source = {c->text, c->file};
    struct evaluate_result result;
    stoa_err err = evaluate_text(c->arena, &source, diag, &result);

    if (err != STOA_OK) {
        add_place(c, diag);
        return err;
    }
    c->evaluated = result.json;
    c->is_pure = result.is_pure;
    return STOA_OK;
}

static stoa_err evaluate(struct config *c, const struct config_source *source,
                         const struct stoa_json **ret, struct diag *diag)
{
    bool is_kept = take_kept(c, source->evaluated),
         is_last = !is_kept && take_last(c, source->last);
    struct stoa_json_error error;

    if (!is_kept && !is_last)
        STOA_TRY(evaluate_anew(c, diag));
    if (!is_last)
        hash_text(c, c->evaluated);
    if (stoa_json_parse(c->arena, c->evaluated, &error, ret) == STOA_OK)
        return STOA_OK;
    diag_set(diag, c->file, 0, 0, "is too much to take in: %s", error.reason);
    return STOA_E_CONFIG;
}

static stoa_err check_all(struct config *c, const struct stoa_json *given, struct diag *diag,
                          struct stoa_json **ret)
{
    struct check check = {.arena = c->arena,
                          .file = c->file,
                          .text = c->text,
                          .scan = c->scan,
                          .diag = diag,
                          .secrets = stoa_json_array(c->arena)};
    struct stoa_json *filled = check_fill(&check, given);

    if (check.problems == 0)
        check_relations(&check, filled);
    c->secret_paths = check.secrets;
    *ret = filled;
    return check_end(&check);
}

static stoa_err load(struct config *c, const struct config_source *source, struct diag *diag)
{
    const struct stoa_json *given;
    struct stoa_json *json;

    c->scan = scan_text(c->arena, c->text);
    STOA_TRY(evaluate(c, source, &given, diag));
    STOA_TRY(check_all(c, given, diag, &json));
    STOA_TRY(choose_node(c, json, source, diag));
    resolve_folders(c, json, source);
    move_shop_url(c, json, source->listen);
    set_development(json);
    c->json = json;
    return config_secrets_read(c, diag);
}

/* ---- The same as the last ---- */

static const char *keep(struct stoa_arena *arena, const char *text)
{
    return text ? stoa_cstr(arena, stoa_str_of(text)) : NULL;
}

static struct config *config_new(const struct config_source *source)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct config *c = stoa_new(arena, struct config);

    c->arena = arena;
    c->uses = 1;
    c->read = keep(arena, source->path);
    c->file = source->origin ? keep(arena, source->origin) : c->read;
    c->data = keep(arena, source->data);
    c->node = keep(arena, source->node ? source->node : getenv("STOA_NODE"));
    c->listen = keep(arena, source->listen);
    c->is_all = source->is_all;
    return c;
}

static bool is_same_word(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* c: its text and folders alone are known. All that goes into a configuration, but for files that
 * the text reads: with those it is not pure. */
static bool is_as_last(const struct config *c, const struct config_source *source)
{
    const struct config *last = source->last;

    return last && last->is_pure && source->evaluated.len == 0 &&
           stoa_str_eq(last->text, c->text) && is_same_word(last->file, c->file) &&
           is_same_word(last->folder, c->folder) && is_same_word(last->here, c->here) &&
           is_same_word(last->data, c->data) && is_same_word(last->node, c->node) &&
           is_same_word(last->listen, c->listen) && last->is_all == c->is_all &&
           config_secrets_are_same(last, c->arena);
}

/* Only whoever shares a configuration counts in it; what it says is immutable. */
static struct config *share(const struct config *config)
{
    struct config *shared = (struct config *)config;

    shared->uses++;
    return shared;
}

stoa_err config_load(const struct config_source *source, struct diag *diag, struct config **ret)
{
    struct config *c = config_new(source);
    stoa_err err = read_text(c, diag);
    bool is_shared = false;

    if (err == STOA_OK) {
        find_folders(c);
        is_shared = is_as_last(c, source);
        err = is_shared ? STOA_OK : load(c, source, diag);
    }
    if (err == STOA_OK)
        *ret = is_shared ? share(source->last) : c;
    if (err != STOA_OK || is_shared)
        config_destroy(c);
    return err;
}

stoa_err config_from_json(stoa_str json, struct config **ret)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct config *c = stoa_new(arena, struct config);

    c->arena = arena;
    c->uses = 1;
    c->file = c->read = "config.lua";
    c->scan = scan_text(arena, (stoa_str){0});
    if (stoa_json_parse(arena, stoa_str_copy(arena, json), NULL, &c->json) != STOA_OK) {
        stoa_arena_destroy(arena);
        return STOA_E_CONFIG;
    }
    *ret = c;
    return STOA_OK;
}

void config_destroy(struct config *config)
{
    if (!config || --config->uses > 0)
        return;
    config_secrets_wipe(config);
    stoa_arena_destroy(config->arena);
}
