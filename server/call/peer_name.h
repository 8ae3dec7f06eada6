/* call/peer_name.h: where another node is: from the text of config.lua to an address to connect to.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CALL_PEER_NAME_H
#define CALL_PEER_NAME_H

#include "resource/pool/pool.h"
#include <pthread.h>
#include <stdbool.h>
#include <stoa/str.h>
#include <sys/socket.h>

struct peer_name {
    char authority[144]; /* "orders.internal:9001", "[::1]:9001" */
    char host[128], port[8];
    bool is_known;    /* address is one, perhaps an old one */
    bool is_asking;   /* a question is on its way */
    int64_t until_ms; /* not asked again before; 0: never asked */
    struct sockaddr_storage address;
};

/* "http://host:port", "http://1.2.3.4:9001", "http://[::1]:9001"; without a port: 80. */
bool peer_name_parse(stoa_str url, struct peer_name *ret);
/* Where it is, as far as is known. An address older than PEER_RESOLVE_MS goes on being used while
 * it is asked for anew on a thread of POOL_NAME, one question a name at a time; after one without
 * an answer the next comes PEER_RESOLVE_AGAIN_MS later. Waits, within the fiber's deadline, only
 * where there never was an address. lock: of name, shared by loops; both outlive the question.
 * STOA_E_PLUGIN: there is no such host, as far as is known; STOA_E_BUSY: no fiber to ask on;
 * STOA_E_TIMEOUT, STOA_E_CANCELLED. */
STOA_NODISCARD stoa_err peer_name_resolve(struct peer_name *name, pthread_mutex_t *lock,
                                          struct pool *pool, struct sockaddr_storage *ret);

#endif
