/* base/fault.h: named places where a test may make something fail. Nothing armed costs one load.
 *
 * Armed by STOA_FAULT="place=action[@n][;place=action…]" at start, or fault_arm(): from the n-th
 * time (default 1; "@n!" only the n-th) that place is passed, action happens: "kill" (SIGKILL to
 * the own process), "error:STORE" (any name in STOA_ERRORS), "delay:250" (ms; honoured where the
 * place may wait), "drop" (place-specific). At most 8. SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stoa/errors.h>

extern bool fault_any_armed; /* written before threads start, or in tests */

stoa_err fault_arm(const char *spec); /* STOA_E_INVALID with nothing armed when it cannot be read */
void fault_clear(void);
/* Slow path of fault_point(); returns the error to fail with, or STOA_OK. */
stoa_err fault_hit(const char *place);
static inline stoa_err fault_point(const char *place)
{
    return fault_any_armed ? fault_hit(place) : STOA_OK;
}
/* How often an armed place was passed since arming, 0 for one that is not armed; for sweeps that go
 * on until nothing is reached. */
uint32_t fault_passed(const char *place);

/* For places that may wait or drop something: all of what is due there, counted as one passage. */
enum fault_kind { FAULT_NONE, FAULT_KILL, FAULT_ERROR, FAULT_DELAY, FAULT_DROP };
struct fault {
    enum fault_kind kind; /* never FAULT_KILL here: that happens inside */
    stoa_err err;         /* FAULT_ERROR */
    int64_t delay_ms;     /* FAULT_DELAY: the caller waits in its own way */
};
struct fault fault_look(const char *place);

#endif
