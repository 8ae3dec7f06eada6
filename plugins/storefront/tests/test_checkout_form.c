/* The checkout's form. SPDX-License-Identifier: Apache-2.0 */
#include "../storefront.h"
#include <criterion/criterion.h>

static struct stoa_arena *arena;
static struct form_errors errors;

static void begin(void)
{
    arena = stoa_arena_create();
    form_errors_init(&errors, arena);
}

static void end(void)
{
    stoa_arena_destroy(arena);
}

TestSuite(checkout_form, .init = begin, .fini = end);

static const struct stoa_json *json(const char *text)
{
    const struct stoa_json *ret = NULL;

    cr_assert_eq(stoa_json_parse(arena, stoa_str_of(text), NULL, &ret), STOA_OK);
    return ret;
}

#define WHOLE                                                                                      \
    "\"email\":\" ada@example.com \",\"name\":\"Ada\",\"line1\":\"x "                              \
    "1\",\"postal_code\":\"10115\","                                                               \
    "\"city\":\"Berlin\",\"country\":\"DE\",\"shipping_option\":\"standard\",\"payment\":\"tok_"   \
    "ok\""

Test(checkout_form, misses_nothing_in_a_whole_form)
{
    checkout_check(&errors, json("{" WHOLE "}"));
    cr_assert_eq(stoa_json_count(errors.list), 0);
}

Test(checkout_form, names_each_field_that_is_missing)
{
    checkout_check(&errors, json("{\"city\":\"  \"}"));
    cr_assert_eq(stoa_json_count(errors.list), 8);
    cr_assert(stoa_str_is(stoa_json_str(errors.named, "city"), "Enter your city."));
    cr_assert_eq(stoa_json_str(errors.named, "line2").len, 0);
}

Test(checkout_form, sends_what_was_entered_without_white_space_around)
{
    const struct stoa_json *body = checkout_body(arena, json("{" WHOLE "}"));

    cr_assert(stoa_str_is(stoa_json_str(body, "email"), "ada@example.com"));
    cr_assert(stoa_str_is(stoa_json_str(body, "shipping_address.city"), "Berlin"));
    cr_assert(stoa_str_is(stoa_json_str(body, "payment.token"), "tok_ok"));
    cr_assert_eq(stoa_json_type(stoa_json_get(body, "shipping_address.email")), STOA_JSON_NONE);
}

Test(checkout_form, expects_the_total_that_was_shown_for_the_chosen_option)
{
    int64_t total = -1;

    cr_assert_eq(
        checkout_shown_total(json("{\"shown_base\":\"7000\",\"shown_standard\":\"490\","
                                  "\"shown_express\":\"990\",\"shipping_option\":\"express\"}"),
                             &total),
        STOA_OK);
    cr_assert_eq(total, 7990);
}

Test(checkout_form, does_not_guess_a_total_that_was_not_shown)
{
    static const char *const bad[] = {
        "{}",
        "{\"shown_base\":\"7000\",\"shipping_option\":\"express\"}",
        "{\"shown_base\":\"-1\",\"shown_a\":\"1\",\"shipping_option\":\"a\"}",
        "{\"shown_base\":\"1\",\"shown_a\":\"9223372036854775807\",\"shipping_option\":\"a\"}",
        "{\"shown_base\":\"1\",\"shown_\":\"1\",\"shipping_option\":\"\"}",
        "{\"shown_base\":\"1\",\"shipping_option\":"
        "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
    };
    int64_t total = -1;

    for (uint32_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_neq(checkout_shown_total(json(bad[i]), &total), STOA_OK, "%s", bad[i]);
    cr_assert_eq(total, -1);
}

Test(checkout_form, shows_the_errors_of_the_api_at_its_fields)
{
    form_errors_take(&errors, json("{\"errors\":[{\"field\":\"shipping_address.city\",\"message\":"
                                   "\"is too long\"},{\"field\":\"email\",\"message\":\"No.\"}],"
                                   "\"field\":\"email\",\"detail\":\"twice\"}"));
    cr_assert(stoa_str_is(stoa_json_str(errors.named, "city"), "The city is too long."));
    cr_assert(stoa_str_is(stoa_json_str(errors.named, "email"), "No."));
    cr_assert_eq(stoa_json_count(errors.list), 2);
}
