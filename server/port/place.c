/* port/place.c: a plugin into a sandbox: limits and grants from the configuration, a first life,
 * and a descriptor with the host's own functions in the place of the plugin's.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "plugin/settings.h"
#include "plugin/world.h"
#include "port/confine.h"
#include "port/describe.h"
#include "port/grants.h"
#include "port/lane.h"
#include "port/port.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PLACE_PATH = 96 };

static const char *path_of(char ret[PLACE_PATH], const char *plugin, const char *key)
{
    snprintf(ret, PLACE_PATH, "plugins.%s.%s", plugin, key);
    return ret;
}

static struct sandbox_limits read_limits(const struct config *config, const char *plugin)
{
    char path[PLACE_PATH];

    return (struct sandbox_limits){
        .memory = (uint64_t)config_int(config, path_of(path, plugin, "sandbox.memory")),
        .cpu_ms = (uint32_t)config_int(config, path_of(path, plugin, "sandbox.cpu")),
        .in_flight = (uint32_t)config_int(config, path_of(path, plugin, "sandbox.in_flight")),
        .effects = (uint32_t)config_int(config, path_of(path, plugin, "sandbox.effects")),
        .best_effort = config_bool(config, path_of(path, plugin, "sandbox.best_effort")),
    };
}

/* ---- Grants ---- */

static stoa_err refuse_grant(const struct config *config, const struct generation *g,
                             stoa_str missing, struct diag *diag)
{
    char path[PLACE_PATH];

    config_problem(config, path_of(path, g->name, "grant"), diag,
                   "plugin '%s' needs '%.*s', which it is not granted", g->name, (int)missing.len,
                   missing.ptr);
    diag_hint(diag, "if you trust it with that: grant = { …, \"%.*s\" }", (int)missing.len,
              missing.ptr);
    return STOA_E_CONFIG;
}

/* What is there because of its crashes had more than that in the server's process. */
static void believe(struct generation *g, const struct world_options *o)
{
    stoa_str why = sandbox_reason(o, g->name, g->is_ours);

    snprintf(g->why_confined, sizeof g->why_confined, "%.*s", (int)why.len, why.ptr);
    g->is_trusted =
        sandbox_demotion(o, g->name) || sandbox_is_trusted(o->config, g->name, g->is_ours);
}

/* What it gets is what its manifest asks for: all of that must be granted, nothing else counts. */
static stoa_err read_grants(struct generation *g, const struct config *config, struct diag *diag)
{
    const struct stoa_json *plugins = stoa_json_get(config_json(config), "plugins");
    const struct stoa_json *own = stoa_json_member(plugins, stoa_str_of(g->name));
    const struct stoa_json *list = stoa_json_member(own, STOA_STR("grant"));
    struct stoa_arena *arena = stoa_arena_create();
    stoa_str missing = {0};
    struct stoa_buf words;
    bool all;

    stoa_buf_init(&words, arena, 256);
    for (const struct stoa_json *e = stoa_json_first(list); e; e = stoa_json_next(e)) {
        stoa_buf_put(&words, stoa_json_str(e, ""));
        stoa_buf_char(&words, ' ');
    }
    all = (!list && g->is_trusted) ||
          grants_cover_all(stoa_buf_str(&words), stoa_str_of(g->capabilities), &missing);
    snprintf(g->granted, sizeof g->granted, "%s", g->capabilities);
    stoa_err err = all ? STOA_OK : refuse_grant(config, g, missing, diag);
    stoa_arena_destroy(arena);
    return err;
}

static stoa_err refuse_undeclared(const struct generation *g, const char *kind, const char *name,
                                  struct diag *diag)
{
    diag_set(diag, g->name, 0, 0, "it does '%s:%s', which its manifest does not say", kind, name);
    diag_hint(diag, "this is the plugin author's mistake; correct it in STOA_MANIFEST");
    return STOA_E_PLUGIN;
}

/* What a plugin hears and provides works without a question that could be refused. */
static stoa_err check_wiring(const struct generation *g, struct diag *diag)
{
    stoa_str granted = stoa_str_of(g->granted);

    for (uint32_t i = 0; i < g->desc.hears.count; i++) {
        const struct stoa_hear *h = &((const struct stoa_hear *)g->desc.hears.ptr)[i];
        if (h->event && !grants_cover(granted, "events", stoa_str_of(h->event)))
            return refuse_undeclared(g, "events", h->event, diag);
    }
    for (uint32_t i = 0; i < g->desc.provides.count; i++) {
        const struct stoa_provide *p = &((const struct stoa_provide *)g->desc.provides.ptr)[i];
        if (p->point && !grants_cover(granted, "provide", stoa_str_of(p->point)))
            return refuse_undeclared(g, "provide", p->point, diag);
    }
    return STOA_OK;
}

/* ---- What the child is told ---- */

static uint32_t left_out(void)
{
    return (fault_point("sandbox.no_landlock") != STOA_OK ? CONFINE_LANDLOCK : 0) |
           (fault_point("sandbox.no_seccomp") != STOA_OK ? CONFINE_SECCOMP : 0);
}

static void keep_start(struct sandbox *box, const struct config *config)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct stoa_buf out;

    stoa_buf_init(&out, arena, 512);
    put_u32(&out, CONTROL_START);
    put_str(&out, stoa_str_of(box->name));
    put_u32(&out, box->loops);
    put_i64(&out, (int64_t)box->limits.memory);
    put_u32(&out, left_out());
    put_u32(&out, fault_any_armed);
    put_str(&out, config_str(config, "shop.name"));
    put_str(&out, config_str(config, "shop.url"));
    put_str(&out, config_str(config, "shop.currency"));
    put_u32(&out, config_bool(config, "development"));
    box->start = malloc(out.len);
    stoa_assert(box->start);
    memcpy(box->start, out.ptr, out.len);
    box->start_len = out.len;
    stoa_arena_destroy(arena);
}

/* Its own settings and nothing else: what the host reads of the table is not its business. */
static void put_table(struct stoa_buf *out, const struct generation *g, const struct config *config,
                      const char *path)
{
    const struct stoa_json *given = settings_table(config, path, &g->desc.settings, out->arena);
    struct stoa_json *own = stoa_json_object(out->arena);

    for (uint32_t i = 0; i < g->desc.settings.count; i++) {
        const char *name = ((const struct stoa_setting *)g->desc.settings.ptr)[i].name;
        const struct stoa_json *value = stoa_json_member(given, stoa_str_of(name));
        if (value)
            stoa_json_set(own, name, stoa_json_copy(out->arena, value));
    }
    put_u32(out, CONTROL_CREATE);
    put_json(out, own);
}

/* ---- Opening ---- */

static struct sandbox *make(const struct generation *g, const struct world_options *o)
{
    struct sandbox *box = calloc(1, sizeof *box);

    stoa_assert(box);
    snprintf(box->name, sizeof box->name, "%s", g->name);
    box->generation = g->number;
    box->limits = read_limits(o->config, g->name);
    box->loops = o->loops;
    box->refs = 1; /* place_close() gives it back */
    box->arena = stoa_arena_create();
    box->bits_fd = fcntl(g->fd, F_DUPFD_CLOEXEC, 0);
    box->pidfd = box->control_fd = box->words_fd = -1;
    memset(box->ends, -1, sizeof box->ends);
    for (uint32_t i = 0; i < box->loops; i++)
        box->lanes[i] = lane_create(box, i);
    keep_start(box, o->config);
    return box;
}

static stoa_err check_confined(const struct sandbox *box, struct diag *diag)
{
    const char *missing = !(box->reached & CONFINE_LANDLOCK)  ? "landlock"
                          : !(box->reached & CONFINE_SECCOMP) ? "seccomp"
                                                              : NULL;

    if (!missing || !confine_is_possible())
        return STOA_OK;
    if (box->limits.best_effort) {
        log_warn("sandbox", "a plugin is confined in part only",
                 stoa_f("plugin", stoa_z(box->name)), stoa_f("missing", stoa_z(missing)));
        return STOA_OK;
    }
    diag_set(diag, box->name, 0, 0, "this machine's kernel cannot confine it: there is no %s",
             missing);
    diag_hint(diag, "sandbox = { best_effort = true } runs it all the same, less confined");
    return STOA_E_PLUGIN;
}

static stoa_err take_description(struct generation *g, struct diag *diag)
{
    struct sandbox *box = g->sandbox;
    struct decoder in = {.arena = box->arena, .rest = {box->description, box->description_len}};
    bool has_cool;

    get_description(&in, &g->desc, &has_cool);
    if (in.broken) {
        diag_set(diag, g->name, 0, 0, "its sandbox describes no plugin that fits this host");
        return STOA_E_PLUGIN;
    }
    g->desc.create = lane_instance;
    g->desc.cool = has_cool ? lane_cool : NULL;
    return STOA_OK;
}

static stoa_err give_settings(struct generation *g, const struct config *config, struct diag *diag)
{
    struct stoa_arena *arena = stoa_arena_create();
    char path[PLACE_PATH];
    struct stoa_buf table;
    stoa_err err;

    snprintf(path, sizeof path, "plugins.%s", g->name);
    err = settings_create(config, path, &g->desc.settings, diag, &g->settings);
    stoa_buf_init(&table, arena, 1024);
    put_table(&table, g, config, path);
    if (err == STOA_OK && table.len > CONTROL_MAX / 2) {
        config_problem(config, path, diag, "settings of a sandboxed plugin have at most 64 KiB");
        err = STOA_E_CONFIG;
    }
    if (err == STOA_OK)
        err = keeper_create(g->sandbox, stoa_buf_str(&table), diag);
    stoa_arena_destroy(arena);
    return err;
}

/* It runs on other nodes: here its tables are all that is wanted. The child that has read them
 * ends, and none follows; nothing of a plugin that is not trusted is mapped for that either. */
static stoa_err know_only(struct generation *g, const struct config *config, struct diag *diag)
{
    char path[PLACE_PATH];

    keeper_close(g->sandbox);
    snprintf(path, sizeof path, "plugins.%s", g->name);
    return settings_create(config, path, &g->desc.settings, diag, &g->settings);
}

/* generation_close() ends what a failed step leaves. */
static stoa_err place_open(struct generation *g, const struct world_options *o, struct diag *diag)
{
    believe(g, o);
    STOA_TRY(read_grants(g, o->config, diag));
    g->sandbox = make(g, o);
    STOA_TRY(keeper_start(g->sandbox, diag));
    STOA_TRY(check_confined(g->sandbox, diag));
    STOA_TRY(take_description(g, diag));
    STOA_TRY(check_wiring(g, diag));
    if (!world_runs_here(o->config, stoa_str_of(g->name)))
        return know_only(g, o->config, diag);
    return give_settings(g, o->config, diag);
}

static void place_close(struct sandbox *sandbox)
{
    if (!sandbox)
        return;
    keeper_close(sandbox);
    keeper_release(sandbox);
}

static const char *state_name(enum sandbox_state state)
{
    return state == SANDBOX_UP ? "up" : state == SANDBOX_DOWN ? "down" : "starting";
}

static bool place_is_well(struct sandbox *sandbox)
{
    bool ret;

    keeper_lock();
    ret = sandbox->state == SANDBOX_UP && sandbox->life == 1;
    keeper_unlock();
    return ret;
}

static void place_status(struct sandbox *sandbox, struct stoa_json *object,
                         struct stoa_arena *arena)
{
    keeper_lock();
    circuit_look(&sandbox->circuit, clock_monotonic_ms());
    stoa_json_set_str(object, "state", stoa_str_of(state_name(sandbox->state)));
    stoa_json_set_str(object, "circuit", stoa_str_of(circuit_name(sandbox->circuit.state)));
    stoa_json_set_int(object, "pid", sandbox->pid);
    stoa_json_set_int(object, "deaths", (int64_t)sandbox->deaths);
    stoa_json_set_str(object, "last_death", stoa_str_copy(arena, stoa_str_of(sandbox->why)));
    stoa_json_set_bool(object, "landlock", sandbox->reached & CONFINE_LANDLOCK);
    stoa_json_set_bool(object, "seccomp", sandbox->reached & CONFINE_SECCOMP);
    keeper_unlock();
}

const struct sandbox_ops port_sandbox = {.port = &port_wire,
                                         .open = place_open,
                                         .close = place_close,
                                         .is_well = place_is_well,
                                         .status = place_status};
