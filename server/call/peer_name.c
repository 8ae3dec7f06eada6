/* call/peer_name.c: names of hosts. SPDX-License-Identifier: Apache-2.0 */
#include "call/peer_name.h"

#include "base/clock.h"
#include "call/peer.h"
#include "fiber/fiber.h"
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

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

/* ---- One question at a time, on a fiber that nobody waits for ---- */

struct inquiry {
    struct peer_name *name;
    pthread_mutex_t *lock;
    struct pool *pool;
};

static void remember(struct peer_name *name, pthread_mutex_t *lock,
                     const struct sockaddr_storage *address, int64_t until_ms)
{
    pthread_mutex_lock(lock);
    if (address) {
        name->address = *address;
        name->is_known = true;
    }
    name->until_ms = until_ms;
    name->is_asking = false;
    pthread_mutex_unlock(lock);
}

static void inquire(void *arg)
{
    struct inquiry *i = arg;
    struct sockaddr_storage fresh = {0};
    struct question q = {i->name->host, i->name->port, &fresh, false};
    bool is_found = pool_run(i->pool, POOL_NAME, ask_network, &q) == STOA_OK && q.is_found;

    remember(i->name, i->lock, is_found ? &fresh : NULL,
             clock_monotonic_ms() + (is_found ? PEER_RESOLVE_MS : PEER_RESOLVE_AGAIN_MS));
}

static void inquired(void *arg)
{
    free(arg);
}

static stoa_err start_inquiry(struct peer_name *name, pthread_mutex_t *lock, struct pool *pool)
{
    struct inquiry *i = calloc(1, sizeof *i);
    stoa_err err;

    stoa_assert(i);
    *i = (struct inquiry){name, lock, pool};
    err = fiber_spawn(inquire, inquired, i, NULL);
    if (err == STOA_OK)
        return STOA_OK;
    free(i);
    remember(name, lock, NULL, 0);
    return err;
}

/* ---- What is known ---- */

struct known {
    bool is_address, is_old, must_ask; /* must_ask: this caller, and nobody else */
};

static struct known look(struct peer_name *name, pthread_mutex_t *lock,
                         struct sockaddr_storage *ret)
{
    struct known k;

    pthread_mutex_lock(lock);
    *ret = name->address;
    k.is_address = name->is_known;
    k.is_old = name->until_ms <= clock_monotonic_ms();
    k.must_ask = k.is_old && !name->is_asking;
    name->is_asking |= k.must_ask;
    pthread_mutex_unlock(lock);
    return k;
}

/* A number needs no question. */
static bool is_number(struct peer_name *name, pthread_mutex_t *lock, struct sockaddr_storage *ret)
{
    struct sockaddr_storage number = {0};
    struct question q = {name->host, name->port, &number, false};

    if (!ask(&q, AI_NUMERICHOST | AI_NUMERICSERV))
        return false;
    *ret = number;
    remember(name, lock, ret, INT64_MAX);
    return true;
}

/* The questions of other loops' fibers tell this one nothing, so it looks, until there is an answer
 * or there is none. Only a name's first calls come this way. */
stoa_err peer_name_resolve(struct peer_name *name, pthread_mutex_t *lock, struct pool *pool,
                           struct sockaddr_storage *ret)
{
    enum { LOOK_EVERY_MS = 5 };
    stoa_err err = STOA_OK;

    for (;;) {
        struct known k = look(name, lock, ret);
        if (k.must_ask && (k.is_address || !is_number(name, lock, ret)))
            err = start_inquiry(name, lock, pool);
        else if (k.must_ask)
            return STOA_OK;
        if (k.is_address)
            return STOA_OK; /* what was true a moment ago, if it is old */
        if (err != STOA_OK)
            return err;
        if (!k.is_old)
            return STOA_E_PLUGIN; /* nobody knew it a moment ago */
        STOA_TRY(fiber_sleep(LOOK_EVERY_MS));
    }
}
