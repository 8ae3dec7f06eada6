/* gate/rate.c: two hash choices, the emptier or older slot is given away: a full table forgets the
 * least active visitor, never memory. SPDX-License-Identifier: Apache-2.0 */
#include "gate/rate.h"

#include <stdlib.h>

enum { SLOTS = 16384, MILLI = 1000 };

struct bucket {
    uint64_t key;   /* hash of the address, odd; 0 = free */
    int64_t at_ms;  /* when tokens was true */
    int64_t tokens; /* thousandths */
};

static _Atomic uint32_t rate_per_second, rate_burst;
static __thread struct bucket *buckets;

void rate_init(uint32_t per_second, uint32_t burst, uint32_t loops)
{
    rate_per_second = per_second ? (per_second + loops - 1) / loops : 0;
    rate_burst = burst > loops ? burst / loops : 1;
}

static struct bucket *find(uint64_t key, int64_t burst)
{
    struct bucket *a = &buckets[(key >> 1) % SLOTS], *b = &buckets[(key >> 32) % SLOTS];

    if (a->key == key)
        return a;
    if (b->key == key)
        return b;
    a = a->at_ms <= b->at_ms ? a : b;
    *a = (struct bucket){.key = key, .tokens = burst * MILLI};
    return a;
}

bool rate_take(stoa_str visitor, int64_t now_ms, int64_t *retry_s)
{
    uint64_t key = stoa_str_hash(visitor) | 1;
    const int64_t rate = rate_per_second, burst = rate_burst; /* once: they may change */
    struct bucket *b;

    if (rate == 0)
        return true;
    if (!buckets)
        buckets = calloc(SLOTS, sizeof *buckets);
    b = find(key, burst);
    if (b->at_ms != 0)
        b->tokens += (now_ms - b->at_ms) * rate;
    if (b->tokens > burst * MILLI)
        b->tokens = burst * MILLI;
    b->at_ms = now_ms;
    if (b->tokens >= MILLI) {
        b->tokens -= MILLI;
        return true;
    }
    *retry_s = (MILLI - b->tokens + rate * MILLI - 1) / (rate * MILLI);
    *retry_s = *retry_s < 1 ? 1 : *retry_s;
    return false;
}
