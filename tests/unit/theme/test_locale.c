/* How languages write money and count. SPDX-License-Identifier: Apache-2.0 */
#include "theme/locale.h"
#include <criterion/criterion.h>

#define NBSP "\xC2\xA0"
#define RLM "\xE2\x80\x8F"

static void expect_money(const char *locale, int64_t minor, const char *currency,
                         const char *wanted)
{
    char buf[97];
    uint32_t len = locale_money(locale, stoa_money_of(minor, currency), true, buf);

    cr_assert_leq(len, 96u);
    buf[len] = 0;
    cr_expect_str_eq(buf, wanted, "%s: [%s], not [%s]", locale, buf, wanted);
}

Test(locale, writes_money_as_the_language_does)
{
    expect_money("en", 1999, "EUR", "€19.99");
    expect_money("de", 1999, "EUR", "19,99" NBSP "€");
    expect_money("de-CH", 100000000, "EUR", "1.000.000,00" NBSP "€");
    expect_money("ar", 1999, "EUR", RLM "19.99" NBSP "€");
    expect_money("fr", 123456, "EUR",
                 "1\xE2\x80\xAF"
                 "234,56" NBSP "€");
    expect_money("es", 123456, "EUR", "1234,56" NBSP "€");
    expect_money("es", 1234567, "EUR", "12.345,67" NBSP "€");
    expect_money("nl", 500, "EUR", "€" NBSP "5,00");
    expect_money("en", 500, "JPY", "¥500");
    expect_money("en", 1234567, "JPY", "¥1,234,567");
    expect_money("en", 1500, "KWD", "KWD" NBSP "1.500");
    expect_money("en", 500, "CHF", "CHF" NBSP "5.00");
    expect_money("zz", 5, "USD", "$0.05");
    expect_money("en", -5, "USD", "-$0.05");
    expect_money("de", -123456, "EUR", "-1.234,56" NBSP "€");
    expect_money("en", INT64_MIN, "USD", "-$92,233,720,368,547,758.08");
    expect_money("pl", INT64_MIN, "PLN",
                 "-92" NBSP "233" NBSP "720" NBSP "368" NBSP "547" NBSP "758,08" NBSP "zł");
}

Test(locale, picks_plural_forms)
{
    static const struct {
        const char *locale;
        int64_t n;
        const char *form;
    } cases[] = {
        {"en", 0, "other"},   {"en", 1, "one"},           {"en", 2, "other"}, {"de-AT", 1, "one"},
        {"fr", 0, "one"},     {"fr", 2, "other"},         {"ja", 1, "other"}, {"ar", 0, "zero"},
        {"ar", 1, "one"},     {"ar", 2, "two"},           {"ar", 3, "few"},   {"ar", 11, "many"},
        {"ar", 100, "other"}, {"ru", 1, "one"},           {"ru", 11, "many"}, {"ru", 22, "few"},
        {"pl", 21, "many"},   {"pl", 3, "few"},           {"cs", 3, "few"},   {"cs", 5, "other"},
        {"en", -1, "one"},    {"en", INT64_MIN, "other"}, {"", 1, "one"},
    };
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_expect_str_eq(locale_plural(cases[i].locale, cases[i].n), cases[i].form, "%s %lld",
                         cases[i].locale, (long long)cases[i].n);
}

Test(locale, knows_what_is_written_from_the_right)
{
    cr_expect(locale_is_rtl("ar") && locale_is_rtl("he-IL"));
    cr_expect(!locale_is_rtl("en") && !locale_is_rtl("") && !locale_is_rtl("area"));
}
