/* port/near.c: the host's side of a wire. Whoever wrote the bytes may be an enemy: all of them are
 * read before anything is done, and it is done through the SDK's functions, whose checks hold for
 * him as for everybody. SPDX-License-Identifier: Apache-2.0 */
#include "base/fault.h"
#include "call/tx.h"
#include "plugin/world.h"
#include "port/grants.h"
#include "port/message.h"
#include "route/route.h"
#include <stoa/stoa.h>

enum { SLEEP_MAX_MS = 60000, STATEMENT_FLAGS = 15 };

typedef stoa_err (*serve_fn)(struct stoa_req *host, struct decoder *in, struct stoa_buf *out);

/* All of the question was read; otherwise nothing may be done. */
static bool is_whole(struct decoder *in)
{
    in->broken = in->broken || in->rest.len > 0;
    return !in->broken;
}

static stoa_err forbid(struct stoa_req *host, const char *kind)
{
    return grants_check(host, kind, (stoa_str){0});
}

/* ---- sql ---- */

struct question_sql {
    struct stoa_stmt stmt;
    struct stoa_values args;
    bool wants_rows;
};

/* A stranger's statements keep off the connection that all requests share. */
static uint32_t flags_of(struct stoa_req *host, uint32_t flags)
{
    bool is_slow = generation_is_stranger(host->instance->generation);

    return (flags & STATEMENT_FLAGS) | (is_slow ? STOA_SQL_SLOW : 0);
}

static struct question_sql read_sql(struct stoa_req *host, struct decoder *in)
{
    struct question_sql q = {0};

    q.stmt.name = get_name(in);
    q.stmt.text = get_name(in);
    q.stmt.postgresql = get_cstr(in);
    q.stmt.flags = flags_of(host, get_u32(in));
    q.wants_rows = get_u32(in) != 0;
    q.args = get_values(in);
    return q;
}

static stoa_err serve_sql(struct stoa_req *host, struct decoder *in, struct stoa_buf *out)
{
    struct question_sql q = read_sql(host, in);
    const struct stoa_rows *rows = NULL;

    if (!is_whole(in))
        return STOA_E_BAD_REQUEST;
    STOA_TRY(forbid(host, "sql"));
    STOA_TRY(stoa_sql(host, &q.stmt, q.args, q.wants_rows ? &rows : NULL));
    if (q.wants_rows)
        put_rows(out, rows);
    return STOA_OK;
}

static stoa_err serve_tx_begin(struct stoa_req *host, struct decoder *in, struct stoa_buf *out)
{
    struct stoa_tx *tx;

    if (!is_whole(in))
        return STOA_E_BAD_REQUEST;
    STOA_TRY(forbid(host, "sql"));
    return stoa_tx_begin(host, &tx);
}

static stoa_err serve_tx_sql(struct stoa_req *host, struct decoder *in, struct stoa_buf *out)
{
    struct question_sql q = read_sql(host, in);
    const struct stoa_rows *rows = NULL;

    if (!is_whole(in))
        return STOA_E_BAD_REQUEST;
    STOA_TRY(stoa_tx_sql(host->tx, &q.stmt, q.args, q.wants_rows ? &rows : NULL));
    if (q.wants_rows)
        put_rows(out, rows);
    return STOA_OK;
}

static stoa_err serve_tx_note(struct stoa_req *host, struct decoder *in, struct stoa_buf *out)
{
    uint32_t note = get_u32(in), status = get_u32(in);
    const struct stoa_json *json = get_json(in);

    if (note == PORT_TX_REPLY)
        in->broken = in->broken || status < 200 || status > 599;
    else
        in->broken = in->broken || note != PORT_TX_CREATES;
    if (!is_whole(in))
        return STOA_E_BAD_REQUEST;
    if (note == PORT_TX_CREATES)
        return stoa_tx_creates(host->tx, stoa_json_str(json, ""));
    return stoa_tx_reply(host->tx, (int32_t)status, json);
}

static stoa_err serve_tx_end(struct stoa_req *host, struct decoder *in, struct stoa_buf *out)
{
    bool commit = get_u32(in) != 0;

    if (!is_whole(in))
        return STOA_E_BAD_REQUEST;
    if (commit)
        STOA_TRY(stoa_tx_commit(host->tx));
    else
        stoa_tx_rollback(host->tx);
    commit = commit && host->reply.status != 0;
    put_u32(out, commit);
    if (commit)
        put_reply(out, &host->reply);
    return STOA_OK;
}

static stoa_err serve_emit(struct stoa_req *host, struct decoder *in, struct stoa_buf *out)
{
    const char *event = get_name(in);
    stoa_str aggregate = get_str(in);
    const struct stoa_json *data = get_json(in);

    in->broken = in->broken || !data;
    if (!is_whole(in))
        return STOA_E_BAD_REQUEST;
    STOA_TRY(grants_check(host, "events", stoa_str_of(event)));
    return stoa_emit(host->tx, event, aggregate, data);
}

/* ---- The rest ---- */

static stoa_err serve_cache(struct stoa_req *host, struct decoder *in, struct stoa_buf *out)
{
    uint32_t op = get_u32(in);
    stoa_str key = get_str(in), value = get_str(in), tags = get_str(in);
    int64_t ttl_ms = get_i64(in);

    in->broken = in->broken || op > PORT_CACHE_DROP;
    if (!is_whole(in))
        return STOA_E_BAD_REQUEST;
    STOA_TRY(forbid(host, "cache"));
    if (op == PORT_CACHE_GET) {
        STOA_TRY(stoa_cache_get(host, key, &value));
        put_str(out, value);
        return STOA_OK;
    }
    if (op == PORT_CACHE_PUT)
        stoa_cache_put(host, key, value, ttl_ms, tags);
    else
        stoa_cache_drop(host, tags);
    put_str(out, (stoa_str){0});
    return STOA_OK;
}

/* What no visitor may ask of a plugin (refunds, stock) is a grant of its own. A path without a
 * route, or of another plugin, is refused by the call itself. */
static const char *kind_of_call(struct stoa_req *host, const struct stoa_call *call)
{
    stoa_str params[REQUEST_PARAMS_MAX], rest = call->path, path = stoa_str_cut(&rest, '?');
    struct route_found found =
        route_match(host->world->routes, (stoa_method)call->method, path, params);

    return found.route && found.route->permit == STOA_INTERNAL ? "internal" : "call";
}

static stoa_err serve_call(struct stoa_req *host, struct decoder *in, struct stoa_buf *out)
{
    struct stoa_call call = {.plugin = get_name(in)};
    struct stoa_answer answer;

    call.method = get_u32(in);
    call.timeout_ms = get_u32(in);
    call.path = get_str(in);
    call.body = get_json(in);
    call.headers = get_fields(in);
    in->broken = in->broken || call.method < STOA_GET || call.method > STOA_DELETE;
    if (!is_whole(in))
        return STOA_E_BAD_REQUEST;
    STOA_TRY(grants_check(host, kind_of_call(host, &call), stoa_str_of(call.plugin)));
    STOA_TRY(stoa_call(host, &call, &answer));
    put_u32(out, (uint32_t)answer.status);
    put_json(out, answer.json);
    put_str(out, answer.body);
    return STOA_OK;
}

static stoa_err serve_collect(struct stoa_req *host, struct decoder *in, struct stoa_buf *out)
{
    const char *point = get_name(in);
    const struct stoa_json *question = get_json(in), *answers = NULL;

    if (!is_whole(in))
        return STOA_E_BAD_REQUEST;
    STOA_TRY(grants_check(host, "collect", stoa_str_of(point)));
    STOA_TRY(stoa_collect(host, point, question, &answers));
    put_json(out, answers);
    return STOA_OK;
}

static stoa_err serve_mail_send(struct stoa_req *host, struct decoder *in, struct stoa_buf *out)
{
    struct stoa_mail mail = {.to = get_str(in)};

    mail.subject = get_str(in);
    mail.text = get_str(in);
    mail.html = get_str(in);
    mail.message_id = get_str(in);
    if (!is_whole(in))
        return STOA_E_BAD_REQUEST;
    STOA_TRY(forbid(host, "mail"));
    return stoa_mail_send(host, &mail);
}

static stoa_err serve_mail_list(struct stoa_req *host, struct decoder *in, struct stoa_buf *out)
{
    uint32_t limit = get_u32(in);
    const struct stoa_json *list = NULL;

    if (!is_whole(in))
        return STOA_E_BAD_REQUEST;
    STOA_TRY(forbid(host, "mail"));
    STOA_TRY(stoa_mail_list(host, limit, &list));
    put_json(out, list);
    return STOA_OK;
}

static stoa_err serve_render(struct stoa_req *host, struct decoder *in, struct stoa_buf *out)
{
    const char *page = get_name(in);
    const struct stoa_json *data = get_json(in);
    stoa_str html;

    if (!is_whole(in))
        return STOA_E_BAD_REQUEST;
    STOA_TRY(forbid(host, "render"));
    STOA_TRY(stoa_render(host, page, data, &html));
    put_str(out, html);
    return STOA_OK;
}

static stoa_err serve_asset(struct stoa_req *host, struct decoder *in, struct stoa_buf *out)
{
    bool names_only = get_u32(in) != 0;
    stoa_str name = get_str(in), path;

    if (!is_whole(in))
        return STOA_E_BAD_REQUEST;
    STOA_TRY(forbid(host, "render"));
    if (!names_only) {
        STOA_TRY(stoa_reply_asset(host, name));
        put_reply(out, &host->reply);
        return STOA_OK;
    }
    path = stoa_asset_path(host, name);
    if (path.len == 0)
        return STOA_E_NOT_FOUND;
    put_str(out, path);
    return STOA_OK;
}

/* Without a hash one is made; with one it is compared. */
static stoa_err serve_password(struct stoa_req *host, struct decoder *in, struct stoa_buf *out)
{
    stoa_str password = get_str(in), hash = get_str(in), made = {0};

    if (!is_whole(in))
        return STOA_E_BAD_REQUEST;
    STOA_TRY(forbid(host, "password"));
    if (hash.ptr)
        STOA_TRY(stoa_password_verify(host, password, hash));
    else
        STOA_TRY(stoa_password_hash(host, password, &made));
    put_str(out, made);
    return STOA_OK;
}

static stoa_err serve_sleep(struct stoa_req *host, struct decoder *in, struct stoa_buf *out)
{
    int64_t ms = get_i64(in);

    if (!is_whole(in))
        return STOA_E_BAD_REQUEST;
    return stoa_sleep(host, ms < 0 ? 0 : ms > SLEEP_MAX_MS ? SLEEP_MAX_MS : ms);
}

static stoa_err serve_fault(struct stoa_req *host, struct decoder *in, struct stoa_buf *out)
{
    const char *place = get_name(in);

    return is_whole(in) ? fault_point(place) : STOA_E_BAD_REQUEST;
}

static stoa_err serve_log(struct stoa_req *host, struct decoder *in, struct stoa_buf *out)
{
    uint32_t level = get_u32(in);
    const char *message = get_name(in);
    struct stoa_fields fields = get_fields(in);

    if (!is_whole(in))
        return STOA_E_BAD_REQUEST;
    stoa_log(host, level > STOA_ERROR ? STOA_ERROR : (stoa_level)level, message, fields);
    return STOA_OK;
}

static const serve_fn servers[MESSAGE_END] = {
    [MESSAGE_SQL] = serve_sql,
    [MESSAGE_TX_BEGIN] = serve_tx_begin,
    [MESSAGE_TX_SQL] = serve_tx_sql,
    [MESSAGE_TX_NOTE] = serve_tx_note,
    [MESSAGE_TX_END] = serve_tx_end,
    [MESSAGE_EMIT] = serve_emit,
    [MESSAGE_CACHE] = serve_cache,
    [MESSAGE_CALL] = serve_call,
    [MESSAGE_COLLECT] = serve_collect,
    [MESSAGE_MAIL_SEND] = serve_mail_send,
    [MESSAGE_MAIL_LIST] = serve_mail_list,
    [MESSAGE_RENDER] = serve_render,
    [MESSAGE_ASSET] = serve_asset,
    [MESSAGE_PASSWORD] = serve_password,
    [MESSAGE_SLEEP] = serve_sleep,
    [MESSAGE_FAULT] = serve_fault,
    [MESSAGE_LOG] = serve_log,
};

bool message_serve(struct stoa_req *host, enum message kind, stoa_str question,
                   struct stoa_buf *answer)
{
    struct decoder in = {.arena = host->arena, .rest = question};
    uint64_t start = answer->len;
    stoa_err err;

    if (kind < MESSAGE_SQL || kind >= MESSAGE_END)
        return false;
    put_u32(answer, STOA_OK);
    err = servers[kind](host, &in, answer);
    if (in.broken)
        return false;
    if (err != STOA_OK) {
        answer->len = start;
        put_u32(answer, err);
    }
    return true;
}

/* ---- The handler's end ---- */

enum { BODY_BYTES, BODY_JSON };

void put_end(struct stoa_buf *out, stoa_err err, const struct request_reply *reply)
{
    struct request_reply rest = *reply;

    put_u32(out, err);
    put_u32(out, reply->json ? BODY_JSON : BODY_BYTES);
    if (reply->json) {
        struct stoa_buf text;
        stoa_buf_init(&text, out->arena, 1024);
        stoa_json_format(reply->json, &text);
        rest.body = stoa_buf_str(&text);
        rest.json = NULL;
    }
    put_reply(out, &rest);
}

/* The edge sends the text as it is; a call, the seed and the auditor read the tree. Text that is
 * no JSON stays a body, which harms nobody but who asked. */
static void read_tree(struct stoa_req *host)
{
    const struct stoa_json *json;

    if (host->is_edge || stoa_json_parse(host->arena, host->reply.body, NULL, &json) != STOA_OK)
        return;
    host->reply.json = json;
    host->reply.body = (stoa_str){0};
}

bool get_end(struct stoa_req *host, stoa_str bytes, stoa_err *err)
{
    struct decoder in = {.arena = host->arena, .rest = bytes};
    uint32_t code = get_u32(&in), form = get_u32(&in);
    struct request_reply reply;

    get_reply(&in, &reply);
    if (in.broken || in.rest.len > 0 || code >= STOA_E_COUNT || form > BODY_JSON || reply.json ||
        reply.body.len > REQUEST_REPLY_MAX)
        return false;
    host->reply = reply;
    if (form == BODY_JSON)
        read_tree(host);
    *err = (stoa_err)code;
    return true;
}
