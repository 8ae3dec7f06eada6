/* apply/apply.h: replacing the world of a running shop as one transaction: on a thread of its own,
 * one change after the other. A failure at any step leaves the world in force untouched.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef APPLY_APPLY_H
#define APPLY_APPLY_H

#include "loop/loop.h"
#include "plugin/world.h"

enum {
    APPLY_WORLDS_MAX = 16, /* alive at once: in force, and draining */
    APPLY_ROOM_MS = 15000, /* so long an apply waits for one of them to end */
    APPLY_QUEUE_MAX = 64,  /* applies that wait for their turn */
};

struct apply;
/* What else follows the configuration: limits, addresses. On the apply thread. */
struct apply_follower {
    /* What it would change, into ret; "changes" there is set when it is anything. */
    stoa_err (*plan)(void *data, const struct config *config, struct diag *diag,
                     struct stoa_json *ret, struct stoa_arena *arena);
    /* What of it can fail; nothing that serves may notice. STOA_E_CONFIG with *diag. */
    stoa_err (*prepare)(void *data, const struct config *config, struct diag *diag);
    void (*commit)(void *data, const struct config *config); /* the world is in force */
    void (*abandon)(void *data);                             /* it will not be */
    void *data;
};
struct apply_options {
    struct config_source source; /* of the process; read again by every apply */
    struct world *world;         /* the first; published by the caller, retired here */
    struct resources *resources;
    struct loop *const *loops;
    uint32_t loop_count;
    /* Which revision is in force, and which one to start with after a crash (another one, while a
     * confirmation is awaited). is_start: by apply_start(). On its thread, or the caller's. */
    void (*changed)(uint64_t revision, uint64_t boot, bool is_start);
    struct apply_follower follower; /* all NULL: none */
};
/* Starts the thread. It works once apply_open() was called. */
STOA_NODISCARD stoa_err apply_create(const struct apply_options *options, struct diag *diag,
                                     struct apply **ret);
/* The first world serves on every loop, and becomes a revision. Once, on any thread; blocks for as
 * long as it takes to write that down. */
void apply_start(struct apply *apply);
/* After that, and what else the process tells at its start: the thread begins. Once, on any thread.
 */
void apply_open(struct apply *apply);
/* The process is about to end: what has not begun is refused. Any thread. */
void apply_close(struct apply *apply);

enum apply_kind {
    APPLY_PLAN,
    APPLY_APPLY,
    APPLY_CONFIRM,
    APPLY_ROLLBACK,
    APPLY_HISTORY,
    APPLY_WHY, /* what keeps a plugin's generations alive */
};
struct apply_job {
    enum apply_kind kind;
    uint64_t revision;  /* APPLY_ROLLBACK: to which; 0: the one before the newest */
    uint32_t confirm_s; /* APPLY_APPLY: goes back by itself unless confirmed until then; 0: stays */
    char who[32];       /* "uid 1000", "signal" */
    char plugin[32];    /* APPLY_WHY: whose */
    bool may_merge;     /* with one that has not begun: that one reads the file as it is then */
    /* Once, on the apply thread or the caller's: a JSON document. Frees job. */
    void (*done)(struct apply_job *job, stoa_str answer);
    struct apply_job *next;
};
/* Any thread. job->done() tells how it went. */
void apply_submit(struct apply *apply, struct apply_job *job);

/* Adds "world", "config_hash", "plugins", "worlds" (pins and age of each), "generations" and the
 * last apply to an object. Any thread. */
void apply_status(struct apply *apply, struct stoa_json *object, struct stoa_arena *arena);

#endif
