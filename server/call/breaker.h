/* call/breaker.h: stops asking who does not answer. Closed → open after failures in a row or a bad
 * share → half-open after a pause: one probe decides. Pure: the caller brings the time (monotonic
 * ms) and the lock. SPDX-License-Identifier: Apache-2.0 */
#ifndef CALL_BREAKER_H
#define CALL_BREAKER_H

#include "call/seconds.h"
#include <stdbool.h>

enum {
    BREAKER_IN_A_ROW = 5,    /* failures that open it, one after the other */
    BREAKER_SHARE_OF = 20,   /* or more than half of at least so many in ten seconds */
    BREAKER_PAUSE_MS = 1000, /* open at first; doubled with each probe that fails */
    BREAKER_PAUSE_MAX_MS = 30000,
};

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

/* All zero is closed. */
struct breaker {
    enum breaker_state state;
    uint32_t in_a_row;
    uint32_t pause_ms;
    int64_t until_ms; /* open until then */
    bool is_probing;  /* the one call of half-open is on its way */
    uint32_t epoch;   /* how often it has opened */
    struct seconds recent;
};

/* May a call be made now? Changes nothing. */
bool breaker_is_passable(const struct breaker *b, int64_t now_ms);
enum breaker_admission {
    BREAKER_REFUSED,
    BREAKER_CALL,
    BREAKER_PROBE, /* half-open: its end decides, and no other call's */
};
/* How a call was let in, and when: once the breaker has opened, what had begun before says nothing
 * any more, also not when it has closed again. */
struct breaker_pass {
    enum breaker_admission as;
    uint32_t epoch;
};
/* As that; begins a call, which is told how it was let in when it ends with one of the three below.
 */
struct breaker_pass breaker_enter(struct breaker *b, int64_t now_ms);
/* It was answered. Returns true when that closed the breaker. */
bool breaker_succeed(struct breaker *b, struct breaker_pass pass, int64_t now_ms);
/* It failed. Returns true when that opened the breaker (again). */
bool breaker_fail(struct breaker *b, struct breaker_pass pass, int64_t now_ms);
/* It ended without telling anything: given up by the caller. A probe is given back: the next call
 * is one. */
void breaker_forget(struct breaker *b, struct breaker_pass pass);
/* There is a sign of life (/readyz): the next call may be the probe, without the rest of the pause.
 */
void breaker_hurry(struct breaker *b, int64_t now_ms);
const char *breaker_state_name(enum breaker_state state);

#endif
