/* Statements found by content. SPDX-License-Identifier: Apache-2.0 */
#include "resource/sql/statements.h"

#include <stdio.h>
#include <stdlib.h>
#include <stoa/api.h>
#include <string.h>

static uint64_t hash_mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
    return hash ^ (hash >> 29);
}

/* Of a long text about thirty words, and the last: who looks it up compares all of it anyway. */
static uint64_t hash_text(uint64_t hash, const char *text)
{
    enum { WORDS = 32, BYTES = 8 };
    size_t len = strlen(text), step = (len / WORDS | (BYTES - 1)) + 1, at = 0;
    uint64_t word;

    for (; at + BYTES <= len; at += step) {
        memcpy(&word, text + at, BYTES);
        hash = hash_mix(hash, word);
    }
    word = 0;
    at = len < BYTES ? 0 : len - BYTES;
    memcpy(&word, text + at, len - at);
    return hash_mix(hash, word ^ ((uint64_t)len << 48));
}

uint64_t statement_hash(const char *owner, const char *text, uint32_t flags)
{
    return hash_text(hash_text(hash_mix(flags, 1), owner ? owner : ""), text);
}

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static char *copy_of(const char *text)
{
    char *copy = text ? strdup(text) : NULL;

    stoa_assert(copy || !text);
    return copy;
}

static void statement_unlink(struct statements *all, struct statement *one)
{
    if (one->newer)
        one->newer->older = one->older;
    else
        all->newest = one->older;
    if (one->older)
        one->older->newer = one->newer;
    else
        all->oldest = one->newer;
}

static void statement_to_front(struct statements *all, struct statement *one)
{
    one->newer = NULL;
    one->older = all->newest;
    if (all->newest)
        all->newest->newer = one;
    else
        all->oldest = one;
    all->newest = one;
}

static struct statement *statement_used(struct statements *all, struct statement *one)
{
    if (one && one != all->newest) {
        statement_unlink(all, one);
        statement_to_front(all, one);
    }
    return one;
}

struct statement *statements_find(struct statements *all, uint64_t hash, const char *owner,
                                  const char *text)
{
    struct statement *one = all->buckets[hash % STATEMENTS_BUCKETS];

    while (one && !(one->hash == hash && same(one->owner, owner) && strcmp(one->text, text) == 0))
        one = one->chain;
    return statement_used(all, one);
}

struct statement *statements_find_seen(struct statements *all, const struct seen *seen)
{
    struct statement *one = all->buckets[seen->hash % STATEMENTS_BUCKETS];

    while (one && one->seen != seen)
        one = one->chain;
    return statement_used(all, one);
}

struct statement *statements_by_id(struct statements *all, uint64_t hash, uint32_t id)
{
    struct statement *one = all->buckets[hash % STATEMENTS_BUCKETS];

    while (one && one->id != id)
        one = one->chain;
    return one;
}

struct statement *statements_add(struct statements *all, uint64_t hash, const char *owner,
                                 const char *text)
{
    struct statement *one = calloc(1, sizeof(*one));

    stoa_assert(one);
    one->hash = hash;
    one->owner = copy_of(owner);
    one->text = copy_of(text);
    one->id = ++all->next_id;
    snprintf(one->name, sizeof(one->name), "s%u", one->id);
    one->chain = all->buckets[hash % STATEMENTS_BUCKETS];
    all->buckets[hash % STATEMENTS_BUCKETS] = one;
    statement_to_front(all, one);
    all->count++;
    return one;
}

struct statement *statements_surplus(struct statements *all)
{
    return all->count >= STATEMENTS_MAX ? all->oldest : NULL;
}

void statements_remove(struct statements *all, struct statement *one)
{
    struct statement **link = &all->buckets[one->hash % STATEMENTS_BUCKETS];

    while (*link != one)
        link = &(*link)->chain;
    *link = one->chain;
    statement_unlink(all, one);
    all->count--;
    free(one->owner);
    free(one->text);
    free(one);
}

void seen_init(struct seen_all *all)
{
    memset(all, 0, sizeof(*all));
    pthread_mutex_init(&all->lock, NULL);
}

void seen_finish(struct seen_all *all)
{
    for (uint32_t i = 0; i < SEEN_BUCKETS; i++) {
        struct seen *next, *seen = atomic_load(&all->buckets[i]);
        for (; seen; seen = next) {
            next = atomic_load(&seen->chain);
            free(seen->owner);
            free(seen->name);
            free(seen->text);
            free(atomic_load(&seen->columns));
            free(seen);
        }
    }
    pthread_mutex_destroy(&all->lock);
}

struct seen *seen_find(struct seen_all *all, uint64_t hash, const char *owner, const char *text)
{
    struct seen *seen =
        atomic_load_explicit(&all->buckets[hash % SEEN_BUCKETS], memory_order_acquire);

    while (seen &&
           !(seen->hash == hash && same(seen->owner, owner) && strcmp(seen->text, text) == 0))
        seen = atomic_load_explicit(&seen->chain, memory_order_acquire);
    return seen;
}

static _Atomic(struct seen *) *guess_of(struct seen_all *all, const char *text)
{
    uint64_t mixed = (uint64_t)(uintptr_t)text * 0x9E3779B97F4A7C15u;

    return &all->guesses[mixed >> 55];
}
static_assert(SEEN_BUCKETS == 1 << (64 - 55), "guess_of() takes the top bits");

struct seen *seen_guess(struct seen_all *all, const char *owner, const char *text, uint32_t flags)
{
    struct seen *seen = atomic_load_explicit(guess_of(all, text), memory_order_acquire);

    if (!seen || seen->flags != flags || !same(seen->owner, owner) || strcmp(seen->text, text) != 0)
        return NULL;
    return seen;
}

void seen_remember(struct seen_all *all, const char *text, struct seen *seen)
{
    atomic_store_explicit(guess_of(all, text), seen, memory_order_release);
}

struct seen *seen_add(struct seen_all *all, const struct seen *like)
{
    _Atomic(struct seen *) *bucket = &all->buckets[like->hash % SEEN_BUCKETS];
    struct seen *seen;

    pthread_mutex_lock(&all->lock);
    seen = seen_find(all, like->hash, like->owner, like->text);
    if (!seen && atomic_load(&all->count) < SEEN_MAX && (seen = calloc(1, sizeof(*seen)))) {
        seen->hash = like->hash;
        seen->flags = like->flags;
        seen->owner = copy_of(like->owner);
        seen->name = copy_of(like->name ? like->name : "");
        seen->text = copy_of(like->text);
        atomic_store(&seen->chain, atomic_load(bucket));
        atomic_store_explicit(bucket, seen, memory_order_release);
        atomic_fetch_add(&all->count, 1);
    }
    pthread_mutex_unlock(&all->lock);
    return seen;
}

/* One piece of memory: the slices, and behind them what they are slices of. */
static struct seen_columns *columns_copy(const char *const *names, uint32_t count)
{
    struct seen_columns *copy;
    size_t size = 0;
    char *to;

    for (uint32_t i = 0; i < count; i++)
        size += strlen(names[i]) + 1;
    copy = malloc(sizeof(*copy) + count * sizeof(copy->names[0]) + size);
    stoa_assert(copy);
    copy->count = count;
    to = (char *)&copy->names[count];
    for (uint32_t i = 0; i < count; i++) {
        copy->names[i] = (stoa_str){to, strlen(names[i])};
        to = stpcpy(to, names[i]) + 1;
    }
    return copy;
}

/* Threads may be first together: all keep what the first of them stored. */
static struct seen_columns *keep_columns(struct seen *seen, const char *const *names,
                                         uint32_t count)
{
    struct seen_columns *mine = columns_copy(names, count), *kept = NULL;

    if (atomic_compare_exchange_strong(&seen->columns, &kept, mine))
        return mine;
    free(mine);
    return kept;
}

const struct seen_columns *seen_names(struct seen *seen, const char *const *names, uint32_t count)
{
    struct seen_columns *kept = atomic_load_explicit(&seen->columns, memory_order_acquire);

    if (!kept)
        kept = keep_columns(seen, names, count);
    if (kept->count != count)
        return NULL;
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(kept->names[i].ptr, names[i]) != 0)
            return NULL;
    return kept;
}

/* A walk that climbs 19 on a slow run and falls 1 on a fast one climbs for good when more than one
 * run in twenty is slow: that is "the 95th percentile passed 5 ms" without keeping samples. */
bool seen_time(struct seen *seen, int64_t microseconds)
{
    enum { SLOW_US = 5000, CLIMB = 19, ENOUGH = 10 * CLIMB };
    bool was_slow = false;

    if (microseconds < SLOW_US) {
        if (atomic_load_explicit(&seen->score, memory_order_relaxed) > 0)
            atomic_fetch_sub_explicit(&seen->score, 1, memory_order_relaxed);
        return false;
    }
    if (atomic_fetch_add_explicit(&seen->score, CLIMB, memory_order_relaxed) < ENOUGH)
        return false;
    return atomic_compare_exchange_strong(&seen->slow, &was_slow, true);
}
