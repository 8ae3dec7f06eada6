/* base/file.h: writing files that are there whole or not at all. Everything here may wait for the
 * disk. SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stoa/str.h>
#include <sys/stat.h>

enum { FILE_LEFT_OVER_S = 3600, FILE_SETTLED_MS = 2000 };

/* Which bytes of which file were read: with the same stamp they are the same, unless somebody
 * writes through a mapping, which the kernel notes only once. Unlike mtime, nobody can set the time
 * in it (ctime, inode(7)). All zero: unknown, and the same as nothing. */
struct file_stamp {
    uint64_t device, inode, size;
    int64_t changed_ns; /* UTC */
};
/* Before the file is read. Unknown for what changed less than FILE_SETTLED_MS ago: it could change
 * once more within the same tick of the file system's clock. */
struct file_stamp file_stamp(const struct stat *st);
bool file_is_same(const struct file_stamp *a, const struct file_stamp *b);

/* False with errno; a part may have been written then. Async-signal-safe. */
bool file_write_all(int fd, stoa_str bytes);
/* folder/name, replaced if it is there; for the owner only. It and its name have reached the disk.
 * False with errno: nothing has changed, but that a file that was there may be the new one already,
 * and a power cut decides (its folder could not be synced). Threads and processes may write the
 * same name at once. */
bool file_put(const char *folder, const char *name, stoa_str bytes);
/* A name that must not be there: false with EEXIST. Of several at once one makes it. Other
 * processes see all of it or nothing (on a file system without links an empty file, for a moment);
 * what a power cut leaves is certain only after file_sync(). */
bool file_put_new(const char *folder, const char *name, stoa_str bytes);
/* folder/name and its name have reached the disk. False with errno. */
bool file_sync(const char *folder, const char *name);
/* The two halves of it, for many files of one folder: first each file, then all names. */
bool file_sync_bytes(const char *folder, const char *name);
bool file_sync_folder(const char *folder);
/* Removes what processes that were killed in file_put() left in the folder FILE_LEFT_OVER_S ago or
 * before. Nobody waits for it, so nobody is told when it fails. */
void file_sweep(const char *folder);
/* No file on a disk: a descriptor that reads bytes from their beginning, closed on exec. -1 with
 * errno. name: for whoever looks at the process. */
int file_in_memory(const char *name, stoa_str bytes);

#endif
