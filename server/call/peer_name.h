/* call/peer_name.h: where another node is: from the text of config.lua to an address to connect to.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CALL_PEER_NAME_H
#define CALL_PEER_NAME_H

#include "resource/pool/pool.h"
#include <pthread.h>
#include <stoa/str.h>
#include <sys/socket.h>

struct peer_name {
    char authority[144]; /* "orders.internal:9001", "[::1]:9001" */
    char host[128], port[8];
    int64_t until_ms; /* address is good until then; 0: never asked */
    struct sockaddr_storage address;
};

/* "http://host:port", "http://1.2.3.4:9001", "http://[::1]:9001"; without a port: 80. */
bool peer_name_parse(stoa_str url, struct peer_name *ret);
/* Names are asked for on the pool, at most every PEER_RESOLVE_MS; an old answer is better than
 * none. lock: of name, shared by loops. STOA_E_PLUGIN: there is no such host. */
STOA_NODISCARD stoa_err peer_name_resolve(struct peer_name *name, pthread_mutex_t *lock,
                                          struct pool *pool, struct sockaddr_storage *ret);

#endif
