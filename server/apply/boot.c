/* apply/boot.c: reads what history.c has written. SPDX-License-Identifier: Apache-2.0 */
#include "apply/boot.h"

#include "apply/history.h"
#include "base/file.h"
#include "base/log.h"
#include <errno.h>
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

static void compare_hash(const struct stoa_json *revision, const struct config *config)
{
    if (stoa_str_is(stoa_json_str(revision, "hash"), config_hash(config)))
        return;
    log_error("apply", "a revision says something else than it did",
              stoa_f("revision", stoa_i(stoa_json_int(revision, "revision", 0))),
              stoa_f("why", stoa_z("a file or variable that its text reads has changed")));
}

stoa_err boot_load_text(const struct config_source *source, const struct stoa_json *revision,
                        struct stoa_arena *arena, struct diag *diag, struct config **ret)
{
    struct config_source kept = *source;
    char path[64];
    int fd = file_in_memory("revision", stoa_json_str(revision, "text"));
    stoa_err err;

    if (fd < 0) {
        diag_set(diag, "memory", 0, 0, "no file can be made there: %s", strerror(errno));
        return STOA_E_STORE;
    }
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), fd);
    kept.origin = stoa_cstr(arena, stoa_json_str(revision, "file"));
    kept.path = path;
    err = config_load(&kept, diag, ret);
    close(fd);
    if (err == STOA_OK)
        compare_hash(revision, *ret);
    return err;
}

/* cap: what a revision is read with, and into */
stoa_err boot_load(const char *data, uint64_t number, const struct config_source *source,
                   struct stoa_arena *arena, struct diag *diag, struct boot *ret)
{
    const struct stoa_json *revision = NULL;
    struct config_source kept = *source;
    struct history history;

    if (!open_history(data, &history)) {
        diag_set(diag, data, 0, 0, "no revision is kept there");
        return STOA_E_NOT_FOUND;
    }
    STOA_TRY(history_read(&history, number, arena, diag, &revision));
    kept.evaluated = history_config(&history, revision, arena);
    STOA_TRY(boot_load_text(&kept, revision, arena, diag, &ret->config));
    ret->files = history_files(&history, revision, arena);
    return STOA_OK;
}
