/* gate/internal.h: the door for other nodes of the cluster. SPDX-License-Identifier: Apache-2.0 */
#ifndef GATE_INTERNAL_H
#define GATE_INTERNAL_H

#include "plugin/request.h"

/* True when the path is the door's (PEER_PATH); the reply is filled in then: 404 without a
 * cluster.key, 401 for whatever is not signed by a node of this cluster, 421 when the plugin does
 * not run here, 400; else 200 with what call/remote.h made of it. */
bool internal_answer(struct stoa_req *req);

#endif
