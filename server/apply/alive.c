/* apply/alive.c: the worlds that are alive: one is in force, the others drain.
 * SPDX-License-Identifier: Apache-2.0 */
#include "apply/alive.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "plugin/preflight.h"
#include <time.h>

enum { LOOK_MS = 50 };

static void rest(void *data, struct sql *sql)
{
    const struct apply *a = data;

    swap_rest(&a->loops, sql);
}

void alive_end(struct apply *a, struct world *world)
{
    struct resources *resources = world ? world->resources : NULL;

    world_destroy(world);
    if (resources == a->options.resources)
        resources_let_go(resources);
    else
        resources_close(resources);
    if (resources)
        resources_each_unused(a->options.resources, rest, a);
}

void alive_enter(struct apply *a, struct world *world, struct config *config, uint64_t revision)
{
    int64_t now = clock_monotonic_ms();

    pthread_mutex_lock(&a->lock);
    a->alive[a->alive_count++] = (struct alive){a->alive[0].world, a->alive[0].config, now};
    a->alive[0] = (struct alive){world, config, now};
    a->revision = revision;
    a->applied++;
    a->last_error[0] = '\0';
    pthread_mutex_unlock(&a->lock);
    metric_add(METRIC_applies_total, 1);
    metric_add(METRIC_worlds_alive, 1);
}

static void forget(struct apply *a, uint32_t index)
{
    struct alive gone = a->alive[index];

    pthread_mutex_lock(&a->lock);
    a->alive[index] = a->alive[--a->alive_count];
    pthread_mutex_unlock(&a->lock);
    alive_end(a, gone.world);
    config_destroy(gone.config);
    metric_add(METRIC_worlds_alive, -1);
}

/* A world that drains for longer than limits.retire loses what holds it. */
static void cut_overdue(struct apply *a)
{
    int64_t limit = config_int(apply_in_force(a)->config, "limits.retire");

    for (uint32_t i = 1; i < a->alive_count; i++) {
        uint32_t cut;
        if (clock_monotonic_ms() - a->alive[i].since_ms < limit)
            continue;
        cut = swap_cut_holds(&a->loops, a->alive[i].world);
        if (cut > 0)
            log_warn("apply", "a replaced world was not let go in time",
                     stoa_f("world", stoa_i((int64_t)a->alive[i].world->number)),
                     stoa_f("cut", stoa_i(cut)));
    }
}

uint32_t alive_retire(struct apply *a)
{
    struct world *worlds[APPLY_WORLDS_MAX];
    bool unused[APPLY_WORLDS_MAX];

    if (a->alive_count == 1)
        return 0;
    for (uint32_t i = 1; i < a->alive_count; i++)
        worlds[i - 1] = a->alive[i].world;
    swap_find_unused(&a->loops, worlds, a->alive_count - 1, unused);
    for (uint32_t i = a->alive_count - 1; i >= 1; i--)
        if (unused[i - 1])
            forget(a, i);
    cut_overdue(a);
    return a->alive_count - 1;
}

/* Generations that stay for the life of the process: with sanitizers all do, for their reports. */
static uint64_t kept_generations(void)
{
    return preflight_is_relaxed() ? 0 : generation_count().kept;
}

static bool is_full(const struct apply *a)
{
    const struct world *w = apply_in_force(a);
    uint64_t most = (uint64_t)config_int(w->config, "limits.generations");

    return a->alive_count == APPLY_WORLDS_MAX ||
           generation_count().alive + kept_generations() + w->plugins > most;
}

static stoa_err refuse_generations(struct diag *diag)
{
    struct generation_counts count = generation_count();

    diag_set(diag, "limits.generations", 0, 0,
             "%llu generations of plugins are loaded, and %llu that cannot be unloaded",
             (unsigned long long)count.alive, (unsigned long long)kept_generations());
    diag_hint(diag, "`stoa plugin why NAME` shows what holds them; a restart lets go of those "
                    "that cannot be unloaded");
    return STOA_E_BUSY;
}

stoa_err alive_make_room(struct apply *a, struct diag *diag)
{
    int64_t until = clock_monotonic_ms() + APPLY_ROOM_MS;

    while (is_full(a) && a->alive_count > 1 && clock_monotonic_ms() < until) {
        const struct timespec pause = {0, LOOK_MS * 1000000L};
        uint32_t before = a->alive_count;
        if (alive_retire(a) + 1 == before)
            nanosleep(&pause, NULL);
    }
    if (!is_full(a))
        return STOA_OK;
    if (a->alive_count < APPLY_WORLDS_MAX)
        return refuse_generations(diag);
    diag_set(diag, "worlds", 0, 0, "%d replaced worlds still have open requests",
             APPLY_WORLDS_MAX - 1);
    diag_hint(diag, "`stoa status` shows them; try again when they have ended");
    return STOA_E_BUSY;
}
