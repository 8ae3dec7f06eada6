/* call/remote_serve.c: the asked side: a message is a request of its own within the HTTP request
 * that brought it. SPDX-License-Identifier: Apache-2.0 */
#include "call/remote.h"

#include "base/clock.h"
#include "call/codec.h"
#include "call/drop.h"
#include "call/invoke.h"
#include "call/journal.h"
#include "call/permit.h"
#include "call/wiring.h"
#include "plugin/world.h"

struct serving {
    enum remote_kind kind;
    struct stoa_req *req;
    stoa_handler handler; /* not of routes */
};

static bool read_message(struct serving *s, struct stoa_req *outer, struct decoder *in)
{
    int64_t left = get_i64(in);
    uint32_t depth = get_u32(in);
    bool is_in_body = get_u32(in) != 0;
    struct stoa_req *req = get_request(in);

    if (in->broken || in->rest.len > 0 || depth > REQUEST_DEPTH_MAX || left < 0 ||
        req->identity.who > STOA_WHO_HOST)
        return false;
    if (is_in_body && stoa_json_parse(in->arena, req->body, NULL, &req->json) != STOA_OK)
        return false;
    left = left < ROUTE_TIMEOUT_MAX_MS ? left : ROUTE_TIMEOUT_MAX_MS;
    req->deadline_ms = clock_monotonic_ms() + left;
    req->parent = outer;
    req->depth = depth;
    req->is_edge = s->kind == REMOTE_VISIT;
    req->world = outer->world;
    req->loop = outer->loop;
    req->started_us = outer->started_us;
    req->journal = NULL; /* it is begun here */
    s->req = req;
    return true;
}

/* ---- Finding what it is for ---- */

static stoa_err find_route(struct serving *s)
{
    struct stoa_req *req = s->req;
    const char *plugin = req->plugin_name;
    struct route_found found = route_match(req->world->routes, req->method, req->path, req->params);

    if (!found.route || remote_is(req->world, found.route->plugin))
        return STOA_E_PLUGIN;
    invoke_prepare(req, found.route);
    return strcmp(req->plugin_name, plugin) == 0 ? STOA_OK : STOA_E_PLUGIN;
}

static stoa_handler find_provider(const struct wiring *w, uint32_t plugin, const char *point)
{
    for (uint32_t i = 0; i < w->provider_count; i++)
        if (w->providers[i].plugin == plugin && strcmp(w->providers[i].point, point) == 0)
            return w->providers[i].handler;
    return NULL;
}

static stoa_handler find_subscriber(const struct wiring *w, uint32_t plugin, const char *event)
{
    for (uint32_t i = 0; i < w->subscription_count; i++)
        if (w->subscriptions[i].plugin == plugin && strcmp(w->subscriptions[i].event, event) == 0)
            return w->subscriptions[i].handler;
    return NULL;
}

static stoa_err find_handler(struct serving *s)
{
    struct stoa_req *req = s->req;
    int32_t plugin = world_find(req->world, stoa_str_of(req->plugin_name));
    const struct wiring *w = req->world->wiring;

    if (plugin < 0 || remote_is(req->world, (uint32_t)plugin))
        return STOA_E_PLUGIN;
    req->instance = world_instance(req->world, req->loop, (uint32_t)plugin);
    req->plugin_name = req->instance->generation->name;
    req->port = req->instance->port;
    s->handler = s->kind == REMOTE_AUDIT   ? req->instance->generation->desc.audit
                 : s->kind == REMOTE_EVENT ? find_subscriber(w, (uint32_t)plugin, req->route_path)
                                           : find_provider(w, (uint32_t)plugin, req->route_path);
    return s->handler ? STOA_OK : STOA_E_PLUGIN;
}

/* ---- Doing it ---- */

/* Permission was checked where the visitor came in; this node believes only in who it is. */
static void run_route(struct stoa_req *req)
{
    stoa_err err = permit_check(req, req->route);

    if (err == STOA_OK)
        invoke_route(req);
    else
        request_problem(req, err, NULL, STOA_NO_FIELDS);
}

static stoa_err run_event(struct serving *s)
{
    stoa_err err;

    if (!s->req->event)
        return STOA_E_INVALID;
    journal_inbox(s->req, s->req->plugin_name, s->req->event->id);
    err = invoke_handler(s->req, s->handler);
    return s->req->journal->state == JOURNAL_DUPLICATE ? STOA_OK : err;
}

static stoa_err run(struct serving *s)
{
    switch (s->kind) {
    case REMOTE_VISIT:
    case REMOTE_CALL:
        run_route(s->req);
        return STOA_OK;
    case REMOTE_EVENT:
        return run_event(s);
    default:
        return invoke_handler(s->req, s->handler);
    }
}

static stoa_str format_answer(struct stoa_req *outer, struct stoa_req *req, stoa_err err)
{
    enum { REST = 512 }; /* bytes: all but the body, as a rule */
    struct stoa_buf out;

    request_format_reply(req);
    stoa_buf_init(&out, outer->arena, REST + req->reply.body.len);
    put_u32(&out, err);
    put_u32(&out, outer->statements);
    drop_put(&out, outer);
    put_reply(&out, &req->reply);
    return stoa_buf_str(&out);
}

/* The access log of this node names what was asked for, not the door it came through. */
static void name_outer(struct stoa_req *outer, const struct stoa_req *req)
{
    outer->plugin_name = req->plugin_name;
    outer->route_path = req->route ? req->route->path : outer->route_path;
}

stoa_err remote_serve(struct stoa_req *outer, stoa_str message, stoa_str *ret)
{
    struct decoder in = {.arena = outer->arena, .rest = message};
    struct serving s = {.kind = (enum remote_kind)get_u32(&in)};
    stoa_err err;

    *ret = STOA_STR("");
    if (s.kind == REMOTE_DROP)
        return drop_obey(&in, outer) ? STOA_OK : STOA_E_BAD_REQUEST;
    if (s.kind < REMOTE_VISIT || s.kind > REMOTE_AUDIT || !read_message(&s, outer, &in))
        return STOA_E_BAD_REQUEST;
    STOA_TRY(s.kind <= REMOTE_CALL ? find_route(&s) : find_handler(&s));
    name_outer(outer, s.req);
    err = run(&s);
    if (s.kind > REMOTE_CALL && s.req->is_refused)
        return STOA_E_PLUGIN; /* a route has its reply all the same */
    *ret = format_answer(outer, s.req, err);
    return STOA_OK;
}
