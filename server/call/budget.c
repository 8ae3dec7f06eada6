/* call/budget.c: calls and retries of the last ten seconds. SPDX-License-Identifier: Apache-2.0 */
#include "call/budget.h"

void budget_call(struct budget *b, int64_t now_ms)
{
    seconds_add(&b->recent, now_ms, 1, 0);
}

bool budget_retry(struct budget *b, int64_t now_ms)
{
    struct seconds_count current, sum = seconds_sum(&b->recent, now_ms, &current);

    if (current.some >= BUDGET_FREE && (sum.some + 1) * 100 > sum.all * BUDGET_PERCENT)
        return false;
    seconds_add(&b->recent, now_ms, 0, 1);
    return true;
}
