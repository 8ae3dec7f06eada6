/* base/spawn.h: starts a program as a child, never by fork(), which among threads copies locks that
 * nobody will open. SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SPAWN_H
#define BASE_SPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { SPAWN_NULL = -1 };

/* from is this process's: its flags do not matter, and it stays open here. to is the child's. */
struct spawn_fd {
    int from; /* SPAWN_NULL: /dev/null, for reading and writing */
    int to;
};

/* The child begins with default actions for all signals, and with none blocked. What is 0 or NULL
 * here is as in this process. */
struct spawn {
    const char *program;        /* a path; PATH is not searched */
    char *const *arguments;     /* the program's own name first, NULL last */
    char *const *environment;   /* NULL last */
    const struct spawn_fd *fds; /* in any order, any numbers, each `to` once */
    uint32_t fd_count;
    int close_from;    /* the child has neither this descriptor nor any above it */
    bool is_own_group; /* a process group of its own: the terminal's Ctrl-C is not for it */
};

/* Returns when the program runs: *ret is the caller's to wait for. False with errno: no such
 * program (ENOENT), short of processes (EAGAIN), no such descriptor (EBADF) … */
bool spawn_start(const struct spawn *spawn, pid_t *ret);

#endif
