/* apply/status.c: what an operator asks about worlds and generations. SPDX-License-Identifier:
 * Apache-2.0 */
#include "apply/internal.h"

#include "base/clock.h"
#include "plugin/sandbox.h"
#include "port/keeper.h"

/* Read while the loops count on: a glimpse. */
static int64_t pins_of(const struct world *w)
{
    uint64_t pins = 0;

    for (uint32_t i = 0; i < w->loops; i++)
        pins += __atomic_load_n(&w->pins[i].count, __ATOMIC_RELAXED);
    return (int64_t)pins;
}

void apply_put_worlds(const struct apply *a, struct stoa_json *list, struct stoa_arena *arena)
{
    for (uint32_t i = 0; i < a->alive_count; i++) {
        struct stoa_json *one = stoa_json_push(list, stoa_json_object(arena));
        stoa_json_set_int(one, "world", (int64_t)a->alive[i].world->number);
        stoa_json_set_str(one, "state", i ? STOA_STR("draining") : STOA_STR("in force"));
        stoa_json_set_int(one, "pins", pins_of(a->alive[i].world));
        stoa_json_set_int(one, "age_ms", clock_monotonic_ms() - a->alive[i].since_ms);
    }
}

static stoa_str place_of(const struct world *w, uint32_t plugin)
{
    return w->is_elsewhere[plugin]               ? STOA_STR("elsewhere")
           : w->generations[plugin]->left_out    ? STOA_STR("left out")
           : w->generations[plugin]->is_confined ? STOA_STR("sandbox")
                                                 : STOA_STR("process");
}

static void put_plugins(const struct world *w, struct stoa_json *list, struct stoa_arena *arena)
{
    for (uint32_t p = 0; p < w->plugins; p++) {
        const struct generation *g = w->generations[p];
        struct stoa_json *one = stoa_json_push(list, stoa_json_object(arena));
        stoa_json_set_str(one, "name", stoa_str_copy(arena, stoa_str_of(g->name)));
        stoa_json_set_str(one, "version", stoa_str_copy(arena, stoa_str_of(g->version)));
        stoa_json_set_str(one, "sha256", stoa_str_copy(arena, stoa_str_of(g->sha256)));
        stoa_json_set_int(one, "generation", (int64_t)g->number);
        stoa_json_set_str(one, "place", place_of(w, p));
        if (g->is_confined)
            stoa_json_set_str(one, "why", stoa_str_copy(arena, stoa_str_of(g->why_confined)));
        if (g->sandbox && !w->is_elsewhere[p])
            g->placed->status(g->sandbox, stoa_json_set(one, "sandbox", stoa_json_object(arena)),
                              arena);
        if (g->left_out)
            stoa_json_set_str(one, "left_out", stoa_str_copy(arena, stoa_str_of(g->left_out)));
        stoa_json_set_bool(one, "here", !w->is_elsewhere[p]);
    }
}

static void put_generations(struct stoa_json *object, struct stoa_arena *arena)
{
    struct generation_counts count = generation_count();
    struct stoa_json *one = stoa_json_set(object, "generations", stoa_json_object(arena));

    stoa_json_set_int(one, "alive", (int64_t)count.alive);
    stoa_json_set_int(one, "kept", (int64_t)count.kept);
    stoa_json_set_int(one, "sandboxes", keeper_count());
}

void apply_status(struct apply *apply, struct stoa_json *object, struct stoa_arena *arena)
{
    struct stoa_json *worlds = stoa_json_array(arena), *plugins = stoa_json_array(arena);
    struct stoa_json *applies = stoa_json_object(arena);
    const struct world *w;

    pthread_mutex_lock(&apply->lock);
    w = apply_in_force(apply);
    stoa_json_set_str(object, "config_hash",
                      stoa_str_copy(arena, stoa_str_of(config_hash(w->config))));
    stoa_json_set_int(object, "world", (int64_t)w->number);
    stoa_json_set_int(object, "revision", (int64_t)apply->revision);
    apply_put_worlds(apply, worlds, arena);
    put_plugins(w, plugins, arena);
    stoa_json_set_int(applies, "done", (int64_t)apply->applied);
    stoa_json_set_int(applies, "failed", (int64_t)apply->failed);
    stoa_json_set_int(applies, "waiting", apply->waiting);
    if (apply->confirm_until_ms)
        stoa_json_set_int(applies, "confirm_within_ms",
                          apply->confirm_until_ms - clock_monotonic_ms());
    stoa_json_set_str(applies, "last_error", stoa_str_copy(arena, stoa_str_of(apply->last_error)));
    pthread_mutex_unlock(&apply->lock);
    stoa_json_set(object, "worlds", worlds);
    stoa_json_set(object, "plugins", plugins);
    put_generations(object, arena);
    stoa_json_set(object, "applies", applies);
}

/* ---- Why is it still there? ---- */

static const struct generation *generation_in(const struct world *w, const char *plugin)
{
    int32_t index = world_find(w, stoa_str_of(plugin));

    return index < 0 ? NULL : w->generations[index];
}

static void put_alive(const struct alive *alive, const struct generation *g, const char *state,
                      struct stoa_json *list, struct stoa_arena *arena)
{
    struct stoa_json *one = stoa_json_push(list, stoa_json_object(arena));

    stoa_json_set_int(one, "generation", (int64_t)g->number);
    stoa_json_set_str(one, "version", stoa_str_copy(arena, stoa_str_of(g->version)));
    stoa_json_set_str(one, "sha256", stoa_str_copy(arena, stoa_str_of(g->sha256)));
    stoa_json_set_int(one, "world", (int64_t)alive->world->number);
    stoa_json_set_str(one, "state", stoa_str_of(state));
    stoa_json_set_int(one, "pins", pins_of(alive->world));
    stoa_json_set_int(one, "age_ms", clock_monotonic_ms() - alive->since_ms);
}

bool apply_why(struct apply *apply, const char *plugin, struct stoa_json *answer,
               struct stoa_arena *arena)
{
    struct stoa_json *generations = stoa_json_set(answer, "generations", stoa_json_array(arena));
    struct stoa_json *holds = stoa_json_set(answer, "holds", stoa_json_array(arena));

    for (uint32_t i = 0; i < apply->alive_count; i++) {
        const struct alive *alive = &apply->alive[i];
        const struct generation *g = generation_in(alive->world, plugin);
        bool is_shared = i > 0 && g == generation_in(apply_in_force(apply), plugin);
        if (!g)
            continue;
        put_alive(alive, g,
                  i == 0      ? "in force"
                  : is_shared ? "shared"
                              : "draining",
                  generations, arena);
        if (i > 0 && !is_shared) /* what serves on is not there because of an old world */
            swap_list_holds(&apply->loops, alive->world, holds, arena);
    }
    stoa_json_set_int(answer, "kept", (int64_t)generation_count().kept);
    return stoa_json_count(generations) > 0;
}
