/* Whose calls are taken. SPDX-License-Identifier: Apache-2.0 */
#include "call/sign.h"

#include "base/clock.h"
#include <criterion/criterion.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>

#define KEY "0123456789abcdef0123456789abcdef"
#define OTHER "another key of thirty-two bytes!"

static const struct sign_keys KEYS = {{KEY, 32}, {NULL, 0}};
static const stoa_str BODY = {"identity: customer 7", 20};

static struct sign_claim claim(uint64_t connection, uint64_t number)
{
    return (struct sign_claim){clock_utc_ms(), connection, number, STOA_STR("gate"),
                               STOA_STR("order")};
}

static enum sign_verdict check(const char *text, stoa_str body)
{
    struct sign_claim got;

    return sign_check(&KEYS, stoa_str_of(text), body, STOA_STR("order"), &got);
}

static const char *made(struct sign_claim c)
{
    static char text[SIGN_TEXT_MAX];

    sign_make(&KEYS, &c, BODY, text);
    return text;
}

Test(sign, takes_what_it_made_and_says_who_it_was)
{
    char text[SIGN_TEXT_MAX];
    struct sign_claim c = claim(1, 1), got;

    sign_make(&KEYS, &c, BODY, text);
    cr_assert_eq(sign_check(&KEYS, stoa_str_of(text), BODY, STOA_STR("order"), &got), SIGN_OK);
    cr_assert(stoa_str_is(got.from, "gate"));
}

static void hex(const unsigned char *bytes, size_t len, char *ret)
{
    for (size_t i = 0; i < len; i++)
        sprintf(ret + 2 * i, "%02x", bytes[i]);
}

/* The line as sign.h describes it, by OpenSSL's own HMAC: nodes of other versions make it so. */
static void by_openssl(stoa_str key, const struct sign_claim *c, char ret[SIGN_TEXT_MAX])
{
    unsigned char bytes[32];
    char line[512];
    int len = sprintf(line, "v1 %lld %016llx %llu %.*s %.*s ", (long long)c->time_ms,
                      (unsigned long long)c->connection, (unsigned long long)c->number,
                      (int)c->from.len, c->from.ptr, (int)c->to.len, c->to.ptr);

    memcpy(ret, line, (size_t)len);
    SHA256((const unsigned char *)BODY.ptr, BODY.len, bytes);
    hex(bytes, 32, line + len);
    HMAC(EVP_sha256(), key.ptr, (int)key.len, (unsigned char *)line, (size_t)len + 64, bytes, NULL);
    hex(bytes, 32, ret + len);
}

Test(sign, signs_as_it_is_described_with_keys_of_any_length)
{
    const struct sign_claim claims[] = {
        {1, 1, 1, STOA_STR("a"), STOA_STR("b")},
        {1763884800000, 0x0123456789abcdef, INT64_MAX, STOA_STR("gate"), STOA_STR("order")},
        {INT64_MAX, UINT64_MAX, 10, STOA_STR("a-name-of-thirty-one-bytes-here"),
         STOA_STR("another-of-thirty-one-bytes-too")}};
    const uint64_t lengths[] = {32, 63, 64, 65, 127, 128, 129, 200, 32};
    char bytes[200], made_here[SIGN_TEXT_MAX], expected[SIGN_TEXT_MAX];

    for (uint32_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7 + 1);
    for (uint32_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++)
        for (uint32_t c = 0; c < sizeof claims / sizeof claims[0]; c++) {
            struct sign_keys keys = {{bytes, lengths[k]}, {NULL, 0}};
            sign_make(&keys, &claims[c], BODY, made_here);
            by_openssl(keys.own, &claims[c], expected);
            cr_expect_str_eq(made_here, expected, "%llu bytes", (unsigned long long)lengths[k]);
        }
}

Test(sign, refuses_a_call_that_came_before)
{
    struct sign_claim c = claim(2, 7);

    cr_assert_eq(check(made(c), BODY), SIGN_OK);
    cr_assert_eq(check(made(c), BODY), SIGN_REPLAYED);
    cr_assert_eq(check(made(claim(2, 6)), BODY), SIGN_REPLAYED, "an earlier one of the connection");
    cr_assert_eq(check(made(claim(2, 8)), BODY), SIGN_OK);
    cr_assert_eq(check(made(claim(3, 7)), BODY), SIGN_OK);
}

Test(sign, refuses_another_body)
{
    cr_assert_eq(check(made(claim(4, 1)), STOA_STR("identity: staff 1   ")), SIGN_FORGED);
}

Test(sign, refuses_every_changed_byte)
{
    char text[SIGN_TEXT_MAX];
    size_t len;

    snprintf(text, sizeof text, "%s", made(claim(5, 1)));
    len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        text[i] ^= 1;
        cr_expect_neq(check(text, BODY), SIGN_OK, "byte %zu", i);
        text[i] ^= 1;
    }
    for (size_t i = 0; i < len; i++)
        cr_expect_eq(sign_check(&KEYS, (stoa_str){text, i}, BODY, STOA_STR("order"),
                                &(struct sign_claim){0}),
                     SIGN_BROKEN, "cut at %zu", i);
    cr_assert_eq(check(text, BODY), SIGN_OK);
}

Test(sign, refuses_what_is_half_a_minute_off)
{
    struct sign_claim c = claim(6, 1);

    c.time_ms -= SIGN_SKEW_MS + 1000;
    cr_assert_eq(check(made(c), BODY), SIGN_STALE);
    c.time_ms += 2 * (SIGN_SKEW_MS + 1000);
    cr_assert_eq(check(made(c), BODY), SIGN_STALE);
}

Test(sign, refuses_what_is_for_another_node)
{
    struct sign_claim got;

    cr_assert_eq(sign_check(&KEYS, stoa_str_of(made(claim(7, 1))), BODY, STOA_STR("user"), &got),
                 SIGN_OTHER_NODE);
}

Test(sign, takes_two_keys_while_they_are_changed)
{
    const struct sign_keys old = {{KEY, 32}, {NULL, 0}}, both = {{OTHER, 32}, {KEY, 32}},
                           fresh = {{OTHER, 32}, {NULL, 0}}, none = {{NULL, 0}, {NULL, 0}};
    char text[SIGN_TEXT_MAX];
    struct sign_claim c = claim(8, 1), got;

    sign_make(&old, &c, BODY, text);
    cr_assert_eq(sign_check(&fresh, stoa_str_of(text), BODY, STOA_STR("order"), &got), SIGN_FORGED);
    cr_assert_eq(sign_check(&none, stoa_str_of(text), BODY, STOA_STR("order"), &got), SIGN_FORGED);
    cr_assert_eq(sign_check(&both, stoa_str_of(text), BODY, STOA_STR("order"), &got), SIGN_OK);
}

/* Eight names that share a place: a ninth waits until one is a minute old, rather than to let it
 * be repeated. */
Test(sign, refuses_rather_than_to_forget)
{
    for (uint64_t i = 0; i < 8; i++)
        cr_assert_eq(check(made(claim(9000 + i * SIGN_SEEN, 1)), BODY), SIGN_OK);
    cr_assert_eq(check(made(claim(9000 + 8 * (uint64_t)SIGN_SEEN, 1)), BODY), SIGN_REPLAYED);
}

/* ---- Replies ---- */

#define REPLY STOA_STR("stock: 7")

Test(sign, takes_a_reply_to_the_call_that_was_made)
{
    const struct sign_keys changed = {STOA_STR(OTHER), STOA_STR(KEY)},
                           foreign = {STOA_STR(OTHER), {NULL, 0}};
    char call[SIGN_TEXT_MAX], other[SIGN_TEXT_MAX], reply[SIGN_REPLY_MAX];
    struct sign_claim one = claim(40, 1), two = claim(40, 2);

    sign_make(&KEYS, &one, BODY, call);
    sign_make(&KEYS, &two, BODY, other);
    sign_reply(&KEYS, stoa_str_of(call), REPLY, reply);
    cr_assert(sign_is_reply(&KEYS, stoa_str_of(call), REPLY, stoa_str_of(reply)));
    cr_assert(sign_is_reply(&changed, stoa_str_of(call), REPLY, stoa_str_of(reply)));
    cr_assert_not(sign_is_reply(&foreign, stoa_str_of(call), REPLY, stoa_str_of(reply)));
    cr_assert_not(sign_is_reply(&KEYS, stoa_str_of(other), REPLY, stoa_str_of(reply)),
                  "the reply to another call");
    cr_assert_not(
        sign_is_reply(&KEYS, stoa_str_of(call), STOA_STR("stock: 8"), stoa_str_of(reply)));
    cr_assert_not(sign_is_reply(&KEYS, stoa_str_of(call), REPLY, STOA_STR("")));
    for (size_t i = 0; i + 1 < sizeof reply; i++) {
        reply[i] = reply[i] == '0' ? '1' : '0';
        cr_assert_not(sign_is_reply(&KEYS, stoa_str_of(call), REPLY, stoa_str_of(reply)));
        sign_reply(&KEYS, stoa_str_of(call), REPLY, reply);
    }
}
