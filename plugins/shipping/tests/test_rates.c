/* SPDX-License-Identifier: Apache-2.0 */
#include "rates.h"

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
TestSuite(rates, .init = setup, .fini = teardown);

static stoa_err read(const char *text, struct rates *ret)
{
    const struct stoa_json *json;

    cr_assert_eq(stoa_json_parse(arena, stoa_str_of(text), NULL, &json), STOA_OK, "%s", text);
    return rates_read(arena, json, ret);
}

Test(rates, has_defaults)
{
    struct rates rates;
    const struct stoa_json *offer;

    cr_assert_eq(rates_read(arena, NULL, &rates), STOA_OK);
    offer = rates_offer(arena, &rates, STOA_STR("DE"), "EUR");
    cr_assert_eq(stoa_json_count(offer), 2);
    cr_expect_eq(stoa_json_int(offer, "0.price.amount", 0), 490);
    cr_expect(stoa_str_is(stoa_json_str(offer, "1.option"), "express"));
    cr_expect_eq(stoa_json_int(offer, "0.eta_days.1", 0), 4);
    cr_expect_eq(stoa_json_count(rates_offer(arena, &rates, STOA_STR("DE"), "JPY")), 0);
}

Test(rates, go_where_they_go)
{
    struct rates rates;

    cr_assert_eq(read("[{\"option\":\"a\",\"label\":\"A\",\"price\":\"4.90 EUR\","
                      "\"countries\":[\"DE\",\"AT\"],\"eta_days\":[1,2]},"
                      "{\"option\":\"b\",\"label\":\"B\","
                      "\"price\":{\"amount\":990,\"currency\":\"EUR\"}}]",
                      &rates),
                 STOA_OK);
    cr_expect_eq(stoa_json_count(rates_offer(arena, &rates, STOA_STR("AT"), "EUR")), 2);
    cr_expect_eq(stoa_json_count(rates_offer(arena, &rates, STOA_STR("FR"), "EUR")), 1);
}

Test(rates, refuse_broken_settings)
{
    static const char *const broken[] = {
        "[{}]",
        "[{\"option\":\"a\",\"label\":\"A\",\"price\":4.9}]",
        "[{\"option\":\"a\",\"label\":\"A\",\"price\":\"-1.00 EUR\"}]",
        "[{\"option\":\"a\",\"label\":\"A\",\"price\":\"1.00 EUR\",\"eta_days\":[4,2]}]",
        "[{\"option\":\"a\",\"label\":\"A\",\"price\":\"1.00 EUR\",\"countries\":\"DE\"}]",
        "{\"a\":1}"};
    struct rates rates;

    for (uint32_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        cr_expect_eq(read(broken[i], &rates), STOA_E_CONFIG, "%s", broken[i]);
}

Test(rates, know_a_country_by_its_form)
{
    cr_expect(rates_is_country(STOA_STR("DE")));
    cr_expect_not(rates_is_country(STOA_STR("de")));
    cr_expect_not(rates_is_country(STOA_STR("")));
    cr_expect_not(rates_is_country(STOA_STR("DEU")));
}
