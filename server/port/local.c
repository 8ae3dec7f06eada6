/* port/local.c: the plugin's effects, done here. SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "call/call.h"
#include "call/drop.h"
#include "call/tx.h"
#include "fiber/fiber.h"
#include "plugin/world.h"
#include "port/lane.h"
#include "port/password.h"
#include "port/port.h"
#include <stdatomic.h>

static stoa_err local_enter(struct stoa_req *req, stoa_handler handler, void *self)
{
    const void *before = fiber_set_label((const void *)handler);
    stoa_err err = handler(req, self);

    fiber_set_label(before);
    return err;
}

static stoa_err local_sql(struct stoa_req *req, const struct stoa_stmt *stmt,
                          struct stoa_values args, const struct stoa_rows **ret)
{
    if (!req->instance->sql)
        return STOA_E_STORE;
    request_root(req)->statements++;
    return sql_exec(req->instance->sql, req->instance->generation->name, stmt, args, req->arena,
                    ret);
}

static stoa_err local_tx_sql(struct stoa_req *req, const struct stoa_stmt *stmt,
                             struct stoa_values args, const struct stoa_rows **ret)
{
    return req->tx ? tx_exec(req->tx, stmt, args, ret) : STOA_E_TX;
}

static stoa_err local_tx_note(struct stoa_req *req, enum port_tx_note note, int32_t status,
                              const struct stoa_json *json)
{
    if (!req->tx)
        return STOA_E_TX;
    if (note == PORT_TX_CREATES)
        return tx_creates(req->tx, stoa_json_str(json, ""));
    return tx_reply(req->tx, status, json);
}

static stoa_err local_tx_end(struct stoa_req *req, bool commit)
{
    if (!req->tx)
        return STOA_E_TX;
    if (commit)
        return tx_commit(req->tx);
    tx_rollback(req->tx);
    return STOA_OK;
}

/* All loops together, so that none has to know how many there are. One over the limit is counted,
 * too: who is the first says so in the log. */
static bool may_emit(struct stoa_req *req)
{
    struct generation *g = req->instance->generation;
    uint64_t second = (uint64_t)(clock_monotonic_ms() / 1000) << 32,
             seen = atomic_load_explicit(&g->events, memory_order_relaxed), next;

    do {
        next = (seen & ~(uint64_t)UINT32_MAX) == second ? seen + 1 : second + 1;
        if (g->events_max && (uint32_t)next > g->events_max + 1)
            break;
    } while (!atomic_compare_exchange_weak_explicit(&g->events, &seen, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    if (!g->events_max || (uint32_t)next <= g->events_max)
        return true;
    metric_add(METRIC_events_refused_total, 1);
    if ((uint32_t)next == g->events_max + 1)
        log_warn("events", "a plugin emits more events a second than its limit allows",
                 stoa_f("plugin", stoa_z(g->name)), stoa_f("events", stoa_i(g->events_max)));
    return false;
}

static stoa_err local_emit(struct stoa_req *req, const char *event, stoa_str aggregate,
                           const struct stoa_json *data)
{
    if (req->tx && !may_emit(req))
        return STOA_E_BUSY;
    return req->tx ? tx_emit(req->tx, event, aggregate, data) : STOA_E_TX;
}

/* Lends the entry to the outermost request, whose reply may point into it. */
static stoa_err cache_lend(struct stoa_req *req, stoa_str key, stoa_str *ret)
{
    struct stoa_req *root = request_root(req);
    struct cache_entry *entry =
        cache_acquire(req->world->resources->cache, stoa_str_of(req->instance->cache_owner), key);

    if (!entry)
        return STOA_E_NOT_FOUND;
    *ret = cache_value(entry);
    if (root->held_count < REQUEST_HELD_MAX) {
        root->held[root->held_count++] = entry;
        return STOA_OK;
    }
    *ret = stoa_str_copy(req->arena, *ret);
    cache_release(entry);
    return STOA_OK;
}

static stoa_err local_cache(struct stoa_req *req, const struct port_cache *q, stoa_str *ret)
{
    struct cache *cache = req->world->resources->cache;

    switch (q->op) {
    case PORT_CACHE_GET:
        return cache_lend(req, q->key, ret);
    case PORT_CACHE_PUT:
        cache_put(cache, stoa_str_of(req->instance->cache_owner), q->key, q->value, q->ttl_ms,
                  q->tags, req->cache_epoch);
        return STOA_OK;
    default:
        if (req->tx)
            tx_drop_tag(req->tx, q->tags);
        else
            drop_tag(req, q->tags);
        return STOA_OK;
    }
}

static stoa_err local_mail_send(struct stoa_req *req, const struct stoa_mail *mail)
{
    return mail_send(req->world->resources->mail, mail);
}

static stoa_err local_mail_list(struct stoa_req *req, uint32_t limit, const struct stoa_json **ret)
{
    if (!req->world->is_development)
        return STOA_E_NOT_FOUND;
    return mail_list(req->world->resources->mail, limit, req->arena, ret);
}

static void report_broken(struct stoa_req *req, const char *page, const struct diag *diag)
{
    struct stoa_buf text;

    stoa_buf_init(&text, req->arena, 512);
    diag_format(diag, &text);
    log_error("theme", "a section was left out", stoa_f("page", stoa_z(page)),
              stoa_f("why", stoa_s(stoa_buf_str(&text))), stoa_f("request", stoa_z(req->id)));
}

static stoa_err local_render(struct stoa_req *req, const char *page, const struct stoa_json *data,
                             stoa_str *ret)
{
    struct theme_page what = {.page = page, .locale = "en", .data = data};
    struct stoa_buf out;
    struct diag diag = {0};
    uint32_t broken = 0;

    stoa_buf_init(&out, req->arena, 32768);
    STOA_TRY(theme_render(req->world->theme, &what, &out, &broken, &diag));
    if (broken > 0)
        report_broken(req, page, &diag);
    *ret = stoa_buf_str(&out);
    return STOA_OK;
}

static bool accepts_gzip(const struct stoa_req *req)
{
    stoa_str accepted = stoa_req_header(req, "accept-encoding");

    return accepted.len > 0 && memmem(accepted.ptr, accepted.len, "gzip", 4) != NULL;
}

static stoa_err reply_asset(struct stoa_req *req, const struct theme_asset *asset)
{
    bool gzip = asset->gzip.len > 0 && accepts_gzip(req);

    stoa_reply(req, 200, asset->type, gzip ? asset->gzip : asset->bytes);
    STOA_TRY(stoa_reply_header(req, "cache-control",
                               asset->hashed ? STOA_STR("public, max-age=31536000, immutable")
                                             : STOA_STR("no-cache")));
    if (asset->gzip.len > 0)
        STOA_TRY(stoa_reply_header(req, "vary", STOA_STR("accept-encoding")));
    return gzip ? stoa_reply_header(req, "content-encoding", STOA_STR("gzip")) : STOA_OK;
}

/* path = NULL: replies with the asset; otherwise only names it. */
static stoa_err local_asset(struct stoa_req *req, stoa_str name, stoa_str *path)
{
    struct theme_asset asset;

    STOA_TRY(theme_asset(req->world->theme, name, &asset));
    if (!path)
        return reply_asset(req, &asset);
    *path = stoa_str_copy(req->arena, asset.path);
    return STOA_OK;
}

static stoa_err local_offload(struct stoa_req *req, void (*work)(void *arg), void *arg)
{
    return pool_run(req->world->resources->pool, POOL_PLUGIN, work, arg);
}

/* hash.ptr NULL: makes one; otherwise verifies. */
static stoa_err local_password(struct stoa_req *req, stoa_str password, stoa_str hash,
                               stoa_str *ret)
{
    struct pool *pool = req->world->resources->pool;

    if (hash.ptr)
        return password_verify(pool, password, hash);
    return password_hash(pool, password, req->arena, ret);
}

static stoa_err local_sleep(struct stoa_req *req, int64_t ms)
{
    return fiber_sleep(ms);
}

static void local_log(struct stoa_req *req, stoa_level level, const char *message,
                      struct stoa_fields fields)
{
    struct stoa_field all[24] = {{"request", stoa_z(req->id)}};
    uint32_t n = 1;

    if (!log_enabled(level))
        return;
    for (uint32_t i = 0; i < fields.count && n < sizeof all / sizeof *all; i++)
        all[n++] = fields.ptr[i];
    log_put(level, req->plugin_name, message, (struct stoa_fields){all, n, 0});
}

/* The same for a plugin that is here and for one in a sandbox. */
#define EFFECTS                                                                                    \
    .sql = local_sql, .tx_begin = tx_begin, .tx_sql = local_tx_sql, .tx_note = local_tx_note,      \
    .tx_end = local_tx_end, .emit = local_emit, .cache = local_cache, .call = call_local,          \
    .collect = call_collect, .mail_send = local_mail_send, .mail_list = local_mail_list,           \
    .render = local_render, .asset = local_asset, .offload = local_offload,                        \
    .password = local_password, .sleep = local_sleep, .log = local_log

const struct stoa_port port_local = {.name = "local", .enter = local_enter, EFFECTS};
const struct stoa_port port_wire = {.name = "wire", .enter = lane_enter, EFFECTS};

const struct stoa_port *port_find(stoa_str name)
{
    if (stoa_str_is(name, port_local.name) || stoa_str_is(name, "sandbox"))
        return &port_local; /* of those that are not in a sandbox */
    return stoa_str_is(name, port_loopback.name) ? &port_loopback : NULL;
}
