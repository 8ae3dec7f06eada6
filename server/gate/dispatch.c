/* gate/dispatch.c: the order matters: what is cheap and refuses most comes first.
 * SPDX-License-Identifier: Apache-2.0 */
#include "gate/dispatch.h"

#include "arena_private.h"
#include "base/log.h"
#include "base/metrics.h"
#include "call/invoke.h"
#include "call/permit.h"
#include "fiber/fiber.h"
#include "gate/host_routes.h"
#include "gate/identity.h"
#include "gate/internal.h"
#include "gate/rate.h"
#include "gate/same_origin.h"
#include "loop/loop.h"
#include "plugin/world.h"

enum { EDGE_TIMEOUT_MS = ROUTE_TIMEOUT_MAX_MS };

static stoa_err check_rate(struct stoa_req *req)
{
    int64_t retry_s = 1;

    if (rate_take(req->visitor, loop_now(loop_current()), &retry_s))
        return STOA_OK;
    metric_add(METRIC_rate_limited_total, 1);
    request_problem(req, STOA_E_RATE, NULL, STOA_NO_FIELDS);
    stoa_reply_header(req, "retry-after", stoa_str_from_int(req->arena, retry_s));
    return STOA_E_RATE;
}

/* Allow (RFC 9110 §10.2.1) is part of a 405. */
static stoa_err refuse_method(struct stoa_req *req, uint32_t allowed)
{
    struct stoa_buf list;

    stoa_buf_init(&list, req->arena, 64);
    for (uint32_t m = STOA_GET; m <= STOA_DELETE; m++) {
        if (!(allowed & (1u << m)))
            continue;
        if (list.len > 0)
            stoa_buf_put(&list, STOA_STR(", "));
        stoa_buf_put(&list, stoa_str_of(route_method_name((stoa_method)m)));
        if (m == STOA_GET)
            stoa_buf_put(&list, STOA_STR(", HEAD"));
    }
    request_problem(req, STOA_E_METHOD, NULL, STOA_NO_FIELDS);
    stoa_reply_header(req, "allow", stoa_buf_str(&list));
    return STOA_E_METHOD;
}

/* A method that we do not know is refused as one that the path does not know. */
static stoa_err find_route(struct stoa_req *req, const struct route **ret)
{
    stoa_method method = req->method ? req->method : STOA_GET;
    struct route_found found = route_match(req->world->routes, method, req->path, req->params);

    if (found.err == STOA_E_METHOD || (found.route && !req->method))
        return refuse_method(req, found.allowed);
    *ret = found.route;
    return found.err;
}

static bool is_type(stoa_str header, const char *type)
{
    return stoa_str_eq_nocase(stoa_str_trim(stoa_str_cut(&header, ';')), stoa_str_of(type));
}

static stoa_err read_json(struct stoa_req *req)
{
    struct stoa_json_error error;
    stoa_err err = stoa_json_parse(req->arena, req->body, &error, &req->json);

    if (err == STOA_OK)
        return STOA_OK;
    return stoa_fail(req, err, "the body is no JSON that we take",
                     STOA_FIELDS(stoa_f("reason", stoa_z(error.reason)),
                                 stoa_f("line", stoa_i(error.line)),
                                 stoa_f("column", stoa_i(error.column))));
}

/* Content is read before the handler, so that a handler never sees what it cannot trust to be read.
 */
static stoa_err read_body(struct stoa_req *req, const struct route *route)
{
    stoa_str type;

    if (req->body.len > route->body_max)
        return stoa_fail(req, STOA_E_TOO_LARGE, "the body is larger than this route takes",
                         STOA_FIELDS(stoa_f("limit", stoa_i(route->body_max))));
    if (req->body.len == 0)
        return STOA_OK;
    if (stoa_req_header(req, "content-encoding").ptr)
        return stoa_fail(req, STOA_E_MEDIA_TYPE, "compressed bodies are not taken", STOA_NO_FIELDS);
    type = stoa_req_header(req, "content-type");
    if (is_type(type, "application/json"))
        return read_json(req);
    if ((route->flags & STOA_ROUTE_FORM) && is_type(type, "application/x-www-form-urlencoded"))
        return STOA_OK;
    return stoa_fail(req, STOA_E_MEDIA_TYPE,
                     (route->flags & STOA_ROUTE_FORM) ? "this takes a form or application/json"
                                                      : "this takes application/json",
                     STOA_NO_FIELDS);
}

/* Only what guests may see as well is shown to whom nobody can tell: a shop whose user plugin is
 * away goes on selling. */
static stoa_err find_visitor(struct stoa_req *req, const struct route *route)
{
    if (route->flags & STOA_ROUTE_IMPERSONAL)
        return STOA_OK;
    if (route->permit != STOA_ANYONE || req->method != STOA_GET)
        return identity_find(req);
    identity_guess(req);
    return STOA_OK;
}

static stoa_err check_visitor(struct stoa_req *req, const struct route *route)
{
    stoa_err err = same_origin_check(req);

    if (err != STOA_OK)
        return stoa_fail(req, err, "the request does not come from a page of this shop",
                         STOA_NO_FIELDS);
    STOA_TRY(find_visitor(req, route));
    STOA_TRY(permit_check(req, route));
    if ((route->flags & STOA_ROUTE_DEVELOPMENT) && !req->world->is_development)
        return STOA_E_NOT_FOUND;
    return read_body(req, route);
}

static stoa_err admit(struct stoa_req *req)
{
    const struct route *route = NULL;

    STOA_TRY(check_rate(req));
    STOA_TRY(find_route(req, &route));
    stoa_assert(route);
    invoke_prepare(req, route);
    return check_visitor(req, route);
}

/* What took too much is not sent either: its size is the plugin's mistake, and sending would hold
 * it for as long as the visitor reads. */
static void check_memory(struct stoa_req *req)
{
    if (!stoa_arena_over_limit(req->arena))
        return;
    log_error(req->plugin_name, "a request took more memory than one may",
              stoa_f("route", stoa_z(req->route_path)), stoa_f("request", stoa_z(req->id)),
              stoa_f("bytes", stoa_i((int64_t)stoa_arena_used(req->arena))),
              stoa_f("limit", stoa_i(REQUEST_ARENA_MAX)));
    request_problem(req, STOA_E_BUSY, "the answer needs more memory than one request may take",
                    STOA_NO_FIELDS);
    request_format_reply(req);
}

/* What a guest is refused or sent away from may be this visitor's own, and a guest's page may not
 * change their cookies. */
static void check_unidentified(struct stoa_req *req)
{
    struct request_reply *reply = &req->reply;
    int32_t status = reply->status;
    uint32_t kept = 0;

    if ((status >= 300 && status < 400 && status != 304) || status == 401 || status == 403 ||
        status == 404) {
        reply->header_count = 0;
        request_problem(req, STOA_E_PLUGIN, "it cannot be told at the moment who you are",
                        STOA_NO_FIELDS);
    }
    for (uint32_t i = 0; i < reply->header_count; i++)
        if (!stoa_str_is(reply->headers[i].name, "set-cookie"))
            reply->headers[kept++] = reply->headers[i];
    reply->header_count = kept;
    stoa_reply_header(req, "cache-control", STOA_STR("no-store"));
}

static void finish(struct stoa_req *req)
{
    if (req->is_unidentified)
        check_unidentified(req);
    request_format_reply(req);
    check_memory(req);
    if (req->world->is_development && req->statements > 0)
        stoa_reply_header(req, "x-stoa-statements", stoa_str_from_int(req->arena, req->statements));
    if (req->reply.status >= 400)
        stoa_reply_header(req, "cache-control", STOA_STR("no-store"));
}

void gate_dispatch(struct stoa_req *req)
{
    stoa_err err;

    stoa_arena_limit(req->arena, REQUEST_ARENA_MAX);
    req->is_edge = true;
    req->route_path = "";
    req->plugin_name = "host";
    req->deadline_ms = loop_now(loop_current()) + EDGE_TIMEOUT_MS;
    fiber_set_deadline(req->deadline_ms); /* what comes before the handler is bounded, too */
    if (!host_routes_answer(req) && !internal_answer(req)) {
        err = admit(req);
        if (err == STOA_OK)
            invoke_route(req);
        else if (!req->reply.is_problem)
            request_problem(req, err, NULL, STOA_NO_FIELDS);
    }
    finish(req);
}
