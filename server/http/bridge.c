/* http/bridge.c: a request of libh2o becomes one of ours, runs on a fiber, and goes back.
 *
 * Who holds whom: the exchange lives in the request's arena and belongs to its connection until the
 * reply's last byte is with the kernel (libh2o's logger hook tells) and the handler has returned,
 * whichever is later. Nothing a handler sees is libh2o's memory. SPDX-License-Identifier:
 * Apache-2.0 */
#include "http/internal.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/metrics.h"
#include "gate/dispatch.h"
#include "plugin/world.h"
#include <errno.h>

enum { TLS_HEAD = 5 }; /* of a record: type, version, length */

/* ---- The end of an exchange ---- */

static void log_exchange(const struct http_exchange *x)
{
    const struct stoa_req *req = &x->req;
    int32_t status = req->reply.status;
    struct log_access entry = {
        .method = req->method_text,
        .path = req->path,
        .route = stoa_str_of(req->route_path),
        .plugin = stoa_str_of(req->plugin_name),
        .client = req->client,
        .request_id = req->id,
        .trace_id = req->trace.trace_id,
        .user_id = req->identity.user_id,
        .status = status,
        .loop = req->loop,
        .bytes = req->is_head ? 0 : (int64_t)req->reply.body.len,
        .duration_us = x->answered_us - req->started_us,
        .ended_us = x->answered_us,
    };

    log_access(&entry);
    metric_add(METRIC_requests_total, 1);
    metric_observe_us(METRIC_request_seconds, entry.duration_us);
    if (status >= 500)
        metric_add(METRIC_responses_5xx_total, 1);
}

/* The handler has returned: a client that reads slowly takes nobody's place. */
static void stop_counting(struct http_exchange *x)
{
    if (!x->is_counted)
        return;
    x->is_counted = false;
    x->loop->in_flight--;
    x->address->in_flight--;
    metric_add(METRIC_requests_in_flight, -1);
}

static void exchange_end(struct http_exchange *x)
{
    struct http_loop *loop = x->loop;
    struct world *world = x->is_let_go ? NULL : x->req.world;

    world_hold_end(&x->hold);
    stop_counting(x);
    if (x->is_answered)
        log_exchange(x);
    request_finish(&x->req);
    http_address_release(&loop->addresses, x->address);
    *x->link = x->next;
    if (x->next)
        x->next->link = x->link;
    stoa_arena_destroy(x->req.arena);
    if (world)
        world_unpin(world); /* last: route and plugin names were the world's */
    http_drain_check(loop);
}

/* What was answered without an exchange: the guard's refusals, the caps', libh2o's own. */
static void log_refusal(struct http_connection *c, h2o_req_t *req)
{
    struct log_access entry = {
        .method = {req->input.method.base, req->input.method.len},
        .path = {req->input.path.base, req->input.path.len},
        .client = http_connection_text(c),
        .status = req->res.status,
        .loop = c->loop->index,
        .bytes = (int64_t)req->bytes_sent,
    };

    if (req->res.status == 0)
        return; /* left before it was answered */
    log_access(&entry);
    metric_add(METRIC_requests_total, 1);
    if (req->res.status >= 500)
        metric_add(METRIC_responses_5xx_total, 1);
}

/* libh2o is done with req: sent, or the connection has ended. */
void http_bridge_on_end(h2o_logger_t *self, h2o_req_t *req)
{
    struct http_connection *c = http_connection_of(req);
    struct http_exchange *x = c->exchange;

    c->exchange = NULL;
    c->own_reply = false;
    c->quiet_since_ms = loop_now(c->loop->loop);
    http_connection_check_left(c);
    if (!x) {
        log_refusal(c, req);
        return;
    }
    stoa_assert(!x->task.queued); /* while a request waits, libh2o neither reads nor closes */
    x->h2o = NULL;
    x->connection = NULL;
    if (!x->fiber)
        exchange_end(x);
    else
        fiber_cancel(x->fiber);
}

/* ---- Has the client gone? While a handler waits, libh2o does not read, and so would not notice.
 * The socket's end of file may also be a client that only has nothing more to say, hence only what
 * can be asked again is given up. ---- */

static void unwatch(struct http_exchange *x)
{
    h2o_socket_t *sock = x->connection->sock;

    if (!x->is_watched)
        return;
    x->is_watched = false;
    h2o_socket_read_stop(sock);
    h2o_socket_dont_read(sock, 0);
}

/* The head of an alert: in TLS 1.3 one is a record of 19 bytes, which also two bytes of data would
 * be; no request is that short. Before an end of file comes one, as a rule. */
static bool is_farewell(const unsigned char *bytes, ssize_t len)
{
    enum { ALERT = 21, DATA = 23, VERSION = 3, ALERT_LEN = 2 + 1 + 16, TLS12_MAX = 8 + 2 + 16 };

    if (len < TLS_HEAD || bytes[1] != VERSION || bytes[3] != 0)
        return false;
    return bytes[0] == DATA ? bytes[4] == ALERT_LEN
                            : bytes[0] == ALERT && bytes[4] > 0 && bytes[4] <= TLS12_MAX;
}

static void on_watch(h2o_socket_t *sock, const char *err)
{
    struct http_connection *c = sock->on_close.data;
    struct http_exchange *x = c->exchange;
    unsigned char bytes[TLS_HEAD];
    ssize_t n = recv(h2o_socket_get_fd(sock), bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN)
        return;
    unwatch(x); /* it would fire again at once, also for the next request's first bytes */
    if ((n > 0 && !(sock->ssl && is_farewell(bytes, n))) || !x->fiber)
        return;
    metric_add(METRIC_requests_abandoned_total, 1);
    if (x->req.method == STOA_GET)
        fiber_cancel(x->fiber);
}

static void watch(struct http_exchange *x)
{
    h2o_socket_t *sock = x->connection->sock;

    x->is_watched = true;
    h2o_socket_dont_read(sock, 1);
    h2o_socket_read_start(sock, on_watch);
}

/* ---- The handler ---- */

static void run_handler(void *arg)
{
    struct http_exchange *x = arg;

    fiber_set_deadline(x->req.deadline_ms);
    gate_dispatch(&x->req);
}

static void answer(struct http_exchange *x)
{
    unwatch(x);
    x->is_answered = true;
    x->answered_us = clock_monotonic_us();
    http_send(x);
}

/* The pin ends with the exchange, as body and names are the world's until they are sent and logged.
 * Ending it here instead is what the tests of the swap prove that they would notice. */
static void let_go_early(struct http_exchange *x)
{
    if (fault_point("http.unpin_early") == STOA_OK)
        return;
    x->is_let_go = true; /* and is in the list of holds all the same */
    world_unpin(x->req.world);
}

static void on_handler_done(void *arg)
{
    struct http_exchange *x = arg;

    x->fiber = NULL;
    stop_counting(x);
    let_go_early(x);
    if (x->h2o)
        answer(x);
    else
        exchange_end(x);
}

static void give_up(struct http_exchange *x, stoa_err err, const char *detail)
{
    h2o_req_t *h2o = x->h2o;

    unwatch(x);
    x->h2o = NULL;
    x->connection->exchange = NULL;
    x->connection = NULL;
    http_refuse(h2o, 503, err, detail, false);
}

void http_bridge_give_up(struct http_exchange *x)
{
    log_error("http", "a handler did not end at its deadline", stoa_f("request", stoa_z(x->req.id)),
              stoa_f("path", stoa_s(x->req.path)));
    fiber_cancel(x->fiber);
    give_up(x, STOA_E_TIMEOUT, "the handler did not end in time");
}

/* The world is to end: what is worked on gets 503, what is being sent is cut. The first may still
 * be on its fiber for a moment; it then has nobody to answer. */
static bool cut_exchange(struct world_hold *hold)
{
    struct http_exchange *x =
        (struct http_exchange *)((char *)hold - offsetof(struct http_exchange, hold));

    if (!x->h2o || x->task.queued)
        return false;
    metric_add(METRIC_requests_cut_total, 1);
    log_warn("http", "a request of a replaced world was cut", stoa_f("request", stoa_z(x->req.id)),
             stoa_f("route", stoa_z(x->req.route_path)),
             stoa_f("world", stoa_i((int64_t)hold->world->number)));
    if (x->fiber) {
        fiber_cancel(x->fiber);
        give_up(x, STOA_E_BUSY, "this version of the shop has been replaced; please try again");
    } else {
        http_connection_cut(x->connection);
    }
    return true;
}

static void start_handler(struct http_exchange *x)
{
    if (fiber_spawn(run_handler, on_handler_done, x, &x->fiber) != STOA_OK) {
        metric_add(METRIC_requests_shed_total, 1);
        give_up(x, STOA_E_BUSY, "too many requests are being worked on");
        exchange_end(x);
    } else if (x->fiber) {
        watch(x); /* it waits; otherwise it has been answered */
    }
}

static void on_next_turn(struct loop_task *task)
{
    start_handler((struct http_exchange *)((char *)task - offsetof(struct http_exchange, task)));
}

/* libh2o would answer all that one connection has pipelined before it looks at another. */
static bool is_greedy(struct http_connection *c)
{
    uint64_t turn = loop_turns(c->loop->loop);

    if (c->turn != turn) {
        c->turn = turn;
        c->turn_requests = 0;
    }
    return ++c->turn_requests > HTTP_TURN_MAX;
}

/* ---- A new exchange ---- */

/* Slices of the head as the exchange has it: one copy of the raw bytes serves all. */
static void copy_head(struct stoa_req *req, const char *raw, const struct guard_head *head)
{
    char *copy = stoa_arena_take(req->arena, head->size);
    struct request_header *h = stoa_arena_take(req->arena, sizeof(*h) * (head->field_count + 1));

    memcpy(copy, raw, head->size);
    req->method_text = (stoa_str){copy + head->method_at, head->method_len};
    req->path = (stoa_str){copy + head->target_at, head->target_len};
    req->headers = h;
    req->header_count = head->field_count;
    for (uint32_t i = 0; i < head->field_count; i++) {
        const struct guard_field *f = &head->fields[i];
        h[i].name = (stoa_str){copy + f->name_at, f->name_len}; /* libh2o made it lower case */
        h[i].value = (stoa_str){copy + f->value_at, f->value_len};
    }
    if (head->host >= 0)
        req->host = h[head->host].value;
}

/* libh2o decodes a path once and removes dot segments. False: what then is a control character or
 * no UTF-8 would mean different things to different readers. */
static bool copy_path(struct stoa_req *req, const h2o_req_t *h2o)
{
    stoa_str target = req->path;

    if (h2o->query_at != SIZE_MAX)
        req->query = stoa_str_sub(target, h2o->query_at + 1, UINT64_MAX);
    if (h2o->path_normalized.base == h2o->path.base) {
        req->path = stoa_str_sub(target, 0, h2o->path_normalized.len);
        return true;
    }
    req->path =
        stoa_str_copy(req->arena, (stoa_str){h2o->path_normalized.base, h2o->path_normalized.len});
    for (uint64_t i = 0; i < req->path.len; i++)
        if ((uint8_t)req->path.ptr[i] < 0x20 || req->path.ptr[i] == 0x7f)
            return false;
    return stoa_str_is_utf8(req->path);
}

static stoa_method method_of(stoa_str text)
{
    static const struct {
        stoa_str text;
        stoa_method method;
    } methods[] = {
        {{"GET", 3}, STOA_GET}, {{"HEAD", 4}, STOA_GET},    {{"POST", 4}, STOA_POST},
        {{"PUT", 3}, STOA_PUT}, {{"PATCH", 5}, STOA_PATCH}, {{"DELETE", 6}, STOA_DELETE},
    };

    for (uint32_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (stoa_str_eq(text, methods[i].text))
            return methods[i].method;
    return 0; /* the gate's to refuse: 405 */
}

static stoa_str header_of(const struct stoa_req *req, stoa_str name)
{
    for (uint32_t i = 0; i < req->header_count; i++)
        if (stoa_str_eq(req->headers[i].name, name))
            return req->headers[i].value;
    return (stoa_str){0};
}

/* A trusted proxy says for whom it asks and, if it can, how that one came. */
static struct http_ip forwarded(struct stoa_req *req, struct http_connection *c)
{
    const struct http_proxies *proxies = &c->loop->proxies;
    stoa_str values[GUARD_FIELDS_MAX];
    uint32_t count = 0;
    struct http_ip ip = c->ip;
    stoa_str proto = header_of(req, STOA_STR("x-forwarded-proto"));

    for (uint32_t i = 0; i < req->header_count && count < GUARD_FIELDS_MAX; i++)
        if (stoa_str_eq(req->headers[i].name, STOA_STR("x-forwarded-for")))
            values[count++] = req->headers[i].value;
    http_forwarded_for(proxies->networks, proxies->count, values, count, &ip);
    if (proto.len > 0)
        req->is_https = stoa_str_eq_nocase(proto, STOA_STR("https"));
    return ip;
}

/* Who asks, and their account of requests at once. False: it is full. */
static bool set_client(struct http_exchange *x)
{
    struct http_connection *c = x->connection;
    uint32_t most = http_tuning(c->loop->http)->limits.in_flight_per_address;

    x->req.is_https = c->sock->ssl != NULL;
    if (c->by_proxy) {
        struct http_ip ip = forwarded(&x->req, c), visitor = http_ip_visitor(&ip);
        char *text = stoa_arena_take(x->req.arena, HTTP_IP_TEXT);
        x->req.client = (stoa_str){text, http_ip_format(&ip, text)};
        x->address = http_address_acquire(&c->loop->addresses, &visitor, UINT32_MAX);
    } else {
        struct http_ip visitor = http_ip_visitor(&c->ip);
        x->req.client = stoa_str_copy(x->req.arena, http_connection_text(c));
        x->address = c->own; /* NULL: it was a trusted proxy's connection when it began */
        if (x->address)
            x->address->holders++;
        else
            x->address = http_address_acquire(&c->loop->addresses, &visitor, UINT32_MAX);
    }
    x->req.visitor = (stoa_str){(const char *)x->address->ip.bytes, sizeof(x->address->ip.bytes)};
    x->is_counted = true;
    x->loop->in_flight++;
    metric_add(METRIC_requests_in_flight, 1);
    return x->address->in_flight++ < most;
}

static void set_id(struct http_exchange *x)
{
    uint64_t serial = __builtin_bswap64(++x->loop->serial);

    memcpy(x->req.id, x->loop->id_prefix, 16);
    hex_encode(&serial, sizeof(serial), x->req.id + 16);
    x->req.id[32] = '\0';
}

static struct http_exchange *exchange_create(struct http_connection *c, h2o_req_t *h2o,
                                             struct world *world, const struct guard_head *head)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct http_exchange *x = stoa_new(arena, struct http_exchange);
    struct stoa_req *req = &x->req;

    x->h2o = h2o;
    x->connection = c;
    x->loop = c->loop;
    req->arena = arena;
    req->world = world;
    req->loop = c->loop->index;
    req->is_edge = true;
    req->route_path = "";
    req->plugin_name = "host";
    req->started_us = clock_monotonic_us();
    req->deadline_ms = loop_now(c->loop->loop) + HTTP_REQUEST_MAX_MS;
    copy_head(req, c->sock->input->bytes, head);
    req->method = method_of(req->method_text);
    req->is_head = stoa_str_eq(req->method_text, STOA_STR("HEAD"));
    if (h2o->entity.len)
        req->body = stoa_str_copy(arena, (stoa_str){h2o->entity.base, h2o->entity.len});
    set_id(x);
    trace_start(header_of(req, STOA_STR("traceparent")), &req->trace);
    x->link = &c->loop->exchanges;
    if ((x->next = c->loop->exchanges))
        x->next->link = &x->next;
    c->loop->exchanges = x;
    c->exchange = x;
    x->hold = (struct world_hold){.world = world,
                                  .kind = "request",
                                  .req = req,
                                  .since_us = req->started_us,
                                  .cut = cut_exchange};
    world_hold_begin(&x->hold);
    return x;
}

/* Ends an exchange that no handler saw. */
static void turn_away(struct http_exchange *x, int32_t status, stoa_err err, const char *detail)
{
    struct http_connection *c = x->connection;

    c->exchange = NULL;
    http_refuse(x->h2o, status, err, detail, is_greedy(c));
    exchange_end(x);
}

static void begin(struct http_connection *c, h2o_req_t *h2o, struct world *world,
                  const struct guard_head *head)
{
    struct http_exchange *x = exchange_create(c, h2o, world, head);

    if (!set_client(x)) {
        metric_add(METRIC_rate_limited_total, 1);
        turn_away(x, 429, STOA_E_RATE, "too many requests at once from this address");
    } else if (!copy_path(&x->req, h2o)) {
        turn_away(x, 400, STOA_E_BAD_REQUEST, "the path is broken");
    } else if (is_greedy(c)) {
        x->task.run = on_next_turn;
        loop_defer(c->loop->loop, &x->task);
    } else {
        start_handler(x);
    }
}

/* ---- The door ---- */

static bool is_path(const h2o_req_t *req, const char *path)
{
    return h2o_memis(req->path_normalized.base, req->path_normalized.len, path, strlen(path));
}

static void say_ok(h2o_req_t *req)
{
    http_send_plain(req, &(struct http_plain){.status = 200,
                                              .type = "text/plain; charset=utf-8",
                                              .body = STOA_STR("ok\n"),
                                              .is_https = http_connection_of(req)->sock->ssl});
}

/* The load balancer's question, which the process answers even before it has a world, and at the
 * end of its life. False: it is the gate's to answer. */
static bool answer_health(h2o_req_t *req, struct http_loop *loop, const struct world *world)
{
    bool is_draining = atomic_load_explicit(&loop->http->is_draining, memory_order_relaxed);

    if (is_draining && is_path(req, "/readyz")) {
        http_refuse(req, 503, STOA_E_BUSY, "this process is about to end", false);
        return true;
    }
    if (!world && is_path(req, "/livez")) {
        say_ok(req);
        return true;
    }
    if (world)
        return false;
    http_refuse(req, 503, STOA_E_PLUGIN, "the shop is not open yet", false);
    return true;
}

static void refuse_head(h2o_req_t *req, enum guard_verdict verdict)
{
    int32_t status = guard_status(verdict);

    metric_add(METRIC_requests_refused_total, 1);
    http_refuse(req, status, status == 400 ? STOA_E_BAD_REQUEST : STOA_E_HEAD_TOO_LARGE,
                guard_text(verdict), true);
}

static void take(struct http_connection *c, h2o_req_t *req)
{
    struct http_loop *loop = c->loop;
    const struct http_tuning *tuning = http_tuning(loop->http);
    struct guard_head head;
    enum guard_verdict verdict;
    struct world *world;

    verdict =
        guard_check((stoa_str){c->sock->input->bytes, c->sock->input->size}, &tuning->guard, &head);
    if (verdict != GUARD_OK) {
        refuse_head(req, verdict);
        return;
    }
    if (loop->in_flight >= tuning->limits.in_flight) {
        metric_add(METRIC_requests_shed_total, 1);
        http_refuse(req, 503, STOA_E_BUSY, "too many requests are being worked on", is_greedy(c));
        return;
    }
    world = world_pin();
    if (!answer_health(req, loop, world))
        begin(c, req, world, &head);
    else if (world)
        world_unpin(world);
}

int http_bridge_on_req(h2o_handler_t *self, h2o_req_t *req)
{
    struct http_connection *c = http_connection_of(req);
    struct http_loop *loop = c->loop; /* c may be gone afterwards */

    loop->is_h2o_turn = true;
    take(c, req);
    loop->is_h2o_turn = false;
    return 0;
}
