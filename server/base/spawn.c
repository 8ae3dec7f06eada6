/* base/spawn.c: posix_spawn() and what it is to do before the program runs.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/spawn.h"

#include "base/aside.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stoa/arena.h>
#include <unistd.h>

struct moved {
    int *fds; /* opened for the while */
    uint32_t count;
};

static int highest(const struct spawn *spawn)
{
    int ret = STDERR_FILENO;

    for (uint32_t i = 0; i < spawn->fd_count; i++)
        ret = spawn->fds[i].to > ret ? spawn->fds[i].to : ret;
    return ret;
}

/* The child copies one after the other: a source that has the number of another's target would be
 * lost before its turn, and is copied to where there are no targets. */
static bool put_fds(const struct spawn *spawn, posix_spawn_file_actions_t *actions,
                    struct moved *moved)
{
    int above = highest(spawn) + 1;

    for (uint32_t i = 0; i < spawn->fd_count; i++) {
        struct spawn_fd fd = spawn->fds[i];

        if (fd.from == SPAWN_NULL) {
            posix_spawn_file_actions_addopen(actions, fd.to, "/dev/null", O_RDWR, 0);
            continue;
        }
        if (fd.from != fd.to && fd.from < above) {
            fd.from = fcntl(fd.from, F_DUPFD_CLOEXEC, above);
            if (fd.from < 0)
                return false;
            moved->fds[moved->count++] = fd.from;
        }
        /* One that is put onto itself is inherited, whatever its flag says. */
        posix_spawn_file_actions_adddup2(actions, fd.from, fd.to);
    }
    if (spawn->close_from > 0)
        posix_spawn_file_actions_addclosefrom_np(actions, spawn->close_from);
    return true;
}

struct birth {
    const struct spawn *spawn;
    const posix_spawn_file_actions_t *actions;
    pid_t pid;
    int error;
};

static void give_birth(void *arg)
{
    struct birth *birth = arg;
    const struct spawn *spawn = birth->spawn;
    int flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
    posix_spawnattr_t attributes;
    sigset_t all, none;

    if (spawn->is_own_group)
        flags |= POSIX_SPAWN_SETPGROUP;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, (short)flags);
    birth->error = posix_spawn(&birth->pid, spawn->program, birth->actions, &attributes,
                               spawn->arguments, spawn->environment ? spawn->environment : environ);
    posix_spawnattr_destroy(&attributes);
}

bool spawn_start(const struct spawn *spawn, pid_t *ret)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct moved moved = {.fds = stoa_new_array(arena, int, spawn->fd_count + 1)};
    posix_spawn_file_actions_t actions;
    struct birth birth = {.spawn = spawn, .actions = &actions};

    posix_spawn_file_actions_init(&actions);
    if (put_fds(spawn, &actions, &moved))
        aside_start(give_birth, &birth); /* a child serves: it has the ordinary priority */
    else
        birth.error = errno;
    posix_spawn_file_actions_destroy(&actions);
    for (uint32_t i = 0; i < moved.count; i++)
        close(moved.fds[i]);
    stoa_arena_destroy(arena);
    if (birth.error == 0)
        *ret = birth.pid;
    errno = birth.error;
    return birth.error == 0;
}
