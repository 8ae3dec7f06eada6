/* tests/fault/sim_outside.c: a warehouse and a bank that keep their promises (repeats change
 * nothing, a voided key stays voided), over a network that keeps none. SPDX-License-Identifier:
 * Apache-2.0 */
#include "sim.h"

/* ---- Warehouse ---- */

static enum saga_outcome reserve(struct sim *sim, struct sim_order *order)
{
    if (order->hold == HOLD_RESERVED || order->hold == HOLD_COMMITTED)
        return SAGA_OK;
    if (order->hold == HOLD_RELEASED || sim->stock_available < order->quantity)
        return SAGA_SOLD_OUT;
    sim->stock_available -= order->quantity;
    order->hold = HOLD_RESERVED;
    return SAGA_OK;
}

static enum saga_outcome commit(struct sim *sim, struct sim_order *order)
{
    if (order->hold == HOLD_RESERVED) {
        sim->stock_sold += order->quantity;
        order->hold = HOLD_COMMITTED;
    }
    if (order->hold == HOLD_COMMITTED)
        return SAGA_OK;
    sim_fail(sim, "paid, but the goods are not there");
    return SAGA_UNKNOWN;
}

static enum saga_outcome release(struct sim *sim, struct sim_order *order)
{
    if (order->hold == HOLD_COMMITTED) {
        sim_fail(sim, "goods of a paid order are given back");
        return SAGA_UNKNOWN;
    }
    if (order->hold == HOLD_RESERVED)
        sim->stock_available += order->quantity;
    order->hold = HOLD_RELEASED;
    return SAGA_OK;
}

/* ---- Bank ---- */

static enum saga_outcome outcome_of(enum charge charge)
{
    switch (charge) {
    case CHARGE_CAPTURED:
        return SAGA_CAPTURED;
    case CHARGE_DECLINED:
        return SAGA_REFUSED;
    case CHARGE_ACTION:
        return SAGA_NEEDS_ACTION;
    default:
        return SAGA_ABSENT;
    }
}

static void capture(struct sim *sim, struct sim_order *order, uint32_t key)
{
    order->charges[key] = CHARGE_CAPTURED;
    if (order->hold != HOLD_RESERVED && order->hold != HOLD_COMMITTED)
        sim_fail(sim, "charged without goods being held");
    for (uint32_t other = 0; other < KEYS_MAX; other++)
        if (other != key && order->charges[other] == CHARGE_CAPTURED)
            sim_fail(sim, "charged twice");
}

/* *is_answered: whether the bank says what it did. */
static enum saga_outcome open(struct sim *sim, struct sim_order *order, uint32_t key,
                              bool *is_answered)
{
    if (order->charges[key] == CHARGE_NONE) {
        if (order->card == CARD_DECLINED)
            order->charges[key] = CHARGE_DECLINED;
        else if (order->card == CARD_3DS)
            order->charges[key] = CHARGE_ACTION;
        else if (order->card != CARD_TIMEOUT_LOST)
            capture(sim, order, key);
    }
    *is_answered = order->card < CARD_DROP;
    return outcome_of(order->charges[key]);
}

static enum saga_outcome cancel(struct sim *sim, struct sim_order *order, uint32_t key)
{
    enum charge *charge = &order->charges[key];

    if (sim->broken == BROKEN_NO_VOID)
        return SAGA_OK;
    if (*charge == CHARGE_NONE && sim->broken == BROKEN_NO_FENCE)
        return SAGA_OK;
    if (*charge != CHARGE_DECLINED)
        *charge = CHARGE_VOIDED;
    return SAGA_OK;
}

void sim_confirm(struct sim *sim, struct sim_order *order)
{
    for (uint32_t key = 0; key < KEYS_MAX; key++)
        if (order->charges[key] == CHARGE_ACTION) {
            if (sim_random(sim, 5) == 0)
                order->charges[key] = CHARGE_DECLINED;
            else
                capture(sim, order, key);
        }
}

enum saga_outcome sim_ask_outside(struct sim *sim, const struct event *question, bool *is_answered)
{
    struct sim_order *order = &sim->orders[question->order];

    *is_answered = true;
    if (sim_chance(sim, 5))
        return SAGA_UNKNOWN; /* 500: nothing was done */
    switch (question->action) {
    case SAGA_DO_RESERVE:
        return reserve(sim, order);
    case SAGA_DO_COMMIT:
        return commit(sim, order);
    case SAGA_DO_RELEASE:
        return release(sim, order);
    case SAGA_DO_OPEN:
        return open(sim, order, question->key, is_answered);
    case SAGA_DO_STATUS:
        return outcome_of(order->charges[question->key]);
    default:
        return cancel(sim, order, question->key);
    }
}
