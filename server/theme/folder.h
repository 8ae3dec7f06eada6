/* theme/folder.h: the files of a theme's folder. SPDX-License-Identifier: Apache-2.0 */
#ifndef THEME_FOLDER_H
#define THEME_FOLDER_H

#include "base/diag.h"
#include "base/trail.h"

enum { FOLDER_FILES_MAX = 1000 };

/* Where what is read goes to, and what is said of it. */
struct folder_reading {
    struct stoa_arena *arena;
    struct diag *diag;
    struct trail *trail; /* may be NULL */
};

/* The names of the regular files in path, sorted, without hidden ones; none when there is no such
 * folder. False with *diag filled past FOLDER_FILES_MAX. */
bool folder_list(const struct folder_reading *reading, const char *path, const char *const **ret,
                 uint32_t *count);
/* The same for the folders in path. */
bool folder_list_folders(const struct folder_reading *reading, const char *path,
                         const char *const **ret, uint32_t *count);
/* A whole file of at most max bytes. False with *diag filled (file: path). */
bool folder_read(const struct folder_reading *reading, const char *path, uint64_t max,
                 stoa_str *ret);

#endif
