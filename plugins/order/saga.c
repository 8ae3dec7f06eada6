/* order/saga.c: the state machine of a checkout. SPDX-License-Identifier: Apache-2.0 */
#include "saga.h"

#include <string.h>

enum {
    BACKOFF_FIRST_MS = 1000,
    BACKOFF_MAX_MS = 30000,
    BUYER_BACK_MS = 5000,   /* he was told to repeat his request: recovery lets him */
    ACTION_POLL_MS = 15000, /* a lost message from the provider costs the buyer this long */
};

struct saga_state saga_begin(int64_t now_ms, int64_t expires_ms)
{
    return (struct saga_state){.step = SAGA_RESERVE,
                               .deadline_ms = now_ms,
                               .expires_ms = expires_ms,
                               .can_pay = true,
                               .is_fresh = true};
}

int64_t saga_backoff_ms(uint32_t tries)
{
    int64_t ms = BACKOFF_FIRST_MS;

    for (uint32_t i = 1; i < tries && ms < BACKOFF_MAX_MS; i++)
        ms *= 2;
    return ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;
}

enum saga_action saga_decide(const struct saga_state *state, int64_t now_ms)
{
    if (state->is_waiting || saga_is_final(state->step))
        return SAGA_REST;
    switch (state->step) {
    case SAGA_RESERVE:
        /* Without the buyer nobody can pay: holding the goods would only block others. */
        return state->can_pay && now_ms < state->expires_ms ? SAGA_DO_RESERVE : SAGA_GIVE_UP;
    case SAGA_PAY:
        return state->is_fresh ? SAGA_DO_OPEN : SAGA_DO_STATUS;
    case SAGA_ASK:
    case SAGA_ACTION:
        return SAGA_DO_STATUS;
    case SAGA_COMMIT:
        return SAGA_DO_COMMIT;
    case SAGA_VOID:
        return SAGA_DO_VOID;
    case SAGA_RELEASE:
        return SAGA_DO_RELEASE;
    default:
        return SAGA_REST;
    }
}

static struct saga_state step_to(const struct saga_state *state, enum saga_step step)
{
    struct saga_state next = *state;

    next.step = step;
    next.tries = 0;
    next.is_waiting = false;
    next.is_fresh = true;
    return next;
}

static struct saga_state give_up(const struct saga_state *state, enum saga_step step,
                                 enum saga_reason reason)
{
    struct saga_state next = step_to(state, step);

    next.reason = reason;
    return next;
}

static struct saga_state wait_at(const struct saga_state *state, enum saga_step step,
                                 int64_t until_ms)
{
    struct saga_state next = *state;

    next.tries = step == state->step ? state->tries + 1 : 1;
    next.step = step;
    next.is_waiting = true;
    next.is_fresh = false;
    next.deadline_ms = until_ms;
    return next;
}

static struct saga_state retry_later(const struct saga_state *state, int64_t now_ms)
{
    return wait_at(state, state->step, now_ms + saga_backoff_ms(state->tries + 1));
}

static struct saga_state pay(const struct saga_state *state, uint32_t attempt)
{
    struct saga_state next = step_to(state, SAGA_PAY);

    next.attempt = attempt;
    return next;
}

static struct saga_state after_reserve(const struct saga_state *state, enum saga_outcome outcome,
                                       int64_t now_ms)
{
    switch (outcome) {
    case SAGA_OK:
        return state->can_pay ? pay(state, 1) : give_up(state, SAGA_RELEASE, SAGA_FOR_NOT_PAID);
    case SAGA_SOLD_OUT:
        /* One more step, although nothing is held: it is saved before the release is asked for,
         * so a release that is late never meets an order that goes on. */
        return give_up(state, SAGA_RELEASE, SAGA_FOR_SOLD_OUT);
    default:
        return wait_at(state, SAGA_RESERVE, now_ms + BUYER_BACK_MS);
    }
}

/* The provider knows nothing of the key. Whoever can pay tries again under the same key; nobody
 * else charges a buyer who may have turned away. The void makes sure that a call still on its way
 * to the provider charges nothing either. */
static struct saga_state not_there(const struct saga_state *state, bool is_late)
{
    if (is_late)
        return give_up(state, SAGA_VOID, SAGA_FOR_EXPIRED);
    if (state->can_pay)
        return pay(state, state->attempt);
    return give_up(state, SAGA_VOID, SAGA_FOR_NOT_PAID);
}

static struct saga_state after_payment(const struct saga_state *state, enum saga_outcome outcome,
                                       int64_t now_ms)
{
    bool is_late = now_ms >= state->expires_ms;
    int64_t poll_ms = now_ms + ACTION_POLL_MS;

    switch (outcome) {
    case SAGA_CAPTURED:
        return step_to(state, SAGA_COMMIT);
    case SAGA_REFUSED:
        return give_up(state, SAGA_RELEASE, SAGA_FOR_DECLINED);
    case SAGA_ABSENT:
        return not_there(state, is_late);
    case SAGA_NEEDS_ACTION:
        if (is_late)
            return give_up(state, SAGA_VOID, SAGA_FOR_EXPIRED);
        return wait_at(state, SAGA_ACTION,
                       poll_ms < state->expires_ms ? poll_ms : state->expires_ms);
    default:
        if (is_late)
            return give_up(state, SAGA_VOID, SAGA_FOR_EXPIRED);
        return wait_at(state, SAGA_ASK, now_ms + saga_backoff_ms(state->tries + 1));
    }
}

struct saga_state saga_apply(const struct saga_state *state, enum saga_outcome outcome,
                             int64_t now_ms)
{
    switch (state->step) {
    case SAGA_RESERVE:
        if (saga_decide(state, now_ms) == SAGA_GIVE_UP)
            return give_up(state, SAGA_RELEASE, SAGA_FOR_NOT_PAID);
        return after_reserve(state, outcome, now_ms);
    case SAGA_PAY:
    case SAGA_ASK:
    case SAGA_ACTION:
        return after_payment(state, outcome, now_ms);
    case SAGA_COMMIT:
        return outcome == SAGA_OK ? step_to(state, SAGA_DONE) : retry_later(state, now_ms);
    case SAGA_VOID:
        return outcome == SAGA_OK ? step_to(state, SAGA_RELEASE) : retry_later(state, now_ms);
    case SAGA_RELEASE:
        return outcome == SAGA_OK ? step_to(state, SAGA_CANCELLED) : retry_later(state, now_ms);
    default:
        return *state;
    }
}

bool saga_cancel(const struct saga_state *state, struct saga_state *ret)
{
    switch (state->step) {
    case SAGA_RESERVE:
        *ret = give_up(state, SAGA_RELEASE, SAGA_FOR_ASKED);
        return true;
    case SAGA_PAY:
    case SAGA_ASK:
    case SAGA_ACTION:
        *ret = give_up(state, SAGA_VOID, SAGA_FOR_ASKED);
        return true;
    default:
        return false;
    }
}

bool saga_is_final(enum saga_step step)
{
    return step == SAGA_DONE || step == SAGA_CANCELLED;
}

bool saga_is_paid(enum saga_step step)
{
    return step == SAGA_COMMIT || step == SAGA_DONE;
}

const char *saga_step_name(enum saga_step step)
{
#define X(name, text, shown) [SAGA_##name] = text,
    static const char *const names[] = {SAGA_STEPS(X)};
#undef X
    return names[step];
}

const char *saga_step_shown(enum saga_step step)
{
#define X(name, text, shown) [SAGA_##name] = shown,
    static const char *const names[] = {SAGA_STEPS(X)};
#undef X
    return names[step];
}

const char *saga_reason_name(enum saga_reason reason)
{
#define X(name, text, err, detail) [SAGA_FOR_##name] = text,
    static const char *const names[] = {SAGA_REASONS(X)};
#undef X
    return names[reason];
}

enum saga_step saga_step_of(const char *name, uint64_t len)
{
    for (enum saga_step s = 0; s < SAGA_STEP_COUNT; s++)
        if (strlen(saga_step_name(s)) == len && memcmp(saga_step_name(s), name, len) == 0)
            return s;
    return SAGA_STEP_COUNT;
}

enum saga_reason saga_reason_of(const char *name, uint64_t len)
{
    if (len == 0)
        return SAGA_FOR_NONE;
    for (enum saga_reason r = 0; r < SAGA_REASON_COUNT; r++)
        if (strlen(saga_reason_name(r)) == len && memcmp(saga_reason_name(r), name, len) == 0)
            return r;
    return SAGA_REASON_COUNT;
}
