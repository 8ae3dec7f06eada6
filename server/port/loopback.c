/* port/loopback.c: the plugin's side and the host's side of a wire in one process. Each effect is
 * written down, read back, done by port_local on the host's request, and its answer written and
 * read again, into memory that ends with the handler: a pointer that should not have crossed
 * dangles, and ASan says so. SPDX-License-Identifier: Apache-2.0 */
#include "arena_private.h"
#include "call/tx.h"
#include "call/codec.h"
#include "port/port.h"

/* One message: out is filled, then read by in. */
struct wire {
    struct stoa_buf out;
    struct decoder in;
};

static void wire_begin(struct wire *w, struct stoa_arena *writer)
{
    stoa_buf_init(&w->out, writer, 256);
}

static void wire_turn(struct wire *w, struct stoa_arena *reader)
{
    w->in = (struct decoder){.arena = reader, .rest = stoa_buf_str(&w->out)};
}

/* What our own codec wrote must read back: anything else is our bug. */
static void wire_end(const struct wire *w)
{
    stoa_assert(!w->in.broken && w->in.rest.len == 0);
}

/* The host's reply as the plugin's side sees it, and back. */
static void carry_reply(struct stoa_req *from, struct stoa_req *to)
{
    struct wire w;

    wire_begin(&w, from->arena);
    put_reply(&w.out, &from->reply);
    wire_turn(&w, to->arena);
    get_reply(&w.in, &to->reply);
    wire_end(&w);
}

static stoa_err loopback_enter(struct stoa_req *host, stoa_handler handler, void *self)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct stoa_req *req;
    struct wire w;
    stoa_err err;

    stoa_arena_limit(arena, REQUEST_ARENA_MAX);
    wire_begin(&w, host->arena);
    put_request(&w.out, host);
    wire_turn(&w, arena);
    req = get_request(&w.in);
    wire_end(&w);
    req->world = host->world;
    req->instance = host->instance;
    req->port = &port_loopback;
    req->peer = host;
    carry_reply(host, req);
    err = handler(req, self);
    carry_reply(req, host);
    if (stoa_arena_over_limit(arena) && err == STOA_OK)
        err = STOA_E_BUSY;
    stoa_arena_destroy(arena);
    return err;
}

static void put_statement(struct stoa_buf *out, const struct stoa_stmt *stmt,
                          struct stoa_values args)
{
    put_str(out, stoa_str_of(stmt->name));
    put_str(out, stoa_str_of(stmt->text));
    put_str(out, stoa_str_of(stmt->postgresql));
    put_u32(out, stmt->flags);
    put_values(out, args);
}

typedef stoa_err (*sql_fn)(struct stoa_req *, const struct stoa_stmt *, struct stoa_values,
                           const struct stoa_rows **);

static stoa_err through_sql(struct stoa_req *req, const struct stoa_stmt *stmt,
                            struct stoa_values args, const struct stoa_rows **ret, sql_fn run)
{
    struct stoa_req *host = req->peer;
    struct stoa_stmt own = {0};
    struct stoa_values own_args;
    const struct stoa_rows *rows = NULL;
    struct wire w;
    stoa_err err;

    wire_begin(&w, req->arena);
    put_statement(&w.out, stmt, args);
    wire_turn(&w, host->arena);
    own.name = get_cstr(&w.in);
    own.text = get_cstr(&w.in);
    own.postgresql = get_cstr(&w.in);
    own.flags = get_u32(&w.in);
    own_args = get_values(&w.in);
    wire_end(&w);
    err = run(host, &own, own_args, &rows);
    if (err != STOA_OK || !ret)
        return err;
    wire_begin(&w, host->arena);
    put_rows(&w.out, rows);
    wire_turn(&w, req->arena);
    *ret = get_rows(&w.in);
    wire_end(&w);
    return STOA_OK;
}

static stoa_err loopback_sql(struct stoa_req *req, const struct stoa_stmt *stmt,
                             struct stoa_values args, const struct stoa_rows **ret)
{
    return through_sql(req, stmt, args, ret, port_local.sql);
}

static stoa_err loopback_tx_begin(struct stoa_req *req)
{
    STOA_TRY(port_local.tx_begin(req->peer));
    req->tx = stoa_new(req->arena, struct stoa_tx); /* the plugin's handle; the host has its own */
    req->tx->req = req;
    return STOA_OK;
}

static stoa_err loopback_tx_sql(struct stoa_req *req, const struct stoa_stmt *stmt,
                                struct stoa_values args, const struct stoa_rows **ret)
{
    return through_sql(req, stmt, args, ret, port_local.tx_sql);
}

/* JSON in the other side's memory. */
static const struct stoa_json *carry_json(struct stoa_req *from, struct stoa_req *to,
                                          const struct stoa_json *json)
{
    struct wire w;
    const struct stoa_json *copy;

    wire_begin(&w, from->arena);
    put_json(&w.out, json);
    wire_turn(&w, to->arena);
    copy = get_json(&w.in);
    wire_end(&w);
    return copy;
}

static stoa_str carry_str(struct stoa_req *from, struct stoa_req *to, stoa_str text)
{
    struct wire w;

    wire_begin(&w, from->arena);
    put_str(&w.out, text);
    wire_turn(&w, to->arena);
    text = get_str(&w.in);
    wire_end(&w);
    return text;
}

static stoa_err loopback_tx_note(struct stoa_req *req, enum port_tx_note note, int32_t status,
                                 const struct stoa_json *json)
{
    return port_local.tx_note(req->peer, note, status, carry_json(req, req->peer, json));
}

static stoa_err loopback_tx_end(struct stoa_req *req, bool commit)
{
    stoa_err err = port_local.tx_end(req->peer, commit);

    req->tx = NULL;
    if (commit && err == STOA_OK && req->peer->reply.status)
        carry_reply(req->peer, req);
    return err;
}

static stoa_err loopback_emit(struct stoa_req *req, const char *event, stoa_str aggregate,
                              const struct stoa_json *data)
{
    struct stoa_req *host = req->peer;

    return port_local.emit(host, carry_str(req, host, stoa_str_of(event)).ptr,
                           carry_str(req, host, aggregate), carry_json(req, host, data));
}

static stoa_err loopback_cache(struct stoa_req *req, const struct port_cache *q, stoa_str *ret)
{
    struct stoa_req *host = req->peer;
    struct port_cache own = {q->op, carry_str(req, host, q->key), carry_str(req, host, q->value),
                             carry_str(req, host, q->tags), q->ttl_ms};
    stoa_str value = {0};
    stoa_err err = port_local.cache(host, &own, &value);

    if (err == STOA_OK && ret)
        *ret = carry_str(host, req, value);
    return err;
}

static void put_call(struct stoa_buf *out, const struct stoa_call *call)
{
    put_str(out, stoa_str_of(call->plugin));
    put_u32(out, call->method);
    put_u32(out, call->timeout_ms);
    put_str(out, call->path);
    put_json(out, call->body);
    put_fields(out, call->headers);
}

static struct stoa_call get_call(struct decoder *in)
{
    struct stoa_call call = {.plugin = get_cstr(in)};

    call.method = get_u32(in);
    call.timeout_ms = get_u32(in);
    call.path = get_str(in);
    call.body = get_json(in);
    call.headers = get_fields(in);
    return call;
}

static stoa_err loopback_call(struct stoa_req *req, const struct stoa_call *call,
                              struct stoa_answer *ret)
{
    struct stoa_req *host = req->peer;
    struct stoa_answer answer;
    struct stoa_call own;
    struct wire w;

    wire_begin(&w, req->arena);
    put_call(&w.out, call);
    wire_turn(&w, host->arena);
    own = get_call(&w.in);
    wire_end(&w);
    STOA_TRY(port_local.call(host, &own, &answer));
    *ret = (struct stoa_answer){.status = answer.status,
                                .json = carry_json(host, req, answer.json),
                                .body = carry_str(host, req, answer.body)};
    return STOA_OK;
}

static stoa_err loopback_collect(struct stoa_req *req, const char *point,
                                 const struct stoa_json *question, const struct stoa_json **ret)
{
    struct stoa_req *host = req->peer;
    const struct stoa_json *answers;

    STOA_TRY(port_local.collect(host, carry_str(req, host, stoa_str_of(point)).ptr,
                                carry_json(req, host, question), &answers));
    *ret = carry_json(host, req, answers);
    return STOA_OK;
}

static stoa_err loopback_mail_send(struct stoa_req *req, const struct stoa_mail *mail)
{
    struct stoa_req *host = req->peer;
    const struct stoa_mail own = {
        carry_str(req, host, mail->to), carry_str(req, host, mail->subject),
        carry_str(req, host, mail->text), carry_str(req, host, mail->html),
        carry_str(req, host, mail->message_id)};

    return port_local.mail_send(host, &own);
}

static stoa_err loopback_mail_list(struct stoa_req *req, uint32_t limit,
                                   const struct stoa_json **ret)
{
    const struct stoa_json *list;

    STOA_TRY(port_local.mail_list(req->peer, limit, &list));
    *ret = carry_json(req->peer, req, list);
    return STOA_OK;
}

static stoa_err loopback_render(struct stoa_req *req, const char *page,
                                const struct stoa_json *data, stoa_str *ret)
{
    struct stoa_req *host = req->peer;
    stoa_str html;

    STOA_TRY(port_local.render(host, carry_str(req, host, stoa_str_of(page)).ptr,
                               carry_json(req, host, data), &html));
    *ret = carry_str(host, req, html);
    return STOA_OK;
}

static stoa_err loopback_asset(struct stoa_req *req, stoa_str name, stoa_str *path)
{
    struct stoa_req *host = req->peer;
    stoa_str found;

    if (path) {
        STOA_TRY(port_local.asset(host, carry_str(req, host, name), &found));
        *path = carry_str(host, req, found);
        return STOA_OK;
    }
    STOA_TRY(port_local.asset(host, carry_str(req, host, name), NULL));
    carry_reply(host, req);
    return STOA_OK;
}

/* The function is the plugin's and runs where the plugin is. */
static stoa_err loopback_offload(struct stoa_req *req, void (*work)(void *arg), void *arg)
{
    return port_local.offload(req->peer, work, arg);
}

static stoa_err loopback_password(struct stoa_req *req, stoa_str password, stoa_str hash,
                                  stoa_str *ret)
{
    struct stoa_req *host = req->peer;
    stoa_str made = {0};

    STOA_TRY(port_local.password(host, carry_str(req, host, password), carry_str(req, host, hash),
                                 &made));
    if (ret)
        *ret = carry_str(host, req, made);
    return STOA_OK;
}

static stoa_err loopback_sleep(struct stoa_req *req, int64_t ms)
{
    return port_local.sleep(req->peer, ms);
}

static void loopback_log(struct stoa_req *req, stoa_level level, const char *message,
                         struct stoa_fields fields)
{
    struct stoa_req *host = req->peer;
    struct stoa_fields own;
    struct wire w;

    wire_begin(&w, req->arena);
    put_fields(&w.out, fields);
    wire_turn(&w, host->arena);
    own = get_fields(&w.in);
    wire_end(&w);
    port_local.log(host, level, carry_str(req, host, stoa_str_of(message)).ptr, own);
}

const struct stoa_port port_loopback = {
    .name = "loopback",
    .enter = loopback_enter,
    .sql = loopback_sql,
    .tx_begin = loopback_tx_begin,
    .tx_sql = loopback_tx_sql,
    .tx_note = loopback_tx_note,
    .tx_end = loopback_tx_end,
    .emit = loopback_emit,
    .cache = loopback_cache,
    .call = loopback_call,
    .collect = loopback_collect,
    .mail_send = loopback_mail_send,
    .mail_list = loopback_mail_list,
    .render = loopback_render,
    .asset = loopback_asset,
    .offload = loopback_offload,
    .password = loopback_password,
    .sleep = loopback_sleep,
    .log = loopback_log,
};
