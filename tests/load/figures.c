/* tests/load/figures.c: whether a reply is the one that was asked for, and the figures.
 * A status tells little: what a bad swap does is to cut or mix bodies below a 200.
 * SPDX-License-Identifier: Apache-2.0 */
#include "strict.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LINE = 64, AT_VERSION = 36, FILLER = 32768, LARGE = 2 << 20, TOLD_MAX = 10 };

int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

void failed(struct figures *figures, enum counter counter, const char *what, uint64_t number)
{
    static uint32_t told;

    figures->count[counter]++;
    if (told++ < TOLD_MAX)
        fprintf(stderr, "strict: request %llu: %s\n", (unsigned long long)number, what);
}

uint64_t failures(const struct figures *figures)
{
    uint64_t sum = 0;

    for (int i = FIRST_FAILURE; i < COUNT_END; i++)
        sum += figures->count[i];
    return sum;
}

/* ---- Latency ---- */

void observe(struct histogram *histogram, int64_t us)
{
    uint64_t v = us < 64 ? 64 : (uint64_t)us;
    int power = 63 - __builtin_clzll(v);
    uint32_t index = (uint32_t)((power - 6) * 64) + (uint32_t)((v >> (power - 6)) & 63);

    histogram->bucket[index < HISTOGRAM ? index : HISTOGRAM - 1]++;
    histogram->total++;
}

int64_t percentile(const struct histogram *histogram, double share)
{
    uint64_t want = (uint64_t)(share * (double)histogram->total), seen = 0;

    for (uint32_t i = 0; i < HISTOGRAM; i++) {
        seen += histogram->bucket[i];
        if (seen > want)
            return (int64_t)(64 + i % 64) << (i / 64);
    }
    return 0;
}

/* ---- What tests/data/swap/swap.c answers ---- */

/* SHA-256 of so many bytes of lines of a version. */
static void hash_lines(char version, size_t bytes, unsigned char ret[SHA256_DIGEST_LENGTH])
{
    static const char line[] = "0123456789abcdefghijklmnopqrstuvwxyz?ABCDEFGHIJKLMNOPQRSTUVWXYZ\n";
    char *lines = malloc(bytes);

    if (!lines)
        abort();
    for (size_t i = 0; i < bytes; i++)
        lines[i] = i % LINE == AT_VERSION ? version : line[i % LINE];
    SHA256((unsigned char *)lines, bytes, ret);
    free(lines);
}

/* It is worked out once for each version and size. */
static const unsigned char *expected(char version, size_t bytes)
{
    static unsigned char known[2][10][SHA256_DIGEST_LENGTH];
    static bool is_known[2][10];
    int size = bytes == LARGE, which = version - '0';

    if (!is_known[size][which])
        hash_lines(version, bytes, known[size][which]);
    is_known[size][which] = true;
    return known[size][which];
}

static bool is_version(char c)
{
    return c >= '1' && c <= '9';
}

static bool names_another(const char *lines, size_t len, char version)
{
    for (size_t i = AT_VERSION; i < len; i += LINE)
        if (lines[i] != version && is_version(lines[i]))
            return true;
    return false;
}

/* The lines between both ends of the body, and the versions that these name. */
static void judge_lines(struct figures *f, const struct asked *asked, const struct reply *r,
                        const char *lines, size_t len)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    char first = r->body[0], last = r->body[r->len - 1];

    if (!is_version(first) || !is_version(last)) {
        failed(f, COUNT_bad_hash, "the body names no version", asked->number);
        return;
    }
    if (first != last) {
        failed(f, COUNT_mixed, "its ends are of two versions", asked->number);
        return;
    }
    SHA256((const unsigned char *)lines, len, digest);
    if (memcmp(digest, expected(first, len), sizeof digest) == 0)
        f->version[first - '0']++;
    else if (names_another(lines, len, first))
        failed(f, COUNT_mixed, "its middle is of another version", asked->number);
    else
        failed(f, COUNT_bad_hash, "the body changed on its way", asked->number);
}

/* "V N\n" lines "N V" */
static void judge_numbered(struct figures *f, const struct asked *asked, const struct reply *r)
{
    char number[24];
    int digits = snprintf(number, sizeof number, "%llu", (unsigned long long)asked->number);
    size_t edge = (size_t)digits + 3;
    const char *tail = r->body + r->len - edge + 1;

    if (memcmp(r->body + 2, number, (size_t)digits) != 0 || r->body[2 + digits] != '\n') {
        failed(f, COUNT_duplicated, "the reply is to another request", asked->number);
        return;
    }
    if (memcmp(tail, number, (size_t)digits) != 0)
        failed(f, COUNT_bad_hash, "its end is of another request", asked->number);
    else
        judge_lines(f, asked, r, r->body + edge, FILLER);
}

/* What it says must stay what it said first. */
static void judge_untouched(struct figures *f, const struct asked *asked, const struct reply *r)
{
    static unsigned char first[SHA256_DIGEST_LENGTH];
    static bool is_first = true;
    unsigned char digest[SHA256_DIGEST_LENGTH];

    SHA256((const unsigned char *)r->body, r->len, digest);
    if (is_first)
        memcpy(first, digest, sizeof digest);
    else if (memcmp(first, digest, sizeof digest) != 0)
        failed(f, COUNT_bad_hash, "the untouched route changed", asked->number);
    is_first = false;
}

static size_t length_of(const struct asked *asked)
{
    char number[24];

    if (asked->route == ROUTE_LARGE)
        return LARGE + 4;
    return 2 * (size_t)snprintf(number, sizeof number, "%llu", (unsigned long long)asked->number) +
           FILLER + 5;
}

void judge(struct figures *f, const struct asked *asked, const struct reply *r)
{
    int64_t us = now_us() - asked->at_us;

    f->count[COUNT_requests]++;
    if (asked->is_timed)
        observe(asked->route == ROUTE_UNTOUCHED ? &f->untouched : &f->all, us);
    if (r->status != 200)
        failed(f, COUNT_wrong_status, "its status is not 200", asked->number);
    else if (asked->route == ROUTE_UNTOUCHED)
        judge_untouched(f, asked, r);
    else if (r->len != length_of(asked))
        failed(f, COUNT_wrong_length, "its length is not the route's", asked->number);
    else if (asked->route == ROUTE_LARGE)
        judge_lines(f, asked, r, r->body + 2, LARGE);
    else
        judge_numbered(f, asked, r);
    if (asked->route == ROUTE_UNTOUCHED)
        f->count[COUNT_untouched]++;
}

void print_figures(const struct figures *f, double seconds, bool is_last)
{
    static const char *const names[] = {
#define X(name) #name,
        COUNTERS(X)
#undef X
    };

    printf("{\"last\":%s,\"seconds\":%.3f,\"failures\":%llu", is_last ? "true" : "false", seconds,
           (unsigned long long)failures(f));
    for (int i = 0; i < COUNT_END; i++)
        printf(",\"%s\":%llu", names[i], (unsigned long long)f->count[i]);
    printf(",\"versions\":{");
    for (int i = 1, any = 0; i < 10; i++)
        if (f->version[i])
            printf("%s\"%d\":%llu", any++ ? "," : "", i, (unsigned long long)f->version[i]);
    printf(
        "},\"p50_us\":%lld,\"p99_us\":%lld,\"untouched_p50_us\":%lld,\"untouched_p99_us\":%lld}\n",
        (long long)percentile(&f->all, 0.5), (long long)percentile(&f->all, 0.99),
        (long long)percentile(&f->untouched, 0.5), (long long)percentile(&f->untouched, 0.99));
    fflush(stdout);
}
