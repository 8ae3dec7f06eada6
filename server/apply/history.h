/* apply/history.h: what was in force, in <data>/revisions/: NNNNNN.json (hash, the file's text, its
 * plugins, who, when, why), configs/<hash>.json (what the text said) and plugins/<sha256>.so, so
 * that going back finds the same bits, and the same contents of files that the text reads. Written
 * whole or not at all. One thread; several processes may add to one folder.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef APPLY_HISTORY_H
#define APPLY_HISTORY_H

#include "base/file.h"
#include "plugin/world.h"

enum { HISTORY_KEPT = 100, HISTORY_COMPARED = 32 };

/* A kept copy that was found whole. */
struct history_compared {
    char sha256[65];
    struct file_stamp file;
};

struct history {
    char folder[3900];        /* <data>/revisions */
    uint64_t last;            /* number of the newest; 0 = none */
    uint64_t unsynced;        /* the oldest that may not have reached the disk; 0 = none */
    char unsynced_config[65]; /* the hash that all since have; empty: their files tell */
    /* Of the next history_add(), which forgets them: from plan_compare(). NULL: none known. */
    const struct stoa_json *changes;
    struct history_compared config;                     /* the last, likewise */
    struct history_compared compared[HISTORY_COMPARED]; /* the latest; not compared again */
    uint32_t compared_count;                            /* ever */
};

/* Makes the folder when there is none. STOA_E_CONFIG with *diag. */
STOA_NODISCARD stoa_err history_open(const char *data, struct diag *diag, struct history *ret);
/* why: "start", "apply", "rollback 3". who: "uid 1000". Unless it is what the newest revision says,
 * writes a new one; *ret is its number. STOA_E_STORE with *diag: then there is none. */
STOA_NODISCARD stoa_err history_add(struct history *history, const struct world *world,
                                    const char *who, const char *why, struct diag *diag,
                                    uint64_t *ret);
/* What was added has reached the disk when this returns true. False with errno, and it is not tried
 * again: what failed once is not there to be written any more. A swap does not wait for it: the
 * bits of plugins are synced as they are added, and after a power cut a shop starts with its file,
 * not with its history. */
bool history_sync(struct history *history);
/* STOA_E_NOT_FOUND with *diag when it is not kept (any more). */
STOA_NODISCARD stoa_err history_read(const struct history *history, uint64_t number,
                                     struct stoa_arena *arena, struct diag *diag,
                                     const struct stoa_json **ret);
/* What the revision's text said: for config_source.evaluated. Empty when it is not kept (by an
 * older version), or damaged. */
stoa_str history_config(const struct history *history, const struct stoa_json *revision,
                        struct stoa_arena *arena);
/* Newest first, without the files' text. */
struct stoa_json *history_list(const struct history *history, struct stoa_arena *arena);
/* {plugin: {path, sha256}} of the kept .so files of a revision. */
struct stoa_json *history_files(const struct history *history, const struct stoa_json *revision,
                                struct stoa_arena *arena);

#endif
