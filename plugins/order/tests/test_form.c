/* SPDX-License-Identifier: Apache-2.0 */
#include "form.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct stoa_arena *arena;

static void setup(void)
{
    arena = stoa_arena_create();
}
static void teardown(void)
{
    stoa_arena_destroy(arena);
}
TestSuite(form, .init = setup, .fini = teardown);

static const char good[] =
    "{\"cart_id\":\"crt_01m8298nf0e928ge2rmx4e6h9k\",\"email\":\" a@example.com \","
    "\"shipping_address\":{\"name\":\"Ada\",\"line1\":\"Street 1\",\"city\":\"Ulm\","
    "\"country\":\"DE\",\"role\":\"admin\"},\"shipping_option\":\"standard\","
    "\"expected_total\":{\"amount\":1999,\"currency\":\"EUR\"},"
    "\"payment\":{\"provider\":\"sandbox\",\"token\":\"tok_ok\"}}";

static const struct stoa_json *parse(const char *text)
{
    const struct stoa_json *json;

    cr_assert_eq(stoa_json_parse(arena, stoa_str_of(text), NULL, &json), STOA_OK, "%s", text);
    return json;
}

/* Whether exactly this field is wrong when the first `from` of the good body reads `to`. */
static bool is_wrong(const char *from, const char *to, const char *field)
{
    const char *at = strstr(good, from);
    char text[4096];
    struct form form;
    struct form_checkout checkout;

    cr_assert_not_null(at, "%s", from);
    snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
    form_init(&form, arena, parse(text));
    form_read_checkout(&form, &checkout);
    return stoa_json_count(form.errors) == 1 &&
           stoa_str_is(stoa_json_str(form.errors, "0.field"), field);
}

Test(form, reads_a_checkout)
{
    struct form form;
    struct form_checkout c;

    form_init(&form, arena, parse(good));
    form_read_checkout(&form, &c);
    cr_assert_null(form.errors);
    cr_expect(stoa_str_is(c.email, "a@example.com"), "trimmed");
    cr_expect_eq(c.expected_total.minor, 1999);
    cr_expect(stoa_str_is(stoa_json_str(c.address, "city"), "Ulm"));
    cr_expect_null(stoa_json_get(c.address, "role"), "only known members are kept");
}

Test(form, names_the_field_that_is_wrong)
{
    cr_expect(
        is_wrong("crt_01m8298nf0e928ge2rmx4e6h9k", "ord_01m8298nf0e928ge2rmx4e6h9k", "cart_id"));
    cr_expect(is_wrong(" a@example.com ", "a@example", "email"));
    cr_expect(is_wrong(" a@example.com ", "john.@example.com", "email"));
    cr_expect(is_wrong(" a@example.com ", "anna@foo_bar.com", "email"));
    cr_expect(is_wrong("\"Ada\"", "7", "shipping_address.name"));
    cr_expect(is_wrong("Ada", "A\\r\\nBcc: x", "shipping_address.name"));
    cr_expect(is_wrong("\"DE\"", "\"de\"", "shipping_address.country"));
    cr_expect(is_wrong("\"DE\"", "\"DEU\"", "shipping_address.country"));
    cr_expect(is_wrong("1999", "19.99", "expected_total"));
    cr_expect(is_wrong("\"tok_ok\"", "\"\"", "payment.token"));
    cr_expect(is_wrong("\"standard\"", "null", "shipping_option"));
}

Test(form, reports_everything_of_an_empty_body)
{
    struct form form;
    struct form_checkout c;

    form_init(&form, arena, NULL);
    form_read_checkout(&form, &c);
    cr_expect_eq(stoa_json_count(form.errors), 7);
}

Test(form, keeps_to_its_limits)
{
    char text[300];
    struct form form;

    snprintf(text, sizeof(text), "{\"a\":\"%0100d\",\"b\":\"%0101d\"}", 0, 0);
    form_init(&form, arena, parse(text));
    cr_expect_eq(form_text(&form, "a", 1, 100).len, 100);
    cr_expect_null(form.errors);
    cr_expect_eq(form_text(&form, "b", 1, 100).len, 0);
    cr_expect_eq(stoa_json_count(form.errors), 1);
}

Test(form, takes_whole_numbers_only)
{
    struct form form;

    form_init(&form, arena, parse("{\"a\":5,\"b\":5.5,\"c\":\"5\",\"d\":100}"));
    cr_expect_eq(form_int(&form, "a", 1, 99), 5);
    cr_expect_null(form.errors);
    form_int(&form, "b", 1, 99);
    form_int(&form, "c", 1, 99);
    form_int(&form, "d", 1, 99);
    form_int(&form, "e", 1, 99);
    cr_expect_eq(stoa_json_count(form.errors), 4);
}

Test(form, knows_codes_of_products)
{
    cr_expect(form_is_sku(STOA_STR("AEG-MUG_1.b")));
    cr_expect_not(form_is_sku(STOA_STR("")));
    cr_expect_not(form_is_sku(STOA_STR("a/b")));
    cr_expect_not(
        form_is_sku(STOA_STR("01234567890123456789012345678901234567890123456789012345678901234")));
}
