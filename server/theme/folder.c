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

/* The names of one kind in path. */
struct listing {
    const char *path;
    mode_t kind;
    const char **names;
    uint32_t count;
};

/* What a link leads to can change without the folder that holds the link. */
static mode_t kind_behind(const struct folder_reading *reading, const struct listing *listing,
                          const char *name)
{
    const char *path =
        stoa_concat(reading->arena, stoa_str_of(listing->path), STOA_STR("/"), stoa_str_of(name))
            .ptr;
    struct stat about;
    bool is_there = stat(path, &about) == 0;

    trail_note(reading->trail, path, is_there ? &about : NULL);
    return is_there ? about.st_mode & S_IFMT : 0;
}

static bool is_kind(const struct folder_reading *reading, const struct listing *listing,
                    const struct dirent *entry)
{
    if (entry->d_name[0] == '.')
        return false;
    if (entry->d_type == DT_REG || entry->d_type == DT_DIR)
        return (mode_t)DTTOIF(entry->d_type) == listing->kind;
    return kind_behind(reading, listing, entry->d_name) == listing->kind;
}

static DIR *open_folder(const struct folder_reading *reading, const char *path)
{
    DIR *dir = opendir(path);
    struct stat about;
    bool is_there = dir && fstat(dirfd(dir), &about) == 0;

    trail_note(reading->trail, path, is_there ? &about : NULL);
    return dir;
}

static bool list(const struct folder_reading *reading, struct listing *listing)
{
    DIR *dir = open_folder(reading, listing->path);
    struct stoa_arena *arena = reading->arena;
    struct dirent *entry;
    bool fits = true;

    listing->names = stoa_new_array(arena, const char *, FOLDER_FILES_MAX);
    if (!dir)
        return true;
    while (fits && (entry = readdir(dir))) {
        if (!is_kind(reading, listing, entry))
            continue;
        fits = listing->count < FOLDER_FILES_MAX;
        if (fits)
            listing->names[listing->count++] = stoa_cstr(arena, stoa_str_of(entry->d_name));
    }
    closedir(dir);
    if (!fits)
        diag_set(reading->diag, listing->path, 0, 0, "more than %d files", FOLDER_FILES_MAX);
    qsort(listing->names, listing->count, sizeof(*listing->names), name_order);
    return fits;
}

bool folder_list(const struct folder_reading *reading, const char *path, const char *const **ret,
                 uint32_t *count)
{
    struct listing listing = {.path = path, .kind = S_IFREG};
    bool done = list(reading, &listing);

    *ret = listing.names;
    *count = listing.count;
    return done;
}

bool folder_list_folders(const struct folder_reading *reading, const char *path,
                         const char *const **ret, uint32_t *count)
{
    struct listing listing = {.path = path, .kind = S_IFDIR};
    bool done = list(reading, &listing);

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

bool folder_read(const struct folder_reading *reading, const char *path, uint64_t max,
                 stoa_str *ret)
{
    struct diag *diag = reading->diag;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat about;
    bool done = false;
    char *bytes;

    if (fd < 0 || fstat(fd, &about) != 0) {
        diag_set(diag, path, 0, 0, "cannot be read: %s", strerror(errno));
    } else if ((uint64_t)about.st_size > max) {
        diag_set(diag, path, 0, 0, "is larger than %llu KiB", (unsigned long long)max / 1024);
    } else {
        trail_note(reading->trail, path, &about);
        bytes = stoa_arena_take(reading->arena, (uint64_t)about.st_size + 1);
        done = read_all(fd, bytes, (uint64_t)about.st_size);
        *ret = (stoa_str){bytes, (uint64_t)about.st_size};
        if (!done)
            diag_set(diag, path, 0, 0, "cannot be read whole");
    }
    if (fd >= 0)
        close(fd);
    return done;
}
