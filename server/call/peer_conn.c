/* call/peer_conn.c: a socket on the loop, waited for by a fiber. What is idle is watched: the other
 * side's goodbye is seen before the next request is sent into it. SPDX-License-Identifier:
 * Apache-2.0 */
#include "call/peer_conn.h"

#include "base/random.h"
#include "fiber/fiber.h"
#include "loop/loop.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <stoa/arena.h>
#include <sys/uio.h>
#include <unistd.h>

struct peer_conn {
    int fd;
    struct loop_io *io;
    struct fiber_wait *wait; /* of the fiber that uses it; NULL: idle */
    uint64_t id, number;
    int64_t idle_at_ms;
    bool is_last; /* the other side closes it after the reply */
    struct peer_idle *home;
    struct peer_conn *next; /* of the idle ones, the youngest first */
};

/* The idle connections of this loop to one address. They end with the process. */
struct peer_idle {
    const void *key;
    struct peer_conn *first;
    uint32_t count;
    struct peer_idle *next;
};
static __thread struct peer_idle *homes;

static struct peer_idle *home_of(const void *key)
{
    struct peer_idle *h;

    for (h = homes; h; h = h->next)
        if (h->key == key)
            return h;
    h = calloc(1, sizeof *h);
    stoa_assert(h);
    *h = (struct peer_idle){.key = key, .next = homes};
    homes = h;
    return h;
}

static void unlink_idle(struct peer_conn *conn)
{
    struct peer_conn **link = &conn->home->first;

    while (*link && *link != conn)
        link = &(*link)->next;
    if (!*link)
        return;
    *link = conn->next;
    conn->home->count--;
}

void peer_conn_close(struct peer_conn *conn)
{
    loop_io_destroy(conn->io);
    close(conn->fd);
    free(conn);
}

/* Nothing may come on an idle connection but its end. */
static void on_ready(void *data, int ready)
{
    struct peer_conn *conn = data;

    if (conn->wait) {
        fiber_wake(conn->wait);
    } else if (conn->idle_at_ms) {
        unlink_idle(conn);
        peer_conn_close(conn);
    }
}

static struct peer_conn *pop_idle(struct peer_idle *home)
{
    struct peer_conn *conn = home->first;

    if (conn) {
        home->first = conn->next;
        home->count--;
    }
    return conn;
}

struct peer_conn *peer_conn_reuse(const void *key)
{
    struct peer_idle *home = home_of(key);
    int64_t oldest_ms = loop_now(loop_current()) - PEER_IDLE_MS;
    struct peer_conn *conn = pop_idle(home);

    while (conn && conn->idle_at_ms < oldest_ms) { /* and so are all behind it */
        peer_conn_close(conn);
        conn = pop_idle(home);
    }
    if (conn)
        conn->idle_at_ms = 0;
    return conn;
}

void peer_conn_keep(struct peer_conn *conn)
{
    struct peer_idle *home = conn->home;

    if (conn->is_last || home->count >= PEER_IDLE_MAX) {
        peer_conn_close(conn);
        return;
    }
    conn->idle_at_ms = loop_now(loop_current());
    conn->next = home->first;
    home->first = conn;
    home->count++;
}

uint64_t peer_conn_id(const struct peer_conn *conn)
{
    return conn->id;
}

uint64_t peer_conn_next(struct peer_conn *conn)
{
    return ++conn->number;
}

/* ---- Waiting ---- */

/* READ stays wanted from the beginning to the end: asking for it each time would cost more. */
static stoa_err await_ready(struct peer_conn *conn, int events, int64_t timeout_ms)
{
    struct fiber_wait wait = {.fiber = fiber_self()};
    stoa_err err;

    conn->wait = &wait;
    loop_io_want(conn->io, events);
    err = fiber_await(&wait, timeout_ms);
    conn->wait = NULL;
    return err;
}

static socklen_t size_of(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                          : sizeof(struct sockaddr_in);
}

static stoa_err finish_connect(struct peer_conn *conn)
{
    int error = 0;
    socklen_t size = sizeof error;
    stoa_err err = await_ready(conn, LOOP_READ | LOOP_WRITE, PEER_CONNECT_MS);

    if (err == STOA_E_CANCELLED)
        return err;
    if (err == STOA_E_TIMEOUT)
        return fiber_check() == STOA_OK ? STOA_E_PLUGIN : STOA_E_TIMEOUT;
    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0)
        return STOA_E_PLUGIN;
    loop_io_want(conn->io, LOOP_READ);
    return STOA_OK;
}

stoa_err peer_conn_open(const void *key, const struct sockaddr_storage *address,
                        struct peer_conn **ret)
{
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    struct peer_conn *conn;
    stoa_err err = STOA_OK;

    if (fd < 0)
        return STOA_E_PLUGIN;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (const struct sockaddr *)address, size_of(address)) != 0 &&
        errno != EINPROGRESS) {
        close(fd);
        return STOA_E_PLUGIN;
    }
    conn = calloc(1, sizeof *conn);
    stoa_assert(conn);
    *conn = (struct peer_conn){.fd = fd, .home = home_of(key)};
    random_bytes(&conn->id, sizeof conn->id);
    conn->io = loop_io_create(loop_current(), fd, on_ready, conn);
    err = finish_connect(conn);
    if (err == STOA_OK)
        *ret = conn;
    else
        peer_conn_close(conn);
    return err;
}

/* ---- One request and its reply ---- */

static bool again(void)
{
    return errno == EAGAIN || errno == EINTR;
}

static stoa_err send_all(struct peer_conn *conn, struct peer_exchange *x)
{
    uint64_t sent = 0, whole = x->head.len + x->body.len;

    while (sent < whole) {
        uint64_t of_head = sent < x->head.len ? sent : x->head.len, of_body = sent - of_head;
        struct iovec parts[2] = {{(void *)(x->head.ptr + of_head), x->head.len - of_head},
                                 {(void *)(x->body.ptr + of_body), x->body.len - of_body}};
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
        ssize_t n = sendmsg(conn->fd, &message, MSG_NOSIGNAL);
        if (n < 0 && !again())
            return STOA_E_UPSTREAM;
        if (n < 0)
            STOA_TRY(await_ready(conn, LOOP_READ | LOOP_WRITE, -1));
        sent += n > 0 ? (uint64_t)n : 0;
        x->is_begun = sent > 0;
    }
    return STOA_OK;
}

/* At least a byte, at most max. */
static stoa_err receive(struct peer_conn *conn, char *to, uint64_t max, uint64_t *got)
{
    for (;;) {
        ssize_t n = recv(conn->fd, to, max, 0);
        if (n == 0 || (n < 0 && !again()))
            return STOA_E_UPSTREAM;
        if (n > 0) {
            *got += (uint64_t)n;
            return STOA_OK;
        }
        STOA_TRY(await_ready(conn, LOOP_READ, -1));
    }
}

/* Until the head has ended; what came of the body behind it is in head, too. */
static stoa_err receive_head(struct peer_conn *conn, struct peer_exchange *x, char *head,
                             uint64_t *got)
{
    enum peer_verdict verdict;

    STOA_TRY(await_ready(conn, LOOP_READ, -1)); /* it cannot be there yet */
    do {
        STOA_TRY(receive(conn, head + *got, PEER_HEAD_MAX - *got, got));
        x->is_answered = true;
        verdict = peer_reply_parse((stoa_str){head, *got}, &x->reply);
    } while (verdict == PEER_REPLY_MORE);
    return verdict == PEER_REPLY_OK ? STOA_OK : STOA_E_UPSTREAM;
}

static stoa_err receive_reply(struct peer_conn *conn, struct peer_exchange *x)
{
    char head[PEER_HEAD_MAX], *body;
    uint64_t got = 0, have;

    STOA_TRY(receive_head(conn, x, head, &got));
    have = got - x->reply.head_size;
    if (have > x->reply.length)
        return STOA_E_UPSTREAM; /* more than was asked for */
    body = stoa_arena_take(x->arena, x->reply.length + 1);
    memcpy(body, head + x->reply.head_size, have);
    while (have < x->reply.length)
        STOA_TRY(receive(conn, body + have, x->reply.length - have, &have));
    body[have] = '\0';
    x->reply_body = (stoa_str){body, have};
    conn->is_last = x->reply.is_last;
    return STOA_OK;
}

stoa_err peer_conn_exchange(struct peer_conn *conn, struct peer_exchange *x)
{
    STOA_TRY(send_all(conn, x));
    return receive_reply(conn, x);
}
