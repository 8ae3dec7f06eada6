/* port/wire.c: see wire.h. SPDX-License-Identifier: Apache-2.0 */
#include "port/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { READ_AT_ONCE = 64 << 10, KEEP_MAX = 256 << 10 };

struct bytes {
    char *ptr;
    size_t at, len, cap; /* what counts is from at to len */
};

struct wire {
    struct loop *loop;
    struct loop_io *io;
    int fd;
    const struct wire_user *user;
    void *data;
    struct bytes in, out;
    bool in_callback, destroyed, ended;
};

int64_t wire_parse(stoa_str bytes, uint32_t (*max)(uint32_t kind), struct wire_frame *ret)
{
    uint32_t head[3];

    if (bytes.len < WIRE_HEAD)
        return 0;
    memcpy(head, bytes.ptr, sizeof head);
    if (head[0] > max(head[2]))
        return -1;
    if (bytes.len - WIRE_HEAD < head[0])
        return 0;
    *ret = (struct wire_frame){
        .stream = head[1], .kind = head[2], .body = stoa_str_sub(bytes, WIRE_HEAD, head[0])};
    return (int64_t)WIRE_HEAD + head[0];
}

uint32_t wire_max_of_host(uint32_t kind)
{
    if (kind < WIRE_ASK_END)
        return WIRE_ASK_MAX;
    return kind == WIRE_REPLY ? WIRE_REPLY_MAX : 0;
}

uint32_t wire_max_of_sandbox(uint32_t kind)
{
    return kind == WIRE_REQUEST || kind == WIRE_ANSWER ? WIRE_ANSWER_MAX : 0;
}

/* ---- Buffers ---- */

static char *room(struct bytes *b, size_t more)
{
    if (b->at > 0 && b->cap - b->len < more) {
        memmove(b->ptr, b->ptr + b->at, b->len - b->at);
        b->len -= b->at;
        b->at = 0;
    }
    if (b->cap - b->len < more) {
        b->cap = b->len + more > b->cap * 2 ? b->len + more : b->cap * 2;
        b->ptr = realloc(b->ptr, b->cap);
        stoa_assert(b->ptr);
    }
    return b->ptr + b->len;
}

/* Empty: starts anew, and gives back what one large frame has taken. */
static void settle(struct bytes *b)
{
    if (b->at < b->len)
        return;
    b->at = b->len = 0;
    if (b->cap <= KEEP_MAX)
        return;
    free(b->ptr);
    *b = (struct bytes){0};
}

/* ---- The end ---- */

static void free_wire(struct wire *w)
{
    free(w->in.ptr);
    free(w->out.ptr);
    free(w);
}

static void finish(struct wire *w, const char *why)
{
    if (w->ended)
        return;
    w->ended = true;
    loop_io_want(w->io, 0);
    w->user->end(w->data, why);
}

void wire_destroy(struct wire *wire)
{
    if (!wire || wire->destroyed)
        return;
    wire->destroyed = wire->ended = true;
    loop_io_destroy(wire->io);
    close(wire->fd);
    if (!wire->in_callback)
        free_wire(wire);
}

/* ---- In ---- */

static stoa_str waiting(const struct bytes *b)
{
    return (stoa_str){b->ptr + b->at, b->len - b->at};
}

static void take_frames(struct wire *w)
{
    while (!w->ended) {
        struct wire_frame frame;
        int64_t taken = wire_parse(waiting(&w->in), w->user->max, &frame);
        if (taken < 0)
            finish(w, "a frame was too long");
        if (taken <= 0)
            return;
        w->in.at += (size_t)taken;
        w->user->frame(w->data, &frame);
    }
}

static void receive(struct wire *w)
{
    char *at = room(&w->in, READ_AT_ONCE);
    ssize_t got = recv(w->fd, at, READ_AT_ONCE, MSG_DONTWAIT);

    if (got > 0) {
        w->in.len += (size_t)got;
        take_frames(w);
        settle(&w->in);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        finish(w, got == 0 ? "the other end closed" : strerror(errno));
    }
}

/* ---- Out ---- */

static void flush(struct wire *w)
{
    ssize_t sent;

    while (w->out.at < w->out.len) {
        sent = send(w->fd, w->out.ptr + w->out.at, w->out.len - w->out.at,
                    MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            break;
        w->out.at += (size_t)sent;
    }
    if (w->out.at < w->out.len && errno != EAGAIN) {
        finish(w, strerror(errno));
        return;
    }
    settle(&w->out);
    loop_io_want(w->io, w->out.len > 0 ? LOOP_READ | LOOP_WRITE : LOOP_READ);
}

static void on_ready(void *data, int ready)
{
    struct wire *w = data;

    w->in_callback = true;
    if ((ready & LOOP_WRITE) && !w->ended)
        flush(w);
    if ((ready & LOOP_READ) && !w->ended)
        receive(w);
    w->in_callback = false;
    if (w->destroyed)
        free_wire(w);
}

static void keep(struct bytes *b, const char *ptr, size_t len)
{
    memcpy(room(b, len), ptr, len);
    b->len += len;
}

/* Nothing is waiting: straight to the socket, which nearly always takes all of it. */
static size_t send_now(struct wire *w, const uint32_t head[3], stoa_str body)
{
    struct iovec parts[2] = {{(void *)head, WIRE_HEAD}, {(void *)body.ptr, body.len}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = body.len > 0 ? 2 : 1};
    ssize_t sent = sendmsg(w->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);

    return sent > 0 ? (size_t)sent : 0;
}

/* An error shows again, and ends the wire, when the rest is flushed from the loop. */
void wire_send(struct wire *wire, uint32_t stream, uint32_t kind, stoa_str body)
{
    const uint32_t head[3] = {(uint32_t)body.len, stream, kind};
    size_t sent = 0;

    if (!wire || wire->ended)
        return;
    if (wire->out.len == 0)
        sent = send_now(wire, head, body);
    if (sent == WIRE_HEAD + body.len)
        return;
    if (sent < WIRE_HEAD) {
        keep(&wire->out, (const char *)head + sent, WIRE_HEAD - sent);
        sent = WIRE_HEAD;
    }
    if (body.len > sent - WIRE_HEAD)
        keep(&wire->out, body.ptr + (sent - WIRE_HEAD), body.len - (sent - WIRE_HEAD));
    if (wire->out.len - wire->out.at > WIRE_OUT_MAX)
        shutdown(wire->fd, SHUT_RDWR); /* seen as the end, on the loop's stack */
    loop_io_want(wire->io, LOOP_READ | LOOP_WRITE);
}

struct wire *wire_create(struct loop *loop, int fd, const struct wire_user *user, void *data)
{
    struct wire *w = calloc(1, sizeof *w);

    stoa_assert(w);
    *w = (struct wire){.loop = loop, .fd = fd, .user = user, .data = data};
    w->io = loop_io_create(loop, fd, on_ready, w);
    loop_io_want(w->io, LOOP_READ);
    return w;
}
