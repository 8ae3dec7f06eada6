/* tests/load/strict.h: one connection of the strict client, and what is counted.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_STRICT_H
#define LOAD_STRICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DEPTH = 8, KINDS_MAX = 8, LARGE_EACH = 4, HISTOGRAM = 40 * 64 };

/* What can happen; the first of `failures` up to the last of them make the run fail. */
#define COUNTERS(X)                                                                                \
    X(requests)     /* answered whole */                                                           \
    X(untouched)    /* of them, those of the untouched route */                                    \
    X(left)         /* connections that the client left while requests were open */                \
    X(reconnects)   /* connections that the server closed with nothing open */                     \
    X(retried)      /* pipelined behind a reply that said "connection: close" */                   \
    X(refused)      /* connects: failures begin here */                                            \
    X(cut)          /* ended inside a reply */                                                     \
    X(unanswered)   /* ended before the reply began */                                             \
    X(wrong_status) /* not 200 */                                                                  \
    X(wrong_length) /* Content-Length is not what the route has, or there is none */               \
    X(bad_hash)     /* the bytes between both ends are not the version's */                        \
    X(mixed)        /* two versions in one body */                                                 \
    X(duplicated)   /* not the reply to the oldest open request, or one to none */                 \
    X(late)         /* open for longer than --deadline */

#define X(name) COUNT_##name,
enum counter { COUNTERS(X) COUNT_END };
#undef X
enum { FIRST_FAILURE = COUNT_refused };

struct histogram {
    uint64_t total;
    uint32_t bucket[HISTOGRAM]; /* log-linear: 64 steps a power of two of microseconds */
};

struct figures {
    uint64_t count[COUNT_END];
    uint64_t version[10]; /* replies of versions 0 to 9 */
    struct histogram all, untouched;
};

enum route { ROUTE_NOW, ROUTE_LATER, ROUTE_LARGE, ROUTE_UNTOUCHED };
struct asked {
    enum route route;
    uint64_t number;
    int64_t at_us;
    bool is_timed; /* asked at once and read at once */
};

/* A reply that has arrived whole; body lives until the callee returns. */
struct reply {
    int status;
    const char *body;
    size_t len;
};

int64_t now_us(void);
/* Counts what is wrong with a reply; at most ten are told on stderr. */
void judge(struct figures *figures, const struct asked *asked, const struct reply *reply);
void failed(struct figures *figures, enum counter counter, const char *what, uint64_t number);
uint64_t failures(const struct figures *figures);
void observe(struct histogram *histogram, int64_t us);
int64_t percentile(const struct histogram *histogram, double share);
/* One line of JSON on stdout; seconds: since the last line, or of the whole run. */
void print_figures(const struct figures *figures, double seconds, bool is_last);

#endif
