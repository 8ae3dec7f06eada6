/* supervise/upgrade.c: the supervisor becomes the newer binary without a new process: its children
 * stay its children, the service manager's main process stays the same. What it knows goes through
 * STOA_SUPERVISOR. SPDX-License-Identifier: Apache-2.0 */
#include "supervise/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct supervise_resumed {
    struct supervisor s;
};

/* ---- Out ---- */

static void put_workers(const struct supervisor *s, struct stoa_json *json,
                        struct stoa_arena *arena)
{
    struct stoa_json *list = stoa_json_set(json, "workers", stoa_json_array(arena));

    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        const struct worker *w = &s->workers[i];
        struct stoa_json *one;
        if (w->state == WORKER_NONE)
            continue;
        one = stoa_json_push(list, stoa_json_object(arena));
        stoa_json_set_int(one, "state", w->state);
        stoa_json_set_int(one, "pid", w->pid);
        stoa_json_set_int(one, "channel", w->channel);
        stoa_json_set_int(one, "ready_ms", w->ready_ms);
        stoa_json_set_int(one, "until_ms", w->until_ms);
    }
}

static void put_askers(const struct supervisor *s, struct stoa_json *json, struct stoa_arena *arena)
{
    struct stoa_json *list = stoa_json_set(json, "askers", stoa_json_array(arena));

    for (uint32_t i = 0; i < SUPERVISE_ASKERS_MAX; i++) {
        struct stoa_json *one;
        if (s->askers[i].state == ASKER_NONE)
            continue;
        one = stoa_json_push(list, stoa_json_object(arena));
        stoa_json_set_int(one, "state", s->askers[i].state);
        stoa_json_set_int(one, "fd", s->askers[i].fd);
        stoa_json_set_int(one, "until_ms", s->askers[i].until_ms);
    }
}

static void put_options(const struct supervise_options *o, struct stoa_json *json,
                        struct stoa_arena *arena)
{
    struct stoa_json *log = stoa_json_set(json, "log", stoa_json_object(arena));

    stoa_json_set_str(json, "data", stoa_str_of(o->data));
    stoa_json_set_str(json, "program", stoa_str_of(o->program));
    stoa_json_set_int(json, "start_ms", o->start_ms);
    stoa_json_set_int(json, "drain_ms", o->drain_ms);
    stoa_json_set_int(json, "crashes_max", o->crashes_max);
    stoa_json_set_str(log, "file", stoa_str_of(o->log.file));
    stoa_json_set_str(log, "format", stoa_str_of(o->log.format));
    stoa_json_set_str(log, "level", stoa_str_of(o->log.level));
    handover_put(&o->base, json, arena);
}

static const char *format(const struct supervisor *s, struct stoa_arena *arena)
{
    struct stoa_json *json = stoa_json_object(arena);
    struct stoa_buf out;

    put_options(&s->o, json, arena);
    put_workers(s, json, arena);
    put_askers(s, json, arena);
    stoa_json_set_int(json, "control", s->control_fd);
    stoa_json_set_int(json, "started_ms", s->started_ms);
    stoa_json_set_int(json, "restarts", (int64_t)s->restarts);
    stoa_json_set_int(json, "upgrades", (int64_t)s->upgrades);
    stoa_json_set_int(json, "in_force", (int64_t)s->revision);
    stoa_json_set_int(json, "boot", (int64_t)s->boot);
    stoa_json_set_int(json, "good", (int64_t)s->good);
    stoa_json_set_int(json, "since_ms", s->revision_since_ms);
    stoa_json_set_str(json, "crash_at", stoa_str_of(s->last_crash.at));
    stoa_json_set_str(json, "crash", stoa_str_of(s->last_crash.text));
    stoa_buf_init(&out, arena, 8192);
    stoa_json_format(json, &out);
    return stoa_cstr(arena, stoa_buf_str(&out));
}

static void set_inherited(void *data, int fd)
{
    (void)fcntl(fd, F_SETFD, *(const int *)data);
}

/* flags: 0 lets the next program have all of them, FD_CLOEXEC takes them back. */
static void set_flags(struct supervisor *s, int flags)
{
    handover_each_fd(&s->o.base, set_inherited, &flags);
    set_inherited(&flags, s->control_fd);
    for (uint32_t i = 0; i < WORKERS_MAX; i++)
        if (s->workers[i].state != WORKER_NONE && s->workers[i].channel >= 0)
            set_inherited(&flags, s->workers[i].channel);
    for (uint32_t i = 0; i < SUPERVISE_ASKERS_MAX; i++)
        if (s->askers[i].state != ASKER_NONE)
            set_inherited(&flags, s->askers[i].fd);
}

void upgrade_exec(struct supervisor *s)
{
    struct stoa_arena *arena = stoa_arena_create();
    int failed;

    setenv("STOA_SUPERVISOR", format(s, arena), 1);
    set_flags(s, 0);
    close(s->signal_fd); /* the signals stay blocked: none is lost */
    execv(s->o.program, (char *const *)s->o.own_arguments);
    failed = errno;
    set_flags(s, FD_CLOEXEC);
    unsetenv("STOA_SUPERVISOR");
    stoa_arena_destroy(arena);
    supervisor_open_signals(s);
    errno = failed;
}

/* ---- In ---- */

static void copy(char *ret, size_t size, stoa_str text)
{
    snprintf(ret, size, "%.*s", (int)text.len, text.ptr);
}

static void get_options(const struct stoa_json *json, struct supervise_options *ret)
{
    copy(ret->data, sizeof ret->data, stoa_json_str(json, "data"));
    copy(ret->program, sizeof ret->program, stoa_json_str(json, "program"));
    ret->start_ms = stoa_json_int(json, "start_ms", 120000);
    ret->drain_ms = stoa_json_int(json, "drain_ms", 12000);
    ret->crashes_max = (uint32_t)stoa_json_int(json, "crashes_max", 3);
    copy(ret->log.file, sizeof ret->log.file, stoa_json_str(json, "log.file"));
    copy(ret->log.format, sizeof ret->log.format, stoa_json_str(json, "log.format"));
    copy(ret->log.level, sizeof ret->log.level, stoa_json_str(json, "log.level"));
    handover_get(json, &ret->base);
}

static void get_workers(const struct stoa_json *list, struct supervisor *s)
{
    uint32_t i = 0;

    for (const struct stoa_json *w = stoa_json_first(list); w && i < WORKERS_MAX;
         w = stoa_json_next(w))
        s->workers[i++] = (struct worker){
            .state = (enum worker_state)stoa_json_int(w, "state", WORKER_SERVING),
            .pid = (pid_t)stoa_json_int(w, "pid", 0),
            .channel = (int)stoa_json_int(w, "channel", -1),
            .ready_ms = stoa_json_int(w, "ready_ms", 0),
            .until_ms = stoa_json_int(w, "until_ms", 0),
        };
}

static void get_askers(const struct stoa_json *list, struct supervisor *s)
{
    uint32_t i = 0;

    for (const struct stoa_json *a = stoa_json_first(list); a && i < SUPERVISE_ASKERS_MAX;
         a = stoa_json_next(a))
        s->askers[i++] =
            (struct asker){.state = (enum asker_state)stoa_json_int(a, "state", ASKER_ASKS),
                           .fd = (int)stoa_json_int(a, "fd", -1),
                           .until_ms = stoa_json_int(a, "until_ms", 0)};
}

static void get(const struct stoa_json *json, struct supervisor *s)
{
    get_options(json, &s->o);
    get_workers(stoa_json_get(json, "workers"), s);
    get_askers(stoa_json_get(json, "askers"), s);
    s->control_fd = (int)stoa_json_int(json, "control", -1);
    s->started_ms = stoa_json_int(json, "started_ms", 0);
    s->restarts = (uint64_t)stoa_json_int(json, "restarts", 0);
    s->upgrades = (uint64_t)stoa_json_int(json, "upgrades", 0);
    s->revision = (uint64_t)stoa_json_int(json, "in_force", 0);
    s->boot = (uint64_t)stoa_json_int(json, "boot", 0);
    s->good = (uint64_t)stoa_json_int(json, "good", 0);
    s->revision_since_ms = stoa_json_int(json, "since_ms", 0);
    copy(s->last_crash.at, sizeof s->last_crash.at, stoa_json_str(json, "crash_at"));
    copy(s->last_crash.text, sizeof s->last_crash.text, stoa_json_str(json, "crash"));
    s->was_ready = true;
}

bool supervise_is_resumed(struct supervise_options *ret, struct supervise_resumed **resumed)
{
    const char *text = getenv("STOA_SUPERVISOR");
    struct stoa_arena *arena;
    const struct stoa_json *json = NULL;
    bool ok;

    if (!text)
        return false;
    arena = stoa_arena_create();
    ok = stoa_json_parse(arena, stoa_str_of(text), NULL, &json) == STOA_OK;
    if (ok) {
        *resumed = calloc(1, sizeof **resumed);
        get(json, &(*resumed)->s);
        *ret = (*resumed)->s.o;
    }
    stoa_arena_destroy(arena);
    unsetenv("STOA_SUPERVISOR");
    return ok;
}

int supervise_resume(const struct supervise_options *options, struct supervise_resumed *resumed)
{
    struct supervisor *s = &resumed->s;
    int status;

    s->o = *options;
    set_flags(s, FD_CLOEXEC);
    log_info("supervisor", "this is the new binary's supervisor",
             stoa_f("version", stoa_z(STOA_VERSION)), stoa_f("pid", stoa_i(getpid())));
    notify_ready("serving");
    supervisor_take_over(s);
    status = supervisor_loop(s);
    free(resumed);
    return status;
}
