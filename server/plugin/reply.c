/* plugin/reply.c: what a handler answers. Nothing here talks to the network: the edge sends what is
 * filled in when the handler has returned. SPDX-License-Identifier: Apache-2.0 */
#include "plugin/reply.h"

#include "base/field.h"
#include "base/log.h"
#include "plugin/world.h"
#include "resource/cache/cache.h"

enum { REPLY_FIRST = 2000 }; /* bytes: most replies fit without growing */

static struct request_reply *start(struct stoa_req *req, int32_t status, const char *type)
{
    struct request_reply *r = &req->reply;

    stoa_assert(status >= 200 && status <= 599);
    r->status = status;
    r->type = type;
    r->body = (stoa_str){0};
    r->json = NULL;
    r->is_problem = false;
    return r;
}

stoa_err stoa_reply(struct stoa_req *req, int32_t status, const char *type, stoa_str body)
{
    if (body.len > REQUEST_REPLY_MAX)
        return stoa_fail(req, STOA_E_INTERNAL, "the reply is larger than 8 MiB", STOA_NO_FIELDS);
    start(req, status, type)->body = body;
    return STOA_OK;
}

stoa_err stoa_reply_json(struct stoa_req *req, int32_t status, const struct stoa_json *json)
{
    start(req, status, "application/json")->json = json;
    return STOA_OK;
}

stoa_err stoa_reply_fields(struct stoa_req *req, int32_t status, struct stoa_fields fields)
{
    return stoa_reply_json(req, status, stoa_json_fields(req->arena, fields));
}

stoa_err stoa_reply_empty(struct stoa_req *req)
{
    start(req, 204, NULL);
    return STOA_OK;
}

stoa_err stoa_reply_redirect(struct stoa_req *req, stoa_str location)
{
    start(req, 303, NULL);
    return stoa_reply_header(req, "location", location);
}

static struct request_header *find_header(struct request_reply *r, stoa_str name)
{
    for (uint32_t i = 0; i < r->header_count; i++)
        if (stoa_str_eq(r->headers[i].name, name))
            return &r->headers[i];
    return NULL;
}

/* RFC 9457. type is about:blank with the error's name in "code", so that nothing has to be fetched.
 */
void request_problem(struct stoa_req *req, stoa_err err, const char *detail,
                     struct stoa_fields fields)
{
    struct stoa_json *problem = stoa_json_object(req->arena);
    int32_t status = stoa_err_status(err);

    stoa_json_set_str(problem, "type", STOA_STR("about:blank"));
    stoa_json_set_str(problem, "title", stoa_str_of(stoa_err_text(err)));
    stoa_json_set_int(problem, "status", status);
    stoa_json_set_str(problem, "code", stoa_str_of(stoa_err_name(err)));
    if (detail && *detail)
        stoa_json_set_str(problem, "detail", stoa_str_of(detail));
    stoa_json_set_str(problem, "instance", stoa_str_of(req->id));
    for (const struct stoa_json *e = stoa_json_first(stoa_json_fields(req->arena, fields)); e;
         e = stoa_json_next(e))
        stoa_json_set(problem, stoa_cstr(req->arena, stoa_json_name(e)),
                      stoa_json_copy(req->arena, e));
    start(req, status, "application/problem+json")->json = problem;
    req->reply.is_problem = true;
    /* A handler that knows better has said so already. */
    if ((status == 503 || status == 429) && !find_header(&req->reply, STOA_STR("retry-after")))
        (void)stoa_reply_header(req, "retry-after", STOA_STR("1"));
}

stoa_err stoa_fail(struct stoa_req *req, stoa_err err, const char *detail,
                   struct stoa_fields fields)
{
    stoa_assert(err != STOA_OK && err < STOA_E_COUNT);
    request_problem(req, err, detail, fields);
    return err;
}

static bool is_field_name(stoa_str name)
{
    for (uint64_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return name.len > 0 && name.len <= 64;
}

stoa_err stoa_reply_header(struct stoa_req *req, const char *name, stoa_str value)
{
    struct request_reply *r = &req->reply;
    stoa_str own_name = stoa_str_of(name);
    const char *end = value.ptr + value.len;
    struct request_header *before = NULL;

    if (!is_field_name(own_name) || value.len > 4096 ||
        (value.len > 0 && field_value_end(value.ptr, end) != end))
        return STOA_E_INVALID;
    if (!stoa_str_is(own_name, "set-cookie"))
        before = find_header(r, own_name);
    if (before) {
        before->value = stoa_str_copy(req->arena, value);
        return STOA_OK;
    }
    if (r->header_count == REQUEST_REPLY_HEADERS_MAX)
        return STOA_E_RANGE;
    r->headers[r->header_count++] = (struct request_header){stoa_str_copy(req->arena, own_name),
                                                            stoa_str_copy(req->arena, value)};
    return STOA_OK;
}

/* cookie-octet of RFC 6265 §4.1.1. */
static bool is_cookie_value(stoa_str value)
{
    for (uint64_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if (c <= 0x20 || c >= 0x7f || c == '"' || c == ',' || c == ';' || c == '\\')
            return false;
    }
    return true;
}

stoa_err stoa_reply_cookie(struct stoa_req *req, const char *name, stoa_str value, int64_t max_age)
{
    stoa_str line;

    if (!is_cookie_value(value) || value.len > 1024)
        return STOA_E_INVALID;
    line = stoa_concat(req->arena, request_cookie_name(req, name), STOA_STR("="), value,
                       STOA_STR("; Path=/; HttpOnly; SameSite=Lax; Max-Age="),
                       stoa_str_from_int(req->arena, max_age),
                       req->is_https ? STOA_STR("; Secure") : STOA_STR(""));
    return stoa_reply_header(req, "set-cookie", line);
}

int32_t stoa_reply_status(const struct stoa_req *req)
{
    return req->reply.status;
}

void request_finish(struct stoa_req *req)
{
    for (uint32_t i = 0; i < req->held_count; i++)
        cache_release(req->held[i]);
    req->held_count = 0;
}

void request_format_reply(struct stoa_req *req)
{
    struct request_reply *r = &req->reply;
    struct stoa_buf buf;

    if (!r->json)
        return;
    stoa_buf_init(&buf, req->arena, REPLY_FIRST);
    stoa_json_format(r->json, &buf);
    r->body = stoa_buf_str(&buf);
    r->json = NULL;
}

stoa_err stoa_reply_answer(struct stoa_req *req, const struct stoa_answer *answer)
{
    if (answer->json) {
        stoa_reply_json(req, answer->status, answer->json);
        if (answer->status >= 400)
            req->reply.type = "application/problem+json";
        return STOA_OK;
    }
    if (answer->body.len == 0)
        return stoa_reply_empty(req);
    return stoa_reply(req, answer->status, "application/octet-stream", answer->body);
}
