/* http/send.c: a reply as libh2o wants it. On the loop's stack only: h2o's writes need room that a
 * fiber does not have. SPDX-License-Identifier: Apache-2.0 */
#include "http/internal.h"

#include "base/log.h"

static_assert(sizeof(h2o_iovec_t) == sizeof(stoa_str) &&
                  offsetof(h2o_iovec_t, len) == offsetof(stoa_str, len),
              "a slice is read as an iovec");

enum { HEADERS_MAX = REQUEST_REPLY_HEADERS_MAX + 3 };

static h2o_iovec_t iovec(stoa_str s)
{
    return (h2o_iovec_t){(char *)s.ptr, s.len};
}

h2o_header_t http_header_fixed(struct http *http, bool is_https)
{
    struct http_fixed_headers *fixed = &http->fixed;

    return (h2o_header_t){(h2o_iovec_t *)&fixed->name, NULL,
                          iovec(is_https ? fixed->https : fixed->http)};
}

static void add_type(h2o_headers_t *headers, const char *type)
{
    static h2o_iovec_t name = HTTP_LITERAL("content-type");

    if (type)
        headers->entries[headers->size++] =
            (h2o_header_t){&name, NULL, {(char *)type, strlen(type)}};
}

/* RFC 9110 §8.6: 204 has no Content-Length, and that of a 304 would be the other answer's. */
static bool has_no_body(int32_t status)
{
    return status == 204 || status == 304;
}

/* headers are read once, while h2o_send() writes them out: they may be on the stack. */
static void put_on_wire(h2o_req_t *req, int32_t status, h2o_headers_t headers, stoa_str body)
{
    static h2o_generator_t nothing_to_pull;
    struct http_connection *c = http_connection_of(req);
    bool is_head = h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD"));
    h2o_iovec_t bytes = iovec(body);

    if (atomic_load_explicit(&c->loop->http->is_draining, memory_order_relaxed)) {
        req->http1_is_persistent = 0;
        http_connection_linger(c);
    }
    req->res.status = status;
    req->res.reason = http_reason(status);
    req->res.content_length = has_no_body(status) ? SIZE_MAX : body.len;
    req->res.headers = headers;
    c->own_reply = true;
    h2o_start_response(req, &nothing_to_pull);
    if (is_head || has_no_body(status) || body.len == 0)
        h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
    else
        h2o_send(req, &bytes, 1, H2O_SEND_STATE_FINAL);
    req->res.headers = (h2o_headers_t){NULL};
    c->accounted = c->sock->bytes_written;
    c->loop->sent_late |= !c->loop->is_h2o_turn;
}

void http_send_plain(h2o_req_t *req, const struct http_plain *plain)
{
    static h2o_iovec_t retry_name = HTTP_LITERAL("retry-after");
    struct http_connection *c = http_connection_of(req);
    h2o_header_t entries[3];
    h2o_headers_t headers = {.entries = entries, .capacity = 3};

    if (plain->close) {
        req->http1_is_persistent = 0;
        http_connection_linger(c);
    }
    add_type(&headers, plain->type);
    if (plain->retry)
        entries[headers.size++] = (h2o_header_t){&retry_name, NULL, HTTP_LITERAL("1")};
    entries[headers.size++] = http_header_fixed(c->loop->http, plain->is_https);
    put_on_wire(req, plain->status, headers, plain->body);
}

static bool is_fit(const struct request_reply *reply)
{
    if (reply->status < 200 || reply->status > 599 || reply->body.len > REQUEST_REPLY_MAX)
        return false;
    if (reply->type && !http_header_value_is_fit(stoa_str_of(reply->type)))
        return false;
    for (uint32_t i = 0; i < reply->header_count; i++)
        if (!http_header_is_fit(&reply->headers[i]))
            return false;
    return true;
}

/* What would have let a visitor write headers of his own, or a reply that was never made. */
static void send_unfit(struct http_exchange *x)
{
    log_error("http", "a reply was not fit to send", stoa_f("request", stoa_z(x->req.id)),
              stoa_f("status", stoa_i(x->req.reply.status)));
    x->req.reply.status = 500;
    x->req.reply.body = (stoa_str){0};
    http_refuse(x->h2o, 500, STOA_E_INTERNAL, "the reply could not be sent", false);
}

void http_send(struct http_exchange *x)
{
    struct request_reply *reply = &x->req.reply;
    h2o_header_t entries[HEADERS_MAX];
    h2o_headers_t headers = {.entries = entries, .capacity = HEADERS_MAX};

    if (!is_fit(reply)) {
        send_unfit(x);
        return;
    }
    add_type(&headers, reply->type);
    for (uint32_t i = 0; i < reply->header_count; i++) {
        struct request_header *h = &reply->headers[i];
        entries[headers.size++] = (h2o_header_t){(h2o_iovec_t *)&h->name, NULL, iovec(h->value)};
    }
    if (!reply->is_for_node)
        entries[headers.size++] = http_header_fixed(x->loop->http, x->req.is_https);
    put_on_wire(x->h2o, reply->status, headers, reply->body);
}
