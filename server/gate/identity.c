/* gate/identity.c: answers are kept in the loop's cache under the session's tag and its account's,
 * so that a revoked session is gone at once (the user plugin drops "session:<id>", or "user:<id>"
 * for several). SPDX-License-Identifier: Apache-2.0 */
#include "gate/identity.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "call/call.h"
#include "plugin/world.h"
#include <stdlib.h>
#include <stoa/stoa.h>

/* ---- What is not in the cache, as it would push pages out: of this loop ---- */

enum { REFUSED_SLOTS = 1024, REFUSED_KEY = 32 };

struct refused {
    char key[REFUSED_KEY]; /* the first half of the hash, as hex */
    int64_t until_ms;
};
static __thread struct refused *refused; /* from the first on */
static __thread int64_t silent_since_ms; /* an ask's time was up, and none was answered since */
static __thread int64_t asleep_until_ms; /* nobody is asked */

static struct refused *refused_slot(stoa_str key)
{
    return &refused[stoa_str_hash(key) % REFUSED_SLOTS];
}

static bool is_refused(stoa_str key)
{
    const struct refused *slot = refused ? refused_slot(key) : NULL;

    return slot && slot->until_ms > clock_monotonic_ms() &&
           memcmp(slot->key, key.ptr, REFUSED_KEY) == 0;
}

static void remember_refused(stoa_str key)
{
    struct refused *slot;

    if (!refused)
        refused = calloc(REFUSED_SLOTS, sizeof *refused);
    stoa_assert(refused);
    slot = refused_slot(key);
    memcpy(slot->key, key.ptr, REFUSED_KEY);
    slot->until_ms = clock_monotonic_ms() + IDENTITY_REFUSED_MS;
}

/* ---- Asking ---- */

static stoa_str credential(struct stoa_req *req)
{
    stoa_str sid = stoa_req_cookie(req, "sid"), auth;

    if (sid.len > 0)
        return sid;
    auth = stoa_req_header(req, "authorization");
    if (auth.len > 7 && stoa_str_eq_nocase(stoa_str_sub(auth, 0, 7), STOA_STR("bearer ")))
        return stoa_str_trim(stoa_str_sub(auth, 7, UINT64_MAX));
    return (stoa_str){0};
}

static void read_identity(struct stoa_req *req, const struct stoa_json *json)
{
    struct stoa_identity *id = &req->identity;
    stoa_str who = stoa_json_str(json, "who");

    id->who = stoa_str_is(who, "staff")      ? STOA_WHO_STAFF
              : stoa_str_is(who, "customer") ? STOA_WHO_CUSTOMER
                                             : STOA_WHO_GUEST;
    if (id->who == STOA_WHO_GUEST)
        return;
    id->user_id = stoa_json_str(json, "user_id");
    id->session_id = stoa_json_str(json, "session_id");
    id->permissions = stoa_json_str(json, "permissions");
}

static void remember(struct stoa_req *req, stoa_str key, const struct stoa_json *json,
                     uint64_t epoch)
{
    struct stoa_buf buf;
    stoa_str session = stoa_json_str(json, "session_id");

    if (session.len == 0)
        return;
    stoa_buf_init(&buf, req->arena, 256);
    stoa_json_format(json, &buf);
    cache_put(req->world->resources->cache, stoa_str_of(req->world->cache_owner), key,
              stoa_buf_str(&buf), IDENTITY_CACHE_MS,
              stoa_concat(req->arena, STOA_STR("session:"), session, STOA_STR(" user:"),
                          stoa_json_str(json, "user_id")),
              epoch);
}

static bool recall(struct stoa_req *req, stoa_str key)
{
    const struct stoa_json *json = NULL;
    struct cache_entry *entry =
        cache_acquire(req->world->resources->cache, stoa_str_of(req->world->cache_owner), key);

    if (!entry)
        return false;
    if (stoa_json_parse(req->arena, cache_value(entry), NULL, &json) == STOA_OK)
        read_identity(req, json);
    cache_release(entry);
    return json != NULL;
}

/* The gate has no plugin of its own: it calls as the host, with the visitor's request as the
 * parent. */
static stoa_err ask(struct stoa_req *req, stoa_str session, uint32_t timeout_ms,
                    struct stoa_answer *ret)
{
    struct stoa_json *body = stoa_json_object(req->arena);
    struct stoa_call call = {.plugin = "user",
                             .method = STOA_POST,
                             .path = STOA_STR("/internal/user/identify"),
                             .body = body,
                             .timeout_ms = timeout_ms};

    stoa_json_set_str(body, "session", session);
    return call_local(req, &call, ret);
}

/* One that waited in vain may have met a busy moment of this loop or of the database. Those that
 * waited beside it say no more than it does: only one that began afterwards. */
static void waited_in_vain(int64_t began_ms)
{
    int64_t now = clock_monotonic_ms();

    if (now - began_ms < IDENTITY_PATIENCE_MS)
        return; /* the request had no more time */
    if (silent_since_ms == 0)
        silent_since_ms = now;
    else if (began_ms >= silent_since_ms)
        asleep_until_ms = now + IDENTITY_PATIENCE_MS;
}

/* timeout_ms 0: as long as the request may take. */
static stoa_err find(struct stoa_req *req, stoa_str session, uint32_t timeout_ms)
{
    stoa_str key = stoa_token_hash(req, session);
    struct stoa_answer answer;
    int64_t began_ms = clock_monotonic_ms();
    uint64_t epoch;
    stoa_err err;

    if (recall(req, key) || is_refused(key))
        return STOA_OK;
    if (timeout_ms && asleep_until_ms > began_ms)
        return STOA_E_PLUGIN;
    epoch = cache_epoch(req->world->resources->cache);
    err = ask(req, session, timeout_ms, &answer);
    if (err == STOA_E_TIMEOUT && timeout_ms)
        waited_in_vain(began_ms);
    if (err != STOA_OK)
        return STOA_E_PLUGIN;
    silent_since_ms = 0;
    if (answer.status == 401) {
        remember_refused(key);
        return STOA_OK;
    }
    if (answer.status != 200)
        return STOA_E_PLUGIN;
    read_identity(req, answer.json);
    remember(req, key, answer.json, epoch);
    return STOA_OK;
}

static bool is_credential(stoa_str session)
{
    return session.len > 0 && session.len <= 512;
}

stoa_err identity_find(struct stoa_req *req)
{
    stoa_str session = credential(req);

    return is_credential(session) ? find(req, session, 0) : STOA_OK;
}

void identity_guess(struct stoa_req *req)
{
    stoa_str session = credential(req);

    if (!is_credential(session) || find(req, session, IDENTITY_PATIENCE_MS) == STOA_OK)
        return;
    req->is_unidentified = true;
    metric_add(METRIC_requests_unidentified_total, 1);
}
