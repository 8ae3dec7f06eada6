/* cli/run.c: the process that serves: loops, the world on each of them, listeners, signals, drain.
 * SPDX-License-Identifier: Apache-2.0 */
#include "apply/apply.h"
#include "apply/build.h"
#include "apply/swap.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/slice.h"
#include "call/events.h"
#include "call/jobs.h"
#include "cli/control.h"
#include "cli/edits.h"
#include "cli/live.h"
#include "cli/node.h"
#include "cli/process.h"
#include "fiber/fiber.h"
#include "gate/host_routes.h"
#include "gate/rate.h"
#include "http/http.h"
#include "port/stall.h"
#include "supervise/link.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { FLUSH_MS = 5, FLUSH_BYTES = 32 << 10 };

struct serve {
    struct node node;
    struct http_sockets opened[HANDOVER_LISTEN_MAX]; /* copies, for the supervisor */
    struct handover *handed;                         /* by the supervisor; NULL: there is none */
    struct http *http;
    struct control *control;
    struct apply *apply;
    struct live live;
    bool is_watching; /* for changed files; in development only */
    int signal_fd;
    struct loop_io *signal_io;
    bool is_draining;
    _Atomic uint32_t warm; /* loops that are ready */
    _Atomic bool failed;
};

struct loop_start {
    struct loop_message message;
    struct serve *serve;
    struct loop_hook flush;
    struct loop_timer flush_soon;
};

static void stop_all(struct serve *s)
{
    for (uint32_t i = 0; i < s->node.loop_count; i++)
        loop_stop(s->node.loops[i]);
}

static void flush_soon(struct loop_timer *timer)
{
    log_flush();
}

/* Access lines of a few turns go out in one write; everything else that is logged goes at once. */
static void flush(struct loop_hook *hook)
{
    struct loop_start *start =
        (struct loop_start *)((char *)hook - offsetof(struct loop_start, flush));

    metric_set(METRIC_fibers_live, fiber_live());
    if (log_waiting() > FLUSH_BYTES)
        log_flush();
    else if (log_waiting() > 0 && start->flush_soon.slot == 0)
        loop_timer_arm(loop_current(), &start->flush_soon, FLUSH_MS);
}

/* ---- Signals: TERM and QUIT drain, a second one stops, HUP applies the file, USR1 reopens the
 * log. Below a supervisor, which says all of that itself, only USR1 counts: a drain that it has not
 * asked for would close the sockets that its next worker is to have. ---- */

static void drained(void *data)
{
    stop_all(data);
}

static void drain(struct serve *s)
{
    if (s->is_draining) {
        if (!s->handed)
            stop_all(s);
        return;
    }
    s->is_draining = true;
    log_info("run", "draining: no new connections, open requests are finished",
             stoa_f("connections", stoa_i(http_open_connections(s->http))));
    host_routes_set_ready(false);
    apply_close(s->apply);
    events_stop();
    http_drain(s->http, drained, s);
}

static void reopen_log(void)
{
    char file[LOG_FILE_MAX];

    if (log_reopen(file) != STOA_OK)
        log_error("run", "the log could not be opened again", stoa_f("file", stoa_z(file)));
}

static void applied(struct apply_job *job, stoa_str answer)
{
    free(job); /* how it went is in the log */
    link_say("applied");
}

static void apply_for(struct serve *s, const char *who)
{
    struct apply_job *job = calloc(1, sizeof *job);

    *job = (struct apply_job){.kind = APPLY_APPLY, .may_merge = true, .done = applied};
    snprintf(job->who, sizeof job->who, "%s", who);
    apply_submit(s->apply, job);
}

static void apply_file(struct serve *s)
{
    apply_for(s, "signal");
}

static void apply_watched(void *data)
{
    apply_for(data, "watch");
}

static void on_signal(void *data, int ready)
{
    struct serve *s = data;
    struct signalfd_siginfo info;

    while (read(s->signal_fd, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGUSR1)
            reopen_log();
        else if (s->handed)
            continue;
        else if (info.ssi_signo == SIGHUP)
            apply_file(s);
        else
            drain(s);
    }
}

/* ---- What the supervisor says ---- */

struct command_message {
    struct loop_message message;
    struct serve *serve;
    char word[16];
};

static void obey(struct loop_message *message)
{
    struct command_message *m = (struct command_message *)message;
    struct serve *s = m->serve;

    if (strcmp(m->word, "drain") == 0)
        http_keep_sockets(s->http);
    if (strcmp(m->word, "drain") == 0 || strcmp(m->word, "finish") == 0)
        drain(s);
    else if (strcmp(m->word, "stop") == 0)
        stop_all(s);
    else if (strcmp(m->word, "apply") == 0)
        apply_file(s);
    else if (strcmp(m->word, "reopen") == 0)
        reopen_log();
    else if (strcmp(m->word, "sole") == 0)
        events_release();
    else if (strcmp(m->word, "ping") == 0)
        link_say("alive");
    free(m);
}

/* On the control thread. */
static void on_command(void *data, stoa_str word)
{
    struct serve *s = data;
    struct command_message *m = calloc(1, sizeof *m);

    *m = (struct command_message){.message = {.run = obey}, .serve = s};
    snprintf(m->word, sizeof m->word, "%.*s", (int)word.len, word.ptr);
    loop_post(s->node.loops[0], &m->message);
}

static void block_signals(struct serve *s)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGQUIT);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    s->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* ---- One loop's start ---- */

static void announce(struct serve *s)
{
    char url[256];

    for (uint32_t i = 0; http_address(s->http, i); i++) {
        snprintf(url, sizeof(url), "%s://%s", http_is_tls(s->http, i) ? "https" : "http",
                 http_address(s->http, i));
        log_info("run", "the shop is open", stoa_f("url", stoa_z(url)),
                 stoa_f("version", stoa_z(STOA_VERSION)),
                 stoa_f("loops", stoa_i(s->node.loop_count)),
                 stoa_f("plugins", stoa_i(s->node.world->plugins)),
                 stoa_f("config", stoa_z(config_hash(s->node.config))));
    }
}

static void serve_here(void *arg)
{
    struct serve *s = arg;
    struct diag diag = {0};

    if (swap_warm_here(s->node.world, s->node.choice.kept != NULL, &diag) != STOA_OK) {
        log_error("run", "a plugin could not warm up", stoa_f("plugin", stoa_z(diag.file)),
                  stoa_f("why", stoa_z(diag.message)));
        link_say("failed %s: %s", diag.file, diag.message);
        atomic_store(&s->failed, true);
        stop_all(s);
        return;
    }
    events_attach();
    jobs_start(s->node.world);
}

/* What was opened, and what the file names no longer. */
static void tell_sockets(struct serve *s)
{
    for (uint32_t i = 0; s->handed && i < s->handed->listen_count; i++) {
        struct http_sockets *unused = &s->handed->listen[i];
        if (s->opened[i].count > 0)
            link_listen(NULL, &s->opened[i], true);
        else if (unused->count > 0 && unused->fds[0] >= 0)
            link_listen(NULL, unused, false);
        http_sockets_close(&s->opened[i]);
        http_sockets_close(unused);
    }
}

static void serving_here(void *arg)
{
    struct serve *s = arg;

    if (atomic_load(&s->failed))
        return;
    http_attach(s->http);
    if (atomic_fetch_add(&s->warm, 1) + 1 == s->node.loop_count) {
        host_routes_set_ready(true);
        if (http_is_draining(s->http)) { /* told to end before it had begun */
            host_routes_set_ready(false);
            return;
        }
        apply_start(s->apply);
        link_say("ready %s", STOA_VERSION); /* who reads the log may ask at once */
        tell_sockets(s);
        http_each_kept(s->http, link_keep, NULL);
        live_tell(s->node.config);
        apply_open(s->apply); /* what an apply tells comes after all this */
        announce(s);
    }
}

static void watch(struct serve *s)
{
    char plugin_path[PATH_MAX];

    if (!s->is_watching)
        return;
    build_plugin_path(s->node.config, plugin_path);
    s->live.edits = edits_watch(s->node.config, plugin_path, apply_watched, s);
}

static void start_loop(struct loop_message *message)
{
    struct loop_start *start = (struct loop_start *)message;
    struct serve *s = start->serve;

    start->flush.run = flush;
    start->flush_soon.fire = flush_soon;
    loop_add_hook(loop_current(), &start->flush);
    cache_attach(s->node.resources->cache);
    world_publish(s->node.world);
    if (loop_index(loop_current()) == 0) {
        s->signal_io = loop_io_create(loop_current(), s->signal_fd, on_signal, s);
        loop_io_want(s->signal_io, LOOP_READ);
        watch(s);
    }
    if (fiber_spawn(serve_here, serving_here, s, NULL) != STOA_OK)
        stop_all(s);
}

static void *loop_thread(void *arg)
{
    slice_serve();
    fiber_crash_init_thread();
    loop_run(arg);
    log_flush();
    fiber_finish_thread();
    fiber_crash_finish_thread();
    return NULL;
}

static void run_loops(struct serve *s)
{
    pthread_t threads[WORLD_LOOPS_MAX];
    struct loop_start *starts = calloc(s->node.loop_count, sizeof *starts);

    for (uint32_t i = 0; i < s->node.loop_count; i++) {
        starts[i].serve = s;
        starts[i].message.run = start_loop;
        loop_post(s->node.loops[i], &starts[i].message);
    }
    for (uint32_t i = 1; i < s->node.loop_count; i++)
        stoa_assert(pthread_create(&threads[i], NULL, loop_thread, s->node.loops[i]) == 0);
    loop_thread(s->node.loops[0]);
    for (uint32_t i = 1; i < s->node.loop_count; i++)
        pthread_join(threads[i], NULL);
    free(starts);
}

/* ---- Putting it together ---- */

static uint32_t limit(const struct config *config, const char *name)
{
    char path[64];

    snprintf(path, sizeof path, "limits.%s", name);
    return (uint32_t)config_int(config, path);
}

static bool is_handed(const struct handover *h, const char *address)
{
    for (uint32_t i = 0; i < h->listen_count; i++)
        if (strcmp(h->listen[i].address, address) == 0)
            return true;
    return false;
}

/* The file names an address that the supervisor does not have yet: it gets copies once this process
 * serves. */
static stoa_err open_missing(struct serve *s, const struct http_wanted *wanted, struct diag *diag)
{
    struct handover *h = s->handed;

    for (uint32_t i = 0; h && i < wanted->listen_count && h->listen_count < HANDOVER_LISTEN_MAX;
         i++) {
        const char *address = wanted->listen[i].address;
        struct http_sockets *opened = &h->listen[h->listen_count],
                            *copy = &s->opened[h->listen_count];
        if (is_handed(h, address))
            continue;
        STOA_TRY(http_sockets_open(address, h->loops, NULL, diag, opened));
        *copy = *opened;
        for (uint32_t k = 0; k < copy->count; k++)
            copy->fds[k] = fcntl(opened->fds[k], F_DUPFD_CLOEXEC, 0);
        h->listen_count++;
    }
    return STOA_OK;
}

static stoa_err open_http(struct serve *s, struct diag *diag)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct http_options options = {.wanted = process_wanted(arena, s->node.config),
                                   .loops = s->node.loop_count,
                                   .limits = live_limits(s->node.config)};
    stoa_err err;

    if (s->handed) {
        options.sockets = s->handed->listen;
        options.sockets_count = s->handed->listen_count;
        options.kept = s->handed->kept;
        options.kept_count = s->handed->kept_count;
    }
    err = open_missing(s, &options.wanted, diag);
    if (s->handed)
        options.sockets_count = s->handed->listen_count;
    if (err == STOA_OK)
        err = http_create(&options, diag, &s->http);
    for (uint32_t i = 0; i < options.kept_count; i++)
        close(options.kept[i].fd);
    stoa_arena_destroy(arena);
    return err == STOA_OK ? STOA_OK : process_at_listen(s->node.config, diag);
}

static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void changed(uint64_t revision, uint64_t boot, bool is_start)
{
    link_say("revision %llu %llu %s", (unsigned long long)revision, (unsigned long long)boot,
             is_start ? "start" : "apply");
}

static stoa_err open_apply(struct serve *s, struct diag *diag)
{
    const struct apply_options options = {.source = s->node.source,
                                          .world = s->node.world,
                                          .resources = s->node.resources,
                                          .loops = s->node.loops,
                                          .loop_count = s->node.loop_count,
                                          .changed = changed,
                                          .follower = live_follower(&s->live)};

    s->live.http = s->http;
    s->live.cache = s->node.resources->cache;
    s->live.loops = s->node.loop_count;
    return apply_create(&options, diag, &s->apply);
}

static stoa_err build(struct serve *s, const struct cli *cli, struct diag *diag)
{
    const struct config *config = s->node.config;
    uint32_t loops = s->handed ? s->handed->loops : process_loops(config);

    rate_init((uint32_t)config_int(config, "rate.requests"),
              (uint32_t)config_int(config, "rate.burst"), loops);
    fiber_limit(limit(config, "fibers"));
    if (s->handed)
        s->node.lock_fd = s->handed->lock;
    else
        STOA_TRY(node_lock(&s->node, diag));
    STOA_TRY(node_build(&s->node, loops, config_bool(config, "development"), diag));
    events_init(s->node.resources, loops, s->node.owner,
                (uint32_t)config_int(config, "limits.event_backoff"));
    STOA_TRY(open_http(s, diag));
    STOA_TRY(open_apply(s, diag));
    stall_watch();
    return control_create(
        &(struct control_options){s->apply, s->http, s->node.resources->data, on_command, s}, diag,
        &s->control);
}

static stoa_err arm_faults(struct diag *diag)
{
    const char *spec = getenv("STOA_FAULT");

    if (!spec || !*spec || fault_arm(spec) == STOA_OK)
        return STOA_OK;
    diag_set(diag, "STOA_FAULT", 0, 0, "cannot be read: %s", spec);
    diag_hint(diag, "place=kill, place=error:STORE or place=delay:250, joined by ';'");
    return STOA_E_CONFIG;
}

static stoa_err configure_revision(struct serve *s, const struct cli *cli, const struct handover *h)
{
    struct diag diag = {0};
    stoa_err err =
        node_configure_kept(&s->node, cli, h->data[0] ? h->data : NULL, h->revision, &diag);

    if (err != STOA_OK)
        log_error("run", "the revision in force cannot be used; the file is",
                  stoa_f("revision", stoa_i((int64_t)h->revision)),
                  stoa_f("why", stoa_z(diag.message)));
    s->node.choice.files_have_served = err == STOA_OK && h->has_served;
    return err;
}

/* What is in force is what a worker after a crash starts with, not a file that is being edited. */
static stoa_err configure(struct serve *s, const struct cli *cli, struct diag *diag)
{
    struct handover *h = s->handed;

    if (!h || h->revision == 0 || configure_revision(s, cli, h) != STOA_OK)
        STOA_TRY(node_configure(&s->node, cli, diag));
    if (h && h->is_successor) {
        s->node.is_successor = true;
        events_hold();
    }
    /* Beside a worker that serves all or nothing is better. */
    if (!h || !h->is_successor)
        node_tolerate(&s->node);
    if (h && h->left_out_count && !s->node.arena)
        s->node.arena = stoa_arena_create();
    if (h && h->left_out_count)
        s->node.choice.left_out = handover_left_out_json(h, s->node.arena);
    return STOA_OK;
}

static int refuse(const struct diag *diag)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct stoa_buf text;

    stoa_buf_init(&text, arena, 512);
    diag_format(diag, &text);
    link_say("failed %s", stoa_cstr(arena, stoa_buf_str(&text)));
    stoa_arena_destroy(arena);
    return cli_config_error(diag);
}

int process_serve(const struct cli *cli, struct handover *handed)
{
    struct serve s = {.handed = handed};
    struct diag diag = {0};

    if (configure(&s, cli, &diag) != STOA_OK || arm_faults(&diag) != STOA_OK)
        return refuse(&diag);
    STOA_IGNORE(process_open_log(s.node.config)); /* else standard error */
    s.is_watching = cli->is_watching && config_bool(s.node.config, "development");
    raise_file_limit();
    block_signals(&s);
    link_watch_crashes();
    if (build(&s, cli, &diag) != STOA_OK)
        return refuse(&diag);
    run_loops(&s);
    control_remove(s.control);
    log_info("run", "stopped", stoa_f("connections", stoa_i(http_open_connections(s.http))));
    log_flush();
    /* Connections and fibers may still hold memory and threads: the kernel takes all of it back. */
    _exit(atomic_load(&s.failed) ? EXIT_FAILED : EXIT_OK);
}
