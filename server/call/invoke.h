/* call/invoke.h: running one handler: deadline, journal, the port, and what it left behind.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CALL_INVOKE_H
#define CALL_INVOKE_H

#include "route/route.h"

/* Points req at the route's plugin on its loop. */
void invoke_prepare(struct stoa_req *req, const struct route *route);
/* Runs req->route's handler on this fiber; afterwards req->reply is filled in, whatever happened.
 * The journal is read before and finished after. */
void invoke_route(struct stoa_req *req);
/* Does req->route's plugin run on another node? Then this asks it, and req->reply is what it said;
 * an error (see peer_send) leaves req->reply empty. invoke_route() does both by itself. */
bool invoke_is_elsewhere(const struct stoa_req *req);
STOA_NODISCARD stoa_err invoke_elsewhere(struct stoa_req *req);
/* Runs any handler of the instance (event, job, extension point): no journal is read; an open
 * transaction is rolled back. Returns the handler's error, or with req->is_refused why it was not
 * reached. */
stoa_err invoke_handler(struct stoa_req *req, stoa_handler handler);
/* A request that no visitor made, on this fiber: identity HOST, its own arena. plugin: index. */
struct stoa_req *invoke_request_create(struct world *world, uint32_t plugin, int64_t timeout_ms);
void invoke_request_destroy(struct stoa_req *req);

#endif
