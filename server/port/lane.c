/* port/lane.c: port_wire, the host's side. A request's fiber sends the request, does what the child
 * asks for on its behalf, and returns with the child's reply. SPDX-License-Identifier: Apache-2.0
 */
#include "port/lane.h"

#include "arena_private.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "call/invoke.h"
#include "call/journal.h"
#include "call/tx.h"
#include "fiber/fiber.h"
#include "port/describe.h"
#include "port/message.h"
#include "port/port.h"
#include "port/redact.h"
#include "port/watch.h"
#include "port/wire.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum lane_state {
    LANE_DOWN,
    LANE_COLD, /* a later life: warm() is still to run, by whoever comes first */
    LANE_READY,
};
enum stream_state {
    STREAM_FREE,
    STREAM_OPEN,
    STREAM_LEFT /* nobody waits; the child still runs */
};

struct stream {
    uint32_t id; /* its place, and a serial number above it */
    enum stream_state state;
    struct stoa_req *host;
    struct fiber_wait wait;
    uint32_t kind; /* of the frame that came; 0: none */
    char *body;
    uint32_t len;
    bool has_died;
    bool is_settled; /* committed together with its reply */
    uint32_t effects;
    uint64_t bytes;
    int64_t left_ms; /* LEFT: since when */
};

struct waiter { /* on the waiting fiber's stack */
    struct fiber_wait wait;
    struct waiter *next, **at;
};

struct lane {
    struct sandbox *box;
    uint32_t index;

    /* Under the keeper's lock. */
    struct loop *loop; /* NULL until a request came */
    int offered_fd;
    uint64_t offered_life;
    struct loop_message poke;
    bool is_poked, is_closed; /* closed: nothing is posted to it any more */

    /* The loop's own. */
    enum lane_state state;
    uint64_t life;
    struct wire *wire;
    struct stream *streams;
    uint32_t used, serial;
    uint32_t pings;  /* that are not answered yet */
    uint32_t strays; /* frames of stray_second that belong to nothing */
    int64_t stray_second;
    struct waiter *waiters;
    struct stoa_req *warmer; /* the request that runs warm() */
    struct watch watch;
};

static const struct wire_user wire_user;

struct lane *lane_create(struct sandbox *box, uint32_t loop)
{
    struct lane *lane = calloc(1, sizeof *lane);

    stoa_assert(lane);
    lane->box = box;
    lane->index = loop;
    lane->offered_fd = -1;
    return lane;
}

void lane_free(struct lane *lane)
{
    if (!lane)
        return;
    if (lane->offered_fd >= 0)
        close(lane->offered_fd);
    free(lane->streams);
    free(lane);
}

/* ---- Streams ---- */

static struct stream *find(struct lane *lane, uint32_t id)
{
    struct stream *s = lane->streams ? &lane->streams[id % LANE_IN_FLIGHT_MAX] : NULL;

    if (!s || id % LANE_IN_FLIGHT_MAX >= lane->box->limits.in_flight || s->id != id ||
        s->state == STREAM_FREE)
        return NULL;
    return s;
}

static struct stream *acquire(struct lane *lane, struct stoa_req *host)
{
    uint32_t max = lane->box->limits.in_flight, place = 0;
    struct stream *s;

    if (lane->used == max)
        return NULL;
    while (lane->streams[place].state != STREAM_FREE)
        place++;
    s = &lane->streams[place];
    lane->serial++;
    *s = (struct stream){
        .id = place + lane->serial * LANE_IN_FLIGHT_MAX, .state = STREAM_OPEN, .host = host};
    lane->used++;
    return s;
}

static void release(struct lane *lane, struct stream *s)
{
    free(s->body);
    *s = (struct stream){.state = STREAM_FREE};
    lane->used--;
    if (lane->used == 0)
        watch_stop(&lane->watch);
}

/* ---- The child's end, and the next one ---- */

static void wake_waiters(struct lane *lane)
{
    for (struct waiter *w = lane->waiters; w; w = w->next)
        fiber_wake(&w->wait);
}

static void go_down(struct lane *lane)
{
    wire_destroy(lane->wire);
    lane->wire = NULL;
    lane->state = LANE_DOWN;
    watch_stop(&lane->watch);
    for (uint32_t i = 0; lane->streams && i < lane->box->limits.in_flight; i++) {
        struct stream *s = &lane->streams[i];
        if (s->state == STREAM_LEFT)
            release(lane, s);
        if (s->state != STREAM_OPEN)
            continue;
        s->has_died = true;
        fiber_wake(&s->wait);
    }
}

static void lose(struct lane *lane, const char *why)
{
    if (lane->state == LANE_DOWN)
        return;
    keeper_kill(lane->box, lane->life, why);
    go_down(lane);
    wake_waiters(lane);
}

static void begin_wire(struct lane *lane, int fd, uint64_t life)
{
    lane->life = life;
    lane->state = life == 1 ? LANE_READY : LANE_COLD; /* a world warms its first lives itself */
    lane->pings = lane->strays = 0;
    lane->wire = wire_create(lane->loop, fd, &wire_user, lane);
}

/* Takes what the keeper has laid ready; returns whether the lane is closed. On the loop, as a
 * message or a request. What is laid ready from the unlocking on posts the message again, so
 * is_poked ends within the same lock as the reading: between two locks a word would get lost. */
static bool look(struct lane *lane, bool is_poke)
{
    bool closed;
    uint64_t life;
    int fd;

    keeper_lock();
    fd = lane->offered_fd;
    life = lane->offered_life;
    closed = lane->is_closed;
    lane->offered_fd = -1;
    if (is_poke)
        lane->is_poked = false;
    keeper_unlock();
    if (closed || fd >= 0)
        go_down(lane);
    if (fd >= 0 && closed)
        close(fd);
    else if (fd >= 0)
        begin_wire(lane, fd, life);
    wake_waiters(lane);
    return closed;
}

/* A closed lane is posted to no more, so this is the last time, and nobody uses it afterwards. */
static void on_poke(struct loop_message *message)
{
    struct lane *lane = (struct lane *)((char *)message - offsetof(struct lane, poke));

    if (look(lane, true))
        keeper_release(lane->box); /* the lane may be gone now */
}

void lane_poke(struct lane *lane)
{
    if (!lane->loop || lane->is_poked || lane->is_closed)
        return;
    lane->is_poked = true;
    lane->poke.run = on_poke;
    loop_post(lane->loop, &lane->poke);
}

void lane_offer(struct lane *lane, int fd, uint64_t life)
{
    if (lane->offered_fd >= 0)
        close(lane->offered_fd);
    lane->offered_fd = fd; /* of a closed one: lane_free() closes it */
    lane->offered_life = life;
    lane_poke(lane);
}

void lane_close(struct lane *lane)
{
    if (lane->offered_fd >= 0)
        close(lane->offered_fd);
    lane->offered_fd = -1;
    lane_poke(lane);
    lane->is_closed = true;
}

/* The first request on this loop makes it the lane's. */
static void attach(struct lane *lane)
{
    if (lane->streams)
        return;
    lane->streams = calloc(lane->box->limits.in_flight, sizeof *lane->streams);
    stoa_assert(lane->streams);
    keeper_lock();
    lane->loop = lane->is_closed ? NULL : loop_current();
    lane->box->refs += lane->loop != NULL; /* on_poke() gives it back */
    keeper_unlock();
    look(lane, false);
}

/* ---- Frames ---- */

static void fill(struct lane *lane, struct stream *s, const struct wire_frame *frame)
{
    if (s->kind != 0) {
        lose(lane, "it asked before it was answered");
        return;
    }
    s->kind = frame->kind;
    s->len = (uint32_t)frame->body.len;
    s->body = malloc(frame->body.len + 1);
    stoa_assert(s->body);
    if (s->len > 0)
        memcpy(s->body, frame->body.ptr, s->len);
    fiber_wake(&s->wait);
}

/* Lines of the log need no answer, so they need no fiber either. */
static void serve_tell(struct lane *lane, struct stream *s, const struct wire_frame *frame)
{
    struct stoa_arena *arena = s->host->arena, *own = stoa_arena_create();
    struct stoa_buf unused;
    bool done;

    stoa_buf_init(&unused, own, 16);
    s->host->arena = own;
    done = message_serve(s->host, frame->kind, frame->body, &unused);
    s->host->arena = arena;
    stoa_arena_destroy(own);
    if (!done)
        lose(lane, "it wrote a malformed line");
}

static bool is_within(const struct lane *lane, struct stream *s, const struct wire_frame *frame)
{
    s->effects++;
    s->bytes += frame->body.len + WIRE_HEAD;
    return s->effects <= lane->box->limits.effects + 1 && s->bytes <= LANE_BYTES_MAX;
}

/* Frames that no request pays for: a sound child sends none, one that floods must not keep the
 * host's loop busy. */
static void count_stray(struct lane *lane)
{
    int64_t second = loop_now(lane->loop) / 1000;

    if (second != lane->stray_second)
        lane->strays = 0;
    lane->stray_second = second;
    lane->strays++;
    if (lane->strays > LANE_STRAYS_MAX)
        lose(lane, "it sends what nobody asked for");
}

static void on_pong(struct lane *lane, uint32_t number)
{
    if (lane->pings == 0) {
        count_stray(lane);
        return;
    }
    lane->pings--;
    watch_pong(&lane->watch, number);
}

static void on_frame(void *data, const struct wire_frame *frame)
{
    struct lane *lane = data;
    struct stream *s;

    if (frame->kind == WIRE_PONG) {
        on_pong(lane, frame->stream);
        return;
    }
    s = find(lane, frame->stream);
    if (frame->kind != WIRE_REPLY && frame->kind >= MESSAGE_END)
        lose(lane, "it sent what does not exist");
    else if (!s)
        count_stray(lane); /* of a request that is over: nobody waits, nothing is done */
    else if (!is_within(lane, s, frame))
        lose(lane, "one request asked for more than its limit allows");
    else if (s->state == STREAM_LEFT && frame->kind == WIRE_REPLY)
        release(lane, s);
    else if (s->state == STREAM_LEFT)
        return; /* it was told that it is cancelled */
    else if (frame->kind == MESSAGE_LOG)
        serve_tell(lane, s, frame);
    else
        fill(lane, s, frame);
}

static void on_end(void *data, const char *why)
{
    lose(data, why);
}

static const struct wire_user wire_user = {
    .max = wire_max_of_host, .frame = on_frame, .end = on_end};

static void ping(void *data, uint32_t number)
{
    struct lane *lane = data;

    lane->pings++;
    wire_send(lane->wire, number, WIRE_PING, (stoa_str){0});
}

static void hangs(void *data, const char *why)
{
    lose(data, why);
}

static pid_t pid_of(struct lane *lane)
{
    pid_t pid;

    keeper_lock();
    pid = lane->box->pid;
    keeper_unlock();
    return pid;
}

static void watch_begin(struct lane *lane)
{
    const struct watch_options options = {.loop = lane->loop,
                                          .cpu_ms = lane->box->limits.cpu_ms,
                                          .pid = pid_of(lane),
                                          .ping = ping,
                                          .hangs = hangs,
                                          .data = lane};

    watch_start(&lane->watch, &options);
}

/* ---- One try of one request ---- */

/* In there nobody hears of deadline or client: the handler learns of both at its next question. */
static stoa_err await_frame(struct stream *s, int64_t deadline_ms)
{
    int64_t before = fiber_set_deadline(INT64_MAX), left = deadline_ms - clock_monotonic_ms();
    stoa_err err;

    fiber_mask();
    left += LANE_GRACE_MS;
    err = fiber_await(&s->wait, left > 0 ? left : 0);
    fiber_unmask();
    fiber_set_deadline(before);
    s->wait = (struct fiber_wait){0};
    return err;
}

/* False: malformed, or the request has taken too much. */
static bool answer(struct lane *lane, struct stream *s, struct stoa_req *host)
{
    struct stoa_buf out;
    const stoa_str question = {s->body, s->len};
    char *body = s->body;
    uint32_t kind = s->kind, id = s->id;
    bool done;

    s->body = NULL;
    stoa_buf_init(&out, host->arena, 512);
    done = message_serve(host, kind, question, &out);
    s->kind = 0; /* until now fill() takes nothing: the child waits for this answer */
    free(body);
    s->is_settled = s->is_settled || (kind == MESSAGE_TX_END && host->reply.status != 0);
    if (done && !s->has_died)
        wire_send(lane->wire, id, WIRE_ANSWER,
                  out.len <= WIRE_ANSWER_MAX
                      ? stoa_buf_str(&out)
                      : (stoa_str){(const char *)&(const uint32_t){STOA_E_TOO_LARGE}, 4});
    return done && !stoa_arena_over_limit(host->arena);
}

/* Handlers that go on although nobody waits keep their places: some may, for a while. */
static void check_left(struct lane *lane)
{
    int64_t before = clock_monotonic_ms() - LANE_LEFT_MS;
    uint32_t stuck = 0;

    for (uint32_t i = 0; i < lane->box->limits.in_flight; i++)
        stuck += lane->streams[i].state == STREAM_LEFT && lane->streams[i].left_ms <= before;
    if (stuck > lane->box->limits.in_flight / LANE_LEFT_PART)
        lose(lane, "its handlers do not end when nobody waits for them");
}

/* The slot stays taken until the child has noticed. */
static void leave(struct lane *lane, struct stream *s)
{
    s->state = STREAM_LEFT;
    s->host = NULL;
    s->left_ms = clock_monotonic_ms();
    wire_send(lane->wire, s->id, WIRE_CANCEL, (stoa_str){0});
    check_left(lane);
}

/* Whole, it is the handler's word, also of a child that has died since. */
static stoa_err take_reply(struct lane *lane, struct stream *s, struct stoa_req *host, bool *died)
{
    bool has_died = s->has_died, is_settled = s->is_settled;
    stoa_err err = STOA_OK;
    bool whole = get_end(host, (stoa_str){s->body, s->len}, &err);

    release(lane, s);
    redact_reply(host);
    if (whole)
        return err;
    *died = has_died && !is_settled;
    if (!has_died)
        lose(lane, "its reply was malformed");
    return has_died && is_settled ? STOA_OK : STOA_E_PLUGIN;
}

static stoa_err serve(struct lane *lane, struct stream *s, struct stoa_req *host, bool *died)
{
    for (;;) {
        stoa_err err = s->kind || s->has_died ? STOA_OK : await_frame(s, host->deadline_ms);
        if (s->kind == WIRE_REPLY)
            return take_reply(lane, s, host, died);
        if (s->has_died) {
            *died = !s->is_settled;
            release(lane, s);
            return *died ? STOA_E_PLUGIN : STOA_OK;
        }
        if (err != STOA_OK) {
            leave(lane, s);
            return err;
        }
        if (!answer(lane, s, host) && !s->has_died) {
            lose(lane, stoa_arena_over_limit(host->arena) ? "a request took too much memory"
                                                          : "its question was malformed");
        }
    }
}

static stoa_err run_once(struct lane *lane, struct stoa_req *host, uint32_t handler, bool *died)
{
    struct stream *s = acquire(lane, host);
    struct redacted whole;
    struct stoa_buf out;

    if (!s) {
        log_warn("sandbox", "a plugin has too many requests",
                 stoa_f("plugin", stoa_z(lane->box->name)),
                 stoa_f("in_flight", stoa_i(lane->used)));
        check_left(lane);
        host->is_refused = true;
        return STOA_E_BUSY;
    }
    stoa_buf_init(&out, host->arena, 1024);
    put_u32(&out, handler);
    redact_begin(host, &whole);
    put_request(&out, host);
    redact_end(host, &whole);
    put_reply(&out, &host->reply);
    watch_begin(lane);
    wire_send(lane->wire, s->id, WIRE_REQUEST, stoa_buf_str(&out));
    return serve(lane, s, host, died);
}

/* ---- Waiting for a child ---- */

static void await_change(struct lane *lane, int64_t until_ms)
{
    struct waiter w = {.next = lane->waiters, .at = &lane->waiters};
    int64_t left = until_ms - clock_monotonic_ms();

    if (w.next)
        w.next->at = &w.next;
    lane->waiters = &w;
    STOA_IGNORE(
        fiber_await(&w.wait, left > 0 ? left : 0)); /* the caller looks at clock and state */
    *w.at = w.next;
    if (w.next)
        w.next->at = w.at;
}

/* warm() of a later life, on the fiber of the request that came first. */
static void warm_up(struct lane *lane, const struct stoa_req *req)
{
    int32_t plugin = world_find(req->world, stoa_str_of(lane->box->name));
    stoa_handler warm = req->instance->generation->desc.warm;
    uint64_t life = lane->life;
    struct stoa_req *own;
    stoa_err err;

    if (!warm) {
        lane->state = LANE_READY;
        return;
    }
    own = invoke_request_create(req->world, (uint32_t)plugin, LANE_WARM_MS);
    own->route_path = "warm";
    lane->warmer = own;
    err = invoke_handler(own, warm);
    lane->warmer = NULL;
    invoke_request_destroy(own);
    if (lane->state == LANE_COLD && lane->life == life) {
        if (err == STOA_OK)
            lane->state = LANE_READY;
        else if (fiber_check() == STOA_OK) /* it was not this request's own end */
            lose(lane, "warm() failed");
    }
    wake_waiters(lane);
}

/* What a request that finds no child is told, or STOA_OK to wait. */
static stoa_err refusal(struct lane *lane)
{
    bool closed;

    keeper_lock();
    closed = lane->is_closed || lane->box->circuit.state == CIRCUIT_OPEN;
    keeper_unlock();
    return closed ? STOA_E_PLUGIN : STOA_OK;
}

static stoa_err await_child(struct lane *lane, struct stoa_req *req)
{
    int64_t until = clock_monotonic_ms() + LANE_READY_MS;

    attach(lane);
    while (lane->state != LANE_READY && lane->warmer != req) {
        STOA_TRY(fiber_check());
        if (lane->state == LANE_COLD && !lane->warmer) {
            warm_up(lane, req);
            continue;
        }
        if (lane->state == LANE_DOWN)
            STOA_TRY(refusal(lane));
        if (clock_monotonic_ms() >= until)
            return STOA_E_PLUGIN;
        await_change(lane, until);
    }
    return lane->state == LANE_DOWN ? STOA_E_PLUGIN : STOA_OK;
}

/* ---- The port ---- */

/* A handler that dies may have done half of its work. Whoever only reads did none, and who has a
 * key told us how to find out. */
static bool may_run_again(const struct stoa_req *req)
{
    if (req->event || !req->route)
        return false;
    return req->method == STOA_GET || req->journal != NULL;
}

/* After a death: forgets what the child had filled in, and finds out how far it came. */
static stoa_err prepare_again(struct stoa_req *req, bool *answered)
{
    metric_add(METRIC_sandbox_replays_total, 1);
    req->reply = (struct request_reply){0};
    return journal_read_again(req, answered);
}

stoa_err lane_enter(struct stoa_req *req, stoa_handler handler, void *self)
{
    struct lane *lane = self;
    bool answered = false;

    for (uint32_t attempt = 0;; attempt++) {
        bool died = false;
        stoa_err err = await_child(lane, req);
        if (err == STOA_OK)
            err = run_once(lane, req, describe_number(handler), &died);
        else
            req->is_refused = true;
        req->is_refused &= attempt == 0;
        if (!died)
            return err;
        tx_rollback(req->tx);
        if (attempt > 0 || !may_run_again(req))
            return STOA_E_PLUGIN;
        STOA_TRY(prepare_again(req, &answered));
        if (answered)
            return STOA_OK;
    }
}

void lane_cool(void *self)
{
    struct lane *lane = self;

    wire_send(lane->wire, 0, WIRE_COOL, (stoa_str){0});
}

stoa_err lane_instance(const struct stoa_settings *set, struct stoa_instance *in, void **ret)
{
    *ret = in->generation->sandbox->lanes[in->loop];
    return STOA_OK;
}
