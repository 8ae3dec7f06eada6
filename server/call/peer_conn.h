/* call/peer_conn.h: one HTTP/1.1 keep-alive connection to another node, and the idle ones of a
 * loop. One request at a time, nothing is pipelined. All of it on a fiber of the loop that owns it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CALL_PEER_CONN_H
#define CALL_PEER_CONN_H

#include "call/peer_reply.h"
#include <stoa/errors.h>
#include <sys/socket.h>

enum {
    PEER_CONNECT_MS = 1000, /* to connect, within the fiber's deadline */
    PEER_IDLE_MS = 5000,    /* an idle connection is used again within it; the other side's own
                               limit is limits.request_time, 10 s unless set */
    PEER_IDLE_MAX = 64,     /* idle ones kept for one address and loop */
};

struct peer_conn;

/* Takes an idle connection of this loop to the address that key stands for; NULL: there is none. */
struct peer_conn *peer_conn_reuse(const void *key);
/* A new one. STOA_E_PLUGIN: nobody answers there; STOA_E_TIMEOUT: the fiber's deadline has come;
 * STOA_E_CANCELLED. */
STOA_NODISCARD stoa_err peer_conn_open(const void *key, const struct sockaddr_storage *address,
                                       struct peer_conn **ret);
/* Its name, which no other connection has, and the number of the request that is about to be sent
 * on it, from 1. */
uint64_t peer_conn_id(const struct peer_conn *conn);
uint64_t peer_conn_next(struct peer_conn *conn);

struct peer_exchange {
    struct stoa_arena *arena; /* of the reply's body */
    stoa_str head, body;      /* of the request; head ends with the empty line */
    stoa_str call;            /* the signature in head; empty: the reply needs none */
    struct peer_reply reply;
    stoa_str reply_body;
    bool is_begun;    /* a byte of the request was written */
    bool is_answered; /* a byte of the reply has come */
};
/* Sends and waits for the whole reply. STOA_E_UPSTREAM: the connection broke, or what came is no
 * reply; STOA_E_TIMEOUT, STOA_E_CANCELLED: the fiber's. After an error it can only be closed. */
STOA_NODISCARD stoa_err peer_conn_exchange(struct peer_conn *conn, struct peer_exchange *x);
/* After STOA_OK: keeps it for the next one, or closes it. */
void peer_conn_keep(struct peer_conn *conn);
void peer_conn_close(struct peer_conn *conn);

#endif
