/* Worlds onto loops and off again. SPDX-License-Identifier: Apache-2.0 */
#include "apply/swap.h"

#include "call/events.h"
#include "call/wiring.h"
#include "fiber/fiber.h"
#include "port/port.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { LOOPS = 2 };

struct rig {
    struct loop *loops[LOOPS];
    pthread_t threads[LOOPS];
    struct swap_loops all;
    struct resources resources;
};

static void *thread_main(void *loop)
{
    loop_run(loop);
    fiber_finish_thread();
    return NULL;
}

static struct rig *rig_begin(void)
{
    struct rig *rig = calloc(1, sizeof *rig);

    for (uint32_t i = 0; i < LOOPS; i++) {
        rig->loops[i] = loop_create(i);
        pthread_create(&rig->threads[i], NULL, thread_main, rig->loops[i]);
    }
    rig->all = (struct swap_loops){rig->loops, LOOPS};
    rig->resources.cache = cache_create(LOOPS, 1 << 20);
    events_stop(); /* no job's fiber outlives the loops */
    return rig;
}

static void rig_end(struct rig *rig)
{
    for (uint32_t i = 0; i < LOOPS; i++) {
        loop_stop(rig->loops[i]);
        pthread_join(rig->threads[i], NULL);
    }
    cache_destroy(rig->resources.cache);
    for (uint32_t i = 0; i < LOOPS; i++)
        loop_destroy(rig->loops[i]);
    free(rig);
}

/* A world of one plugin that is no file. */
static struct world *make_world(struct rig *rig, const struct stoa_plugin_v1 *desc)
{
    struct world *w = aligned_alloc(64, (sizeof *w + 63) & ~(size_t)63);
    struct generation *g = calloc(1, sizeof *g);

    memset(w, 0, sizeof *w);
    w->arena = stoa_arena_create();
    w->resources = &rig->resources;
    w->loops = LOOPS;
    w->plugins = 1;
    snprintf(g->name, sizeof g->name, "made");
    g->desc = *desc;
    w->generations[0] = g;
    w->wiring = stoa_new(w->arena, struct wiring);
    w->instances = stoa_new_array(w->arena, struct stoa_instance, LOOPS);
    for (uint32_t l = 0; l < LOOPS; l++)
        w->instances[l] = (struct stoa_instance){
            .generation = g, .port = port_find(STOA_STR("local")), .loop = l};
    return w;
}

static void free_world(struct world *w)
{
    free(w->generations[0]);
    stoa_arena_destroy(w->arena);
    free(w);
}

static const struct stoa_plugin_v1 PLAIN = {0};

/* ---- Doing something on a loop, from the test's thread ---- */

struct errand {
    struct loop_message message;
    void (*work)(struct errand *errand);
    struct world *world;
    atomic_bool done;
};

static void errand_run(struct loop_message *message)
{
    struct errand *errand = (struct errand *)message;

    errand->work(errand);
    atomic_store(&errand->done, true);
}

static struct world *send_errand(struct loop *loop, void (*work)(struct errand *),
                                 struct world *world)
{
    struct errand errand = {.message.run = errand_run, .work = work, .world = world};

    loop_post(loop, &errand.message);
    while (!atomic_load(&errand.done))
        sched_yield();
    return errand.world;
}

static void pin(struct errand *errand)
{
    errand->world = world_pin();
}

static void unpin(struct errand *errand)
{
    world_unpin(errand->world);
}

static bool is_unused(struct rig *rig, struct world *world)
{
    bool unused;

    swap_find_unused(&rig->all, &world, 1, &unused);
    return unused;
}

/* ---- Tests ---- */

Test(swap, puts_a_world_in_force_on_every_loop)
{
    struct rig *rig = rig_begin();
    struct world *one = make_world(rig, &PLAIN), *two = make_world(rig, &PLAIN);

    swap_publish(&rig->all, one, two);
    swap_publish(&rig->all, two, one);
    for (uint32_t i = 0; i < LOOPS; i++) {
        struct world *pinned = send_errand(rig->loops[i], pin, NULL);
        cr_assert_eq(pinned, two);
        send_errand(rig->loops[i], unpin, pinned);
    }
    rig_end(rig);
    free_world(one);
    free_world(two);
}

Test(swap, finds_a_world_in_use_while_any_loop_has_a_pin_on_it)
{
    struct rig *rig = rig_begin();
    struct world *one = make_world(rig, &PLAIN), *two = make_world(rig, &PLAIN);

    swap_publish(&rig->all, one, two);
    send_errand(rig->loops[1], pin, NULL);
    swap_publish(&rig->all, two, one);
    cr_assert_not(is_unused(rig, one));
    send_errand(rig->loops[1], unpin, one);
    cr_assert(is_unused(rig, one));
    rig_end(rig);
    free_world(one);
    free_world(two);
}

Test(swap, lets_every_loop_pass_a_turn_before_a_world_is_unused)
{
    struct rig *rig = rig_begin();
    struct world *one = make_world(rig, &PLAIN);
    uint64_t before[LOOPS];

    for (uint32_t i = 0; i < LOOPS; i++)
        before[i] = loop_turns(rig->loops[i]);
    cr_assert(is_unused(rig, one));
    for (uint32_t i = 0; i < LOOPS; i++)
        cr_assert_gt(loop_turns(rig->loops[i]), before[i]);
    rig_end(rig);
    free_world(one);
}

static atomic_uint warmed, cooled;

static stoa_err warm(struct stoa_req *req, void *self)
{
    atomic_fetch_add(&warmed, 1);
    return STOA_OK;
}

static stoa_err warm_on_loop_0(struct stoa_req *req, void *self)
{
    atomic_fetch_add(&warmed, 1);
    return loop_index(loop_current()) == 0 ? STOA_OK : STOA_E_STORE;
}

static stoa_err warm_for_ever(struct stoa_req *req, void *self)
{
    return fiber_sleep(3600000);
}

static void cool(void *self)
{
    atomic_fetch_add(&cooled, 1);
}

Test(swap, warms_on_every_loop_and_cools_the_old_world_there)
{
    struct rig *rig = rig_begin();
    struct world *one = make_world(rig, &(struct stoa_plugin_v1){.warm = warm, .cool = cool});
    struct world *two = make_world(rig, &PLAIN);
    struct diag diag = {0};

    cr_assert_eq(swap_warm(&rig->all, one, &diag), STOA_OK);
    cr_assert_eq(atomic_load(&warmed), LOOPS);
    cr_assert_eq(atomic_load(&cooled), 0);
    swap_publish(&rig->all, two, one);
    cr_assert_eq(atomic_load(&cooled), LOOPS);
    rig_end(rig);
    free_world(one);
    free_world(two);
}

/* two takes over one's generation. */
static void share(struct world *two, const struct world *one)
{
    free(two->generations[0]);
    two->generations[0] = one->generations[0];
    two->generations[0]->uses = 2;
    for (uint32_t l = 0; l < LOOPS; l++)
        two->instances[l].generation = two->generations[0];
}

static void publish_shared(struct sandbox *sandbox, uint32_t times)
{
    struct rig *rig = rig_begin();
    struct world *one = make_world(rig, &(struct stoa_plugin_v1){.warm = warm, .cool = cool});
    struct world *two = make_world(rig, &PLAIN);
    struct diag diag = {0};

    share(two, one);
    one->generations[0]->sandbox = sandbox;
    cr_assert_eq(swap_warm(&rig->all, two, &diag), STOA_OK);
    swap_publish(&rig->all, two, one);
    cr_expect_eq(atomic_load(&warmed), times);
    cr_expect_eq(atomic_load(&cooled), times);
    rig_end(rig);
    two->generations[0] = NULL;
    free_world(one);
    free_world(two);
}

Test(swap, instances_are_a_worlds_own_where_their_code_is_shared)
{
    publish_shared(NULL, LOOPS);
}

Test(swap, a_shared_sandbox_serves_on_neither_warmed_nor_cooled)
{
    char anything;

    publish_shared((struct sandbox *)(void *)&anything, 0);
}

Test(swap, names_the_plugin_that_does_not_warm_on_one_of_the_loops)
{
    struct rig *rig = rig_begin();
    struct world *one = make_world(rig, &(struct stoa_plugin_v1){.warm = warm_on_loop_0});
    struct diag diag = {0};

    cr_assert_eq(swap_warm(&rig->all, one, &diag), STOA_E_STORE);
    cr_assert_str_eq(diag.file, "made");
    cr_assert_eq(atomic_load(&warmed), LOOPS, "all are over when it returns");
    rig_end(rig);
    free_world(one);
}

Test(swap, gives_up_a_plugin_that_warms_for_ever, .timeout = 30)
{
    struct rig *rig = rig_begin();
    struct world *one = make_world(rig, &(struct stoa_plugin_v1){.warm = warm_for_ever});
    struct diag diag = {0};

    swap_warm_ms = 20;
    cr_assert_eq(swap_warm(&rig->all, one, &diag), STOA_E_TIMEOUT);
    rig_end(rig);
    free_world(one);
}
