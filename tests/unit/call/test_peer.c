/* What a call to another node is known to have done, by what became of its tries. The other node is
 * a thread that plays a script. SPDX-License-Identifier: Apache-2.0 */
#include "call/peer.h"

#include "../fiber/on_fiber.h"
#include "base/clock.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define KEY "0123456789abcdef0123456789abcdef"

static const struct sign_keys KEYS = {{KEY, 32}, {NULL, 0}};

/* A letter of script for each request: 'k' answers it, 'c' reads it and hangs up, '4' says 429,
 * 'x' listens no more, reads it and hangs up. */
struct node {
    const char *script;
    int listener, conn;
    char url[48];
    pthread_t thread;
};

static int bind_somewhere(char url[48])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&at, size) == 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    snprintf(url, 48, "http://127.0.0.1:%d", ntohs(at.sin_port));
    return fd;
}

static bool read_request(struct node *n, char *head, size_t size)
{
    size_t got = 0;

    for (;;) {
        ssize_t more = recv(n->conn, head + got, size - 1 - got, 0);
        if (more <= 0)
            return false;
        got += (size_t)more;
        head[got] = '\0';
        if (strstr(head, "\r\n\r\nping")) /* the body of every message here */
            return true;
    }
}

static void answer(struct node *n, const char *head)
{
    const char *call = strstr(head, SIGN_HEADER ": ") + strlen(SIGN_HEADER ": ");
    char signature[SIGN_REPLY_MAX], text[256];
    int len;

    sign_reply(&KEYS, (stoa_str){call, (uint64_t)(strchr(call, '\r') - call)}, STOA_STR("pong"),
               signature);
    len = snprintf(text, sizeof text,
                   "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n" SIGN_REPLY_HEADER ": %s\r\n\r\npong",
                   signature);
    cr_assert_eq(send(n->conn, text, (size_t)len, MSG_NOSIGNAL), len);
}

static void act(struct node *n, char letter, const char *head)
{
    static const char crowded[] = "HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n";

    if (letter == 'k')
        answer(n, head);
    else if (letter == '4')
        cr_assert_gt(send(n->conn, crowded, sizeof crowded - 1, MSG_NOSIGNAL), 0);
    else {
        close(n->conn);
        n->conn = -1;
    }
}

/* False: close_node() was called meanwhile. */
static bool await_request(struct node *n, char *head, size_t size)
{
    for (;;) {
        if (n->conn < 0)
            n->conn = accept(n->listener, NULL, NULL);
        if (n->conn < 0)
            return false;
        if (read_request(n, head, size))
            return true;
        close(n->conn);
        n->conn = -1;
    }
}

static void *play(void *arg)
{
    struct node *n = arg;
    char head[4096];

    n->conn = -1;
    for (const char *at = n->script; *at; at++) {
        if (*at == 'x')
            shutdown(n->listener, SHUT_RDWR);
        if (!await_request(n, head, sizeof head))
            break;
        act(n, *at, head);
    }
    if (n->conn >= 0)
        close(n->conn);
    return NULL;
}

static void close_node(struct node *n)
{
    shutdown(n->listener, SHUT_RDWR);
    pthread_join(n->thread, NULL);
    close(n->listener);
}

static struct peer *open_node(struct node *n, const char *script)
{
    n->script = script;
    n->listener = bind_somewhere(n->url);
    cr_assert_eq(listen(n->listener, 16), 0);
    cr_assert_eq(pthread_create(&n->thread, NULL, play, n), 0);
    return peer_get(stoa_str_of(n->url), STOA_STR("other"));
}

/* The port stays taken, or somebody else might listen there. */
static struct peer *nobody(void)
{
    char url[48];

    bind_somewhere(url);
    return peer_get(stoa_str_of(url), STOA_STR("other"));
}

static stoa_err ask(struct peer_group group, bool may_repeat)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct trace trace;
    struct peer_message m = {.arena = arena,
                             .keys = KEYS,
                             .from = STOA_STR("here"),
                             .body = STOA_STR("ping"),
                             .trace = &trace,
                             .may_repeat = may_repeat,
                             .in_flight_max = 8};
    stoa_err err;

    trace_start((stoa_str){0}, &trace);
    fiber_set_deadline(clock_monotonic_ms() + 10000);
    err = peer_send(&group, &m);
    stoa_arena_destroy(arena);
    return err;
}

static const struct stoa_json *status_of(struct stoa_arena *arena, const char *url)
{
    struct stoa_json *list = stoa_json_array(arena);

    peer_status(list, arena);
    for (const struct stoa_json *e = stoa_json_first(list); e; e = stoa_json_next(e))
        if (stoa_str_is(stoa_json_str(e, "address"), url + strlen("http://")))
            return e;
    return NULL;
}

static void asks_nobody(void *arg)
{
    cr_assert_eq(ask((struct peer_group){1, {nobody()}}, true), STOA_E_PLUGIN);
}

Test(peer, where_nobody_listens_nothing_has_happened)
{
    on_fiber(asks_nobody, NULL);
}

/* Whoever is asked first. */
static void asks_both(void *arg)
{
    struct node n;
    struct peer_group group = {2, {open_node(&n, "cccccccc"), nobody()}};

    cr_assert_eq(ask(group, true), STOA_E_TIMEOUT);
    cr_assert_eq(ask(group, true), STOA_E_TIMEOUT);
    close_node(&n);
}

Test(peer, what_the_first_may_have_done_the_second_does_not_undo)
{
    on_fiber(asks_both, NULL);
}

static void asks_on_a_kept_connection(void *arg)
{
    struct node n;
    struct peer_group group = {1, {open_node(&n, "kx")}};

    cr_assert_eq(ask(group, true), STOA_OK);
    cr_assert_eq(ask(group, true), STOA_E_TIMEOUT, "it was read there");
    close_node(&n);
}

Test(peer, what_a_kept_connection_swallowed_may_have_happened)
{
    on_fiber(asks_on_a_kept_connection, NULL);
}

static void asks_a_crowded_one(void *arg)
{
    struct node n;
    struct stoa_arena *arena = stoa_arena_create();
    struct peer_group group = {1, {open_node(&n, "444444444k")}};
    const struct stoa_json *status;
    uint32_t asked = 0;
    stoa_err err;

    while ((err = ask(group, false)) != STOA_OK) { /* some are tried again, others not */
        cr_assert_eq(err, STOA_E_BUSY);
        cr_assert_lt(++asked, 10);
    }
    status = status_of(arena, n.url);
    cr_assert(status && stoa_json_true(status, "ready"));
    cr_assert_eq(stoa_json_int(status, "failures", -1), 0);
    close_node(&n);
    stoa_arena_destroy(arena);
}

Test(peer, one_that_has_too_many_of_ours_is_not_broken)
{
    on_fiber(asks_a_crowded_one, NULL);
}
