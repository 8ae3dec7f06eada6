/* port/lane.h: a sandboxed plugin as one host loop sees it: a socket to the child's loop of the
 * same number, and the requests that are in there. SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_LANE_H
#define PORT_LANE_H

#include "port/keeper.h"

enum {
    LANE_IN_FLIGHT_MAX = 4096,
    LANE_GRACE_MS = 300,       /* past the request's deadline: its handler is to say so itself */
    LANE_READY_MS = 5000,      /* a request waits so long for a fresh child */
    LANE_WARM_MS = 10000,      /* what warm() may take there */
    LANE_BYTES_MAX = 32 << 20, /* of all that a child sends for one request */
    LANE_STRAYS_MAX = 100,     /* frames a second that belong to no request; past it, it is ended */
    LANE_LEFT_MS = 2000,       /* a handler that nobody waits for should have ended by then … */
    LANE_LEFT_PART = 8,        /* … when more than in_flight / 8 have not, the child is ended */
};

struct lane *lane_create(struct sandbox *box, uint32_t loop);
void lane_free(struct lane *lane); /* nothing uses it; NULL is fine */

/* ---- The keeper's thread, under its lock ---- */
void lane_offer(struct lane *lane, int fd, uint64_t life); /* a child that serves; takes fd */
void lane_poke(struct lane *lane); /* something has changed: its loop is to look */
void lane_close(struct lane *lane);

/* ---- Its loop ---- */
/* port_wire's enter: self is the lane, handler a number (describe.h). */
stoa_err lane_enter(struct stoa_req *req, stoa_handler handler, void *self);
/* struct stoa_plugin_v1's, with the lane as `self`. */
stoa_err lane_instance(const struct stoa_settings *set, struct stoa_instance *in, void **ret);
void lane_cool(void *self);

#endif
