/* A visitor's request, from its path to its reply. SPDX-License-Identifier: Apache-2.0 */
#include "gate/dispatch.h"

#include "base/clock.h"
#include "fiber/fiber.h"
#include "gate/host_routes.h"
#include "gate/identity.h"
#include "gate/rate.h"
#include "plugin/world.h"
#include "testing.h"
#include <criterion/criterion.h>

static uint32_t asked; /* how often the user plugin was asked */
static bool user_is_away;
static int64_t user_sleeps_ms;

static stoa_err identify(struct stoa_req *req, void *self)
{
    stoa_str session = stoa_json_str(stoa_req_json(req), "session");

    asked++;
    if (user_sleeps_ms > 0)
        STOA_TRY(fiber_sleep(user_sleeps_ms));
    if (user_is_away)
        return STOA_E_STORE;
    if (!stoa_str_is(session, "good") && !stoa_str_is(session, "boss"))
        return STOA_E_AUTH;
    return stoa_reply_fields(
        req, 200,
        STOA_FIELDS(stoa_f("who", stoa_z(stoa_str_is(session, "boss") ? "staff" : "customer")),
                    stoa_f("user_id", stoa_z("usr_1")), stoa_f("session_id", stoa_z("ses_1")),
                    stoa_f("permissions", stoa_z("a:b"))));
}

static stoa_err show(struct stoa_req *req, void *self)
{
    return stoa_reply_fields(req, 200,
                             STOA_FIELDS(stoa_f("user", stoa_s(stoa_req_identity(req)->user_id)),
                                         stoa_f("json", stoa_j(stoa_req_json(req))),
                                         stoa_f("form", stoa_s(stoa_req_form(req, "a")))));
}

/* What a guest and somebody get of the same page: a redirect, a refusal, a cookie. */
static stoa_err mine_or_away(struct stoa_req *req, void *self)
{
    stoa_str what = stoa_req_query(req, "what");

    stoa_reply_cookie(req, "cart", STOA_STR(""), 0);
    stoa_reply_header(req, "cache-control", STOA_STR("max-age=60"));
    if (stoa_req_identity(req)->user_id.len > 0 || what.len == 0)
        return show(req, self);
    if (stoa_str_is(what, "redirect"))
        return stoa_reply_redirect(req, STOA_STR("/login"));
    return stoa_str_is(what, "none") ? STOA_E_NOT_FOUND : STOA_E_INVALID;
}

static const struct stoa_plugin_v1 user = {
    .routes =
        STOA_ROUTES({STOA_POST, 0, "/internal/user/identify", identify, .permit = STOA_INTERNAL})};
static const struct stoa_plugin_v1 toy = {
    .routes = STOA_ROUTES(
        {STOA_GET, 0, "/open", show, .permit = STOA_ANYONE},
        {STOA_GET, 0, "/file", show, .permit = STOA_ANYONE, .flags = STOA_ROUTE_IMPERSONAL},
        {STOA_GET, 0, "/order", show, .permit = STOA_TOKEN},
        {STOA_GET, 0, "/account", mine_or_away, .permit = STOA_ANYONE},
        {STOA_POST, 0, "/open", show, .permit = STOA_ANYONE, .body_max = 64},
        {STOA_POST, 0, "/form", show, .permit = STOA_ANYONE, .flags = STOA_ROUTE_FORM},
        {STOA_GET, 0, "/mine", show, .permit = STOA_CUSTOMER},
        {STOA_GET, 0, "/staff", show, .permit = STOA_STAFF, .permission = "a:b"},
        {STOA_GET, 0, "/dev", show, .permit = STOA_ANYONE, .flags = STOA_ROUTE_DEVELOPMENT})};
static const struct t_plugin plugins[] = {{"user", &user}, {"toy", &toy}};
static const struct t_shop t_shop = {plugins, 2};

static bool code_is(const char *code)
{
    return stoa_str_is(stoa_json_str(t_answer()->json, "code"), code);
}

static int32_t as(const char *method, const char *path)
{
    return t_visit(&(struct t_visit){.method = method, .path = path});
}

STOA_TEST(a_path_and_a_method_lead_to_a_handler)
{
    cr_assert_eq(t_get("/open"), 200);
    cr_assert_eq(as("HEAD", "/open"), 200);
    cr_assert(t_answer()->req->is_head);
    cr_assert_eq(t_get("/none"), 404);
    cr_assert(code_is("NOT_FOUND"));
    cr_assert(stoa_str_is(t_header("cache-control"), "no-store"));
}

STOA_TEST(a_wrong_method_is_told_which_are_right)
{
    cr_assert_eq(as("DELETE", "/open"), 405);
    cr_assert(stoa_str_is(t_header("allow"), "GET, HEAD, POST"));
    cr_assert_eq(as("TRACE", "/open"), 405);
    cr_assert_eq(as("get", "/form"), 405);
    cr_assert(stoa_str_is(t_header("allow"), "POST"));
    cr_assert_eq(as("TRACE", "/none"), 404);
}

STOA_TEST(what_is_internal_is_not_seen)
{
    cr_assert_eq(t_post("/internal/user/identify", "{}"), 404);
    cr_assert_eq(asked, 0);
}

/* ---- Bodies ---- */

static int32_t send_body(const char *path, const char *type, const char *body)
{
    return t_visit(&(struct t_visit){.method = "POST",
                                     .path = path,
                                     .type = type,
                                     .body = body,
                                     .headers = {"origin", "http://127.0.0.1:8080"}});
}

STOA_TEST(a_body_is_json_where_nothing_else_is_said)
{
    cr_assert_eq(send_body("/open", "application/json; charset=utf-8", "{\"a\":1}"), 200);
    cr_assert_eq(stoa_json_int(t_answer()->json, "json.a", 0), 1);
    cr_assert_eq(send_body("/open", "text/xml", "<a/>"), 415);
    cr_assert_eq(send_body("/open", "application/x-www-form-urlencoded", "a=1"), 415);
    cr_assert_eq(t_visit(&(struct t_visit){.method = "POST",
                                           .path = "/open",
                                           .body = "{}",
                                           .headers = {"content-encoding", "gzip"}}),
                 415);
}

STOA_TEST(a_form_is_taken_where_it_is_declared)
{
    cr_assert_eq(send_body("/form", "application/x-www-form-urlencoded", "a=x+y"), 200);
    cr_assert(stoa_str_is(stoa_json_str(t_answer()->json, "form"), "x y"));
    cr_assert_eq(send_body("/form", "application/json", "{}"), 200);
    cr_assert_eq(send_body("/form", "multipart/form-data; boundary=x", "--x"), 415);
}

STOA_TEST(broken_json_is_told_where)
{
    cr_assert_eq(t_post("/open", "{\n  \"a\": tru"), 400);
    cr_assert_eq(stoa_json_int(t_answer()->json, "line", 0), 2);
    cr_assert(stoa_json_str(t_answer()->json, "reason").len > 0);
}

STOA_TEST(a_body_past_the_routes_limit_is_refused)
{
    char body[66] = {0};

    memset(body, ' ', 65);
    cr_assert_eq(t_post("/open", body), 413);
    cr_assert_eq(stoa_json_int(t_answer()->json, "limit", 0), 64);
    memcpy(body + 62, "{}", 3);
    cr_assert_eq(t_post("/open", body), 200);
}

/* ---- Who ---- */

static int32_t get_as(const char *path, const char *session)
{
    char cookie[64] = "x=1; sid-8080=";

    strncat(cookie, session, 40);
    return t_visit(&(struct t_visit){.method = "GET", .path = path, .headers = {"cookie", cookie}});
}

STOA_TEST(a_session_makes_a_customer)
{
    cr_assert_eq(t_get("/mine"), 401);
    cr_assert_eq(asked, 0);
    cr_assert_eq(get_as("/mine", "good"), 200);
    cr_assert(stoa_str_is(stoa_json_str(t_answer()->json, "user"), "usr_1"));
    cr_assert_eq(get_as("/mine", "bad"), 401);
    cr_assert_eq(get_as("/staff", "good"), 403);
    cr_assert_eq(get_as("/staff", "boss"), 200);
}

STOA_TEST(a_bearer_token_is_a_credential_too)
{
    cr_assert_eq(t_visit(&(struct t_visit){.method = "GET",
                                           .path = "/mine",
                                           .headers = {"authorization", "bearer good"}}),
                 200);
    cr_assert_eq(t_visit(&(struct t_visit){
                     .method = "GET", .path = "/mine", .headers = {"authorization", "Basic good"}}),
                 401);
}

STOA_TEST(the_answer_is_remembered_until_the_session_is_revoked)
{
    get_as("/mine", "good");
    get_as("/mine", "good");
    cr_assert_eq(asked, 1);
    cache_drop(t_world()->resources->cache, STOA_STR("session:ses_1"));
    get_as("/mine", "good");
    cr_assert_eq(asked, 2);
    cache_drop(t_world()->resources->cache, STOA_STR("user:usr_1"));
    get_as("/mine", "good");
    cr_assert_eq(asked, 3);
}

/* Should this process rest for that moment, another session shows it. */
STOA_TEST(what_is_no_session_is_remembered_for_a_moment)
{
    char bad[] = "bad-a";

    for (; asked != 1 && bad[4] <= 'z'; bad[4]++) {
        asked = 0;
        cr_assert_eq(get_as("/open", bad), 200);
        cr_assert_eq(get_as("/mine", bad), 401);
    }
    bad[4]--;
    cr_assert_eq(asked, 1);
    cr_assert_eq(get_as("/mine", "good"), 200);
    cr_assert_eq(asked, 2);
    for (int i = 0; asked == 2 && i < 500; i++) {
        cr_assert_eq(fiber_sleep(10), STOA_OK);
        cr_assert_eq(get_as("/mine", bad), 401);
    }
    cr_assert_eq(asked, 3);
}

STOA_TEST(who_asks_for_a_file_is_not_found_out)
{
    cr_assert_eq(get_as("/file", "good"), 200);
    cr_assert(stoa_str_is(stoa_json_str(t_answer()->json, "user"), ""));
    cr_assert_eq(asked, 0);
}

static int32_t post_as(const char *session)
{
    char cookie[64] = "sid-8080=";

    strncat(cookie, session, 40);
    return t_visit(
        &(struct t_visit){.method = "POST",
                          .path = "/open",
                          .body = "{}",
                          .headers = {"cookie", cookie, "origin", "http://127.0.0.1:8080"}});
}

/* Only what anyone may see is shown to whom nobody can tell. */
STOA_TEST(the_shop_goes_on_for_guests_while_the_user_plugin_is_away)
{
    user_is_away = true;
    cr_assert_eq(get_as("/open", "good"), 200);
    cr_assert(stoa_str_is(stoa_json_str(t_answer()->json, "user"), ""));
    cr_assert(stoa_str_is(t_header("cache-control"), "no-store"));
    cr_assert_eq(t_get("/open"), 200);
    cr_assert_neq(stoa_str_is(t_header("cache-control"), "no-store"), true);
    cr_assert_eq(get_as("/mine", "good"), 503);
    cr_assert(code_is("PLUGIN"));
    cr_assert_eq(get_as("/staff", "boss"), 503);
    cr_assert_eq(get_as("/order", "good"), 503);
    cr_assert_eq(post_as("good"), 503);
    user_is_away = false;
    cr_assert_eq(get_as("/mine", "good"), 200);
}

STOA_TEST(nobody_is_treated_as_a_guest_in_what_may_be_their_own)
{
    user_is_away = true;
    cr_assert_eq(get_as("/account", "good"), 200);
    cr_assert(stoa_str_is(t_header("cache-control"), "no-store"));
    cr_assert_eq(t_header("set-cookie").len, 0);
    cr_assert_eq(get_as("/account?what=redirect", "good"), 503);
    cr_assert_eq(t_header("location").len, 0);
    cr_assert_eq(get_as("/account?what=none", "good"), 503);
    cr_assert_eq(get_as("/account?what=broken", "good"), 422);
    cr_assert_eq(t_get("/account?what=redirect"), 303);
    cr_assert_gt(t_header("set-cookie").len, 0);
}

STOA_TEST(a_user_plugin_that_says_nothing_is_left_alone_for_a_moment)
{
    int64_t before = clock_monotonic_ms();
    uint32_t before_it = 0;

    user_sleeps_ms = 60000;
    cr_assert_eq(get_as("/open", "good"), 200);
    cr_assert_eq(get_as("/open", "good"), 200);
    cr_assert_leq(clock_monotonic_ms() - before, 10000);
    cr_assert_eq(asked, 2);
    for (uint32_t i = 0; i < 10 && asked > before_it; i++) { /* one may come after that moment */
        before_it = asked;
        cr_assert_eq(get_as("/open", "other"), 200);
    }
    cr_assert_eq(asked, before_it);
}

static bool knows(const char *session)
{
    cr_assert_eq(get_as("/open", session), 200);
    return stoa_json_str(t_answer()->json, "user").len > 0;
}

/* A busy moment: the next one is somebody again, not a guest for a second. */
STOA_TEST(one_who_waited_in_vain_keeps_nobody_from_being_asked_about)
{
    user_sleeps_ms = 60000;
    cr_assert(!knows("good"));
    user_sleeps_ms = 0;
    cr_assert(knows("good"));
    user_sleeps_ms = 60000;
    cr_assert(!knows("boss"));
    user_sleeps_ms = 0;
    cr_assert(knows("boss"));
}

STOA_TEST(what_fails_slowly_keeps_nobody_from_being_asked_about)
{
    user_sleeps_ms = 600;
    user_is_away = true;
    cr_assert(!knows("good"));
    cr_assert(!knows("good"));
    user_sleeps_ms = 0;
    user_is_away = false;
    cr_assert(knows("good"));
}

STOA_TEST(a_cookie_from_elsewhere_changes_nothing)
{
    cr_assert_eq(t_visit(&(struct t_visit){
                     .method = "POST",
                     .path = "/open",
                     .body = "{}",
                     .headers = {"cookie", "sid-8080=good", "sec-fetch-site", "cross-site"}}),
                 403);
    cr_assert_eq(asked, 0);
}

/* ---- The host's own ---- */

STOA_TEST(the_host_says_whether_it_lives_and_is_ready)
{
    cr_assert_eq(t_get("/livez"), 200);
    cr_assert_eq(t_get("/readyz"), 503);
    host_routes_set_ready(true);
    cr_assert_eq(t_get("/readyz"), 200);
    cr_assert_eq(t_post("/livez", NULL), 404);
    cr_assert_eq(t_get("/livezz"), 404);
}

STOA_TEST(too_many_requests_are_told_when_to_come_again)
{
    rate_init(1, 1, 1);
    cr_assert_eq(t_get("/open"), 200);
    cr_assert_eq(t_get("/open"), 429);
    cr_assert(stoa_str_is(t_header("retry-after"), "1"));
    cr_assert_eq(t_get("/livez"), 200);
}

STOA_TEST(development_routes_are_not_there_in_production)
{
    cr_assert_eq(t_get("/dev"), 200);
    t_world()->is_development = false;
    cr_assert_eq(t_get("/dev"), 404);
}
