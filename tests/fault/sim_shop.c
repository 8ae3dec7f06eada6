/* tests/fault/sim_shop.c: what saga_run.c, checkout.c and recover.c do, with a pretended database.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sim.h"

enum {
    RECOVER_EVERY_MS = 1000,
    POST_EVERY_MS = 500,
    RETRY_MAX_MS = 8000,
};

static int64_t network_ms(struct sim *sim)
{
    if (sim_chance(sim, 4))
        return (int64_t)sim_random(sim, 40000); /* stuck somewhere, and not lost */
    return 1 + (int64_t)sim_random(sim, 40);
}

static void kill_driver(struct driver *driver)
{
    driver->is_alive = false;
}

/* ---- Database ---- */

static bool take(struct sim *sim, uint32_t order, uint64_t owner)
{
    struct sim_order *o = &sim->orders[order];

    if (!o->is_placed || saga_is_final(o->row.step) || o->lease_until > sim->now)
        return false;
    o->lease_owner = owner;
    o->lease_until = sim->now + LEASE_MS;
    return true;
}

/* The client's answer, in the transaction of the step: see is_answer() in saga_run.c. */
static void answer_client(struct sim *sim, struct driver *driver, const struct saga_state *next)
{
    struct sim_order *o = &sim->orders[driver->order];

    if (!driver->answers || o->reply != 0)
        return;
    if (saga_is_paid(next->step))
        o->reply = 201;
    else if (next->step == SAGA_CANCELLED)
        o->reply = 402;
    else if (next->is_waiting && next->step != SAGA_RESERVE)
        o->reply = 202;
    if (o->reply != 0)
        sim_note(sim, "client is told", driver->order, (uint64_t)o->reply);
}

static void write_row(struct sim *sim, struct driver *driver, const struct saga_state *next)
{
    struct sim_order *o = &sim->orders[driver->order];
    bool is_over = next->is_waiting || saga_is_final(next->step);

    if (next->step == SAGA_COMMIT && !saga_is_paid(driver->state.step))
        o->paid_events++;
    o->row = *next;
    o->row.can_pay = o->row.is_fresh = o->row.is_waiting = false; /* not kept */
    o->lease_until = is_over ? 0 : sim->now + LEASE_MS;
    if (!next->is_waiting)
        o->row.deadline_ms = sim->now + LEASE_MS;
    if (next->step == SAGA_PAY)
        o->pay_key = next->attempt;
    answer_client(sim, driver, next);
    sim_note(sim, saga_step_name(next->step), driver->order, next->is_waiting);
}

/* Compare and set, and one transaction. False: the driver has to stop. */
static bool save(struct sim *sim, struct driver *driver, const struct saga_state *next)
{
    struct sim_order *o = &sim->orders[driver->order];
    bool is_mine = o->lease_owner == driver->owner && o->row.step == driver->state.step;

    if (!is_mine && sim->broken != BROKEN_NO_CAS) {
        sim_note(sim, "lease lost", driver->order, driver->owner);
        return false;
    }
    if (sim_chance(sim, 3))
        return false; /* refused; nothing was written */
    write_row(sim, driver, next);
    driver->state = *next;
    return !sim_chance(sim, 3); /* written, but the driver hears of an error */
}

/* ---- Drivers ---- */

/* Now and then a driver sleeps past its lease (a machine that is suspended), wakes up, and goes on
 * as if nothing had happened. */
static void go_on(struct sim *sim, uint32_t driver, int64_t delay_ms)
{
    if (sim_chance(sim, 2))
        delay_ms += (int64_t)sim_random(sim, 4 * LEASE_MS);
    sim_at(sim, delay_ms, (struct event){.type = EV_STEP, .driver = driver});
}

static struct driver *start(struct sim *sim, uint32_t order, bool can_pay)
{
    uint32_t index = sim->driver_count;
    struct driver *driver = &sim->drivers[index];

    if (index == DRIVERS_MAX)
        return NULL;
    *driver =
        (struct driver){.is_alive = true, .answers = can_pay, .order = order, .owner = index + 1};
    if (!take(sim, order, driver->owner))
        return NULL;
    sim->driver_count++;
    driver->state = sim->orders[order].row;
    driver->state.can_pay = can_pay;
    go_on(sim, index, 1);
    return driver;
}

static void place(struct sim *sim, uint32_t order)
{
    struct sim_order *o = &sim->orders[order];
    struct driver *driver;

    if (!sim->is_up || o->is_placed)
        return;
    o->row = saga_begin(sim->now, sim->now + ORDER_LIFE_MS);
    o->is_placed = true;
    driver = start(sim, order, true);
    if (driver)
        driver->state.is_fresh = true;
    sim_note(sim, "placed", order, o->card);
}

/* The buyer presses again until there is an answer: the first try may have died. */
static void retry(struct sim *sim, uint32_t order)
{
    struct sim_order *o = &sim->orders[order];

    if (o->reply != 0)
        return;
    if (!o->is_placed)
        place(sim, order);
    else if (sim->is_up && saga_is_final(o->row.step))
        o->reply = saga_is_paid(o->row.step) ? 201 : 402;
    else if (sim->is_up)
        start(sim, order, true);
    sim_at(sim, 500 + (int64_t)sim_random(sim, RETRY_MAX_MS),
           (struct event){.type = EV_RETRY, .order = order});
}

static uint32_t key_of(struct sim *sim, struct sim_order *order, enum saga_action action)
{
    if (sim->broken == BROKEN_NEW_KEY && action == SAGA_DO_OPEN && order->opens < KEYS_MAX - 1)
        order->pay_key = ++order->opens;
    return order->pay_key;
}

static void ask(struct sim *sim, uint32_t index, enum saga_action action)
{
    struct driver *driver = &sim->drivers[index];
    struct event question = {.type = EV_ARRIVE,
                             .driver = index,
                             .order = driver->order,
                             .action = action,
                             .call = ++sim->numbers};

    driver->call = question.call;
    question.key = key_of(sim, &sim->orders[driver->order], action);
    sim_note(sim, "asks", driver->order, action);
    for (uint32_t copies = sim_chance(sim, 3) ? 2 : 1; copies > 0; copies--)
        if (!sim_chance(sim, 4)) {
            sim->questions++;
            sim_at(sim, network_ms(sim), question);
        }
    sim_at(sim, CALL_TIMEOUT_MS,
           (struct event){.type = EV_TIMEOUT, .driver = index, .call = question.call});
}

static void learn(struct sim *sim, uint32_t index, enum saga_outcome outcome)
{
    struct driver *driver = &sim->drivers[index];
    struct saga_state next = saga_apply(&driver->state, outcome, sim->now);

    driver->call = 0;
    if (save(sim, driver, &next))
        go_on(sim, index, (int64_t)sim_random(sim, 5));
    else
        kill_driver(driver);
}

static void step(struct sim *sim, uint32_t index)
{
    struct driver *driver = &sim->drivers[index];
    enum saga_action action;

    if (!driver->is_alive)
        return;
    action = saga_decide(&driver->state, sim->now);
    if (action == SAGA_REST)
        kill_driver(driver);
    else if (action == SAGA_GIVE_UP)
        learn(sim, index, SAGA_OK);
    else
        ask(sim, index, action);
}

static void arrive(struct sim *sim, const struct event *question)
{
    bool is_answered;
    struct event answer = *question;

    sim->questions--;
    answer.type = EV_ANSWER;
    answer.outcome = sim_ask_outside(sim, question, &is_answered);
    sim_note(sim, "outside does", question->order, answer.outcome);
    if (is_answered && !sim_chance(sim, 4))
        sim_at(sim, network_ms(sim), answer);
}

static void hear(struct sim *sim, const struct event *event, enum saga_outcome outcome)
{
    struct driver *driver = &sim->drivers[event->driver];

    if (driver->is_alive && driver->call == event->call)
        learn(sim, event->driver, outcome);
}

/* ---- Others who push an order on ---- */

static void confirm(struct sim *sim, uint32_t order)
{
    sim_confirm(sim, &sim->orders[order]);
    if (sim->is_up && !sim_chance(sim, 20)) /* the bank's message may get lost */
        start(sim, order, false);
}

static void cancel(struct sim *sim, uint32_t order)
{
    struct saga_state next;
    struct driver *driver = sim->is_up ? start(sim, order, false) : NULL;

    if (!driver || !saga_cancel(&driver->state, &next))
        return;
    if (!save(sim, driver, &next))
        kill_driver(driver);
}

static void recover(struct sim *sim)
{
    for (uint32_t i = 0; sim->is_up && i < sim->order_count; i++)
        if (sim->orders[i].row.deadline_ms <= sim->now)
            start(sim, i, false);
    sim_at(sim, RECOVER_EVERY_MS, (struct event){.type = EV_RECOVER});
}

/* The relay and the mail: handed over first, noted afterwards. */
static void post(struct sim *sim)
{
    for (uint32_t i = 0; sim->is_up && i < sim->order_count; i++) {
        struct sim_order *o = &sim->orders[i];
        if (o->paid_events == 0 || o->is_mailed)
            continue;
        o->mails++;
        if (sim_chance(sim, 10))
            o->mail_windows++; /* killed between the two */
        else
            o->is_mailed = true;
    }
    sim_at(sim, POST_EVERY_MS, (struct event){.type = EV_POST});
}

static void crash(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->driver_count; i++)
        kill_driver(&sim->drivers[i]);
    sim->is_up = false;
    sim_note(sim, "killed", 0, 0);
    sim_at(sim, 200 + (int64_t)sim_random(sim, 4000), (struct event){.type = EV_RESTART});
}

void sim_handle(struct sim *sim, const struct event *event)
{
    switch (event->type) {
    case EV_PLACE:
    case EV_RETRY:
        retry(sim, event->order);
        break;
    case EV_STEP:
        step(sim, event->driver);
        break;
    case EV_ARRIVE:
        arrive(sim, event);
        break;
    case EV_ANSWER:
        hear(sim, event, event->outcome);
        break;
    case EV_TIMEOUT:
        hear(sim, event, SAGA_UNKNOWN);
        break;
    case EV_CONFIRM:
        confirm(sim, event->order);
        break;
    case EV_CANCEL:
        cancel(sim, event->order);
        break;
    case EV_RECOVER:
        recover(sim);
        break;
    case EV_POST:
        post(sim);
        break;
    case EV_CRASH:
        crash(sim);
        break;
    case EV_RESTART:
        sim->is_up = true;
        break;
    }
}
