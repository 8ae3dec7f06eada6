/* stoa/call.h: other plugins: calls, extension points, events heard.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef STOA_CALL_H
#define STOA_CALL_H

#include "request.h"

/* A request to another plugin's route; where that plugin runs is not the caller's business. */
struct stoa_call {
    const char *plugin;
    uint32_t method;     /* stoa_method */
    uint32_t timeout_ms; /* 0: what is left of the request's time */
    stoa_str path;       /* "/products/blue-mug?fields=price" as the callee's route says it */
    const struct stoa_json *body; /* NULL: none */
    struct stoa_fields headers;   /* strings; "idempotency-key", "x-cart-token", … */
};

struct stoa_answer {
    int32_t status;
    uint32_t reserved;
    const struct stoa_json *json; /* NULL when the body is empty or no JSON */
    stoa_str body;                /* when it is no JSON */
};

/* STOA_OK when there was an answer, whatever its status. STOA_E_PLUGIN: not there or refused;
 * STOA_E_DEPTH: more than 8 calls deep; STOA_E_TX, STOA_E_TIMEOUT, STOA_E_CANCELLED. */
STOA_NODISCARD STOA_API stoa_err stoa_call(struct stoa_req *req, const struct stoa_call *call,
                                           struct stoa_answer *ret);
/* GET and no more. */
STOA_NODISCARD STOA_API stoa_err stoa_call_get(struct stoa_req *req, const char *plugin,
                                               stoa_str path, struct stoa_answer *ret);
/* POST a body. */
STOA_NODISCARD STOA_API stoa_err stoa_call_post(struct stoa_req *req, const char *plugin,
                                                stoa_str path, const struct stoa_json *body,
                                                struct stoa_answer *ret);
/* Passes an answer on as this request's own reply, problems included. */
STOA_API stoa_err stoa_reply_answer(struct stoa_req *req, const struct stoa_answer *answer);

/* Asks every plugin that provides the point, in declared order. *ret: an array of their answers
 * {"plugin": …, "answer": …}; those with nothing to say are left out. A failing `required`
 * provider fails the whole, an `optional` one is left out and reported. */
STOA_NODISCARD STOA_API stoa_err stoa_collect(struct stoa_req *req, const char *point,
                                              const struct stoa_json *question,
                                              const struct stoa_json **ret);

/* In a handler of an event: what came. NULL elsewhere. data is stoa_req_json(). */
struct stoa_event {
    stoa_str id;   /* the same at each delivery */
    stoa_str name; /* "order.paid" */
    stoa_str aggregate;
    int64_t time_ms;
    uint32_t attempt; /* from 1 */
    uint32_t reserved;
};
STOA_API const struct stoa_event *stoa_req_event(const struct stoa_req *req);

#endif
