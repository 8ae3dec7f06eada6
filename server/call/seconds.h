/* call/seconds.h: two counts over the last ten seconds. Pure: the caller brings the time and the
 * lock. SPDX-License-Identifier: Apache-2.0 */
#ifndef CALL_SECONDS_H
#define CALL_SECONDS_H

#include <stdint.h>

enum { SECONDS = 10 };

struct seconds_count {
    uint32_t all, some; /* calls and failures, or calls and retries */
};
/* All zero is empty. */
struct seconds {
    int64_t now_s; /* of the newest slot */
    struct seconds_count slot[SECONDS];
};

/* Counts into the second of now_ms (monotonic); an earlier one counts as the newest. */
void seconds_add(struct seconds *s, int64_t now_ms, uint32_t all, uint32_t some);
/* Of the ten seconds that end with now_ms; *current (may be NULL): of its second only. */
struct seconds_count seconds_sum(struct seconds *s, int64_t now_ms, struct seconds_count *current);

#endif
