/* gate/rate.h: how much one visitor may ask, per loop: a token bucket in a table of fixed size.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GATE_RATE_H
#define GATE_RATE_H

#include <stoa/str.h>

/* Also while the loops run: from the next request on. requests per second over all loops, and how
 * many at once; 0 = no limit. */
void rate_init(uint32_t per_second, uint32_t burst, uint32_t loops);
/* Takes one; false: none left, and *retry_s says when there is one (1 or more). Loop's thread. */
bool rate_take(stoa_str visitor, int64_t now_ms, int64_t *retry_s);

#endif
