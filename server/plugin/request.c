/* plugin/request.c: what a handler reads of its request. SPDX-License-Identifier: Apache-2.0 */
#include "plugin/reply.h"

#include "base/clock.h"
#include "plugin/world.h"
#include <stdio.h>

enum { FORM_FIELDS_MAX = 200 };

struct stoa_arena *stoa_req_arena(struct stoa_req *req)
{
    return req->arena;
}

stoa_method stoa_req_method(const struct stoa_req *req)
{
    return req->method;
}

stoa_str stoa_req_path(const struct stoa_req *req)
{
    return req->path;
}

stoa_str stoa_req_param(const struct stoa_req *req, const char *name)
{
    for (uint32_t i = 0; i < req->param_count; i++)
        if (strcmp(req->param_names[i], name) == 0)
            return req->params[i];
    return (stoa_str){0};
}

/* Value of name in a=1&b=2, still encoded; ptr NULL when it is not there. */
static stoa_str encoded_value(stoa_str pairs, stoa_str name)
{
    while (pairs.len > 0) {
        stoa_str value = stoa_str_cut(&pairs, '&');
        stoa_str key = stoa_str_cut(&value, '=');
        if (stoa_str_eq(key, name))
            return value.ptr ? value : STOA_STR("");
    }
    return (stoa_str){0};
}

stoa_str stoa_req_query(struct stoa_req *req, const char *name)
{
    stoa_str raw = encoded_value(req->query, stoa_str_of(name)), ret = {0};

    if (raw.ptr && stoa_url_decode(req->arena, raw, true, &ret) != STOA_OK)
        return (stoa_str){0};
    return raw.ptr && !ret.ptr ? STOA_STR("") : ret;
}

stoa_str stoa_req_query_raw(const struct stoa_req *req)
{
    return req->query;
}

stoa_str stoa_req_header(const struct stoa_req *req, const char *name)
{
    stoa_str wanted = stoa_str_of(name);

    for (uint32_t i = 0; i < req->header_count; i++)
        if (stoa_str_eq(req->headers[i].name, wanted))
            return req->headers[i].value;
    return (stoa_str){0};
}

/* "8080" of "[::1]:8080"; "80" when there is none. */
static stoa_str port_of(stoa_str host)
{
    uint64_t start = host.len;

    while (start > 0 && host.ptr[start - 1] >= '0' && host.ptr[start - 1] <= '9')
        start--;
    if (start == 0 || start == host.len || host.ptr[start - 1] != ':' || host.len - start > 5)
        return STOA_STR("80");
    return stoa_str_sub(host, start, UINT64_MAX);
}

/* Over https "__Host-name" (RFC 6265bis §4.1.3.2); over http "name-<port>", since cookies ignore
 * ports. */
stoa_str request_cookie_name(struct stoa_req *req, const char *name)
{
    if (req->is_https)
        return stoa_concat(req->arena, STOA_STR("__Host-"), stoa_str_of(name));
    return stoa_concat(req->arena, stoa_str_of(name), STOA_STR("-"), port_of(req->host));
}

stoa_str stoa_req_cookie(struct stoa_req *req, const char *name)
{
    stoa_str wanted, rest = stoa_req_header(req, "cookie");

    if (!rest.ptr)
        return (stoa_str){0};
    wanted = request_cookie_name(req, name);
    while (rest.len > 0) {
        stoa_str value = stoa_str_trim(stoa_str_cut(&rest, ';'));
        stoa_str key = stoa_str_cut(&value, '=');
        if (stoa_str_eq(key, wanted))
            return value.ptr ? value : STOA_STR("");
    }
    return (stoa_str){0};
}

stoa_str stoa_req_body(const struct stoa_req *req)
{
    return req->body;
}

const struct stoa_json *stoa_req_json(struct stoa_req *req)
{
    return req->json;
}

static struct stoa_json *read_form(struct stoa_req *req)
{
    struct stoa_json *form = stoa_json_object(req->arena);
    stoa_str rest = req->body;

    for (uint32_t n = 0; rest.len > 0 && n < FORM_FIELDS_MAX; n++) {
        stoa_str value = stoa_str_cut(&rest, '&'), key = stoa_str_cut(&value, '='), k, v;
        if (key.len == 0 || stoa_url_decode(req->arena, key, true, &k) != STOA_OK ||
            stoa_url_decode(req->arena, value, true, &v) != STOA_OK)
            continue;
        stoa_json_set_str(form, stoa_cstr(req->arena, k), v);
    }
    return form;
}

const struct stoa_json *stoa_req_form_json(struct stoa_req *req)
{
    if (!req->form)
        req->form = read_form(req);
    return req->form;
}

stoa_str stoa_req_form(struct stoa_req *req, const char *name)
{
    const struct stoa_json *field = stoa_json_member(stoa_req_form_json(req), stoa_str_of(name));

    return field ? stoa_json_str(field, "") : (stoa_str){0};
}

stoa_str stoa_shop_url(const struct stoa_req *req)
{
    return req->world->shop_url;
}

stoa_str stoa_shop_name(const struct stoa_req *req)
{
    return req->world->shop_name;
}

const char *stoa_shop_currency(const struct stoa_req *req)
{
    return req->world->currency;
}

stoa_str stoa_req_client(const struct stoa_req *req)
{
    return req->client;
}

stoa_str stoa_req_id(const struct stoa_req *req)
{
    return stoa_str_of(req->id);
}

bool stoa_is_development(const struct stoa_req *req)
{
    return req->world->is_development;
}

const struct stoa_identity *stoa_req_identity(const struct stoa_req *req)
{
    return &req->identity;
}

/* One of the words in a list that is separated by spaces. */
static bool has_word(stoa_str words, stoa_str word)
{
    while (words.len > 0)
        if (stoa_str_eq(stoa_str_cut(&words, ' '), word))
            return true;
    return false;
}

bool stoa_may(const struct stoa_req *req, const char *permission)
{
    if (req->identity.who == STOA_WHO_HOST)
        return true;
    return req->identity.who == STOA_WHO_STAFF &&
           has_word(req->identity.permissions, stoa_str_of(permission));
}

const struct stoa_event *stoa_req_event(const struct stoa_req *req)
{
    return req->event;
}

int64_t stoa_time_left(const struct stoa_req *req)
{
    int64_t left = req->deadline_ms - clock_monotonic_ms();

    return left > 0 ? left : 0;
}
