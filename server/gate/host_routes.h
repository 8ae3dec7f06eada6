/* gate/host_routes.h: what the host itself answers: /livez, /readyz. SPDX-License-Identifier:
 * Apache-2.0 */
#ifndef GATE_HOST_ROUTES_H
#define GATE_HOST_ROUTES_H

#include "plugin/request.h"

/* Whether the process takes visitors: set by the server, read by /readyz. */
void host_routes_set_ready(bool is_ready);
/* True when the path is the host's; the reply is filled in then. */
bool host_routes_answer(struct stoa_req *req);

#endif
