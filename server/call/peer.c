/* call/peer.c: choose, send, judge, try again or not. SPDX-License-Identifier: Apache-2.0 */
#include "call/peer.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "call/balance.h"
#include "call/breaker.h"
#include "call/budget.h"
#include "call/peer_conn.h"
#include "call/peer_name.h"
#include "fiber/fiber.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct peer {
    struct peer_name name;
    char node[SIGN_NODE_MAX + 1];
    pthread_mutex_t lock; /* of all below */
    struct breaker breaker;
    bool is_draining; /* its /readyz said so */
    bool is_probed;   /* a question for it is on its way */
    uint32_t in_flight;
    uint64_t calls, failures;
    struct peer *next;
};

static pthread_mutex_t peers_lock = PTHREAD_MUTEX_INITIALIZER;
static struct peer *peers; /* only grows: read without the lock from any known element on */
static uint32_t peer_count;
static pthread_mutex_t budget_lock = PTHREAD_MUTEX_INITIALIZER;
static struct budget retries;
static __thread uint32_t turn;

/* ---- The list ---- */

static struct peer *find(const struct peer_name *name, stoa_str node)
{
    for (struct peer *p = peers; p; p = p->next)
        if (strcmp(p->name.authority, name->authority) == 0 && stoa_str_is(node, p->node))
            return p;
    return NULL;
}

static struct peer *add(const struct peer_name *name, stoa_str node)
{
    struct peer *p = calloc(1, sizeof *p);

    stoa_assert(p);
    p->name = *name;
    memcpy(p->node, node.ptr, node.len);
    pthread_mutex_init(&p->lock, NULL);
    p->next = peers;
    peers = p;
    peer_count++;
    return p;
}

struct peer *peer_get(stoa_str url, stoa_str node)
{
    struct peer_name name;
    struct peer *p;

    if (!peer_name_parse(url, &name) || node.len == 0 || node.len > SIGN_NODE_MAX)
        return NULL;
    pthread_mutex_lock(&peers_lock);
    p = find(&name, node);
    if (!p && peer_count < PEER_ADDRESSES_MAX)
        p = add(&name, node);
    pthread_mutex_unlock(&peers_lock);
    return p;
}

/* ---- Who gets it ---- */

enum admission { ADMITTED, NONE_UP, ALL_BUSY };

static struct breaker_pass enter(struct peer *p, uint32_t in_flight_max, int64_t now)
{
    struct breaker_pass pass = {.as = BREAKER_REFUSED};

    pthread_mutex_lock(&p->lock);
    if (!p->is_draining && p->in_flight < in_flight_max)
        pass = breaker_enter(&p->breaker, now);
    if (pass.as != BREAKER_REFUSED) {
        p->in_flight++;
        p->calls++;
    }
    pthread_mutex_unlock(&p->lock);
    return pass;
}

static struct balance_address look(struct peer *p, uint32_t in_flight_max, bool *is_full)
{
    struct balance_address a;

    pthread_mutex_lock(&p->lock);
    a.in_flight = p->in_flight;
    a.is_up = !p->is_draining && breaker_is_passable(&p->breaker, clock_monotonic_ms());
    pthread_mutex_unlock(&p->lock);
    *is_full |= a.is_up && a.in_flight >= in_flight_max;
    a.is_up &= a.in_flight < in_flight_max;
    return a;
}

struct admitted {
    struct peer *peer;
    struct breaker_pass pass;
};

/* tried: a bit for each of the group. Another loop may be faster: then the next best is asked. */
static enum admission admit(const struct peer_group *g, const struct peer_message *m,
                            uint32_t *tried, struct admitted *ret)
{
    struct balance_address all[PEER_GROUP_MAX];
    bool is_full = false;
    int32_t best;

    for (uint32_t i = 0; i < g->count; i++) {
        all[i] = look(g->peers[i], m->in_flight_max, &is_full);
        all[i].was_tried = *tried & (1u << i);
    }
    turn++;
    while ((best = balance_choose(all, g->count, turn)) >= 0) {
        *tried |= 1u << best;
        ret->peer = g->peers[best];
        ret->pass = enter(ret->peer, m->in_flight_max, clock_monotonic_ms());
        if (ret->pass.as != BREAKER_REFUSED)
            return ADMITTED;
        all[best].is_up = false;
    }
    return is_full ? ALL_BUSY : NONE_UP;
}

/* ---- How it went ---- */

enum outcome {
    ANSWERED,
    ELSEWHERE, /* it lives, but the plugin is not there (421) */
    OVERSIZED, /* 413 */
    CROWDED,   /* 429: it lives, and has too many from this address */
    UNREACHED, /* nobody took a byte of it */
    UNTOUCHED, /* refused at the door: nothing has happened there */
    UNKNOWN,   /* it failed, and may have happened */
    OUT_OF_TIME,
    GIVEN_UP, /* by who asked */
};

static void leave(struct admitted a, enum outcome o)
{
    struct peer *p = a.peer;
    int64_t now = clock_monotonic_ms();
    bool turned = false, is_failure = o >= UNREACHED && o <= OUT_OF_TIME;

    pthread_mutex_lock(&p->lock);
    p->in_flight--;
    p->failures += is_failure;
    if (is_failure)
        turned = breaker_fail(&p->breaker, a.pass, now);
    else if (o == GIVEN_UP)
        breaker_forget(&p->breaker, a.pass);
    else
        turned = breaker_succeed(&p->breaker, a.pass, now);
    pthread_mutex_unlock(&p->lock);
    metric_add(METRIC_peer_failures_total, is_failure);
    if (!turned)
        return;
    metric_add(METRIC_peer_breaker_opened_total, is_failure);
    log_put(
        is_failure ? STOA_WARN : STOA_INFO, "peer",
        is_failure ? "a node does not answer; it is left alone for a moment"
                   : "a node answers again",
        STOA_FIELDS(stoa_f("node", stoa_z(p->node)), stoa_f("address", stoa_z(p->name.authority))));
}

/* Only what the door itself (gate/internal.c) and those before it say was said before any plugin
 * saw the call. A 503 may be of a call that was begun. */
static enum outcome read_status(const struct peer *p, const struct peer_exchange *x)
{
    uint32_t status = x->reply.status;

    if (status == 200)
        return ANSWERED;
    if (status == 421)
        return ELSEWHERE;
    if (status == 413)
        return OVERSIZED;
    if (status == 429)
        return CROWDED;
    if (status == 401 || status == 404)
        log_error("peer", "a node does not take this node's calls; its log says why",
                  stoa_f("node", stoa_z(p->node)), stoa_f("address", stoa_z(p->name.authority)),
                  stoa_f("status", stoa_i(status)));
    return status == 400 || status == 401 || status == 404 ? UNTOUCHED : UNKNOWN;
}

static enum outcome judge(stoa_err err, const struct peer *p, const struct peer_exchange *x)
{
    if (err == STOA_OK)
        return read_status(p, x);
    if (err == STOA_E_CANCELLED)
        return GIVEN_UP;
    if (err == STOA_E_TIMEOUT)
        return OUT_OF_TIME;
    return x->is_begun ? UNKNOWN : UNREACHED;
}

/* ---- One try ---- */

static stoa_str make_head(const struct peer *p, const struct peer_message *m,
                          struct peer_conn *conn, stoa_str *call)
{
    const struct sign_claim claim = {clock_utc_ms(), peer_conn_id(conn), peer_conn_next(conn),
                                     m->from, stoa_str_of(p->node)};
    char *signature = stoa_arena_take(m->arena, SIGN_TEXT_MAX), trace[56];
    struct stoa_buf head;

    sign_make(&m->keys, &claim, m->body, signature);
    *call = stoa_str_of(signature);
    trace_format(m->trace, trace);
    stoa_buf_init(&head, m->arena, 1024);
    stoa_buf_put(&head, STOA_STR("POST " PEER_PATH " HTTP/1.1\r\nhost: "));
    stoa_buf_put(&head, stoa_str_of(p->name.authority));
    stoa_buf_put(&head, STOA_STR("\r\ntraceparent: "));
    stoa_buf_put(&head, (stoa_str){trace, sizeof trace - 1});
    stoa_buf_put(&head, STOA_STR("\r\n" SIGN_HEADER ": "));
    stoa_buf_put(&head, *call);
    stoa_buf_put(&head, STOA_STR("\r\ncontent-type: application/octet-stream\r\ncontent-length: "));
    stoa_buf_int(&head, (int64_t)m->body.len);
    stoa_buf_put(&head, STOA_STR("\r\n\r\n"));
    return stoa_buf_str(&head);
}

/* Who is on the way could give one call the reply to another, or its own. */
static bool is_genuine(const struct peer *p, const struct peer_message *m,
                       const struct peer_exchange *x)
{
    if (x->reply.status != 200 ||
        sign_is_reply(&m->keys, x->call, x->reply_body, stoa_str_of(x->reply.signature)))
        return true;
    log_error("peer", "a reply is not signed by a node of this cluster, or is not this call's",
              stoa_f("node", stoa_z(p->node)), stoa_f("address", stoa_z(p->name.authority)));
    return false;
}

static stoa_err exchange_on(struct peer *p, struct peer_message *m, struct peer_conn *conn,
                            struct peer_exchange *x)
{
    stoa_err err;

    *x = (struct peer_exchange){.arena = m->arena, .body = m->body};
    x->head = make_head(p, m, conn, &x->call);
    err = peer_conn_exchange(conn, x);
    if (err == STOA_OK && !is_genuine(p, m, x))
        err = STOA_E_UPSTREAM;
    if (err == STOA_OK)
        peer_conn_keep(conn);
    else
        peer_conn_close(conn);
    return err;
}

/* The other side may have ended an idle connection just now: not a byte came back. What may be
 * repeated goes over a new one, and counts as the same try. */
static bool was_stale(stoa_err err, const struct peer_message *m, const struct peer_exchange *x)
{
    return err == STOA_E_UPSTREAM && !x->is_answered && (m->may_repeat || !x->is_begun);
}

/* *is_doubtful is set when something may have come of it, whatever comes of the next try. */
static enum outcome try_once(struct peer *p, struct peer_message *m, bool *is_doubtful)
{
    struct peer_conn *conn = peer_conn_reuse(p);
    struct peer_exchange x = {0};
    struct sockaddr_storage address;
    stoa_err err = STOA_E_UPSTREAM;
    enum outcome o;

    if (conn) {
        err = exchange_on(p, m, conn, &x);
        if (!was_stale(err, m, &x))
            goto out;
        *is_doubtful |= x.is_begun;
        x = (struct peer_exchange){0};
    }
    err = peer_name_resolve(&p->name, &p->lock, m->pool, &address);
    if (err == STOA_OK)
        err = peer_conn_open(p, &address, &conn);
    if (err == STOA_OK)
        err = exchange_on(p, m, conn, &x);
out:
    m->reply = x.reply_body;
    o = judge(err, p, &x);
    *is_doubtful |= o == UNKNOWN;
    return o;
}

/* ---- One call ---- */

static bool may_retry(void)
{
    bool may;

    pthread_mutex_lock(&budget_lock);
    may = budget_retry(&retries, clock_monotonic_ms());
    pthread_mutex_unlock(&budget_lock);
    metric_add(may ? METRIC_peer_retries_total : METRIC_peer_retries_refused_total, 1);
    return may;
}

static void count_call(void)
{
    metric_add(METRIC_peer_calls_total, 1);
    pthread_mutex_lock(&budget_lock);
    budget_call(&retries, clock_monotonic_ms());
    pthread_mutex_unlock(&budget_lock);
}

/* A retry is what makes somebody work again. Going on from where nobody listens, or where the
 * plugin is not any more, does not. */
static bool goes_on(enum outcome o, const struct peer_message *m)
{
    if (o == ELSEWHERE || o == UNREACHED)
        return true;
    return (o == UNTOUCHED || o == CROWDED || (o == UNKNOWN && m->may_repeat)) && may_retry();
}

static stoa_err error_of(enum outcome o)
{
    static const stoa_err errors[] = {[ANSWERED] = STOA_OK,           [ELSEWHERE] = STOA_E_PLUGIN,
                                      [OVERSIZED] = STOA_E_TOO_LARGE, [UNREACHED] = STOA_E_PLUGIN,
                                      [UNTOUCHED] = STOA_E_PLUGIN,    [UNKNOWN] = STOA_E_TIMEOUT,
                                      [OUT_OF_TIME] = STOA_E_TIMEOUT, [GIVEN_UP] = STOA_E_CANCELLED,
                                      [CROWDED] = STOA_E_BUSY};

    return errors[o];
}

stoa_err peer_send(const struct peer_group *group, struct peer_message *m)
{
    enum { PATIENCE_MS = 1000 };
    int64_t began = clock_monotonic_us(), left_ms;
    enum outcome o = UNREACHED;
    enum admission got = NONE_UP;
    struct admitted at = {0};
    uint32_t tried = 0;
    bool is_doubtful = false;
    stoa_err err;

    count_call();
    for (uint32_t i = 0; i < PEER_TRIES_MAX; i++) {
        got = admit(group, m, &tried, &at);
        if (got != ADMITTED)
            break;
        left_ms = fiber_deadline() - clock_monotonic_ms();
        o = try_once(at.peer, m, &is_doubtful);
        /* Who came with hardly any time left says nothing about the node. */
        leave(at, o == OUT_OF_TIME && left_ms < PATIENCE_MS ? GIVEN_UP : o);
        if (o == ANSWERED || !goes_on(o, m))
            break;
    }
    metric_observe_us(METRIC_peer_call_seconds, clock_monotonic_us() - began);
    err = got == ADMITTED ? error_of(o) : got == ALL_BUSY ? STOA_E_BUSY : STOA_E_PLUGIN;
    /* That the last address did nothing says nothing about those before it. */
    return is_doubtful && err != STOA_OK && err != STOA_E_CANCELLED ? STOA_E_TIMEOUT : err;
}

/* ---- Health ---- */

static void set_draining(struct peer *p, bool is_draining)
{
    bool changed;

    pthread_mutex_lock(&p->lock);
    changed = p->is_draining != is_draining;
    p->is_draining = is_draining;
    pthread_mutex_unlock(&p->lock);
    if (changed)
        log_info("peer", is_draining ? "a node takes no more calls" : "a node takes calls again",
                 stoa_f("node", stoa_z(p->node)), stoa_f("address", stoa_z(p->name.authority)));
}

struct probe {
    struct peer *peer;
    struct pool *pool;
};

static stoa_err ask_ready(struct probe *probe, struct peer_exchange *x)
{
    struct sockaddr_storage address;
    struct peer_conn *conn;
    stoa_err err;

    STOA_TRY(peer_name_resolve(&probe->peer->name, &probe->peer->lock, probe->pool, &address));
    STOA_TRY(peer_conn_open(probe->peer, &address, &conn));
    err = peer_conn_exchange(conn, x);
    peer_conn_close(conn);
    return err;
}

static void probe_run(void *arg)
{
    struct probe *probe = arg;
    struct peer *p = probe->peer;
    struct peer_exchange x = {.arena = stoa_arena_create()};
    char head[512];
    stoa_err err;

    fiber_set_deadline(clock_monotonic_ms() + PEER_PROBE_MS);
    snprintf(head, sizeof head, "GET /readyz HTTP/1.1\r\nhost: %s\r\nconnection: close\r\n\r\n",
             p->name.authority);
    x.head = stoa_str_of(head);
    err = ask_ready(probe, &x);
    if (err == STOA_OK)
        set_draining(p, x.reply.status == 503);
    pthread_mutex_lock(&p->lock);
    if (err == STOA_OK && x.reply.status == 200)
        breaker_hurry(&p->breaker, clock_monotonic_ms());
    p->is_probed = false;
    pthread_mutex_unlock(&p->lock);
    stoa_arena_destroy(x.arena);
}

static void probe_over(void *arg)
{
    free(arg);
}

static void probe_start(struct peer *p, struct pool *pool)
{
    struct probe *probe;
    bool is_busy;

    pthread_mutex_lock(&p->lock);
    is_busy = p->is_probed;
    p->is_probed = true;
    pthread_mutex_unlock(&p->lock);
    if (is_busy)
        return;
    probe = calloc(1, sizeof *probe);
    stoa_assert(probe);
    *probe = (struct probe){p, pool};
    if (fiber_spawn(probe_run, probe_over, probe, NULL) == STOA_OK)
        return;
    free(probe);
    pthread_mutex_lock(&p->lock);
    p->is_probed = false;
    pthread_mutex_unlock(&p->lock);
}

void peer_probe(const struct peer_group *group, struct pool *pool)
{
    for (uint32_t i = 0; i < group->count; i++)
        probe_start(group->peers[i], pool);
}

/* ---- Status ---- */

static void put_status(struct peer *p, struct stoa_json *one)
{
    stoa_json_set_str(one, "node", stoa_str_of(p->node));
    stoa_json_set_str(one, "address", stoa_str_of(p->name.authority));
    pthread_mutex_lock(&p->lock);
    stoa_json_set_str(one, "breaker", stoa_str_of(breaker_state_name(p->breaker.state)));
    stoa_json_set_bool(one, "ready", !p->is_draining && p->breaker.state == BREAKER_CLOSED);
    stoa_json_set_bool(one, "draining", p->is_draining);
    stoa_json_set_int(one, "in_flight", p->in_flight);
    stoa_json_set_int(one, "calls", (int64_t)p->calls);
    stoa_json_set_int(one, "failures", (int64_t)p->failures);
    pthread_mutex_unlock(&p->lock);
}

void peer_status(struct stoa_json *list, struct stoa_arena *arena)
{
    struct peer *p;

    pthread_mutex_lock(&peers_lock);
    p = peers;
    pthread_mutex_unlock(&peers_lock);
    for (; p; p = p->next)
        put_status(p, stoa_json_push(list, stoa_json_object(arena)));
}
