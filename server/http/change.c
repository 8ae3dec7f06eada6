/* http/change.c: what changes while visitors are served: limits, where is listened and with which
 * certificates, who is trusted as a proxy.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/internal.h"

#include "base/log.h"
#include <stdlib.h>

/* ---- Limits ---- */

struct tune {
    struct loop_message message;
    struct http *http;
    struct http_tuning *replaced; /* or NULL */
};

/* libh2o's own clocks are each loop's. Nothing of this loop reads what was replaced any more. */
static void tune_here(struct loop_message *message)
{
    struct tune *tune = (struct tune *)message;
    struct http_loop *loop = tune->http->loops[loop_index(loop_current())];

    loop->context.http1.req_timeout.timeout = http_tuning(tune->http)->limits.request_ms;
    loop->context.handshake_timeout.timeout = loop->context.http1.req_timeout.timeout;
    if (atomic_fetch_sub(&tune->replaced->users, 1) == 1)
        free(tune->replaced);
    free(tune);
}

/* Under the lock. */
static uint32_t count_loops(const struct http *http)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < http->loop_count; i++)
        count += http->loops[i] != NULL;
    return count;
}

/* Under the lock. */
static void post_to_all(struct http *http, void (*run)(struct loop_message *message),
                        struct http_tuning *replaced)
{
    for (uint32_t i = 0; i < http->loop_count; i++) {
        struct tune *tune;
        if (!http->loops[i])
            continue;
        tune = calloc(1, sizeof *tune);
        stoa_assert(tune);
        *tune = (struct tune){.message.run = run, .http = http, .replaced = replaced};
        loop_post(http->loops[i]->loop, &tune->message);
    }
}

static_assert(sizeof(struct http_limits) == 14 * sizeof(uint32_t), "compared by its bytes");

static bool are_same_limits(const struct http_limits *a, const struct http_limits *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

void http_set_limits(struct http *http, const struct http_limits *wanted)
{
    struct http_tuning *tuning = http_tuning_create(wanted), *replaced;
    uint32_t users;

    pthread_mutex_lock(&http->lock);
    if (are_same_limits(&http_tuning(http)->limits, &tuning->limits)) {
        pthread_mutex_unlock(&http->lock);
        free(tuning);
        return;
    }
    /* One word, which libh2o reads for each request. */
    __atomic_store_n(&http->config.max_request_entity_size, tuning->limits.body_max,
                     __ATOMIC_RELAXED);
    replaced = atomic_exchange(&http->tuning, tuning);
    users = count_loops(http);
    atomic_store(&replaced->users, users);
    post_to_all(http, tune_here, replaced);
    pthread_mutex_unlock(&http->lock);
    if (users == 0)
        free(replaced);
}

/* ---- Listening elsewhere ---- */

struct http_move {
    struct http *http;
    bool opened[HTTP_LISTEN_MAX];     /* new: begins to accept */
    bool wanted[HTTP_LISTEN_MAX];     /* open before, and stays */
    struct tls *tls[HTTP_LISTEN_MAX]; /* from then on; those that stay the same are held, too */
    struct http_proxies proxies;
};

/* One that the list has not named before: ":0" may be there twice. */
static int32_t find_slot(const struct http_move *move, const char *address)
{
    const struct http *http = move->http;

    for (uint32_t i = 0; i < http->listener_count; i++)
        if (http->listeners[i].is_open && !move->wanted[i] &&
            strcmp(http->listeners[i].sockets.address, address) == 0)
            return (int32_t)i;
    return -1;
}

static int32_t free_slot(const struct http_move *move)
{
    for (uint32_t i = 0; i < HTTP_LISTEN_MAX; i++)
        if (!move->http->listeners[i].is_open && move->http->listeners[i].loops == 0 &&
            !move->opened[i])
            return (int32_t)i;
    return -1;
}

static stoa_err want_slot(struct http_move *move, const char *address, struct diag *diag,
                          int32_t *ret)
{
    struct http *http = move->http;

    *ret = find_slot(move, address);
    if (*ret >= 0) {
        move->wanted[*ret] = true;
        return STOA_OK;
    }
    *ret = free_slot(move);
    if (*ret < 0) {
        diag_set(diag, "", 0, 0, "listen has more than %d addresses, old ones included",
                 HTTP_LISTEN_MAX);
        return STOA_E_CONFIG;
    }
    STOA_TRY(
        http_sockets_open(address, http->loop_count, NULL, diag, &http->listeners[*ret].sockets));
    move->opened[*ret] = true;
    return STOA_OK;
}

static stoa_err want(struct http_move *move, const struct http_wanted *wanted, uint32_t index,
                     struct diag *diag)
{
    struct tls *tls = NULL, *before;
    int32_t slot;

    if (wanted->listen[index].certificate_count > 0)
        STOA_TRY(http_load_tls(wanted, index, -1, diag, &tls));
    if (want_slot(move, wanted->listen[index].address, diag, &slot) != STOA_OK) {
        tls_release(tls);
        return STOA_E_CONFIG;
    }
    before = move->opened[slot] ? NULL : move->http->listeners[slot].tls;
    move->tls[slot] = tls;
    if (tls_is_same(before, tls)) { /* the same bytes: tickets stay good */
        move->tls[slot] = tls_hold(before);
        tls_release(tls);
    }
    return STOA_OK;
}

stoa_err http_move_prepare(struct http *http, const struct http_wanted *wanted, struct diag *diag,
                           struct http_move **ret)
{
    struct http_move *move = calloc(1, sizeof *move);
    stoa_err err;

    move->http = http;
    err = http_proxies_read(wanted, diag, &move->proxies);
    for (uint32_t i = 0; i < wanted->listen_count && err == STOA_OK; i++)
        err = want(move, wanted, i, diag);
    if (err != STOA_OK) {
        http_move_abandon(move);
        return err;
    }
    *ret = move;
    return STOA_OK;
}

void http_move_abandon(struct http_move *move)
{
    for (uint32_t i = 0; move && i < HTTP_LISTEN_MAX; i++) {
        tls_release(move->tls[i]);
        if (move->opened[i])
            http_sockets_close(&move->http->listeners[i].sockets);
    }
    free(move);
}

void http_move_each(const struct http_move *move,
                    void (*each)(void *data, const struct http_sockets *sockets, bool is_opened),
                    void *data)
{
    for (uint32_t i = 0; i < HTTP_LISTEN_MAX; i++) {
        const struct http_listener *listener = &move->http->listeners[i];
        if (move->opened[i] || (listener->is_open && !move->wanted[i]))
            each(data, &listener->sockets, move->opened[i]);
    }
}

/* Each loop begins what is open, and takes what waits in the backlog of the rest before it closes
 * its socket there. Connections that were accepted live on. */
static void move_here(struct loop_message *message)
{
    struct tune *tune = (struct tune *)message;
    struct http_loop *loop = tune->http->loops[loop_index(loop_current())];

    if (!http_is_draining(tune->http))
        http_accept_change(loop);
    http_proxies_take(loop);
    free(tune);
}

static bool changes_slot(const struct http_move *move, uint32_t slot)
{
    const struct http_listener *listener = &move->http->listeners[slot];

    return move->opened[slot] || listener->is_open != move->wanted[slot] ||
           listener->tls != move->tls[slot];
}

/* Otherwise no loop needs to hear of it. */
static bool changes_anything(const struct http_move *move)
{
    bool changes = memcmp(&move->http->proxies, &move->proxies, sizeof move->proxies) != 0;

    for (uint32_t i = 0; i < HTTP_LISTEN_MAX; i++)
        changes = changes || changes_slot(move, i);
    return changes;
}

/* Loops take it with the message that follows. */
static void set_tls(struct http_move *move, uint32_t slot)
{
    struct http_listener *listener = &move->http->listeners[slot];
    struct tls *before = listener->tls;

    pthread_mutex_lock(&move->http->lock);
    listener->tls = move->tls[slot];
    listener->is_kept_told = listener->is_kept_told && before == move->tls[slot];
    pthread_mutex_unlock(&move->http->lock);
    if (before != move->tls[slot])
        http_certificates_log(listener);
    tls_release(before);
}

static void commit_slot(struct http_move *move, uint32_t slot)
{
    struct http_listener *listener = &move->http->listeners[slot];
    bool is_open = move->opened[slot] || move->wanted[slot];

    if (listener->is_open && !is_open)
        log_info("http", "no longer listened on",
                 stoa_f("address", stoa_z(listener->sockets.bound)));
    if (move->opened[slot])
        log_info("http", "listened on, too", stoa_f("address", stoa_z(listener->sockets.bound)));
    set_tls(move, slot);
    atomic_store(&listener->is_open, is_open);
    if (is_open && slot >= move->http->listener_count)
        move->http->listener_count = slot + 1;
}

void http_move_commit(struct http_move *move)
{
    struct http *http = move->http;
    bool changes = changes_anything(move);

    for (uint32_t i = 0; i < HTTP_LISTEN_MAX; i++)
        commit_slot(move, i);
    pthread_mutex_lock(&http->lock);
    http->proxies = move->proxies;
    if (changes)
        post_to_all(http, move_here, NULL);
    pthread_mutex_unlock(&http->lock);
    free(move);
}
