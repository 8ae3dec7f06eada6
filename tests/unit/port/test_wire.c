/* Frames come whole, in order, and within their limits. SPDX-License-Identifier: Apache-2.0 */
#include "port/wire.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static uint32_t ten(uint32_t kind)
{
    return kind == 1 ? 10 : 0;
}

static stoa_str frame_of(char bytes[64], uint32_t len, uint32_t stream, uint32_t kind)
{
    const uint32_t head[3] = {len, stream, kind};

    memcpy(bytes, head, sizeof head);
    memset(bytes + WIRE_HEAD, 'x', 64 - WIRE_HEAD);
    return (stoa_str){bytes, WIRE_HEAD + (uint64_t)len};
}

Test(wire, parses_a_frame)
{
    char bytes[64];
    struct wire_frame frame;

    cr_assert_eq(wire_parse(frame_of(bytes, 10, 7, 1), ten, &frame), WIRE_HEAD + 10);
    cr_assert(frame.stream == 7 && frame.kind == 1 && frame.body.len == 10);
    cr_assert_eq(wire_parse(frame_of(bytes, 0, 7, 2), ten, &frame), WIRE_HEAD);
    cr_assert_eq(frame.body.len, 0);
}

Test(wire, waits_for_the_rest)
{
    char bytes[64];
    struct wire_frame frame;
    stoa_str whole = frame_of(bytes, 10, 7, 1);

    for (uint64_t len = 0; len < whole.len; len++) {
        char *copy = malloc(len ? len : 1);
        memcpy(copy, whole.ptr, len);
        cr_assert_eq(wire_parse((stoa_str){copy, len}, ten, &frame), 0, "%d", (int)len);
        free(copy);
    }
}

Test(wire, refuses_what_is_too_long_before_it_is_there)
{
    char bytes[64];
    struct wire_frame frame;

    cr_assert_eq(wire_parse(stoa_str_sub(frame_of(bytes, 11, 7, 1), 0, WIRE_HEAD), ten, &frame),
                 -1);
    cr_assert_eq(wire_parse(frame_of(bytes, 1, 7, 2), ten, &frame), -1);
    cr_assert_eq(wire_parse(stoa_str_sub(frame_of(bytes, 40, 0, 1), 0, WIRE_HEAD), ten, &frame),
                 -1);
}

/* ---- Over a socket ---- */

static struct loop *loop;
static struct wire *wire;
static int other;
static uint64_t frames, bytes_in;
static const char *ended;
static uint64_t wanted;

static void on_frame(void *data, const struct wire_frame *frame)
{
    cr_assert_eq(frame->stream, frames);
    frames++;
    bytes_in += frame->body.len;
    for (uint64_t i = 0; i < frame->body.len; i++)
        cr_assert_eq(frame->body.ptr[i], (char)('a' + frame->stream % 26));
    if (frames == wanted)
        loop_stop(loop);
}

static void on_end(void *data, const char *why)
{
    ended = why;
    wire_destroy(wire);
    wire = NULL;
    loop_stop(loop);
}

static const struct wire_user user = {.max = wire_max_of_host, .frame = on_frame, .end = on_end};

static int other_end(void)
{
    int pair[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    other = pair[1];
    return pair[0];
}

static void setup(void)
{
    loop = loop_create(0);
    wire = wire_create(loop, other_end(), &user, NULL);
}

static void teardown(void)
{
    wire_destroy(wire);
    if (other >= 0)
        close(other);
    loop_destroy(loop);
}

TestSuite(socket, .init = setup, .fini = teardown);

static void send_frame(struct wire *from, uint32_t stream, uint64_t len)
{
    char *body = malloc(len + 1);

    memset(body, (char)('a' + stream % 26), len);
    wire_send(from, stream, 1, (stoa_str){body, len});
    free(body);
}

static void nothing(void *data, const struct wire_frame *frame) {}

static void no_end(void *data, const char *why) {}

/* More than the socket holds at once: parts wait, and nothing overtakes them. */
Test(socket, keeps_order_and_bytes)
{
    static const struct wire_user silent = {
        .max = wire_max_of_host, .frame = nothing, .end = no_end};
    struct wire *from = wire_create(loop, other, &silent, NULL);
    const uint64_t sizes[] = {0, 1, 1000000, 3, 500000, 0, 70000, 12};

    other = -1;
    wanted = sizeof sizes / sizeof *sizes;
    for (uint32_t i = 0; i < wanted; i++)
        send_frame(from, i, sizes[i]);
    loop_run(loop);
    cr_assert_eq(frames, wanted);
    cr_assert_eq(bytes_in, 1570016);
    wire_destroy(from);
}

Test(socket, ends_on_a_frame_that_is_too_long)
{
    const uint32_t head[3] = {WIRE_ASK_MAX + 1, 0, 1};

    cr_assert_eq(write(other, head, sizeof head), (ssize_t)sizeof head);
    loop_run(loop);
    cr_assert_str_eq(ended, "a frame was too long");
    cr_assert_eq(frames, 0);
}

Test(socket, ends_when_the_other_end_does)
{
    close(other);
    other = -1;
    loop_run(loop);
    cr_assert_not_null(ended);
    wire_send(wire, 1, 1, (stoa_str){0}); /* nothing, and no signal */
}
