/* account.c: logging in, registering, logging out, and the account's page.
 * SPDX-License-Identifier: Apache-2.0 */
#include "storefront.h"

/* The page again with what was entered; a password is never sent back. */
static stoa_err show_form(struct stoa_req *req, const char *page, int32_t status,
                          const struct form_errors *errors)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    bool is_login = stoa_str_is(stoa_str_of(page), "login");
    struct page_head head = {.title =
                                 is_login ? STOA_STR("Log in") : STOA_STR("Create an account")};
    struct stoa_json *data, *form = stoa_json_object(arena);

    STOA_TRY(page_begin(req, &head, &data));
    if (stoa_req_method(req) == STOA_POST) {
        stoa_json_set_str(form, "email", stoa_req_form(req, "email"));
        stoa_json_set_str(form, "name", stoa_req_form(req, "name"));
    }
    stoa_json_set(data, "form", form);
    stoa_json_set_int(data, "email_max", STOA_EMAIL_MAX);
    form_errors_into(errors, data);
    return page_send(req, status, page, data);
}

static stoa_err show_empty(struct stoa_req *req, const char *page)
{
    struct form_errors errors;

    if (stoa_req_identity(req)->user_id.len > 0)
        return stoa_reply_redirect(req, STOA_STR("/account"));
    form_errors_init(&errors, stoa_req_arena(req));
    return show_form(req, page, 200, &errors);
}

/* GET /login */
stoa_err login_show(struct stoa_req *req, void *self)
{
    return page_finish(req, show_empty(req, "login"));
}

/* GET /register */
stoa_err register_show(struct stoa_req *req, void *self)
{
    return page_finish(req, show_empty(req, "register"));
}

static stoa_err show_refused(struct stoa_req *req, const char *page,
                             const struct stoa_answer *answer)
{
    struct form_errors errors;
    stoa_str detail = stoa_json_str(answer->json, "detail");

    form_errors_init(&errors, stoa_req_arena(req));
    if (answer->status >= 500)
        return page_error_of(answer);
    form_errors_take(&errors, answer->json);
    if (stoa_json_count(errors.list) == 0)
        form_errors_add(&errors, STOA_STR("email"),
                        detail.len ? detail : STOA_STR("That did not work. Please try again."));
    return show_form(req, page, answer->status == 429 ? 429 : 422, &errors);
}

static stoa_err log_in(struct stoa_req *req, const char *page)
{
    struct stoa_fields body =
        STOA_FIELDS(stoa_f("email", stoa_s(stoa_req_form(req, "email"))),
                    stoa_f("password", stoa_s(stoa_req_form(req, "password"))));
    struct stoa_answer answer;

    STOA_TRY(stoa_call_post(req, "user", STOA_STR("/api/v1/sessions"),
                            stoa_json_fields(stoa_req_arena(req), body), &answer));
    if (answer.status != 201)
        return show_refused(req, page, &answer);
    STOA_TRY(stoa_reply_redirect(req, STOA_STR("/account")));
    return stoa_reply_cookie(req, "sid", stoa_json_str(answer.json, "session"),
                             stoa_json_int(answer.json, "max_age", 86400));
}

/* POST /login email, password */
stoa_err login_send(struct stoa_req *req, void *self)
{
    return page_finish(req, log_in(req, "login"));
}

static stoa_err sign_up(struct stoa_req *req)
{
    struct stoa_fields body =
        STOA_FIELDS(stoa_f("email", stoa_s(stoa_req_form(req, "email"))),
                    stoa_f("name", stoa_s(stoa_req_form(req, "name"))),
                    stoa_f("password", stoa_s(stoa_req_form(req, "password"))));
    struct stoa_answer answer;

    STOA_TRY(stoa_call_post(req, "user", STOA_STR("/api/v1/users"),
                            stoa_json_fields(stoa_req_arena(req), body), &answer));
    if (answer.status != 201)
        return show_refused(req, "register", &answer);
    return log_in(req, "register");
}

/* POST /register email, name, password */
stoa_err register_send(struct stoa_req *req, void *self)
{
    return page_finish(req, sign_up(req));
}

static stoa_err log_out(struct stoa_req *req)
{
    struct stoa_call call = {
        .plugin = "user", .method = STOA_DELETE, .path = STOA_STR("/api/v1/sessions/current")};
    struct stoa_answer answer;

    if (stoa_req_identity(req)->session_id.len > 0)
        STOA_TRY(stoa_call(req, &call, &answer));
    STOA_TRY(stoa_reply_redirect(req, STOA_STR("/")));
    return stoa_reply_cookie(req, "sid", STOA_STR(""), 0);
}

/* POST /logout */
stoa_err logout_send(struct stoa_req *req, void *self)
{
    return page_finish(req, log_out(req));
}

static stoa_err show_account(struct stoa_req *req)
{
    struct page_head head = {.title = STOA_STR("Your account")};
    const struct stoa_json *me, *orders = NULL;
    struct stoa_arena *arena = stoa_req_arena(req);
    struct stoa_json *data;

    if (stoa_req_identity(req)->user_id.len == 0)
        return stoa_reply_redirect(req, STOA_STR("/login"));
    STOA_TRY(page_fetch(req, "user", STOA_STR("/api/v1/users/me"), &me));
    STOA_TRY(page_begin(req, &head, &data));
    stoa_json_set(data, "customer", stoa_json_copy(arena, me));
    /* The account is worth showing without its orders. */
    if (page_fetch(req, "order", STOA_STR("/api/v1/orders?limit=20"), &orders) == STOA_OK &&
        stoa_json_get(orders, "items"))
        stoa_json_set(data, "orders", stoa_json_copy(arena, stoa_json_get(orders, "items")));
    return page_send(req, 200, "account", data);
}

/* GET /account */
stoa_err account_page(struct stoa_req *req, void *self)
{
    return page_finish(req, show_account(req));
}
