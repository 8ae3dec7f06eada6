/* http/http.h: HTTP/1.1 to the world, plain or over TLS: listeners, connections, requests, replies.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "base/diag.h"
#include "loop/loop.h"
#include <stoa/json.h>

struct http; /* of the process: settings, counters shared by loops */

struct http_limits {
    uint32_t connections;             /* all loops together; below RLIMIT_NOFILE */
    uint32_t connections_per_address; /* visitors behind one address */
    uint32_t handshakes;              /* TLS, that begin in a second, all loops together */
    uint32_t handshakes_per_address;  /* of them by visitors behind one address */
    uint32_t in_flight;               /* requests per loop */
    uint32_t in_flight_per_address;   /* requests per address and loop */
    uint32_t head_max;                /* bytes of request line and headers (default 32 KiB) */
    uint32_t target_max;              /* bytes of the request target (default 8 KiB) */
    uint32_t headers_max;             /* default 100 */
    uint32_t body_max;                /* default 1 MiB */
    uint32_t request_ms;  /* head and body must be here by then; also keep-alive, and before it a
                             TLS handshake (default 10,000) */
    uint32_t stall_bytes; /* a reader slower than this … (default 4 KiB) */
    uint32_t stall_ms;    /* … a second for so long is cut (default 8,000) */
    uint32_t drain_ms;    /* SIGTERM to exit at most (default 12,000) */
};
extern const struct http_limits http_limits_default;

/* The sockets of one address, one a loop, opened before there is an http: by the supervisor, which
 * keeps them when the process that serves ends. */
enum { HTTP_ADDRESS_MAX = 128, HTTP_BOUND_MAX = 64, HTTP_SOCKETS_MAX = 64 };
struct http_sockets {
    char address[HTTP_ADDRESS_MAX]; /* as the configuration says */
    char bound[HTTP_BOUND_MAX];     /* as http_address() says */
    int fds[HTTP_SOCKETS_MAX];      /* count of them; -1 once adopted or closed */
    uint32_t count;
};
/* Binds and listens. given: descriptors of listening sockets, by whoever started this process; the
 * one that has this address is used for all loops and set to -1. May be NULL. STOA_E_CONFIG with
 * *diag; nothing is left open then. */
struct http_given {
    int *fds;
    uint32_t count;
};
STOA_NODISCARD stoa_err http_sockets_open(const char *address, uint32_t loops,
                                          const struct http_given *given, struct diag *diag,
                                          struct http_sockets *ret);
void http_sockets_close(struct http_sockets *sockets); /* those that are not -1 */

/* One address; with certificates it speaks TLS, without them plain http. */
enum { HTTP_CERTIFICATES_MAX = 16 };
struct http_listen {
    const char *address; /* "127.0.0.1:8080", ":8080", "[::1]:8080" */
    uint32_t certificate_count;
    const char *certificates[HTTP_CERTIFICATES_MAX]; /* PEM files, each with its chain; the first
                                                        also for names that none is for */
    const char *keys[HTTP_CERTIFICATES_MAX];         /* PEM files, in the same order */
};
/* What can change while visitors are served. A problem in it has its place in diag.file: the
 * listener's index, then what of it: "1.key.0"; or "trusted_proxies"; empty: all of listen. */
struct http_wanted {
    const struct http_listen *listen;
    uint32_t listen_count;
    const char *const *trusted_proxies; /* CIDR */
    uint32_t trusted_proxy_count;
};
/* What the files of an address' certificates held when they could be used, keys included: a sealed
 * file in memory. */
struct http_kept {
    char address[HTTP_ADDRESS_MAX];
    int fd;
};
struct http_options {
    struct http_wanted wanted;
    uint32_t loops;
    struct http_limits limits;
    const char *csp_form_action; /* added to form-action, or NULL */
    /* NULL: http_create() opens its own. Otherwise one for each address, each with a socket for
     * each loop; those that are used become -1. */
    struct http_sockets *sockets;
    uint32_t sockets_count;
    const struct http_kept *kept; /* for files that cannot be used; stays the caller's */
    uint32_t kept_count;
};
/* Binds all listeners (SO_REUSEPORT, one socket per loop). A port in use: STOA_E_CONFIG with *diag
 * naming address, reason, and what to do. */
STOA_NODISCARD stoa_err http_create(const struct http_options *options, struct diag *diag,
                                    struct http **ret);
/* Starts serving on the loop of this thread. */
void http_attach(struct http *http);
/* Any thread: readyz fails, listeners stop, connections end at their next reply. idle(data) is
 * called on a loop's thread once nothing is left, or at the deadline. A loop that attaches later
 * drains as well; when none has yet, there is nothing to wait for. */
void http_drain(struct http *http, void (*idle)(void *data), void *data);
bool http_is_draining(const struct http *http);
/* Any thread, before http_drain(): another process accepts from the same sockets and goes on doing
 * so; what waits there is left to it. */
void http_keep_sockets(struct http *http);
/* "127.0.0.1:8080" as bound (port 0 gets its number); NULL past the last. */
const char *http_address(const struct http *http, uint32_t index);
/* Whether that one speaks TLS. */
bool http_is_tls(const struct http *http, uint32_t index);
/* From the next request on. Not a loop's thread. */
void http_set_limits(struct http *http, const struct http_limits *wanted);
/* Listening elsewhere, with other certificates, behind other proxies, in two steps: prepare opens
 * and reads what is new and can fail (STOA_E_CONFIG with *diag; nothing has changed then), commit
 * begins to accept there and ends where none of listen is. Connections go on with what they
 * have. A certificate whose files are the same stays, with its tickets. One at a time; not a
 * loop's thread. */
struct http_move;
STOA_NODISCARD stoa_err http_move_prepare(struct http *http, const struct http_wanted *wanted,
                                          struct diag *diag, struct http_move **ret);
void http_move_commit(struct http_move *move);
/* Between the two: what commit will open (is_opened) and close. */
void http_move_each(const struct http_move *move,
                    void (*each)(void *data, const struct http_sockets *sockets, bool is_opened),
                    void *data);
void http_move_abandon(struct http_move *move); /* NULL is fine */
uint32_t http_open_connections(const struct http *http);

/* For each address whose certificates have changed since this was asked last, or was not yet: what
 * is to be kept of them, or -1 for nothing. fd stays http's. Any thread; each does not wait. */
void http_each_kept(struct http *http, void (*each)(void *data, const char *address, int fd),
                    void *data);

/* Adds {"address", "file", "names", "sha256", "until", "days"} to list for each certificate in
 * force, and "problem" when an operator is to do something about it. Any thread. */
void http_certificates_status(struct http *http, struct stoa_json *list, struct stoa_arena *arena);
/* The same of wanted, with "change": added, changed, removed, or unchanged with a problem. http:
 * what is in force, or NULL. STOA_E_CONFIG with *diag for one that cannot be used. On the thread
 * that moves. */
STOA_NODISCARD stoa_err http_certificates_plan(const struct http *http,
                                               const struct http_wanted *wanted, struct diag *diag,
                                               struct stoa_json *list, struct stoa_arena *arena);

#endif
