/* call/breaker.c: three states. SPDX-License-Identifier: Apache-2.0 */
#include "call/breaker.h"

#include <stddef.h>

bool breaker_is_passable(const struct breaker *b, int64_t now_ms)
{
    switch (b->state) {
    case BREAKER_CLOSED:
        return true;
    case BREAKER_OPEN:
        return now_ms >= b->until_ms;
    default:
        return !b->is_probing;
    }
}

struct breaker_pass breaker_enter(struct breaker *b, int64_t now_ms)
{
    struct breaker_pass pass = {BREAKER_REFUSED, b->epoch};

    if (!breaker_is_passable(b, now_ms))
        return pass;
    pass.as = BREAKER_CALL;
    if (b->state == BREAKER_CLOSED)
        return pass;
    pass.as = BREAKER_PROBE;
    b->state = BREAKER_HALF_OPEN;
    b->is_probing = true;
    return pass;
}

/* What was on its way when it opened says nothing about now: only the probe closes it. */
bool breaker_succeed(struct breaker *b, struct breaker_pass pass, int64_t now_ms)
{
    if (pass.epoch != b->epoch)
        return false;
    seconds_add(&b->recent, now_ms, 1, 0);
    b->in_a_row = 0;
    if (pass.as != BREAKER_PROBE)
        return false;
    *b = (struct breaker){.epoch = b->epoch};
    return true;
}

static void open_for(struct breaker *b, int64_t now_ms, uint32_t pause_ms)
{
    b->state = BREAKER_OPEN;
    b->epoch++;
    b->is_probing = false;
    b->in_a_row = 0;
    b->pause_ms = pause_ms < BREAKER_PAUSE_MAX_MS ? pause_ms : BREAKER_PAUSE_MAX_MS;
    b->until_ms = now_ms + b->pause_ms;
}

static bool is_too_much(struct breaker *b, int64_t now_ms)
{
    struct seconds_count sum = seconds_sum(&b->recent, now_ms, NULL);

    return b->in_a_row >= BREAKER_IN_A_ROW ||
           (sum.all >= BREAKER_SHARE_OF && sum.some * 2 > sum.all);
}

bool breaker_fail(struct breaker *b, struct breaker_pass pass, int64_t now_ms)
{
    if (pass.epoch != b->epoch)
        return false;
    seconds_add(&b->recent, now_ms, 1, 1);
    b->in_a_row++;
    if (pass.as == BREAKER_PROBE) {
        open_for(b, now_ms, b->pause_ms * 2);
        return true;
    }
    if (!is_too_much(b, now_ms))
        return false;
    open_for(b, now_ms, BREAKER_PAUSE_MS);
    return true;
}

void breaker_forget(struct breaker *b, struct breaker_pass pass)
{
    if (pass.as == BREAKER_PROBE && pass.epoch == b->epoch)
        b->is_probing = false;
}

void breaker_hurry(struct breaker *b, int64_t now_ms)
{
    if (b->state == BREAKER_OPEN && b->until_ms > now_ms)
        b->until_ms = now_ms;
}

const char *breaker_state_name(enum breaker_state state)
{
    static const char *const names[] = {"closed", "open", "half-open"};

    return names[state];
}
