/* The fixed headers, and what may be a header at all. SPDX-License-Identifier: Apache-2.0 */
#include "http/headers.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>

/* The block as it stands on the wire. */
static char *wire(stoa_str name, stoa_str block)
{
    static char text[2048];

    snprintf(text, sizeof(text), "%.*s: %.*s\r\n", (int)name.len, name.ptr, (int)block.len,
             block.ptr);
    return text;
}

static void expect_line(const char *text, const char *line)
{
    const char *at = strstr(text, line);

    cr_assert(at != NULL, "%s", line);
    cr_expect(at == text || at[-1] == '\n');
    cr_expect(eq(int, strncmp(at + strlen(line), "\r\n", 2), 0), "%s goes on", line);
}

Test(headers, are_all_there_each_on_its_line)
{
    static struct http_fixed_headers fixed; /* as in the server, it lives for ever */

    cr_assert(http_headers_init(NULL, &fixed));
    const char *text = wire(fixed.name, fixed.http);
    expect_line(text, "content-security-policy: default-src 'self'; script-src 'self'; style-src "
                      "'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
                      "form-action 'self'");
    expect_line(text, "x-content-type-options: nosniff");
    expect_line(text, "referrer-policy: same-origin");
    expect_line(text, "cross-origin-opener-policy: same-origin");
    expect_line(text, "cross-origin-resource-policy: same-origin");
    expect_line(text, "permissions-policy: camera=(), geolocation=(), microphone=()");
    expect_line(text, "x-frame-options: DENY");
    cr_expect(zero(ptr, strstr(text, "\r\n\r\n")), "an empty line would end the head");
}

Test(headers, force_https_over_https_only)
{
    static struct http_fixed_headers fixed; /* as in the server, it lives for ever */

    cr_assert(http_headers_init(NULL, &fixed));
    cr_expect(zero(ptr, strstr(wire(fixed.name, fixed.http), "strict-transport-security")));
    expect_line(wire(fixed.name, fixed.https), "strict-transport-security: max-age=31536000");
}

Test(headers, let_forms_go_to_the_payment_provider)
{
    static struct http_fixed_headers fixed; /* as in the server, it lives for ever */

    cr_assert(http_headers_init("https://pay.example https://*.pay.example:8443", &fixed));
    cr_expect(ne(ptr,
                 strstr(wire(fixed.name, fixed.http),
                        "form-action 'self' https://pay.example https://*.pay.example:8443\r\n"),
                 NULL));
}

Test(headers, let_nothing_else_into_the_policy)
{
    static struct http_fixed_headers fixed; /* as in the server, it lives for ever */

    cr_expect(not(http_headers_init("https://a; script-src *", &fixed)));
    cr_expect(not(http_headers_init("https://a, default-src *", &fixed)));
    cr_expect(not(http_headers_init("https://a\r\nset-cookie: a=b", &fixed)));
    cr_expect(not(http_headers_init("https://caf\xc3\xa9", &fixed)));
}

static bool is_fit(const char *name, stoa_str value)
{
    struct request_header header = {stoa_str_of(name), value};

    return http_header_is_fit(&header);
}

Test(headers, hold_no_control_character)
{
    for (int c = 0; c < 256; c++) {
        char bytes[] = {'a', (char)c, 'b'};
        bool want = c == '\t' || (c >= 0x20 && c != 0x7f);
        cr_expect(eq(int, is_fit("x-a", (stoa_str){bytes, 3}), want), "byte %d", c);
    }
    cr_expect(is_fit("x-a", (stoa_str){NULL, 0}));
}

Test(headers, hold_none_wherever_it_stands)
{
    char bytes[20];

    for (uint32_t len = 1; len <= sizeof(bytes); len++)
        for (uint32_t at = 0; at < len; at++) {
            memset(bytes, ' ', sizeof(bytes));
            bytes[at] = at % 2 ? '\n' : 0x7f;
            cr_expect(not(http_header_value_is_fit((stoa_str){bytes, len})), "%u of %u", at, len);
            bytes[at] = at % 2 ? '\t' : (char)0x80;
            cr_expect(http_header_value_is_fit((stoa_str){bytes, len}), "%u of %u", at, len);
        }
}

Test(headers, have_lower_case_names)
{
    cr_expect(is_fit("x-cart-token", STOA_STR("a")));
    cr_expect(is_fit("etag", STOA_STR("a")));
    cr_expect(not(is_fit("", STOA_STR("a"))));
    cr_expect(not(is_fit("X-A", STOA_STR("a"))));
    cr_expect(not(is_fit("x a", STOA_STR("a"))));
    cr_expect(not(is_fit("x:a", STOA_STR("a"))));
    cr_expect(not(is_fit("x\r\na", STOA_STR("a"))));
}

Test(headers, do_not_say_where_a_message_ends)
{
    static const char *const ours[] = {
        "content-length", "transfer-encoding", "connection", "keep-alive",
        "upgrade",        "trailer",           "te",         "date",
        "server"};

    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        cr_expect(not(is_fit(ours[i], STOA_STR("3"))), "%s", ours[i]);
    cr_expect(is_fit("content-language", STOA_STR("en")));
    cr_expect(is_fit("tea", STOA_STR("green")));
}

Test(headers, have_a_reason_for_each_status_of_ours)
{
    for (int err = 1; err < STOA_E_COUNT; err++)
        cr_expect(ne(str, (char *)http_reason(stoa_err_status(err)), (char *)"Status"), "%d",
                  stoa_err_status(err));
    cr_expect(eq(str, (char *)http_reason(299), (char *)"Status"));
}
