/* base/metrics.c: counting without locks. Each thread counts in a shard of its own; the shard of a
 * thread that ended is handed to the next new thread with what was counted, so that nothing is
 * lost and memory grows with the threads alive at once only. SPDX-License-Identifier: Apache-2.0 */
#include "base/metrics.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum kind { COUNTER, GAUGE, HISTOGRAM };

static const struct row {
    const char *name, *help;
    enum kind kind;
} rows[] = {
#define X(name, kind, help) {#name, help, kind},
    METRICS(X)
#undef X
};

/* Only histograms have a place in the shards' buckets. */
enum histogram {
#define COUNTER_PLACE(name)
#define GAUGE_PLACE(name)
#define HISTOGRAM_PLACE(name) PLACE_##name,
#define X(name, kind, help) kind##_PLACE(name)
    METRICS(X)
#undef X
        HISTOGRAM_COUNT
};

static const int16_t place_of[] = {
#define COUNTER_AT(name) -1
#define GAUGE_AT(name) -1
#define HISTOGRAM_AT(name) PLACE_##name
#define X(name, kind, help) kind##_AT(name),
    METRICS(X)
#undef X
};

/* Upper bounds; past the last there is +Inf. */
static const struct bound {
    int64_t us;
    const char *seconds;
} bounds[] = {
    {100, "0.0001"},  {250, "0.00025"}, {500, "0.0005"},  {1000, "0.001"},
    {2500, "0.0025"}, {5000, "0.005"},  {10000, "0.01"},  {25000, "0.025"},
    {50000, "0.05"},  {100000, "0.1"},  {250000, "0.25"}, {500000, "0.5"},
    {1000000, "1"},   {2500000, "2.5"}, {5000000, "5"},   {10000000, "10"},
};
enum { BOUNDS = sizeof(bounds) / sizeof(bounds[0]), BUCKETS = BOUNDS + 1 };

struct shard {
    struct shard *next;
    bool is_free;                         /* its thread has ended; under the lock */
    _Atomic int64_t values[METRIC_COUNT]; /* a histogram's: its count */
    _Atomic int64_t sums_us[HISTOGRAM_COUNT];
    _Atomic int64_t buckets[HISTOGRAM_COUNT][BUCKETS];
} __attribute__((aligned(64)));

static struct shard *shards;
static pthread_mutex_t shards_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_key_t thread_end;
static pthread_once_t thread_end_once = PTHREAD_ONCE_INIT;
static __thread struct shard *mine;

static void release_shard(void *shard)
{
    pthread_mutex_lock(&shards_lock);
    ((struct shard *)shard)->is_free = true;
    pthread_mutex_unlock(&shards_lock);
    mine = NULL;
}

static void init_key(void)
{
    stoa_assert(pthread_key_create(&thread_end, release_shard) == 0);
}

static struct shard *new_shard(void)
{
    struct shard *shard = aligned_alloc(_Alignof(struct shard), sizeof(*shard));

    stoa_assert(shard);
    memset(shard, 0, sizeof(*shard));
    shard->next = shards;
    shards = shard;
    return shard;
}

static struct shard *acquire_shard(void)
{
    pthread_once(&thread_end_once, init_key);
    pthread_mutex_lock(&shards_lock);
    struct shard *shard = shards;
    while (shard && !shard->is_free)
        shard = shard->next;
    if (!shard)
        shard = new_shard();
    shard->is_free = false;
    pthread_mutex_unlock(&shards_lock);
    stoa_assert(pthread_setspecific(thread_end, shard) == 0);
    return mine = shard;
}

static struct shard *my_shard(void)
{
    return mine ? mine : acquire_shard();
}

/* Only the shard's thread writes: a load and a store are enough, and cost no locked bus. */
static void add(_Atomic int64_t *cell, int64_t delta)
{
    int64_t v = atomic_load_explicit(cell, memory_order_relaxed);
    atomic_store_explicit(cell, v + delta, memory_order_relaxed);
}

static int64_t load(const _Atomic int64_t *cell)
{
    return atomic_load_explicit(cell, memory_order_relaxed);
}

void metric_add(enum metric metric, int64_t delta)
{
    add(&my_shard()->values[metric], delta);
}

void metric_set(enum metric metric, int64_t value)
{
    atomic_store_explicit(&my_shard()->values[metric], value, memory_order_relaxed);
}

void metric_observe_us(enum metric metric, int64_t microseconds)
{
    struct shard *shard = my_shard();
    int32_t place = place_of[metric];
    uint32_t bucket = 0;

    stoa_assert(place >= 0);
    while (bucket < BOUNDS && microseconds > bounds[bucket].us)
        bucket++;
    add(&shard->values[metric], 1);
    add(&shard->sums_us[place], microseconds);
    add(&shard->buckets[place][bucket], 1);
}

int64_t metric_value(enum metric metric)
{
    int64_t sum = 0;

    pthread_mutex_lock(&shards_lock);
    for (const struct shard *shard = shards; shard; shard = shard->next)
        sum += load(&shard->values[metric]);
    pthread_mutex_unlock(&shards_lock);
    return sum;
}

static void put(struct stoa_buf *out, const char *text)
{
    stoa_buf_put(out, stoa_str_of(text));
}

static void put_head(struct stoa_buf *out, const struct row *row)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};

    put(out, "# HELP stoa_");
    put(out, row->name);
    put(out, " ");
    put(out, row->help);
    put(out, "\n# TYPE stoa_");
    put(out, row->name);
    put(out, " ");
    put(out, kinds[row->kind]);
    put(out, "\n");
}

static void put_sample(struct stoa_buf *out, const char *name, const char *suffix, int64_t value)
{
    put(out, "stoa_");
    put(out, name);
    put(out, suffix);
    put(out, " ");
    stoa_buf_int(out, value);
    put(out, "\n");
}

static void put_bucket(struct stoa_buf *out, const char *name, const char *bound, int64_t count)
{
    put(out, "stoa_");
    put(out, name);
    put(out, "_bucket{le=\"");
    put(out, bound);
    put(out, "\"} ");
    stoa_buf_int(out, count);
    put(out, "\n");
}

/* Microseconds as seconds with six decimals. */
static void put_sum(struct stoa_buf *out, const char *name, int64_t us)
{
    put(out, "stoa_");
    put(out, name);
    put(out, "_sum ");
    stoa_buf_int(out, us / 1000000);
    put(out, ".");
    for (int64_t unit = 100000, rest = us % 1000000; unit; rest %= unit, unit /= 10)
        stoa_buf_char(out, (char)('0' + rest / unit));
    put(out, "\n");
}

/* The count is the last bucket's, not values[]: another thread may be between the two. */
static void put_histogram(struct stoa_buf *out, const char *name, int32_t place)
{
    int64_t counts[BUCKETS] = {0}, sum_us = 0, below = 0;

    pthread_mutex_lock(&shards_lock);
    for (const struct shard *shard = shards; shard; shard = shard->next) {
        sum_us += load(&shard->sums_us[place]);
        for (uint32_t i = 0; i < BUCKETS; i++)
            counts[i] += load(&shard->buckets[place][i]);
    }
    pthread_mutex_unlock(&shards_lock);
    for (uint32_t i = 0; i < BUCKETS; i++) {
        below += counts[i];
        put_bucket(out, name, i < BOUNDS ? bounds[i].seconds : "+Inf", below);
    }
    put_sum(out, name, sum_us);
    put_sample(out, name, "_count", below);
}

void metrics_format(struct stoa_buf *out)
{
    for (uint32_t i = 0; i < METRIC_COUNT; i++) {
        put_head(out, &rows[i]);
        if (rows[i].kind == HISTOGRAM)
            put_histogram(out, rows[i].name, place_of[i]);
        else
            put_sample(out, rows[i].name, "", metric_value((enum metric)i));
    }
}
