/* tests/fault/sim.h: a shop in a bottle: the checkout's real state machine (plugins/order/saga.c)
 * among a clock, a database, a warehouse, a bank and a post office that are all pretended, and that
 * one seed drives. SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_H
#define SIM_H

#include "saga.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ORDERS_MAX = 6,
    KEYS_MAX = 24, /* payment keys of one order */
    DRIVERS_MAX = 512,
    QUEUE_MAX = 4096,
    LEASE_MS = 6000,
    CALL_TIMEOUT_MS = 4000,
    ORDER_LIFE_MS = 60000,
    FAULTS_END_MS = 90000,    /* afterwards nothing goes wrong any more … */
    PATIENCE_MS = 30 * 60000, /* … and by then every order must have an end */
};

/* Ways to break it on purpose: a simulator that finds nothing proves nothing. */
enum sim_broken {
    BROKEN_NOTHING,
    BROKEN_NEW_KEY,  /* each open has a key of its own */
    BROKEN_NO_FENCE, /* a void of an unknown key leaves nothing behind */
    BROKEN_NO_VOID,  /* giving up does not ask the bank */
    BROKEN_NO_CAS,   /* steps are saved whoever holds the lease */
    BROKEN_COUNT
};
extern const char *const sim_broken_names[BROKEN_COUNT];

enum hold { HOLD_NONE, HOLD_RESERVED, HOLD_COMMITTED, HOLD_RELEASED };
enum charge { CHARGE_NONE, CHARGE_CAPTURED, CHARGE_DECLINED, CHARGE_ACTION, CHARGE_VOIDED };
/* What the buyer's card does. */
enum card {
    CARD_OK,
    CARD_DECLINED,
    CARD_3DS,
    CARD_DROP,
    CARD_TIMEOUT_CHARGED,
    CARD_TIMEOUT_LOST,
    CARD_COUNT
};

struct sim_order {
    struct saga_state row; /* as stored */
    uint32_t pay_key;      /* stored with it */
    uint64_t lease_owner;
    int64_t lease_until;
    bool is_placed;
    uint32_t opens; /* only for BROKEN_NEW_KEY */
    /* Of the journal: which end the client was told. */
    int32_t reply;
    /* Outside. */
    enum card card;
    uint32_t quantity;
    enum hold hold;
    enum charge charges[KEYS_MAX];
    uint32_t paid_events, mails, mail_windows;
    bool is_mailed;
};

enum event_type {
    EV_PLACE,   /* the buyer presses the button */
    EV_RETRY,   /* … and again, with the same key */
    EV_STEP,    /* a driver goes on */
    EV_ARRIVE,  /* a question reaches the warehouse or the bank */
    EV_ANSWER,  /* its answer reaches the driver */
    EV_TIMEOUT, /* the driver waits no longer */
    EV_CONFIRM, /* the buyer takes the second step, and the bank says so */
    EV_CANCEL,
    EV_RECOVER,
    EV_POST, /* the outbox is looked at */
    EV_CRASH,
    EV_RESTART,
};

struct event {
    int64_t at;
    uint64_t number; /* of two at the same time the earlier made comes first */
    enum event_type type;
    uint32_t order, driver, key;
    uint64_t call;
    enum saga_action action;
    enum saga_outcome outcome;
};

struct driver {
    bool is_alive, answers;
    uint32_t order;
    uint64_t owner, call; /* call: the one it waits for */
    struct saga_state state;
};

struct sim {
    uint64_t seed, random, trace, numbers;
    enum sim_broken broken;
    bool is_talkative;
    int64_t now;
    bool is_up;
    uint32_t stock_initial, stock_available, stock_sold;
    uint32_t order_count, driver_count, queue_count;
    uint32_t questions;  /* on their way */
    const char *failure; /* NULL: all is well */
    struct sim_order orders[ORDERS_MAX];
    struct driver drivers[DRIVERS_MAX];
    struct event queue[QUEUE_MAX];
};

/* ---- sim_queue.c ---- */
void sim_at(struct sim *sim, int64_t delay_ms, struct event event);
bool sim_next(struct sim *sim, struct event *ret);
uint64_t sim_random(struct sim *sim, uint64_t below); /* below > 0 */
bool sim_chance(struct sim *sim, uint32_t percent);   /* never once the faults have ended */
void sim_note(struct sim *sim, const char *what, uint64_t a, uint64_t b); /* into the trace */
void sim_fail(struct sim *sim, const char *why);

/* ---- sim_outside.c: warehouse and bank ---- */
enum saga_outcome sim_ask_outside(struct sim *sim, const struct event *question, bool *is_answered);
void sim_confirm(struct sim *sim, struct sim_order *order);

/* ---- sim_shop.c: the processes that drive orders ---- */
void sim_handle(struct sim *sim, const struct event *event);

/* ---- simulator.c ---- */
/* Runs one seed to its end. Returns why it failed, or NULL. */
const char *sim_run(struct sim *sim, uint64_t seed, enum sim_broken broken, bool is_talkative);

#endif
