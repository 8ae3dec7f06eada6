/* base/file.c: a new file, synced, put into place, its folder synced.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include "base/clock.h"
#include "base/fault.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PART ".part-"

struct file_stamp file_stamp(const struct stat *st)
{
    enum { NS_A_MS = 1000000 };
    int64_t changed_ns = st->st_ctim.tv_sec * INT64_C(1000000000) + st->st_ctim.tv_nsec;

    if (clock_utc_ms() - changed_ns / NS_A_MS < FILE_SETTLED_MS)
        return (struct file_stamp){0};
    return (struct file_stamp){st->st_dev, st->st_ino, (uint64_t)st->st_size, changed_ns};
}

bool file_is_same(const struct file_stamp *a, const struct file_stamp *b)
{
    return a->changed_ns != 0 && a->changed_ns == b->changed_ns && a->device == b->device &&
           a->inode == b->inode && a->size == b->size;
}

bool file_write_all(int fd, stoa_str bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = EIO;
        if (n <= 0)
            return false;
        bytes = (stoa_str){bytes.ptr + n, bytes.len - (uint64_t)n};
    }
    return true;
}

static bool sync_or_fail(int fd)
{
    if (fault_point("file.sync_folder") == STOA_OK)
        return fsync(fd) == 0;
    errno = EIO;
    return false;
}

bool file_sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && sync_or_fail(fd);
    int error = errno;

    if (fd >= 0)
        close(fd);
    errno = error;
    return ok;
}

static bool write_or_fail(int fd, stoa_str bytes)
{
    if (fault_point("file.write") == STOA_OK)
        return file_write_all(fd, bytes);
    errno = ENOSPC;
    return false;
}

/* Each writer has a file of its own, also when they are processes that know nothing of each other.
 */
static bool write_part(const char *folder, stoa_str bytes, bool syncs, char part[PATH_MAX])
{
    int fd, error;
    bool ok;

    if (snprintf(part, PATH_MAX, "%s/" PART "XXXXXX", folder) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return false;
    }
    fd = mkostemp(part, O_CLOEXEC);
    if (fd < 0)
        return false;
    ok = write_or_fail(fd, bytes) && (!syncs || fdatasync(fd) == 0);
    ok = close(fd) == 0 && ok;
    error = errno;
    if (!ok)
        unlink(part);
    errno = error;
    return ok;
}

static bool link_or_fail(const char *part, const char *path)
{
    if (fault_point("file.link") == STOA_OK)
        return link(part, path) == 0;
    errno = EPERM;
    return false;
}

/* On FAT and some of the network's file systems a file has one name. */
static bool has_no_links(int error)
{
    return error == EPERM || error == EOPNOTSUPP || error == ENOSYS;
}

/* The name is taken by an empty file, which the part then replaces. */
static bool reserve_and_move(const char *part, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), error;

    if (fd < 0)
        return false;
    close(fd);
    if (rename(part, path) == 0)
        return true;
    error = errno;
    unlink(path);
    errno = error;
    return false;
}

/* renameat2() could tell a name that is there, but not on every file system. */
static bool move_new(const char *part, const char *path)
{
    if (!link_or_fail(part, path))
        return has_no_links(errno) && reserve_and_move(part, path);
    unlink(part);
    return true;
}

/* What a failed sync is to leave: a name that was not there before is not there then. */
static bool replace(const char *folder, const char *part, const char *path)
{
    bool was_there = access(path, F_OK) == 0;
    struct stat own, now;
    int error;

    if (stat(part, &own) != 0 || rename(part, path) != 0)
        return false;
    if (file_sync_folder(folder))
        return true;
    error = errno;
    if (!was_there && stat(path, &now) == 0 && now.st_ino == own.st_ino)
        unlink(path);
    errno = error;
    return false;
}

static bool put(const char *folder, const char *name, stoa_str bytes, bool is_new)
{
    char path[PATH_MAX], part[PATH_MAX];
    int error;

    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return false;
    }
    if (!write_part(folder, bytes, !is_new, part))
        return false;
    if (is_new ? move_new(part, path) : replace(folder, part, path))
        return true;
    error = errno;
    unlink(part);
    errno = error;
    return false;
}

bool file_put(const char *folder, const char *name, stoa_str bytes)
{
    return put(folder, name, bytes, false);
}

bool file_put_new(const char *folder, const char *name, stoa_str bytes)
{
    return put(folder, name, bytes, true);
}

bool file_sync_bytes(const char *folder, const char *name)
{
    char path[PATH_MAX];
    int fd, error;
    bool ok;

    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return false;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ok = fdatasync(fd) == 0;
    error = errno;
    close(fd);
    errno = error;
    return ok;
}

bool file_sync(const char *folder, const char *name)
{
    return file_sync_bytes(folder, name) && file_sync_folder(folder);
}

void file_sweep(const char *folder)
{
    DIR *dir = opendir(folder);
    time_t now = time(NULL);
    struct stat st;

    for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir))
        if (strncmp(e->d_name, PART, sizeof PART - 1) == 0 &&
            fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            now - st.st_mtime >= FILE_LEFT_OVER_S)
            unlinkat(dirfd(dir), e->d_name, 0);
    if (dir)
        closedir(dir);
}

int file_in_memory(const char *name, stoa_str bytes)
{
    int fd = memfd_create(name, MFD_CLOEXEC), error;

    if (fd < 0 || (file_write_all(fd, bytes) && lseek(fd, 0, SEEK_SET) == 0))
        return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}
