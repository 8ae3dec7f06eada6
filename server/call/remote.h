/* call/remote.h: a plugin that runs on another node is called there: the request goes as one signed
 * message, its reply comes back. The journal is the other side's. SPDX-License-Identifier:
 * Apache-2.0 */
#ifndef CALL_REMOTE_H
#define CALL_REMOTE_H

#include "call/peer.h"
#include "plugin/request.h"

enum remote_kind {                   /* numbers are on the wire */
                   REMOTE_VISIT = 1, /* a visitor's request, which has passed this node's edge */
                   REMOTE_CALL,      /* a plugin's or the gate's */
                   REMOTE_POINT,     /* an extension point's question */
                   REMOTE_EVENT,     /* a delivery */
                   REMOTE_AUDIT,
                   REMOTE_DROP, /* tags of copies that are not true any more */
};

/* What a world knows of the other nodes; in its wiring. */
struct remote {
    struct peer_group *plugins[64]; /* by the plugin's index; NULL: it runs here */
    struct peer_group others;       /* every address of the other nodes */
    struct sign_keys keys;
    stoa_str node; /* this one's name */
    uint32_t in_flight_max;
};

/* From the world's configuration. STOA_E_CONFIG with *diag. */
struct diag;
STOA_NODISCARD stoa_err remote_build(struct world *world, struct diag *diag);
/* Does the plugin of that index run on another node? */
bool remote_is(const struct world *world, uint32_t plugin);

/* Asks the node where req->instance's plugin runs; req is complete but for its reply, which is
 * filled in after STOA_OK. req->is_refused: nothing has happened there. VISIT, CALL: STOA_OK when
 * there was a reply, whatever its status; else the handler's own error. Or peer_send()'s. */
STOA_NODISCARD stoa_err remote_ask(struct stoa_req *req, enum remote_kind kind);
/* The same for tags: to one address, no reply to speak of. */
STOA_NODISCARD stoa_err remote_tell(const struct remote *remote, struct peer *peer,
                                    struct pool *pool, const stoa_str *tags, uint32_t count);

/* The other side: does what a checked message says, within outer (whose arena, world and loop it
 * uses). *ret: the reply's bytes. STOA_E_BAD_REQUEST: it is no message; STOA_E_PLUGIN: that plugin
 * does not run here. Nothing has happened then. */
STOA_NODISCARD stoa_err remote_serve(struct stoa_req *outer, stoa_str message, stoa_str *ret);

#endif
