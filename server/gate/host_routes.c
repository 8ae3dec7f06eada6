/* gate/host_routes.c: for load balancers and supervisors; no plugin can take these paths' place, as
 * they are asked before the world's table. SPDX-License-Identifier: Apache-2.0 */
#include "gate/host_routes.h"

#include <stdatomic.h>

static _Atomic bool ready;

void host_routes_set_ready(bool is_ready)
{
    atomic_store(&ready, is_ready);
}

static void answer(struct stoa_req *req, int32_t status, const char *word)
{
    stoa_reply(req, status, "text/plain", stoa_str_of(word));
    stoa_reply_header(req, "cache-control", STOA_STR("no-store"));
}

bool host_routes_answer(struct stoa_req *req)
{
    bool is_ready = atomic_load(&ready);

    if (req->path.len > 7 || req->method != STOA_GET)
        return false;
    if (stoa_str_is(req->path, "/livez"))
        answer(req, 200, "ok\n");
    else if (stoa_str_is(req->path, "/readyz"))
        answer(req, is_ready ? 200 : 503, is_ready ? "ready\n" : "not ready\n");
    else
        return false;
    req->route_path = req->path.len == 6 ? "/livez" : "/readyz";
    return true;
}
