/* theme/locale_money.c: amounts as each language writes them. Whole numbers only.
 * SPDX-License-Identifier: Apache-2.0 */
#include "locale.h"
#include <stdio.h>

#define NBSP "\xC2\xA0"
#define NARROW "\xE2\x80\xAF" /* narrow no-break space */
#define RLM "\xE2\x80\x8F"    /* right-to-left mark: keeps sign and number in order */

struct style {
    const char *language;
    const char *decimal, *group;
    const char *start;   /* before all else */
    const char *between; /* number and currency */
    bool currency_first;
    uint8_t group_least; /* digits before the decimal mark from which groups are made */
};

static const struct style styles[] = {
    {"en", ".", ",", "", "", true, 4},       {"de", ",", ".", "", NBSP, false, 4},
    {"fr", ",", NARROW, "", NBSP, false, 4}, {"es", ",", ".", "", NBSP, false, 5},
    {"it", ",", ".", "", NBSP, false, 4},    {"pt", ",", ".", "", NBSP, false, 4},
    {"nl", ",", ".", "", NBSP, true, 4},     {"pl", ",", NBSP, "", NBSP, false, 5},
    {"cs", ",", NBSP, "", NBSP, false, 4},   {"sv", ",", NBSP, "", NBSP, false, 4},
    {"da", ",", ".", "", NBSP, false, 4},    {"nb", ",", NBSP, "", NBSP, false, 4},
    {"fi", ",", NBSP, "", NBSP, false, 4},   {"ru", ",", NBSP, "", NBSP, false, 4},
    {"uk", ",", NBSP, "", NBSP, false, 4},   {"tr", ",", ".", "", "", true, 4},
    {"ar", ".", ",", RLM, NBSP, false, 4},   {"he", ".", ",", RLM, NBSP, false, 4},
    {"ja", ".", ",", "", "", true, 4},       {"zh", ".", ",", "", "", true, 4},
    {"ko", ".", ",", "", "", true, 4},
};

static const struct {
    const char *code, *symbol;
} symbols[] = {
    {"EUR", "€"},  {"USD", "$"},   {"GBP", "£"},  {"JPY", "¥"},   {"INR", "₹"},  {"KRW", "₩"},
    {"ILS", "₪"},  {"CNY", "CN¥"}, {"BRL", "R$"}, {"CAD", "CA$"}, {"AUD", "A$"}, {"MXN", "MX$"},
    {"PLN", "zł"}, {"CZK", "Kč"},  {"UAH", "₴"},  {"TRY", "₺"},   {"VND", "₫"},
};

static const struct style *style_of(const char *name)
{
    stoa_str language = {name, strcspn(name, "-_")};

    for (uint32_t i = 0; i < sizeof(styles) / sizeof(styles[0]); i++)
        if (stoa_str_is(language, styles[i].language))
            return &styles[i];
    return &styles[0];
}

static const char *symbol_of(const char *code)
{
    for (uint32_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++)
        if (strcmp(symbols[i].code, code) == 0)
            return symbols[i].symbol;
    return code;
}

static void put(char *buf, uint32_t *len, const char *s)
{
    size_t more = strlen(s);
    memcpy(buf + *len, s, more);
    *len += (uint32_t)more;
}

/* Digits with at least exponent + 1 places: "005" for 5 cents. */
static void put_number(char *buf, uint32_t *len, const struct style *style, uint64_t minor,
                       uint32_t exponent)
{
    char digits[24];
    uint32_t count = (uint32_t)snprintf(digits, sizeof(digits), "%0*llu", (int)exponent + 1,
                                        (unsigned long long)minor);
    uint32_t whole = count - exponent;

    for (uint32_t i = 0; i < count; i++) {
        if (i == whole)
            put(buf, len, style->decimal);
        else if (i > 0 && i < whole && whole >= style->group_least && (whole - i) % 3 == 0)
            put(buf, len, style->group);
        buf[(*len)++] = digits[i];
    }
}

uint32_t locale_money(const char *name, stoa_money money, bool with_currency, char *buf)
{
    const struct style *style = style_of(name);
    const char *symbol = symbol_of(money.cur);
    const char *between = style->between;
    uint32_t exponent = (uint32_t)stoa_currency_exponent(money.cur), len = 0;
    uint64_t minor = money.minor < 0 ? 0 - (uint64_t)money.minor : (uint64_t)money.minor;

    if (style->currency_first && symbol == money.cur)
        between = NBSP; /* "CHF 5.00", but "€5.00" */
    if (with_currency)
        put(buf, &len, style->start);
    if (money.minor < 0)
        buf[len++] = '-';
    if (with_currency && style->currency_first) {
        put(buf, &len, symbol);
        put(buf, &len, between);
    }
    put_number(buf, &len, style, minor, exponent);
    if (with_currency && !style->currency_first) {
        put(buf, &len, between);
        put(buf, &len, symbol);
    }
    return len;
}
