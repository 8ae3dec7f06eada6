/* supervise/internal.h: what the parts of the supervisor share. SPDX-License-Identifier: Apache-2.0
 */
#ifndef SUPERVISE_INTERNAL_H
#define SUPERVISE_INTERNAL_H

#include "base/clock.h"
#include "base/log.h"
#include "supervise/blame.h"
#include "supervise/channel.h"
#include "supervise/crash.h"
#include "supervise/notify.h"
#include "supervise/socket.h"
#include "supervise/supervise.h"
#include <sys/types.h>

enum { WORKERS_MAX = 4 };

enum worker_state { WORKER_NONE, WORKER_STARTING, WORKER_SERVING, WORKER_DRAINING };

struct worker {
    enum worker_state state;
    pid_t pid;
    int channel;      /* -1 once it was closed at the other end */
    bool is_upgrade;  /* started from the program's path beside one that serves */
    int64_t ready_ms; /* 0: never */
    int64_t until_ms; /* it is killed then; 0: never */
    bool has_crashed;
    struct crash crash;
    char failure[512]; /* why it could not start */
    char version[24];
};

enum asker_state { ASKER_NONE, ASKER_ASKS, ASKER_WAITS_UPGRADE, ASKER_WAITS_END };
struct asker {
    enum asker_state state;
    int fd;
    int64_t until_ms; /* ASKER_ASKS */
};

struct supervisor {
    struct supervise_options o;
    int signal_fd, control_fd;
    struct worker workers[WORKERS_MAX];
    struct asker askers[SUPERVISE_ASKERS_MAX];
    int64_t started_ms;
    int64_t restart_at_ms; /* 0: none is due */
    struct restart restart;
    struct blame blame;
    uint64_t restarts, upgrades;
    uint64_t revision, boot, good; /* in force; to start with after a crash; served for long */
    int64_t revision_since_ms;
    struct {
        char at[40], text[480];
    } last_crash;     /* empty: none */
    bool was_ready;   /* some worker has served */
    bool is_stopping; /* TERM */
    bool is_reloading;
    bool exec_wanted; /* the new binary's worker serves: this process is to become it, too */
    int64_t watchdog_ms, ping_at_ms;
    int exit_status;
};

/* ---- worker.c ---- */
struct worker *worker_find(struct supervisor *s, enum worker_state state);
/* From /proc/self/exe, or o.program for an upgrade. False with errno. */
bool worker_start(struct supervisor *s, bool is_upgrade);
void worker_say(struct worker *w, const char *word);
/* What came from it; state changes follow from it. */
void worker_read(struct supervisor *s, struct worker *w);
/* Takes those that have ended off the table. */
void worker_reap(struct supervisor *s);
/* It leaves what is in the sockets to others (drain), or not (finish). */
void worker_drain(struct supervisor *s, struct worker *w, const char *word);
void worker_kill(struct worker *w);

/* ---- supervisor.c ---- */
/* A worker is gone. status: waitpid()'s. */
void supervisor_worker_ended(struct supervisor *s, const struct worker *w, int status);
void supervisor_worker_ready(struct supervisor *s, struct worker *w);
/* is_start: a worker's first, no apply. */
void supervisor_revision(struct supervisor *s, uint64_t revision, uint64_t boot, bool is_start);
void supervisor_stop(struct supervisor *s, bool now);
/* Once no worker drains: the one that serves does what is done once, and upgrades are over. */
void supervisor_finish_drained(struct supervisor *s);
/* In the newer binary: workers may have ended, and a restart been due, while nobody looked. */
void supervisor_take_over(struct supervisor *s);
void supervisor_open_signals(struct supervisor *s);
/* NULL: it has begun; otherwise why not. */
const char *supervisor_upgrade(struct supervisor *s);
int supervisor_loop(struct supervisor *s);

/* ---- asks.c ---- */
void asks_accept(struct supervisor *s);
void asks_read(struct supervisor *s, struct asker *a);
void asks_expire(struct supervisor *s, int64_t now);
/* Answers all that wait for it, and closes them. */
void asks_answer(struct supervisor *s, enum asker_state state, bool ok, const char *text);

/* ---- upgrade.c ---- */
/* Becomes o.program; returns only when that cannot be done, with errno. */
void upgrade_exec(struct supervisor *s);

#endif
