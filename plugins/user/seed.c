/* seed.c: in development, one member of the staff to begin with. SPDX-License-Identifier:
 * Apache-2.0 */
#include "user.h"

#define OWNER_EMAIL "owner@example.com"
#define OWNER_PERMISSIONS                                                                          \
    "products:write inventory:read inventory:write orders:read orders:write payments:read "        \
    "payments:write deliveries:read deliveries:write users:read"

static const struct stoa_stmt owner_insert = {
    "user.seed_owner",
    "insert into user_account (id, email, name, password_hash, created_at, updated_at) "
    "values ($1, $2, 'Owner', $3, $4, $4) on conflict (email) do nothing",
    NULL, 0, 0};
static const struct stoa_stmt role_insert = {
    "user.seed_role",
    "insert into user_role (name, permissions) values ('owner', $1) on conflict (name) do nothing",
    NULL, 0, 0};
static const struct stoa_stmt grant_insert = {
    "user.seed_grant", "insert into user_account_role (user_id, role) values ($1, 'owner')", NULL,
    0, 0};
static const struct stoa_stmt owner_count = {
    "user.seed_count", "select count(*) as owners from user_account where email = $1", NULL,
    STOA_SQL_READ, 0};

static stoa_err insert_in(struct stoa_req *req, struct stoa_tx *tx, stoa_str hash)
{
    stoa_str id = stoa_id_new(req, "usr");

    STOA_TRY(stoa_tx_sql(
        tx, &owner_insert,
        STOA_ARGS(stoa_s(id), stoa_z(OWNER_EMAIL), stoa_s(hash), stoa_i(stoa_now(req))), NULL));
    STOA_TRY(stoa_tx_sql(tx, &role_insert, STOA_ARGS(stoa_z(OWNER_PERMISSIONS)), NULL));
    return stoa_tx_sql(tx, &grant_insert, STOA_ARGS(stoa_s(id)), NULL);
}

static stoa_err insert(struct stoa_req *req, stoa_str hash)
{
    struct stoa_tx *tx;
    stoa_err err;

    STOA_TRY(stoa_tx_begin(req, &tx));
    err = insert_in(req, tx, hash);
    if (err == STOA_OK)
        return stoa_tx_commit(tx);
    stoa_tx_rollback(tx);
    return err;
}

/* `stoa seed`. The password is in the reply once and nowhere else: only its hash is kept. */
stoa_err seed_owner(struct stoa_req *req, void *self)
{
    const struct user *user = self;
    stoa_str password = user->owner_password, hash;
    const struct stoa_rows *rows;

    if (!stoa_is_development(req))
        return stoa_reply_empty(req);
    STOA_TRY(stoa_sql(req, &owner_count, STOA_ARGS(stoa_z(OWNER_EMAIL)), &rows));
    if (stoa_rows_int(rows, 0, "owners") > 0)
        return stoa_reply_empty(req);
    if (password.len == 0)
        password = stoa_token_new(req);
    STOA_TRY(stoa_password_hash(req, password, &hash));
    STOA_TRY(insert(req, hash));
    return stoa_reply_fields(
        req, 200,
        STOA_FIELDS(stoa_f(
            "message",
            stoa_s(stoa_concat(stoa_req_arena(req),
                               STOA_STR("the staff's login is " OWNER_EMAIL " with the password "),
                               password, STOA_STR(" (shown only now)"))))));
}
