/* base/trail.h: which files and folders a reading has come by, so that the next can tell from their
 * stamps alone that it would find the same. SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_TRAIL_H
#define BASE_TRAIL_H

#include <stdbool.h>
#include <sys/stat.h>

struct trail;

struct trail *trail_create(void);
void trail_destroy(struct trail *trail); /* NULL is fine */
/* st: of what was opened at path, before it was read; NULL: nothing was there. A folder changes
 * with the names in it, so that files in it which are not read need no note; what a symbolic link
 * in it leads to does. NULL trail: nobody wants to know. */
void trail_note(struct trail *trail, const char *path, const struct stat *st);
/* Each path leads where it did, and nothing there has changed (struct file_stamp). False, too, for
 * what had changed less than FILE_SETTLED_MS before its note, and for NULL. */
bool trail_is_same(const struct trail *trail);

#endif
