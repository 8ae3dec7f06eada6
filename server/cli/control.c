/* cli/control.c: small, local, for whoever may read the data folder. SPDX-License-Identifier:
 * Apache-2.0 */
#include "cli/control.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "base/thread.h"
#include "call/peer.h"
#include "supervise/channel.h"
#include "supervise/link.h"
#include "supervise/socket.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct control {
    struct control_options o;
    int fd; /* that is listened on; -1: the supervisor does */
    int64_t started_ms;
    stoa_str supervisor; /* what it said about itself with the question that is answered now */
};

/* ---- Answers ---- */

static struct stoa_json *status_json(struct control *c, struct stoa_arena *arena)
{
    struct stoa_json *status = stoa_json_object(arena), *listen = stoa_json_array(arena);
    const struct stoa_json *supervisor = NULL;

    stoa_json_set_str(status, "version", STOA_STR(STOA_VERSION));
    stoa_json_set_str(status, "state",
                      http_is_draining(c->o.http) ? STOA_STR("draining") : STOA_STR("serving"));
    stoa_json_set_int(status, "pid", link_is_open() ? getppid() : getpid());
    stoa_json_set_int(status, "worker", getpid());
    if (stoa_json_parse(arena, c->supervisor, NULL, &supervisor) == STOA_OK)
        stoa_json_set(status, "supervisor", stoa_json_copy(arena, supervisor));
    stoa_json_set_int(status, "uptime_s", (clock_monotonic_ms() - c->started_ms) / 1000);
    apply_status(c->o.apply, status, arena);
    peer_status(stoa_json_set(status, "peers", stoa_json_array(arena)), arena);
    for (uint32_t i = 0; http_address(c->o.http, i); i++)
        stoa_json_push(listen, stoa_json_new_str(arena, stoa_str_of(http_address(c->o.http, i))));
    stoa_json_set(status, "listen", listen);
    http_certificates_status(c->o.http,
                             stoa_json_set(status, "certificates", stoa_json_array(arena)), arena);
    stoa_json_set_int(status, "connections", http_open_connections(c->o.http));
    stoa_json_set_int(status, "requests", metric_value(METRIC_requests_total));
    stoa_json_set_int(status, "in_flight", metric_value(METRIC_requests_in_flight));
    stoa_json_set_int(status, "events_waiting", metric_value(METRIC_outbox_pending));
    stoa_json_set_int(status, "events_dead", metric_value(METRIC_events_dead_total));
    return status;
}

static void answer_now(struct control *c, int fd, stoa_str question)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct stoa_buf out;

    stoa_buf_init(&out, arena, 16384);
    if (stoa_str_is(question, "metrics"))
        metrics_format(&out);
    else if (stoa_str_is(question, "status"))
        stoa_json_format(status_json(c, arena), &out);
    else
        stoa_buf_put(&out,
                     STOA_STR("{\"error\":\"there is no such question; status, metrics, plan, "
                              "apply, confirm, rollback, history, why\"}"));
    socket_say(fd, stoa_buf_str(&out));
    stoa_arena_destroy(arena);
    close(fd);
}

/* ---- What takes its time goes to the apply thread, with the connection ---- */

struct asked {
    struct apply_job job;
    int fd;
};

static void asked_done(struct apply_job *job, stoa_str answer)
{
    struct asked *asked = (struct asked *)job;

    socket_say(asked->fd, answer);
    close(asked->fd);
    free(asked);
}

/* False: it is none of these. */
static bool read_job(stoa_str question, struct apply_job *job)
{
    static const struct {
        const char *word;
        enum apply_kind kind;
    } words[] = {{"plan", APPLY_PLAN},       {"apply", APPLY_APPLY},
                 {"confirm", APPLY_CONFIRM}, {"rollback", APPLY_ROLLBACK},
                 {"history", APPLY_HISTORY}, {"why", APPLY_WHY}};
    stoa_str rest = question, word = stoa_str_cut(&rest, ' ');
    int64_t number = 0;

    for (uint32_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!stoa_str_is(word, words[i].word))
            continue;
        job->kind = words[i].kind;
        if (job->kind == APPLY_WHY) {
            snprintf(job->plugin, sizeof job->plugin, "%.*s", (int)rest.len, rest.ptr);
            return rest.len > 0;
        }
        if (rest.len > 0 && stoa_str_int(rest, 1, 999999, &number) != STOA_OK)
            return false;
        job->revision = (uint64_t)number;
        job->confirm_s = job->kind == APPLY_APPLY ? (uint32_t)number : 0;
        return true;
    }
    return false;
}

static void submit(struct control *c, int fd, const struct apply_job *job)
{
    struct asked *asked = calloc(1, sizeof *asked);
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t size = sizeof peer;

    *asked = (struct asked){*job, fd};
    asked->job.done = asked_done;
    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
    snprintf(asked->job.who, sizeof asked->job.who, "uid %u", (unsigned)peer.uid);
    apply_submit(c->o.apply, &asked->job);
}

/* ---- The thread ---- */

static void answer_question(struct control *c, int fd, stoa_str question)
{
    struct apply_job job = {0};

    if (read_job(question, &job))
        submit(c, fd, &job);
    else
        answer_now(c, fd, question);
}

static void answer(struct control *c, int fd)
{
    const struct timeval to_ask = {.tv_sec = 2}, to_take = {.tv_usec = 200000};
    char question[SOCKET_QUESTION_MAX];
    ssize_t len;

    /* The client writes its line before anything else; others wait for one that does not. */
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &to_ask, sizeof to_ask);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &to_take, sizeof to_take);
    len = recv(fd, question, sizeof question, 0);
    if (len > 0)
        answer_question(c, fd, stoa_str_trim((stoa_str){question, (uint64_t)len}));
    else
        close(fd);
}

static void accept_clients(struct control *c)
{
    const struct timespec pause = {0, 100000000};
    int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= 0)
        answer(c, fd);
    else if (errno != EINTR && errno != ECONNABORTED)
        nanosleep(&pause, NULL); /* out of descriptors: they come back */
}

/* A question comes with its client and with what the supervisor knows. False: it is gone. */
static bool obey_supervisor(struct control *c)
{
    static char message[CHANNEL_MESSAGE_MAX];
    int client, len = link_receive(message, &client);
    stoa_str rest = {message, len > 0 ? (uint64_t)len : 0}, question, word;

    if (len <= 0)
        return false;
    question = rest;
    rest = (stoa_str){0};
    if (stoa_str_find(question, '\n', 0) >= 0) {
        rest = question;
        question = stoa_str_cut(&rest, '\n');
    }
    word = stoa_str_cut(&question, ' ');
    c->supervisor = rest;
    if (client >= 0)
        answer_question(c, client, question);
    else
        c->o.command(c->o.command_data, word);
    return true;
}

static void *thread_main(void *data)
{
    struct control *c = data;

    if (link_is_open())
        while (obey_supervisor(c))
            continue;
    else
        for (;;)
            accept_clients(c);
    return NULL;
}

stoa_err control_create(const struct control_options *options, struct diag *diag,
                        struct control **ret)
{
    struct control *c = calloc(1, sizeof *c);
    stoa_err err = STOA_OK;

    *c = (struct control){.o = *options, .fd = -1, .started_ms = clock_monotonic_ms()};
    if (!link_is_open())
        err = socket_open(options->data, diag, &c->fd);
    if (err == STOA_OK && thread_start("control", thread_main, c, NULL)) {
        *ret = c;
        return STOA_OK;
    }
    if (err == STOA_OK)
        diag_set(diag, "control", 0, 0, "no thread can be started: %s", strerror(errno));
    free(c);
    return STOA_E_CONFIG;
}

void control_remove(struct control *control)
{
    if (control->fd >= 0)
        socket_remove(control->o.data);
}

/* ---- The client's side ---- */

int control_ask(const char *data, const char *question, struct stoa_arena *arena, stoa_str *ret)
{
    struct sockaddr_un address;
    bool fits = socket_address(data, &address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct stoa_buf out;
    ssize_t len;

    if (!fits || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return cli_failed(address.sun_path, "no shop is running on this data folder",
                          "start it with `stoa run`, or name its folder with --data DIR");
    }
    stoa_buf_init(&out, arena, 65536);
    socket_say(fd, stoa_str_of(question));
    while ((len = read(fd, stoa_buf_reserve(&out, 16384), 16384)) > 0)
        out.len += (uint64_t)len;
    close(fd);
    *ret = stoa_buf_str(&out);
    if (ret->len > 0)
        return EXIT_OK;
    return cli_failed(question, "the shop ended before it answered", "see its log");
}
