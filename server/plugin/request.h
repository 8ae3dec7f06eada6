/* plugin/request.h: a request from the inside. Plugins see struct stoa_req through the SDK's
 * functions only; http/ fills one in for each visitor, call/ for each call, event and job.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGIN_REQUEST_H
#define PLUGIN_REQUEST_H

#include "base/trace.h"
#include <stoa/call.h>
#include <stoa/request.h>
#include <stoa/sql.h>

struct world;
struct route;
struct stoa_port;
struct cache_entry;
struct stoa_instance;
struct sql_tx;
struct journal;

enum {
    REQUEST_PARAMS_MAX = 8,
    REQUEST_DEPTH_MAX = 8, /* calls inside calls */
    REQUEST_REPLY_HEADERS_MAX = 24,
    REQUEST_REPLY_MAX = 8 << 20,  /* bytes of a reply's body */
    REQUEST_HELD_MAX = 8,         /* cache entries lent; more are copied */
    REQUEST_ARENA_MAX = 64 << 20, /* bytes of one request and the calls it makes; past it: 503 */
};

/* A cache tag that the request or one of its calls has dropped (kept in the outermost one). */
struct request_drop {
    stoa_str tag;
    struct request_drop *next;
};

struct request_header {
    stoa_str name; /* lower case */
    stoa_str value;
};

struct request_reply {
    int32_t status; /* 0: nothing yet */
    bool is_problem;
    bool is_for_node; /* its signature was checked: nothing in it is for browsers */
    const char *type;
    stoa_str body;                /* final bytes, once the edge has formatted json */
    const struct stoa_json *json; /* a tree that nobody has formatted yet, or NULL */
    struct request_header headers[REQUEST_REPLY_HEADERS_MAX];
    uint32_t header_count;
};

struct stoa_req {
    struct stoa_arena *arena; /* the whole request's, shared with the calls it makes */

    /* What came. All slices live in the arena. */
    stoa_method method;
    bool is_head;
    bool is_edge; /* from a visitor: limits, credentials and the same-origin check apply */
    bool is_https;
    bool is_unidentified; /* has a credential that nobody could check: sees what guests see */
    stoa_str method_text;
    stoa_str path;  /* decoded, normalised */
    stoa_str query; /* raw */
    stoa_str host;  /* Host, with the port */
    stoa_str body;
    stoa_str client;
    stoa_str visitor; /* whom limits count, of the edge: as client, but an IPv6 one has a /64 */
    struct request_header *headers;
    uint32_t header_count;

    /* Who and when. */
    struct trace trace;
    char id[33]; /* for logs and error answers */
    int64_t started_us;
    int64_t deadline_ms; /* monotonic */
    struct stoa_identity identity;
    stoa_str journal_scope; /* whose idempotency keys these are; the gate's */

    /* Where it goes. */
    struct world *world;
    uint32_t loop;
    uint32_t depth;
    const struct route *route;
    const char *route_path;  /* "/products/{slug}", for logs; "" before a route was found */
    const char *plugin_name; /* whose handler runs; "host" before that */
    struct stoa_instance *instance;
    const struct stoa_port *port;
    const char *const *param_names;
    stoa_str params[REQUEST_PARAMS_MAX]; /* values, in the order of the names */
    uint32_t param_count;

    /* Read on demand. */
    const struct stoa_json *json, *form;
    const struct stoa_event *event;

    /* The plugin was not asked, as it could not be reached: nothing of this request has happened.
     */
    bool is_refused;

    /* What is open. */
    struct stoa_tx *tx;
    struct journal *journal;
    uint64_t cache_epoch;    /* read before the handler; see cache_put */
    uint32_t statements;     /* SQL statements so far, its calls included */
    struct stoa_req *parent; /* the request that made this call, or NULL */
    struct stoa_req *peer; /* in a loopback: the same request on the host's side; NULL elsewhere */
    const struct port_carrier *carrier; /* behind a wire: to the host; see port/message.h */

    struct request_reply reply;

    /* Cache entries that body and handlers may point into, of this request and its calls (kept in
     * the outermost one). */
    struct cache_entry *held[REQUEST_HELD_MAX];
    uint32_t held_count;

    struct request_drop *drops; /* only where there are other nodes; see call/drop.h */
    uint32_t drop_count;
};

/* The request that the visitor, event or job made: the end of the chain of calls. */
static inline struct stoa_req *request_root(struct stoa_req *req)
{
    while (req->parent)
        req = req->parent;
    return req;
}

/* Gives back what the request holds (cache entries). The edge calls it on the loop when the reply
 * has been sent or cannot be sent any more, before the arena ends. */
void request_finish(struct stoa_req *req);

/* A problem (RFC 9457) as the reply; detail and fields as in stoa_fail(). */
void request_problem(struct stoa_req *req, stoa_err err, const char *detail,
                     struct stoa_fields fields);
/* Turns a JSON tree into bytes, unless there are bytes already. */
void request_format_reply(struct stoa_req *req);

#endif
