/* apply/boot.c: reads what history.c has written. SPDX-License-Identifier: Apache-2.0 */
#include "apply/boot.h"

#include "apply/history.h"
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

/* False: nothing was ever in force here; no folder is made. */
static bool open_history(const char *data, struct history *ret)
{
    char folder[PATH_MAX];
    struct diag ignored;

    snprintf(folder, sizeof folder, "%s/revisions", data);
    return access(folder, F_OK) == 0 && history_open(data, &ignored, ret) == STOA_OK &&
           ret->last > 0;
}

uint64_t boot_newest(const char *data)
{
    struct history history;

    return open_history(data, &history) ? history.last : 0;
}

const struct stoa_json *boot_kept(const char *data, struct stoa_arena *arena)
{
    const struct stoa_json *revision = NULL;
    struct history history;
    struct diag ignored;

    if (!open_history(data, &history) ||
        history_read(&history, history.last, arena, &ignored, &revision) != STOA_OK)
        return NULL;
    return history_files(&history, revision, arena);
}

/* cap: what a revision is read with, and into */
stoa_err boot_load(const char *data, uint64_t number, const struct config_source *source,
                   struct stoa_arena *arena, struct diag *diag, struct boot *ret)
{
    struct config_source kept = *source;
    const struct stoa_json *revision = NULL;
    struct history history;
    char path[PATH_MAX];

    if (!open_history(data, &history)) {
        diag_set(diag, data, 0, 0, "no revision is kept there");
        return STOA_E_NOT_FOUND;
    }
    STOA_TRY(history_read(&history, number, arena, diag, &revision));
    /* Of its own name: an apply of the process before may be writing its own. */
    snprintf(path, sizeof path, "%s/.boot", history.folder);
    if (history_write(history.folder, ".boot", stoa_json_str(revision, "text")) != STOA_OK) {
        diag_set(diag, path, 0, 0, "it cannot be written");
        return STOA_E_STORE;
    }
    kept.origin = stoa_cstr(arena, stoa_json_str(revision, "file"));
    kept.path = stoa_cstr(arena, stoa_str_of(path));
    STOA_TRY(config_load(&kept, diag, &ret->config));
    ret->files = history_files(&history, revision, arena);
    return STOA_OK;
}
