/* http/refuse.c: answers that no handler gave: the guard's, the caps', libh2o's own.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/internal.h"

#include <stdio.h>

#define PROBLEM "application/problem+json"

enum { PROBLEM_MAX = 400 };

/* detail and the error's texts are literals of ours: nothing in them needs escaping. */
static stoa_str format_problem(h2o_mem_pool_t *pool, int32_t status, stoa_err err,
                               const char *detail)
{
    char *text = h2o_mem_alloc_pool(pool, PROBLEM_MAX);
    int len = snprintf(text, PROBLEM_MAX,
                       "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"code\":\"%s\","
                       "\"detail\":\"%s\"}",
                       stoa_err_text(err), status, stoa_err_name(err), detail);

    stoa_assert(len > 0 && len < PROBLEM_MAX);
    return (stoa_str){text, (uint64_t)len};
}

void http_refuse(h2o_req_t *req, int32_t status, stoa_err err, const char *detail, bool close)
{
    struct http_connection *c = http_connection_of(req);
    struct http_plain plain = {
        .status = status,
        .type = PROBLEM,
        .body = format_problem(&req->pool, status, err, detail),
        .retry = status == 503 || status == 429,
        .is_https = c->sock->ssl,
        .close = close,
    };

    http_send_plain(req, &plain);
}

/* ---- libh2o's own answers pass here on their way out ---- */

struct dressed {
    h2o_ostream_t super;
    h2o_iovec_t body;
};

static void dressed_send(h2o_ostream_t *self, h2o_req_t *req, h2o_iovec_t *bufs, size_t count,
                         h2o_send_state_t state)
{
    struct http_connection *c = http_connection_of(req);
    struct dressed *dressed = (struct dressed *)self;

    http_connection_linger(c);
    h2o_ostream_send_next(self, req, count ? &dressed->body : NULL, count ? 1 : 0, state);
    c->accounted = c->sock->bytes_written;
}

static stoa_str problem_of(h2o_req_t *req)
{
    switch (req->res.status) {
    case 413:
        return format_problem(&req->pool, 413, STOA_E_TOO_LARGE, "the body is too large");
    case 417:
        return format_problem(&req->pool, 417, STOA_E_BAD_REQUEST,
                              "the only expectation understood is 100-continue");
    default:
        return format_problem(&req->pool, req->res.status,
                              req->res.status < 500 ? STOA_E_BAD_REQUEST : STOA_E_INTERNAL,
                              "the body's framing is broken");
    }
}

void http_refuse_setup(h2o_filter_t *self, h2o_req_t *req, h2o_ostream_t **slot)
{
    static h2o_iovec_t type_name = HTTP_LITERAL("content-type");
    struct http_connection *c = http_connection_of(req);
    struct http *http = c->loop->http;
    struct dressed *dressed;
    h2o_header_t *headers;
    stoa_str body;

    if (c->own_reply) {
        h2o_setup_next_ostream(req, slot);
        return;
    }
    body = problem_of(req);
    headers = h2o_mem_alloc_pool(&req->pool, sizeof(*headers) * 2);
    headers[0] = (h2o_header_t){&type_name, NULL, HTTP_LITERAL(PROBLEM)};
    headers[1] = http_header_fixed(http, c->sock->ssl);
    req->res.headers.entries = headers;
    req->res.headers.size = req->res.headers.capacity = 2;
    req->res.reason = http_reason(req->res.status);
    req->res.content_length = body.len;
    dressed = (struct dressed *)h2o_add_ostream(req, sizeof(*dressed), slot);
    dressed->super.do_send = dressed_send;
    dressed->body = h2o_iovec_init(body.ptr, body.len);
    h2o_setup_next_ostream(req, &dressed->super.next);
}
