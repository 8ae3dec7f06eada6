/* supervise/supervise.h: the process above the one that serves: it holds the listening sockets, the
 * lock of the data folder and the control socket, starts a worker, starts another one when that
 * ends, and replaces itself by a newer binary. One thread, no h2o, no plugin's code.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISE_SUPERVISE_H
#define SUPERVISE_SUPERVISE_H

#include "supervise/handover.h"
#include <limits.h>

enum {
    SUPERVISE_PROBATION_MS = 10000, /* a revision that crashes sooner is taken back */
    SUPERVISE_MARGIN_MS = 3000,     /* after limits.drain a worker that still is there is killed */
    SUPERVISE_ASKERS_MAX = 32,      /* clients of the control socket at once */
    SUPERVISE_ASK_MS = 5000,        /* a client's time to say what it wants */
    SUPERVISE_ANSWER_MS = 200,      /* and to take the answer: nobody else is served meanwhile */
};

struct supervise_options {
    char data[PATH_MAX];    /* folder */
    char program[PATH_MAX]; /* what `stoa upgrade` starts */
    int64_t start_ms;       /* limits.start: a worker that is not ready by then is ended */
    int64_t drain_ms;       /* limits.drain */
    uint32_t crashes_max;   /* limits.plugin_crashes */
    uint64_t newest; /* a revision to fall back to, should the first worker not start; 0: none */
    struct {
        char file[PATH_MAX], format[8], level[8];
    } log;
    struct handover base; /* sockets, lock, revision and problem of the first worker */
    /* Not handed over: made again by the newer binary. */
    const char *const *worker_arguments, *const *own_arguments;
};

/* Until the end: the exit status. *diag is set when that is EXIT_CONFIG's and there was no worker
 * to say why. */
int supervise_run(const struct supervise_options *options, struct diag *diag);

/* The newer binary: is this process a supervisor already? Fills in all that is handed over. */
struct supervise_resumed; /* what runs; owned by the caller until supervise_resume() */
bool supervise_is_resumed(struct supervise_options *ret, struct supervise_resumed **resumed);
int supervise_resume(const struct supervise_options *options, struct supervise_resumed *resumed);

#endif
