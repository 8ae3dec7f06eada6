/* SPDX-License-Identifier: Apache-2.0 */
#include "render.h"

#include <criterion/criterion.h>

static struct stoa_arena *arena;

static void setup(void)
{
    arena = stoa_arena_create();
}
static void teardown(void)
{
    stoa_arena_destroy(arena);
}
TestSuite(render, .init = setup, .fini = teardown);

#define MONEY(amount) "{\"amount\":" amount ",\"currency\":\"EUR\"}"
static const char order_text[] =
    "{\"number\":\"0A3F-9K2M-7QXZ\",\"token\":\"secret&1\",\"line_count\":1,"
    "\"lines\":[{\"name\":\"<script>alert(1)</script>\",\"quantity\":2,\"amount\":" MONEY(
        "4005") "}],"
                "\"adjustments\":[{\"code\":\"x\",\"label\":\"Thanks\",\"amount\":" MONEY(
                    "-5") "}],"
                          "\"shipping\":{\"label\":\"Standard\",\"price\":" MONEY(
                              "490") "},"
                                     "\"tax\":" MONEY("717") ",\"total\":" MONEY(
                                         "4490") ","
                                                 "\"shipping_address\":{\"name\":\"A "
                                                 "\\\"B\\\"\",\"line1\":\"S\",\"country\":\"DE\"}}";
static const struct render_shop shop = {{"Shop & Co", 9}, {"http://127.0.0.1:8080", 21}};

static const struct stoa_json *parse(const char *text)
{
    const struct stoa_json *json;

    cr_assert_eq(stoa_json_parse(arena, stoa_str_of(text), NULL, &json), STOA_OK, "%s", text);
    return json;
}

static bool holds(stoa_str text, const char *part)
{
    return strstr(stoa_cstr(arena, text), part) != NULL;
}

Test(render, prints_amounts_exactly)
{
    struct render_mail mail;

    cr_assert_eq(render_confirmation(arena, &shop, parse(order_text), &mail), STOA_OK);
    cr_expect(holds(mail.text, "40.05 EUR"));
    cr_expect(holds(mail.text, "Thanks: -0.05 EUR"));
    cr_expect(holds(mail.text, "Total: 44.90 EUR"));
    cr_expect(stoa_str_is(mail.subject, "Your order 0A3F-9K2M-7QXZ"));
}

Test(render, escapes_what_people_wrote)
{
    struct render_mail mail;

    cr_assert_eq(render_confirmation(arena, &shop, parse(order_text), &mail), STOA_OK);
    cr_expect_not(holds(mail.html, "<script"));
    cr_expect(holds(mail.html, "&lt;script&gt;alert(1)&lt;/script&gt;"));
    cr_expect(holds(mail.html, "A &quot;B&quot;"));
    cr_expect(holds(mail.html, "<title>Shop &amp; Co</title>"));
}

Test(render, links_to_the_order)
{
    struct render_mail mail;

    cr_assert_eq(render_confirmation(arena, &shop, parse(order_text), &mail), STOA_OK);
    cr_expect(holds(mail.text, "http://127.0.0.1:8080/orders/0A3F-9K2M-7QXZ?token=secret%261\n"));
}

Test(render, counts_lines_that_did_not_fit)
{
    struct render_mail mail;
    const char *text = "{\"number\":\"N\",\"line_count\":100,\"lines\":[],\"tax\":" MONEY(
        "0") ","
             "\"total\":" MONEY("1") "}";

    cr_assert_eq(render_confirmation(arena, &shop, parse(text), &mail), STOA_OK);
    cr_expect(holds(mail.text, "100 products"));
}

Test(render, sends_no_mail_without_its_sums)
{
    struct render_mail mail;

    cr_expect_eq(render_confirmation(arena, &shop, NULL, &mail), STOA_E_INVALID);
    cr_expect_eq(render_confirmation(arena, &shop, parse("{\"number\":\"N\"}"), &mail),
                 STOA_E_INVALID);
    cr_expect_eq(render_confirmation(arena, &shop,
                                     parse("{\"number\":\"N\",\"tax\":" MONEY(
                                         "0") ","
                                              "\"total\":{\"amount\":1.5,\"currency\":\"EUR\"}}"),
                                     &mail),
                 STOA_E_INVALID);
}
