/* call/peer.h: the other nodes: their addresses, who of them is up, and one signed message to one
 * of them with its reply. What is known of an address is the process's, under a lock of its own;
 * connections are each loop's. SPDX-License-Identifier: Apache-2.0 */
#ifndef CALL_PEER_H
#define CALL_PEER_H

#include "base/trace.h"
#include "call/sign.h"
#include "resource/pool/pool.h"
#include <stoa/json.h>

enum {
    PEER_ADDRESSES_MAX = 1024,    /* that a process can know in its life */
    PEER_GROUP_MAX = 32,          /* addresses that share one plugin */
    PEER_TRIES_MAX = 3,           /* of one call, the first included */
    PEER_RESOLVE_MS = 30000,      /* a host's address is asked for again after it … */
    PEER_RESOLVE_AGAIN_MS = 1000, /* … or this, when nobody knew it */
    PEER_PROBE_MS = 1000,         /* between two questions for /readyz */
};
#define PEER_PATH "/_stoa/v1/call"

struct peer;
/* The addresses at which something can be had. */
struct peer_group {
    uint32_t count;
    struct peer *peers[PEER_GROUP_MAX];
};

/* The peer at url ("http://10.0.0.5:9001") of the node called so; the same one for the same pair.
 * Lives as long as the process. NULL: url is none, or there are too many. Any thread. */
struct peer *peer_get(stoa_str url, stoa_str node);

struct peer_message {
    struct stoa_arena *arena; /* of the reply */
    struct pool *pool;        /* where names of hosts are looked up */
    struct sign_keys keys;
    stoa_str from; /* this node's name */
    stoa_str body;
    const struct trace *trace;
    bool may_repeat;        /* safe, or it carries an idempotency key */
    uint32_t in_flight_max; /* at one address, of this process */
    stoa_str reply;         /* out: its body */
};
/* Sends it to the least loaded address that is up, within the fiber's deadline, and waits for the
 * reply. Tries again elsewhere what was not begun there, and what may_repeat, as far as the retry
 * budget goes. STOA_E_PLUGIN: no address is up; STOA_E_BUSY: those that are up have
 * in_flight_max calls already, or too many from this node's address; STOA_E_TOO_LARGE. After these
 * three nothing has happened anywhere. STOA_E_TIMEOUT: what became of it, at one of the addresses
 * at least, is not known; STOA_E_CANCELLED: neither. */
STOA_NODISCARD stoa_err peer_send(const struct peer_group *group, struct peer_message *message);

/* On a fiber, every PEER_PROBE_MS: asks all of group for /readyz. A draining node gets no more
 * calls, one that is back is tried at once. */
void peer_probe(const struct peer_group *group, struct pool *pool);

/* For `stoa status`: {"node", "address", "state", "ready", "in_flight", "calls", "failures"} each.
 * Any thread. */
void peer_status(struct stoa_json *list, struct stoa_arena *arena);

#endif
