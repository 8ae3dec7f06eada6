/* supervise/asks.c: the control socket. What the supervisor knows it answers; the rest goes to the
 * worker, with the client's connection. SPDX-License-Identifier: Apache-2.0 */
#include "supervise/internal.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static void end(struct asker *a)
{
    close(a->fd);
    *a = (struct asker){.state = ASKER_NONE, .fd = -1};
}

void asks_accept(struct supervisor *s)
{
    const struct timeval timeout = {.tv_sec = 0, .tv_usec = SUPERVISE_ANSWER_MS * 1000};
    int fd;

    for (uint32_t i = 0; i < SUPERVISE_ASKERS_MAX; i++) {
        if (s->askers[i].state != ASKER_NONE)
            continue;
        fd = accept4(s->control_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            return;
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
        s->askers[i] = (struct asker){
            .state = ASKER_ASKS, .fd = fd, .until_ms = clock_monotonic_ms() + SUPERVISE_ASK_MS};
        return;
    }
}

void asks_expire(struct supervisor *s, int64_t now)
{
    for (uint32_t i = 0; i < SUPERVISE_ASKERS_MAX; i++)
        if (s->askers[i].state == ASKER_ASKS && s->askers[i].until_ms <= now)
            end(&s->askers[i]);
}

/* ---- Answers ---- */

static void say_json(struct asker *a, const struct stoa_json *json, struct stoa_arena *arena)
{
    struct stoa_buf out;

    stoa_buf_init(&out, arena, 4096);
    stoa_json_format(json, &out);
    socket_say(a->fd, stoa_buf_str(&out));
    end(a);
}

static void answer(struct asker *a, bool ok, const char *step, const char *text)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct stoa_json *json = stoa_json_object(arena);

    stoa_json_set_bool(json, "ok", ok);
    stoa_json_set_str(json, "step", stoa_str_of(step));
    stoa_json_set_str(json, "text", stoa_str_of(text));
    stoa_json_set_str(json, "version", STOA_STR(STOA_VERSION));
    stoa_json_set_int(json, "pid", getpid());
    say_json(a, json, arena);
    stoa_arena_destroy(arena);
}

void asks_answer(struct supervisor *s, enum asker_state state, bool ok, const char *text)
{
    for (uint32_t i = 0; i < SUPERVISE_ASKERS_MAX; i++)
        if (s->askers[i].state == state)
            answer(&s->askers[i], ok, state == ASKER_WAITS_UPGRADE ? "upgrade" : "end", text);
}

static const char *state_name(enum worker_state state)
{
    static const char *const names[] = {"none", "starting", "serving", "draining"};

    return names[state];
}

static struct stoa_json *supervisor_json(const struct supervisor *s, struct stoa_arena *arena)
{
    struct stoa_json *json = stoa_json_object(arena), *workers = stoa_json_array(arena), *one;

    stoa_json_set_int(json, "pid", getpid());
    stoa_json_set_str(json, "version", STOA_STR(STOA_VERSION));
    stoa_json_set_int(json, "uptime_s", (clock_monotonic_ms() - s->started_ms) / 1000);
    stoa_json_set_int(json, "restarts", (int64_t)s->restarts);
    stoa_json_set_int(json, "upgrades", (int64_t)s->upgrades);
    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        if (s->workers[i].state == WORKER_NONE)
            continue;
        one = stoa_json_push(workers, stoa_json_object(arena));
        stoa_json_set_int(one, "pid", s->workers[i].pid);
        stoa_json_set_str(one, "state", stoa_str_of(state_name(s->workers[i].state)));
    }
    stoa_json_set(json, "workers", workers);
    if (s->last_crash.text[0]) {
        one = stoa_json_set(json, "last_crash", stoa_json_object(arena));
        stoa_json_set_str(one, "at", stoa_str_of(s->last_crash.at));
        stoa_json_set_str(one, "what", stoa_str_of(s->last_crash.text));
    }
    if (s->o.base.problem[0])
        stoa_json_set_str(json, "problem", stoa_str_of(s->o.base.problem));
    stoa_json_set(json, "left_out", handover_left_out_json(&s->o.base, arena));
    return json;
}

/* ---- Questions ---- */

/* The worker has the connection from now on. */
static void forward(struct supervisor *s, struct asker *a, struct worker *w, stoa_str question)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct stoa_buf message;

    stoa_buf_init(&message, arena, 4096);
    stoa_buf_put(&message, STOA_STR("ask "));
    stoa_buf_put(&message, question);
    stoa_buf_char(&message, '\n');
    stoa_json_format(supervisor_json(s, arena), &message);
    if (channel_send(w->channel, stoa_buf_str(&message), a->fd))
        end(a);
    else
        answer(a, false, "queue", "the worker does not take questions; see its log");
    stoa_arena_destroy(arena);
}

static void without_worker(struct supervisor *s, struct asker *a, stoa_str question)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct stoa_json *json = stoa_json_object(arena);

    if (stoa_str_is(question, "status")) {
        stoa_json_set_str(json, "version", STOA_STR(STOA_VERSION));
        stoa_json_set_str(json, "state",
                          s->is_stopping ? STOA_STR("draining") : STOA_STR("starting"));
        stoa_json_set_int(json, "pid", getpid());
        stoa_json_set(json, "supervisor", supervisor_json(s, arena));
        say_json(a, json, arena);
    } else {
        answer(a, false, "queue",
               s->is_stopping ? "the shop is about to end"
                              : "the worker is being started; try again in a moment");
    }
    stoa_arena_destroy(arena);
}

static bool changes_world(stoa_str question)
{
    stoa_str rest = question, word = stoa_str_cut(&rest, ' ');

    return stoa_str_is(word, "apply") || stoa_str_is(word, "rollback") ||
           stoa_str_is(word, "confirm");
}

static bool is_upgrading(struct supervisor *s)
{
    for (uint32_t i = 0; i < WORKERS_MAX; i++)
        if (s->workers[i].state == WORKER_STARTING && s->workers[i].is_upgrade)
            return true;
    return false;
}

static void ask_worker(struct supervisor *s, struct asker *a, stoa_str question)
{
    struct worker *w = worker_find(s, WORKER_SERVING);

    if (!w && s->is_stopping) /* it still answers what it can */
        w = worker_find(s, WORKER_DRAINING);
    if (changes_world(question) && is_upgrading(s))
        answer(a, false, "queue", "an upgrade is under way; try again when it is over");
    else if (w && w->channel >= 0)
        forward(s, a, w, question);
    else
        without_worker(s, a, question);
}

static void ask_upgrade(struct supervisor *s, struct asker *a)
{
    const char *refusal;

    a->state = ASKER_WAITS_UPGRADE;
    refusal = supervisor_upgrade(s);
    if (refusal)
        answer(a, false, "upgrade", refusal);
}

void asks_read(struct supervisor *s, struct asker *a)
{
    char question[SOCKET_QUESTION_MAX];
    ssize_t len = recv(a->fd, question, sizeof question, MSG_DONTWAIT);
    stoa_str text = stoa_str_trim((stoa_str){question, len > 0 ? (uint64_t)len : 0});

    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (text.len == 0) {
        end(a);
    } else if (stoa_str_is(text, "upgrade")) {
        ask_upgrade(s, a);
    } else if (stoa_str_is(text, "drain") || stoa_str_is(text, "stop")) {
        a->state = ASKER_WAITS_END;
        supervisor_stop(s, stoa_str_is(text, "stop"));
    } else {
        ask_worker(s, a, text);
    }
}
