/* http/internal.h: what the parts of http/ share. Everything below struct http belongs to one loop
 * and is touched by its thread only. SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_INTERNAL_H
#define HTTP_INTERNAL_H

#include "fiber/fiber.h"
#include "gate/rate.h"
#include "http/addresses.h"
#include "http/client.h"
#include "http/guard.h"
#include "http/headers.h"
#include "http/http.h"
#include "http/tls.h"
#include "plugin/request.h"
#include "plugin/world.h"
#include <h2o.h>
#include <pthread.h>
#include <stdatomic.h>

enum {
    HTTP_LISTEN_MAX = 16,        /* addresses of one node */
    HTTP_TRUSTED_MAX = 64,       /* networks in trusted_proxies */
    HTTP_REQUEST_MAX_MS = 60000, /* no route may ask for more */
    HTTP_OVERDUE_MS = 2000,      /* so long after its deadline a handler is no longer waited for */
    HTTP_SWEEP_MS = 1000,
    HTTP_LEAVE_MS = 250,  /* a handshake that had begun has ended by then */
    HTTP_RESUME_MS = 50,  /* how often a paused listener looks whether there is room again */
    HTTP_QUIET_MS = 1000, /* a draining connection on which nothing happened for so long ends */
    HTTP_DRAIN_TICK_MS = 100,
    HTTP_TURN_MAX = 32,    /* pipelined requests of one connection in one turn of the loop */
    HTTP_LINGER_MS = 2000, /* reading on after a last reply, so that it is not lost to a reset */
    HTTP_LINGER_BYTES = 1 << 20,
};

/* An initialiser of an h2o_iovec_t that is only read. */
#define HTTP_LITERAL(text)                                                                         \
    {                                                                                              \
        (char *)("" text), sizeof(text) - 1                                                        \
    }

struct http_loop;
struct http_exchange;

struct http_connection {
    struct http_loop *loop;
    h2o_socket_t *sock;
    struct http_connection *next, **link; /* of the loop's list, or of its free list */
    struct http_exchange *exchange;       /* the request that is worked on or being answered */
    struct http_address *shared;          /* counts connections of all loops; NULL for a proxy */
    struct http_address *own;             /* counts requests of this loop; NULL for a proxy */
    struct http_ip ip;
    struct tls *tls;  /* NULL: plain */
    bool is_greeting; /* a TLS handshake has begun and not ended */
    bool has_greeted; /* one has ended well */
    bool has_left;    /* its client sends no more over TLS, and can only be answered */
    bool by_proxy;    /* the peer is a trusted proxy */
    bool own_reply;   /* what is being sent now was made here, not by libh2o */
    uint32_t text_len;
    char text[HTTP_IP_TEXT]; /* of ip */
    uint64_t accounted;      /* of sock->bytes_written: what went into replies that were counted */
    int64_t quiet_since_ms;
    uint64_t turn; /* of the loop, in which turn_requests were begun */
    uint32_t turn_requests;
    int64_t stall_since_ms; /* 0: not writing when last seen */
    uint64_t stall_acked;
    int linger_fd;         /* a second descriptor of the socket, or -1 */
    uint32_t linger_bytes; /* read since */
    int linger_left;       /* unsent when last seen */
    struct loop_io *linger_io;
    struct loop_timer linger_timer, leave_timer;
};

/* One request from its head to the last byte of its reply. Lives in its own arena. */
struct http_exchange {
    struct stoa_req req;
    h2o_req_t *h2o; /* NULL once it was answered without waiting for the handler */
    struct http_connection *connection;
    struct http_loop *loop;
    struct fiber *fiber;   /* while it runs */
    struct loop_task task; /* when it must wait for the next turn */
    struct http_address *address;
    struct http_exchange *next, **link;
    struct world_hold hold; /* of its pin */
    bool is_counted;        /* as being worked on */
    bool is_watched;        /* for the client's leaving */
    bool is_answered;
    bool is_let_go; /* no pin any more; see let_go_early() */
    int64_t answered_us;
};

struct http_listener {
    struct http_sockets sockets; /* -1 once handed over */
    atomic_bool is_open;         /* false: a free place, or one that loops are leaving */
    atomic_uint loops;           /* that have a socket there */
    struct tls *tls;             /* for who connects from now on; NULL: plain. http->lock */
    bool is_kept_told;           /* see http_each_kept(); http->lock */
};

/* One loop's side of one listener. */
struct http_accept {
    struct http_loop *loop;
    h2o_socket_t *sock; /* NULL: closed */
    struct tls *tls;
    h2o_accept_ctx_t context; /* of tls */
    bool is_paused;
    struct loop_timer leaving; /* nobody new comes; who did is let in until it fires */
};

struct http_proxies {
    struct http_network networks[HTTP_TRUSTED_MAX];
    uint32_t count;
};

struct http_loop {
    struct http *http;
    struct loop *loop;
    uint32_t index;
    h2o_context_t context;
    struct http_accept accepts[HTTP_LISTEN_MAX];
    struct http_addresses addresses;
    struct http_proxies proxies;
    struct rate_bucket greetings; /* TLS handshakes that may begin */
    struct http_connection *connections, *free_connections;
    struct http_exchange *exchanges;
    uint32_t open;      /* connections, those that linger included */
    uint32_t in_flight; /* exchanges whose handler has not returned */
    uint64_t serial;    /* of requests */
    char id_prefix[17];
    bool is_h2o_turn; /* on_req() is on the stack */
    bool sent_late;   /* outside of h2o's turn: the end of a reply is still to be run */
    int reserve_fd;   /* given up to refuse a connection when descriptors have run out */
    struct loop_timer sweep, resume, drain_tick;
    struct loop_hook end_of_turn;
    struct loop_message drain;
    int64_t drain_until_ms, shut_at_ms;
    bool is_shut; /* listeners are closed */
    bool is_drained;
};

/* Replaced as a whole by http_set_limits(). Who asks for it on a loop may use it for as long as
 * that does not return to its turn. */
struct http_tuning {
    struct http_limits limits;
    struct guard_limits guard;
    atomic_uint users; /* once it is replaced: loops that may still read it */
};

struct http {
    _Atomic(struct http_tuning *) tuning;
    struct http_listener listeners[HTTP_LISTEN_MAX];
    atomic_uint listener_count;  /* places that were ever used */
    struct http_proxies proxies; /* each loop has a copy; lock */
    int64_t certificates_day;    /* since 1970, on which they were last looked at; loop 0 */
    struct http_fixed_headers fixed;
    h2o_globalconf_t config;
    pthread_mutex_t lock; /* addresses; contexts' creation; loops' attaching */
    struct http_addresses addresses;
    struct rate_table
        *greetings_of;        /* TLS handshakes by each address; NULL before the first; lock */
    struct http_loop **loops; /* NULL until attached */
    uint32_t loop_count;
    atomic_uint open;
    atomic_bool is_draining;
    atomic_bool keeps_sockets; /* see http_keep_sockets() */
    atomic_uint undrained;     /* loops */
    atomic_bool is_idle;
    void (*idle)(void *data);
    void *idle_data;
};

static inline const struct http_tuning *http_tuning(const struct http *http)
{
    return atomic_load_explicit(&http->tuning, memory_order_acquire);
}

/* ---- http.c ---- */
/* Zero stands for the default; no more connections than there can be descriptors. */
struct http_tuning *http_tuning_create(const struct http_limits *given);
STOA_NODISCARD stoa_err http_proxies_read(const struct http_wanted *wanted, struct diag *diag,
                                          struct http_proxies *ret);
/* The certificates of listener index. kept: see tls_load(). */
STOA_NODISCARD stoa_err http_load_tls(const struct http_wanted *wanted, uint32_t index, int kept,
                                      struct diag *diag, struct tls **ret);

/* ---- connection.c ---- */
void http_accept_start(struct http_loop *loop);
/* Begins with what has become open, takes other certificates, and leaves what is not open any more.
 */
void http_accept_change(struct http_loop *loop);
/* From now on the kernel answers no new connection; those that it has begun go on. A client tries
 * again after a second and finds the port closed, or its next owner. False: not possible here. */
bool http_accept_refuse_new(struct http_loop *loop);
/* What waits in the backlog is taken first, so that closing cuts nobody off. */
void http_accept_stop(struct http_loop *loop);
struct http_connection *http_connection_of(h2o_req_t *req);
stoa_str http_connection_text(struct http_connection *c);
/* The reply now being sent is this connection's last, and the client may still be sending. */
void http_connection_linger(struct http_connection *c);
/* Ends it as if the network had; h2o frees it. */
void http_connection_cut(struct http_connection *c);
/* A request has ended: one whose client has left is cut, unless another has begun. */
void http_connection_check_left(struct http_connection *c);
bool http_connection_is_quiet(struct http_connection *c, int64_t now_ms);
/* Those of http are trusted from the next request on. */
void http_proxies_take(struct http_loop *loop);

/* ---- bridge.c ---- */
int http_bridge_on_req(h2o_handler_t *self, h2o_req_t *req);
void http_bridge_on_end(h2o_logger_t *self, h2o_req_t *req);
/* Answers 503 and lets the handler run out unheard. */
void http_bridge_give_up(struct http_exchange *x);

/* ---- send.c ---- */
/* Sends the exchange's reply: whole, checked, with the fixed headers. */
void http_send(struct http_exchange *x);
struct http_plain {
    int32_t status;
    const char *type;
    stoa_str body; /* lives as long as the process or req */
    bool retry;    /* Retry-After: 1 */
    bool is_https;
    bool close;
};
/* The fixed headers as one entry for libh2o. */
h2o_header_t http_header_fixed(struct http *http, bool is_https);
/* A reply without an exchange. */
void http_send_plain(h2o_req_t *req, const struct http_plain *plain);

/* ---- refuse.c ---- */
/* A problem (RFC 9457) for a request that no handler sees. */
void http_refuse(h2o_req_t *req, int32_t status, stoa_err err, const char *detail, bool close);
/* Dresses what libh2o answers by itself (413, 417, a broken body) like every other reply. */
void http_refuse_setup(h2o_filter_t *self, h2o_req_t *req, h2o_ostream_t **slot);

/* ---- certificates.c ---- */
void http_certificates_log(const struct http_listener *listener);
/* Once a second, on one loop: the metric, and once a day what is wrong. */
void http_certificates_watch(struct http *http);

/* ---- sweeper.c ---- */
void http_sweep_start(struct http_loop *loop);

/* ---- drain.c ---- */
void http_drain_start(struct loop_message *message);
/* A connection has ended or a request has: is that all? */
void http_drain_check(struct http_loop *loop);

#endif
