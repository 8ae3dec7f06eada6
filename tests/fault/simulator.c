/* tests/fault/simulator.c: many seeds, one verdict (bar: R2). A failing seed is printed; with
 * --seed N --talk it tells its story. Exit 0 when all is as it should be: with --broken, that is
 * when some seed fails. SPDX-License-Identifier: Apache-2.0 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEEDS_DEFAULT = 10000, TWICE_EVERY = 10 };

const char *const sim_broken_names[BROKEN_COUNT] = {"nothing", "new-key", "no-fence", "no-void",
                                                    "no-cas"};

static void set_the_scene(struct sim *sim)
{
    sim->is_up = true;
    sim->order_count = 1 + (uint32_t)sim_random(sim, ORDERS_MAX);
    sim->stock_initial = sim->stock_available = 1 + (uint32_t)sim_random(sim, 8);
    for (uint32_t i = 0; i < sim->order_count; i++) {
        struct sim_order *o = &sim->orders[i];
        o->card = (enum card)sim_random(sim, CARD_COUNT);
        o->quantity = 1 + (uint32_t)sim_random(sim, 3);
        sim_at(sim, (int64_t)sim_random(sim, 10000), (struct event){.type = EV_PLACE, .order = i});
        if (sim_random(sim, 10) < 7)
            sim_at(sim, (int64_t)sim_random(sim, 80000),
                   (struct event){.type = EV_CONFIRM, .order = i});
        if (sim_random(sim, 10) < 2)
            sim_at(sim, (int64_t)sim_random(sim, 30000),
                   (struct event){.type = EV_CANCEL, .order = i});
    }
    for (uint64_t crashes = sim_random(sim, 6); crashes > 0; crashes--)
        sim_at(sim, (int64_t)sim_random(sim, 40000), (struct event){.type = EV_CRASH});
    sim_at(sim, 1000, (struct event){.type = EV_RECOVER});
    sim_at(sim, 500, (struct event){.type = EV_POST});
}

static bool is_settled(const struct sim *sim)
{
    for (uint32_t i = 0; i < sim->order_count; i++) {
        const struct sim_order *o = &sim->orders[i];
        if (!o->is_placed || !saga_is_final(o->row.step) || o->reply == 0 ||
            (saga_is_paid(o->row.step) && !o->is_mailed))
            return false;
    }
    return sim->now > FAULTS_END_MS && sim->questions == 0;
}

static void check_order(struct sim *sim, const struct sim_order *o)
{
    bool is_paid = o->row.step == SAGA_DONE;
    uint32_t captured = 0;

    for (uint32_t key = 0; key < KEYS_MAX; key++)
        captured += o->charges[key] == CHARGE_CAPTURED;
    if (captured != (is_paid ? 1U : 0U))
        sim_fail(sim, is_paid ? "a paid order was not charged once" : "charged, but cancelled");
    if (o->hold == HOLD_RESERVED || (o->hold == HOLD_COMMITTED) != is_paid)
        sim_fail(sim, "the goods do not agree with the order");
    if (o->paid_events != (is_paid ? 1U : 0U))
        sim_fail(sim, "order.paid did not go out once");
    if (o->mails != (is_paid ? 1 + o->mail_windows : 0U))
        sim_fail(sim, "mails and paid orders differ");
    if ((o->reply == 201 && !is_paid) || (o->reply == 402 && is_paid))
        sim_fail(sim, "the client was told something else");
}

static void check_end(struct sim *sim)
{
    uint32_t held = 0;

    if (!is_settled(sim))
        sim_fail(sim, "an order has no end");
    for (uint32_t i = 0; i < sim->order_count; i++) {
        check_order(sim, &sim->orders[i]);
        if (sim->orders[i].hold == HOLD_RESERVED)
            held += sim->orders[i].quantity;
    }
    if (sim->stock_available + sim->stock_sold + held != sim->stock_initial)
        sim_fail(sim, "stock is not conserved");
}

const char *sim_run(struct sim *sim, uint64_t seed, enum sim_broken broken, bool is_talkative)
{
    struct event event;

    memset(sim, 0, sizeof(*sim));
    sim->seed = sim->random = seed;
    sim->broken = broken;
    sim->is_talkative = is_talkative;
    sim->trace = UINT64_C(0xcbf29ce484222325);
    set_the_scene(sim);
    while (!sim->failure && !is_settled(sim) && sim_next(sim, &event)) {
        sim->now = event.at;
        if (sim->now > PATIENCE_MS)
            break;
        sim_handle(sim, &event);
    }
    if (!sim->failure)
        check_end(sim);
    return sim->failure;
}

struct options {
    uint64_t first, seeds;
    enum sim_broken broken;
    bool is_talkative;
};

static int usage(void)
{
    fprintf(stderr, "usage: simulator [--seeds N] [--seed N [--talk]] [--broken=");
    for (int i = 1; i < BROKEN_COUNT; i++)
        fprintf(stderr, "%s%s", i > 1 ? "|" : "", sim_broken_names[i]);
    fprintf(stderr, "]\n");
    return 2;
}

static bool read_broken(const char *name, struct options *ret)
{
    for (int i = 0; i < BROKEN_COUNT; i++)
        if (strcmp(name, sim_broken_names[i]) == 0) {
            ret->broken = (enum sim_broken)i;
            return true;
        }
    return false;
}

static bool read_options(int argc, char **argv, struct options *ret)
{
    *ret = (struct options){.first = 1, .seeds = SEEDS_DEFAULT};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc) {
            ret->seeds = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            ret->first = strtoull(argv[++i], NULL, 10);
            ret->seeds = 1;
        } else if (strcmp(argv[i], "--talk") == 0) {
            ret->is_talkative = true;
        } else if (strncmp(argv[i], "--broken=", 9) != 0 || !read_broken(argv[i] + 9, ret)) {
            return false;
        }
    }
    return ret->seeds > 0;
}

/* The same seed again: another trace means that something else than the seed decides. */
static bool is_repeatable(struct sim *sim, const struct options *o)
{
    uint64_t trace = sim->trace;

    sim_run(sim, sim->seed, o->broken, false);
    return sim->trace == trace;
}

int main(int argc, char **argv)
{
    static struct sim sim;
    struct options o;
    uint64_t failed = 0, all = 0, ends[SAGA_STEP_COUNT] = {0};

    if (!read_options(argc, argv, &o))
        return usage();
    for (uint64_t seed = o.first; seed < o.first + o.seeds; seed++) {
        const char *failure = sim_run(&sim, seed, o.broken, o.is_talkative);

        all = (all ^ sim.trace) * UINT64_C(0x100000001b3);
        for (uint32_t i = 0; i < sim.order_count; i++)
            ends[sim.orders[i].row.step]++;
        if (seed % TWICE_EVERY == 0 && !is_repeatable(&sim, &o))
            failure = "the same seed took another course";
        if (failure && ++failed <= 5)
            printf("seed %llu: %s (simulator --seed %llu --talk)\n", (unsigned long long)seed,
                   failure, (unsigned long long)seed);
    }
    printf("%llu seeds, %llu failed; orders: %llu paid, %llu cancelled; trace %016llx\n",
           (unsigned long long)o.seeds, (unsigned long long)failed,
           (unsigned long long)ends[SAGA_DONE], (unsigned long long)ends[SAGA_CANCELLED],
           (unsigned long long)all);
    /* What is broken on purpose has to be found. */
    return (failed > 0) != (o.broken != BROKEN_NOTHING);
}
