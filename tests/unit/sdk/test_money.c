/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stoa/money.h>

static const stoa_money untouched = {.minor = 12345, .cur = "XTS"};

static stoa_money eur(int64_t minor)
{
    return stoa_money_of(minor, "EUR");
}

static void parses(const char *text, int64_t minor, const char *cur)
{
    stoa_money m = untouched;
    struct stoa_arena *arena = stoa_arena_create();

    cr_assert_eq(stoa_money_parse(stoa_str_of(text), &m), STOA_OK, "%s", text);
    cr_assert(stoa_money_eq(m, stoa_money_of(minor, cur)), "%s", text);
    stoa_str again = stoa_money_format(arena, m);
    m = untouched;
    cr_assert_eq(stoa_money_parse(again, &m), STOA_OK);
    cr_assert(stoa_money_eq(m, stoa_money_of(minor, cur)), "%s", text);
    stoa_arena_destroy(arena);
}

static void refuses(const char *text)
{
    stoa_money m = untouched;

    cr_assert_eq(stoa_money_parse(stoa_str_of(text), &m), STOA_E_INVALID, "%s", text);
    cr_assert(stoa_money_eq(m, untouched), "%s", text);
}

Test(money, adds_and_subtracts_in_one_currency)
{
    stoa_money m;

    cr_assert_eq(stoa_money_add(eur(150), eur(-50), &m), STOA_OK);
    cr_assert(stoa_money_eq(m, eur(100)));
    cr_assert_eq(stoa_money_sub(eur(150), eur(200), &m), STOA_OK);
    cr_assert(stoa_money_eq(m, eur(-50)));
    cr_assert_not(stoa_money_eq(eur(1), stoa_money_of(1, "USD")));
}

Test(money, does_not_mix_currencies)
{
    stoa_money m = untouched;

    cr_assert_eq(stoa_money_add(eur(1), stoa_money_of(1, "USD"), &m), STOA_E_CURRENCY);
    cr_assert_eq(stoa_money_sub(eur(1), stoa_money_of(1, "USD"), &m), STOA_E_CURRENCY);
    cr_assert(stoa_money_eq(m, untouched));
}

Test(money, refuses_to_overflow)
{
    stoa_money m = untouched;

    cr_assert_eq(stoa_money_add(eur(INT64_MAX), eur(1), &m), STOA_E_RANGE);
    cr_assert_eq(stoa_money_sub(eur(INT64_MIN), eur(1), &m), STOA_E_RANGE);
    cr_assert_eq(stoa_money_times(eur(INT64_MAX / 2 + 1), 2, &m), STOA_E_RANGE);
    cr_assert_eq(stoa_money_times(eur(INT64_MIN), -1, &m), STOA_E_RANGE);
    cr_assert_eq(stoa_money_share(eur(INT64_MAX), 2, 1, &m), STOA_E_RANGE);
    cr_assert(stoa_money_eq(m, untouched));
}

Test(money, shares_round_half_up_away_from_zero)
{
    static const struct {
        int64_t minor, num, den, share;
    } cases[] = {
        {1999, 19, 100, 380},
        {5, 1, 2, 3},
        {-5, 1, 2, -3},
        {4, 1, 3, 1},
        {-4, 1, 3, -1},
        {50, 1, 100, 1},
        {49, 1, 100, 0},
        {-49, 1, 100, 0},
        {1, 1, 1, 1},
        {3, -1, 2, -2},
        {5, 1, 3, 2},
        {0, 7, 9, 0},
        {INT64_MAX, 3, 3, INT64_MAX},
        {INT64_MIN, INT64_MAX, INT64_MAX, INT64_MIN},
        {1, 1, INT64_MAX, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        stoa_money m = untouched;
        cr_assert_eq(stoa_money_share(eur(cases[i].minor), cases[i].num, cases[i].den, &m),
                     STOA_OK);
        cr_assert_eq(m.minor, cases[i].share, "case %zu: %ld", i, (long)m.minor);
    }
}

Test(money, shares_need_a_positive_divisor, .signal = SIGABRT)
{
    stoa_money m;
    if (stoa_money_share(eur(1), 1, 0, &m) == STOA_OK)
        return;
}

Test(money, reads_and_writes_each_currencys_decimals)
{
    parses("4.50 EUR", 450, "EUR");
    parses("500 JPY", 500, "JPY");
    parses("-1.00 EUR", -100, "EUR");
    parses("0.05 EUR", 5, "EUR");
    parses("-0.05 EUR", -5, "EUR");
    parses("1.234 KWD", 1234, "KWD");
    parses("0.0001 CLF", 1, "CLF");
    parses("4.5 EUR", 450, "EUR");
    parses("4 EUR", 400, "EUR");
    parses("0 JPY", 0, "JPY");
    parses("92233720368547758.07 EUR", INT64_MAX, "EUR");
    parses("-92233720368547758.08 EUR", INT64_MIN, "EUR");
}

Test(money, refuses_what_is_no_amount)
{
    static const char *const texts[] = {
        "",
        "EUR",
        " EUR",
        "4.50",
        "4.50EUR",
        "4.50 eur",
        "4.50  EUR",
        " 4 EUR",
        "4 EUR ",
        "4.505 EUR",
        "1.0 JPY",
        "1. EUR",
        ".5 EUR",
        "+1 EUR",
        "--1 EUR",
        "- 1 EUR",
        "-.5 EUR",
        "1,50 EUR",
        "1e3 EUR",
        "0x1 EUR",
        "01.00 EUR",
        "4.50 ABC",
        "4.50 EURO",
        "4.50.1 EUR",
        "4.5- EUR",
        "1 EUR USD",
        "4.50 \xc3\x84ur",
        "92233720368547758.08 EUR",
        "999999999999999999.99 EUR",
        "9999999999999999999 JPY",
        "999999999999999999 CLF",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        refuses(texts[i]);
}

Test(money, formats_the_extremes)
{
    struct stoa_arena *arena = stoa_arena_create();

    cr_assert(stoa_str_is(stoa_money_format(arena, eur(5)), "0.05 EUR"));
    cr_assert(stoa_str_is(stoa_money_format(arena, eur(-100)), "-1.00 EUR"));
    cr_assert(stoa_str_is(stoa_money_format(arena, eur(INT64_MIN)), "-92233720368547758.08 EUR"));
    cr_assert(stoa_str_is(stoa_money_format(arena, stoa_money_of(0, "JPY")), "0 JPY"));
    stoa_arena_destroy(arena);
}

Test(money, knows_currencies_and_their_exponents)
{
    cr_assert_eq(stoa_currency_exponent("EUR"), 2);
    cr_assert_eq(stoa_currency_exponent("AED"), 2);
    cr_assert_eq(stoa_currency_exponent("JPY"), 0);
    cr_assert_eq(stoa_currency_exponent("KWD"), 3);
    cr_assert_eq(stoa_currency_exponent("UYW"), 4);
    cr_assert_eq(stoa_currency_exponent("QQQ"), 2);
    cr_assert_eq(stoa_currency_exponent(""), 2);
    cr_assert(stoa_currency_is_known(STOA_STR("ZMW")));
    cr_assert_not(stoa_currency_is_known(STOA_STR("EU")));
    cr_assert_not(stoa_currency_is_known(STOA_STR("EURO")));
    cr_assert_not(stoa_currency_is_known(STOA_STR("eur")));
    cr_assert_not(stoa_currency_is_known((stoa_str){NULL, 0}));
}

/* bsearch finds nothing reliably in a table that is out of order. */
Test(money, knows_each_currency_of_the_table)
{
    static const char some[] = "AEDAFNALLAMDBHDBIFCHFCLFCLPCNYCZKDKKEURGBPHUFINRISKJODKRWMXNNOKNZD"
                               "OMRPLNRONRSDSEKTNDTRYUAHUGXUSDUYWUZSVEDVNDXAFXCDXOFXPFXTSYERZARZMW";
    for (uint32_t i = 0; i + 3 < sizeof(some); i += 3)
        cr_assert(stoa_currency_is_known((stoa_str){some + i, 3}), "%.3s", some + i);
}

Test(money, refuses_a_currency_of_two_letters, .signal = SIGABRT)
{
    stoa_money_of(1, "EU");
}
