/* base/clock.h: the two clocks. Deadlines are monotonic, instants are UTC; tests may set both.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_utc_ms(void); /* since 1970, plus the test's offset */
/* The same of a moment that clock_monotonic_us() told; a step of the system's clock may be missed
 * for a tenth of a second. */
int64_t clock_utc_ms_at(int64_t monotonic_us);
int64_t clock_monotonic_ms(void); /* for deadlines and leases in memory */
int64_t clock_monotonic_us(void); /* for durations */
void clock_shift_for_test(int64_t utc_offset_ms);

#endif
