/* theme/folder.c: SPDX-License-Identifier: Apache-2.0 */
#include "folder.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int name_order(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_kind(DIR *dir, const struct dirent *entry, mode_t kind)
{
    struct stat about;

    return entry->d_name[0] != '.' && fstatat(dirfd(dir), entry->d_name, &about, 0) == 0 &&
           (about.st_mode & S_IFMT) == kind;
}

/* The names of one kind in path. */
struct listing {
    const char *path;
    mode_t kind;
    const char **names;
    uint32_t count;
};

static bool list(struct stoa_arena *arena, struct listing *listing, struct diag *diag)
{
    DIR *dir = opendir(listing->path);
    struct dirent *entry;
    bool fits = true;

    listing->names = stoa_new_array(arena, const char *, FOLDER_FILES_MAX);
    if (!dir)
        return true;
    while (fits && (entry = readdir(dir))) {
        if (!is_kind(dir, entry, listing->kind))
            continue;
        fits = listing->count < FOLDER_FILES_MAX;
        if (fits)
            listing->names[listing->count++] = stoa_cstr(arena, stoa_str_of(entry->d_name));
    }
    closedir(dir);
    if (!fits)
        diag_set(diag, listing->path, 0, 0, "more than %d files", FOLDER_FILES_MAX);
    qsort(listing->names, listing->count, sizeof(*listing->names), name_order);
    return fits;
}

bool folder_list(struct stoa_arena *arena, const char *path, struct diag *diag,
                 const char *const **ret, uint32_t *count)
{
    struct listing listing = {.path = path, .kind = S_IFREG};
    bool done = list(arena, &listing, diag);

    *ret = listing.names;
    *count = listing.count;
    return done;
}

bool folder_list_folders(struct stoa_arena *arena, const char *path, struct diag *diag,
                         const char *const **ret, uint32_t *count)
{
    struct listing listing = {.path = path, .kind = S_IFDIR};
    bool done = list(arena, &listing, diag);

    *ret = listing.names;
    *count = listing.count;
    return done;
}

static bool read_all(int fd, char *to, uint64_t len)
{
    uint64_t done = 0;

    while (done < len) {
        ssize_t n = read(fd, to + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        done += (uint64_t)n;
    }
    return true;
}

bool folder_read(struct stoa_arena *arena, const char *path, uint64_t max, struct diag *diag,
                 stoa_str *ret)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat about;
    bool done = false;
    char *bytes;

    if (fd < 0 || fstat(fd, &about) != 0) {
        diag_set(diag, path, 0, 0, "cannot be read: %s", strerror(errno));
    } else if ((uint64_t)about.st_size > max) {
        diag_set(diag, path, 0, 0, "is larger than %llu KiB", (unsigned long long)max / 1024);
    } else {
        bytes = stoa_arena_take(arena, (uint64_t)about.st_size + 1);
        done = read_all(fd, bytes, (uint64_t)about.st_size);
        *ret = (stoa_str){bytes, (uint64_t)about.st_size};
        if (!done)
            diag_set(diag, path, 0, 0, "cannot be read whole");
    }
    if (fd >= 0)
        close(fd);
    return done;
}
