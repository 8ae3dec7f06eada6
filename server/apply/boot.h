/* apply/boot.h: what a process may start with when the file is not to be used, or cannot be: a kept
 * revision (history.h). Before there is an apply thread. SPDX-License-Identifier: Apache-2.0 */
#ifndef APPLY_BOOT_H
#define APPLY_BOOT_H

#include "plugin/world.h"

/* The newest revision in the data folder; 0: none. */
uint64_t boot_newest(const char *data);
/* The configuration of a revision, as config_load() gives it for source, and the bits of its
 * plugins (history_files(), in arena). STOA_E_NOT_FOUND or STOA_E_CONFIG with *diag. */
struct boot {
    struct config *config;
    const struct stoa_json *files;
};
STOA_NODISCARD stoa_err boot_load(const char *data, uint64_t revision,
                                  const struct config_source *source, struct stoa_arena *arena,
                                  struct diag *diag, struct boot *ret);
/* The configuration alone of a revision that history_read() gave; source->evaluated is
 * history_config() of it. When that is empty, and the text says something else by now, as a file
 * that it reads has changed, the log says so. */
STOA_NODISCARD stoa_err boot_load_text(const struct config_source *source,
                                       const struct stoa_json *revision, struct stoa_arena *arena,
                                       struct diag *diag, struct config **ret);
/* The bits of the newest revision; NULL: there is none. */
const struct stoa_json *boot_kept(const char *data, struct stoa_arena *arena);

#endif
