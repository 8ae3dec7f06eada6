/* call/peer_name.c: names of hosts. SPDX-License-Identifier: Apache-2.0 */
#include "call/peer_name.h"

#include "base/clock.h"
#include "call/peer.h"
#include <netdb.h>
#include <stdio.h>

static bool keep(stoa_str text, char *ret, size_t size)
{
    if (text.len == 0 || text.len >= size)
        return false;
    memcpy(ret, text.ptr, text.len);
    ret[text.len] = '\0';
    return true;
}

/* "[::1]:9001" → "::1", ":9001" */
static bool split(stoa_str authority, stoa_str *host, stoa_str *port)
{
    int64_t at;

    if (authority.len > 0 && authority.ptr[0] == '[') {
        at = stoa_str_find(authority, ']', 0);
        if (at < 0)
            return false;
        *host = stoa_str_sub(authority, 1, (uint64_t)at - 1);
        *port = stoa_str_sub(authority, (uint64_t)at + 1, UINT64_MAX);
        return port->len == 0 || port->ptr[0] == ':';
    }
    *port = authority;
    *host = stoa_str_cut(port, ':');
    *port = port->ptr ? (stoa_str){port->ptr - 1, port->len + 1} : (stoa_str){"", 0};
    return true;
}

bool peer_name_parse(stoa_str url, struct peer_name *ret)
{
    const stoa_str scheme = STOA_STR("http://");
    stoa_str rest, host, port;
    int64_t number = 80;

    *ret = (struct peer_name){.port = "80"};
    if (!stoa_str_starts(url, scheme))
        return false;
    rest = stoa_str_sub(url, scheme.len, UINT64_MAX);
    if (!keep(rest, ret->authority, sizeof ret->authority) || !split(rest, &host, &port) ||
        !keep(host, ret->host, sizeof ret->host))
        return false;
    port = stoa_str_sub(port, 1, UINT64_MAX);
    return port.len == 0 || (stoa_str_int(port, 1, 65535, &number) == STOA_OK &&
                             keep(port, ret->port, sizeof ret->port));
}

struct question {
    const char *host, *port;
    struct sockaddr_storage *ret;
    bool is_found;
};

static bool ask(struct question *q, int flags)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
    struct addrinfo *found = NULL;

    if (getaddrinfo(q->host, q->port, &hints, &found) != 0 || !found)
        return false;
    memcpy(q->ret, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return true;
}

static void ask_network(void *arg)
{
    struct question *q = arg;

    q->is_found = ask(q, AI_ADDRCONFIG);
}

static void remember(struct peer_name *name, pthread_mutex_t *lock,
                     const struct sockaddr_storage *address, int64_t until_ms)
{
    pthread_mutex_lock(lock);
    name->address = *address;
    name->until_ms = until_ms;
    pthread_mutex_unlock(lock);
}

stoa_err peer_name_resolve(struct peer_name *name, pthread_mutex_t *lock, struct pool *pool,
                           struct sockaddr_storage *ret)
{
    struct sockaddr_storage fresh = {0};
    struct question q = {name->host, name->port, &fresh, false};
    int64_t until, now = clock_monotonic_ms();
    stoa_err err;

    pthread_mutex_lock(lock);
    *ret = name->address;
    until = name->until_ms;
    pthread_mutex_unlock(lock);
    if (until > now)
        return STOA_OK;
    if (ask(&q, AI_NUMERICHOST | AI_NUMERICSERV)) {
        remember(name, lock, &fresh, INT64_MAX);
        *ret = fresh;
        return STOA_OK;
    }
    err = pool_run(pool, POOL_FILE, ask_network, &q);
    if (err == STOA_OK && q.is_found) {
        remember(name, lock, &fresh, now + PEER_RESOLVE_MS);
        *ret = fresh;
        return STOA_OK;
    }
    if (until > 0)
        return STOA_OK; /* what was true a moment ago */
    return err == STOA_OK ? STOA_E_PLUGIN : err;
}
