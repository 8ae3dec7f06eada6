/* apply/swap.c: every step visits all loops and waits for them. SPDX-License-Identifier: Apache-2.0
 */
#include "apply/swap.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "call/events.h"
#include "call/invoke.h"
#include "call/jobs.h"
#include "fiber/fiber.h"
#include "plugin/request.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { LATE_MS = 20 };

int32_t swap_warm_ms = 10000;

/* ---- Visiting every loop ---- */

struct visit;
struct stop { /* one loop's share of a visit */
    struct loop_message message;
    struct visit *visit;
    uint32_t loop;
};
struct visit {
    struct stop stops[WORLD_LOOPS_MAX];
    pthread_mutex_t lock;
    pthread_cond_t end;
    uint32_t open;                   /* stops that are not over */
    void (*here)(struct stop *stop); /* ends with stop_over(), then or later */
    void *data;
};

static void stop_begin(struct loop_message *message)
{
    struct stop *stop = (struct stop *)message;

    stop->visit->here(stop);
}

/* The visit may be gone afterwards. */
static void stop_over(struct stop *stop)
{
    struct visit *v = stop->visit;

    pthread_mutex_lock(&v->lock);
    if (--v->open == 0)
        pthread_cond_signal(&v->end);
    pthread_mutex_unlock(&v->lock);
}

static void visit(const struct swap_loops *loops, void (*here)(struct stop *stop), void *data)
{
    struct visit v = {.lock = PTHREAD_MUTEX_INITIALIZER,
                      .end = PTHREAD_COND_INITIALIZER,
                      .open = loops->count,
                      .here = here,
                      .data = data};

    stoa_assert(loop_current() == NULL);
    for (uint32_t i = 0; i < loops->count; i++) {
        v.stops[i] = (struct stop){{.run = stop_begin}, &v, i};
        loop_post(loops->loops[i], &v.stops[i].message);
    }
    pthread_mutex_lock(&v.lock);
    while (v.open > 0)
        pthread_cond_wait(&v.end, &v.lock);
    pthread_mutex_unlock(&v.lock);
    pthread_cond_destroy(&v.end);
    pthread_mutex_destroy(&v.lock);
}

/* ---- Warm ---- */

/* A sandbox that is shared with the world in force: its instances are the child's, not a world's,
 * and serve already. */
static bool serves_on(const struct generation *g)
{
    return g->sandbox && g->uses > 1;
}

static stoa_err warm_plugin(struct world *world, uint32_t plugin, int64_t until, struct diag *diag)
{
    const struct generation *g = world->generations[plugin];
    int64_t left = until - clock_monotonic_ms();
    struct stoa_req *req;
    stoa_err err;

    if (!g->desc.warm || g->left_out || world->is_elsewhere[plugin] || serves_on(g))
        return STOA_OK;
    req = invoke_request_create(world, plugin, left > 0 ? left : 0);
    req->route_path = "warm";
    err = invoke_handler(req, g->desc.warm);
    if (err != STOA_OK)
        diag_set(diag, g->name, 0, 0, "warm() failed: %s", stoa_err_name(err));
    invoke_request_destroy(req);
    return err;
}

stoa_err swap_warm_here(struct world *world, bool leaves_out, struct diag *diag)
{
    int64_t until = clock_monotonic_ms() + swap_warm_ms;

    for (uint32_t p = 0; p < world->plugins; p++) {
        stoa_err err = warm_plugin(world, p, until, diag);
        if (err != STOA_OK && !leaves_out)
            return err;
        if (err == STOA_OK)
            continue;
        world->generations[p]->left_out = "it could not warm up";
        log_error("plugins", "a plugin is left out: its routes answer 503",
                  stoa_f("plugin", stoa_z(world->generations[p]->name)),
                  stoa_f("why", stoa_z(diag->message)));
    }
    return STOA_OK;
}

struct warm {
    struct world *world;
    struct {
        stoa_err err;
        struct diag diag;
    } result[WORLD_LOOPS_MAX];
};

static void warm_run(void *arg)
{
    struct stop *stop = arg;
    struct warm *warm = stop->visit->data;

    warm->result[stop->loop].err =
        swap_warm_here(warm->world, false, &warm->result[stop->loop].diag);
}

static void warm_over(void *arg)
{
    stop_over(arg);
}

static void warm_begin(struct stop *stop)
{
    struct warm *warm = stop->visit->data;

    if (fiber_spawn(warm_run, warm_over, stop, NULL) == STOA_OK)
        return;
    warm->result[stop->loop].err = STOA_E_BUSY;
    diag_set(&warm->result[stop->loop].diag, "warm", 0, 0, "a loop has no fiber left");
    stop_over(stop);
}

stoa_err swap_warm(const struct swap_loops *loops, struct world *world, struct diag *diag)
{
    struct warm warm = {.world = world};

    visit(loops, warm_begin, &warm);
    for (uint32_t i = 0; i < loops->count; i++)
        if (warm.result[i].err != STOA_OK) {
            *diag = warm.result[i].diag;
            return warm.result[i].err;
        }
    return STOA_OK;
}

/* ---- Publish ---- */

struct publish {
    struct world *world, *old;
};

static bool has_sandbox_of(const struct world *world, const struct generation *g)
{
    for (uint32_t p = 0; g->sandbox && p < world->plugins; p++)
        if (world->generations[p] == g)
            return true;
    return false;
}

static void cool_here(const struct world *old, const struct world *world)
{
    uint32_t here = loop_index(loop_current());

    for (uint32_t p = 0; p < old->plugins; p++) {
        const struct generation *g = old->generations[p];
        if (g->desc.cool && !g->left_out && !old->is_elsewhere[p] && !has_sandbox_of(world, g))
            g->desc.cool(world_instance(old, here, p)->self);
    }
}

static void publish_here(struct stop *stop)
{
    struct publish *p = stop->visit->data;

    world_publish(p->world);
    cool_here(p->old, p->world);
    events_attach();
    jobs_start(p->world);
    stop_over(stop);
}

static void rest_here(struct stop *stop)
{
    sql_rest(stop->visit->data);
    stop_over(stop);
}

void swap_rest(const struct swap_loops *loops, struct sql *sql)
{
    visit(loops, rest_here, sql);
}

/* Wrong on purpose, for the tests of the swap: nobody waits for the loops, nor asks them. */
static bool skips_wait(void)
{
    return fault_point("swap.skip_wait") != STOA_OK;
}

struct late {
    struct loop_timer timer;
    struct stop *stop;
};

static void publish_now(struct loop_timer *timer)
{
    publish_here(((struct late *)timer)->stop);
}

/* A loop may come to its message as late as it likes; here it does. */
static void publish_late(struct stop *stop)
{
    struct late *late = calloc(1, sizeof *late);

    *late = (struct late){.timer.fire = publish_now, .stop = stop};
    loop_timer_arm(loop_current(), &late->timer, LATE_MS);
}

static void publish_unawaited(const struct swap_loops *loops, const struct publish *publish)
{
    struct visit *v = calloc(1, sizeof *v); /* never over, as far as anyone here knows */
    struct publish *own = calloc(1, sizeof *own);

    *own = *publish;
    *v = (struct visit){.lock = PTHREAD_MUTEX_INITIALIZER,
                        .end = PTHREAD_COND_INITIALIZER,
                        .open = loops->count,
                        .here = publish_late,
                        .data = own};
    for (uint32_t i = 0; i < loops->count; i++) {
        v->stops[i] = (struct stop){{.run = stop_begin}, v, i};
        loop_post(loops->loops[i], &v->stops[i].message);
    }
} /* NOLINT(clang-analyzer-unix.Malloc): the loops have it */

static void glimpse_unused(struct world *const *worlds, uint32_t count, bool *unused)
{
    for (uint32_t i = 0; i < count; i++) {
        unused[i] = true;
        for (uint32_t l = 0; l < worlds[i]->loops; l++)
            if (__atomic_load_n(&worlds[i]->pins[l].count, __ATOMIC_RELAXED) > 0)
                unused[i] = false;
    }
}

void swap_publish(const struct swap_loops *loops, struct world *world, struct world *old)
{
    struct publish publish = {world, old};

    if (skips_wait()) {
        publish_unawaited(loops, &publish);
        return;
    }
    visit(loops, publish_here, &publish);
}

/* ---- Unused? ---- */

struct look {
    struct world *const *worlds;
    uint32_t count;
    bool *unused;
    pthread_mutex_t lock; /* of unused */
};

/* A message runs on the loop's own stack: no handler is below it. */
static void look_here(struct stop *stop)
{
    struct look *look = stop->visit->data;

    pthread_mutex_lock(&look->lock);
    for (uint32_t i = 0; i < look->count; i++)
        if (look->worlds[i]->pins[stop->loop].count > 0)
            look->unused[i] = false;
    pthread_mutex_unlock(&look->lock);
    stop_over(stop);
}

static bool any(const bool *flags, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (flags[i])
            return true;
    return false;
}

void swap_find_unused(const struct swap_loops *loops, struct world *const *worlds, uint32_t count,
                      bool *unused)
{
    struct look look = {worlds, count, unused, PTHREAD_MUTEX_INITIALIZER};

    glimpse_unused(worlds, count, unused);
    if (skips_wait() || !any(unused, count))
        return; /* as most looks: no loop is woken for what can be seen from here */
    visit(loops, look_here, &look);
    if (any(unused, count))
        visit(loops, stop_over, NULL); /* ends in a later turn than the look: that one has passed */
    pthread_mutex_destroy(&look.lock);
}

/* ---- Who holds it? ---- */

struct holds {
    const struct world *world;
    struct stoa_json *list; /* NULL: they are cut */
    struct stoa_arena *arena;
    uint32_t count;
    pthread_mutex_t lock; /* of list, arena, count */
};

static void set_copy(struct stoa_json *object, const char *key, const char *text,
                     struct stoa_arena *arena)
{
    stoa_json_set_str(object, key, stoa_str_copy(arena, stoa_str_of(text)));
}

static void list_hold(struct holds *holds, const struct world_hold *hold, uint32_t loop)
{
    struct stoa_json *one = stoa_json_push(holds->list, stoa_json_object(holds->arena));

    stoa_json_set_int(one, "world", (int64_t)hold->world->number);
    set_copy(one, "kind", hold->kind, holds->arena);
    if (hold->name)
        set_copy(one, "name", hold->name, holds->arena);
    if (hold->req) {
        set_copy(one, "id", hold->req->id, holds->arena);
        set_copy(one, "route", hold->req->route_path, holds->arena);
        set_copy(one, "plugin", hold->req->plugin_name, holds->arena);
    }
    stoa_json_set_int(one, "loop", loop);
    stoa_json_set_int(one, "age_ms", (clock_monotonic_us() - hold->since_us) / 1000);
}

static void holds_here(struct stop *stop)
{
    struct holds *holds = stop->visit->data;

    pthread_mutex_lock(&holds->lock);
    for (struct world_hold *h = world_holds(), *next; h; h = next) {
        next = h->next;
        if (h->world != holds->world || holds->count >= SWAP_HOLDS_MAX)
            continue;
        if (holds->list)
            list_hold(holds, h, stop->loop);
        if (holds->list || (h->cut && h->cut(h)))
            holds->count++;
    }
    pthread_mutex_unlock(&holds->lock);
    stop_over(stop);
}

void swap_list_holds(const struct swap_loops *loops, const struct world *world,
                     struct stoa_json *list, struct stoa_arena *arena)
{
    struct holds holds = {
        .world = world, .list = list, .arena = arena, .lock = PTHREAD_MUTEX_INITIALIZER};

    visit(loops, holds_here, &holds);
    pthread_mutex_destroy(&holds.lock);
}

uint32_t swap_cut_holds(const struct swap_loops *loops, const struct world *world)
{
    struct holds holds = {.world = world, .lock = PTHREAD_MUTEX_INITIALIZER};

    visit(loops, holds_here, &holds);
    pthread_mutex_destroy(&holds.lock);
    return holds.count;
}
