/* visit.c: a visitor without a connection: what http/ would have filled in, and the gate.
 * SPDX-License-Identifier: Apache-2.0 */
#include "testing_private.h"

#include "base/clock.h"
#include "call/invoke.h"
#include "gate/dispatch.h"
#include "plugin/world.h"

enum { VISIT_HEADERS_MAX = 12 };

/* Requests are kept until the test ends: answers point into them. */
struct kept {
    struct kept *next;
    struct stoa_req *req;
};

static struct kept *all;
static struct t_answer answer;

static void keep(struct stoa_req *req)
{
    struct kept *one = stoa_new(t_arena(), struct kept);

    *one = (struct kept){all, req};
    all = one;
}

void t_visits_begin(void)
{
    all = NULL;
    answer = (struct t_answer){0};
}

void t_visits_end(void)
{
    for (struct kept *one = all; one; one = one->next)
        invoke_request_destroy(one->req);
    all = NULL;
}

static void add_header(struct stoa_req *req, const char *name, const char *value)
{
    stoa_assert(req->header_count < VISIT_HEADERS_MAX);
    req->headers[req->header_count++] =
        (struct request_header){stoa_str_copy(req->arena, stoa_str_of(name)),
                                stoa_str_copy(req->arena, stoa_str_of(value))};
}

static void add_headers(struct stoa_req *req, const struct t_visit *visit)
{
    const char *type = visit->type ? visit->type : visit->body ? "application/json" : NULL;

    req->headers = stoa_new_array(req->arena, struct request_header, VISIT_HEADERS_MAX);
    for (uint32_t i = 0; i + 1 < 16 && visit->headers[i]; i += 2)
        add_header(req, visit->headers[i], visit->headers[i + 1]);
    if (visit->key)
        add_header(req, "idempotency-key", visit->key);
    if (type)
        add_header(req, "content-type", type);
}

static void set_method(struct stoa_req *req, const char *method)
{
    req->method_text = stoa_str_of(method);
    req->is_head = strcmp(method, "HEAD") == 0;
    for (uint32_t m = STOA_GET; m <= STOA_DELETE; m++)
        if (strcmp(req->is_head ? "GET" : method, route_method_name((stoa_method)m)) == 0)
            req->method = (stoa_method)m;
}

static struct stoa_req *request_of(const struct t_visit *visit)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct stoa_req *req = stoa_new(arena, struct stoa_req);
    stoa_str path = stoa_str_copy(arena, stoa_str_of(visit->path));

    req->arena = arena;
    req->world = t_world();
    set_method(req, visit->method);
    req->path = stoa_str_cut(&path, '?');
    req->query = path;
    req->host = stoa_str_of(visit->host ? visit->host : "127.0.0.1:8080");
    req->client = stoa_str_of(visit->client ? visit->client : "192.0.2.1");
    req->visitor = req->client;
    req->is_https = visit->is_https;
    req->body = stoa_str_copy(arena, stoa_str_of(visit->body));
    req->started_us = clock_monotonic_us();
    trace_start((stoa_str){0}, &req->trace);
    memcpy(req->id, req->trace.trace_id, sizeof(req->id));
    add_headers(req, visit);
    keep(req);
    return req;
}

int32_t t_visit(const struct t_visit *visit)
{
    struct stoa_req *req = request_of(visit);

    gate_dispatch(req);
    answer = (struct t_answer){.status = req->reply.status, .body = req->reply.body, .req = req};
    if (answer.body.len > 0 &&
        stoa_json_parse(req->arena, answer.body, NULL, &answer.json) != STOA_OK)
        answer.json = NULL;
    return answer.status;
}

int32_t t_get(const char *path)
{
    return t_visit(&(struct t_visit){.method = "GET", .path = path});
}

int32_t t_post(const char *path, const char *json)
{
    return t_visit(&(struct t_visit){.method = "POST", .path = path, .body = json});
}

const struct t_answer *t_answer(void)
{
    return &answer;
}

stoa_str t_header(const char *name)
{
    const struct request_reply *reply = &answer.req->reply;

    for (uint32_t i = 0; i < reply->header_count; i++)
        if (stoa_str_is(reply->headers[i].name, name))
            return reply->headers[i].value;
    return (stoa_str){0};
}

struct stoa_req *t_request(const char *plugin)
{
    enum { TIMEOUT_MS = 10000 };
    int32_t index = world_find(t_world(), stoa_str_of(plugin));
    struct stoa_req *req;

    if (index < 0)
        t_fail(plugin, "the shop has no such plugin");
    req = invoke_request_create(t_world(), (uint32_t)index, TIMEOUT_MS);
    req->cache_epoch = cache_epoch(t_world()->resources->cache);
    keep(req);
    return req;
}
