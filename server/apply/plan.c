/* apply/plan.c: lists of names, compared. SPDX-License-Identifier: Apache-2.0 */
#include "apply/plan.h"

#include "call/wiring.h"
#include "route/route.h"
#include <stdio.h>

/* ---- Names that only one of two lists has ---- */

static bool has(const struct stoa_json *list, stoa_str text)
{
    for (const struct stoa_json *e = stoa_json_first(list); e; e = stoa_json_next(e))
        if (stoa_str_eq(stoa_json_str(e, ""), text))
            return true;
    return false;
}

static bool put_missing(const struct stoa_json *in, const struct stoa_json *of,
                        struct stoa_json *list, struct stoa_arena *arena)
{
    bool any = false;

    for (const struct stoa_json *e = stoa_json_first(of); e; e = stoa_json_next(e))
        if (!has(in, stoa_json_str(e, ""))) {
            stoa_json_push(list, stoa_json_copy(arena, e));
            any = true;
        }
    return any;
}

struct names {
    const struct stoa_json *from, *to;
};

static bool put_difference(struct stoa_json *object, const char *key, struct names names,
                           struct stoa_arena *arena)
{
    struct stoa_json *change = stoa_json_object(arena);
    struct stoa_json *added = stoa_json_set(change, "added", stoa_json_array(arena));
    struct stoa_json *removed = stoa_json_set(change, "removed", stoa_json_array(arena));
    bool any = put_missing(names.from, names.to, added, arena);

    any = put_missing(names.to, names.from, removed, arena) || any;
    stoa_json_set(object, key, change);
    return any;
}

static const struct generation *find(const struct world *w, const char *name)
{
    int32_t index = world_find(w, (stoa_str){name, strlen(name)});

    return index < 0 ? NULL : w->generations[index];
}

static void put_routes(struct stoa_json *list, const struct generation *g, struct stoa_arena *arena)
{
    char text[512];

    for (uint32_t i = 0; i < g->desc.routes.count; i++) {
        struct stoa_route r;
        span_read(&g->desc.routes, i, &r, sizeof r);
        snprintf(text, sizeof text, "%s %s (%s)", route_method_name(r.method), r.path, g->name);
        stoa_json_push(list, stoa_json_new_str(arena, stoa_str_copy(arena, stoa_str_of(text))));
    }
}

/* But for those of the generations that the other world has, too. */
static const struct stoa_json *routes_of(const struct world *w, const struct world *other,
                                         struct stoa_arena *arena)
{
    struct stoa_json *list = stoa_json_array(arena);

    for (uint32_t p = 0; p < w->plugins; p++)
        if (find(other, w->generations[p]->name) != w->generations[p])
            put_routes(list, w->generations[p], arena);
    return list;
}

static const struct stoa_json *jobs_of(const struct world *w, struct stoa_arena *arena)
{
    struct stoa_json *list = stoa_json_array(arena);

    for (uint32_t i = 0; i < w->wiring->job_count; i++)
        stoa_json_push(
            list,
            stoa_json_new_str(arena, stoa_str_copy(arena, stoa_str_of(w->wiring->jobs[i].name))));
    return list;
}

/* ---- Plugins ---- */

static struct stoa_json *bits(const struct generation *g, struct stoa_arena *arena)
{
    struct stoa_json *one = stoa_json_object(arena);

    stoa_json_set_str(one, "version", stoa_str_copy(arena, stoa_str_of(g->version)));
    stoa_json_set_str(one, "sha256", stoa_str_copy(arena, stoa_str_of(g->sha256)));
    return one;
}

static struct stoa_json *put_plugin(struct stoa_json *list, const struct generation *g,
                                    const char *change, struct stoa_arena *arena)
{
    struct stoa_json *one = stoa_json_push(list, stoa_json_object(arena));

    stoa_json_set_str(one, "name", stoa_str_copy(arena, stoa_str_of(g->name)));
    stoa_json_set_str(one, "change", stoa_str_of(change));
    return one;
}

static bool put_plugins(const struct world *from, const struct world *to, struct stoa_json *list,
                        struct stoa_arena *arena)
{
    for (uint32_t p = 0; p < to->plugins; p++) {
        const struct generation *g = to->generations[p], *old = find(from, g->name);
        struct stoa_json *one;
        if (old && strcmp(old->sha256, g->sha256) == 0)
            continue;
        one = put_plugin(list, g, old ? "changed" : "added", arena);
        if (old)
            stoa_json_set(one, "from", bits(old, arena));
        stoa_json_set(one, "to", bits(g, arena));
    }
    for (uint32_t p = 0; p < from->plugins; p++)
        if (!find(to, from->generations[p]->name))
            stoa_json_set(put_plugin(list, from->generations[p], "removed", arena), "from",
                          bits(from->generations[p], arena));
    return stoa_json_count(list) > 0;
}

/* ---- Placements and grants ---- */

static stoa_str place_of(const struct generation *g)
{
    return g->is_confined ? STOA_STR("sandbox") : STOA_STR("process");
}

static void put_move(struct stoa_json *list, const char *plugin, stoa_str from, stoa_str to,
                     struct stoa_arena *arena)
{
    struct stoa_json *one = stoa_json_push(list, stoa_json_object(arena));

    stoa_json_set_str(one, "plugin", stoa_str_copy(arena, stoa_str_of(plugin)));
    stoa_json_set_str(one, "from", stoa_str_copy(arena, from));
    stoa_json_set_str(one, "to", stoa_str_copy(arena, to));
}

/* A grant that the manifest asks for counts where nothing else is said. */
static stoa_str grants_of(const struct generation *g)
{
    return stoa_str_of(g->is_confined ? g->granted : g->capabilities);
}

static bool put_moves(const struct world *from, const struct world *to, struct stoa_json *object,
                      struct stoa_arena *arena)
{
    struct stoa_json *places = stoa_json_set(object, "placements", stoa_json_array(arena));
    struct stoa_json *grants = stoa_json_set(object, "grants", stoa_json_array(arena));

    for (uint32_t p = 0; p < to->plugins; p++) {
        const struct generation *g = to->generations[p], *old = find(from, g->name);
        stoa_str now = place_of(g);
        stoa_str before = old ? place_of(old) : (stoa_str){0};
        if (!stoa_str_eq(now, before))
            put_move(places, g->name, before, now, arena);
        before = old ? grants_of(old) : (stoa_str){0};
        if (!stoa_str_eq(grants_of(g), before))
            put_move(grants, g->name, before, grants_of(g), arena);
    }
    return stoa_json_count(places) + stoa_json_count(grants) > 0;
}

/* ---- Settings: compared as they are, shown with secrets masked ---- */

struct side {
    const struct stoa_json *plain, *masked;
};
struct settings {
    const struct config *from, *to;
    struct stoa_json *list;
    struct stoa_arena *arena;
};

static struct side member(struct side side, stoa_str name)
{
    return (struct side){stoa_json_member(side.plain, name), stoa_json_member(side.masked, name)};
}

static stoa_str text_of(const struct stoa_json *json, struct stoa_arena *arena)
{
    struct stoa_buf out;

    stoa_buf_init(&out, arena, 64);
    if (json)
        stoa_json_format(json, &out);
    return stoa_buf_str(&out);
}

static void put_setting(struct settings *s, const char *path, struct side from, struct side to)
{
    struct stoa_json *one;

    if (stoa_str_eq(text_of(from.plain, s->arena), text_of(to.plain, s->arena)) &&
        config_is_same(s->from, s->to, path))
        return;
    one = stoa_json_push(s->list, stoa_json_object(s->arena));
    stoa_json_set_str(one, "path", stoa_str_copy(s->arena, stoa_str_of(path)));
    if (from.masked)
        stoa_json_set(one, "from", stoa_json_copy(s->arena, from.masked));
    if (to.masked)
        stoa_json_set(one, "to", stoa_json_copy(s->arena, to.masked));
}

static bool is_object(const struct stoa_json *json)
{
    return json && stoa_json_type(json) == STOA_JSON_OBJECT;
}

/* A secret's handle is an object that is masked to a string: it is shown as a whole. */
static bool is_group(struct side side)
{
    return is_object(side.plain) && is_object(side.masked);
}

static void compare(struct settings *s, const char *path, struct side from, struct side to);

static void compare_members(struct settings *s, const char *path, struct side from, struct side to)
{
    char deeper[400];

    for (const struct stoa_json *e = stoa_json_first(to.plain); e; e = stoa_json_next(e)) {
        stoa_str name = stoa_json_name(e);
        snprintf(deeper, sizeof deeper, "%s%s%.*s", path, *path ? "." : "", (int)name.len,
                 name.ptr);
        compare(s, deeper, member(from, name), member(to, name));
    }
    for (const struct stoa_json *e = stoa_json_first(from.plain); e; e = stoa_json_next(e)) {
        stoa_str name = stoa_json_name(e);
        snprintf(deeper, sizeof deeper, "%s%s%.*s", path, *path ? "." : "", (int)name.len,
                 name.ptr);
        if (!stoa_json_member(to.plain, name))
            compare(s, deeper, member(from, name), (struct side){NULL, NULL});
    }
}

static void compare(struct settings *s, const char *path, struct side from, struct side to)
{
    if (is_group(from) && is_group(to))
        compare_members(s, path, from, to);
    else
        put_setting(s, path, from, to);
}

static const struct stoa_json *masked(const struct config *config, struct stoa_arena *arena)
{
    const struct stoa_json *json = NULL;
    struct stoa_buf out;

    stoa_buf_init(&out, arena, 16384);
    config_print(config, &out);
    if (stoa_json_parse(arena, stoa_buf_str(&out), NULL, &json) != STOA_OK)
        return NULL;
    return json;
}

static bool put_settings(const struct config *from, const struct config *to, struct stoa_json *list,
                         struct stoa_arena *arena)
{
    struct settings s = {from, to, list, arena};

    if (config_is_same(from, to, ""))
        return false;
    compare(&s, "", (struct side){config_json(from), masked(from, arena)},
            (struct side){config_json(to), masked(to, arena)});
    return stoa_json_count(list) > 0;
}

void plan_compare(const struct world *from, const struct world *to, struct stoa_json *object,
                  struct stoa_arena *arena)
{
    struct stoa_json *plugins = stoa_json_set(object, "plugins", stoa_json_array(arena));
    struct stoa_json *settings = stoa_json_set(object, "settings", stoa_json_array(arena));
    bool any = put_plugins(from, to, plugins, arena);

    any = put_moves(from, to, object, arena) || any;
    any = put_settings(from->config, to->config, settings, arena) || any;
    any = put_difference(object, "routes",
                         (struct names){routes_of(from, to, arena), routes_of(to, from, arena)},
                         arena) ||
          any;
    any = put_difference(object, "jobs", (struct names){jobs_of(from, arena), jobs_of(to, arena)},
                         arena) ||
          any;
    stoa_json_set_bool(object, "changes", any);
}
