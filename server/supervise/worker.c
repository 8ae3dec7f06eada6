/* supervise/worker.c: starting a worker, listening to it, seeing it end. SPDX-License-Identifier:
 * Apache-2.0 */
#include "supervise/internal.h"

#include "base/log.h"
#include "base/spawn.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct worker *worker_find(struct supervisor *s, enum worker_state state)
{
    for (uint32_t i = 0; i < WORKERS_MAX; i++)
        if (s->workers[i].state == state)
            return &s->workers[i];
    return NULL;
}

/* ---- Starting ---- */

/* What is said to this process only. */
static bool is_own(const char *variable)
{
    static const char *const own[] = {
        "STOA_WORKER=", "STOA_SUPERVISOR=", "NOTIFY_SOCKET=", "WATCHDOG_"};

    for (uint32_t i = 0; i < sizeof own / sizeof *own; i++)
        if (strncmp(variable, own[i], strlen(own[i])) == 0)
            return true;
    return false;
}

static char **environment(struct stoa_arena *arena, const struct handover *handover)
{
    struct stoa_json *json = stoa_json_object(arena);
    struct stoa_buf text;
    uint32_t n = 0, count = 0;
    char **ret;

    while (environ[n])
        n++;
    ret = stoa_new_array(arena, char *, n + 2);
    for (uint32_t i = 0; i < n; i++)
        if (!is_own(environ[i]))
            ret[count++] = environ[i];
    handover_put(handover, json, arena);
    stoa_buf_init(&text, arena, 4096);
    stoa_buf_put(&text, STOA_STR("STOA_WORKER="));
    stoa_json_format(json, &text);
    ret[count] = (char *)stoa_cstr(arena, stoa_buf_str(&text));
    return ret;
}

struct inherited {
    struct spawn_fd fds[HANDOVER_FDS_MAX];
    uint32_t count;
};

static void inherit(void *data, int fd)
{
    struct inherited *inherited = data;

    stoa_assert(inherited->count < HANDOVER_FDS_MAX);
    inherited->fds[inherited->count++] = (struct spawn_fd){fd, fd};
}

static bool spawn(struct supervisor *s, const struct handover *handover, const char *program,
                  pid_t *ret)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct inherited inherited = {.count = 0};
    bool done;

    handover_each_fd(handover, inherit, &inherited);
    inherit(&inherited, handover->channel);
    done = spawn_start(&(struct spawn){.program = program,
                                       .arguments = (char *const *)s->o.worker_arguments,
                                       .environment = environment(arena, handover),
                                       .fds = inherited.fds,
                                       .fd_count = inherited.count},
                       ret);
    stoa_arena_destroy(arena);
    return done;
}

bool worker_start(struct supervisor *s, bool is_upgrade)
{
    struct worker *w = worker_find(s, WORKER_NONE);
    struct handover handover = s->o.base;
    int ends[2];
    bool started;

    errno = EAGAIN;
    if (!w || !channel_create(ends))
        return false;
    handover.channel = ends[1];
    handover.supervisor = (int)getpid();
    handover.revision = s->boot;
    handover.has_served = s->boot && s->was_ready;
    snprintf(handover.data, sizeof handover.data, "%s", s->o.data);
    handover.is_successor = worker_find(s, WORKER_SERVING) || worker_find(s, WORKER_DRAINING);
    if (is_upgrade) { /* as an apply: what the files say now, and everybody gets a chance */
        handover.revision = 0;
        handover.kept_count = 0;
        handover.left_out_count = 0;
        handover.problem[0] = '\0';
    }
    *w = (struct worker){.channel = ends[0], .is_upgrade = is_upgrade};
    started = spawn(s, &handover, is_upgrade ? s->o.program : "/proc/self/exe", &w->pid);
    close(ends[1]);
    if (!started) {
        close(ends[0]);
        return false;
    }
    w->state = WORKER_STARTING;
    w->until_ms = clock_monotonic_ms() + s->o.start_ms;
    return true;
}

/* ---- Talking ---- */

void worker_say(struct worker *w, const char *word)
{
    if (w && w->channel >= 0)
        channel_send(w->channel, stoa_str_of(word), -1);
}

void worker_drain(struct supervisor *s, struct worker *w, const char *word)
{
    /* Nobody waits for a successor. Any other one may serve already, and just not have said so. */
    if (w->state == WORKER_STARTING && (w->is_upgrade || strcmp(word, "stop") == 0))
        worker_kill(w);
    worker_say(w, word);
    if (w->state != WORKER_DRAINING)
        w->until_ms = clock_monotonic_ms() + s->o.drain_ms + SUPERVISE_MARGIN_MS;
    w->state = WORKER_DRAINING;
}

void worker_kill(struct worker *w)
{
    w->until_ms = 0;
    kill(w->pid, SIGKILL);
}

static void copy(char *ret, size_t size, stoa_str text)
{
    snprintf(ret, size, "%.*s", (int)text.len, text.ptr);
}

static void hear_revision(struct supervisor *s, stoa_str rest)
{
    int64_t revision = 0, boot = 0;

    if (stoa_str_int(stoa_str_cut(&rest, ' '), 0, INT64_MAX, &revision) == STOA_OK &&
        stoa_str_int(stoa_str_cut(&rest, ' '), 0, INT64_MAX, &boot) == STOA_OK)
        supervisor_revision(s, (uint64_t)revision, (uint64_t)boot, stoa_str_is(rest, "start"));
}

static void hear_limits(struct supervisor *s, stoa_str rest)
{
    int64_t drain_ms = 0, crashes = 0;

    if (stoa_str_int(stoa_str_cut(&rest, ' '), 0, INT32_MAX, &drain_ms) != STOA_OK ||
        stoa_str_int(rest, 1, INT32_MAX, &crashes) != STOA_OK)
        return;
    s->o.drain_ms = drain_ms;
    s->o.crashes_max = (uint32_t)crashes;
}

/* Kept for a newer binary, too. The worker, which has opened it, tells of a file that it cannot. */
static void hear_log(struct supervisor *s, stoa_str rest)
{
    copy(s->o.log.format, sizeof s->o.log.format, stoa_str_cut(&rest, ' '));
    copy(s->o.log.level, sizeof s->o.log.level, stoa_str_cut(&rest, ' '));
    copy(s->o.log.file, sizeof s->o.log.file, rest);
    STOA_IGNORE(log_configure(s->o.log.file, s->o.log.format, s->o.log.level));
}

static void hear_start(struct supervisor *s, stoa_str rest)
{
    int64_t start_ms = 0;

    if (stoa_str_int(rest, 1, INT32_MAX, &start_ms) == STOA_OK)
        s->o.start_ms = start_ms;
}

/* With a socket, or certificates: true when it is kept. */
static bool hear_passed(struct supervisor *s, const struct worker *w, stoa_str message, int fd)
{
    stoa_str rest = message, word = stoa_str_cut(&rest, ' ');

    if (w->state != WORKER_SERVING || s->is_stopping)
        return false;
    if (stoa_str_is(word, "listen"))
        return handover_listen(&s->o.base, rest, fd);
    return stoa_str_is(word, "certificates") && handover_keep(&s->o.base, rest, fd);
}

/* What only the one in force has a say in. */
static void hear_serving(struct supervisor *s, stoa_str word, stoa_str rest)
{
    if (stoa_str_is(word, "limits"))
        hear_limits(s, rest);
    else if (stoa_str_is(word, "log"))
        hear_log(s, rest);
    else if (stoa_str_is(word, "start"))
        hear_start(s, rest);
    else if (stoa_str_is(word, "unlisten"))
        handover_unlisten(&s->o.base, rest);
    else if (stoa_str_is(word, "certificates"))
        (void)handover_keep(&s->o.base, rest, -1);
}

static void hear(struct supervisor *s, struct worker *w, stoa_str message)
{
    stoa_str rest = message, word = stoa_str_cut(&rest, ' ');

    if (stoa_str_is(word, "ready") && w->state == WORKER_STARTING) {
        copy(w->version, sizeof w->version, rest);
        supervisor_worker_ready(s, w);
    } else if (stoa_str_is(word, "revision") && w->state != WORKER_DRAINING) {
        hear_revision(s, rest);
    } else if (stoa_str_is(word, "failed")) {
        copy(w->failure, sizeof w->failure, rest);
    } else if (stoa_str_is(word, "crash")) {
        w->has_crashed = crash_parse(message, &w->crash) || w->has_crashed;
    } else if (stoa_str_is(word, "applied") && s->is_reloading) {
        s->is_reloading = false;
        notify_ready("serving");
    } else if (stoa_str_is(word, "alive") && s->watchdog_ms) {
        notify("WATCHDOG=1");
    } else if (w->state == WORKER_SERVING) {
        hear_serving(s, word, rest);
    }
}

void worker_read(struct supervisor *s, struct worker *w)
{
    static char message[CHANNEL_MESSAGE_MAX];
    int passed, len;

    while (w->channel >= 0 && (len = channel_receive(w->channel, message, false, &passed)) >= 0) {
        if (passed >= 0 && !hear_passed(s, w, (stoa_str){message, (uint64_t)len}, passed))
            close(passed);
        if (len == 0) {
            close(w->channel);
            w->channel = -1;
        } else if (passed < 0) {
            hear(s, w, (stoa_str){message, (uint64_t)len});
        }
    }
}

/* ---- Ending ---- */

void worker_reap(struct supervisor *s)
{
    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        struct worker *w = &s->workers[i], ended;
        int status;

        if (w->state == WORKER_NONE || waitpid(w->pid, &status, WNOHANG) != w->pid)
            continue;
        worker_read(s, w); /* its last words */
        ended = *w;
        if (w->channel >= 0)
            close(w->channel);
        *w = (struct worker){.state = WORKER_NONE, .channel = -1};
        supervisor_worker_ended(s, &ended, status);
    }
}
