/* apply/internal.h: what the files of this folder share. SPDX-License-Identifier: Apache-2.0 */
#ifndef APPLY_INTERNAL_H
#define APPLY_INTERNAL_H

#include "apply/apply.h"
#include "apply/build.h"
#include "apply/history.h"
#include "apply/swap.h"
#include <pthread.h>

struct alive {
    struct world *world;
    struct config *config; /* the world's; ends with it. NULL: the process's own */
    int64_t since_ms;      /* out of force, or in force */
};

struct apply {
    struct apply_options options;
    struct swap_loops loops;
    struct history history;
    pthread_mutex_t lock; /* of what follows, but for what only the thread changes */
    pthread_cond_t wake;
    bool is_open, is_closed;
    struct apply_job *head, **tail;
    uint32_t waiting;
    struct alive alive[APPLY_WORLDS_MAX]; /* [0] is in force; changed by the thread only */
    uint32_t alive_count;
    uint64_t applied, failed, revision;
    struct build_seen migrations; /* the databases had them all; empty: not known yet */
    int64_t sync_at_ms;           /* monotonic; the history is on the disk then. 0: it is */
    int64_t confirm_until_ms;     /* monotonic; 0: nothing waits for a confirmation */
    uint64_t confirm_back;        /* the revision to go back to */
    char last_error[512];
};

static inline struct world *apply_in_force(const struct apply *a)
{
    return a->alive[0].world;
}

/* ---- apply.c: on the apply thread ---- */

/* seconds from now the apply goes back to a revision unless it is confirmed; 0: no more. */
void apply_await_confirmation(struct apply *apply, uint32_t seconds, uint64_t back);
/* Tells whoever wants to know which revision is in force, and which one to boot. */
void apply_tell(struct apply *apply, bool is_start);
/* A process that ends may have a successor, which knows nothing of what is changed here. */
bool apply_is_closed(struct apply *apply);

/* ---- migrations.c: on the apply thread ---- */

/* Opening databases is a good part of an apply, and what was applied to them stays: they are not
 * asked again about the same files. missing: if not NULL, that something is missing is no error. */
stoa_err migrations_check(struct apply *apply, const struct config *config, bool *missing,
                          struct diag *diag);

/* ---- status.c: on the apply thread ---- */

/* Number, state, pins and age of each world that is alive. */
void apply_put_worlds(const struct apply *apply, struct stoa_json *list, struct stoa_arena *arena);

/* What keeps each generation of the plugin alive, into answer: "generations", "holds". False: the
 * plugin is in no world. */
bool apply_why(struct apply *apply, const char *plugin, struct stoa_json *answer,
               struct stoa_arena *arena);

#endif
