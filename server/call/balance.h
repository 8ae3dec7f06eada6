/* call/balance.h: which of several addresses gets the next call. Pure.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CALL_BALANCE_H
#define CALL_BALANCE_H

#include <stdbool.h>
#include <stdint.h>

struct balance_address {
    bool is_up;         /* ready, and its breaker lets calls through */
    bool was_tried;     /* by this call: only when nobody else is left */
    uint32_t in_flight; /* of this process */
};

/* Index of the least loaded of those that are up, those not tried yet first; among equals the one
 * that turn points at or the next after it. -1: none is up. */
int32_t balance_choose(const struct balance_address *all, uint32_t count, uint32_t turn);

#endif
