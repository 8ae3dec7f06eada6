/* call/journal.c: the gate reads, the transaction writes. SPDX-License-Identifier: Apache-2.0 */
#include "call/journal.h"

#include "base/clock.h"
#include "base/log.h"
#include "plugin/reply.h"
#include "plugin/world.h"
#include "route/route.h"
#include <sodium.h>
#include <stoa/id.h>

#define JSON "application/json"
#define PROBLEM "application/problem+json"

static char owner_name[64] = "stoa";

enum {
    LEASE_LONGEST_MS = ROUTE_TIMEOUT_MAX_MS + JOURNAL_LEASE_MARGIN_MS,
    EXPIRE_BATCH = 1000,
    EXPIRE_BATCHES = 500, /* a run; ten times what a busy shop writes between two */
};

static const struct stoa_stmt READ = {
    "journal.read",
    "SELECT request_hash, state, resource_id, status, body, reply_type, reply_location,"
    " lease_until FROM stoa_journal WHERE scope = $1 AND key = $2",
    NULL, STOA_SQL_READ, 0};
/* One statement decides who is first; a dead lease may be taken over by the same request only. One
 * that ends later than any can ($8) is from before the clock was set back. */
static const struct stoa_stmt WRITE = {
    "journal.write",
    "INSERT INTO stoa_journal (scope, key, request_hash, state, resource_id, owner, lease_until,"
    " created_at) VALUES ($1, $2, $3, 'started', $4, $5, $6, $7)"
    " ON CONFLICT (scope, key) DO UPDATE SET owner = excluded.owner,"
    " lease_until = excluded.lease_until,"
    " resource_id = COALESCE(excluded.resource_id, stoa_journal.resource_id)"
    " WHERE stoa_journal.state = 'started'"
    " AND (stoa_journal.lease_until < $7 OR stoa_journal.lease_until > $8)"
    " AND stoa_journal.request_hash = excluded.request_hash",
    NULL, 0, 0};
/* Between two transactions of one request the row is its own. */
static const struct stoa_stmt WRITE_INBOX = {
    "journal.write_inbox",
    "INSERT INTO stoa_journal (scope, key, request_hash, state, owner, lease_until, created_at)"
    " VALUES ($1, $2, '', 'done', $3, 0, $4) ON CONFLICT (scope, key) DO NOTHING",
    NULL, 0, 0};
static const struct stoa_stmt STORE = {
    "journal.store",
    "UPDATE stoa_journal SET state = 'done', status = $3, body = $4, reply_type = $5,"
    " reply_location = $6 WHERE scope = $1 AND key = $2",
    NULL, 0, 0};
static const struct stoa_stmt FREE = {
    "journal.free",
    "UPDATE stoa_journal SET lease_until = 0 WHERE scope = $1 AND key = $2 AND state = 'started'"
    " AND lease_until = $3",
    NULL, 0, 0};
static const struct stoa_stmt RECOVER = {
    "journal.recover",
    "UPDATE stoa_journal SET lease_until = 0 WHERE owner = $1 AND state = 'started'", NULL, 0, 0};
static const struct stoa_stmt EXPIRE = {
    "journal.expire",
    "DELETE FROM stoa_journal WHERE created_at < $1 AND (scope, key) IN"
    " (SELECT scope, key FROM stoa_journal WHERE created_at < $1 LIMIT 1000)",
    NULL, STOA_SQL_SLOW, 0};

void journal_init(const char *owner)
{
    size_t len = strnlen(owner, sizeof owner_name - 1);

    memcpy(owner_name, owner, len);
    owner_name[len] = '\0';
}

/* Same method, same target, same body: the same request (Stripe compares parameters likewise). */
static stoa_str hash_request(struct stoa_req *req)
{
    crypto_hash_sha256_state state;
    unsigned char digest[crypto_hash_sha256_BYTES];
    const stoa_str parts[] = {req->method_text, req->path, req->query, req->body};
    char *hex = stoa_arena_take(req->arena, 65);

    crypto_hash_sha256_init(&state);
    for (uint32_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        crypto_hash_sha256_update(&state, (const unsigned char *)&parts[i].len,
                                  sizeof parts[i].len);
        crypto_hash_sha256_update(&state, (const unsigned char *)parts[i].ptr, parts[i].len);
    }
    crypto_hash_sha256_final(&state, digest);
    sodium_bin2hex(hex, 65, digest, sizeof digest);
    return (stoa_str){hex, 64};
}

/* Without a session or a token the key itself is all that tells two strangers behind one address
 * apart: the stored reply may hold a token, so the key must be one that nobody else thinks of. */
static bool is_guessable(const struct stoa_req *req, stoa_str key)
{
    return req->is_edge && req->identity.user_id.len == 0 &&
           stoa_req_header(req, "x-cart-token").len == 0 && key.len < JOURNAL_KEY_MIN;
}

/* Who may repeat this key: the customer, or whoever holds the cart's token, or the address. */
static stoa_str scope_of(struct stoa_req *req)
{
    const struct stoa_identity *id = &req->identity;
    stoa_str token = stoa_req_header(req, "x-cart-token");
    stoa_str who = id->user_id.len ? id->user_id
                   : token.len     ? stoa_token_hash(req, token)
                                   : req->client;

    return stoa_concat(req->arena, who, STOA_STR(" "), req->method_text, STOA_STR(" "),
                       stoa_str_of(req->route_path));
}

static bool is_key(stoa_str key)
{
    for (uint64_t i = 0; i < key.len; i++)
        if (key.ptr[i] <= 0x20 || key.ptr[i] >= 0x7f)
            return false;
    return key.len <= JOURNAL_KEY_MAX;
}

/* Its bytes, whatever they are. Rows of earlier versions say no type: theirs are JSON. */
static stoa_err replay(struct stoa_req *req, const struct stoa_rows *rows)
{
    int32_t status = (int32_t)stoa_rows_int(rows, 0, "status");
    stoa_str type = stoa_rows_str(rows, 0, "reply_type"), body = stoa_rows_str(rows, 0, "body");
    stoa_str location = stoa_rows_str(rows, 0, "reply_location");

    if (type.len == 0 && body.len > 0)
        type = stoa_str_of(status >= 400 ? PROBLEM : JSON);
    STOA_TRY(stoa_reply(req, status, type.len ? stoa_cstr(req->arena, type) : NULL, body));
    if (location.len > 0)
        STOA_TRY(stoa_reply_header(req, "location", location));
    return stoa_reply_header(req, "idempotency-replayed", STOA_STR("true"));
}

static bool is_alive(int64_t lease_until)
{
    int64_t now = clock_utc_ms();

    return lease_until >= now && lease_until <= now + LEASE_LONGEST_MS;
}

static stoa_err judge(struct stoa_req *req, const struct stoa_rows *rows, bool *answered)
{
    if (!stoa_str_eq(stoa_rows_str(rows, 0, "request_hash"), req->journal->request_hash))
        return stoa_fail(req, STOA_E_KEY_REUSED,
                         "the Idempotency-Key came with another request before", STOA_NO_FIELDS);
    if (stoa_str_is(stoa_rows_str(rows, 0, "state"), "done")) {
        *answered = true;
        return replay(req, rows);
    }
    if (is_alive(stoa_rows_int(rows, 0, "lease_until"))) {
        stoa_fail(req, STOA_E_IN_FLIGHT, "the first request with this key is not finished",
                  STOA_NO_FIELDS);
        (void)stoa_reply_header(req, "retry-after", STOA_STR("1"));
        return STOA_E_IN_FLIGHT;
    }
    req->journal->state = JOURNAL_RESUMED;
    req->journal->resource_id = stoa_rows_str(rows, 0, "resource_id");
    return STOA_OK;
}

stoa_err journal_read(struct stoa_req *req, bool *answered)
{
    stoa_str key = stoa_idempotency_key(req);
    const struct stoa_rows *rows = NULL;
    struct journal *j;

    *answered = false;
    if (key.len == 0 || req->method == STOA_GET || !req->instance->sql ||
        (req->route->flags & STOA_ROUTE_SECRET))
        return STOA_OK;
    if (!is_key(key))
        return stoa_fail(req, STOA_E_INVALID,
                         "an Idempotency-Key has 1 to 255 visible ASCII characters",
                         STOA_NO_FIELDS);
    if (is_guessable(req, key))
        return stoa_fail(req, STOA_E_INVALID,
                         "without a session or a cart's token an Idempotency-Key has 16 characters"
                         " or more",
                         STOA_NO_FIELDS);
    j = stoa_new(req->arena, struct journal);
    j->key = key;
    j->scope = scope_of(req);
    j->request_hash = hash_request(req);
    req->journal = j;
    request_root(req)->statements++;
    STOA_TRY(sql_exec(req->instance->sql, "host", &READ,
                      STOA_ARGS(stoa_s(j->scope), stoa_s(j->key)), req->arena, &rows));
    return stoa_rows_count(rows) == 0 ? STOA_OK : judge(req, rows, answered);
}

static stoa_err give_up_lease(struct stoa_req *req)
{
    const struct journal *j = req->journal;

    request_root(req)->statements++;
    return sql_exec(req->instance->sql, "host", &FREE,
                    STOA_ARGS(stoa_s(j->scope), stoa_s(j->key), stoa_i(j->lease_until)), req->arena,
                    NULL);
}

stoa_err journal_read_again(struct stoa_req *req, bool *answered)
{
    *answered = false;
    if (!req->journal)
        return STOA_OK;
    if (req->journal->state == JOURNAL_WRITTEN || req->journal->state == JOURNAL_DOUBTFUL)
        STOA_TRY(give_up_lease(req));
    return journal_read(req, answered);
}

void journal_inbox(struct stoa_req *req, const char *subscriber, stoa_str event_id)
{
    struct journal *j = stoa_new(req->arena, struct journal);

    j->scope = stoa_concat(req->arena, STOA_STR("event "), stoa_str_of(subscriber));
    j->key = event_id;
    j->is_inbox = true;
    req->journal = j;
}

static stoa_err write_inbox(struct stoa_tx *tx, struct journal *j)
{
    const struct stoa_rows *rows = NULL;

    STOA_TRY(tx_exec_host(
        tx, &WRITE_INBOX,
        STOA_ARGS(stoa_s(j->scope), stoa_s(j->key), stoa_z(owner_name), stoa_i(clock_utc_ms())),
        &rows));
    if (stoa_rows_affected(rows) == 1)
        return STOA_OK;
    j->state = JOURNAL_DUPLICATE;
    return STOA_E_IN_FLIGHT;
}

stoa_err journal_write(struct stoa_tx *tx)
{
    struct journal *j = tx->req->journal;
    int64_t now = clock_utc_ms();
    const struct stoa_rows *rows = NULL;

    if (!j || j->state == JOURNAL_WRITTEN || j->state == JOURNAL_STORED)
        return STOA_OK;
    if (j->is_inbox)
        return write_inbox(tx, j);
    j->lease_until = now + stoa_time_left(tx->req) + JOURNAL_LEASE_MARGIN_MS;
    STOA_TRY(tx_exec_host(tx, &WRITE,
                          STOA_ARGS(stoa_s(j->scope), stoa_s(j->key), stoa_s(j->request_hash),
                                    tx->creates.len ? stoa_s(tx->creates) : stoa_null(),
                                    stoa_z(owner_name), stoa_i(j->lease_until), stoa_i(now),
                                    stoa_i(now + LEASE_LONGEST_MS)),
                          &rows));
    return stoa_rows_affected(rows) == 1 ? STOA_OK : STOA_E_IN_FLIGHT;
}

/* Null where there is none. */
static struct stoa_value location_of(const struct stoa_req *req)
{
    for (uint32_t i = 0; i < req->reply.header_count; i++)
        if (stoa_str_is(req->reply.headers[i].name, "location"))
            return stoa_s(req->reply.headers[i].value);
    return stoa_null();
}

stoa_err journal_store(struct stoa_tx *tx, int32_t status, stoa_str body)
{
    struct journal *j = tx->req->journal;
    struct stoa_value type = stoa_z(status >= 400 ? PROBLEM : JSON);

    if (!j || j->is_inbox)
        return STOA_OK;
    return tx_exec_host(tx, &STORE,
                        STOA_ARGS(stoa_s(j->scope), stoa_s(j->key), stoa_i(status), stoa_s(body),
                                  body.len > 0 ? type : stoa_null(), location_of(tx->req)),
                        NULL);
}

static stoa_err store_reply(struct stoa_req *req)
{
    const struct journal *j = req->journal;

    request_root(req)->statements++;
    request_format_reply(req);
    return sql_exec(req->instance->sql, "host", &STORE,
                    STOA_ARGS(stoa_s(j->scope), stoa_s(j->key), stoa_i(req->reply.status),
                              stoa_s(req->reply.body),
                              req->reply.type ? stoa_z(req->reply.type) : stoa_null(),
                              location_of(req)),
                    req->arena, NULL);
}

/* Its own statement: the handler's transactions are over. A failure only means that a repeat has to
 * wait for the lease and resumes. */
void journal_finish(struct stoa_req *req)
{
    const struct journal *j = req->journal;
    stoa_err err;

    if (!j || j->is_inbox || (j->state != JOURNAL_WRITTEN && j->state != JOURNAL_DOUBTFUL))
        return;
    if (req->reply.status >= 500 || j->state == JOURNAL_DOUBTFUL)
        err = give_up_lease(req);
    else
        err = store_reply(req);
    if (err != STOA_OK)
        log_warn("journal", "the reply could not be kept",
                 stoa_f("error", stoa_z(stoa_err_name(err))), stoa_f("request", stoa_z(req->id)));
}

struct stoa_once stoa_once(struct stoa_req *req)
{
    struct stoa_once once = {.state = STOA_ONCE_FRESH};

    if (req->journal && req->journal->state == JOURNAL_RESUMED && !req->journal->is_inbox) {
        once.state = STOA_ONCE_RESUME;
        once.id = req->journal->resource_id;
    }
    return once;
}

stoa_str stoa_idempotency_key(const struct stoa_req *req)
{
    return stoa_req_header(req, "idempotency-key");
}

static stoa_err exec_own(struct sql *sql, const struct stoa_stmt *stmt, struct stoa_values args)
{
    struct stoa_arena *arena = stoa_arena_create();
    stoa_err err = sql_exec(sql, "host", stmt, args, arena, NULL);

    stoa_arena_destroy(arena);
    return err;
}

stoa_err journal_recover(struct sql *sql)
{
    return exec_own(sql, &RECOVER, STOA_ARGS(stoa_z(owner_name)));
}

stoa_err journal_expire(struct sql *sql)
{
    struct stoa_values args = STOA_ARGS(stoa_i(clock_utc_ms() - JOURNAL_KEEP_MS));
    struct stoa_arena *arena = stoa_arena_create();
    const struct stoa_rows *rows = NULL;
    stoa_err err;

    for (uint32_t i = 0; i < EXPIRE_BATCHES; i++) {
        err = sql_exec(sql, "host", &EXPIRE, args, arena, &rows);
        if (err != STOA_OK || stoa_rows_affected(rows) < EXPIRE_BATCH)
            break;
        stoa_arena_reset(arena);
    }
    stoa_arena_destroy(arena);
    return err;
}
