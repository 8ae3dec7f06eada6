/* call/invoke.c: straight line from deadline to reply. SPDX-License-Identifier: Apache-2.0 */
#include "call/invoke.h"

#include "arena_private.h"
#include "base/clock.h"
#include "base/log.h"
#include "call/journal.h"
#include "call/remote.h"
#include "fiber/fiber.h"
#include "loop/loop.h"
#include "plugin/port.h"
#include "plugin/world.h"

void invoke_prepare(struct stoa_req *req, const struct route *route)
{
    struct stoa_instance *in = world_instance(req->world, req->loop, route->plugin);

    req->route = route;
    req->route_path = route->path;
    req->plugin_name = in->generation->name;
    req->instance = in;
    req->port = in->port;
    req->param_names = route->param_names;
    req->param_count = route->param_count;
}

/* sql: the database's last words on this thread; of another request when this one had no trouble
 * with it. */
static void report(struct stoa_req *req, const char *what, stoa_err err)
{
    log_error(req->plugin_name, what, stoa_f("request", stoa_z(req->id)),
              stoa_f("route", stoa_z(req->route_path)), stoa_f("error", stoa_z(stoa_err_name(err))),
              stoa_f("sql", stoa_z(sql_last_error())));
}

/* The gate looks after visitors' requests when all their calls are over. */
static bool took_too_much(const struct stoa_req *req)
{
    return !req->is_edge && !req->parent && stoa_arena_over_limit(req->arena);
}

stoa_err invoke_handler(struct stoa_req *req, stoa_handler handler)
{
    int64_t before = fiber_deadline();
    const char *note;
    stoa_err err;

    if (req->instance->generation->left_out) {
        req->is_refused = true;
        return STOA_E_PLUGIN;
    }
    note = fiber_set_note(req->route_path);
    if (req->deadline_ms < before)
        fiber_set_deadline(req->deadline_ms);
    req->cache_epoch = cache_epoch(req->world->resources->cache);
    err = req->port->enter(req, handler, req->instance->self);
    if (req->tx) {
        tx_rollback(req->tx);
        report(req, "a handler returned with an open transaction; it was rolled back", err);
        err = err == STOA_OK ? STOA_E_TX : err;
    }
    if (took_too_much(req)) {
        report(req, "a handler took more memory than one may", STOA_E_BUSY);
        err = err == STOA_OK ? STOA_E_BUSY : err;
    }
    fiber_set_deadline(before);
    fiber_set_note(note);
    return err;
}

/* A handler's error is its reply, unless it described the error itself. */
static void settle(struct stoa_req *req, stoa_err err)
{
    if (err != STOA_OK && !req->reply.is_problem)
        request_problem(req, err, NULL, STOA_NO_FIELDS);
    if (req->reply.status != 0)
        return;
    report(req, "a handler returned without a reply", STOA_E_INTERNAL);
    request_problem(req, STOA_E_INTERNAL, NULL, STOA_NO_FIELDS);
}

/* A twin with the same key may have written just what this one stumbled over ("ordered already"):
 * then this client is told what the twin is told, not that it came too late. */
static stoa_err ask_twin(struct stoa_req *req, stoa_err err, bool *answered)
{
    stoa_err twin;

    if (err == STOA_OK || !req->journal || req->journal->state != JOURNAL_FRESH)
        return err;
    twin = journal_read(req, answered);
    return twin == STOA_E_IN_FLIGHT || twin == STOA_E_KEY_REUSED || *answered ? twin : err;
}

static void limit_time(struct stoa_req *req)
{
    int64_t until = loop_now(loop_current()) + req->route->timeout_ms;

    if (until < req->deadline_ms)
        req->deadline_ms = until;
}

/* The journal is the other node's, too. */
stoa_err invoke_elsewhere(struct stoa_req *req)
{
    stoa_err err;

    limit_time(req);
    err = remote_ask(req, req->is_edge ? REMOTE_VISIT : REMOTE_CALL);
    if (err != STOA_OK && err != STOA_E_CANCELLED)
        log_warn(req->plugin_name, "a call to another node failed",
                 stoa_f("request", stoa_z(req->id)), stoa_f("route", stoa_z(req->route_path)),
                 stoa_f("error", stoa_z(stoa_err_name(err))));
    return err;
}

bool invoke_is_elsewhere(const struct stoa_req *req)
{
    return remote_is(req->world, req->route->plugin);
}

static void run_elsewhere(struct stoa_req *req)
{
    stoa_err err = invoke_elsewhere(req);

    if (err != STOA_OK)
        request_problem(req, err, NULL, STOA_NO_FIELDS);
}

void invoke_route(struct stoa_req *req)
{
    const struct route *route = req->route;
    bool answered = false;
    stoa_err err;

    if (invoke_is_elsewhere(req)) {
        run_elsewhere(req);
        return;
    }
    limit_time(req);
    if ((route->flags & STOA_ROUTE_KEY_REQUIRED) && stoa_idempotency_key(req).len == 0) {
        request_problem(req, STOA_E_BAD_REQUEST, "this request needs an Idempotency-Key header",
                        STOA_NO_FIELDS);
        return;
    }
    err = journal_read(req, &answered);
    if (err == STOA_OK && !answered)
        err = ask_twin(req, invoke_handler(req, route->handler), &answered);
    if (!answered)
        settle(req, err);
    if (err != STOA_OK && stoa_err_status(err) >= 500 && !req->instance->generation->left_out)
        report(req, "a request failed", err);
    journal_finish(req);
}

struct stoa_req *invoke_request_create(struct world *world, uint32_t plugin, int64_t timeout_ms)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct stoa_req *req = stoa_new(arena, struct stoa_req);
    uint32_t loop = loop_current() ? loop_index(loop_current()) : 0;

    stoa_arena_limit(arena, REQUEST_ARENA_MAX);
    req->arena = arena;
    req->world = world;
    req->loop = loop;
    req->method = STOA_POST;
    req->method_text = STOA_STR("POST");
    req->route_path = "";
    req->identity.who = STOA_WHO_HOST;
    req->started_us = clock_monotonic_us();
    req->deadline_ms = clock_monotonic_ms() + timeout_ms;
    req->instance = world_instance(world, loop, plugin);
    req->plugin_name = req->instance->generation->name;
    req->port = req->instance->port;
    trace_start((stoa_str){0}, &req->trace);
    memcpy(req->id, req->trace.trace_id, sizeof req->id);
    return req;
}

void invoke_request_destroy(struct stoa_req *req)
{
    request_finish(req);
    stoa_arena_destroy(req->arena);
}
