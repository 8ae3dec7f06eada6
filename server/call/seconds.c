/* call/seconds.c: a ring of slots, cleared as time passes. SPDX-License-Identifier: Apache-2.0 */
#include "call/seconds.h"

#include <string.h>

static struct seconds_count *turn_to(struct seconds *s, int64_t now_ms)
{
    int64_t second = now_ms / 1000;

    if (second - s->now_s >= SECONDS) {
        memset(s->slot, 0, sizeof s->slot);
        s->now_s = second;
    }
    while (s->now_s < second)
        s->slot[++s->now_s % SECONDS] = (struct seconds_count){0};
    return &s->slot[s->now_s % SECONDS];
}

void seconds_add(struct seconds *s, int64_t now_ms, uint32_t all, uint32_t some)
{
    struct seconds_count *slot = turn_to(s, now_ms);

    slot->all += all;
    slot->some += some;
}

struct seconds_count seconds_sum(struct seconds *s, int64_t now_ms, struct seconds_count *current)
{
    struct seconds_count sum = {0}, *slot = turn_to(s, now_ms);

    for (uint32_t i = 0; i < SECONDS; i++) {
        sum.all += s->slot[i].all;
        sum.some += s->slot[i].some;
    }
    if (current)
        *current = *slot;
    return sum;
}
