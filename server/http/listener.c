/* http/listener.c: one socket a loop for each address. SPDX-License-Identifier: Apache-2.0 */
#include "http/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct endpoint {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
    socklen_t length;
    bool is_dual; /* ":8080": IPv6 and IPv4 */
};

static void set_v4(struct endpoint *ret, const struct http_ip *ip, uint16_t port)
{
    *ret = (struct endpoint){.v4 = {.sin_family = AF_INET, .sin_port = htons(port)},
                             .length = sizeof(ret->v4)};
    memcpy(&ret->v4.sin_addr, ip->bytes + 12, 4);
}

static void set_v6(struct endpoint *ret, const struct http_ip *ip, uint16_t port)
{
    *ret = (struct endpoint){.v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)},
                             .length = sizeof(ret->v6)};
    memcpy(&ret->v6.sin6_addr, ip->bytes, 16);
}

static bool parse_host(stoa_str host, uint16_t port, struct endpoint *ret)
{
    struct http_ip ip = {0};
    bool in_brackets = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';

    if (host.len == 0) {
        set_v6(ret, &ip, port);
        ret->is_dual = true;
        return true;
    }
    if (stoa_str_is(host, "localhost"))
        host = STOA_STR("127.0.0.1");
    if (in_brackets != (stoa_str_find(host, ':', 0) >= 0) || !http_ip_parse(host, &ip))
        return false;
    if (in_brackets)
        set_v6(ret, &ip, port);
    else
        set_v4(ret, &ip, port);
    return true;
}

/* "host:port", split at the last colon. */
static bool parse_endpoint(const char *address, struct endpoint *ret)
{
    const char *colon = strrchr(address, ':');
    int64_t port;

    if (!colon || stoa_str_int(stoa_str_of(colon + 1), 0, 65535, &port) != STOA_OK)
        return false;
    return parse_host((stoa_str){address, (uint64_t)(colon - address)}, (uint16_t)port, ret);
}

static uint16_t port_of(const struct endpoint *endpoint)
{
    return ntohs(endpoint->any.sa_family == AF_INET ? endpoint->v4.sin_port
                                                    : endpoint->v6.sin6_port);
}

static void set_option(int fd, int level, int name, int value)
{
    (void)setsockopt(fd, level, name, &value, sizeof(value));
}

/* The first socket binds and listens without SO_REUSEPORT, so that a port which another program
 * has, another instance of ours included, is found taken and not shared with it. Only then does it
 * let the other loops' sockets in. -1 with errno. */
static int open_socket(const struct endpoint *endpoint, bool is_first)
{
    int fd = socket(endpoint->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err;

    if (fd < 0)
        return -1;
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (!is_first)
        set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1); /* accepted sockets inherit it */
    if (endpoint->any.sa_family == AF_INET6)
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !endpoint->is_dual);
    if (bind(fd, &endpoint->any, endpoint->length) == 0 && listen(fd, SOMAXCONN) == 0) {
        if (is_first)
            set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
        return fd;
    }
    err = errno;
    close(fd);
    errno = err;
    return -1;
}

static stoa_err refuse(struct diag *diag, const char *address, uint16_t port)
{
    int err = errno;

    switch (err) {
    case EADDRINUSE:
        diag_set(diag, "", 0, 0, "%s is in use", address);
        diag_hint(diag, "stop the other program, or use --port %u", port < 65535 ? port + 1 : 8080);
        break;
    case EACCES:
        diag_set(diag, "", 0, 0, "%s may not be listened on by this user", address);
        diag_hint(diag, "use a port from 1024 on, or grant CAP_NET_BIND_SERVICE");
        break;
    case EADDRNOTAVAIL:
        diag_set(diag, "", 0, 0, "%s is no address of this machine", address);
        diag_hint(diag, "use 127.0.0.1 for this machine only, or :%u for all its addresses", port);
        break;
    default:
        diag_set(diag, "", 0, 0, "cannot listen on %s: %s", address, strerror(err));
    }
    return STOA_E_CONFIG;
}

/* How the listener is reached, with the number that port 0 was given. */
static void format_address(const struct endpoint *endpoint, char ret[HTTP_BOUND_MAX])
{
    char text[HTTP_IP_TEXT];
    struct http_ip ip = http_ip_of(&endpoint->any);
    uint16_t port = port_of(endpoint);

    http_ip_format(&ip, text);
    if (endpoint->is_dual)
        snprintf(ret, HTTP_BOUND_MAX, ":%u", port);
    else if (endpoint->any.sa_family == AF_INET)
        snprintf(ret, HTTP_BOUND_MAX, "%s:%u", text, port);
    else
        snprintf(ret, HTTP_BOUND_MAX, "[%s]:%u", text, port);
}

static int open_first(struct endpoint *endpoint)
{
    static const struct http_ip any;
    int fd = open_socket(endpoint, true);

    /* A machine without IPv6. */
    if (fd < 0 && endpoint->is_dual && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
        set_v4(endpoint, &any, port_of(endpoint));
        endpoint->is_dual = true;
        fd = open_socket(endpoint, true);
    }
    if (fd >= 0)
        getsockname(fd, &endpoint->any, &endpoint->length);
    return fd;
}

/* ---- Sockets that were open before ---- */

static bool is_same(const struct endpoint *wanted, const struct endpoint *has)
{
    if (wanted->any.sa_family != has->any.sa_family || port_of(wanted) != port_of(has))
        return false;
    if (wanted->any.sa_family == AF_INET)
        return wanted->v4.sin_addr.s_addr == has->v4.sin_addr.s_addr;
    return memcmp(&wanted->v6.sin6_addr, &has->v6.sin6_addr, sizeof wanted->v6.sin6_addr) == 0;
}

/* -1: none of them has this address. */
static int find_given(const struct http_given *given, const struct endpoint *endpoint)
{
    for (uint32_t i = 0; given && i < given->count; i++) {
        struct endpoint has = {.length = sizeof has.v6};
        if (given->fds[i] >= 0 && getsockname(given->fds[i], &has.any, &has.length) == 0 &&
            is_same(endpoint, &has)) {
            int fd = given->fds[i];
            given->fds[i] = -1;
            return fd;
        }
    }
    return -1;
}

/* One queue for all loops: whoever opened it has opened one socket. */
static stoa_err share(int fd, uint32_t loops, struct http_sockets *ret)
{
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    for (uint32_t i = 0; i < loops; i++) {
        ret->fds[i] = i == 0 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 0);
        ret->count++;
        if (ret->fds[i] < 0)
            return STOA_E_CONFIG;
    }
    return STOA_OK;
}

/* ---- Opening ---- */

static stoa_err open_all(struct endpoint *endpoint, uint32_t loops, struct http_sockets *ret)
{
    for (uint32_t i = 0; i < loops; i++) {
        ret->fds[i] = i == 0 ? open_first(endpoint) : open_socket(endpoint, false);
        ret->count++;
        if (ret->fds[i] < 0)
            return STOA_E_CONFIG;
    }
    return STOA_OK;
}

stoa_err http_sockets_open(const char *address, uint32_t loops, const struct http_given *given,
                           struct diag *diag, struct http_sockets *ret)
{
    struct endpoint endpoint;
    int fd;

    stoa_assert(loops >= 1 && loops <= HTTP_SOCKETS_MAX);
    *ret = (struct http_sockets){.count = 0};
    if (snprintf(ret->address, sizeof ret->address, "%s", address) >= HTTP_ADDRESS_MAX ||
        !parse_endpoint(address, &endpoint)) {
        diag_set(diag, "", 0, 0, "%s is no address to listen on", address);
        diag_hint(diag, "write 127.0.0.1:8080, [::1]:8080 or :8080");
        return STOA_E_CONFIG;
    }
    fd = find_given(given, &endpoint);
    if ((fd >= 0 ? share(fd, loops, ret) : open_all(&endpoint, loops, ret)) != STOA_OK) {
        stoa_err err = refuse(diag, address, port_of(&endpoint));
        http_sockets_close(ret);
        return err;
    }
    format_address(&endpoint, ret->bound);
    return STOA_OK;
}

void http_sockets_close(struct http_sockets *sockets)
{
    for (uint32_t i = 0; i < sockets->count; i++) {
        if (sockets->fds[i] >= 0)
            close(sockets->fds[i]);
        sockets->fds[i] = -1;
    }
}
