/* port/loopback.c: the plugin's side and the host's side of a wire in one process. Each effect is
 * written down (far.c), done on the host's request (near.c), and its answer read into memory that
 * ends with the handler: a pointer that should not have crossed dangles, and ASan says so.
 * SPDX-License-Identifier: Apache-2.0 */
#include "arena_private.h"
#include "port/message.h"
#include "port/port.h"

/* What our own codec wrote must read back: anything else is our bug. */
static void read_whole(const struct decoder *in)
{
    stoa_assert(!in->broken && in->rest.len == 0);
}

static stoa_err loopback_ask(struct stoa_req *req, enum message kind, stoa_str question,
                             stoa_str *answer)
{
    struct stoa_req *host = req->peer;
    struct stoa_buf out;

    stoa_buf_init(&out, host->arena, 256);
    stoa_assert(message_serve(host, kind, question, &out));
    *answer = stoa_buf_str(&out);
    return STOA_OK;
}

static void loopback_tell(struct stoa_req *req, enum message kind, stoa_str what)
{
    stoa_str unused;

    STOA_IGNORE(loopback_ask(req, kind, what, &unused)); /* a line in the log */
}

static const struct port_carrier carrier = {.ask = loopback_ask, .tell = loopback_tell};

/* The request as the plugin's side sees it. */
static struct stoa_req *cross(struct stoa_req *host, struct stoa_arena *arena)
{
    struct decoder in = {.arena = arena};
    struct stoa_req *req;
    struct stoa_buf out;

    stoa_buf_init(&out, host->arena, 1024);
    put_request(&out, host);
    put_reply(&out, &host->reply);
    in.rest = stoa_buf_str(&out);
    req = get_request(&in);
    get_reply(&in, &req->reply);
    read_whole(&in);
    req->world = host->world;
    req->instance = host->instance;
    req->port = &port_loopback;
    req->carrier = &carrier;
    req->peer = host;
    return req;
}

static stoa_err loopback_enter(struct stoa_req *host, stoa_handler handler, void *self)
{
    struct stoa_arena *arena = stoa_arena_create();
    const struct stoa_port *before = host->port;
    struct stoa_req *req;
    struct stoa_buf out;
    stoa_err err;

    stoa_arena_limit(arena, REQUEST_ARENA_MAX);
    req = cross(host, arena);
    host->port = &port_local; /* for the SDK's functions on the host's side */
    err = port_local.enter(req, handler, self);
    host->port = before;
    stoa_buf_init(&out, arena, 1024);
    put_end(&out, err, &req->reply);
    stoa_assert(get_end(host, stoa_buf_str(&out), &err));
    if (stoa_arena_over_limit(arena) && err == STOA_OK)
        err = STOA_E_BUSY;
    stoa_arena_destroy(arena);
    return err;
}

/* The function is the plugin's and runs where the plugin is. */
static stoa_err loopback_offload(struct stoa_req *req, void (*work)(void *arg), void *arg)
{
    return port_local.offload(req->peer, work, arg);
}

const struct stoa_port port_loopback = {
    .name = "loopback",
    .enter = loopback_enter,
    .offload = loopback_offload,
    PORT_FAR_EFFECTS,
};
