/* gate/rate.c: two hash choices, the emptier or older slot is given away: a full table forgets the
 * least active visitor, never memory. SPDX-License-Identifier: Apache-2.0 */
#include "gate/rate.h"

#include <stdlib.h>

enum { SLOTS = 16384, MILLI = 1000 };

struct slot {
    uint64_t key; /* odd; 0 = free */
    struct rate_bucket bucket;
};
struct rate_table {
    struct slot slots[SLOTS];
};

/* ---- Buckets ---- */

struct rate_limit rate_share(uint32_t per_second, uint32_t burst, uint32_t loops)
{
    return (struct rate_limit){
        .per_second = per_second ? (per_second + loops - 1) / loops : 0,
        .burst = burst > loops ? burst / loops : 1,
    };
}

bool rate_bucket_has(struct rate_bucket *b, struct rate_limit limit, int64_t now_ms)
{
    const int64_t full = (int64_t)limit.burst * MILLI;

    if (limit.per_second == 0)
        return true;
    b->tokens = b->at_ms == 0 ? full : b->tokens + (now_ms - b->at_ms) * limit.per_second;
    if (b->tokens > full)
        b->tokens = full;
    b->at_ms = now_ms;
    return b->tokens >= MILLI;
}

bool rate_bucket_take(struct rate_bucket *b, struct rate_limit limit, int64_t now_ms)
{
    if (!rate_bucket_has(b, limit, now_ms))
        return false;
    b->tokens -= MILLI;
    return true;
}

struct rate_bucket *rate_table_find(struct rate_table **table, uint64_t key)
{
    struct slot *a, *b;

    if (!*table)
        *table = calloc(1, sizeof **table);
    stoa_assert(*table);
    key |= 1;
    a = &(*table)->slots[(key >> 1) % SLOTS];
    b = &(*table)->slots[(key >> 32) % SLOTS];
    if (a->key == key)
        return &a->bucket;
    if (b->key == key)
        return &b->bucket;
    a = a->bucket.at_ms <= b->bucket.at_ms ? a : b;
    *a = (struct slot){.key = key};
    return &a->bucket;
}

/* ---- Requests ---- */

static _Atomic(struct rate_limit) requests;
static __thread struct rate_table *visitors;

void rate_init(uint32_t per_second, uint32_t burst, uint32_t loops)
{
    requests = rate_share(per_second, burst, loops);
}

bool rate_take(stoa_str visitor, int64_t now_ms, int64_t *retry_s)
{
    const struct rate_limit limit = requests; /* once: it may change */
    const int64_t rate = limit.per_second;
    struct rate_bucket *b;

    if (rate == 0)
        return true;
    b = rate_table_find(&visitors, stoa_str_hash(visitor));
    if (rate_bucket_take(b, limit, now_ms))
        return true;
    *retry_s = (MILLI - b->tokens + rate * MILLI - 1) / (rate * MILLI);
    *retry_s = *retry_s < 1 ? 1 : *retry_s;
    return false;
}
