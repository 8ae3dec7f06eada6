/* port/watch.h: finds out that a child's loop does not turn any more: a question is not answered
 * while the child uses up its processor time, or for ten times as long in any case.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_WATCH_H
#define PORT_WATCH_H

#include "loop/loop.h"
#include <sys/types.h>

struct watch_options {
    struct loop *loop;
    uint32_t cpu_ms;
    pid_t pid;
    void (*ping)(void *data, uint32_t number);
    void (*hangs)(void *data, const char *why); /* the watch is stopped by then */
    void *data;
};

struct watch { /* all zero: stopped */
    struct watch_options o;
    struct loop_timer timer;
    bool is_on, is_late;      /* late: its time was over at the last look */
    uint32_t asked, answered; /* numbers of pings */
    int64_t asked_ms, asked_cpu_ms;
};

void watch_start(struct watch *watch, const struct watch_options *options); /* is on: nothing */
void watch_stop(struct watch *watch);
void watch_pong(struct watch *watch, uint32_t number);

#endif
