/* supervise/supervisor.c: one loop over signals, workers and clients. What is to happen follows
 * from the states of the workers: at most one serves, one is being started, others drain.
 * SPDX-License-Identifier: Apache-2.0 */
#include "supervise/internal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <stoa/time.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_FAILED = 1 };

/* ---- Starting a worker ---- */

static void start_worker(struct supervisor *s)
{
    s->restart_at_ms = 0;
    if (worker_start(s, false))
        return;
    log_error("supervisor", "a worker could not be started",
              stoa_f("why", stoa_z(strerror(errno))));
    s->restart_at_ms = clock_monotonic_ms() + restart_pause(&s->restart, -1) + 1;
}

/* None serves and none is on the way. */
static void replace_worker(struct supervisor *s, int64_t served_ms)
{
    int64_t pause;

    if (s->is_stopping || worker_find(s, WORKER_SERVING) || worker_find(s, WORKER_STARTING))
        return;
    pause = restart_pause(&s->restart, served_ms);
    s->restarts++;
    if (pause == 0) {
        start_worker(s);
        return;
    }
    log_warn("supervisor", "the next worker is started after a pause",
             stoa_f("pause_ms", stoa_i(pause)));
    s->restart_at_ms = clock_monotonic_ms() + pause;
}

void supervisor_take_over(struct supervisor *s)
{
    worker_reap(s);
    if (!s->restart_at_ms)
        replace_worker(s, RESTART_YOUNG_MS);
    supervisor_finish_drained(s);
}

/* ---- Revisions: which one a worker is started with after a crash ---- */

/* An apply: everybody gets another chance. */
static void forgive(struct supervisor *s)
{
    blame_forget(&s->blame);
    s->o.base.left_out_count = 0;
    s->o.base.problem[0] = '\0';
}

void supervisor_revision(struct supervisor *s, uint64_t revision, uint64_t boot, bool is_start)
{
    int64_t now = clock_monotonic_ms();

    if (!is_start)
        forgive(s);
    s->boot = boot;
    if (revision == s->revision)
        return;
    if (s->revision && now - s->revision_since_ms >= SUPERVISE_PROBATION_MS)
        s->good = s->revision;
    s->revision = revision;
    s->revision_since_ms = now;
}

/* A revision that crashes soon after it came into force is taken back. True: it was. */
static bool take_back(struct supervisor *s)
{
    char why[sizeof s->o.base.problem];

    if (!s->good || s->good == s->boot || s->boot != s->revision ||
        clock_monotonic_ms() - s->revision_since_ms >= SUPERVISE_PROBATION_MS)
        return false;
    snprintf(why, sizeof why,
             "revision %llu crashed soon after it came into force; revision %llu is "
             "in force again",
             (unsigned long long)s->revision, (unsigned long long)s->good);
    log_error("supervisor", why, stoa_f("revision", stoa_i((int64_t)s->good)));
    snprintf(s->o.base.problem, sizeof s->o.base.problem, "%s", why);
    s->boot = s->revision = s->good;
    s->revision_since_ms = clock_monotonic_ms();
    blame_forget(&s->blame);
    return true;
}

/* ---- Crashes ---- */

static void describe(const struct worker *w, int status, char *ret, size_t size)
{
    const struct crash *c = &w->crash;

    if (!w->has_crashed) {
        snprintf(ret, size,
                 WIFSIGNALED(status) ? "it was ended by signal %d (%s)"
                                     : "it ended with status %d%s",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
                 WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "");
        return;
    }
    snprintf(ret, size, "%s at %s%s%s%s%s%s", strsignal(c->signal), c->address,
             !c->plugin[0]  ? ", in no plugin"
             : c->is_called ? ", in what was called by plugin "
                            : ", in plugin ",
             c->plugin, c->route[0] ? ", route " : "", c->route, "");
}

static void leave_out(struct supervisor *s, const struct worker *w, const char *what)
{
    char why[sizeof s->o.base.left_out[0].why];
    bool in_sandbox;

    snprintf(why, sizeof why, "%u crashes within %d s, the last: %s", s->o.crashes_max,
             BLAME_WINDOW_MS / 1000, what);
    in_sandbox = handover_leave_out(&s->o.base, w->crash.plugin, why);
    log_error("supervisor",
              in_sandbox ? "a plugin is put into a sandbox until the next apply"
                         : "a plugin is left out: its routes answer 503 until the next apply",
              stoa_f("plugin", stoa_z(w->crash.plugin)), stoa_f("why", stoa_z(why)));
}

static void note_crash(struct supervisor *s, const struct worker *w, int status)
{
    struct stoa_arena *arena = stoa_arena_create();
    stoa_str at = stoa_time_format(arena, clock_utc_ms());
    char what[sizeof s->last_crash.text];

    describe(w, status, what, sizeof what);
    snprintf(s->last_crash.at, sizeof s->last_crash.at, "%.*s", (int)at.len, at.ptr);
    memcpy(s->last_crash.text, what, sizeof what);
    log_error("supervisor", "the worker ended", stoa_f("pid", stoa_i(w->pid)),
              stoa_f("why", stoa_z(what)), stoa_f("plugin", stoa_z(w->crash.plugin)),
              stoa_f("generation", stoa_i((int64_t)w->crash.generation)),
              stoa_f("route", stoa_z(w->crash.route)));
    stoa_arena_destroy(arena);
    if (!w->has_crashed || take_back(s) || !w->crash.plugin[0])
        return;
    if (blame_note(&s->blame, w->crash.plugin, clock_monotonic_ms(), s->o.crashes_max))
        leave_out(s, w, what);
}

/* ---- The end of a worker ---- */

void supervisor_finish_drained(struct supervisor *s)
{
    struct worker *w = worker_find(s, WORKER_SERVING);

    if (worker_find(s, WORKER_DRAINING))
        return;
    worker_say(w, "sole");
    if (w && !s->is_stopping)
        asks_answer(s, ASKER_WAITS_UPGRADE, true, "");
}

static void upgrade_failed(struct supervisor *s, const struct worker *w, int status)
{
    char why[700];

    if (w->failure[0])
        snprintf(why, sizeof why, "%s", w->failure);
    else
        describe(w, status, why, sizeof why);
    log_error("supervisor", "the upgrade failed, nothing was changed",
              stoa_f("program", stoa_z(s->o.program)), stoa_f("why", stoa_z(why)));
    asks_answer(s, ASKER_WAITS_UPGRADE, false, why);
    replace_worker(s, RESTART_YOUNG_MS); /* unless the old one serves, as it should */
}

/* The first worker does not come up with what the file says: with the newest revision, if there is
 * one. */
static bool fall_back(struct supervisor *s, const struct worker *w, int status)
{
    if (s->boot || !s->o.newest || !WIFEXITED(status))
        return false;
    log_error("supervisor", "the configuration cannot be used; the newest good revision is",
              stoa_f("why", stoa_z(w->failure)), stoa_f("revision", stoa_i((int64_t)s->o.newest)));
    snprintf(s->o.base.problem, sizeof s->o.base.problem, "%s", w->failure);
    s->boot = s->o.newest;
    start_worker(s);
    return true;
}

static void start_failed(struct supervisor *s, const struct worker *w, int status)
{
    if (s->was_ready || s->is_stopping) {
        note_crash(s, w, status);
        replace_worker(s, -1);
        return;
    }
    if (fall_back(s, w, status))
        return;
    /* It has said why. */
    s->exit_status = WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EXIT_FAILED;
    if (WIFSIGNALED(status))
        note_crash(s, w, status);
    supervisor_stop(s, true);
}

/* Somebody else's doing says nothing about how the next one will fare. */
static int64_t served_ms(const struct worker *w, int status, int64_t now)
{
    bool is_own = w->has_crashed || !WIFSIGNALED(status);

    return is_own ? now - w->ready_ms : RESTART_YOUNG_MS;
}

void supervisor_worker_ended(struct supervisor *s, const struct worker *w, int status)
{
    int64_t now = clock_monotonic_ms();

    if (w->state == WORKER_DRAINING) {
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            log_warn("supervisor", "a worker was cut off while it drained",
                     stoa_f("pid", stoa_i(w->pid)), stoa_f("status", stoa_i(status)));
    } else if (w->state == WORKER_STARTING && w->is_upgrade) {
        upgrade_failed(s, w, status);
    } else if (w->state == WORKER_STARTING) {
        start_failed(s, w, status);
    } else {
        note_crash(s, w, status);
        replace_worker(s, served_ms(w, status, now));
    }
    supervisor_finish_drained(s);
}

/* ---- A worker is ready ---- */

void supervisor_worker_ready(struct supervisor *s, struct worker *w)
{
    struct worker *old = worker_find(s, WORKER_SERVING);

    w->state = WORKER_SERVING;
    w->ready_ms = clock_monotonic_ms();
    w->until_ms = 0;
    if (s->was_ready)
        log_info("supervisor", w->is_upgrade ? "the new binary serves" : "a new worker serves",
                 stoa_f("pid", stoa_i(w->pid)), stoa_f("version", stoa_z(w->version)),
                 stoa_f("restarts", stoa_i((int64_t)s->restarts)));
    else
        notify_ready("serving");
    s->was_ready = true;
    if (w->is_upgrade) {
        s->o.base.left_out_count = 0;
        s->o.base.problem[0] = '\0';
        s->upgrades++;
        s->exec_wanted = true;
        w->is_upgrade = false;
    }
    if (old)
        worker_drain(s, old, "drain");
    supervisor_finish_drained(s);
}

const char *supervisor_upgrade(struct supervisor *s)
{
    if (s->is_stopping)
        return "the shop is about to end";
    if (worker_find(s, WORKER_STARTING))
        return "a worker is being started; try again in a moment";
    if (worker_find(s, WORKER_DRAINING))
        return "the worker before still drains; try again when it has ended";
    if (!worker_find(s, WORKER_SERVING))
        return "no worker serves; try again in a moment";
    if (s->boot != s->revision) /* the next process would not know that it is to go back */
        return "the last apply waits for its confirmation: stoa confirm or stoa rollback first";
    log_info("supervisor", "upgrading", stoa_f("program", stoa_z(s->o.program)));
    if (worker_start(s, true))
        return NULL;
    log_error("supervisor", "the upgrade failed, nothing was changed",
              stoa_f("program", stoa_z(s->o.program)), stoa_f("why", stoa_z(strerror(errno))));
    return strerror(errno);
}

/* ---- The end ---- */

void supervisor_stop(struct supervisor *s, bool now)
{
    if (!s->is_stopping)
        notify("STOPPING=1");
    now = now || s->is_stopping;
    s->is_stopping = true;
    s->restart_at_ms = 0;
    for (uint32_t i = 0; i < s->o.base.listen_count; i++)
        http_sockets_close(&s->o.base.listen[i]); /* the workers have theirs */
    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        struct worker *w = &s->workers[i];
        if (w->state == WORKER_NONE)
            continue;
        worker_drain(s, w, now ? "stop" : "finish");
        if (now && w->until_ms)
            w->until_ms = clock_monotonic_ms() + SUPERVISE_MARGIN_MS;
    }
}

/* ---- Signals ---- */

static void reopen_log(struct supervisor *s)
{
    char file[LOG_FILE_MAX];

    if (log_reopen(file) != STOA_OK)
        log_error("supervisor", "the log could not be opened again", stoa_f("file", stoa_z(file)));
    for (uint32_t i = 0; i < WORKERS_MAX; i++)
        if (s->workers[i].state != WORKER_NONE)
            worker_say(&s->workers[i], "reopen");
}

static void apply_file(struct supervisor *s)
{
    struct worker *w = worker_find(s, WORKER_SERVING);

    if (!w || worker_find(s, WORKER_STARTING)) {
        log_error("supervisor", "nothing was applied: a worker is being started");
        return;
    }
    s->is_reloading = true;
    notify_reloading();
    worker_say(w, "apply");
}

static void on_signal(struct supervisor *s, uint32_t number)
{
    const char *refusal;

    switch (number) {
    case SIGCHLD:
        worker_reap(s);
        break;
    case SIGHUP:
        apply_file(s);
        break;
    case SIGUSR1:
        reopen_log(s);
        break;
    case SIGUSR2:
        refusal = supervisor_upgrade(s);
        if (refusal)
            log_error("supervisor", "the upgrade was refused", stoa_f("why", stoa_z(refusal)));
        break;
    default:
        supervisor_stop(s, false);
    }
}

static void read_signals(struct supervisor *s)
{
    struct signalfd_siginfo info;

    while (read(s->signal_fd, &info, sizeof info) == sizeof info)
        on_signal(s, info.ssi_signo);
}

void supervisor_open_signals(struct supervisor *s)
{
    static const int all[] = {SIGCHLD, SIGHUP, SIGUSR1, SIGUSR2, SIGTERM, SIGQUIT, SIGINT};
    sigset_t set;

    sigemptyset(&set);
    for (uint32_t i = 0; i < sizeof all / sizeof *all; i++)
        sigaddset(&set, all[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    s->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* ---- Time ---- */

static void sooner(int64_t *next, int64_t at)
{
    if (at && (!*next || at < *next))
        *next = at;
}

static int next_timeout(const struct supervisor *s)
{
    int64_t next = s->restart_at_ms, left;

    sooner(&next, s->ping_at_ms);
    for (uint32_t i = 0; i < WORKERS_MAX; i++)
        if (s->workers[i].state != WORKER_NONE)
            sooner(&next, s->workers[i].until_ms);
    for (uint32_t i = 0; i < SUPERVISE_ASKERS_MAX; i++)
        if (s->askers[i].state == ASKER_ASKS)
            sooner(&next, s->askers[i].until_ms);
    left = next - clock_monotonic_ms();
    return !next ? -1 : left < 0 ? 0 : (int)left;
}

static void pass_time(struct supervisor *s)
{
    int64_t now = clock_monotonic_ms();

    asks_expire(s, now);
    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        struct worker *w = &s->workers[i];
        if (w->state == WORKER_NONE || !w->until_ms || w->until_ms > now)
            continue;
        log_warn("supervisor", "a worker took too long and is ended",
                 stoa_f("pid", stoa_i(w->pid)));
        worker_kill(w);
    }
    if (s->restart_at_ms && s->restart_at_ms <= now)
        start_worker(s);
    if (s->ping_at_ms && s->ping_at_ms <= now) {
        if (worker_find(s, WORKER_SERVING))
            worker_say(worker_find(s, WORKER_SERVING), "ping");
        else /* its starting and its end have time limits of their own */
            notify("WATCHDOG=1");
        s->ping_at_ms = now + s->watchdog_ms / 3;
    }
}

/* ---- The loop ---- */

struct watched {
    struct pollfd fds[2 + WORKERS_MAX + SUPERVISE_ASKERS_MAX];
    struct worker *workers[WORKERS_MAX]; /* of fds[2 …] */
    struct asker *askers[SUPERVISE_ASKERS_MAX];
    uint32_t worker_count, asker_count;
};

static void watch(struct supervisor *s, struct watched *w)
{
    uint32_t n = 2;
    bool has_room = false;

    *w = (struct watched){.fds = {{s->signal_fd, POLLIN}, {-1, POLLIN}}};
    for (uint32_t i = 0; i < WORKERS_MAX; i++)
        if (s->workers[i].state != WORKER_NONE && s->workers[i].channel >= 0) {
            w->workers[w->worker_count++] = &s->workers[i];
            w->fds[n++] = (struct pollfd){s->workers[i].channel, POLLIN};
        }
    for (uint32_t i = 0; i < SUPERVISE_ASKERS_MAX; i++) {
        has_room = has_room || s->askers[i].state == ASKER_NONE;
        if (s->askers[i].state == ASKER_ASKS) {
            w->askers[w->asker_count++] = &s->askers[i];
            w->fds[n++] = (struct pollfd){s->askers[i].fd, POLLIN};
        }
    }
    if (has_room)
        w->fds[1].fd = s->control_fd;
}

static void serve(struct supervisor *s, const struct watched *w)
{
    const struct pollfd *askers = w->fds + 2 + w->worker_count;

    for (uint32_t i = 0; i < w->worker_count; i++)
        if (w->fds[2 + i].revents)
            worker_read(s, w->workers[i]);
    for (uint32_t i = 0; i < w->asker_count; i++)
        if (askers[i].revents)
            asks_read(s, w->askers[i]);
    if (w->fds[1].revents)
        asks_accept(s);
    if (w->fds[0].revents)
        read_signals(s); /* last: a worker that ended has had its say */
}

static bool has_workers(const struct supervisor *s)
{
    for (uint32_t i = 0; i < WORKERS_MAX; i++)
        if (s->workers[i].state != WORKER_NONE)
            return true;
    return false;
}

static void become_new(struct supervisor *s)
{
    s->exec_wanted = false;
    log_flush();
    upgrade_exec(s);
    log_error("supervisor", "the new binary's worker serves; its supervisor could not be started",
              stoa_f("program", stoa_z(s->o.program)), stoa_f("why", stoa_z(strerror(errno))));
}

int supervisor_loop(struct supervisor *s)
{
    struct watched watched;

    supervisor_open_signals(s);
    s->watchdog_ms = notify_watchdog_ms();
    if (s->watchdog_ms)
        s->ping_at_ms = clock_monotonic_ms() + 1;
    worker_reap(s); /* one may have ended while this process was another program */
    while (!s->is_stopping || has_workers(s)) {
        log_flush();
        watch(s, &watched);
        if (poll(watched.fds, 2 + watched.worker_count + watched.asker_count, next_timeout(s)) > 0)
            serve(s, &watched);
        pass_time(s);
        if (s->exec_wanted && !s->is_stopping)
            become_new(s);
    }
    log_flush();
    socket_remove(s->o.data);
    asks_answer(s, ASKER_WAITS_END, true, "");
    asks_answer(s, ASKER_WAITS_UPGRADE, false, "the shop has ended");
    return s->exit_status;
}

int supervise_run(const struct supervise_options *options, struct diag *diag)
{
    static struct supervisor s;

    s = (struct supervisor){.o = *options, .started_ms = clock_monotonic_ms()};
    s.boot = options->base.revision;
    if (socket_open(options->data, diag, &s.control_fd) != STOA_OK)
        return 78;
    start_worker(&s);
    return supervisor_loop(&s);
}
