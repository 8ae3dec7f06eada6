/* resource/sql/statements.h: prepared statements of one connection, and all statements ever seen on
 * a resource. Both are found by content: an address means nothing once a plugin has been swapped.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RESOURCE_SQL_STATEMENTS_H
#define RESOURCE_SQL_STATEMENTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stoa/str.h>

/* Of owner, text and flags; a few bytes a step, as it is worked out for each call. */
uint64_t statement_hash(const char *owner, const char *text, uint32_t flags);

struct seen;
struct seen_columns;

/* ---- One connection's prepared statements: bounded, least recently used goes first ---- */
enum { STATEMENTS_MAX = 512, STATEMENTS_BUCKETS = 256 };
struct statement {
    struct statement *chain, *newer, *older;
    uint64_t hash;
    char *owner; /* NULL: the host's inner workings, unrestricted */
    char *text;
    void *handle;                       /* the driver's */
    const struct seen *seen;            /* the same on the whole resource; may be NULL */
    const struct seen_columns *columns; /* of its results; NULL: not looked at yet */
    uint32_t id;                        /* unique on this connection */
    char name[12];                      /* "s" and the id */
};
struct statements {
    struct statement *buckets[STATEMENTS_BUCKETS];
    struct statement *newest, *oldest;
    uint32_t count, next_id;
};
/* NULL when it is not prepared yet. */
struct statement *statements_find(struct statements *all, uint64_t hash, const char *owner,
                                  const char *text);
/* The same for one that is known to be the same: no text is compared. */
struct statement *statements_find_seen(struct statements *all, const struct seen *seen);
struct statement *statements_add(struct statements *all, uint64_t hash, const char *owner,
                                 const char *text);
/* The one to give up before another is added, or NULL while there is room. */
struct statement *statements_surplus(struct statements *all);
struct statement *statements_by_id(struct statements *all, uint64_t hash, uint32_t id);
/* Forgets it; the handle is the caller's to end first. */
void statements_remove(struct statements *all, struct statement *one);

/* ---- All statements of a resource: added to, never taken from; read without a lock ---- */
enum { SEEN_MAX = 4096, SEEN_BUCKETS = 512 };
struct seen_columns {
    uint32_t count;
    stoa_str names[];
};
struct seen {
    _Atomic(struct seen *) chain;
    uint64_t hash;
    char *owner, *name, *text;
    uint32_t flags;
    atomic_int score;                       /* see seen_time() */
    atomic_bool slow;                       /* keeps off the shared connection */
    _Atomic(struct seen_columns *) columns; /* of its first result */
};
struct seen_all {
    _Atomic(struct seen *) buckets[SEEN_BUCKETS];
    _Atomic(struct seen *) guesses[SEEN_BUCKETS]; /* by the address of a declared text */
    atomic_uint count;
    pthread_mutex_t lock;
};
void seen_init(struct seen_all *all);
void seen_finish(struct seen_all *all);
struct seen *seen_find(struct seen_all *all, uint64_t hash, const char *owner, const char *text);
/* The one that was last found for a text at this address, if it is still what stands there. The
 * address is a guess; the content decides, as after a swap another text may be in its place. */
struct seen *seen_guess(struct seen_all *all, const char *owner, const char *text, uint32_t flags);
void seen_remember(struct seen_all *all, const char *text, struct seen *seen);
/* Two threads may add the same: both get the one that stays. NULL past SEEN_MAX. */
struct seen *seen_add(struct seen_all *all, const struct seen *like);
/* These names, kept with the statement, so that each of its results need not have a copy: they live
 * as long as the resource. NULL when an earlier result had others. */
const struct seen_columns *seen_names(struct seen *seen, const char *const *names, uint32_t count);
/* Notes one run. True once: when more than one in twenty has taken 5 ms and it is slow from now on.
 */
bool seen_time(struct seen *seen, int64_t microseconds);

#endif
