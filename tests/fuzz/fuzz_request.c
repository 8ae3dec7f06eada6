/* The small texts of a request: query, cookies, form, traceparent, percent-encoding, money, time.
 * What is read, is written so that it reads the same. SPDX-License-Identifier: Apache-2.0 */
#include "base/trace.h"
#include "plugin/reply.h"
#include <stoa/money.h>
#include <stoa/time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Decoded text is UTF-8 without NUL: what a handler may print and store. */
static void check_text(stoa_str s)
{
    stoa_assert(s.len == 0 || s.ptr);
    stoa_assert(stoa_str_is_utf8(s) && stoa_str_find(s, '\0', 0) < 0);
}

static void feed_query(struct stoa_req *req, stoa_str text)
{
    stoa_str rest = text;

    req->query = text;
    while (rest.len > 0) {
        stoa_str pair = stoa_str_cut(&rest, '&');
        stoa_str key = stoa_str_cut(&pair, '=');
        check_text(stoa_req_query(req, stoa_cstr(req->arena, key)));
    }
    check_text(stoa_req_query(req, "a"));
}

static void feed_form(struct stoa_req *req, stoa_str text)
{
    const struct stoa_json *form;

    req->body = text;
    form = stoa_req_form_json(req);
    stoa_assert(stoa_json_count(form) <= 200);
    for (const struct stoa_json *e = stoa_json_first(form); e; e = stoa_json_next(e)) {
        check_text(stoa_json_name(e));
        check_text(stoa_json_str(e, ""));
        stoa_assert(stoa_json_name(e).len > 0);
    }
}

static void feed_cookie(struct stoa_req *req, stoa_str text)
{
    stoa_str value, name;

    req->headers = &(struct request_header){STOA_STR("cookie"), text};
    req->header_count = 1;
    value = stoa_req_cookie(req, "sid");
    stoa_assert(!value.ptr || value.len <= text.len);
    req->host = text;
    name = request_cookie_name(req, "sid");
    for (uint64_t i = 4; i < name.len; i++)
        stoa_assert(name.ptr[i] >= '0' && name.ptr[i] <= '9');
    req->header_count = 0;
    stoa_assert(stoa_reply_cookie(req, "sid", text, 1) == STOA_E_INVALID || text.len <= 1024);
    stoa_assert(stoa_reply_header(req, "x", text) == STOA_E_INVALID ||
                (stoa_str_find(text, '\n', 0) < 0 && stoa_str_find(text, '\r', 0) < 0));
}

static void feed_url(struct stoa_req *req, stoa_str text)
{
    stoa_str decoded, again;

    if (stoa_url_decode(req->arena, text, false, &decoded) == STOA_OK) {
        check_text(decoded);
        stoa_assert(stoa_url_decode(req->arena, stoa_url_encode(req->arena, decoded), false,
                                    &again) == STOA_OK);
        stoa_assert(stoa_str_eq(decoded, again));
    }
}

static void feed_trace(struct stoa_req *req, stoa_str text)
{
    struct trace trace, next;
    char header[56];

    trace_start(text, &trace);
    trace_format(&trace, header);
    stoa_assert(strlen(header) == 55);
    trace_start(stoa_str_of(header), &next);
    stoa_assert(strcmp(trace.trace_id, next.trace_id) == 0);
    stoa_assert(strcmp(trace.span_id, next.parent_id) == 0);
}

static void feed_money(struct stoa_req *req, stoa_str text)
{
    stoa_money money, again;

    if (stoa_money_parse(text, &money) != STOA_OK)
        return;
    stoa_assert(stoa_money_parse(stoa_money_format(req->arena, money), &again) == STOA_OK);
    stoa_assert(stoa_money_eq(money, again));
}

static void feed_time(struct stoa_req *req, stoa_str text)
{
    stoa_ms at, again;

    if (stoa_time_parse(text, &at) != STOA_OK)
        return;
    stoa_assert(stoa_time_parse(stoa_time_format(req->arena, at), &again) == STOA_OK);
    stoa_assert(at == again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const feeds[])(struct stoa_req *, stoa_str) = {
        feed_query, feed_form, feed_cookie, feed_url, feed_trace, feed_money, feed_time};
    struct stoa_req req = {.arena = stoa_arena_create()};

    if (size > 0)
        feeds[data[0] % (sizeof(feeds) / sizeof(*feeds))](
            &req, (stoa_str){(const char *)data + 1, size - 1});
    stoa_arena_destroy(req.arena);
    return 0;
}
