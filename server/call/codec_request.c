/* call/codec_request.c: a request and its reply as bytes. SPDX-License-Identifier: Apache-2.0 */
#include "call/codec.h"
#include "call/journal.h"

static void put_identity(struct stoa_buf *out, const struct stoa_identity *id)
{
    put_u32(out, id->who);
    put_str(out, id->user_id);
    put_str(out, id->session_id);
    put_str(out, id->permissions);
}

static struct stoa_identity get_identity(struct decoder *in)
{
    struct stoa_identity id = {.who = get_u32(in)};

    id.user_id = get_str(in);
    id.session_id = get_str(in);
    id.permissions = get_str(in);
    return id;
}

static void put_headers(struct stoa_buf *out, const struct request_header *headers, uint32_t count)
{
    put_u32(out, count);
    for (uint32_t i = 0; i < count; i++) {
        put_str(out, headers[i].name);
        put_str(out, headers[i].value);
    }
}

static struct request_header *get_headers(struct decoder *in, uint32_t max, uint32_t *count)
{
    struct request_header *headers;

    *count = get_u32(in);
    if (*count > max)
        in->broken = true;
    *count = in->broken ? 0 : *count;
    headers = stoa_new_array(in->arena, struct request_header, *count + 1);
    for (uint32_t i = 0; i < *count; i++) {
        headers[i].name = get_str(in);
        headers[i].value = get_str(in);
    }
    return headers;
}

static void put_params(struct stoa_buf *out, const struct stoa_req *req)
{
    put_u32(out, req->param_count);
    for (uint32_t i = 0; i < req->param_count; i++) {
        put_str(out, stoa_str_of(req->param_names[i]));
        put_str(out, req->params[i]);
    }
}

static void get_params(struct decoder *in, struct stoa_req *req)
{
    uint32_t count = get_u32(in);
    const char **names = stoa_new_array(in->arena, const char *, REQUEST_PARAMS_MAX);

    if (count > REQUEST_PARAMS_MAX)
        in->broken = true;
    for (uint32_t i = 0; !in->broken && i < count; i++) {
        names[i] = get_name(in);
        req->params[i] = get_str(in);
        req->param_count = i + 1;
    }
    req->param_names = names;
}

static void put_event(struct stoa_buf *out, const struct stoa_event *e)
{
    put_u32(out, e != NULL);
    if (!e)
        return;
    put_str(out, e->id);
    put_str(out, e->name);
    put_str(out, e->aggregate);
    put_i64(out, e->time_ms);
    put_u32(out, e->attempt);
}

static const struct stoa_event *get_event(struct decoder *in)
{
    struct stoa_event *e;

    if (get_u32(in) == 0)
        return NULL;
    e = stoa_new(in->arena, struct stoa_event);
    e->id = get_str(in);
    e->name = get_str(in);
    e->aggregate = get_str(in);
    e->time_ms = get_i64(in);
    e->attempt = get_u32(in);
    return e;
}

static void put_once(struct stoa_buf *out, const struct journal *j)
{
    put_u32(out, j != NULL);
    if (!j)
        return;
    put_u32(out, j->state);
    put_u32(out, j->is_inbox);
    put_str(out, j->resource_id);
}

static struct journal *get_once(struct decoder *in)
{
    struct journal *j;

    if (get_u32(in) == 0)
        return NULL;
    j = stoa_new(in->arena, struct journal);
    j->state = (enum journal_state)get_u32(in);
    j->is_inbox = get_u32(in) != 0;
    j->resource_id = get_str(in);
    return j;
}

void put_request(struct stoa_buf *out, struct stoa_req *req)
{
    put_u32(out, req->method);
    put_u32(out, req->is_https);
    put_str(out, req->method_text);
    put_str(out, req->path);
    put_str(out, req->query);
    put_str(out, req->host);
    put_str(out, req->body);
    put_str(out, req->client);
    put_headers(out, req->headers, req->header_count);
    put_params(out, req);
    put_identity(out, &req->identity);
    put_json(out, req->json);
    put_event(out, req->event);
    put_once(out, req->journal);
    put_str(out, (stoa_str){(const char *)&req->trace, sizeof req->trace});
    put_str(out, stoa_str_of(req->id));
    put_str(out, stoa_str_of(req->route_path));
    put_str(out, stoa_str_of(req->plugin_name));
    put_i64(out, req->deadline_ms);
    put_u32(out, req->loop);
}

static bool is_trace(const struct trace *t)
{
    return t->trace_id[sizeof t->trace_id - 1] == '\0' &&
           t->span_id[sizeof t->span_id - 1] == '\0' &&
           t->parent_id[sizeof t->parent_id - 1] == '\0';
}

static void get_names(struct decoder *in, struct stoa_req *req)
{
    stoa_str trace = get_str(in), id = get_str(in);

    if (trace.len == sizeof req->trace && id.len < sizeof req->id) {
        memcpy(&req->trace, trace.ptr, trace.len);
        memcpy(req->id, id.len > 0 ? id.ptr : "", id.len);
    }
    if (id.len >= sizeof req->id || trace.len != sizeof req->trace || !is_trace(&req->trace)) {
        in->broken = true;
        req->trace = (struct trace){0};
    }
    req->route_path = get_name(in);
    req->plugin_name = get_name(in);
}

struct stoa_req *get_request(struct decoder *in)
{
    struct stoa_req *req = stoa_new(in->arena, struct stoa_req);

    req->arena = in->arena;
    req->method = (stoa_method)get_u32(in);
    req->is_https = get_u32(in) != 0;
    req->method_text = get_str(in);
    req->path = get_str(in);
    req->query = get_str(in);
    req->host = get_str(in);
    req->body = get_str(in);
    req->client = get_str(in);
    req->headers = get_headers(in, 256, &req->header_count);
    get_params(in, req);
    req->identity = get_identity(in);
    req->json = get_json(in);
    req->event = get_event(in);
    req->journal = get_once(in);
    get_names(in, req);
    req->deadline_ms = get_i64(in);
    req->loop = get_u32(in);
    return req;
}

void put_reply(struct stoa_buf *out, const struct request_reply *reply)
{
    put_u32(out, (uint32_t)reply->status);
    put_u32(out, reply->is_problem);
    put_str(out, stoa_str_of(reply->type));
    put_str(out, reply->body);
    put_json(out, reply->json);
    put_headers(out, reply->headers, reply->header_count);
}

void get_reply(struct decoder *in, struct request_reply *ret)
{
    struct request_header *headers;

    *ret = (struct request_reply){.status = (int32_t)get_u32(in)};
    if (ret->status != 0 && (ret->status < 200 || ret->status > 599))
        in->broken = true;
    ret->is_problem = get_u32(in) != 0;
    ret->type = get_cstr(in);
    ret->body = get_str(in);
    ret->json = get_json(in);
    headers = get_headers(in, REQUEST_REPLY_HEADERS_MAX, &ret->header_count);
    memcpy(ret->headers, headers, ret->header_count * sizeof *headers);
}
