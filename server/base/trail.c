/* base/trail.c: one statx(2) a path. SPDX-License-Identifier: Apache-2.0 */
#include "base/trail.h"

#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stoa/arena.h>
#include <sys/sysmacros.h>

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

void trail_note(struct trail *trail, const char *path, const struct stat *st)
{
    struct step *step;

    if (!trail)
        return;
    step = add(trail);
    step->path = stoa_cstr(trail->arena, stoa_str_of(path));
    step->is_missing = !st;
    if (st)
        step->stamp = file_stamp(st);
    trail->is_fresh = trail->is_fresh || (st && step->stamp.changed_ns == 0);
}

/* The network's file systems are asked, not what was known of them a while ago. */
static bool look(const char *path, struct stat *ret)
{
    struct statx found;

    if (statx(AT_FDCWD, path, AT_STATX_FORCE_SYNC, STATX_INO | STATX_SIZE | STATX_CTIME, &found))
        return false;
    *ret = (struct stat){.st_dev = makedev(found.stx_dev_major, found.stx_dev_minor),
                         .st_ino = found.stx_ino,
                         .st_size = (off_t)found.stx_size,
                         .st_ctim = {found.stx_ctime.tv_sec, found.stx_ctime.tv_nsec}};
    return true;
}

static bool is_there_still(const struct step *step)
{
    struct file_stamp now;
    struct stat st;

    if (!look(step->path, &st))
        return step->is_missing && (errno == ENOENT || errno == ENOTDIR);
    now = file_stamp(&st);
    return !step->is_missing && file_is_same(&step->stamp, &now);
}

bool trail_is_same(const struct trail *trail)
{
    bool is_same = trail && !trail->is_fresh;

    for (uint32_t i = 0; is_same && i < trail->count; i++)
        is_same = is_there_still(&trail->steps[i]);
    return is_same;
}
