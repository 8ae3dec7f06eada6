/* account.c: registration, and what people see and change of their account.
 * SPDX-License-Identifier: Apache-2.0 */
#include "user.h"

static const struct stoa_stmt account_insert = {
    "user.account_insert",
    "insert into user_account (id, email, name, password_hash, created_at, updated_at) "
    "values ($1, $2, $3, $4, $5, $6)",
    NULL, 0, 0};
static const struct stoa_stmt account_by_id = {
    "user.account_by_id",
    "select id, email, name, password_hash, created_at from user_account where id = $1", NULL,
    STOA_SQL_READ, 0};
/* Two statements, each of its own columns only: whoever changes the name must not write back a
 * password that was read before. */
#define CHANGED " returning id, email, name"
static const struct stoa_stmt name_update = {
    "user.name_update",
    "update user_account set name = $2, updated_at = $3 where id = $1 and exists "
    "(select 1 from user_session s where s.id = $4 and s.user_id = $1)" CHANGED,
    NULL, 0, 0};
static const struct stoa_stmt password_update = {
    "user.password_update",
    "update user_account set password_hash = $2, updated_at = $3 "
    "where id = $1 and password_hash = $4" CHANGED,
    NULL, 0, 0};
static const struct stoa_stmt other_sessions_end = {
    "user.other_sessions_end", "delete from user_session where user_id = $1 and id <> $2", NULL, 0,
    0};

static struct stoa_json *account_json(struct stoa_req *req, stoa_str id, stoa_str email,
                                      stoa_str name)
{
    return stoa_json_fields(stoa_req_arena(req),
                            STOA_FIELDS(stoa_f("id", stoa_s(id)), stoa_f("email", stoa_s(email)),
                                        stoa_f("name", stoa_s(name))));
}

static struct stoa_json *row_json(struct stoa_req *req, const struct stoa_rows *rows)
{
    return account_json(req, stoa_rows_str(rows, 0, "id"), stoa_rows_str(rows, 0, "email"),
                        stoa_rows_str(rows, 0, "name"));
}

/* STOA_E_INVALID with the faults as "errors", or STOA_OK when there are none. */
static stoa_err faults_reply(struct stoa_req *req, const struct stoa_json *faults)
{
    if (stoa_json_count(faults) == 0)
        return STOA_OK;
    return stoa_fail(req, STOA_E_INVALID, "Some fields are not right",
                     STOA_FIELDS(stoa_f("errors", stoa_j(faults))));
}

struct registration {
    stoa_str id, email, name, hash;
};

static stoa_err insert_in(struct stoa_req *req, struct stoa_tx *tx, const struct registration *r)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    stoa_value now = stoa_i(stoa_now(req));

    STOA_TRY(stoa_tx_creates(tx, r->id));
    STOA_TRY(stoa_tx_sql(
        tx, &account_insert,
        STOA_ARGS(stoa_s(r->id), stoa_s(r->email), stoa_s(r->name), stoa_s(r->hash), now, now),
        NULL));
    STOA_TRY(stoa_emit(tx, "user.registered", r->id,
                       stoa_json_fields(arena, STOA_FIELDS(stoa_f("user_id", stoa_s(r->id)),
                                                           stoa_f("email", stoa_s(r->email)),
                                                           stoa_f("name", stoa_s(r->name))))));
    return stoa_tx_reply(tx, 201, account_json(req, r->id, r->email, r->name));
}

static stoa_err insert(struct stoa_req *req, const struct registration *r)
{
    struct stoa_tx *tx;
    stoa_err err;

    STOA_TRY(stoa_tx_begin(req, &tx));
    err = insert_in(req, tx, r);
    if (err == STOA_OK)
        return stoa_tx_commit(tx);
    stoa_tx_rollback(tx);
    if (err == STOA_E_EXISTS)
        return stoa_fail(req, err, "There is an account with this address; log in instead",
                         STOA_FIELDS(stoa_f("field", stoa_z("email"))));
    return err;
}

/* POST /api/v1/users {"email", "password", "name"}. Logging in is a step of its own. */
stoa_err account_register(struct stoa_req *req, void *self)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    const struct stoa_json *body = stoa_req_json(req);
    struct stoa_json *faults = stoa_json_array(arena);
    stoa_str password = stoa_json_str(body, "password");
    struct registration r = {.name = stoa_str_trim(stoa_json_str(body, "name"))};

    r.email = email_normalise(arena, stoa_json_str(body, "email"));
    fault_push(arena, faults, "email",
               stoa_str_is_email(r.email) ? NULL : "Enter a valid e-mail address");
    fault_push(arena, faults, "name", name_fault(r.name));
    fault_push(arena, faults, "password", password_fault(password));
    STOA_TRY(faults_reply(req, faults));
    STOA_TRY(stoa_password_hash(req, password, &r.hash));
    r.id = stoa_id_new(req, "usr");
    return insert(req, &r);
}

static stoa_err own_account(struct stoa_req *req, const struct stoa_rows **ret)
{
    const struct stoa_identity *who = stoa_req_identity(req);

    STOA_TRY(stoa_sql(req, &account_by_id, STOA_ARGS(stoa_s(who->user_id)), ret));
    return stoa_rows_count(*ret) ? STOA_OK : STOA_E_AUTH;
}

/* GET /api/v1/users/me */
stoa_err account_show(struct stoa_req *req, void *self)
{
    const struct stoa_rows *rows;

    STOA_TRY(own_account(req, &rows));
    return stoa_reply_json(req, 200, row_json(req, rows));
}

/* What PATCH asks for; account is the row as it was read. */
struct change {
    const struct stoa_rows *account;
    bool has_name, has_password;
    stoa_str name, password, hash;
};

/* The present password counts as a try: a stolen session must not be a way to guess it. */
static stoa_err new_hash(struct stoa_req *req, struct change *c)
{
    stoa_str email = stoa_rows_str(c->account, 0, "email");
    stoa_str current = stoa_json_str(stoa_req_json(req), "current_password");
    stoa_err err;

    if (current.len > USER_PASSWORD_MAX)
        return STOA_E_AUTH;
    STOA_TRY(try_count(req, email));
    err = stoa_password_verify(req, current, stoa_rows_str(c->account, 0, "password_hash"));
    if (err == STOA_E_AUTH)
        return stoa_fail(req, STOA_E_FORBIDDEN, "The present password is another one",
                         STOA_FIELDS(stoa_f("field", stoa_z("current_password"))));
    STOA_TRY(err);
    STOA_TRY(try_forget(req, email));
    return stoa_password_hash(req, c->password, &c->hash);
}

/* Only while the session is there: who has just been logged out by a new password changes nothing
 * any more. */
static stoa_err write_name(struct stoa_req *req, struct stoa_tx *tx, struct change *c)
{
    const struct stoa_identity *who = stoa_req_identity(req);

    STOA_TRY(stoa_tx_sql(tx, &name_update,
                         STOA_ARGS(stoa_s(who->user_id), stoa_s(c->name), stoa_i(stoa_now(req)),
                                   stoa_s(who->session_id)),
                         &c->account));
    return stoa_rows_count(c->account) ? STOA_OK : STOA_E_AUTH;
}

/* Compare and set: of two who change it at once, having given the same present one, one does. */
static stoa_err write_password(struct stoa_req *req, struct stoa_tx *tx, struct change *c,
                               stoa_str before)
{
    const struct stoa_identity *who = stoa_req_identity(req);

    STOA_TRY(stoa_tx_sql(
        tx, &password_update,
        STOA_ARGS(stoa_s(who->user_id), stoa_s(c->hash), stoa_i(stoa_now(req)), stoa_s(before)),
        &c->account));
    if (stoa_rows_count(c->account) == 0)
        return stoa_fail(req, STOA_E_CONFLICT, "The password was changed meanwhile",
                         STOA_NO_FIELDS);
    STOA_TRY(stoa_tx_sql(tx, &other_sessions_end,
                         STOA_ARGS(stoa_s(who->user_id), stoa_s(who->session_id)), NULL));
    identity_drop(req, who->user_id);
    return STOA_OK;
}

static stoa_err change_in(struct stoa_req *req, struct stoa_tx *tx, struct change *c)
{
    stoa_str before = stoa_rows_str(c->account, 0, "password_hash");

    if (c->has_name)
        STOA_TRY(write_name(req, tx, c));
    if (c->has_password)
        STOA_TRY(write_password(req, tx, c, before));
    return stoa_tx_reply(tx, 200, row_json(req, c->account));
}

static stoa_err read_change(struct stoa_req *req, struct change *ret)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    const struct stoa_json *body = stoa_req_json(req);
    struct stoa_json *faults = stoa_json_array(arena);

    *ret = (struct change){.has_name = stoa_json_get(body, "name"),
                           .has_password = stoa_json_get(body, "password"),
                           .name = stoa_str_trim(stoa_json_str(body, "name")),
                           .password = stoa_json_str(body, "password")};
    fault_push(arena, faults, "name", ret->has_name ? name_fault(ret->name) : NULL);
    fault_push(arena, faults, "password", ret->has_password ? password_fault(ret->password) : NULL);
    return faults_reply(req, faults);
}

/* PATCH /api/v1/users/me {"name"?, "password"? with "current_password"} */
stoa_err account_change(struct stoa_req *req, void *self)
{
    struct change c;
    struct stoa_tx *tx;
    stoa_err err;

    STOA_TRY(read_change(req, &c));
    STOA_TRY(own_account(req, &c.account));
    if (c.has_password)
        STOA_TRY(new_hash(req, &c));
    if (!c.has_name && !c.has_password)
        return stoa_reply_json(req, 200, row_json(req, c.account));
    STOA_TRY(stoa_tx_begin(req, &tx));
    err = change_in(req, tx, &c);
    if (err == STOA_OK)
        return stoa_tx_commit(tx);
    stoa_tx_rollback(tx);
    return err;
}
