/* call/balance.c: least in flight. SPDX-License-Identifier: Apache-2.0 */
#include "call/balance.h"

static bool is_better(const struct balance_address *a, const struct balance_address *b)
{
    if (a->was_tried != b->was_tried)
        return b->was_tried;
    return a->in_flight < b->in_flight;
}

int32_t balance_choose(const struct balance_address *all, uint32_t count, uint32_t turn)
{
    int32_t best = -1;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = (turn + i) % count;
        if (all[at].is_up && (best < 0 || is_better(&all[at], &all[best])))
            best = (int32_t)at;
    }
    return best;
}
