/* Copies in memory, one shard a loop: a hash table, a list by last use, and an index of tags.
 * SPDX-License-Identifier: Apache-2.0 */
#include "resource/cache/cache.h"

#include "base/metrics.h"
#include "base/random.h"
#include "loop/loop.h"
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

enum {
    KEY_MAX = 200,
    TAG_MAX = 200,
    TAGS_MAX = 16,
    VALUE_MAX = 1024 * 1024,
    TTL_MAX_MS = 86400000,
    DROPS_KEPT = 1024, /* a put whose value was begun before the oldest of them is not made */
    BYTES_A_BUCKET = 512,
    ENTRIES_LEAST = 4, /* of the largest kind that a shard has room for */
};

/* One tag of one entry. */
struct tag_link {
    struct cache_entry *entry;
    struct cache_tag *tag;
    struct tag_link *prev, *next; /* the tag's other entries */
};

struct cache_tag {
    struct cache_tag *chain;
    struct tag_link *first;
    uint64_t hash;
    uint32_t len;
    char name[];
};

/* One block: links of its tags, then plugin, key, value. */
struct cache_entry {
    struct cache_entry *chain, *newer, *older;
    struct shard *shard;
    uint64_t hash, bytes;
    int64_t expires_at;
    uint32_t holds;
    bool listed; /* can be found; else it lives for its holders only */
    uint32_t plugin_len, key_len, tags_count;
    uint64_t value_len;
    char *text; /* plugin, key, value */
    struct tag_link tags[];
};

/* What another thread has dropped and the shard's loop has not taken out yet. */
struct drop {
    struct drop *next;
    uint64_t hash;
    uint32_t len;
    char tag[];
};

struct shard {
    struct loop *loop;
    struct cache_entry **entries;
    struct cache_tag **tags;
    uint64_t buckets; /* of each table; a power of two */
    struct cache_entry *newest, *oldest;
    uint64_t bytes, bytes_held; /* held: of these, what cannot be pushed out */
    _Atomic uint64_t bytes_max;
    uint64_t epoch;             /* drops seen */
    uint64_t drops[DROPS_KEPT]; /* hashes of their tags, by epoch */
    _Atomic(struct drop *) coming;
    struct loop_message arrived; /* has what is coming taken out, should nobody ask meanwhile */
    atomic_bool is_posted;
};

struct cache {
    uint32_t loops;
    uint64_t seed; /* secret, as visitors choose parts of keys */
    _Atomic(struct loop *) *attached;
    struct shard *shards;
};

/* ---- Hashing ---- */

static uint64_t mix(uint64_t hash, uint64_t word)
{
    __uint128_t product = (__uint128_t)(hash ^ word) * 0x9FB21C651E98DF25u;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_bytes(uint64_t hash, stoa_str s)
{
    uint64_t word, len = s.len;

    hash = mix(hash, 0x2545F4914F6CDD1Du + len);
    for (; len >= 8; s.ptr += 8, len -= 8) {
        memcpy(&word, s.ptr, 8);
        hash = mix(hash, word);
    }
    word = 0;
    if (len)
        memcpy(&word, s.ptr, len);
    return mix(hash, word + 1);
}

/* ---- Life ---- */

static uint64_t buckets_for(uint64_t bytes_max)
{
    uint64_t buckets = 256;

    while (buckets < bytes_max / BYTES_A_BUCKET && buckets < 1024 * 1024)
        buckets *= 2;
    return buckets;
}

static void *table_create(uint64_t count)
{
    void *table = calloc(count, sizeof(void *));

    stoa_assert(table);
    return table;
}

static void on_arrival(struct loop_message *message);

struct cache *cache_create(uint32_t loops, uint64_t bytes_max)
{
    struct cache *cache = calloc(1, sizeof(*cache));

    stoa_assert(cache && loops > 0);
    cache->loops = loops;
    random_bytes(&cache->seed, sizeof(cache->seed));
    cache->attached = calloc(loops, sizeof(*cache->attached));
    cache->shards = calloc(loops, sizeof(*cache->shards));
    stoa_assert(cache->attached && cache->shards);
    for (uint32_t i = 0; i < loops; i++) {
        struct shard *shard = &cache->shards[i];
        shard->bytes_max = bytes_max / loops;
        shard->buckets = buckets_for(shard->bytes_max);
        shard->entries = table_create(shard->buckets);
        shard->tags = table_create(shard->buckets);
        shard->arrived.run = on_arrival;
    }
    return cache;
}

void cache_resize(struct cache *cache, uint64_t bytes_max)
{
    for (uint32_t i = 0; i < cache->loops; i++)
        atomic_store(&cache->shards[i].bytes_max, bytes_max / cache->loops);
}

void cache_attach(struct cache *cache)
{
    uint32_t index = loop_index(loop_current());

    stoa_assert(index < cache->loops);
    cache->shards[index].loop = loop_current();
    atomic_store(&cache->attached[index], loop_current());
}

static struct shard *shard_mine(const struct cache *cache)
{
    struct loop *loop = loop_current();
    uint32_t index = loop ? loop_index(loop) : UINT32_MAX;

    return index < cache->loops && cache->shards[index].loop == loop ? &cache->shards[index] : NULL;
}

/* ---- Tags ---- */

static struct cache_tag *tag_find(struct shard *shard, stoa_str name, uint64_t hash)
{
    struct cache_tag *tag = shard->tags[hash & (shard->buckets - 1)];

    while (tag && !(tag->hash == hash && stoa_str_eq((stoa_str){tag->name, tag->len}, name)))
        tag = tag->chain;
    return tag;
}

static struct cache_tag *tag_get(struct shard *shard, stoa_str name, uint64_t hash)
{
    struct cache_tag *tag = tag_find(shard, name, hash);
    struct cache_tag **bucket = &shard->tags[hash & (shard->buckets - 1)];

    if (tag)
        return tag;
    tag = malloc(sizeof(*tag) + name.len);
    stoa_assert(tag);
    *tag = (struct cache_tag){.chain = *bucket, .hash = hash, .len = (uint32_t)name.len};
    memcpy(tag->name, name.ptr, name.len);
    *bucket = tag;
    return tag;
}

static void tag_free(struct shard *shard, struct cache_tag *tag)
{
    struct cache_tag **link = &shard->tags[tag->hash & (shard->buckets - 1)];

    while (*link != tag)
        link = &(*link)->chain;
    *link = tag->chain;
    free(tag);
}

static void tag_join(struct tag_link *link, struct cache_entry *entry, struct cache_tag *tag)
{
    *link = (struct tag_link){.entry = entry, .tag = tag, .next = tag->first};
    if (tag->first)
        tag->first->prev = link;
    tag->first = link;
}

static void tag_leave(struct shard *shard, struct tag_link *link)
{
    if (link->prev)
        link->prev->next = link->next;
    else
        link->tag->first = link->next;
    if (link->next)
        link->next->prev = link->prev;
    if (!link->tag->first)
        tag_free(shard, link->tag);
}

/* ---- Entries ---- */

static void use_unlink(struct shard *shard, struct cache_entry *entry)
{
    if (entry->newer)
        entry->newer->older = entry->older;
    else
        shard->newest = entry->older;
    if (entry->older)
        entry->older->newer = entry->newer;
    else
        shard->oldest = entry->newer;
}

static void use_now(struct shard *shard, struct cache_entry *entry)
{
    entry->newer = NULL;
    entry->older = shard->newest;
    if (shard->newest)
        shard->newest->newer = entry;
    else
        shard->oldest = entry;
    shard->newest = entry;
}

static void entry_free(struct cache_entry *entry)
{
    entry->shard->bytes -= entry->bytes;
    metric_add(METRIC_cache_bytes, -(int64_t)entry->bytes);
    free(entry);
}

/* Cannot be found any more; freed when nobody holds it. */
static void entry_unlist(struct cache_entry *entry)
{
    struct shard *shard = entry->shard;
    struct cache_entry **link = &shard->entries[entry->hash & (shard->buckets - 1)];

    while (*link != entry)
        link = &(*link)->chain;
    *link = entry->chain;
    use_unlink(shard, entry);
    for (uint32_t i = 0; i < entry->tags_count; i++)
        tag_leave(shard, &entry->tags[i]);
    entry->listed = false;
    if (entry->holds == 0)
        entry_free(entry);
}

static bool entry_is(const struct cache_entry *entry, uint64_t hash, stoa_str plugin, stoa_str key)
{
    return entry->hash == hash && entry->plugin_len == plugin.len && entry->key_len == key.len &&
           memcmp(entry->text, plugin.ptr, plugin.len) == 0 &&
           memcmp(entry->text + plugin.len, key.ptr, key.len) == 0;
}

static struct cache_entry *entry_find(struct shard *shard, uint64_t hash, stoa_str plugin,
                                      stoa_str key)
{
    struct cache_entry *entry = shard->entries[hash & (shard->buckets - 1)];

    while (entry && !entry_is(entry, hash, plugin, key))
        entry = entry->chain;
    return entry;
}

/* ---- What was dropped ---- */

static void shard_drop(struct shard *shard, stoa_str name, uint64_t hash)
{
    struct cache_tag *tag = tag_find(shard, name, hash);

    shard->drops[shard->epoch++ % DROPS_KEPT] = hash;
    /* The tag goes with its last entry. */
    for (struct tag_link *link = tag ? tag->first : NULL, *next; link; link = next) {
        next = link->next;
        entry_unlist(link->entry);
    }
}

/* Who dropped it may have answered already, and the client's next request be here before the
 * message: whoever looks into the shard does this first. */
static void take_drops(struct shard *shard)
{
    struct drop *next, *drop;

    if (!atomic_load_explicit(&shard->coming, memory_order_relaxed))
        return;
    drop = atomic_exchange_explicit(&shard->coming, NULL, memory_order_acquire);
    for (; drop; drop = next) {
        next = drop->next;
        shard_drop(shard, (stoa_str){drop->tag, drop->len}, drop->hash);
        free(drop);
    }
}

static void on_arrival(struct loop_message *message)
{
    struct shard *shard = (struct shard *)((char *)message - offsetof(struct shard, arrived));

    /* An exchange, so that what came before the last "it is posted" is seen below. */
    (void)atomic_exchange(&shard->is_posted, false);
    take_drops(shard);
}

/* ---- Finding ---- */

struct cache_entry *cache_acquire(struct cache *cache, stoa_str plugin, stoa_str key)
{
    struct shard *shard = shard_mine(cache);
    struct cache_entry *entry = NULL;

    if (shard)
        take_drops(shard);
    if (shard && plugin.len && key.len)
        entry = entry_find(shard, hash_bytes(hash_bytes(cache->seed, plugin), key), plugin, key);
    if (entry && entry->expires_at <= loop_now(shard->loop)) {
        entry_unlist(entry);
        entry = NULL;
    }
    metric_add(entry ? METRIC_cache_hits_total : METRIC_cache_misses_total, 1);
    if (!entry)
        return NULL;
    if (entry != shard->newest) {
        use_unlink(shard, entry);
        use_now(shard, entry);
    }
    if (entry->holds++ == 0)
        shard->bytes_held += entry->bytes;
    return entry;
}

stoa_str cache_value(const struct cache_entry *entry)
{
    return (stoa_str){entry->text + entry->plugin_len + entry->key_len, entry->value_len};
}

void cache_release(struct cache_entry *entry)
{
    stoa_assert(entry->holds > 0);
    if (--entry->holds > 0)
        return;
    entry->shard->bytes_held -= entry->bytes;
    if (!entry->listed)
        entry_free(entry);
}

/* ---- Putting ---- */

struct tag_list {
    stoa_str names[TAGS_MAX];
    uint64_t hashes[TAGS_MAX];
    uint32_t count;
};

static bool tags_have(const struct tag_list *list, uint64_t hash)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (list->hashes[i] == hash)
            return true;
    return false;
}

/* False when there are too many or one is too long. */
static bool tags_split(const struct cache *cache, stoa_str tags, struct tag_list *ret)
{
    ret->count = 0;
    while (tags.len) {
        stoa_str name = stoa_str_cut(&tags, ' ');
        uint64_t hash = hash_bytes(cache->seed, name);
        if (name.len == 0 || tags_have(ret, hash))
            continue;
        if (name.len > TAG_MAX || ret->count == TAGS_MAX)
            return false;
        ret->names[ret->count] = name;
        ret->hashes[ret->count++] = hash;
    }
    return true;
}

/* One of the tags was dropped after epoch, or it is too long ago to say. */
static bool dropped_since(const struct shard *shard, const struct tag_list *tags, uint64_t epoch)
{
    if (shard->epoch - epoch > DROPS_KEPT)
        return true;
    for (uint64_t i = epoch; i < shard->epoch; i++)
        if (tags_have(tags, shard->drops[i % DROPS_KEPT]))
            return true;
    return false;
}

/* Nobody is pushed out for what does not fit all the same. */
static bool make_room(struct shard *shard, uint64_t bytes)
{
    uint64_t most = shard->bytes_max;

    if (bytes > most / ENTRIES_LEAST || shard->bytes_held + bytes > most)
        return false;
    while (shard->bytes + bytes > most && shard->oldest)
        entry_unlist(shard->oldest);
    return shard->bytes + bytes <= most;
}

static struct cache_entry *entry_create(struct shard *shard, stoa_str plugin, stoa_str key,
                                        stoa_str value, const struct tag_list *tags)
{
    uint64_t head = sizeof(struct cache_entry) + tags->count * sizeof(struct tag_link);
    uint64_t bytes = head + plugin.len + key.len + value.len;
    struct cache_entry *entry;

    for (uint32_t i = 0; i < tags->count; i++) /* as if no other entry had them */
        bytes += sizeof(struct cache_tag) + tags->names[i].len;
    if (!make_room(shard, bytes))
        return NULL;
    entry = malloc(head + plugin.len + key.len + value.len + 1);
    stoa_assert(entry);
    *entry = (struct cache_entry){.shard = shard,
                                  .bytes = bytes,
                                  .plugin_len = (uint32_t)plugin.len,
                                  .key_len = (uint32_t)key.len,
                                  .value_len = value.len,
                                  .text = (char *)entry + head};
    memcpy(entry->text, plugin.ptr, plugin.len);
    memcpy(entry->text + plugin.len, key.ptr, key.len);
    if (value.len)
        memcpy(entry->text + plugin.len + key.len, value.ptr, value.len);
    shard->bytes += bytes;
    metric_add(METRIC_cache_bytes, (int64_t)bytes);
    return entry;
}

static void entry_list(struct cache_entry *entry, uint64_t hash, const struct tag_list *tags)
{
    struct shard *shard = entry->shard;
    struct cache_entry **bucket = &shard->entries[hash & (shard->buckets - 1)];

    entry->hash = hash;
    entry->listed = true;
    entry->chain = *bucket;
    *bucket = entry;
    use_now(shard, entry);
    entry->tags_count = tags->count;
    for (uint32_t i = 0; i < tags->count; i++)
        tag_join(&entry->tags[i], entry, tag_get(shard, tags->names[i], tags->hashes[i]));
}

/* cap: the declared contract */
void cache_put(struct cache *cache, stoa_str plugin, stoa_str key, stoa_str value, int64_t ttl_ms,
               stoa_str tags, uint64_t epoch)
{
    struct shard *shard = shard_mine(cache);
    struct cache_entry *entry;
    struct tag_list list;
    uint64_t hash;

    if (!shard || !plugin.len || plugin.len > KEY_MAX || !key.len || key.len > KEY_MAX ||
        value.len > VALUE_MAX || ttl_ms < 1 || !tags_split(cache, tags, &list) ||
        dropped_since(shard, &list, epoch))
        return;
    hash = hash_bytes(hash_bytes(cache->seed, plugin), key);
    entry = entry_find(shard, hash, plugin, key);
    if (entry)
        entry_unlist(entry);
    entry = entry_create(shard, plugin, key, value, &list);
    if (!entry)
        return;
    entry->expires_at = loop_now(shard->loop) + (ttl_ms < TTL_MAX_MS ? ttl_ms : TTL_MAX_MS);
    entry_list(entry, hash, &list);
}

uint64_t cache_epoch(const struct cache *cache)
{
    struct shard *shard = shard_mine(cache);

    if (!shard)
        return 0;
    take_drops(shard);
    return shard->epoch;
}

/* ---- Dropping ---- */

static void drop_elsewhere(struct shard *shard, struct loop *loop, stoa_str tag, uint64_t hash)
{
    struct drop *drop = malloc(sizeof(*drop) + tag.len);

    stoa_assert(drop);
    drop->hash = hash;
    drop->len = (uint32_t)tag.len;
    memcpy(drop->tag, tag.ptr, tag.len);
    drop->next = atomic_load_explicit(&shard->coming, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&shard->coming, &drop->next, drop,
                                                  memory_order_release, memory_order_relaxed))
        continue;
    if (!atomic_exchange(&shard->is_posted, true))
        loop_post(loop, &shard->arrived);
}

void cache_drop(struct cache *cache, stoa_str tag)
{
    uint64_t hash;

    if (tag.len == 0 || tag.len > TAG_MAX)
        return;
    hash = hash_bytes(cache->seed, tag);
    for (uint32_t i = 0; i < cache->loops; i++) {
        struct loop *loop = atomic_load(&cache->attached[i]);
        if (loop && loop == loop_current())
            shard_drop(&cache->shards[i], tag, hash);
        else if (loop)
            drop_elsewhere(&cache->shards[i], loop, tag, hash);
    }
}

void cache_destroy(struct cache *cache)
{
    if (!cache)
        return;
    for (uint32_t i = 0; i < cache->loops; i++) {
        take_drops(&cache->shards[i]);
        while (cache->shards[i].oldest)
            /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what is freed is no longer the oldest */
            entry_unlist(cache->shards[i].oldest);
        free(cache->shards[i].entries);
        free(cache->shards[i].tags);
    }
    free(cache->shards);
    free(cache->attached);
    free(cache);
}
