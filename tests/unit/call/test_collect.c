/* An extension point of which a provider is on another node that takes its time.
 * SPDX-License-Identifier: Apache-2.0 */
#include "call/remote.h"
#include "testing.h"

#include "base/clock.h"
#include "fiber/fiber.h"
#include "loop/loop.h"
#include "plugin/world.h"
#include "resource/pool/pool.h"
#include <criterion/criterion.h>
#include <semaphore.h>

enum { MAY_TAKE_MS = 20, TAKES_MS = 200, TURNS_MAX = 100 };

static sem_t is_over;
static uint32_t asked;

static void block(void *arg)
{
    while (sem_wait(&is_over) != 0)
        continue;
}

/* The linker puts this in the real one's place: it sits where nothing can cut it short. */
stoa_err __wrap_remote_ask(struct stoa_req *req, enum remote_kind kind); /* NOLINT */
stoa_err __wrap_remote_ask(struct stoa_req *req, enum remote_kind kind)
{
    int64_t deadline = fiber_set_deadline(INT64_MAX);

    fiber_mask(); /* or what no thread has begun yet would be taken back */
    asked++;
    cr_expect_eq(kind, REMOTE_POINT);
    cr_expect_eq(pool_run(req->world->resources->pool, POOL_FILE, block, NULL), STOA_OK);
    fiber_unmask();
    fiber_set_deadline(deadline);
    return STOA_OK;
}

static stoa_err never_here(struct stoa_req *req, void *self)
{
    return STOA_E_INTERNAL;
}

static const struct stoa_plugin_v1 asker = {0};
static const struct stoa_plugin_v1 provider = {.provides =
                                                   STOA_PROVIDES({"toy.point", never_here})};
static const struct t_plugin plugins[] = {{"asker", &asker}, {"provider", &provider}};
static const struct t_shop t_shop = {plugins, 2};

static void note_turn(void *data, const struct fiber_running *running)
{
    *(uint64_t *)data = running->turn;
}

static uint64_t turns(void)
{
    uint64_t turn = 0;

    fiber_look(note_turn, &turn);
    return turn;
}

static void let_go(void *arg)
{
    cr_expect_eq(fiber_sleep(TAKES_MS), STOA_OK);
    sem_post(&is_over);
}

STOA_TEST(who_asks_sleeps_until_the_last_provider_has_ended)
{
    struct stoa_req *req = t_request("asker");
    const struct stoa_json *answers = NULL;
    int64_t until = clock_monotonic_ms() + MAY_TAKE_MS, deadline = fiber_set_deadline(until), began;
    uint64_t before;

    t_world()->is_elsewhere[1] = true;
    sem_init(&is_over, 0, 0);
    asked = 0;
    began = loop_now(loop_current()); /* the sleep begins by the same clock */
    cr_assert_eq(fiber_spawn(let_go, NULL, NULL, NULL), STOA_OK);
    before = turns();
    STOA_IGNORE(stoa_collect(req, "toy.point", NULL, &answers));
    cr_expect_geq(clock_monotonic_ms() - began, TAKES_MS);
    cr_expect_eq(asked, 1);
    cr_expect_lt(turns() - before, TURNS_MAX, "%llu", (unsigned long long)(turns() - before));
    cr_expect_eq(fiber_set_deadline(deadline), until, "its own deadline is back");
    t_world()->is_elsewhere[1] = false;
    sem_destroy(&is_over);
}
