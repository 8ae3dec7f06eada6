/* gate/dispatch.h: one request from its path to its reply: route, limits, identity, permission,
 * journal, handler. SPDX-License-Identifier: Apache-2.0 */
#ifndef GATE_DISPATCH_H
#define GATE_DISPATCH_H

#include "plugin/request.h"

/* Runs the whole of a visitor's request on the fiber of the caller. req: everything under "What
 * came", trace, id, started_us, world and loop are filled in. Afterwards req->reply is complete:
 * status, headers (without the fixed security headers, which http/ adds to everything), bytes. */
void gate_dispatch(struct stoa_req *req);

#endif
