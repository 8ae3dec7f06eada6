/* gate/internal.c: who may come in is decided by the signature alone; a visitor who finds the door
 * learns nothing from it. SPDX-License-Identifier: Apache-2.0 */
#include "gate/internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "call/remote.h"
#include "call/wiring.h"
#include "plugin/world.h"

enum { WARN_EVERY_MS = 1000 };

static void problem(struct stoa_req *req, stoa_err err)
{
    request_problem(req, err, NULL, STOA_NO_FIELDS);
}

/* At most one line a second and loop: anybody can knock. */
static void warn(struct stoa_req *req, enum sign_verdict verdict, const struct sign_claim *claim)
{
    static __thread int64_t next_ms;
    int64_t now = clock_monotonic_ms();

    metric_add(METRIC_peer_refused_total, 1);
    if (now < next_ms)
        return;
    next_ms = now + WARN_EVERY_MS;
    log_warn("peer", "a call between nodes was refused",
             stoa_f("why", stoa_z(sign_verdict_text(verdict))),
             stoa_f("client", stoa_s(req->client)),
             stoa_f("from", stoa_s(verdict > SIGN_FORGED ? claim->from : STOA_STR(""))));
}

static bool is_signed(struct stoa_req *req, const struct remote *r)
{
    struct sign_claim claim = {0};
    enum sign_verdict verdict =
        sign_check(&r->keys, stoa_req_header(req, SIGN_HEADER), req->body, r->node, &claim);

    if (verdict != SIGN_OK)
        warn(req, verdict, &claim);
    return verdict == SIGN_OK;
}

static void reply(struct stoa_req *req, stoa_str bytes)
{
    const struct sign_keys *keys = &req->world->wiring->remote->keys;
    char *signature = stoa_arena_take(req->arena, SIGN_REPLY_MAX);

    sign_reply(keys, stoa_req_header(req, SIGN_HEADER), bytes, signature);
    req->reply = (struct request_reply){
        .status = 200, .is_for_node = true, .type = "application/octet-stream", .body = bytes};
    STOA_IGNORE(stoa_reply_header(req, SIGN_REPLY_HEADER, stoa_str_of(signature)));
}

static void serve(struct stoa_req *req)
{
    stoa_str bytes;
    stoa_err err = remote_serve(req, req->body, &bytes);

    metric_add(METRIC_peer_served_total, 1);
    if (err == STOA_OK)
        reply(req, bytes);
    else
        problem(req, err);
    if (err == STOA_E_PLUGIN)
        req->reply.status = 421; /* misdirected: ask another node */
}

bool internal_answer(struct stoa_req *req)
{
    const struct remote *r = req->world->wiring->remote;

    if (!stoa_str_is(req->path, PEER_PATH))
        return false;
    req->route_path = PEER_PATH;
    if (r->keys.own.len == 0)
        problem(req, STOA_E_NOT_FOUND);
    else if (req->method != STOA_POST || !is_signed(req, r))
        problem(req, STOA_E_AUTH);
    else
        serve(req);
    return true;
}
