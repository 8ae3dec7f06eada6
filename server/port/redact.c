/* port/redact.c: see redact.h. SPDX-License-Identifier: Apache-2.0 */
#include "port/redact.h"

#include "base/log.h"
#include "plugin/reply.h"
#include "plugin/world.h"

static bool is_stranger(const struct stoa_req *req)
{
    const struct generation *g = req->instance->generation;

    return g->is_confined && !g->is_trusted;
}

static stoa_str without_session(struct stoa_req *req, stoa_str cookies)
{
    stoa_str session = request_cookie_name(req, "sid");
    struct stoa_buf kept;

    stoa_buf_init(&kept, req->arena, cookies.len);
    while (cookies.len > 0) {
        stoa_str pair = stoa_str_trim(stoa_str_cut(&cookies, ';')), value = pair;
        if (pair.len == 0 || stoa_str_eq(stoa_str_cut(&value, '='), session))
            continue;
        if (kept.len > 0)
            stoa_buf_put(&kept, STOA_STR("; "));
        stoa_buf_put(&kept, pair);
    }
    return stoa_buf_str(&kept);
}

void redact_begin(struct stoa_req *req, struct redacted *ret)
{
    struct request_header *kept;
    uint32_t count = 0;

    *ret = (struct redacted){req->headers, req->header_count};
    if (!is_stranger(req))
        return;
    kept = stoa_new_array(req->arena, struct request_header, req->header_count + 1);
    for (uint32_t i = 0; i < req->header_count; i++) {
        struct request_header h = req->headers[i];
        if (stoa_str_is(h.name, "authorization"))
            continue;
        if (stoa_str_is(h.name, "cookie"))
            h.value = without_session(req, h.value);
        kept[count++] = h;
    }
    req->headers = kept;
    req->header_count = count;
}

void redact_end(struct stoa_req *req, const struct redacted *whole)
{
    req->headers = whole->headers;
    req->header_count = whole->count;
}

static bool sets_session(struct stoa_req *req, const struct request_header *h)
{
    stoa_str value = h->value;

    return stoa_str_eq_nocase(h->name, STOA_STR("set-cookie")) &&
           stoa_str_eq(stoa_str_trim(stoa_str_cut(&value, '=')), request_cookie_name(req, "sid"));
}

void redact_reply(struct stoa_req *req)
{
    struct request_reply *r = &req->reply;
    uint32_t count = 0;

    if (!is_stranger(req))
        return;
    for (uint32_t i = 0; i < r->header_count; i++)
        if (!sets_session(req, &r->headers[i]))
            r->headers[count++] = r->headers[i];
        else
            log_warn("sandbox", "a plugin may not set the session's cookie",
                     stoa_f("plugin", stoa_z(req->plugin_name)));
    r->header_count = count;
}
