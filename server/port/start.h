/* port/start.h: a child process for a sandbox. SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_START_H
#define PORT_START_H

#include "port/keeper.h"

struct spawned {
    pid_t pid;
    int pidfd, control_fd, words_fd;
    int ends[WORLD_LOOPS_MAX]; /* the host's end of each loop's socket; -1 behind the last */
};

/* Starts one and sends it CONTROL_START. The keeper's thread. False, with nothing left behind, when
 * the machine is short of something. */
bool spawn_sandbox(const struct sandbox *box, struct spawned *ret);

#endif
