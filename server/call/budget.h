/* call/budget.h: how often a call to another node may be tried again: a crowd that repeats itself
 * would keep down what has just come up. Pure: the caller brings the time (monotonic ms) and the
 * lock. SPDX-License-Identifier: Apache-2.0 */
#ifndef CALL_BUDGET_H
#define CALL_BUDGET_H

#include "call/seconds.h"
#include <stdbool.h>

enum {
    BUDGET_PERCENT = 10, /* of the calls of the last ten seconds … */
    BUDGET_FREE = 3,     /* … but so many in each second at least */
};

/* All zero is fresh. */
struct budget {
    struct seconds recent;
};

void budget_call(struct budget *b, int64_t now_ms);
/* Takes one retry; false: there is none left. */
bool budget_retry(struct budget *b, int64_t now_ms);

#endif
