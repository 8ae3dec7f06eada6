/* tests/unit/http/server.c: http/ with a gate of its own, for the tests over the wire. Answers a
 * few paths; everything below the gate is left out. SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/metrics.h"
#include "fiber/fiber.h"
#include "gate/dispatch.h"
#include "http/http.h"
#include "plugin/world.h"
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LOOPS_MAX = 8, LISTEN_MAX = 4 };

static struct http *http;
static struct loop *loops[LOOPS_MAX];
static uint32_t loop_count = 1;
static uint32_t late; /* 1: the last loop comes when the drain has begun */
static struct world the_world;

/* ---- What the folders above and below would do ---- */

struct world *world_pin(void)
{
    __atomic_fetch_add(&the_world.pins[0].count, 1, __ATOMIC_RELAXED);
    return &the_world;
}

void world_unpin(struct world *world)
{
    __atomic_fetch_sub(&world->pins[0].count, 1, __ATOMIC_RELAXED);
}

void world_hold_begin(struct world_hold *hold) {}

void world_hold_end(struct world_hold *hold) {}

void request_finish(struct stoa_req *req)
{
    (void)req;
}

static void reply(struct stoa_req *req, int32_t status, const char *type, stoa_str body)
{
    req->reply.status = status;
    req->reply.type = type;
    req->reply.body = body;
}

static void add_header(struct stoa_req *req, stoa_str name, stoa_str value)
{
    req->reply.headers[req->reply.header_count++] = (struct request_header){name, value};
}

static int64_t number_after(stoa_str s, const char *prefix, int64_t otherwise)
{
    stoa_str p = stoa_str_of(prefix);
    int64_t n;

    if (!stoa_str_starts(s, p) ||
        stoa_str_int(stoa_str_sub(s, p.len, s.len), 0, INT32_MAX, &n) != STOA_OK)
        return otherwise;
    return n;
}

/* ---- The paths ---- */

static void echo(struct stoa_req *req)
{
    struct stoa_buf out;

    stoa_buf_init(&out, req->arena, 256);
    stoa_buf_put(&out, stoa_concat(req->arena, req->method_text, STOA_STR(" "), req->path,
                                   STOA_STR("\nquery="), req->query, STOA_STR("\nhost="), req->host,
                                   STOA_STR("\nclient="), req->client, STOA_STR("\nhttps="),
                                   req->is_https ? STOA_STR("1") : STOA_STR("0"),
                                   STOA_STR("\nbody="), req->body, STOA_STR("\n")));
    reply(req, 200, "text/plain", stoa_buf_str(&out));
}

static void wait(struct stoa_req *req)
{
    int64_t ms = number_after(req->query, "ms=", 100);
    stoa_err err = fiber_sleep(ms);

    if (err == STOA_OK)
        reply(req, 200, "text/plain", STOA_STR("woke\n"));
    else
        reply(req, 503, "text/plain", stoa_str_of(stoa_err_name(err)));
}

static void stubborn(struct stoa_req *req)
{
    stoa_err err;

    fiber_mask();
    err = fiber_sleep(number_after(req->query, "ms=", 100));
    fiber_unmask();
    reply(req, 200, "text/plain", stoa_str_of(stoa_err_name(err)));
}

/* Goes on past its own deadline. */
static void overdue(struct stoa_req *req)
{
    req->deadline_ms = loop_now(loop_current()) + 100;
    stubborn(req);
}

static void big(struct stoa_req *req)
{
    int64_t size = number_after(req->query, "bytes=", 1 << 20);
    char *bytes = stoa_arena_take(req->arena, (uint64_t)size);

    memset(bytes, 'x', (size_t)size);
    reply(req, 200, "application/octet-stream", (stoa_str){bytes, (uint64_t)size});
}

static void status(struct stoa_req *req)
{
    int32_t code = (int32_t)number_after(req->query, "code=", 200);

    reply(req, code, code == 204 || code == 304 ? NULL : "text/plain",
          code == 204 || code == 304 ? (stoa_str){0} : STOA_STR("status\n"));
}

/* Puts the decoded query into a header unchecked, as a handler could that went past the SDK. */
static void split(struct stoa_req *req)
{
    stoa_str value = {0};

    reply(req, 200, "text/plain", STOA_STR("split\n"));
    for (uint64_t i = 0; i + 2 < req->query.len; i++)
        if (req->query.ptr[i] == '%' && i + 2 < req->query.len) {
            char hex[3] = {req->query.ptr[i + 1], req->query.ptr[i + 2], 0};
            char *raw = stoa_arena_take(req->arena, 32);
            uint64_t len =
                (uint64_t)snprintf(raw, 32, "a%cset-cookie: b=c", (char)strtol(hex, NULL, 16));
            value = (stoa_str){raw, len};
        }
    add_header(req, STOA_STR("x-echo"), value);
}

static void framing(struct stoa_req *req)
{
    reply(req, 200, "text/plain", STOA_STR("framing\n"));
    add_header(req, STOA_STR("content-length"), STOA_STR("3"));
}

static void cookies(struct stoa_req *req)
{
    reply(req, 200, "text/plain", STOA_STR("cookies\n"));
    add_header(req, STOA_STR("set-cookie"), STOA_STR("a=1; HttpOnly"));
    add_header(req, STOA_STR("set-cookie"), STOA_STR("b=2; HttpOnly"));
}

static void metrics(struct stoa_req *req)
{
    struct stoa_buf out;

    stoa_buf_init(&out, req->arena, 8192);
    metrics_format(&out);
    stoa_buf_put(&out, STOA_STR("test_pins "));
    stoa_buf_int(&out, (int64_t)the_world.pins[0].count);
    stoa_buf_put(&out, STOA_STR("\ntest_fibers "));
    stoa_buf_int(&out, fiber_live());
    stoa_buf_char(&out, '\n');
    reply(req, 200, "text/plain; version=0.0.4", stoa_buf_str(&out));
}

static void hello(struct stoa_req *req)
{
    reply(req, 200, "text/plain; charset=utf-8", STOA_STR("Hello, world"));
}

static void fine(struct stoa_req *req)
{
    reply(req, 200, "text/plain", STOA_STR("ok\n"));
}

static void redirect(struct stoa_req *req)
{
    reply(req, 303, NULL, (stoa_str){0});
    add_header(req, STOA_STR("location"), STOA_STR("/hello"));
}

static void nothing(struct stoa_req *req)
{
    (void)req;
}

void gate_dispatch(struct stoa_req *req)
{
    static const struct {
        const char *path;
        void (*handler)(struct stoa_req *req);
    } paths[] = {
        {"/hello", hello},       {"/echo", echo},       {"/wait", wait},
        {"/stubborn", stubborn}, {"/big", big},         {"/status", status},
        {"/split", split},       {"/framing", framing}, {"/cookies", cookies},
        {"/metrics", metrics},   {"/readyz", fine},     {"/livez", fine},
        {"/nothing", nothing},   {"/overdue", overdue}, {"/redirect", redirect},
    };

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (stoa_str_is(req->path, paths[i].path)) {
            paths[i].handler(req);
            return;
        }
    if (!req->method) {
        reply(req, 405, "text/plain", STOA_STR("method\n"));
        return;
    }
    reply(req, 404, "application/problem+json", STOA_STR("{\"status\":404}"));
}

/* ---- Threads ---- */

struct start {
    struct loop_message message;
};

static void flush(struct loop_hook *hook)
{
    (void)hook;
    log_flush();
}

static void attach(struct loop_message *message)
{
    static _Thread_local struct loop_hook at_end_of_turn = {.run = flush};

    loop_add_hook(loop_current(), &at_end_of_turn);
    free(message);
    http_attach(http);
}

static void post_attach(struct loop *loop)
{
    struct loop_message *message = calloc(1, sizeof(*message));

    message->run = attach;
    loop_post(loop, message);
}

static void *run(void *arg)
{
    struct loop *loop = arg;

    if (!late || loop_index(loop) + 1 < loop_count)
        post_attach(loop);
    loop_run(loop);
    return NULL;
}

static void on_idle(void *data)
{
    log_flush();
    _exit(0);
}

static void *wait_for_term(void *arg)
{
    int got;

    sigwait(arg, &got);
    http_drain(http, on_idle, NULL);
    if (late)
        post_attach(loops[loop_count - 1]);
    sigwait(arg, &got);
    _exit(1);
}

/* ---- The command line: --name number, one for each limit ---- */

#define LIMITS(X)                                                                                  \
    X(connections)                                                                                 \
    X(connections_per_address)                                                                     \
    X(handshakes)                                                                                  \
    X(handshakes_per_address)                                                                      \
    X(in_flight)                                                                                   \
    X(in_flight_per_address)                                                                       \
    X(head_max)                                                                                    \
    X(target_max)                                                                                  \
    X(headers_max)                                                                                 \
    X(body_max)                                                                                    \
    X(request_ms)                                                                                  \
    X(stall_bytes)                                                                                 \
    X(stall_ms)                                                                                    \
    X(drain_ms)

static struct http_listen listen_on[LISTEN_MAX];
static const char *proxies[LISTEN_MAX], *form_action;
static uint32_t listen_count, proxy_count, flip_us; /* see flip() */

/* A number, or the end. */
static uint32_t number(const char *name, const char *value)
{
    int64_t n = number_after(stoa_str_of(value), "", -1);

    if (n >= 0)
        return (uint32_t)n;
    fprintf(stderr, "http_test_server: %s %s?\n", name, value);
    exit(2);
}

/* The listener that --certificate and --key, in this order, are for. */
static struct http_listen *last(void)
{
    return &listen_on[listen_count - 1];
}

static bool read_option(struct http_options *options, const char *name, const char *value)
{
#define X(limit)                                                                                   \
    if (!strcmp(name, "--" #limit)) {                                                              \
        options->limits.limit = number(name, value);                                               \
        return true;                                                                               \
    }
    LIMITS(X)
#undef X
    if (!strcmp(name, "--listen") && listen_count < LISTEN_MAX)
        listen_on[listen_count++].address = value;
    else if (!strcmp(name, "--certificate") && listen_count)
        last()->certificates[last()->certificate_count] = value;
    else if (!strcmp(name, "--key") && listen_count)
        last()->keys[last()->certificate_count++] = value;
    else if (!strcmp(name, "--proxy") && proxy_count < LISTEN_MAX)
        proxies[proxy_count++] = value;
    else if (!strcmp(name, "--flip_us"))
        flip_us = number(name, value);
    else if (!strcmp(name, "--late"))
        late = number(name, value);
    else if (!strcmp(name, "--form-action"))
        form_action = value;
    else if (!strcmp(name, "--loops") && number(name, value) - 1 < LOOPS_MAX)
        loop_count = number(name, value);
    else
        return false;
    return true;
}

static bool open_http(int argc, char **argv)
{
    struct http_options options = {0};
    struct diag diag = {0};
    struct stoa_buf text;

    for (int i = 1; i < argc; i += 2)
        if (i + 1 == argc || !read_option(&options, argv[i], argv[i + 1])) {
            fprintf(stderr, "http_test_server: %s?\n", argv[i]);
            return false;
        }
    if (listen_count == 0)
        listen_on[listen_count++].address = "127.0.0.1:0";
    options.wanted = (struct http_wanted){listen_on, listen_count, proxies, proxy_count};
    options.csp_form_action = form_action;
    options.loops = loop_count;
    if (http_create(&options, &diag, &http) == STOA_OK)
        return true;
    stoa_buf_init(&text, stoa_arena_create(), 512);
    diag_format(&diag, &text);
    fprintf(stderr, "%.*s\n", (int)text.len, text.ptr);
    return false;
}

/* Long heads and short targets, or the other way round, changing all the time. */
static const struct http_limits flipped[] = {{.head_max = 32768, .target_max = 100},
                                             {.head_max = 1000, .target_max = 900}};

static void *flip(void *unused)
{
    const struct timespec pause = {.tv_nsec = flip_us * 1000L};

    for (uint32_t i = 1;; i++) {
        http_set_limits(http, &flipped[i % 2]);
        nanosleep(&pause, NULL);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[LOOPS_MAX + 2];
    static sigset_t term;

    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &term, NULL);
    log_init(1, LOG_JSON, STOA_INFO);
    if (!open_http(argc, argv))
        return 1;
    for (uint32_t i = 0; i < loop_count; i++) {
        loops[i] = loop_create(i);
        pthread_create(&threads[i], NULL, run, loops[i]);
    }
    pthread_create(&threads[loop_count], NULL, wait_for_term, &term);
    if (flip_us) {
        http_set_limits(http, &flipped[0]); /* before anybody can come */
        pthread_create(&threads[LOOPS_MAX + 1], NULL, flip, NULL);
    }
    for (uint32_t i = 0; i < listen_count; i++)
        fprintf(stderr, "listening %s\n", http_address(http, i));
    pthread_join(threads[0], NULL);
    return 0;
}
