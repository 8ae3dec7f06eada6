/* stoa/request.h: what a handler is given. Everything returned lives as long as the request.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef STOA_REQUEST_H
#define STOA_REQUEST_H

#include "value.h"

struct stoa_req;

/* A handler: routes, extension points, events and jobs all have this shape. It runs on a fiber.
 * STOA_OK with a reply filled in, or an error, which becomes problem+json (RFC 9457). */
typedef stoa_err (*stoa_handler)(struct stoa_req *req, void *self);

typedef enum stoa_method {
    STOA_GET = 1, /* also answers HEAD */
    STOA_POST,
    STOA_PUT,
    STOA_PATCH,
    STOA_DELETE,
} stoa_method;

/* Memory until the reply has been sent. */
STOA_API struct stoa_arena *stoa_req_arena(struct stoa_req *req);
STOA_API stoa_method stoa_req_method(const struct stoa_req *req);
STOA_API stoa_str stoa_req_path(const struct stoa_req *req); /* decoded, no query */
/* The value of {name} in the route's path; empty if there is none. */
STOA_API stoa_str stoa_req_param(const struct stoa_req *req, const char *name);
/* First value of ?name=, decoded; ptr is NULL when it is not there. */
STOA_API stoa_str stoa_req_query(struct stoa_req *req, const char *name);
STOA_API stoa_str stoa_req_query_raw(const struct stoa_req *req); /* all that follows '?' */
/* name in lower case; ptr is NULL when it is not there. */
STOA_API stoa_str stoa_req_header(const struct stoa_req *req, const char *name);
/* name as the plugin set it; the host adds its prefix. ptr is NULL when it is not there. */
STOA_API stoa_str stoa_req_cookie(struct stoa_req *req, const char *name);
STOA_API stoa_str stoa_req_body(const struct stoa_req *req);
/* The body as JSON; NULL without a body. A body that is not JSON was refused before the handler
 * ran. */
STOA_API const struct stoa_json *stoa_req_json(struct stoa_req *req);
/* A field of an application/x-www-form-urlencoded body; ptr is NULL when it is not there. */
STOA_API stoa_str stoa_req_form(struct stoa_req *req, const char *name);
/* The whole form as an object of strings, for showing it again. */
STOA_API const struct stoa_json *stoa_req_form_json(struct stoa_req *req);
/* "http://127.0.0.1:8080", from shop.url; no slash at the end. */
STOA_API stoa_str stoa_shop_url(const struct stoa_req *req);
STOA_API stoa_str stoa_shop_name(const struct stoa_req *req);
STOA_API const char *stoa_shop_currency(const struct stoa_req *req); /* ISO 4217 */
/* The visitor's address, "192.0.2.7"; only trusted proxies are believed. Empty for jobs and events.
 */
STOA_API stoa_str stoa_req_client(const struct stoa_req *req);
/* The request's id, as logs and error answers carry it. */
STOA_API stoa_str stoa_req_id(const struct stoa_req *req);
/* The host runs in development: mailbox page, error details. */
STOA_API bool stoa_is_development(const struct stoa_req *req);

typedef enum stoa_who {
    STOA_WHO_GUEST,
    STOA_WHO_CUSTOMER,
    STOA_WHO_STAFF,
    STOA_WHO_HOST, /* a job, an event, the command line; calls of a plugin that is sandboxed and not
                      trusted are a guest's then */
} stoa_who;

struct stoa_identity {
    uint32_t who; /* stoa_who */
    uint32_t reserved;
    stoa_str user_id;     /* "usr_…"; empty for guests and the host */
    stoa_str session_id;  /* stored form of the session; empty without one */
    stoa_str permissions; /* separated by spaces: "orders:read products:write" */
};
/* Never NULL. A call carries the caller's identity. */
STOA_API const struct stoa_identity *stoa_req_identity(const struct stoa_req *req);
STOA_API bool stoa_may(const struct stoa_req *req, const char *permission);

/* ---- Replies. Each replaces what an earlier one filled in. ---- */

/* status 200 to 599; type as in Content-Type. The body is not copied: it lives in the request's
 * arena or in .rodata. */
STOA_API stoa_err stoa_reply(struct stoa_req *req, int32_t status, const char *type, stoa_str body);
STOA_API stoa_err stoa_reply_json(struct stoa_req *req, int32_t status,
                                  const struct stoa_json *json);
STOA_API stoa_err stoa_reply_fields(struct stoa_req *req, int32_t status,
                                    struct stoa_fields fields);
STOA_API stoa_err stoa_reply_empty(struct stoa_req *req); /* 204 */
/* A file of the current theme by its (hashed) name: immutable caching, gzip where accepted, 404
 * problem otherwise. */
STOA_API stoa_err stoa_reply_asset(struct stoa_req *req, stoa_str name);
/* The path of an asset as pages link it: "/assets/base.3f9a1c2e.css"; empty when there is none. */
STOA_API stoa_str stoa_asset_path(struct stoa_req *req, stoa_str name);
/* 303 See Other. location: a path on this shop, or an absolute http(s) address that the plugin made
 * itself. */
STOA_API stoa_err stoa_reply_redirect(struct stoa_req *req, stoa_str location);
/* Renders templates/<page> of the current theme with data, and replies with it as HTML. Not inside
 * a transaction. */
STOA_API stoa_err stoa_reply_page(struct stoa_req *req, int32_t status, const char *page,
                                  const struct stoa_json *data);
/* The same, but gives the HTML, for a page that is cached. */
STOA_NODISCARD STOA_API stoa_err stoa_render(struct stoa_req *req, const char *page,
                                             const struct stoa_json *data, stoa_str *ret);
/* The problem+json for err, with a detail for the client's developer and extra members; returns
 * err. detail is safe to show: no secrets, no SQL. Empty = none. With 429 and 503 goes a
 * Retry-After of 1 second, unless the handler has set one. */
STOA_API stoa_err stoa_fail(struct stoa_req *req, stoa_err err, const char *detail,
                            struct stoa_fields fields);
/* Adds a response header; name in lower case. STOA_E_INVALID if value holds a control character
 * (CR, LF, NUL …). */
STOA_API stoa_err stoa_reply_header(struct stoa_req *req, const char *name, stoa_str value);
/* HttpOnly, SameSite=Lax, Path=/; Secure and a __Host- prefix over https. max_age in seconds; 0
 * removes it. */
STOA_API stoa_err stoa_reply_cookie(struct stoa_req *req, const char *name, stoa_str value,
                                    int64_t max_age);
/* What the handler has replied so far: 0 = nothing. */
STOA_API int32_t stoa_reply_status(const struct stoa_req *req);

#endif
