/* port/sdk.c: the SDK's functions with an effect: what is true everywhere is checked here, the rest
 * is the port's. SPDX-License-Identifier: Apache-2.0 */
#include "base/fault.h"
#include "call/drop.h"
#include "call/tx.h"
#include "plugin/port.h"
#include "plugin/world.h"
#include "port/message.h"
#include <stoa/stoa.h>

enum { CACHE_KEY_MAX = 200, CACHE_VALUE_MAX = 1 << 20, CACHE_TTL_MAX_MS = 86400000 };
static_assert((int)CACHE_KEY_MAX <= (int)DROP_TAG_MAX,
              "a tag that is dropped here is dropped elsewhere, too");

/* ---- sql ---- */

stoa_err stoa_sql(struct stoa_req *req, const struct stoa_stmt *stmt, struct stoa_values args,
                  const struct stoa_rows **ret)
{
    return req->tx ? STOA_E_TX : req->port->sql(req, stmt, args, ret);
}

stoa_err stoa_tx_begin(struct stoa_req *req, struct stoa_tx **ret)
{
    if (req->tx)
        return STOA_E_TX;
    STOA_TRY(req->port->tx_begin(req));
    *ret = req->tx;
    return STOA_OK;
}

/* A handle from an earlier transaction must not reach the one that is open now. */
static bool is_open(const struct stoa_tx *tx)
{
    return tx && tx->req->tx == tx;
}

stoa_err stoa_tx_sql(struct stoa_tx *tx, const struct stoa_stmt *stmt, struct stoa_values args,
                     const struct stoa_rows **ret)
{
    return is_open(tx) ? tx->req->port->tx_sql(tx->req, stmt, args, ret) : STOA_E_TX;
}

stoa_err stoa_tx_creates(struct stoa_tx *tx, stoa_str id)
{
    if (!is_open(tx))
        return STOA_E_TX;
    return tx->req->port->tx_note(tx->req, PORT_TX_CREATES, 0,
                                  stoa_json_new_str(tx->req->arena, id));
}

stoa_err stoa_tx_reply(struct stoa_tx *tx, int32_t status, const struct stoa_json *json)
{
    return is_open(tx) ? tx->req->port->tx_note(tx->req, PORT_TX_REPLY, status, json) : STOA_E_TX;
}

stoa_err stoa_tx_commit(struct stoa_tx *tx)
{
    return is_open(tx) ? tx->req->port->tx_end(tx->req, true) : STOA_E_TX;
}

void stoa_tx_rollback(struct stoa_tx *tx)
{
    if (is_open(tx))
        STOA_IGNORE(tx->req->port->tx_end(tx->req, false)); /* it is over in any case */
}

stoa_err stoa_emit(struct stoa_tx *tx, const char *event, stoa_str aggregate,
                   const struct stoa_json *data)
{
    return is_open(tx) ? tx->req->port->emit(tx->req, event, aggregate, data) : STOA_E_TX;
}

/* ---- cache ---- */

stoa_err stoa_cache_get(struct stoa_req *req, stoa_str key, stoa_str *ret)
{
    struct port_cache q = {.op = PORT_CACHE_GET, .key = key};

    return key.len == 0 || key.len > CACHE_KEY_MAX ? STOA_E_NOT_FOUND
                                                   : req->port->cache(req, &q, ret);
}

void stoa_cache_put(struct stoa_req *req, stoa_str key, stoa_str value, int64_t ttl_ms,
                    stoa_str tags)
{
    struct port_cache q = {PORT_CACHE_PUT, key, value, tags, ttl_ms};

    if (key.len == 0 || key.len > CACHE_KEY_MAX || value.len > CACHE_VALUE_MAX || ttl_ms < 1 ||
        ttl_ms > CACHE_TTL_MAX_MS)
        return;
    STOA_IGNORE(req->port->cache(req, &q, NULL)); /* a copy less */
}

void stoa_cache_drop(struct stoa_req *req, stoa_str tag)
{
    struct port_cache q = {.op = PORT_CACHE_DROP, .tags = tag};

    if (tag.len == 0 || tag.len > CACHE_KEY_MAX)
        return;                                   /* nothing can have been put under it */
    STOA_IGNORE(req->port->cache(req, &q, NULL)); /* cannot fail */
}

/* ---- other plugins ---- */

stoa_err stoa_call(struct stoa_req *req, const struct stoa_call *call, struct stoa_answer *ret)
{
    return req->tx ? STOA_E_TX : req->port->call(req, call, ret);
}

stoa_err stoa_call_get(struct stoa_req *req, const char *plugin, stoa_str path,
                       struct stoa_answer *ret)
{
    struct stoa_call call = {.plugin = plugin, .method = STOA_GET, .path = path};

    return stoa_call(req, &call, ret);
}

stoa_err stoa_call_post(struct stoa_req *req, const char *plugin, stoa_str path,
                        const struct stoa_json *body, struct stoa_answer *ret)
{
    struct stoa_call call = {.plugin = plugin, .method = STOA_POST, .path = path, .body = body};

    return stoa_call(req, &call, ret);
}

stoa_err stoa_collect(struct stoa_req *req, const char *point, const struct stoa_json *question,
                      const struct stoa_json **ret)
{
    return req->tx ? STOA_E_TX : req->port->collect(req, point, question, ret);
}

/* ---- pages, mail, work ---- */

stoa_err stoa_render(struct stoa_req *req, const char *page, const struct stoa_json *data,
                     stoa_str *ret)
{
    return req->tx ? STOA_E_TX : req->port->render(req, page, data, ret);
}

stoa_err stoa_reply_page(struct stoa_req *req, int32_t status, const char *page,
                         const struct stoa_json *data)
{
    stoa_str html;

    STOA_TRY(stoa_render(req, page, data, &html));
    return stoa_reply(req, status, "text/html; charset=utf-8", html);
}

stoa_err stoa_reply_asset(struct stoa_req *req, stoa_str name)
{
    return req->port->asset(req, name, NULL);
}

stoa_str stoa_asset_path(struct stoa_req *req, stoa_str name)
{
    stoa_str path = {0};

    return req->port->asset(req, name, &path) == STOA_OK ? path : (stoa_str){0};
}

stoa_err stoa_mail_send(struct stoa_req *req, const struct stoa_mail *mail)
{
    return req->tx ? STOA_E_TX : req->port->mail_send(req, mail);
}

stoa_err stoa_mail_list(struct stoa_req *req, uint32_t limit, const struct stoa_json **ret)
{
    return req->port->mail_list(req, limit < 1000 ? limit : 1000, ret);
}

stoa_err stoa_offload(struct stoa_req *req, void (*work)(void *arg), void *arg)
{
    return req->tx ? STOA_E_TX : req->port->offload(req, work, arg);
}

stoa_err stoa_sleep(struct stoa_req *req, int64_t ms)
{
    return req->tx ? STOA_E_TX : req->port->sleep(req, ms);
}

stoa_err stoa_password_hash(struct stoa_req *req, stoa_str password, stoa_str *ret)
{
    return req->tx ? STOA_E_TX : req->port->password(req, password, (stoa_str){0}, ret);
}

stoa_err stoa_password_verify(struct stoa_req *req, stoa_str password, stoa_str hash)
{
    if (!hash.ptr)
        hash = STOA_STR("");
    return req->tx ? STOA_E_TX : req->port->password(req, password, hash, NULL);
}

void stoa_log(struct stoa_req *req, stoa_level level, const char *message,
              struct stoa_fields fields)
{
    req->port->log(req, level, message, fields);
}

stoa_err stoa_fault(struct stoa_req *req, const char *place)
{
    if (req->carrier && req->carrier->has_faults)
        return far_fault(req, place);
    return fault_point(place);
}
