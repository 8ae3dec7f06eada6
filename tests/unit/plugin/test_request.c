/* What a handler reads. SPDX-License-Identifier: Apache-2.0 */
#include "plugin/reply.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stoa/effects.h>

static struct request_header headers[4];
static struct stoa_req req;

static void start(void)
{
    req = (struct stoa_req){
        .arena = stoa_arena_create(), .headers = headers, .host = STOA_STR("shop:8080")};
}

static void end(void)
{
    stoa_arena_destroy(req.arena);
}

TestSuite(request, .init = start, .fini = end);

static void set_header(const char *name, const char *value)
{
    headers[0] = (struct request_header){stoa_str_of(name), stoa_str_of(value)};
    req.header_count = 1;
}

static const char *text(stoa_str s)
{
    return s.ptr ? stoa_cstr(req.arena, s) : "(none)";
}

static const char *query(const char *raw, const char *name)
{
    req.query = stoa_str_of(raw);
    return text(stoa_req_query(&req, name));
}

Test(request, reads_the_first_value_of_a_query)
{
    cr_assert_str_eq(query("a=1&b=2&a=3", "a"), "1");
    cr_assert_str_eq(query("a=1&b=2", "b"), "2");
    cr_assert_str_eq(query("aa=1&a", "a"), "");
    cr_assert_str_eq(query("a=", "a"), "");
    cr_assert_str_eq(query("&&a=b=c&", "a"), "b=c");
    cr_assert_str_eq(query("q=gr%C3%BCn+tea%2B", "q"), "gr\xc3\xbcn tea+");
}

Test(request, a_query_that_is_not_there_or_broken_is_none)
{
    cr_assert_str_eq(query("", "a"), "(none)");
    cr_assert_str_eq(query("A=1", "a"), "(none)");
    cr_assert_str_eq(query("ab=1", "a"), "(none)");
    cr_assert_str_eq(query("a=%", "a"), "(none)");
    cr_assert_str_eq(query("a=%00", "a"), "(none)");
    cr_assert_str_eq(query("a=%ff", "a"), "(none)");
}

static const char *form(const char *body, const char *name)
{
    req.body = stoa_str_of(body);
    req.form = NULL;
    return text(stoa_req_form(&req, name));
}

Test(request, reads_a_form)
{
    cr_assert_str_eq(form("name=Ann+B%C3%B6hm&x=", "name"), "Ann B\xc3\xb6hm");
    cr_assert_str_eq(form("name=Ann&x=", "x"), "");
    cr_assert_str_eq(form("name=Ann", "y"), "(none)");
    cr_assert_str_eq(form("na%6De=Ann", "name"), "Ann");
    cr_assert_str_eq(form("a=1&a=2", "a"), "2");
    cr_assert_str_eq(form("=1&bad=%zz&ok=1", "ok"), "1");
    cr_assert_str_eq(form("bad=%zz", "bad"), "(none)");
    cr_assert_str_eq(form("", "a"), "(none)");
}

Test(request, a_form_has_200_fields)
{
    static char body[4096];
    uint32_t len = 0;

    for (uint32_t i = 0; i < 250; i++)
        len += (uint32_t)snprintf(body + len, sizeof(body) - len, "f%u=%u&", i, i);
    cr_assert_str_eq(form(body, "f199"), "199");
    cr_assert_str_eq(form(body, "f200"), "(none)");
    cr_assert_eq(stoa_json_count(stoa_req_form_json(&req)), 200);
}

/* ---- Cookies ---- */

static const char *cookie_name(const char *host, bool https)
{
    req.host = stoa_str_of(host);
    req.is_https = https;
    return text(request_cookie_name(&req, "sid"));
}

Test(request, a_cookie_is_named_after_the_port)
{
    cr_assert_str_eq(cookie_name("127.0.0.1:8080", false), "sid-8080");
    cr_assert_str_eq(cookie_name("shop.example", false), "sid-80");
    cr_assert_str_eq(cookie_name("[::1]:8080", false), "sid-8080");
    cr_assert_str_eq(cookie_name("[::1]", false), "sid-80");
    cr_assert_str_eq(cookie_name("", false), "sid-80");
    cr_assert_str_eq(cookie_name("8080", false), "sid-80");
    cr_assert_str_eq(cookie_name("shop:", false), "sid-80");
    cr_assert_str_eq(cookie_name("shop:8080; Path=/x", false), "sid-80");
    cr_assert_str_eq(cookie_name("shop:123456", false), "sid-80");
}

Test(request, over_https_a_cookie_belongs_to_the_host)
{
    cr_assert_str_eq(cookie_name("127.0.0.1:8443", true), "__Host-sid");
}

static const char *cookie(const char *header)
{
    set_header("cookie", header);
    return text(stoa_req_cookie(&req, "sid"));
}

Test(request, finds_its_cookie_among_others)
{
    cr_assert_str_eq(cookie("sid-8080=abc"), "abc");
    cr_assert_str_eq(cookie("a=1; sid-8080=abc; b=2"), "abc");
    cr_assert_str_eq(cookie("a=1;sid-8080=abc"), "abc");
    cr_assert_str_eq(cookie("sid-8080="), "");
    cr_assert_str_eq(cookie("sid-8080"), "");
    cr_assert_str_eq(cookie("sid-8080=a=b"), "a=b");
    cr_assert_str_eq(cookie("sid-8081=abc; sid=abc; xsid-8080=abc; Sid-8080=abc"), "(none)");
    cr_assert_str_eq(cookie(";;; ;"), "(none)");
    req.header_count = 0;
    cr_assert_str_eq(text(stoa_req_cookie(&req, "sid")), "(none)");
}

Test(request, over_https_a_plain_cookie_is_not_believed)
{
    req.is_https = true;
    cr_assert_str_eq(cookie("sid=planted; sid-8080=planted; __Host-sid=own"), "own");
    cr_assert_str_eq(cookie("sid=planted; sid-8080=planted"), "(none)");
}

Test(request, headers_are_found_by_their_lower_case_name)
{
    set_header("x-note", "hi");
    cr_assert_str_eq(text(stoa_req_header(&req, "x-note")), "hi");
    cr_assert_str_eq(text(stoa_req_header(&req, "x-not")), "(none)");
}

Test(request, no_time_is_left_after_the_deadline)
{
    req.deadline_ms = 1;
    cr_assert_eq(stoa_time_left(&req), 0);
}
