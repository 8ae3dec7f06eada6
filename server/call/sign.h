/* call/sign.h: a call between nodes is signed (HMAC-SHA256 with cluster.key) over version, time,
 * connection and number, both nodes' names, and the SHA-256 of its body, which holds target and
 * identity. It is good for SIGN_SKEW_MS, and once for each process: what was taken is remembered by
 * the process that took it, and the name of a node is all that a call is made out to. So who
 * captures one can send it once more to each other copy of the same node, and to a process that
 * took its place (restart, upgrade), within that time: docs/adr/0013-nodes.md. The reply is signed
 * over that signature and its own body, so it is this call's and no other's.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CALL_SIGN_H
#define CALL_SIGN_H

#include <stoa/str.h>

enum {
    SIGN_SKEW_MS = 30000, /* the two clocks and the way may differ by so much */
    SIGN_KEY_MIN = 32,    /* bytes of cluster.key */
    SIGN_TEXT_MAX = 256,  /* of the header's value, with its NUL */
    SIGN_REPLY_MAX = 65,  /* of a reply's signature, with its NUL */
    SIGN_NODE_MAX = 31,   /* bytes of a node's name */
    SIGN_SEEN = 32768,    /* connections of the last minute that a process can remember */
};
#define SIGN_HEADER "x-stoa-call"
#define SIGN_REPLY_HEADER "x-stoa-reply"

/* Not copied; the world's configuration owns them. */
struct sign_keys {
    stoa_str own;   /* signs, and is accepted; empty: this node takes part in no cluster */
    stoa_str other; /* is accepted, too, while keys change; empty: none */
};

struct sign_claim {
    int64_t time_ms;             /* UTC */
    uint64_t connection, number; /* never the same pair twice; number grows on a connection */
    stoa_str from, to;           /* names of nodes */
};

/* "v1 time connection number from to mac". body: as it will be sent. */
void sign_make(const struct sign_keys *keys, const struct sign_claim *claim, stoa_str body,
               char ret[SIGN_TEXT_MAX]);
/* Why not, for the log of the node that was called; its caller is only told 401. */
enum sign_verdict { SIGN_OK, SIGN_BROKEN, SIGN_FORGED, SIGN_STALE, SIGN_OTHER_NODE, SIGN_REPLAYED };
/* text: the header's value; here: this node's name. *ret are slices of text. */
enum sign_verdict sign_check(const struct sign_keys *keys, stoa_str text, stoa_str body,
                             stoa_str here, struct sign_claim *ret);
/* call: the header's value that was taken; body: the reply's, as it will be sent. */
void sign_reply(const struct sign_keys *keys, stoa_str call, stoa_str body,
                char ret[SIGN_REPLY_MAX]);
/* Is text the signature of a reply to that call, by a node of this cluster? */
bool sign_is_reply(const struct sign_keys *keys, stoa_str call, stoa_str body, stoa_str text);
const char *sign_verdict_text(enum sign_verdict verdict);

#endif
