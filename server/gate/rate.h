/* gate/rate.h: how much one visitor may ask, per loop: a token bucket in a table of fixed size.
 * And such buckets and tables for others. SPDX-License-Identifier: Apache-2.0 */
#ifndef GATE_RATE_H
#define GATE_RATE_H

#include <stoa/str.h>

/* One loop's share of a limit. */
struct rate_limit {
    uint32_t per_second; /* 0: none */
    uint32_t burst;      /* so many at once */
};
struct rate_limit rate_share(uint32_t per_second, uint32_t burst, uint32_t loops);

struct rate_bucket { /* zeroed: full */
    int64_t at_ms;   /* when tokens was true; 0: never used */
    int64_t tokens;  /* thousandths */
};
/* Is there one? */
bool rate_bucket_has(struct rate_bucket *bucket, struct rate_limit limit, int64_t now_ms);
/* Takes one; false: there is none. */
bool rate_bucket_take(struct rate_bucket *bucket, struct rate_limit limit, int64_t now_ms);

/* A bucket a key. A full one forgets the least active. *table: NULL at first; the calls
 * take turns, on one loop or under a lock. now_ms never goes back. */
struct rate_table;
struct rate_bucket *rate_table_find(struct rate_table **table, uint64_t key);

/* Also while the loops run: from the next request on. requests per second over all loops, and how
 * many at once; 0 = no limit. */
void rate_init(uint32_t per_second, uint32_t burst, uint32_t loops);
/* Takes one; false: none left, and *retry_s says when there is one (1 or more). Loop's thread. */
bool rate_take(stoa_str visitor, int64_t now_ms, int64_t *retry_s);

#endif
