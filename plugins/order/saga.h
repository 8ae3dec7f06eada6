/* order/saga.h: what a checkout does next, and nothing else: no clock, no database, no calls. The
 * plugin (saga_run.c) and the simulator (tests/fault) drive the same functions.
 *
 *   reserve ─▶ pay ─▶ (ask | action) ─▶ commit ─▶ done
 *      │        └────────────┴─▶ void ─┐
 *      └──────────────────────────▶ release ─▶ cancelled
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ORDER_SAGA_H
#define ORDER_SAGA_H

#include <stdbool.h>
#include <stdint.h>

/* name in the database, state that the API shows */
#define SAGA_STEPS(X)                                                                              \
    X(RESERVE, "reserve", "placed")  /* written; stock to be reserved */                           \
    X(PAY, "pay", "payment_pending") /* reserved, key stored; payment may have been opened */      \
    X(ASK, "ask", "payment_pending") /* opened, no answer: the provider must be asked */           \
    X(ACTION, "action", "payment_pending") /* the buyer has a second step to take */               \
    X(COMMIT, "commit", "paid")            /* captured; reserved stock to be marked sold */        \
    X(VOID, "void", "payment_pending")     /* given up: whatever the provider has to be undone */  \
    X(RELEASE, "release", "payment_pending") /* nothing charged; stock to be given back */         \
    X(DONE, "done", "paid")                                                                        \
    X(CANCELLED, "cancelled", "cancelled")

/* name in the database, what the buyer is told, and the detail with it */
#define SAGA_REASONS(X)                                                                            \
    X(NONE, "", STOA_OK, "")                                                                       \
    X(SOLD_OUT, "sold_out", STOA_E_SOLD_OUT, "Somebody was faster; you were not charged")          \
    X(DECLINED, "declined", STOA_E_DECLINED, "The provider declined; you were not charged")        \
    X(NOT_PAID, "not_paid", STOA_E_DECLINED,                                                       \
      "The payment was not completed; you were not charged")                                       \
    X(EXPIRED, "expired", STOA_E_DECLINED, "The payment took too long; you were not charged")      \
    X(ASKED, "asked", STOA_E_CONFLICT, "The order was cancelled on request")

#define X(name, text, shown) SAGA_##name,
enum saga_step { SAGA_STEPS(X) SAGA_STEP_COUNT };
#undef X
#define X(name, text, err, detail) SAGA_FOR_##name,
enum saga_reason { SAGA_REASONS(X) SAGA_REASON_COUNT };
#undef X

/* What the outside is asked to do. All of them may be repeated without a second effect. */
enum saga_action {
    SAGA_REST,       /* final, or nothing before deadline_ms */
    SAGA_GIVE_UP,    /* no effect outside: goes over to compensation */
    SAGA_DO_RESERVE, /* stock, keyed by order */
    SAGA_DO_OPEN,    /* payment, keyed by order and attempt */
    SAGA_DO_STATUS,  /* ask the provider by that key */
    SAGA_DO_COMMIT,
    SAGA_DO_VOID, /* afterwards an open with that key can no longer charge */
    SAGA_DO_RELEASE,
};

/* What came of it. */
enum saga_outcome {
    SAGA_OK,       /* reserve, commit, void, release did what they say; give up */
    SAGA_SOLD_OUT, /* reserve */
    SAGA_CAPTURED, /* open, status */
    SAGA_REFUSED,  /* open, status: declined */
    SAGA_NEEDS_ACTION,
    SAGA_ABSENT,  /* status: the provider has nothing under this key, or has voided it */
    SAGA_UNKNOWN, /* no answer, or one that says nothing */
};

struct saga_state {
    enum saga_step step;
    enum saga_reason reason; /* why it is (being) cancelled */
    uint32_t attempt;        /* of the payment; part of its key; 0 before the first */
    uint32_t tries;          /* at this step, without a result */
    int64_t deadline_ms;     /* who finds it later than this may take it over */
    int64_t expires_ms;      /* past this it is compensated instead of continued */
    /* Of the one who drives it now; not kept. */
    bool can_pay;  /* has the buyer's payment token at hand: the buyer's own request */
    bool is_fresh; /* this driver made the last step itself: nobody can have opened the payment */
    bool is_waiting;
};

/* A new order's first state. */
struct saga_state saga_begin(int64_t now_ms, int64_t expires_ms);
/* What to do now. */
enum saga_action saga_decide(const struct saga_state *state, int64_t now_ms);
/* The state after action's outcome. It has to be stored (compare and set) before the next action.
 */
struct saga_state saga_apply(const struct saga_state *state, enum saga_outcome outcome,
                             int64_t now_ms);
/* The state after somebody asked to cancel; false when it is too late (paid) or needless. */
bool saga_cancel(const struct saga_state *state, struct saga_state *ret);

bool saga_is_final(enum saga_step step);
bool saga_is_paid(enum saga_step step);
const char *saga_step_name(enum saga_step step);  /* "reserve" */
const char *saga_step_shown(enum saga_step step); /* "placed" */
const char *saga_reason_name(enum saga_reason reason);
/* SAGA_STEP_COUNT or SAGA_REASON_COUNT when there is no such name. */
enum saga_step saga_step_of(const char *name, uint64_t len);
enum saga_reason saga_reason_of(const char *name, uint64_t len);
/* How long to wait after that many fruitless tries. */
int64_t saga_backoff_ms(uint32_t tries);

#endif
