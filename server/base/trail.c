/* base/trail.c: one statx(2) a path, looked up from the folder that all have in common.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/trail.h"

#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stoa/arena.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { STEPS_FIRST = 64 };

struct step {
    const char *path;
    bool is_missing;
    struct file_stamp stamp;
};

struct trail {
    struct stoa_arena *arena;
    struct step *steps;
    uint32_t count, room;
    const char *root; /* what all paths begin with, to its "/"; empty: nothing */
    uint32_t root_len;
    bool is_fresh; /* something has an unknown stamp */
};

struct trail *trail_create(void)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct trail *trail = stoa_new(arena, struct trail);

    trail->arena = arena;
    return trail;
}

void trail_destroy(struct trail *trail)
{
    if (trail)
        stoa_arena_destroy(trail->arena);
}

static struct step *add(struct trail *trail)
{
    struct step *more;

    if (trail->count == trail->room) {
        trail->room = trail->room ? 2 * trail->room : STEPS_FIRST;
        more = stoa_new_array(trail->arena, struct step, trail->room);
        if (trail->count > 0)
            memcpy(more, trail->steps, trail->count * sizeof *more);
        trail->steps = more;
    }
    return &trail->steps[trail->count++];
}

/* Without slashes at the end. */
static stoa_str bare(const char *path)
{
    stoa_str ret = stoa_str_of(path);

    while (ret.len > 1 && ret.ptr[ret.len - 1] == '/')
        ret.len--;
    return ret;
}

/* With the slash at its end; empty: the working directory. */
static stoa_str folder_of(const char *path)
{
    stoa_str ret = bare(path);

    while (ret.len > 0 && ret.ptr[ret.len - 1] != '/')
        ret.len--;
    return ret;
}

static bool has(const struct trail *trail, stoa_str path)
{
    for (uint32_t i = 0; i < trail->count; i++)
        if (stoa_str_eq(bare(trail->steps[i].path), path))
            return true;
    return false;
}

/* A name that is not there, in a folder that was noted before and changes with its names. But what
 * a link leads to can come without that. */
static bool is_told_by_folder(const struct trail *trail, const char *path)
{
    stoa_str folder = folder_of(path);
    struct stat st;

    if (folder.len < 2)
        return false;
    folder.len--;
    return has(trail, folder) && lstat(path, &st) != 0 && errno == ENOENT;
}

/* Folders are few, and often come by twice: what has changed in between the first note tells. */
static bool is_needless(const struct trail *trail, const char *path, const struct stat *st)
{
    if (!st)
        return is_told_by_folder(trail, path);
    return S_ISDIR(st->st_mode) && has(trail, bare(path));
}

/* So that path begins with it, too. */
static void narrow_root(struct trail *trail, const char *path)
{
    stoa_str folder = folder_of(path);
    uint64_t len = 0;

    while (trail->root && len < folder.len && trail->root[len] == path[len])
        len++;
    if (!trail->root)
        len = folder.len;
    while (len > 0 && path[len - 1] != '/')
        len--;
    if (trail->root && len == trail->root_len)
        return;
    trail->root = stoa_cstr(trail->arena, (stoa_str){path, len});
    trail->root_len = (uint32_t)len;
}

void trail_note(struct trail *trail, const char *path, const struct stat *st)
{
    struct step *step;

    if (!trail || is_needless(trail, path, st))
        return;
    narrow_root(trail, path);
    step = add(trail);
    step->path = stoa_cstr(trail->arena, stoa_str_of(path));
    step->is_missing = !st;
    if (st)
        step->stamp = file_stamp(st);
    trail->is_fresh = trail->is_fresh || (st && step->stamp.changed_ns == 0);
}

/* The network's file systems are asked, not what was known of them a while ago. */
static bool look(int folder, const char *path, struct stat *ret)
{
    struct statx found;

    if (statx(folder, path, AT_STATX_FORCE_SYNC, STATX_INO | STATX_SIZE | STATX_CTIME, &found))
        return false;
    *ret = (struct stat){.st_dev = makedev(found.stx_dev_major, found.stx_dev_minor),
                         .st_ino = found.stx_ino,
                         .st_size = (off_t)found.stx_size,
                         .st_ctim = {found.stx_ctime.tv_sec, found.stx_ctime.tv_nsec}};
    return true;
}

/* path: the step's, from folder. */
static bool is_there_still(const struct step *step, int folder, const char *path)
{
    struct file_stamp now;
    struct stat st;

    if (!look(folder, path, &st))
        return step->is_missing && (errno == ENOENT || errno == ENOTDIR);
    now = file_stamp(&st);
    return !step->is_missing && file_is_same(&step->stamp, &now);
}

/* Opened anew each time: what its name leads to may be another folder. Without one, or when it
 * cannot be opened, each path is looked up as a whole. */
bool trail_is_same(const struct trail *trail)
{
    bool is_same = trail && !trail->is_fresh;
    int root = is_same && trail->count > 1 && trail->root_len > 1
                   ? open(trail->root, O_PATH | O_DIRECTORY | O_CLOEXEC)
                   : -1;

    for (uint32_t i = 0; is_same && i < trail->count; i++)
        is_same = is_there_still(&trail->steps[i], root >= 0 ? root : AT_FDCWD,
                                 trail->steps[i].path + (root >= 0 ? trail->root_len : 0));
    if (root >= 0)
        close(root);
    return is_same;
}
