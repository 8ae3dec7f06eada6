/* call/call.c: a call is a request of its own, with the caller's identity, deadline and arena.
 * SPDX-License-Identifier: Apache-2.0 */
#include "call/call.h"

#include "base/clock.h"
#include "base/log.h"
#include "call/invoke.h"
#include "call/permit.h"
#include "call/remote.h"
#include "call/wiring.h"
#include "fiber/fiber.h"
#include "plugin/world.h"

enum { CALL_HEADERS_MAX = 16 };

static void copy_headers(struct stoa_req *child, struct stoa_fields fields)
{
    uint32_t count = fields.count < CALL_HEADERS_MAX ? fields.count : CALL_HEADERS_MAX;

    child->headers = stoa_new_array(child->arena, struct request_header, count + 1);
    for (uint32_t i = 0; i < count; i++)
        if (fields.ptr[i].value.kind == STOA_V_STR)
            child->headers[child->header_count++] =
                (struct request_header){stoa_str_of(fields.ptr[i].name), fields.ptr[i].value.s};
}

/* Jobs and events have the host's rights, which are all there are: those of who brought the plugin
 * along. A stranger's have nobody's, also when it is asked by somebody else's job. */
static struct stoa_identity lend_identity(const struct stoa_req *req)
{
    if (req->identity.who == STOA_WHO_HOST && req->instance &&
        generation_is_stranger(req->instance->generation))
        return (struct stoa_identity){.who = STOA_WHO_GUEST};
    return req->identity;
}

static struct stoa_req *child_create(struct stoa_req *req, stoa_method method, stoa_str target)
{
    struct stoa_req *child = stoa_new(req->arena, struct stoa_req);

    child->arena = req->arena;
    child->parent = req;
    child->depth = req->depth + 1;
    child->method = method;
    child->method_text = stoa_str_of(route_method_name(method));
    child->path = stoa_str_cut(&target, '?');
    child->query = target;
    child->host = req->host;
    child->is_https = req->is_https;
    child->client = req->client;
    child->identity = lend_identity(req);
    child->world = req->world;
    child->loop = req->loop;
    child->started_us = clock_monotonic_us();
    child->deadline_ms = req->deadline_ms;
    trace_child(&req->trace, &child->trace);
    memcpy(child->id, req->id, sizeof child->id);
    return child;
}

/* The body is the tree itself; its bytes are only needed where a hash of the request is. */
static void set_body(struct stoa_req *child, const struct stoa_json *body)
{
    struct stoa_buf buf;

    child->json = body;
    if (!body || stoa_idempotency_key(child).len == 0)
        return;
    stoa_buf_init(&buf, child->arena, 256);
    stoa_json_format(body, &buf);
    child->body = stoa_buf_str(&buf);
}

static void read_answer(struct stoa_req *child, struct stoa_answer *ret)
{
    struct request_reply *r = &child->reply;
    bool is_json = r->type && strncmp(r->type, "application/", 12) == 0 && strstr(r->type, "json");

    *ret = (struct stoa_answer){.status = r->status, .json = r->json};
    if (r->json)
        return;
    ret->body = r->body;
    if (is_json && stoa_json_parse(child->arena, r->body, NULL, &ret->json) != STOA_OK)
        ret->json = NULL;
}

static stoa_err find_route(struct stoa_req *child, const char *plugin)
{
    struct route_found found =
        route_match(child->world->routes, child->method, child->path, child->params);

    if (!found.route)
        return STOA_E_PLUGIN;
    invoke_prepare(child, found.route);
    if (strcmp(child->plugin_name, plugin) != 0)
        return STOA_E_PLUGIN;
    return permit_check(child, found.route) == STOA_OK ? STOA_OK : STOA_E_FORBIDDEN;
}

stoa_err call_local(struct stoa_req *req, const struct stoa_call *call, struct stoa_answer *ret)
{
    struct stoa_req *child;
    int64_t until = clock_monotonic_ms() + call->timeout_ms;
    stoa_err err;

    if (req->depth >= REQUEST_DEPTH_MAX)
        return STOA_E_DEPTH;
    child = child_create(req, (stoa_method)call->method, call->path);
    copy_headers(child, call->headers);
    set_body(child, call->body);
    if (call->timeout_ms && until < child->deadline_ms)
        child->deadline_ms = until;
    err = find_route(child, call->plugin);
    if (err != STOA_OK) {
        log_warn(req->plugin_name, "a call found no route that it may use",
                 stoa_f("plugin", stoa_z(call->plugin)), stoa_f("path", stoa_s(child->path)),
                 stoa_f("error", stoa_z(stoa_err_name(err))));
        return err;
    }
    if (!invoke_is_elsewhere(child))
        invoke_route(child);
    else
        STOA_TRY(invoke_elsewhere(child));
    /* Out of its own shorter time, with the caller's time left: the caller decides what that means.
     */
    if (child->reply.is_problem && clock_monotonic_ms() >= child->deadline_ms)
        return STOA_E_TIMEOUT;
    read_answer(child, ret);
    return STOA_OK;
}

/* ---- Extension points ---- */

struct collect;
struct question {
    const struct point_provider *provider;
    struct stoa_req *child;
    stoa_err err;
    struct fiber *fiber; /* asks another node; NULL: answered, or asked here */
    struct collect *all;
};
struct collect {
    struct question *questions; /* in declared order */
    uint32_t count;
    uint32_t open; /* on other nodes */
    struct fiber_wait wait;
};

static struct stoa_req *question_create(struct stoa_req *req, const struct point_provider *p,
                                        const struct stoa_json *question)
{
    struct stoa_req *child = child_create(req, STOA_POST, STOA_STR(""));

    child->instance = world_instance(req->world, req->loop, p->plugin);
    child->plugin_name = child->instance->generation->name;
    child->route_path = p->point;
    child->port = child->instance->port;
    child->json = question;
    return child;
}

static void ask_elsewhere(void *arg)
{
    struct question *q = arg;

    q->err = remote_ask(q->child, REMOTE_POINT);
}

static void asked_elsewhere(void *arg)
{
    struct question *q = arg;

    q->fiber = NULL;
    if (--q->all->open == 0)
        fiber_wake(&q->all->wait);
}

static void start_elsewhere(struct collect *all)
{
    for (uint32_t i = 0; i < all->count; i++) {
        struct question *q = &all->questions[i];
        if (!remote_is(q->child->world, q->provider->plugin))
            continue;
        all->open++;
        q->err = fiber_spawn(ask_elsewhere, asked_elsewhere, q, &q->fiber);
        if (q->err != STOA_OK)
            all->open--;
    }
}

static void ask_here(struct collect *all)
{
    for (uint32_t i = 0; i < all->count; i++) {
        struct question *q = &all->questions[i];
        if (!remote_is(q->child->world, q->provider->plugin))
            q->err = invoke_handler(q->child, q->provider->handler);
    }
}

/* They write into the caller's memory, so nobody leaves before all have ended: neither deadline nor
 * cancellation ends the second wait. A child may sit in what cannot be cut short. */
static void await_elsewhere(struct collect *all)
{
    int64_t deadline;

    if (all->open == 0)
        return;
    all->wait = (struct fiber_wait){.fiber = fiber_self()};
    if (fiber_await(&all->wait, -1) == STOA_OK)
        return;
    for (uint32_t i = 0; i < all->count; i++)
        if (all->questions[i].fiber)
            fiber_cancel(all->questions[i].fiber);
    deadline = fiber_set_deadline(INT64_MAX);
    fiber_mask();
    stoa_assert(fiber_await(&all->wait, -1) == STOA_OK);
    fiber_unmask();
    fiber_set_deadline(deadline);
}

/* An error told as a reply is an error all the same. */
static stoa_err take_answer(struct stoa_req *req, struct question *q, struct stoa_json *answers)
{
    struct stoa_answer answer;
    struct stoa_json *entry;

    read_answer(q->child, &answer);
    if (q->err == STOA_OK && answer.status >= 400)
        return STOA_E_PLUGIN;
    if (q->err == STOA_OK && answer.json) {
        entry = stoa_json_push(answers, stoa_json_object(req->arena));
        stoa_json_set_str(entry, "plugin", stoa_str_of(q->child->plugin_name));
        stoa_json_set(entry, "answer", stoa_json_copy(req->arena, answer.json));
    }
    return q->err;
}

static stoa_err take_answers(struct stoa_req *req, struct collect *all, struct stoa_json *answers)
{
    for (uint32_t i = 0; i < all->count; i++) {
        struct question *q = &all->questions[i];
        stoa_err err = take_answer(req, q, answers);
        if (err == STOA_OK)
            continue;
        log_warn(req->plugin_name, "a provider failed", stoa_f("point", stoa_z(q->provider->point)),
                 stoa_f("error", stoa_z(stoa_err_name(err))));
        if (q->provider->is_required)
            return err;
    }
    return STOA_OK;
}

stoa_err call_collect(struct stoa_req *req, const char *point, const struct stoa_json *question,
                      const struct stoa_json **ret)
{
    struct stoa_json *answers = stoa_json_array(req->arena);
    const struct wiring *w = req->world->wiring;
    struct collect all = {.questions =
                              stoa_new_array(req->arena, struct question, w->provider_count + 1)};

    if (req->depth >= REQUEST_DEPTH_MAX)
        return STOA_E_DEPTH;
    for (uint32_t i = 0; i < w->provider_count; i++)
        if (strcmp(w->providers[i].point, point) == 0)
            all.questions[all.count++] =
                (struct question){.provider = &w->providers[i],
                                  .child = question_create(req, &w->providers[i], question),
                                  .all = &all};
    start_elsewhere(&all);
    ask_here(&all);
    await_elsewhere(&all);
    STOA_TRY(take_answers(req, &all, answers));
    *ret = answers;
    return STOA_OK;
}
