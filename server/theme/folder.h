/* theme/folder.h: the files of a theme's folder. SPDX-License-Identifier: Apache-2.0 */
#ifndef THEME_FOLDER_H
#define THEME_FOLDER_H

#include "base/diag.h"

enum { FOLDER_FILES_MAX = 1000 };

/* The names of the regular files in path, sorted, without hidden ones; none when there is no such
 * folder. False with *diag filled past FOLDER_FILES_MAX. */
bool folder_list(struct stoa_arena *arena, const char *path, struct diag *diag,
                 const char *const **ret, uint32_t *count);
/* The same for the folders in path. */
bool folder_list_folders(struct stoa_arena *arena, const char *path, struct diag *diag,
                         const char *const **ret, uint32_t *count);
/* A whole file of at most max bytes. False with *diag filled (file: path). */
bool folder_read(struct stoa_arena *arena, const char *path, uint64_t max, struct diag *diag,
                 stoa_str *ret);

#endif
