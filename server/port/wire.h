/* port/wire.h: frames over a stream socket between host and sandbox: 12 bytes of head (length of
 * the body, stream, kind; little-endian), then the body. Both ends trust no length of the other.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_WIRE_H
#define PORT_WIRE_H

#include "loop/loop.h"
#include <stoa/str.h>

enum {
    WIRE_HEAD = 12,
    WIRE_ASK_MAX = (1 << 20) + (64 << 10), /* a plugin's question: a page's data, a cache value */
    WIRE_REPLY_MAX = (8 << 20) + (256 << 10), /* REQUEST_REPLY_MAX with headers */
    WIRE_ANSWER_MAX = 32 << 20,               /* the host's answers: rows */
    WIRE_OUT_MAX = 64 << 20,                  /* unsent bytes; more, and the other end is gone */
};

/* Kinds below WIRE_ASK_END are questions (enum message); they come from the sandbox only. */
enum wire_kind {
    WIRE_ASK_END = 64,
    /* from the sandbox */
    WIRE_REPLY = 64, /* the handler has returned */
    WIRE_PONG,
    /* from the host */
    WIRE_REQUEST = 80, /* a handler is to run */
    WIRE_ANSWER,       /* to this stream's question */
    WIRE_CANCEL,       /* nobody waits for this stream any more */
    WIRE_PING,
    WIRE_COOL,
};

struct wire_frame {
    uint32_t stream, kind;
    stoa_str body; /* in the wire's buffer: until the callback returns */
};

/* The first frame in bytes: how many bytes it has taken; 0: it is not whole yet; -1: its body is
 * longer than max(kind). Pure. */
int64_t wire_parse(stoa_str bytes, uint32_t (*max)(uint32_t kind), struct wire_frame *ret);
/* What host and sandbox take of each kind; 0: nothing but an empty body. */
uint32_t wire_max_of_host(uint32_t kind);
uint32_t wire_max_of_sandbox(uint32_t kind);

struct wire;
struct wire_user {
    uint32_t (*max)(uint32_t kind);
    /* On the loop's stack. wire_destroy() is fine in both. */
    void (*frame)(void *data, const struct wire_frame *frame);
    void (*end)(void *data, const char *why); /* once; the wire is still to be destroyed */
};
/* Takes fd (a connected stream socket) over. The loop's own thread, as all below. */
struct wire *wire_create(struct loop *loop, int fd, const struct wire_user *user, void *data);
/* At once as far as the socket takes it, the rest when it does. After the end: nothing. */
void wire_send(struct wire *wire, uint32_t stream, uint32_t kind, stoa_str body);
void wire_destroy(struct wire *wire); /* NULL is fine */

#endif
