/* resource/cache/cache.h: copies by key, dropped by tag. One L1 per loop (no locks), memory
 * bounded, least recently used goes first. A drop reaches every loop of the process at once.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RESOURCE_CACHE_H
#define RESOURCE_CACHE_H

#include <stoa/str.h>

struct cache;
/* bytes_max over all loops. */
struct cache *cache_create(uint32_t loops, uint64_t bytes_max);
/* From the next put on; what is too much by then goes. Any thread. */
void cache_resize(struct cache *cache, uint64_t bytes_max);
void cache_destroy(struct cache *cache); /* loops have stopped */
/* Attaches the loop of this thread as number loop_index(). */
void cache_attach(struct cache *cache);
/* Finds plugin's key. The entry is held (not freed, not changed) until cache_release(): its bytes
 * can be sent without a copy. NULL: not there. */
struct cache_entry *cache_acquire(struct cache *cache, stoa_str plugin, stoa_str key);
stoa_str cache_value(const struct cache_entry *entry);
void cache_release(struct cache_entry *entry); /* on the same loop */
/* epoch: cache_epoch() read before the value was computed; a drop in between makes the put a no-op
 * (else a slow reader would put back what a writer has just dropped). Nor is it made of what is
 * above the README's limits, above a quarter of a loop's share, or finds no room beside what is
 * held. */
void cache_put(struct cache *cache, stoa_str plugin, stoa_str key, stoa_str value, int64_t ttl_ms,
               stoa_str tags, uint64_t epoch);
uint64_t cache_epoch(const struct cache *cache);
/* On this loop now; on the others before they find anything again. */
void cache_drop(struct cache *cache, stoa_str tag);

#endif
