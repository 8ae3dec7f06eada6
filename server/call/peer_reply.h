/* call/peer_reply.h: the head of another node's HTTP reply, read strictly: one way to say how long
 * the body is, and no other. Pure: bytes in, verdict out. SPDX-License-Identifier: Apache-2.0 */
#ifndef CALL_PEER_REPLY_H
#define CALL_PEER_REPLY_H

#include "call/sign.h"

enum { PEER_HEAD_MAX = 8192, PEER_FIELDS_MAX = 64, PEER_BODY_MAX = 16 << 20 };

struct peer_reply {
    uint32_t head_size;             /* bytes up to and with the empty line */
    uint32_t status;                /* 200 … 599 */
    uint64_t length;                /* of the body; at most PEER_BODY_MAX */
    bool is_last;                   /* Connection: close, or HTTP/1.0 */
    char signature[SIGN_REPLY_MAX]; /* what stands in SIGN_REPLY_HEADER; "": nothing */
};

enum peer_verdict {
    PEER_REPLY_OK,
    PEER_REPLY_MORE,  /* the head has not ended yet */
    PEER_REPLY_BROKEN /* the connection is of no more use */
};

/* bytes: what has come, from the head's first byte; the body may follow. */
enum peer_verdict peer_reply_parse(stoa_str bytes, struct peer_reply *ret);

#endif
