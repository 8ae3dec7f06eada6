/* call/remote.c: the asking side: which node, the message, its reply. SPDX-License-Identifier:
 * Apache-2.0 */
#include "call/remote.h"

#include "base/clock.h"
#include "call/codec.h"
#include "call/drop.h"
#include "call/journal.h"
#include "call/wiring.h"
#include "fiber/fiber.h"
#include "plugin/world.h"
#include "route/route.h"

enum { TELL_MS = 2000, RESERVE_MAX_MS = 100 };

/* ---- Who is where ---- */

static bool runs(const struct stoa_json *node, const char *plugin)
{
    const struct stoa_json *run = stoa_json_get(node, "run");

    if (stoa_json_type(run) != STOA_JSON_ARRAY)
        return true;
    for (const struct stoa_json *e = stoa_json_first(run); e; e = stoa_json_next(e))
        if (stoa_str_is(stoa_json_str(e, ""), plugin))
            return true;
    return false;
}

static stoa_err add_addresses(struct peer_group *group, const struct stoa_json *node,
                              struct diag *diag)
{
    stoa_str name = stoa_json_name(node);
    const struct stoa_json *reach = stoa_json_get(node, "reach");

    for (const struct stoa_json *e = stoa_json_first(reach); e; e = stoa_json_next(e)) {
        struct peer *peer = peer_get(stoa_json_str(e, ""), name);
        if (!peer || group->count == PEER_GROUP_MAX) {
            diag_set(diag, "config.lua", 0, 0, "nodes.%.*s.reach: %s", (int)name.len, name.ptr,
                     peer ? "more than 32 addresses for one plugin" : "more than 1,024 addresses");
            diag_hint(diag, "use fewer addresses; a restart forgets those of earlier versions");
            return STOA_E_CONFIG;
        }
        group->peers[group->count++] = peer;
    }
    return STOA_OK;
}

static stoa_err find_plugin(struct world *w, uint32_t plugin, const struct stoa_json *nodes,
                            struct diag *diag)
{
    struct remote *r = w->wiring->remote;
    struct peer_group *group = stoa_new(w->arena, struct peer_group);

    for (const struct stoa_json *n = stoa_json_first(nodes); n; n = stoa_json_next(n))
        if (!stoa_str_eq(stoa_json_name(n), r->node) && runs(n, w->generations[plugin]->name))
            STOA_TRY(add_addresses(group, n, diag));
    r->plugins[plugin] = group;
    return STOA_OK;
}

/* A node of several addresses has copies of its own elsewhere; with one, that is itself. */
static stoa_err find_others(struct remote *r, const struct stoa_json *nodes, struct diag *diag)
{
    for (const struct stoa_json *n = stoa_json_first(nodes); n; n = stoa_json_next(n))
        if (!stoa_str_eq(stoa_json_name(n), r->node) ||
            stoa_json_count(stoa_json_get(n, "reach")) > 1)
            STOA_TRY(add_addresses(&r->others, n, diag));
    return STOA_OK;
}

stoa_err remote_build(struct world *w, struct diag *diag)
{
    const struct stoa_json *json = config_json(w->config), *nodes = stoa_json_get(json, "nodes");
    struct remote *r = stoa_new(w->arena, struct remote);

    w->wiring->remote = r;
    r->node = stoa_json_str(json, "node.name");
    if (stoa_json_count(nodes) < 2 || stoa_json_true(json, "node.is_all"))
        return STOA_OK;
    r->keys = (struct sign_keys){config_secret(w->config, "cluster.key"),
                                 config_secret(w->config, "cluster.other_key")};
    if (r->keys.own.len < SIGN_KEY_MIN) {
        config_problem(w->config, "cluster.key", diag, "cluster.key has fewer than %d bytes",
                       SIGN_KEY_MIN);
        diag_hint(diag, "make one with `openssl rand -hex 32`");
        return STOA_E_CONFIG;
    }
    r->in_flight_max = (uint32_t)config_int(w->config, "limits.node_in_flight");
    for (uint32_t p = 0; p < w->plugins; p++)
        if (w->is_elsewhere[p])
            STOA_TRY(find_plugin(w, p, nodes, diag));
    return find_others(r, nodes, diag);
}

bool remote_is(const struct world *world, uint32_t plugin)
{
    return world->is_elsewhere[plugin];
}

/* ---- Asking ---- */

/* The other side answers a little before this one gives up: that its handler is slow is no reason
 * to think that the node is down. */
static int64_t reserve(int64_t left)
{
    return left / 10 < RESERVE_MAX_MS ? left / 10 : RESERVE_MAX_MS;
}

/* A body that was read as JSON travels once, as it came. */
static void put_message(struct stoa_buf *out, struct stoa_req *req, enum remote_kind kind)
{
    const struct stoa_json *json = req->json;
    bool is_in_body = json && req->body.len > 0;
    int64_t left = req->deadline_ms - clock_monotonic_ms();

    put_u32(out, kind);
    put_i64(out, left > 0 ? left - reserve(left) : 0);
    put_u32(out, req->depth);
    put_u32(out, is_in_body);
    req->json = is_in_body ? NULL : json;
    put_request(out, req);
    req->json = json;
}

static stoa_err get_answer(struct decoder *in, struct stoa_req *req)
{
    stoa_err err = (stoa_err)get_u32(in);
    uint32_t statements = get_u32(in);

    drop_take(in, req);
    get_reply(in, &req->reply);
    if (in->broken || in->rest.len > 0 || err >= STOA_E_COUNT) {
        req->reply = (struct request_reply){0};
        return STOA_E_UPSTREAM;
    }
    request_root(req)->statements += statements;
    return err;
}

/* A key tells twins apart only where a journal is kept, which is not so for secrets. */
static bool may_repeat(struct stoa_req *req, enum remote_kind kind)
{
    if (kind == REMOTE_EVENT || kind == REMOTE_AUDIT) /* its inbox knows it; it only reads */
        return true;
    if (kind != REMOTE_VISIT && kind != REMOTE_CALL)
        return false;
    return req->method == STOA_GET || (stoa_idempotency_key(req).len > 0 && req->route &&
                                       !(req->route->flags & STOA_ROUTE_SECRET));
}

static uint32_t index_of(const struct stoa_req *req)
{
    return (uint32_t)(req->instance - world_instance(req->world, req->loop, 0));
}

static stoa_err ask_node(struct stoa_req *req, enum remote_kind kind, struct peer_message *m)
{
    const struct remote *r = req->world->wiring->remote;
    int64_t before = fiber_deadline();
    struct stoa_buf out;
    stoa_err err;

    stoa_buf_init(&out, req->arena, 1024);
    put_message(&out, req, kind);
    *m = (struct peer_message){.arena = req->arena,
                               .pool = req->world->resources->pool,
                               .keys = r->keys,
                               .from = r->node,
                               .body = stoa_buf_str(&out),
                               .trace = &req->trace,
                               .may_repeat = may_repeat(req, kind),
                               .in_flight_max = r->in_flight_max};
    if (req->deadline_ms < before)
        fiber_set_deadline(req->deadline_ms);
    err = peer_send(r->plugins[index_of(req)], m);
    req->is_refused = err == STOA_E_PLUGIN || err == STOA_E_BUSY;
    fiber_set_deadline(before);
    return err;
}

stoa_err remote_ask(struct stoa_req *req, enum remote_kind kind)
{
    struct peer_message m;
    struct decoder in;

    STOA_TRY(ask_node(req, kind, &m));
    in = (struct decoder){.arena = req->arena, .rest = m.reply};
    return get_answer(&in, req);
}

stoa_err remote_tell(const struct remote *r, struct peer *peer, struct pool *pool,
                     const stoa_str *tags, uint32_t count)
{
    const struct peer_group group = {1, {peer}};
    struct stoa_arena *arena = stoa_arena_create();
    struct trace trace;
    struct stoa_buf out;
    stoa_err err;

    trace_start((stoa_str){0}, &trace);
    stoa_buf_init(&out, arena, 1024);
    put_u32(&out, REMOTE_DROP);
    put_u32(&out, count);
    for (uint32_t i = 0; i < count; i++)
        put_str(&out, tags[i]);
    struct peer_message m = {.arena = arena,
                             .pool = pool,
                             .keys = r->keys,
                             .from = r->node,
                             .body = stoa_buf_str(&out),
                             .trace = &trace,
                             .may_repeat = true,
                             .in_flight_max = r->in_flight_max};
    fiber_set_deadline(clock_monotonic_ms() + TELL_MS);
    err = peer_send(&group, &m);
    stoa_arena_destroy(arena);
    return err;
}
