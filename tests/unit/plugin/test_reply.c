/* What a handler answers. SPDX-License-Identifier: Apache-2.0 */
#include "plugin/reply.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct stoa_req req;

static void start(void)
{
    req =
        (struct stoa_req){.arena = stoa_arena_create(), .host = STOA_STR("shop:8080"), .id = "r1"};
}

static void end(void)
{
    stoa_arena_destroy(req.arena);
}

TestSuite(reply, .init = start, .fini = end);

static stoa_str header(const char *name)
{
    for (uint32_t i = 0; i < req.reply.header_count; i++)
        if (stoa_str_is(req.reply.headers[i].name, name))
            return req.reply.headers[i].value;
    return (stoa_str){0};
}

static stoa_err put(const char *value)
{
    return stoa_reply_header(&req, "x-a", stoa_str_of(value));
}

Test(reply, a_header_with_a_control_character_is_refused)
{
    cr_assert_eq(put("a\rb"), STOA_E_INVALID);
    cr_assert_eq(put("a\nSet-Cookie: x=1"), STOA_E_INVALID);
    cr_assert_eq(put("a\x7f"), STOA_E_INVALID);
    cr_assert_eq(stoa_reply_header(&req, "x-a", STOA_STR("a\0b")), STOA_E_INVALID);
    cr_assert_eq(req.reply.header_count, 0);
    cr_assert_eq(put("tab\tand gr\xc3\xbcn"), STOA_OK);
    cr_assert_eq(put(""), STOA_OK);
}

Test(reply, a_headers_name_is_lower_case)
{
    static const char *const wrong[] = {"", "X-A", "x a", "x:a", "x\r\n", "x_a"};

    for (uint32_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        cr_assert_eq(stoa_reply_header(&req, wrong[i], STOA_STR("v")), STOA_E_INVALID, "%s",
                     wrong[i]);
}

Test(reply, headers_have_limits)
{
    static char value[4097];
    char name[] = "x-a";

    memset(value, 'v', sizeof(value));
    cr_assert_eq(stoa_reply_header(&req, "x", (stoa_str){value, 4097}), STOA_E_INVALID);
    cr_assert_eq(stoa_reply_header(&req, "x", (stoa_str){value, 4096}), STOA_OK);
    for (uint32_t i = 1; i < REQUEST_REPLY_HEADERS_MAX; i++, name[2]++)
        cr_assert_eq(stoa_reply_header(&req, name, STOA_STR("v")), STOA_OK);
    cr_assert_eq(stoa_reply_header(&req, "x-more", STOA_STR("v")), STOA_E_RANGE);
    cr_assert_eq(stoa_reply_header(&req, "x-a", STOA_STR("again")), STOA_OK);
}

Test(reply, a_header_replaces_the_one_before_but_cookies_add_up)
{
    put("one");
    put("two");
    cr_assert_eq(req.reply.header_count, 1);
    cr_assert(stoa_str_is(header("x-a"), "two"));
    cr_assert_eq(stoa_reply_cookie(&req, "a", STOA_STR("1"), 60), STOA_OK);
    cr_assert_eq(stoa_reply_cookie(&req, "b", STOA_STR("2"), 60), STOA_OK);
    cr_assert_eq(req.reply.header_count, 3);
}

Test(reply, a_cookie_is_for_this_host_and_not_for_scripts)
{
    stoa_reply_cookie(&req, "sid", STOA_STR("abc"), 3600);
    cr_assert(stoa_str_is(header("set-cookie"),
                          "sid-8080=abc; Path=/; HttpOnly; SameSite=Lax; Max-Age=3600"));
    req.is_https = true;
    req.reply.header_count = 0;
    stoa_reply_cookie(&req, "sid", STOA_STR(""), 0);
    cr_assert(stoa_str_is(header("set-cookie"),
                          "__Host-sid=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0; Secure"));
}

Test(reply, a_cookies_value_is_plain)
{
    static const char *const wrong[] = {"a;b", "a b", "a,b", "a\"b", "a\\b", "a\r\n", "\xc3\xa4"};

    for (uint32_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        cr_assert_eq(stoa_reply_cookie(&req, "sid", stoa_str_of(wrong[i]), 1), STOA_E_INVALID);
    cr_assert_eq(req.reply.header_count, 0);
}

Test(reply, a_redirect_is_303_with_a_clean_location)
{
    cr_assert_eq(stoa_reply_redirect(&req, STOA_STR("/cart")), STOA_OK);
    cr_assert_eq(stoa_reply_status(&req), 303);
    cr_assert(stoa_str_is(header("location"), "/cart"));
    cr_assert_eq(stoa_reply_redirect(&req, STOA_STR("/\r\nx: y")), STOA_E_INVALID);
}

Test(reply, a_problem_has_the_shape_of_rfc_9457)
{
    const struct stoa_json *json;

    cr_assert_eq(
        stoa_fail(&req, STOA_E_SOLD_OUT, "two left", STOA_FIELDS(stoa_f("sku", stoa_z("A1")))),
        STOA_E_SOLD_OUT);
    cr_assert(req.reply.is_problem && req.reply.status == 409);
    cr_assert_str_eq(req.reply.type, "application/problem+json");
    request_format_reply(&req);
    cr_assert_eq(stoa_json_parse(req.arena, req.reply.body, NULL, &json), STOA_OK);
    cr_assert(stoa_str_is(stoa_json_str(json, "type"), "about:blank"));
    cr_assert(stoa_str_is(stoa_json_str(json, "title"), "Sold out"));
    cr_assert_eq(stoa_json_int(json, "status", 0), 409);
    cr_assert(stoa_str_is(stoa_json_str(json, "code"), "SOLD_OUT"));
    cr_assert(stoa_str_is(stoa_json_str(json, "detail"), "two left"));
    cr_assert(stoa_str_is(stoa_json_str(json, "instance"), "r1"));
    cr_assert(stoa_str_is(stoa_json_str(json, "sku"), "A1"));
}

Test(reply, a_problem_keeps_the_time_to_come_again_that_the_handler_has_set)
{
    cr_assert_eq(stoa_reply_header(&req, "retry-after", STOA_STR("900")), STOA_OK);
    stoa_fail(&req, STOA_E_RATE, "", STOA_NO_FIELDS);
    cr_assert(stoa_str_is(header("retry-after"), "900"));
    cr_assert_eq(stoa_reply_header(&req, "retry-after", STOA_STR("7")), STOA_OK);
    cr_assert(stoa_str_is(header("retry-after"), "7"));
    cr_assert_eq(req.reply.header_count, 1);
}

Test(reply, a_problem_that_passes_says_when_to_come_again)
{
    stoa_fail(&req, STOA_E_BUSY, "", STOA_NO_FIELDS);
    cr_assert(stoa_str_is(header("retry-after"), "1"));
    cr_assert_null(stoa_json_get(req.reply.json, "detail"));
}

Test(reply, a_later_reply_replaces_an_earlier_one)
{
    stoa_fail(&req, STOA_E_SOLD_OUT, "x", STOA_NO_FIELDS);
    stoa_reply(&req, 200, "text/plain", STOA_STR("fine"));
    request_format_reply(&req);
    cr_assert(!req.reply.is_problem && req.reply.status == 200);
    cr_assert(stoa_str_is(req.reply.body, "fine"));
}

Test(reply, a_body_has_8_mib)
{
    char *large = calloc(1, REQUEST_REPLY_MAX + 1);

    cr_assert_eq(stoa_reply(&req, 200, "text/plain", (stoa_str){large, REQUEST_REPLY_MAX}),
                 STOA_OK);
    cr_assert_eq(stoa_reply(&req, 200, "text/plain", (stoa_str){large, REQUEST_REPLY_MAX + 1}),
                 STOA_E_INTERNAL);
    cr_assert_eq(stoa_reply_status(&req), 500);
    free(large);
}

Test(reply, an_answer_is_passed_on_as_it_came)
{
    struct stoa_answer answer = {.status = 402, .json = stoa_json_object(req.arena)};

    stoa_reply_answer(&req, &answer);
    cr_assert_eq(req.reply.status, 402);
    cr_assert_str_eq(req.reply.type, "application/problem+json");
    stoa_reply_answer(&req, &(struct stoa_answer){.status = 204});
    cr_assert_eq(req.reply.status, 204);
}
