/* http/connection.c: from accept() to close(), with every cap on the way.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { ACCEPT_BURST = 32, CONTINUE_LEN = sizeof("HTTP/1.1 100 Continue\r\n\r\n") - 1 };

#define connection_of(member, ptr)                                                                 \
    ((struct http_connection *)((char *)(ptr)-offsetof(struct http_connection, member)))
#define loop_of(member, ptr)                                                                       \
    ((struct http_loop *)((char *)(ptr)-offsetof(struct http_loop, member)))

/* ---- Accounts ---- */

static bool take_shared(struct http_connection *c)
{
    struct http *http = c->loop->http;
    struct http_ip visitor = http_ip_visitor(&c->ip);

    pthread_mutex_lock(&http->lock);
    c->shared = http_address_acquire(&http->addresses, &visitor,
                                     http_tuning(http)->limits.connections_per_address);
    pthread_mutex_unlock(&http->lock);
    return c->shared;
}

static bool is_trusted(const struct http_connection *c)
{
    const struct http_proxies *proxies = &c->loop->proxies;

    return http_network_has(proxies->networks, proxies->count, &c->ip);
}

void http_proxies_take(struct http_loop *loop)
{
    pthread_mutex_lock(&loop->http->lock);
    loop->proxies = loop->http->proxies;
    pthread_mutex_unlock(&loop->http->lock);
    for (struct http_connection *c = loop->connections; c; c = c->next)
        c->by_proxy = is_trusted(c); /* accounts stay what they were at its start */
}

/* Proxies speak for many visitors: only the caps on all connections hold for them. */
static bool take_account(struct http_connection *c)
{
    struct http_ip visitor = http_ip_visitor(&c->ip);

    c->shared = c->own = NULL;
    c->by_proxy = is_trusted(c);
    if (c->by_proxy)
        return true;
    if (!take_shared(c))
        return false;
    c->own = http_address_acquire(&c->loop->addresses, &visitor, UINT32_MAX);
    return true;
}

static void give_account(struct http_connection *c)
{
    struct http *http = c->loop->http;

    http_address_release(&c->loop->addresses, c->own);
    if (!c->shared)
        return;
    pthread_mutex_lock(&http->lock);
    http_address_release(&http->addresses, c->shared);
    pthread_mutex_unlock(&http->lock);
}

static struct http_connection *connection_take(struct http_loop *loop)
{
    struct http_connection *c = loop->free_connections;

    if (c)
        loop->free_connections = c->next;
    else
        stoa_assert((c = malloc(sizeof(*c))) != NULL);
    *c = (struct http_connection){.loop = loop, .linger_fd = -1};
    return c;
}

static void connection_give(struct http_connection *c)
{
    c->next = c->loop->free_connections;
    c->loop->free_connections = c;
}

/* ---- Greetings: a TLS handshake costs the server much more than who asks for it. ---- */

static struct rate_limit greetings(const struct http_loop *loop)
{
    const uint32_t per_second = http_tuning(loop->http)->limits.handshakes;

    return rate_share(per_second, per_second, loop->http->loop_count);
}

static bool has_greeting(struct http_loop *loop)
{
    return rate_bucket_has(&loop->greetings, greetings(loop), loop_now(loop->loop));
}

/* One bucket for all loops: the kernel deals out an address' connections as it likes, and a loop's
 * share would be gone before the address has had what it may. */
static bool take_greeting_of_address(struct http_connection *c)
{
    struct http *http = c->loop->http;
    const uint32_t per_second = http_tuning(http)->limits.handshakes_per_address;
    struct http_ip visitor = http_ip_visitor(&c->ip);
    const stoa_str key = {(const char *)&visitor, sizeof visitor};
    bool has_one;

    pthread_mutex_lock(&http->lock);
    has_one = rate_bucket_take(rate_table_find(&http->greetings_of, stoa_str_hash(key)),
                               rate_share(per_second, per_second, 1), clock_monotonic_ms());
    pthread_mutex_unlock(&http->lock);
    return has_one;
}

/* Proxies speak for many visitors, and keep their connections. */
static bool take_greeting(struct http_connection *c)
{
    struct http_loop *loop = c->loop;

    if (!is_trusted(c) && !take_greeting_of_address(c)) {
        metric_add(METRIC_tls_refused_total, 1);
        return false;
    }
    (void)rate_bucket_take(&loop->greetings, greetings(loop), loop_now(loop->loop));
    return true;
}

/* ---- Pausing: at a cap the kernel's backlog keeps who comes, and nothing spins. ---- */

static bool has_room(const struct http_loop *loop)
{
    return atomic_load_explicit(&loop->http->open, memory_order_relaxed) <
           http_tuning(loop->http)->limits.connections;
}

static void pause_accept(struct http_accept *a)
{
    if (!a->sock || a->is_paused)
        return;
    h2o_socket_read_stop(a->sock);
    a->is_paused = true;
    if (a->loop->resume.slot == 0)
        loop_timer_arm(a->loop->loop, &a->loop->resume, HTTP_RESUME_MS);
}

static void pause_accepts(struct http_loop *loop)
{
    for (uint32_t i = 0; i < loop->http->listener_count; i++)
        pause_accept(&loop->accepts[i]);
}

static void on_accept(h2o_socket_t *sock, const char *err);

static void on_resume(struct loop_timer *timer)
{
    struct http_loop *loop = loop_of(resume, timer);
    bool is_waiting = false;

    for (uint32_t i = 0; i < loop->http->listener_count; i++) {
        struct http_accept *a = &loop->accepts[i];
        if (!a->sock || !a->is_paused)
            continue;
        a->is_paused = !has_room(loop) || (a->tls && !has_greeting(loop));
        is_waiting |= a->is_paused;
        if (!a->is_paused)
            h2o_socket_read_start(a->sock, on_accept);
    }
    if (is_waiting)
        loop_timer_arm(loop->loop, timer, HTTP_RESUME_MS);
}

/* ---- The end ---- */

static void connection_gone(struct http_connection *c)
{
    struct http_loop *loop = c->loop;

    give_account(c);
    tls_release(c->tls);
    connection_give(c);
    loop->open--;
    atomic_fetch_sub_explicit(&loop->http->open, 1, memory_order_relaxed);
    metric_add(METRIC_connections_open, -1);
    http_drain_check(loop);
}

static void linger_end(struct http_connection *c)
{
    loop_timer_cancel(c->loop->loop, &c->linger_timer);
    loop_io_destroy(c->linger_io);
    close(c->linger_fd);
    connection_gone(c);
}

/* Goes on as long as the client takes the rest of its reply at a decent pace. */
static void on_linger_timer(struct loop_timer *timer)
{
    struct http_connection *c = connection_of(linger_timer, timer);
    uint64_t least =
        (uint64_t)http_tuning(c->loop->http)->limits.stall_bytes * HTTP_LINGER_MS / 1000;
    int left = 0;

    if (ioctl(c->linger_fd, SIOCOUTQ, &left) == 0 && left > 0 &&
        (uint64_t)left + least <= (uint64_t)c->linger_left) {
        c->linger_left = left;
        loop_timer_arm(c->loop->loop, timer, HTTP_LINGER_MS);
    } else {
        linger_end(c);
    }
}

static void on_linger_read(void *data, int ready)
{
    struct http_connection *c = data;
    char sink[16384];
    ssize_t n = recv(c->linger_fd, sink, sizeof(sink), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0 && (c->linger_bytes += (uint32_t)n) < HTTP_LINGER_BYTES)
        return;
    linger_end(c);
}

static void linger_start(struct http_connection *c)
{
    shutdown(c->linger_fd, SHUT_WR);
    c->linger_bytes = 0;
    c->linger_left = INT_MAX;
    c->linger_timer.fire = on_linger_timer;
    loop_timer_arm(c->loop->loop, &c->linger_timer, HTTP_LINGER_MS);
    c->linger_io = loop_io_create(c->loop->loop, c->linger_fd, on_linger_read, c);
    loop_io_want(c->linger_io, LOOP_READ);
}

/* h2o has closed its descriptor; sock's counters can still be read. The one answer that passes no
 * code of ours is libh2o's bare 400 to what it cannot parse: bytes that nobody accounted for. */
static void on_close(void *data)
{
    struct http_connection *c = data;

    loop_timer_cancel(c->loop->loop, &c->leave_timer);
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    if (c->sock->bytes_written > c->accounted + CONTINUE_LEN)
        metric_add(METRIC_requests_unparsed_total, 1);
    if (c->tls && !c->has_greeted)
        metric_add(METRIC_tls_failures_total, 1);
    if (c->linger_fd >= 0)
        linger_start(c);
    else
        connection_gone(c);
}

void http_connection_linger(struct http_connection *c)
{
    if (c->linger_fd < 0)
        c->linger_fd = fcntl(h2o_socket_get_fd(c->sock), F_DUPFD_CLOEXEC, 0);
}

void http_connection_cut(struct http_connection *c)
{
    shutdown(h2o_socket_get_fd(c->sock), SHUT_RDWR);
}

/* Part of a TLS record is in a buffer of libh2o's own, where it cannot be seen. */
static bool has_part_of_record(const struct http_connection *c)
{
    struct tcp_info info;
    socklen_t len = sizeof info;

    return c->tls &&
           getsockopt(h2o_socket_get_fd(c->sock), IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
           info.tcpi_last_data_recv < HTTP_QUIET_MS;
}

bool http_connection_is_quiet(struct http_connection *c, int64_t now_ms)
{
    char byte;

    if (c->is_greeting || c->exchange || h2o_socket_is_writing(c->sock) ||
        c->sock->input->size > 0 || now_ms - c->quiet_since_ms < HTTP_QUIET_MS)
        return false;
    return recv(h2o_socket_get_fd(c->sock), &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0 &&
           !has_part_of_record(c);
}

/* ---- A client that has said farewell. libh2o would read and keep for ever what comes after it. */

static void on_leave(struct loop_timer *timer)
{
    struct http_connection *c = connection_of(leave_timer, timer);

    if (c->exchange)
        return; /* its end comes back here */
    if (h2o_socket_is_writing(c->sock))
        loop_timer_arm(c->loop->loop, timer, HTTP_DRAIN_TICK_MS);
    else
        http_connection_cut(c);
}

/* A moment later: a request that came with it has been begun by then. */
void http_connection_check_left(struct http_connection *c)
{
    if (!c->has_left)
        return;
    c->leave_timer.fire = on_leave;
    loop_timer_arm(c->loop->loop, &c->leave_timer, 0);
}

static bool is_farewell(const SSL *ssl, int alert)
{
    int what = alert & 0xff;

    return alert >> 8 == SSL3_AL_FATAL || what == SSL_AD_CLOSE_NOTIFY ||
           (SSL_version(ssl) == TLS1_3_VERSION && what != SSL_AD_USER_CANCELLED);
}

/* ---- TLS ---- */

/* Why a greeting is refused. libh2o closes without it; before there are keys it is plain bytes, and
 * nothing else waits to be sent. A client that does not get it knows less, no more. */
static void say_why(h2o_socket_t *sock, int alert)
{
    const unsigned char record[] = {
        21, 3, 3, 0, 2, (unsigned char)(alert >> 8), (unsigned char)alert};

    (void)!send(h2o_socket_get_fd(sock), record, sizeof record, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* libh2o's BIO knows the socket that it reads and writes for. */
void tls_on_progress(const SSL *ssl, int where, int result)
{
    h2o_socket_t *sock = BIO_get_data(SSL_get_rbio(ssl));
    struct http_connection *c = sock->on_close.data;

    if (where == SSL_CB_WRITE_ALERT && SSL_get_state(ssl) == TLS_ST_SR_CLNT_HELLO)
        say_why(sock, result);
    if (where == SSL_CB_READ_ALERT && is_farewell(ssl, result)) {
        c->has_left = true;
        http_connection_check_left(c);
    }
    if (!(where & (SSL_CB_HANDSHAKE_START | SSL_CB_HANDSHAKE_DONE)))
        return;
    c->is_greeting = where & SSL_CB_HANDSHAKE_START;
    c->quiet_since_ms = loop_now(c->loop->loop);
    if (c->is_greeting || c->has_greeted)
        return; /* TLS 1.3 calls the sending of tickets a handshake, too */
    c->has_greeted = true;
    metric_add(METRIC_tls_handshakes_total, 1);
}

struct http_connection *http_connection_of(h2o_req_t *req)
{
    return req->conn->callbacks->get_socket(req->conn)->on_close.data;
}

stoa_str http_connection_text(struct http_connection *c)
{
    if (c->text_len == 0)
        c->text_len = http_ip_format(&c->ip, c->text);
    return (stoa_str){c->text, c->text_len};
}

/* ---- The start ---- */

/* A reset: the quickest and smallest no. */
static void reset(int fd)
{
    struct linger at_once = {.l_onoff = 1};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(fd);
    metric_add(METRIC_connections_refused_total, 1);
}

static void connection_open(struct http_accept *a, int fd, const struct sockaddr *peer)
{
    struct http_loop *loop = a->loop;
    struct http_connection *c = connection_take(loop);

    c->ip = http_ip_of(peer);
    if ((a->tls && !take_greeting(c)) || !take_account(c)) {
        connection_give(c);
        reset(fd);
        return;
    }
    loop->open++;
    atomic_fetch_add_explicit(&loop->http->open, 1, memory_order_relaxed);
    metric_add(METRIC_connections_accepted_total, 1);
    metric_add(METRIC_connections_open, 1);
    c->quiet_since_ms = loop_now(loop->loop);
    c->link = &loop->connections;
    if ((c->next = loop->connections))
        c->next->link = &c->next;
    loop->connections = c;
    c->sock =
        h2o_evloop_socket_create(loop_h2o(loop->loop), fd, H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION);
    c->sock->on_close.cb = on_close;
    c->sock->on_close.data = c;
    c->tls = tls_hold(a->tls);
    h2o_accept(&a->context, c->sock);
}

/* Descriptors have run out, though the cap should have held: the listener would stay readable and
 * the loop would spin. The reserve lets one connection in, to be refused. */
static bool refuse_one(struct http_loop *loop, int listen_fd)
{
    int fd;

    if (loop->reserve_fd < 0)
        return false;
    close(loop->reserve_fd);
    fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        reset(fd);
    loop->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return fd >= 0 && loop->reserve_fd >= 0;
}

/* False: no more for now. */
static bool accept_one(struct http_accept *a)
{
    struct http_loop *loop = a->loop;
    struct sockaddr_storage peer;
    socklen_t peer_len = sizeof(peer);
    int listen_fd = h2o_socket_get_fd(a->sock), fd;

    if (!has_room(loop)) {
        pause_accepts(loop);
        return false;
    }
    fd = accept4(listen_fd, (struct sockaddr *)&peer, &peer_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        connection_open(a, fd, (struct sockaddr *)&peer);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE) {
        if (refuse_one(loop, listen_fd))
            return true;
        if (loop->reserve_fd < 0)
            loop->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        pause_accepts(loop);
        return false;
    }
    return errno == ECONNABORTED || errno == EINTR;
}

static void on_accept(h2o_socket_t *sock, const char *err)
{
    struct http_accept *a = sock->data;

    for (uint32_t n = 0; n < ACCEPT_BURST; n++) {
        if (a->tls && !has_greeting(a->loop)) { /* the kernel keeps who comes */
            metric_add(METRIC_tls_waits_total, 1);
            pause_accept(a);
            return;
        }
        if (!accept_one(a))
            return;
    }
}

/* Who connects from now on is greeted with the listener's certificates as they are now. */
static void take_tls(struct http_accept *a, struct http_listener *listener)
{
    struct http *http = a->loop->http;

    pthread_mutex_lock(&http->lock);
    tls_release(a->tls);
    a->tls = tls_hold(listener->tls);
    pthread_mutex_unlock(&http->lock);
    a->context = (h2o_accept_ctx_t){.ctx = &a->loop->context,
                                    .hosts = http->config.hosts,
                                    .ssl_ctx = a->tls ? tls_context(a->tls) : NULL};
}

static void start_accept(struct http_loop *loop, uint32_t index)
{
    struct http_accept *a = &loop->accepts[index];
    int *fd = &loop->http->listeners[index].sockets.fds[loop->index];

    a->loop = loop;
    a->is_paused = false;
    a->sock = h2o_evloop_socket_create(loop_h2o(loop->loop), *fd, H2O_SOCKET_FLAG_DONT_READ);
    a->sock->data = a;
    *fd = -1;
    take_tls(a, &loop->http->listeners[index]);
    /* A process that shared it may have left one behind; see drop_new(). Mostly there is none. */
    (void)setsockopt(h2o_socket_get_fd(a->sock), SOL_SOCKET, SO_DETACH_FILTER, &(int){0},
                     sizeof(int));
    atomic_fetch_add(&loop->http->listeners[index].loops, 1);
    h2o_socket_read_start(a->sock, on_accept);
}

void http_accept_start(struct http_loop *loop)
{
    loop->resume.fire = on_resume;
    loop->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (uint32_t i = 0; i < loop->http->listener_count; i++)
        start_accept(loop, i);
}

/* The kernel completes connections by itself, also between the last accept() and close(), which
 * resets them. Dropping SYNs ends that before the listener closes. A TCP socket's filter sees the
 * segment from its TCP header on (socket(7), SO_ATTACH_FILTER; RFC 9293 §3.1: flags in byte 13). */
static bool drop_new(int fd)
{
    enum { FLAGS_AT = 13, SYN = 0x02, ACK = 0x10 };
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FLAGS_AT),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SYN | ACK),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    const struct sock_fprog program = {.len = sizeof(code) / sizeof(*code), .filter = code};

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0;
}

static void take_backlog(struct http_accept *a)
{
    while (accept_one(a))
        continue;
}

static void close_accept(struct http_accept *a)
{
    h2o_socket_close(a->sock);
    a->sock = NULL;
    tls_release(a->tls);
    a->tls = NULL;
}

/* Who holds another descriptor of the socket (a supervisor) does not listen any more, either. */
static void on_left(struct loop_timer *timer)
{
    struct http_accept *a =
        (struct http_accept *)((char *)timer - offsetof(struct http_accept, leaving));

    if (!a->sock)
        return;
    take_backlog(a);
    (void)shutdown(h2o_socket_get_fd(a->sock), SHUT_RD);
    close_accept(a);
    atomic_fetch_sub(&a->loop->http->listeners[a - a->loop->accepts].loops, 1);
}

void http_accept_change(struct http_loop *loop)
{
    for (uint32_t i = 0; i < loop->http->listener_count; i++) {
        struct http_accept *a = &loop->accepts[i];
        bool is_open = atomic_load(&loop->http->listeners[i].is_open);

        if (is_open && a->sock)
            take_tls(a, &loop->http->listeners[i]);
        if (is_open && !a->sock)
            start_accept(loop, i);
        if (is_open || !a->sock)
            continue;
        (void)drop_new(h2o_socket_get_fd(a->sock));
        take_backlog(a);
        a->leaving.fire = on_left;
        loop_timer_arm(loop->loop, &a->leaving, HTTP_LEAVE_MS);
    }
}

bool http_accept_refuse_new(struct http_loop *loop)
{
    bool all = true;

    for (uint32_t i = 0; i < loop->http->listener_count; i++)
        if (loop->accepts[i].sock)
            all &= drop_new(h2o_socket_get_fd(loop->accepts[i].sock));
    return all;
}

void http_accept_stop(struct http_loop *loop)
{
    loop_timer_cancel(loop->loop, &loop->resume);
    for (uint32_t i = 0; i < loop->http->listener_count; i++) {
        struct http_accept *a = &loop->accepts[i];

        if (!a->sock)
            continue;
        while (!atomic_load(&loop->http->keeps_sockets) && accept_one(a))
            continue;
        close_accept(a);
    }
    loop_timer_cancel(loop->loop, &loop->resume);
}
