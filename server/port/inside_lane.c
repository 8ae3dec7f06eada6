/* port/inside_lane.c: requests come, run as fibers with the plugin's handlers, and ask the host for
 * every effect. SPDX-License-Identifier: Apache-2.0 */
#include "arena_private.h"
#include "fiber/fiber.h"
#include "port/describe.h"
#include "port/inside.h"
#include "port/message.h"
#include "port/wire.h"
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

struct inside_lane {
    struct wire *wire;
    struct stoa_instance *instance;
    struct world *world;
    bool has_faults;
    struct run *runs;
};

struct run { /* one request */
    struct port_carrier carrier;
    struct inside_lane *lane;
    struct run *next, **at;
    uint32_t id;
    struct fiber *fiber;
    struct stoa_arena *arena;
    stoa_str request; /* its bytes, in arena */
    struct fiber_wait wait;
    stoa_str answer;
};

static struct run *find(struct inside_lane *lane, uint32_t id)
{
    struct run *r = lane->runs;

    while (r && r->id != id)
        r = r->next;
    return r;
}

/* ---- Effects ---- */

static struct run *run_of(struct stoa_req *req)
{
    return (struct run *)((char *)req->carrier - offsetof(struct run, carrier));
}

/* The host keeps the time; only its word that nobody waits any more ends this. */
static stoa_err ask(struct stoa_req *req, enum message kind, stoa_str question, stoa_str *answer)
{
    struct run *r = run_of(req);
    int64_t before;
    stoa_err err;

    STOA_TRY(fiber_check() == STOA_E_CANCELLED ? STOA_E_CANCELLED : STOA_OK);
    r->wait = (struct fiber_wait){0};
    r->answer = (stoa_str){0};
    wire_send(r->lane->wire, r->id, kind, question);
    before = fiber_set_deadline(INT64_MAX);
    err = fiber_await(&r->wait, -1);
    fiber_set_deadline(before);
    *answer = r->answer;
    return err;
}

static void tell(struct stoa_req *req, enum message kind, stoa_str what)
{
    struct run *r = run_of(req);

    wire_send(r->lane->wire, r->id, kind, what);
}

static stoa_err inside_enter(struct stoa_req *req, stoa_handler handler, void *self)
{
    return handler(req, self);
}

static stoa_err inside_offload(struct stoa_req *req, void (*work)(void *arg), void *arg)
{
    return pool_run(req->world->resources->pool, POOL_PLUGIN, work, arg);
}

static const struct stoa_port port_inside = {
    .name = "sandbox", .enter = inside_enter, .offload = inside_offload, PORT_FAR_EFFECTS};

/* ---- Requests ---- */

static struct stoa_req *read_request(struct run *r, uint32_t *handler)
{
    struct decoder in = {.arena = r->arena, .rest = r->request};
    struct stoa_req *req;

    *handler = get_u32(&in);
    req = get_request(&in);
    get_reply(&in, &req->reply);
    stoa_assert(!in.broken && in.rest.len == 0); /* the host is trusted */
    req->world = r->lane->world;
    req->instance = r->lane->instance;
    req->port = &port_inside;
    req->carrier = &r->carrier;
    return req;
}

static void run_handler(void *arg)
{
    struct run *r = arg;
    uint32_t number;
    struct stoa_req *req = read_request(r, &number);
    stoa_handler handler = describe_handler(&r->lane->instance->generation->desc, number);
    struct stoa_buf out;
    stoa_err err;

    stoa_assert(handler);
    fiber_set_deadline(req->deadline_ms);
    err = handler(req, r->lane->instance->self);
    if (stoa_arena_over_limit(r->arena) && err == STOA_OK)
        err = STOA_E_BUSY;
    stoa_buf_init(&out, r->arena, 1024);
    put_end(&out, err, &req->reply);
    wire_send(r->lane->wire, r->id, WIRE_REPLY, stoa_buf_str(&out));
}

static void run_over(void *arg)
{
    struct run *r = arg;

    *r->at = r->next;
    if (r->next)
        r->next->at = r->at;
    stoa_arena_destroy(r->arena);
}

static void begin(struct inside_lane *lane, const struct wire_frame *frame)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct run *r = stoa_new(arena, struct run);

    stoa_arena_limit(arena, REQUEST_ARENA_MAX);
    *r = (struct run){.carrier = {.ask = ask, .tell = tell, .has_faults = lane->has_faults},
                      .lane = lane,
                      .next = lane->runs,
                      .at = &lane->runs,
                      .id = frame->stream,
                      .arena = arena,
                      .request = stoa_str_copy(arena, frame->body)};
    if (r->next)
        r->next->at = &r->next;
    lane->runs = r;
    /* The host has counted: a fiber is there. */
    stoa_assert(fiber_spawn(run_handler, run_over, r, &r->fiber) == STOA_OK);
}

static void take_answer(struct inside_lane *lane, const struct wire_frame *frame)
{
    struct run *r = find(lane, frame->stream);

    if (!r)
        return;
    r->answer = stoa_str_copy(r->arena, frame->body);
    fiber_wake(&r->wait);
}

static void cancel(struct inside_lane *lane, uint32_t id)
{
    struct run *r = find(lane, id);

    if (r)
        fiber_cancel(r->fiber);
}

static void on_frame(void *data, const struct wire_frame *frame)
{
    struct inside_lane *lane = data;
    const struct generation *g = lane->instance->generation;

    switch (frame->kind) {
    case WIRE_REQUEST:
        begin(lane, frame);
        break;
    case WIRE_ANSWER:
        take_answer(lane, frame);
        break;
    case WIRE_CANCEL:
        cancel(lane, frame->stream);
        break;
    case WIRE_PING:
        wire_send(lane->wire, frame->stream, WIRE_PONG, (stoa_str){0});
        break;
    case WIRE_COOL:
        if (g->desc.cool)
            g->desc.cool(lane->instance->self);
        break;
    default:
        stoa_assert(!"the host sent what does not exist");
    }
}

/* The host's loop has let go; the word to end comes over the control socket. */
static void on_end(void *data, const char *why) {}

static const struct wire_user wire_user = {
    .max = wire_max_of_sandbox, .frame = on_frame, .end = on_end};

struct inside_lane *inside_lane_create(int fd, struct stoa_instance *in, struct world *world,
                                       bool has_faults)
{
    struct inside_lane *lane = calloc(1, sizeof *lane);

    stoa_assert(lane);
    in->port = &port_inside;
    *lane = (struct inside_lane){.instance = in, .world = world, .has_faults = has_faults};
    lane->wire = wire_create(loop_current(), fd, &wire_user, lane);
    return lane;
}
