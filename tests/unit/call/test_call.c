/* One plugin asks another. SPDX-License-Identifier: Apache-2.0 */
#include "call/call.h"

#include "fiber/fiber.h"
#include "testing.h"
#include <criterion/criterion.h>
#include <stdio.h>

static uint32_t deepest;

static stoa_err pass_on(struct stoa_req *req, void *self)
{
    int64_t depth = stoa_json_int(stoa_req_json(req), "depth", 0);
    struct stoa_json *body = stoa_json_object(stoa_req_arena(req));
    struct stoa_answer answer;
    stoa_err err;

    deepest = (uint32_t)depth;
    stoa_json_set_int(body, "depth", depth + 1);
    err = stoa_call_post(req, "deep", STOA_STR("/deeper"), body, &answer);
    if (err != STOA_OK)
        return stoa_reply_fields(req, 200, STOA_FIELDS(stoa_f("said", stoa_z(stoa_err_name(err)))));
    return stoa_reply_answer(req, &answer);
}

static stoa_err echo(struct stoa_req *req, void *self)
{
    return stoa_reply_fields(req, 200,
                             STOA_FIELDS(stoa_f("name", stoa_s(stoa_req_param(req, "name"))),
                                         stoa_f("query", stoa_s(stoa_req_query(req, "q"))),
                                         stoa_f("header", stoa_s(stoa_req_header(req, "x-note"))),
                                         stoa_f("body", stoa_j(stoa_req_json(req))),
                                         stoa_f("client", stoa_s(stoa_req_client(req)))));
}

static stoa_err plain(struct stoa_req *req, void *self)
{
    return stoa_reply(req, 200, "text/plain", STOA_STR("plain words"));
}

static stoa_err broken(struct stoa_req *req, void *self)
{
    return stoa_fail(req, STOA_E_SOLD_OUT, "none left", STOA_FIELDS(stoa_f("sku", stoa_z("A1"))));
}

static stoa_err slow(struct stoa_req *req, void *self)
{
    STOA_TRY(stoa_sleep(req, 5000));
    return stoa_reply_empty(req);
}

static stoa_err silent(struct stoa_req *req, void *self)
{
    return STOA_OK;
}

/* What a test lets the front plugin do. */
static stoa_err (*doing)(struct stoa_req *req);

static stoa_err act(struct stoa_req *req, void *self)
{
    return doing(req);
}

/* ---- Points ---- */

static stoa_err says_one(struct stoa_req *req, void *self)
{
    return stoa_reply_fields(req, 200, STOA_FIELDS(stoa_f("n", stoa_i(1))));
}

static stoa_err says_nothing(struct stoa_req *req, void *self)
{
    return stoa_reply_empty(req);
}

static const struct stoa_plugin_v1 front = {
    .routes = STOA_ROUTES({STOA_POST, 0, "/act", act, .permit = STOA_ANYONE}),
    .provides = STOA_PROVIDES({"good", says_one}, {"weak", broken}, {"strict", says_one})};
static const struct stoa_plugin_v1 deep = {
    .routes =
        STOA_ROUTES({STOA_POST, 0, "/deeper", pass_on, .permit = STOA_INTERNAL},
                    {STOA_POST, 0, "/echo/{name}", echo, .permit = STOA_INTERNAL},
                    {STOA_GET, 0, "/plain", plain, .permit = STOA_ANYONE},
                    {STOA_GET, 0, "/broken", broken, .permit = STOA_ANYONE},
                    {STOA_GET, 0, "/slow", slow, .permit = STOA_ANYONE},
                    {STOA_GET, 0, "/silent", silent, .permit = STOA_ANYONE},
                    {STOA_GET, 0, "/staff", plain, .permit = STOA_STAFF, .permission = "a:b"}),
    .provides = STOA_PROVIDES({"good", says_nothing}, {"weak", says_one},
                              {"strict", broken, .required = true})};
static const struct t_plugin plugins[] = {{"front", &front}, {"deep", &deep}};
static const struct t_shop t_shop = {plugins, 2};
static const struct t_shop wired = {plugins, 2, .port = "loopback"};

#define BOTH_PORTS(name)                                                                           \
    static stoa_err name(struct stoa_req *req);                                                    \
    static void run_##name(void)                                                                   \
    {                                                                                              \
        doing = name;                                                                              \
        cr_assert_eq(t_post("/act", "{}"), 204);                                                   \
    }                                                                                              \
    Test(local, name)                                                                              \
    {                                                                                              \
        t_run(&t_shop, run_##name);                                                                \
    }                                                                                              \
    Test(loopback, name)                                                                           \
    {                                                                                              \
        t_run(&wired, run_##name);                                                                 \
    }                                                                                              \
    static stoa_err name(struct stoa_req *req)

BOTH_PORTS(a_call_carries_path_query_headers_and_body)
{
    struct stoa_answer answer;
    struct stoa_call call = {.plugin = "deep",
                             .method = STOA_POST,
                             .path = STOA_STR("/echo/mug?q=a%20b"),
                             .body = stoa_json_new_int(stoa_req_arena(req), 7),
                             .headers = STOA_FIELDS(stoa_f("x-note", stoa_z("hi")))};

    cr_expect_eq(stoa_call(req, &call, &answer), STOA_OK);
    cr_expect_eq(answer.status, 200);
    cr_expect(stoa_str_is(stoa_json_str(answer.json, "name"), "mug"));
    cr_expect(stoa_str_is(stoa_json_str(answer.json, "query"), "a b"));
    cr_expect(stoa_str_is(stoa_json_str(answer.json, "header"), "hi"));
    cr_expect_eq(stoa_json_int(answer.json, "body", 0), 7);
    cr_expect(stoa_str_is(stoa_json_str(answer.json, "client"), "192.0.2.1"));
    return stoa_reply_empty(req);
}

BOTH_PORTS(an_answer_that_is_no_json_is_bytes)
{
    struct stoa_answer answer;

    cr_expect_eq(stoa_call_get(req, "deep", STOA_STR("/plain"), &answer), STOA_OK);
    cr_expect_null(answer.json);
    cr_expect(stoa_str_is(answer.body, "plain words"));
    return stoa_reply_empty(req);
}

BOTH_PORTS(a_problem_is_an_answer)
{
    struct stoa_answer answer;

    cr_expect_eq(stoa_call_get(req, "deep", STOA_STR("/broken"), &answer), STOA_OK);
    cr_expect_eq(answer.status, 409);
    cr_expect(stoa_str_is(stoa_json_str(answer.json, "code"), "SOLD_OUT"));
    cr_expect(stoa_str_is(stoa_json_str(answer.json, "sku"), "A1"));
    cr_expect_eq(stoa_call_get(req, "deep", STOA_STR("/silent"), &answer), STOA_OK);
    cr_expect_eq(answer.status, 500);
    return stoa_reply_empty(req);
}

BOTH_PORTS(what_is_not_there_or_not_allowed_is_no_answer)
{
    struct stoa_answer answer;

    cr_expect_eq(stoa_call_get(req, "deep", STOA_STR("/none"), &answer), STOA_E_PLUGIN);
    cr_expect_eq(stoa_call_get(req, "front", STOA_STR("/plain"), &answer), STOA_E_PLUGIN);
    cr_expect_eq(stoa_call_get(req, "nobody", STOA_STR("/plain"), &answer), STOA_E_PLUGIN);
    cr_expect_eq(stoa_call_get(req, "deep", STOA_STR(""), &answer), STOA_E_PLUGIN);
    cr_expect_eq(stoa_call_get(req, "deep", STOA_STR("/staff"), &answer), STOA_E_FORBIDDEN);
    return stoa_reply_empty(req);
}

BOTH_PORTS(calls_go_eight_deep)
{
    struct stoa_answer answer;

    deepest = 0;
    cr_expect_eq(stoa_call_post(req, "deep", STOA_STR("/deeper"),
                                stoa_json_object(stoa_req_arena(req)), &answer),
                 STOA_OK);
    cr_expect(stoa_str_is(stoa_json_str(answer.json, "said"), "DEPTH"));
    cr_expect_eq(deepest, REQUEST_DEPTH_MAX - 1);
    return stoa_reply_empty(req);
}

BOTH_PORTS(a_call_with_less_time_than_its_caller_ends_alone)
{
    struct stoa_answer answer;
    struct stoa_call call = {
        .plugin = "deep", .method = STOA_GET, .path = STOA_STR("/slow"), .timeout_ms = 20};

    cr_expect_eq(stoa_call(req, &call, &answer), STOA_E_TIMEOUT);
    cr_expect_gt(stoa_time_left(req), 5000);
    cr_expect_eq(stoa_sleep(req, 1), STOA_OK);
    return stoa_reply_empty(req);
}

BOTH_PORTS(a_point_collects_who_has_something_to_say)
{
    const struct stoa_json *answers;

    cr_expect_eq(stoa_collect(req, "good", stoa_json_object(stoa_req_arena(req)), &answers),
                 STOA_OK);
    cr_expect_eq(stoa_json_count(answers), 1);
    cr_expect(stoa_str_is(stoa_json_str(answers, "0.plugin"), "front"));
    cr_expect_eq(stoa_json_int(answers, "0.answer.n", 0), 1);
    cr_expect_eq(stoa_collect(req, "nobody.provides", NULL, &answers), STOA_OK);
    cr_expect_eq(stoa_json_count(answers), 0);
    return stoa_reply_empty(req);
}

BOTH_PORTS(an_optional_provider_that_fails_is_left_out)
{
    const struct stoa_json *answers;

    cr_expect_eq(stoa_collect(req, "weak", NULL, &answers), STOA_OK);
    cr_expect_eq(stoa_json_count(answers), 1);
    cr_expect(stoa_str_is(stoa_json_str(answers, "0.plugin"), "deep"));
    return stoa_reply_empty(req);
}

BOTH_PORTS(a_required_provider_that_fails_fails_the_whole)
{
    const struct stoa_json *answers = NULL;

    cr_expect_eq(stoa_collect(req, "strict", NULL, &answers), STOA_E_SOLD_OUT);
    cr_expect_null(answers);
    return stoa_reply_empty(req);
}
