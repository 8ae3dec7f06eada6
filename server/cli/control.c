/* cli/control.c: small, local, for whoever may read the data folder. SPDX-License-Identifier:
 * Apache-2.0 */
#include "cli/control.h"

#include "base/clock.h"
#include "base/metrics.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { QUESTION_MAX = 64, ANSWER_TIMEOUT_S = 1 };

struct control {
    struct node *node;
    struct http *http;
    int fd;
    int64_t started_ms;
    struct sockaddr_un address;
};

/* False when the path is too long for a socket: a cut one would be another shop's. */
static bool address_in(const char *data, struct sockaddr_un *ret)
{
    int len;

    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    len = snprintf(ret->sun_path, sizeof ret->sun_path, "%s/control.sock", data);
    return len > 0 && (size_t)len < sizeof ret->sun_path;
}

static stoa_err refuse_long(const char *data, struct diag *diag)
{
    diag_set(diag, data, 0, 0, "the data folder's path is too long for its control socket");
    diag_hint(diag, "choose one of at most %d bytes with --data DIR",
              (int)(sizeof((struct sockaddr_un *)0)->sun_path - sizeof "/control.sock"));
    return STOA_E_CONFIG;
}

stoa_err control_create(struct node *node, struct http *http, struct diag *diag,
                        struct control **ret)
{
    struct sockaddr_un address;
    struct control *c;
    mode_t before;
    int failed;

    if (!address_in(node->resources->data, &address))
        return refuse_long(node->resources->data, diag);
    c = calloc(1, sizeof *c);
    *c = (struct control){
        .node = node, .http = http, .started_ms = clock_monotonic_ms(), .address = address};
    unlink(c->address.sun_path); /* a killed process left it; the lock says that it is gone */
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    before = umask(0077);
    failed = bind(c->fd, (struct sockaddr *)&c->address, sizeof c->address) || listen(c->fd, 8);
    umask(before);
    if (!failed) {
        *ret = c;
        return STOA_OK;
    }
    diag_set(diag, c->address.sun_path, 0, 0, "the control socket cannot be opened: %s",
             strerror(errno));
    diag_hint(diag, "choose another folder with --data DIR, or correct its owner");
    free(c);
    return STOA_E_CONFIG;
}

static struct stoa_json *status_json(struct control *c, struct stoa_arena *arena)
{
    struct stoa_json *status = stoa_json_object(arena);
    struct stoa_json *plugins = stoa_json_array(arena), *listen = stoa_json_array(arena);
    const struct world *w = c->node->world;

    stoa_json_set_str(status, "version", STOA_STR(STOA_VERSION));
    stoa_json_set_str(status, "state",
                      http_is_draining(c->http) ? STOA_STR("draining") : STOA_STR("serving"));
    stoa_json_set_int(status, "pid", getpid());
    stoa_json_set_int(status, "uptime_s", (clock_monotonic_ms() - c->started_ms) / 1000);
    stoa_json_set_str(status, "config_hash", stoa_str_of(config_hash(c->node->config)));
    stoa_json_set_int(status, "world", (int64_t)w->number);
    stoa_json_set_int(status, "loops", w->loops);
    for (uint32_t i = 0; http_address(c->http, i); i++)
        stoa_json_push(listen, stoa_json_new_str(arena, stoa_str_of(http_address(c->http, i))));
    stoa_json_set(status, "listen", listen);
    stoa_json_set_int(status, "connections", http_open_connections(c->http));
    stoa_json_set_int(status, "requests", metric_value(METRIC_requests_total));
    stoa_json_set_int(status, "in_flight", metric_value(METRIC_requests_in_flight));
    stoa_json_set_int(status, "events_waiting", metric_value(METRIC_outbox_pending));
    stoa_json_set_int(status, "events_dead", metric_value(METRIC_events_dead_total));
    for (uint32_t p = 0; p < w->plugins; p++) {
        struct stoa_json *plugin = stoa_json_push(plugins, stoa_json_object(arena));
        stoa_json_set_str(plugin, "name", stoa_str_of(w->generations[p]->name));
        stoa_json_set_str(plugin, "version", stoa_str_of(w->generations[p]->version));
        stoa_json_set_str(plugin, "sha256", stoa_str_of(w->generations[p]->sha256));
        stoa_json_set_int(plugin, "generation", (int64_t)w->generations[p]->number);
    }
    stoa_json_set(status, "plugins", plugins);
    return status;
}

static void answer(struct control *c, int fd, stoa_str question)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct stoa_buf out;

    stoa_buf_init(&out, arena, 16384);
    if (stoa_str_is(question, "metrics"))
        metrics_format(&out);
    else if (stoa_str_is(question, "status"))
        stoa_json_format(status_json(c, arena), &out);
    else
        stoa_buf_put(&out, STOA_STR("{\"error\":\"there is no such question; status, metrics\"}"));
    /* The peer is local and its buffer holds the answer; one that does not read loses it. */
    if (send(fd, out.ptr, out.len, MSG_NOSIGNAL) < 0)
        out.len = 0;
    stoa_arena_destroy(arena);
}

static void on_connection(void *data, int ready)
{
    struct control *c = data;
    const struct timeval timeout = {.tv_sec = 0, .tv_usec = 200000};
    char question[QUESTION_MAX];
    int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC);
    ssize_t len;

    if (fd < 0)
        return;
    /* The client writes its line before anything else; whoever does not is cut after 0.2 s. */
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    len = recv(fd, question, sizeof question, 0);
    if (len > 0)
        answer(c, fd, stoa_str_trim((stoa_str){question, (uint64_t)len}));
    close(fd);
}

void control_attach(struct control *control)
{
    loop_io_want(loop_io_create(loop_current(), control->fd, on_connection, control), LOOP_READ);
}

void control_remove(struct control *control)
{
    unlink(control->address.sun_path);
}

int control_ask(const char *data, const char *question)
{
    struct sockaddr_un address;
    bool fits = address_in(data, &address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char part[65536];
    ssize_t len;

    if (!fits || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return cli_failed(address.sun_path, "no shop is running on this data folder",
                          "start it with `stoa run`, or name its folder with --data DIR");
    }
    if (write(fd, question, strlen(question)) < 0)
        perror("stoa");
    while ((len = read(fd, part, sizeof part)) > 0)
        fwrite(part, 1, (size_t)len, stdout);
    close(fd);
    return EXIT_OK;
}
