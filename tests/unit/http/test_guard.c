/* The framing corpus: what a proxy in front and we could read differently is refused.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/guard.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>

#define LINE "GET / HTTP/1.1\r\n"
#define HOST "Host: shop.example\r\n"
#define POST "POST /a HTTP/1.1\r\n" HOST
#define END "\r\n"
#define CASE(verdict, bytes)                                                                       \
    {                                                                                              \
        {"" bytes, sizeof(bytes) - 1}, GUARD_##verdict, #bytes                                     \
    }

static const struct guard_limits limits = {32 << 10, 8 << 10, 100};

struct framing {
    stoa_str raw;
    enum guard_verdict verdict;
    const char *text;
};

static enum guard_verdict check(stoa_str raw)
{
    static struct guard_head head;

    return guard_check(raw, &limits, &head);
}

static void expect_all(const struct framing *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        enum guard_verdict got = check(cases[i].raw);
        cr_expect(eq(int, got, cases[i].verdict), "%s: got \"%s\", want \"%s\"", cases[i].text,
                  guard_text(got), guard_text(cases[i].verdict));
    }
}
#define EXPECT_ALL(cases) expect_all(cases, sizeof(cases) / sizeof(cases[0]))

Test(guard, takes_what_clients_send)
{
    static const struct framing cases[] = {
        CASE(OK, LINE HOST END),
        CASE(OK, "\r\n" LINE HOST END),
        CASE(OK, "GET /a/b;c=d?e=f%20g&h=[1] HTTP/1.1\r\n" HOST END),
        CASE(OK, "get / HTTP/1.1\r\n" HOST END),
        CASE(OK, "M-SEARCH /* HTTP/1.1\r\n" HOST END),
        CASE(OK, "GET / HTTP/1.2\r\n" HOST END),
        CASE(OK, "GET / HTTP/1.0\r\n" END),
        CASE(OK, "GET / HTTP/1.0\r\n" HOST END),
        CASE(OK, "GET // HTTP/1.1\r\n" HOST END),
        CASE(OK, "GET /%2e%2e/%00 HTTP/1.1\r\n" HOST END),
        CASE(OK, LINE "HOST:shop.example:8080" END END),
        CASE(OK, LINE "host: [2001:db8::1]:443" END END),
        CASE(OK, LINE HOST "X:" END END),
        CASE(OK, LINE HOST "X: \t a b \t" END END),
        CASE(OK, LINE HOST "X: caf\xc3\xa9 \xff" END END),
        CASE(OK, LINE HOST "X: one" END "X: two" END END),
        CASE(OK, LINE HOST "Content-Length: 0" END END),
        CASE(OK, POST "Content-Length: 3" END END "abc"),
        CASE(OK, POST "content-length:3 " END END "abc"),
        CASE(OK, POST "Content-Length: 003" END END "abc"),
        CASE(OK, POST "Transfer-Encoding: chunked" END END "0\r\n\r\n"),
        CASE(OK, POST "transfer-encoding: CHUNKED" END END "0\r\n\r\n"),
        CASE(OK, LINE HOST END "GET /second HTTP/1.1\r\n" HOST END),
        CASE(OK, LINE HOST "Upgrade: h2c" END "Connection: Upgrade, HTTP2-Settings" END END),
    };
    EXPECT_ALL(cases);
}

Test(guard, refuses_two_ways_to_find_the_end_of_a_body)
{
    static const struct framing cases[] = {
        CASE(LENGTH_AND_CODING, POST "Content-Length: 3\r\nTransfer-Encoding: chunked" END END),
        CASE(LENGTH_AND_CODING, POST "Transfer-Encoding: chunked\r\nContent-Length: 3" END END),
        CASE(LENGTH_AND_CODING, POST "Transfer-Encoding: x\r\nContent-Length: x" END END),
        CASE(LENGTH_TWICE, POST "Content-Length: 3\r\nContent-Length: 4" END END),
        CASE(LENGTH_TWICE, POST "Content-Length: 3\r\nContent-Length: 3" END END),
        CASE(LENGTH_TWICE, POST "Content-Length: 3\r\nX: y\r\ncontent-length: 4" END END),
        CASE(CODING_TWICE,
             POST "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked" END END),
        CASE(CODING_TWICE, POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked" END END),
        CASE(CODING_OLD, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked" END END),
    };
    EXPECT_ALL(cases);
}

Test(guard, refuses_lengths_that_are_no_number)
{
    static const struct framing cases[] = {
        CASE(LENGTH_BROKEN, POST "Content-Length: +3" END END),
        CASE(LENGTH_BROKEN, POST "Content-Length: -1" END END),
        CASE(LENGTH_BROKEN, POST "Content-Length: 0x3" END END),
        CASE(LENGTH_BROKEN, POST "Content-Length: 3, 3" END END),
        CASE(LENGTH_BROKEN, POST "Content-Length: 3 3" END END),
        CASE(LENGTH_BROKEN, POST "Content-Length:" END END),
        CASE(LENGTH_BROKEN, POST "Content-Length: 3;q=1" END END),
        CASE(LENGTH_BROKEN, POST "Content-Length: 12345678901234567890" END END),
        CASE(LENGTH_BROKEN, POST "Content-Length: \"3\"" END END),
    };
    EXPECT_ALL(cases);
}

Test(guard, refuses_every_coding_but_chunked)
{
    static const struct framing cases[] = {
        CASE(CODING_BROKEN, POST "Transfer-Encoding: gzip, chunked" END END),
        CASE(CODING_BROKEN, POST "Transfer-Encoding: chunked, identity" END END),
        CASE(CODING_BROKEN, POST "Transfer-Encoding: xchunked" END END),
        CASE(CODING_BROKEN, POST "Transfer-Encoding: chunked;a=b" END END),
        CASE(CODING_BROKEN, POST "Transfer-Encoding: \"chunked\"" END END),
        CASE(CODING_BROKEN, POST "Transfer-Encoding:" END END),
        CASE(CODING_BROKEN, POST "Transfer-Encoding: identity" END END),
        CASE(FIELD_VALUE, POST "Transfer-Encoding: \x0b"
                               "chunked" END END),
        CASE(FIELD_NAME, POST "Transfer-Encoding : chunked" END END),
        CASE(FIELD_NAME, POST "Transfer Encoding: chunked" END END),
    };
    EXPECT_ALL(cases);
}

Test(guard, refuses_lines_that_end_otherwise)
{
    static const struct framing cases[] = {
        CASE(LINE_END, "GET / HTTP/1.1\nHost: a\n\n"),
        CASE(LINE_END, LINE "Host: a\n\r\n"),
        CASE(LINE_END, LINE HOST "\n"),
        CASE(LINE_END, LINE HOST "X: a\rY: b" END END),
        CASE(LINE_END, LINE HOST "X: a\r\r\n" END),
        CASE(REQUEST_LINE, "\n" LINE HOST END),
        CASE(REQUEST_LINE, "\r\n\r\n" LINE HOST END),
        CASE(FIELD_FOLDED, LINE HOST "X: a\r\n Content-Length: 3" END END),
        CASE(FIELD_FOLDED, LINE HOST "X: a\r\n\tb" END END),
        CASE(FIELD_FOLDED, LINE " Host: a" END END),
    };
    EXPECT_ALL(cases);
}

Test(guard, refuses_broken_request_lines)
{
    static const struct framing cases[] = {
        CASE(REQUEST_LINE, "GET /\r\n" HOST END),
        CASE(REQUEST_LINE, "GET  / HTTP/1.1\r\n" HOST END),
        CASE(REQUEST_LINE, "GET /  HTTP/1.1\r\n" HOST END),
        CASE(REQUEST_LINE, " GET / HTTP/1.1\r\n" HOST END),
        CASE(REQUEST_LINE, "GET\t/ HTTP/1.1\r\n" HOST END),
        CASE(REQUEST_LINE, "GET / HTTP/1.1 \r\n" HOST END),
        CASE(REQUEST_LINE, "GET / HTTP/1.10\r\n" HOST END),
        CASE(REQUEST_LINE, "GET / HTTP/2.0\r\n" HOST END),
        CASE(REQUEST_LINE, "GET / http/1.1\r\n" HOST END),
        CASE(REQUEST_LINE, "G(T / HTTP/1.1\r\n" HOST END),
        CASE(TARGET_FORM, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        CASE(TARGET_FORM, "OPTIONS * HTTP/1.1\r\n" HOST END),
        CASE(TARGET_FORM, "GET http://shop.example/ HTTP/1.1\r\n" HOST END),
        CASE(TARGET_FORM, "CONNECT shop.example:443 HTTP/1.1\r\n" HOST END),
        CASE(TARGET_FORM, "GET a HTTP/1.1\r\n" HOST END),
        CASE(TARGET_BYTES, "GET /a#b HTTP/1.1\r\n" HOST END),
        CASE(TARGET_BYTES, "GET /caf\xc3\xa9 HTTP/1.1\r\n" HOST END),
        CASE(TARGET_BYTES, "GET /a\x01 HTTP/1.1\r\n" HOST END),
        CASE(TARGET_BYTES, "GET /a\0b HTTP/1.1\r\n" HOST END),
    };
    EXPECT_ALL(cases);
}

Test(guard, refuses_broken_fields)
{
    static const struct framing cases[] = {
        CASE(FIELD_NAME, LINE HOST "X : a" END END),
        CASE(FIELD_NAME, LINE HOST ": a" END END),
        CASE(FIELD_NAME, LINE HOST "X" END END),
        CASE(FIELD_NAME, LINE HOST "X\xc3\xa9: a" END END),
        CASE(FIELD_NAME, LINE HOST "X\0: a" END END),
        CASE(FIELD_VALUE, LINE HOST "X: a\0b" END END),
        CASE(FIELD_VALUE, LINE HOST "X: a\x7f"
                                    "b" END END),
        CASE(FIELD_VALUE, LINE HOST "X: 0123456789abcde\x1f"
                                    "0123456789" END END),
        CASE(FIELD_VALUE, LINE HOST "X: a\x0b" END END),
        CASE(FIELD_VALUE, LINE HOST "X: a\x0c" END END),
    };
    EXPECT_ALL(cases);
}

Test(guard, wants_exactly_one_host)
{
    static const struct framing cases[] = {
        CASE(HOST_MISSING, LINE END),
        CASE(HOST_MISSING, LINE "Hosts: a" END END),
        CASE(HOST_TWICE, LINE HOST HOST END),
        CASE(HOST_TWICE, LINE HOST "host: other" END END),
        CASE(HOST_BROKEN, LINE "Host:" END END),
        CASE(HOST_BROKEN, LINE "Host: a b" END END),
        CASE(HOST_BROKEN, LINE "Host: a/b" END END),
        CASE(HOST_BROKEN, LINE "Host: user@shop.example" END END),
        CASE(HOST_BROKEN, LINE "Host: a\xc3\xa9" END END),
    };
    EXPECT_ALL(cases);
}

Test(guard, finds_no_end_in_any_part_of_a_request)
{
    static const char whole[] = POST "Content-Length: 3" END "X: y z" END END;

    for (size_t len = 0; len < sizeof(whole) - 1; len++)
        cr_expect(eq(int, check((stoa_str){whole, len}), GUARD_INCOMPLETE), "cut at %zu", len);
    cr_expect(eq(int, check((stoa_str){whole, sizeof(whole) - 1}), GUARD_OK));
}

/* "GET /" + length - 1 times 'a' + rest, in malloc's memory so that a checker sees the end. */
static stoa_str long_target(size_t length, const char *rest)
{
    size_t tail = strlen(rest);
    char *text = malloc(4 + length + tail);

    memcpy(text, "GET ", 4);
    memset(text + 4, 'a', length);
    text[4] = '/';
    memcpy(text + 4 + length, rest, tail);
    return (stoa_str){text, 4 + length + tail};
}

Test(guard, has_a_longest_target)
{
    stoa_str longest = long_target(8192, " HTTP/1.1\r\n" HOST END);
    stoa_str longer = long_target(8193, " HTTP/1.1\r\n" HOST END);
    stoa_str endless = long_target(40000, "");

    cr_expect(eq(int, check(longest), GUARD_OK));
    cr_expect(eq(int, check(longer), GUARD_TARGET_LONG));
    cr_expect(eq(int, check(endless), GUARD_TARGET_LONG));
    cr_expect(eq(int, guard_status(GUARD_TARGET_LONG), 414));
    free((char *)longest.ptr);
    free((char *)longer.ptr);
    free((char *)endless.ptr);
}

static stoa_str many_fields(uint32_t count)
{
    static char text[1024];
    uint64_t len = (uint64_t)snprintf(text, sizeof(text), LINE HOST);

    for (uint32_t i = 1; i < count; i++, len += 6)
        memcpy(text + len, "X: y\r\n", 6);
    memcpy(text + len, END, 2);
    return (stoa_str){text, len + 2};
}

Test(guard, has_a_largest_number_of_fields)
{
    cr_expect(eq(int, check(many_fields(100)), GUARD_OK));
    cr_expect(eq(int, check(many_fields(101)), GUARD_FIELDS_MANY));
    cr_expect(eq(int, guard_status(GUARD_FIELDS_MANY), 431));
}

static stoa_str long_field(uint32_t whole)
{
    static const char start[] = LINE HOST "X: ";
    char *text = malloc(whole);

    memset(text, 'y', whole);
    memcpy(text, start, sizeof(start) - 1);
    memcpy(text + whole - 4, "\r\n\r\n", 4);
    return (stoa_str){text, whole};
}

Test(guard, has_a_longest_head)
{
    static struct guard_head head;
    stoa_str longest = long_field(32 << 10), longer = long_field((32 << 10) + 1);

    cr_expect(eq(int, guard_check(longest, &limits, &head), GUARD_OK));
    cr_expect(eq(uint, head.size, 32 << 10));
    cr_expect(eq(int, check(longer), GUARD_HEAD_LONG));
    cr_expect(eq(int, guard_status(GUARD_HEAD_LONG), 431));
    free((char *)longest.ptr);
    free((char *)longer.ptr);
}

static stoa_str part(stoa_str raw, uint32_t at, uint32_t len)
{
    return stoa_str_sub(raw, at, len);
}

Test(guard, says_where_everything_stands)
{
    static const char text[] =
        "PUT /a?b HTTP/1.1\r\nX-One:  1 \t\r\nhost: h:1\r\nEmpty:\r\n\r\nbody";
    stoa_str raw = {text, sizeof(text) - 1};
    static struct guard_head head;

    cr_assert(eq(int, guard_check(raw, &limits, &head), GUARD_OK));
    cr_expect(stoa_str_is(part(raw, head.method_at, head.method_len), "PUT"));
    cr_expect(stoa_str_is(part(raw, head.target_at, head.target_len), "/a?b"));
    cr_expect(eq(uint, head.minor, 1));
    cr_expect(eq(uint, head.field_count, 3));
    cr_expect(eq(int, head.host, 1));
    cr_expect(stoa_str_is(part(raw, head.fields[0].name_at, head.fields[0].name_len), "X-One"));
    cr_expect(stoa_str_is(part(raw, head.fields[0].value_at, head.fields[0].value_len), "1"));
    cr_expect(stoa_str_is(part(raw, head.fields[1].value_at, head.fields[1].value_len), "h:1"));
    cr_expect(eq(uint, head.fields[2].value_len, 0));
    cr_expect(eq(uint, head.size, sizeof(text) - 1 - 4));
}

Test(guard, has_a_status_and_a_text_for_each_verdict)
{
    for (int v = GUARD_OK + 1; v < GUARD_VERDICT_COUNT; v++) {
        cr_expect(guard_status(v) == 400 || guard_status(v) == 414 || guard_status(v) == 431);
        cr_expect(gt(sz, strlen(guard_text(v)), 10));
        cr_expect(zero(ptr, strpbrk(guard_text(v), "\"\\")), "it stands in JSON as it is");
    }
}
