/* plugin/world.c: built whole, published with one pointer per loop. SPDX-License-Identifier:
 * Apache-2.0 */
#include "plugin/world.h"

#include "base/fault.h"
#include "base/log.h"
#include "loop/loop.h"
#include "plugin/trial.h"
#include "plugin/trust.h"
#include <fenv.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Each loop's own pointer: publishing on one loop does not disturb another. */
static __thread struct world *in_force;

/* Which file is to be loaded. */
struct wanted {
    const char *name;
    char path[PATH_MAX];
    stoa_str sha256; /* that it must have; empty: any */
    bool has_served;
    bool was_shipped; /* of a kept copy, whose folder tells nothing any more */
};

/* A plugin is a file, or a package: a folder of its name. */
static bool find_in(const char *folder, const char *name, char ret[PATH_MAX])
{
    if (snprintf(ret, PATH_MAX, "%s/%s/%s.so", folder, name, name) < PATH_MAX &&
        access(ret, F_OK) == 0)
        return true;
    return snprintf(ret, PATH_MAX, "%s/%s.so", folder, name) < PATH_MAX && access(ret, F_OK) == 0;
}

/* The operator's folder holds what did not come with the binary, so the rest need not be copied. */
static void find_installed(const struct world_options *o, struct wanted *ret)
{
    char shipped[PATH_MAX], path[PATH_MAX];

    if (find_in(o->plugin_path, ret->name, ret->path))
        return;
    trust_shipped_folder(shipped);
    if (find_in(shipped, ret->name, path))
        memcpy(ret->path, path, sizeof path);
}

/* False: these are not files for it. */
static bool find_kept(const struct stoa_json *files, struct wanted *ret)
{
    const struct stoa_json *file = stoa_json_member(files, stoa_str_of(ret->name));
    stoa_str path = stoa_json_str(file, "path");

    snprintf(ret->path, PATH_MAX, "%.*s", (int)path.len, path.len ? path.ptr : "");
    ret->sha256 = stoa_json_str(file, "sha256");
    ret->was_shipped = stoa_json_true(file, "shipped");
    return path.len > 0;
}

/* A sandbox is its own trial: nothing of the plugin runs anywhere else. */
static stoa_err place_or_map(struct plugin_bits *bits, const struct world_options *o,
                             struct diag *diag, struct generation **ret)
{
    if (o->sandbox && sandbox_reason(o, bits->name, bits->is_ours).ptr)
        return generation_place(bits, o, diag, ret);
    STOA_TRY(trial_run(bits, o->config, diag));
    return generation_map(bits, o->config, diag, ret);
}

/* What lies in the data folder may have been damaged there, or changed. */
static stoa_err check_kept(const struct plugin_bits *bits, stoa_str sha256, struct diag *diag)
{
    if (sha256.len == 0 || stoa_str_is(sha256, bits->sha256))
        return STOA_OK;
    diag_set(diag, bits->path, 0, 0, "it is not what was kept: its SHA-256 is %s", bits->sha256);
    diag_hint(diag, "bring it back from a backup; `stoa apply` takes the plugin that is installed");
    return STOA_E_PLUGIN;
}

static stoa_err read_bits(const struct wanted *wanted, const struct world_options *o,
                          struct diag *diag, struct plugin_bits *ret)
{
    stoa_err err = plugin_bits_read(wanted->path, diag, ret);

    if (err != STOA_OK)
        return err;
    ret->is_ours = wanted->was_shipped;
    ret->has_served = wanted->has_served;
    err = check_kept(ret, wanted->sha256, diag);
    if (err != STOA_OK)
        plugin_bits_close(ret);
    return err;
}

static bool is_same_at(const struct world_options *o, const char *path)
{
    return config_is_same(o->config, o->choice.last->config, path);
}

/* An apply finds most plugins as it left them: these need not be read. A file that was moved has
 * another ctime. */
static bool recall_bits(const struct wanted *wanted, const struct world_options *o,
                        struct plugin_bits *ret)
{
    int32_t index = o->choice.last ? world_find(o->choice.last, stoa_str_of(wanted->name)) : -1;
    const struct generation *g = index < 0 ? NULL : o->choice.last->generations[index];

    if (!g || !plugin_bits_recall(wanted->path, &g->file, g->sha256, ret))
        return false;
    ret->is_placed = is_same_at(o, "plugin_path");
    ret->is_shipped = g->is_shipped;
    return true;
}

/* The copy that was kept, or the very same bits from where plugins are installed. */
static stoa_err read_chosen(struct wanted *wanted, const struct world_options *o, struct diag *diag,
                            struct plugin_bits *ret)
{
    bool is_kept = find_kept(o->choice.files, wanted);
    struct diag ignored = {0};
    stoa_err err;

    wanted->has_served = is_kept && o->choice.files_have_served;
    if (!is_kept) {
        find_installed(o, wanted);
        if (recall_bits(wanted, o, ret))
            return STOA_OK;
    }
    err = read_bits(wanted, o, diag, ret);
    if (err == STOA_OK || !is_kept)
        return err;
    find_installed(o, wanted);
    if (read_bits(wanted, o, &ignored, ret) != STOA_OK)
        return err;
    log_warn("plugins", "a kept copy is bad, and the installed file the same as it was",
             stoa_f("plugin", stoa_z(wanted->name)), stoa_f("why", stoa_z(diag->message)));
    return STOA_OK;
}

static stoa_err check_trust(struct plugin_bits *bits, const struct world_options *o,
                            struct diag *diag)
{
    STOA_TRY(trust_check(stoa_json_get(config_json(o->config), "trust"), bits, diag));
    bits->is_ours = bits->is_ours || bits->is_shipped;
    return STOA_OK;
}

static stoa_err make_generation(struct plugin_bits *bits, const char *name,
                                const struct world_options *o, struct diag *diag,
                                struct generation **ret)
{
    struct wanted again = {.name = name};

    memcpy(again.path, bits->path, sizeof again.path);
    if (!bits->bytes)
        STOA_TRY(read_bits(&again, o, diag, bits));
    STOA_TRY(plugin_bits_judge(bits, name, diag));
    STOA_TRY(check_trust(bits, o, diag));
    return place_or_map(bits, o, diag, ret);
}

/* ---- What nothing has touched is shared with the world before ---- */

/* In a sandbox what the child is told of the shop counts, too, and that there is one: where the
 * plugin runs elsewhere there is none (port/place.c). */
static bool is_placed_alike(const struct generation *g, const struct world_options *o)
{
    stoa_str name = stoa_str_of(g->name),
             why = o->sandbox ? sandbox_reason(o, g->name, g->is_ours) : (stoa_str){0};

    if (!g->sandbox || !why.ptr)
        return !g->sandbox && !why.ptr;
    return stoa_str_is(why, g->why_confined) &&
           world_runs_here(o->config, name) == world_runs_here(o->choice.last->config, name) &&
           is_same_at(o, "shop") && is_same_at(o, "development") && is_same_at(o, "port") &&
           is_same_at(o, "trust.all");
}

/* An apply is to find out what does not work: a child that has died is not taken over, but made and
 * warmed anew. Elsewhere there is none. */
static bool is_well(const struct generation *g, const struct world_options *o)
{
    return !g->sandbox || !world_runs_here(o->config, stoa_str_of(g->name)) ||
           g->placed->is_well(g->sandbox);
}

/* All that reaches a generation beside its bits. */
static bool is_untouched(const struct generation *g, const struct world_options *o)
{
    char path[64];

    snprintf(path, sizeof path, "plugins.%s", g->name);
    return is_same_at(o, path) && is_placed_alike(g, o) && is_well(g, o);
}

/* The generation of the last world with these bits, if it may serve on; NULL otherwise. */
static struct generation *find_last(const struct plugin_bits *bits, const char *name,
                                    const struct world_options *o)
{
    int32_t index = o->choice.last ? world_find(o->choice.last, stoa_str_of(name)) : -1;
    struct generation *g = index < 0 ? NULL : o->choice.last->generations[index];

    if (!g || g->left_out || strcmp(g->sha256, bits->sha256) != 0 || !is_untouched(g, o))
        return NULL;
    return g;
}

/* Whom the plugin comes from can change without its bits. */
static bool is_as_trusted(const struct generation *g, const struct plugin_bits *bits)
{
    return g->is_shipped == bits->is_shipped && g->is_ours == bits->is_ours &&
           strcmp(g->signer, bits->signer) == 0 && strcmp(g->signature, bits->signature) == 0;
}

static stoa_err share_or_make(struct plugin_bits *bits, const char *name,
                              const struct world_options *o, struct diag *diag,
                              struct generation **ret)
{
    struct generation *last = find_last(bits, name, o);

    if (last) {
        STOA_TRY(check_trust(bits, o, diag));
        if (is_as_trusted(last, bits)) {
            last->file = bits->file;
            *ret = generation_share(last);
            return STOA_OK;
        }
    }
    return make_generation(bits, name, o, diag, ret);
}

/* Ends bits. */
static stoa_err open_generation(struct plugin_bits *bits, const char *name,
                                const struct world_options *o, struct diag *diag,
                                struct generation **ret)
{
    stoa_err err = share_or_make(bits, name, o, diag, ret);

    plugin_bits_close(bits);
    return err;
}

static void leave_out(struct world *w, struct generation *g, stoa_str why)
{
    g->left_out = stoa_cstr(w->arena, why);
    log_error("plugins", "a plugin is left out: its routes answer 503",
              stoa_f("plugin", stoa_z(g->name)), stoa_f("why", stoa_s(why)));
}

static void read_left_out(struct world *w, const struct world_options *o, struct generation *g)
{
    for (const struct stoa_json *e = stoa_json_first(o->choice.left_out); e; e = stoa_json_next(e))
        if (stoa_str_is(stoa_json_str(e, "plugin"), g->name) && !sandbox_demotion(o, g->name))
            leave_out(w, g, stoa_json_str(e, "why"));
}

/* Of a plugin whose file is bad the copy that once served tells the routes. */
static stoa_err open_kept(struct world *w, const struct world_options *o, const char *name,
                          const struct diag *bad)
{
    struct generation **ret = &w->generations[w->plugins];
    struct wanted kept = {.name = name};
    struct plugin_bits bits;
    struct stoa_buf why;
    struct diag ignored;

    if (!find_kept(o->choice.kept, &kept) || read_bits(&kept, o, &ignored, &bits) != STOA_OK ||
        open_generation(&bits, name, o, &ignored, ret) != STOA_OK)
        return STOA_E_PLUGIN;
    stoa_buf_init(&why, w->arena, 512);
    diag_format(bad, &why);
    leave_out(w, *ret, stoa_buf_str(&why));
    return STOA_OK;
}

/* It crashes in the server's process and cannot be put into a sandbox: its routes are known. */
static stoa_err open_unplaced(struct world *w, const struct world_options *o, const char *name,
                              struct diag *diag)
{
    struct generation **ret = &w->generations[w->plugins];
    struct world_options unplaced = *o;
    struct wanted wanted = {.name = name};
    struct plugin_bits bits;
    struct stoa_buf why;

    unplaced.choice.left_out = NULL;
    stoa_buf_init(&why, w->arena, 512);
    stoa_buf_put(&why, stoa_json_str(sandbox_demotion(o, name), "why"));
    stoa_buf_put(&why, STOA_STR("; in a sandbox: "));
    stoa_buf_put(&why, stoa_str_of(diag->message));
    STOA_TRY(read_chosen(&wanted, &unplaced, diag, &bits));
    STOA_TRY(open_generation(&bits, name, &unplaced, diag, ret));
    leave_out(w, *ret, stoa_buf_str(&why));
    return STOA_OK;
}

static stoa_err open_left_out(struct world *w, const struct world_options *o, const char *name,
                              struct diag *diag)
{
    if (sandbox_demotion(o, name) && open_unplaced(w, o, name, diag) == STOA_OK)
        return STOA_OK;
    return open_kept(w, o, name, diag);
}

static void read_limits(struct generation *g, const struct config *config)
{
    char path[64];

    snprintf(path, sizeof path, "plugins.%s.events", g->name);
    if (g->uses == 1) /* a shared one has the same, and serves */
        g->events_max = (uint32_t)config_int(config, path);
}

static stoa_err open_plugin(struct world *w, const struct world_options *o, stoa_str name,
                            struct diag *diag)
{
    char own_name[32];
    struct wanted wanted = {.name = own_name};
    struct plugin_bits bits;
    stoa_err err;

    if (w->plugins == WORLD_PLUGINS_MAX || name.len >= sizeof own_name) {
        diag_set(diag, "config.lua", 0, 0, "more than %d plugins", WORLD_PLUGINS_MAX);
        return STOA_E_CONFIG;
    }
    snprintf(own_name, sizeof own_name, "%.*s", (int)name.len, name.ptr);
    err = read_chosen(&wanted, o, diag, &bits);
    if (err == STOA_OK)
        err = open_generation(&bits, own_name, o, diag, &w->generations[w->plugins]);
    if (err == STOA_OK)
        read_left_out(w, o, w->generations[w->plugins]);
    else if (open_left_out(w, o, own_name, diag) != STOA_OK)
        return err;
    read_limits(w->generations[w->plugins], o->config);
    w->plugins++;
    return STOA_OK;
}

/* node.run is "*" or a list of names; plugins = {…} is in sorted order. */
bool world_runs_here(const struct config *config, stoa_str name)
{
    const struct stoa_json *run = stoa_json_get(config_json(config), "node.run");

    if (stoa_json_type(run) != STOA_JSON_ARRAY)
        return true;
    for (const struct stoa_json *e = stoa_json_first(run); e; e = stoa_json_next(e))
        if (stoa_str_eq(stoa_json_str(e, ""), name))
            return true;
    return false;
}

/* With one node there is nobody else who could run it. */
static bool is_known(const struct config *config, stoa_str name)
{
    return world_runs_here(config, name) ||
           stoa_json_count(stoa_json_get(config_json(config), "nodes")) > 1;
}

static stoa_err open_plugins(struct world *w, const struct world_options *o, struct diag *diag)
{
    const struct stoa_json *plugins = stoa_json_get(config_json(o->config), "plugins");

    for (const struct stoa_json *p = stoa_json_first(plugins); p; p = stoa_json_next(p))
        if (is_known(o->config, stoa_json_name(p))) {
            stoa_err err = open_plugin(w, o, stoa_json_name(p), diag);
            /* Going on is wrong, and what the tests of the swap prove that they would notice. */
            if (err != STOA_OK && fault_point("world.fail_open") == STOA_OK)
                return err;
        }
    for (uint32_t p = 0; p < w->plugins; p++)
        w->is_elsewhere[p] = !world_runs_here(o->config, stoa_str_of(w->generations[p]->name));
    return STOA_OK;
}

static stoa_err choose_sql(const struct world *w, struct stoa_instance *in, struct diag *diag)
{
    char path[64];
    stoa_str name;

    snprintf(path, sizeof path, "plugins.%s.sql", in->generation->name);
    name = config_str(w->config, path);
    if (name.len == 0)
        name = STOA_STR("sql");
    in->sql = resources_sql(w->resources, name);
    if (in->sql)
        return STOA_OK;
    config_problem(w->config, path, diag, "there is no sql resource called '%.*s'", (int)name.len,
                   name.ptr);
    diag_hint(diag, "add it to resources = { … }");
    return STOA_E_CONFIG;
}

static stoa_err create_instance(struct world *w, const struct world_options *o, uint32_t loop,
                                uint32_t plugin, struct diag *diag)
{
    struct stoa_instance *in = world_instance(w, loop, plugin);
    struct generation *g = w->generations[plugin];
    stoa_err err = STOA_OK;

    in->generation = g;
    in->loop = loop;
    if (w->is_elsewhere[plugin])
        return STOA_OK; /* no port: nothing of it may run here */
    in->port = g->sandbox ? g->placed->port : o->port;
    in->arena = stoa_arena_create();
    snprintf(in->cache_owner, sizeof in->cache_owner, "%s@%llu", g->name,
             (unsigned long long)w->number);
    STOA_TRY(choose_sql(w, in, diag));
    if (g->desc.create && !g->left_out) {
        fenv_t before; /* the processor's rounding is the host's */
        fegetenv(&before);
        err = g->desc.create(g->settings, in, &in->self);
        fesetenv(&before);
    }
    if (err != STOA_OK)
        diag_set(diag, g->name, 0, 0, "create() failed: %s", stoa_err_name(err));
    if (err != STOA_OK && o->choice.kept) {
        leave_out(w, g, stoa_str_of(diag->message));
        err = STOA_OK;
    }
    return err;
}

static void read_shop(struct world *w)
{
    stoa_str currency = config_str(w->config, "shop.currency");

    w->shop_name = stoa_str_copy(w->arena, config_str(w->config, "shop.name"));
    w->shop_url = stoa_str_copy(w->arena, config_str(w->config, "shop.url"));
    w->is_development = config_bool(w->config, "development");
    stoa_assert(currency.len == 3);
    memcpy(w->currency, currency.ptr, 3);
}

void world_theme_folder(const struct config *config, char ret[PATH_MAX])
{
    stoa_str path = config_str(config, "theme_path"),
             name = config_str(config, "plugins.storefront.theme");

    if (name.len == 0)
        name = STOA_STR("aurora");
    snprintf(ret, PATH_MAX, "%.*s/%.*s", (int)path.len, path.ptr, (int)name.len, name.ptr);
}

static stoa_err open_theme(struct world *w, const struct world_options *o, struct diag *diag)
{
    char folder[PATH_MAX];

    world_theme_folder(w->config, folder);
    return theme_load(folder, o->choice.last ? o->choice.last->theme : NULL, diag, &w->theme);
}

/* At a start nobody serves meanwhile: the theme is compiled beside the plugins. An apply mostly
 * finds the last one. */
struct theme_work {
    struct world *world;
    const struct world_options *options;
    struct diag diag;
    stoa_err err;
    bool is_beside;
    pthread_t thread;
};

static void theme_work(void *arg)
{
    struct theme_work *work = arg;

    work->err = open_theme(work->world, work->options, &work->diag);
}

static void *load_theme(void *arg)
{
    theme_work(arg);
    return NULL;
}

/* False: it has to be read. */
static bool share_theme(struct world *w, const struct world_options *o)
{
    struct theme *last = o->choice.last->theme;
    char folder[PATH_MAX];

    world_theme_folder(w->config, folder);
    w->theme = last ? theme_share(last, folder) : NULL;
    return w->theme != NULL;
}

static void begin_theme(struct theme_work *work)
{
    const struct world_options *o = work->options;

    if (o->choice.last && share_theme(work->world, o))
        return;
    work->is_beside = !o->choice.last && pthread_create(&work->thread, NULL, load_theme, work) == 0;
    if (!work->is_beside)
        theme_work(work);
}

/* What is wrong with the theme is said first. */
static stoa_err end_theme(struct theme_work *work, stoa_err err, struct diag *diag)
{
    if (work->is_beside)
        pthread_join(work->thread, NULL);
    if (work->err == STOA_OK)
        return err;
    *diag = work->diag;
    return work->err;
}

static struct world *world_new(const struct world_options *o)
{
    static _Atomic uint64_t numbers;
    struct world *w = aligned_alloc(64, (sizeof *w + 63) & ~(size_t)63);

    memset(w, 0, sizeof *w);
    w->number = atomic_fetch_add(&numbers, 1) + 1;
    snprintf(w->cache_owner, sizeof w->cache_owner, "gate@%llu", (unsigned long long)w->number);
    w->arena = stoa_arena_create();
    w->config = o->config;
    w->resources = o->resources;
    w->loops = o->loops;
    return w;
}

stoa_err world_create(const struct world_options *o, struct diag *diag, struct world **ret)
{
    struct world *w = world_new(o);
    struct theme_work theme = {.world = w, .options = o};
    stoa_err err = STOA_OK;

    stoa_assert(o->loops >= 1 && o->loops <= WORLD_LOOPS_MAX);
    read_shop(w);
    begin_theme(&theme);
    if (theme.is_beside || theme.err == STOA_OK)
        err = open_plugins(w, o, diag);
    err = end_theme(&theme, err, diag);
    w->instances = stoa_new_array(w->arena, struct stoa_instance, (w->plugins + 1) * w->loops);
    for (uint32_t l = 0; err == STOA_OK && l < w->loops; l++)
        for (uint32_t p = 0; err == STOA_OK && p < w->plugins; p++)
            err = create_instance(w, o, l, p, diag);
    if (err != STOA_OK) {
        world_destroy(w);
        return err;
    }
    *ret = w;
    return STOA_OK;
}

static void destroy_instance(struct stoa_instance *in)
{
    if (!in->arena)
        return;
    if (in->generation->desc.destroy && in->self)
        in->generation->desc.destroy(in->self);
    stoa_arena_destroy(in->arena);
}

void world_destroy(struct world *world)
{
    if (!world)
        return;
    for (uint32_t l = 0; l < world->loops; l++)
        stoa_assert(world->pins[l].count == 0);
    for (uint32_t i = 0; world->instances && i < world->loops * world->plugins; i++)
        destroy_instance(&world->instances[i]);
    for (uint32_t p = 0; p < world->plugins; p++)
        generation_close(world->generations[p]);
    theme_destroy(world->theme);
    stoa_arena_destroy(world->arena);
    free(world);
}

struct stoa_instance *world_instance(const struct world *world, uint32_t loop, uint32_t plugin)
{
    stoa_assert(loop < world->loops && plugin < world->plugins);
    return &world->instances[loop * world->plugins + plugin];
}

int32_t world_find(const struct world *world, stoa_str name)
{
    for (uint32_t p = 0; p < world->plugins; p++)
        if (stoa_str_is(name, world->generations[p]->name))
            return (int32_t)p;
    return -1;
}

void world_publish(struct world *world)
{
    stoa_assert(loop_current() != NULL);
    in_force = world;
}

/* Written by its loop alone; others may glance at it. */
static void count_pin(uint64_t *count, int64_t by)
{
    __atomic_store_n(count, *count + (uint64_t)by, __ATOMIC_RELAXED);
}

struct world *world_pin(void)
{
    if (in_force)
        count_pin(&in_force->pins[loop_index(loop_current())].count, 1);
    return in_force;
}

void world_unpin(struct world *world)
{
    uint64_t *count = &world->pins[loop_index(loop_current())].count;

    stoa_assert(*count > 0);
    count_pin(count, -1);
}

static __thread struct world_hold *holds;

void world_hold_begin(struct world_hold *hold)
{
    hold->link = &holds;
    hold->next = holds;
    if (hold->next)
        hold->next->link = &hold->next;
    holds = hold;
}

void world_hold_end(struct world_hold *hold)
{
    *hold->link = hold->next;
    if (hold->next)
        hold->next->link = hold->link;
}

struct world_hold *world_holds(void)
{
    return holds;
}

struct stoa_arena *stoa_instance_arena(struct stoa_instance *in)
{
    return in->arena;
}
