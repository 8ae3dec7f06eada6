/* session.c: logging in and out, and the gate's question who someone is. A session's row holds the
 * hash of what the browser holds, so a read of the database logs nobody in.
 * SPDX-License-Identifier: Apache-2.0 */
#include "user.h"

/* A fixed window: its first try opens it, and tries past the limit do not make it longer. */
static const struct stoa_stmt attempt_count = {
    "user.attempt_count",
    "insert into user_login_attempt (email, since_at, tries) values ($1, $2, 1) "
    "on conflict (email) do update set tries = case when user_login_attempt.since_at <= $3 "
    "then 1 else user_login_attempt.tries + 1 end, since_at = case "
    "when user_login_attempt.since_at <= $3 then excluded.since_at "
    "else user_login_attempt.since_at end returning tries, since_at",
    NULL, 0, 0};
static const struct stoa_stmt attempt_forget = {
    "user.attempt_forget", "delete from user_login_attempt where email = $1", NULL, 0, 0};
static const struct stoa_stmt attempt_sweep = {
    "user.attempt_sweep", "delete from user_login_attempt where since_at < $1", NULL, 0, 0};
static const struct stoa_stmt account_by_email = {
    "user.account_by_email",
    "select id, email, name, password_hash from user_account where email = $1", NULL, STOA_SQL_READ,
    0};
/* Only while the password is the one that was checked ($5): a new one ends the sessions that there
 * are, and must not miss this one. On PostgreSQL it waits for who changes the password now. */
#define SESSION_INSERT "insert into user_session (id, user_id, created_at, expires_at) select "
static const struct stoa_stmt session_insert = {
    "user.session_insert",
    SESSION_INSERT "$1, a.id, $3, $4 from user_account a where a.id = $2 and a.password_hash = $5",
    SESSION_INSERT "$1::text, a.id, $3::bigint, $4::bigint from user_account a "
                   "where a.id = $2 and a.password_hash = $5 for share",
    0, 0};
/* All of the account's but the new one ($2) and the $3 youngest besides. */
static const struct stoa_stmt session_crowd = {
    "user.session_crowd",
    "delete from user_session where user_id = $1 and id <> $2 and id not in (select s.id "
    "from user_session s where s.user_id = $1 and s.id <> $2 "
    "order by s.created_at desc, s.id desc limit $3)",
    NULL, 0, 0};
static const struct stoa_stmt session_delete = {
    "user.session_delete", "delete from user_session where id = $1", NULL, 0, 0};
static const struct stoa_stmt session_expire = {
    "user.session_expire", "delete from user_session where expires_at < $1", NULL, 0, 0};
/* One row per role; one row with NULL for who has none. */
static const struct stoa_stmt session_identity = {
    "user.session_identity",
    "select s.id, s.user_id, r.permissions from user_session s "
    "left join user_account_role a on a.user_id = s.user_id "
    "left join user_role r on r.name = a.role where s.id = $1 and s.expires_at > $2",
    NULL, STOA_SQL_READ, 0};

stoa_err try_count(struct stoa_req *req, stoa_str email)
{
    stoa_ms now = stoa_now(req), wait_ms;
    const struct stoa_rows *rows;

    STOA_TRY(stoa_sql(req, &attempt_count,
                      STOA_ARGS(stoa_s(email), stoa_i(now), stoa_i(now - USER_TRIES_MS)), &rows));
    if (stoa_rows_int(rows, 0, "tries") <= USER_TRIES_MAX)
        return STOA_OK;
    wait_ms = stoa_rows_int(rows, 0, "since_at") + USER_TRIES_MS - now;
    STOA_TRY(stoa_reply_header(req, "retry-after",
                               stoa_str_from_int(stoa_req_arena(req), wait_ms / 1000 + 1)));
    return stoa_fail(req, STOA_E_RATE, "Too many tries at this account; wait a few minutes",
                     STOA_FIELDS(stoa_f("retry_after", stoa_i(wait_ms / 1000 + 1))));
}

stoa_err try_forget(struct stoa_req *req, stoa_str email)
{
    return stoa_sql(req, &attempt_forget, STOA_ARGS(stoa_s(email)), NULL);
}

static stoa_err refuse(struct stoa_req *req)
{
    return stoa_fail(req, STOA_E_AUTH, "E-mail address and password do not belong together",
                     STOA_NO_FIELDS);
}

/* Takes the same steps and the same time whether the account exists or not. */
static stoa_err check_password(struct stoa_req *req, stoa_str email, const struct stoa_rows **ret)
{
    stoa_str password = stoa_json_str(stoa_req_json(req), "password");
    stoa_str hash = {NULL, 0};
    stoa_err err;

    STOA_TRY(try_count(req, email));
    STOA_TRY(stoa_sql(req, &account_by_email, STOA_ARGS(stoa_s(email)), ret));
    if (stoa_rows_count(*ret) > 0)
        hash = stoa_rows_str(*ret, 0, "password_hash");
    err = stoa_password_verify(req, password, hash);
    return err == STOA_E_AUTH ? refuse(req) : err;
}

void identity_drop(struct stoa_req *req, stoa_str user_id)
{
    stoa_cache_drop(req, stoa_concat(stoa_req_arena(req), STOA_STR("user:"), user_id));
}

/* After the new one was written: of two logins at once the later sees both. */
static stoa_err end_oldest(struct stoa_req *req, stoa_str user_id, stoa_str new_id)
{
    const struct stoa_rows *rows;

    STOA_TRY(stoa_sql(req, &session_crowd,
                      STOA_ARGS(stoa_s(user_id), stoa_s(new_id), stoa_i(USER_SESSIONS_MAX - 1)),
                      &rows));
    if (stoa_rows_affected(rows) > 0)
        identity_drop(req, user_id);
    return STOA_OK;
}

/* account: as account_by_email reads it. */
static stoa_err open_session(struct stoa_req *req, const struct user *user,
                             const struct stoa_rows *account, stoa_str *ret)
{
    stoa_str user_id = stoa_rows_str(account, 0, "id");
    const struct stoa_identity *before = stoa_req_identity(req);
    stoa_str token = stoa_token_new(req), id = stoa_token_hash(req, token);
    stoa_ms now = stoa_now(req);
    const struct stoa_rows *rows;

    if (before->session_id.len > 0) {
        STOA_TRY(stoa_sql(req, &session_delete, STOA_ARGS(stoa_s(before->session_id)), NULL));
        stoa_cache_drop(req,
                        stoa_concat(stoa_req_arena(req), STOA_STR("session:"), before->session_id));
    }
    STOA_TRY(
        stoa_sql(req, &session_insert,
                 STOA_ARGS(stoa_s(id), stoa_s(user_id), stoa_i(now), stoa_i(now + user->session_ms),
                           stoa_s(stoa_rows_str(account, 0, "password_hash"))),
                 &rows));
    if (stoa_rows_affected(rows) == 0)
        return refuse(req);
    STOA_TRY(end_oldest(req, user_id, id));
    *ret = token;
    return STOA_OK;
}

/* POST /api/v1/sessions {"email", "password"}: always a new session, so that one planted in a
 * browser before is worth nothing. Written without the journal, which would keep the session. */
stoa_err session_create(struct stoa_req *req, void *self)
{
    const struct user *user = self;
    struct stoa_arena *arena = stoa_req_arena(req);
    const struct stoa_json *body = stoa_req_json(req);
    stoa_str email = email_normalise(arena, stoa_json_str(body, "email")), session = {0};
    const struct stoa_rows *account;
    stoa_ms expires_at = stoa_now(req) + user->session_ms;

    if (email.len == 0 || stoa_json_str(body, "password").len > USER_PASSWORD_MAX)
        return refuse(req);
    STOA_TRY(check_password(req, email, &account));
    STOA_TRY(try_forget(req, email));
    STOA_TRY(open_session(req, user, account, &session));
    STOA_TRY(stoa_reply_fields(
        req, 201,
        STOA_FIELDS(stoa_f("session", stoa_s(session)),
                    stoa_f("expires_at", stoa_s(stoa_time_format(arena, expires_at))),
                    stoa_f("max_age", stoa_i(user->session_ms / 1000)),
                    stoa_f("user_id", stoa_s(stoa_rows_str(account, 0, "id"))),
                    stoa_f("email", stoa_s(stoa_rows_str(account, 0, "email"))),
                    stoa_f("name", stoa_s(stoa_rows_str(account, 0, "name"))))));
    return stoa_reply_cookie(req, "sid", session, user->session_ms / 1000);
}

/* DELETE /api/v1/sessions/current */
stoa_err session_end(struct stoa_req *req, void *self)
{
    const struct stoa_identity *who = stoa_req_identity(req);

    STOA_TRY(stoa_sql(req, &session_delete, STOA_ARGS(stoa_s(who->session_id)), NULL));
    stoa_cache_drop(req, stoa_concat(stoa_req_arena(req), STOA_STR("session:"), who->session_id));
    STOA_TRY(stoa_reply_empty(req));
    return stoa_reply_cookie(req, "sid", STOA_STR(""), 0);
}

static stoa_str all_permissions(struct stoa_arena *arena, const struct stoa_rows *rows)
{
    struct stoa_buf buf;

    stoa_buf_init(&buf, arena, 64);
    for (uint32_t i = 0; i < stoa_rows_count(rows); i++) {
        if (i > 0)
            stoa_buf_char(&buf, ' ');
        stoa_buf_put(&buf, stoa_rows_str(rows, i, "permissions"));
    }
    return stoa_buf_str(&buf);
}

/* POST /internal/user/identify {"session"}: the gate's question. The gate keeps the answer for some
 * seconds under the tags session:<session_id> and user:<user_id>: whoever ends a session drops the
 * one, whoever ends several of an account the other. */
stoa_err session_identify(struct stoa_req *req, void *self)
{
    stoa_str session = stoa_json_str(stoa_req_json(req), "session");
    const struct stoa_rows *rows;
    stoa_str id;

    if (session.len == 0 || session.len > 64)
        return STOA_E_AUTH;
    id = stoa_token_hash(req, session);
    STOA_TRY(stoa_sql(req, &session_identity, STOA_ARGS(stoa_s(id), stoa_i(stoa_now(req))), &rows));
    if (stoa_rows_count(rows) == 0)
        return STOA_E_AUTH;
    return stoa_reply_fields(
        req, 200,
        STOA_FIELDS(
            stoa_f("who", stoa_z(stoa_rows_is_null(rows, 0, "permissions") ? "customer" : "staff")),
            stoa_f("user_id", stoa_s(stoa_rows_str(rows, 0, "user_id"))),
            stoa_f("session_id", stoa_s(id)),
            stoa_f("permissions", stoa_s(all_permissions(stoa_req_arena(req), rows)))));
}

/* Sessions and counted tries that are over. */
stoa_err session_sweep(struct stoa_req *req, void *self)
{
    stoa_ms now = stoa_now(req);

    STOA_TRY(stoa_sql(req, &session_expire, STOA_ARGS(stoa_i(now)), NULL));
    return stoa_sql(req, &attempt_sweep, STOA_ARGS(stoa_i(now - USER_TRIES_MS)), NULL);
}
