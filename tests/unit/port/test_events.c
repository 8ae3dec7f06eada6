/* How many events a plugin may emit: those of a second, of all its requests.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/world.h"
#include "testing.h"

#include <criterion/criterion.h>
#include <time.h>

enum { MAX = 5 };

static uint32_t taken, refused;

static stoa_err emit(struct stoa_req *req, void *self)
{
    struct stoa_json *data = stoa_json_object(stoa_req_arena(req));
    struct stoa_tx *tx;
    stoa_err err;

    STOA_TRY(stoa_tx_begin(req, &tx));
    err = stoa_emit(tx, "toy.played", STOA_STR("a"), data);
    cr_assert(err == STOA_OK || err == STOA_E_BUSY);
    taken += err == STOA_OK;
    refused += err != STOA_OK;
    STOA_TRY(stoa_tx_commit(tx));
    return stoa_reply_empty(req);
}

static const struct stoa_plugin_v1 plugin = {
    .routes = STOA_ROUTES({STOA_POST, 0, "/emit", emit, .permit = STOA_ANYONE})};
static const struct t_plugin plugins[] = {{"toy", &plugin}};
static const struct t_shop here = {plugins, 1}, wired = {plugins, 1, .port = "loopback"};

static void limited(void)
{
    time_t begin = time(NULL);

    t_world()->generations[0]->events_max = MAX;
    while (refused == 0 && time(NULL) < begin + 20) {
        taken = 0;
        for (int i = 0; i < 2 * MAX + 1; i++) /* within two seconds at the most, nearly always */
            t_post("/emit", "{}");
    }
    cr_assert_geq(taken, MAX);
    cr_assert_geq(refused, 1);
}

static void unlimited(void)
{
    for (int i = 0; i < 10 * MAX; i++)
        t_post("/emit", "{}");
    cr_assert_eq(refused, 0);
}

Test(events, past_the_limit_are_refused)
{
    t_run(&here, limited);
}

Test(events, past_the_limit_are_refused_behind_a_wire_too)
{
    t_run(&wired, limited);
}

Test(events, without_a_limit_are_all_taken)
{
    t_run(&here, unlimited);
}
