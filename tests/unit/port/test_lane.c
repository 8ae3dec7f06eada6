/* A lane and a child that the test plays: nothing of what the keeper says gets lost, and what a
 * child can do for free has an end. SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "fiber/fiber.h"
#include "port/describe.h"
#include "port/lane.h"
#include "port/message.h"
#include "port/wire.h"
#include "testing.h"

#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IN_FLIGHT = 8, EFFECTS = 20, PATIENCE_MS = 60000 };

static const struct stoa_plugin_v1 plugin = {0};
static const struct t_plugin plugins[] = {{"toy", &plugin}};
static const struct t_shop shop = {plugins, 1};

static struct sandbox box;
static struct lane *lane;
static int child; /* the child's end */

/* ---- What happens between two locks of the lane: the linker puts this in the real one's place
 * ----
 */

static void (*between)(void);

void __real_keeper_unlock(void); /* NOLINT: the linker's name */
void __wrap_keeper_unlock(void); /* NOLINT */
void __wrap_keeper_unlock(void)  /* NOLINT */
{
    void (*then)(void) = between;

    between = NULL;
    __real_keeper_unlock();
    if (then)
        then();
}

/* ---- The keeper ---- */

static void offer(void)
{
    int pair[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    child = pair[1];
    keeper_lock();
    lane_offer(lane, pair[0], 1);
    keeper_unlock();
}

static void close_lane(void)
{
    keeper_lock();
    lane_close(lane);
    keeper_unlock();
}

static void poke_and_meanwhile(void (*what)(void))
{
    keeper_lock();
    lane_poke(lane);
    keeper_unlock();
    between = what;
}

/* ---- The child ---- */

/* Nothing more once the lane has let go of the child. */
static void say(uint32_t stream, uint32_t kind, stoa_str body)
{
    const uint32_t head[3] = {(uint32_t)body.len, stream, kind};
    char frame[256];

    cr_assert(body.len <= sizeof frame - sizeof head);
    memcpy(frame, head, sizeof head);
    if (body.len > 0)
        memcpy(frame + sizeof head, body.ptr, body.len);
    while (send(child, frame, sizeof head + body.len, MSG_NOSIGNAL) < 0 && !box.why[0])
        cr_assert_eq(fiber_sleep(1), STOA_OK); /* the socket is full */
}

/* The next frame's stream; its body is not looked at. */
static uint32_t hear(uint32_t kind)
{
    static char body[65536];
    uint32_t head[3];

    for (int64_t until = clock_monotonic_ms() + PATIENCE_MS;;) {
        ssize_t got = recv(child, head, sizeof head, MSG_DONTWAIT);
        if (got == sizeof head) {
            cr_assert(head[0] == 0 || recv(child, body, head[0], 0) == (ssize_t)head[0]);
            if (head[2] == kind)
                return head[1];
            continue; /* a ping */
        }
        cr_assert(clock_monotonic_ms() < until, "no frame of kind %u", kind);
        cr_assert_eq(fiber_sleep(1), STOA_OK);
    }
}

static void reply(uint32_t stream)
{
    const struct request_reply empty = {.status = 204};
    struct stoa_buf out;

    stoa_buf_init(&out, t_arena(), 64);
    put_end(&out, STOA_OK, &empty);
    say(stream, WIRE_REPLY, stoa_buf_str(&out));
}

/* ---- Requests ---- */

struct visit {
    int64_t patience_ms;
    bool is_over;
    stoa_err err;
};

static void visit_run(void *arg)
{
    struct visit *v = arg;
    struct stoa_req *req = t_request("toy");

    req->deadline_ms = clock_monotonic_ms() + v->patience_ms;
    v->err = lane_enter(req, (stoa_handler)(uintptr_t)1, lane); /* NOLINT: a number, describe.h */
    v->is_over = true;
}

static void visit(struct visit *v, int64_t patience_ms)
{
    *v = (struct visit){.patience_ms = patience_ms};
    cr_assert_eq(fiber_spawn(visit_run, NULL, v, NULL), STOA_OK);
}

static void await(const bool *done, const char *what)
{
    int64_t until = clock_monotonic_ms() + PATIENCE_MS;

    while (!*done) {
        cr_assert(clock_monotonic_ms() < until, "%s", what);
        cr_assert_eq(fiber_sleep(1), STOA_OK);
    }
}

static bool is_ended(void)
{
    for (int64_t until = clock_monotonic_ms() + PATIENCE_MS; !box.why[0];) {
        if (clock_monotonic_ms() > until)
            return false;
        cr_assert_eq(fiber_sleep(1), STOA_OK);
    }
    return true;
}

static void setup(void)
{
    box = (struct sandbox){.name = "toy",
                           .life = 1,
                           .limits = {.cpu_ms = 60000, .in_flight = IN_FLIGHT, .effects = EFFECTS}};
    box.loops = 1;
    lane = box.lanes[0] = lane_create(&box, 0);
}

/* The first request makes the lane its loop's. */
static void begin(void)
{
    struct visit first;

    setup();
    visit(&first, PATIENCE_MS);
    cr_assert_eq(fiber_sleep(1), STOA_OK);
    offer();
    reply(hear(WIRE_REQUEST));
    await(&first.is_over, "the first request is not answered");
    cr_assert_eq(first.err, STOA_OK);
}

#define LANE_TEST(name)                                                                            \
    static void name(void);                                                                        \
    Test(lane, name)                                                                               \
    {                                                                                              \
        t_run(&shop, name);                                                                        \
    }                                                                                              \
    static void name(void)

/* ---- The keeper's word ---- */

LANE_TEST(what_is_offered_while_it_looks_is_taken)
{
    int before;
    char byte;

    begin();
    before = child;
    poke_and_meanwhile(offer);
    for (int64_t until = clock_monotonic_ms() + PATIENCE_MS; recv(before, &byte, 1, 0) != 0;) {
        cr_assert(clock_monotonic_ms() < until, "it holds on to the child before");
        cr_assert_eq(fiber_sleep(1), STOA_OK);
    }
}

LANE_TEST(what_closes_while_it_looks_lets_go_of_its_child_first)
{
    char byte;

    begin();
    cr_assert_eq(box.refs, 1);
    poke_and_meanwhile(close_lane);
    for (int64_t until = clock_monotonic_ms() + PATIENCE_MS; box.refs > 0;) {
        cr_assert(clock_monotonic_ms() < until, "it is never released");
        cr_assert_eq(fiber_sleep(1), STOA_OK);
    }
    cr_assert_eq(recv(child, &byte, 1, 0), 0, "released, and its socket is still watched");
    lane_free(lane);
}

/* A child that serves at the very moment in which its world goes. */
LANE_TEST(what_is_offered_to_a_closed_one_posts_nothing)
{
    begin();
    close_lane();
    for (int64_t until = clock_monotonic_ms() + PATIENCE_MS; box.refs > 0;) {
        cr_assert(clock_monotonic_ms() < until, "it is never released");
        cr_assert_eq(fiber_sleep(1), STOA_OK);
    }
    offer();
    lane_free(lane); /* ASan looks at what comes after */
    cr_assert_eq(fiber_sleep(5), STOA_OK);
}

/* ---- Frames for free ---- */

/* However many seconds they take. */
enum { MANY_STRAYS = 50 * LANE_STRAYS_MAX };

LANE_TEST(pongs_that_nobody_asked_for_have_an_end)
{
    begin();
    for (uint32_t i = 0; i < MANY_STRAYS && !box.why[0]; i++)
        say(i, WIRE_PONG, (stoa_str){0});
    cr_assert(is_ended());
    cr_assert_str_eq(box.why, "it sends what nobody asked for");
}

LANE_TEST(replies_to_nothing_have_an_end)
{
    begin();
    for (uint32_t i = 0; i < MANY_STRAYS && !box.why[0]; i++)
        reply(i);
    cr_assert(is_ended());
    cr_assert_str_eq(box.why, "it sends what nobody asked for");
}

LANE_TEST(a_few_strays_are_forgiven)
{
    struct visit second;

    begin();
    for (uint32_t i = 0; i < LANE_STRAYS_MAX / 2; i++)
        say(i, WIRE_PONG, (stoa_str){0});
    visit(&second, PATIENCE_MS);
    reply(hear(WIRE_REQUEST));
    await(&second.is_over, "it is not answered");
    cr_assert_eq(second.err, STOA_OK);
    cr_assert_str_eq(box.why, "");
}

/* ---- A child that dies with its reply said ---- */

/* Both are there before the fiber has its turn. */
LANE_TEST(a_whole_reply_is_taken_of_a_child_that_has_died_since)
{
    struct visit second;
    uint32_t stream;

    begin();
    visit(&second, PATIENCE_MS);
    stream = hear(WIRE_REQUEST);
    reply(stream);
    say(stream, MESSAGE_LOG, STOA_STR("x")); /* malformed: the lane goes down at once */
    await(&second.is_over, "it is not answered");
    cr_assert(box.why[0]);
    cr_assert_eq(second.err, STOA_OK, "%s", stoa_err_name(second.err));
}

LANE_TEST(of_a_child_that_died_without_a_reply_there_is_none)
{
    struct visit second;

    begin();
    visit(&second, 100); /* for the next child, which never comes */
    say(hear(WIRE_REQUEST), MESSAGE_LOG, STOA_STR("x"));
    await(&second.is_over, "it is not answered");
    cr_assert_neq(second.err, STOA_OK);
}

/* ---- Handlers that nobody waits for ---- */

static uint32_t give_up(void)
{
    struct visit v;
    uint32_t stream;

    visit(&v, 1);
    stream = hear(WIRE_REQUEST);
    await(&v.is_over, "it waits for ever");
    cr_assert_eq(v.err, STOA_E_TIMEOUT);
    return stream;
}

LANE_TEST(a_cancelled_handler_has_the_limit_of_every_other)
{
    uint32_t stream;

    begin();
    stream = give_up();
    for (uint32_t i = 0; i < EFFECTS + 2; i++)
        say(stream, MESSAGE_LOG, (stoa_str){0});
    cr_assert(is_ended());
    cr_assert_str_eq(box.why, "one request asked for more than its limit allows");
}

LANE_TEST(handlers_that_ignore_a_cancel_have_an_end)
{
    begin();
    give_up();
    give_up();
    cr_assert_str_eq(box.why, "", "they have a moment to notice");
    cr_assert_eq(fiber_sleep(LANE_LEFT_MS + 10), STOA_OK);
    give_up();
    cr_assert(is_ended());
    cr_assert_str_eq(box.why, "its handlers do not end when nobody waits for them");
}

LANE_TEST(handlers_that_end_late_harm_nobody)
{
    begin();
    for (uint32_t i = 0; i < 3 * IN_FLIGHT; i++)
        reply(give_up());
    cr_assert_str_eq(box.why, "");
}
