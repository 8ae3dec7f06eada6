/* money.c: exact amounts. Nothing here ever sees a float. SPDX-License-Identifier: Apache-2.0 */
#include "number.h"
#include <stdlib.h>
#include <stoa/money.h>

/* ISO 4217's currencies in use, sorted, each with its exponent; XTS is the code for tests. */
static const char currencies[] =
    "AED2AFN2ALL2AMD2ANG2AOA2ARS2AUD2AWG2AZN2BAM2BBD2BDT2BGN2BHD3BIF0BMD2BND2BOB2BRL2BSD2BTN2BWP2"
    "BYN2BZD2CAD2CDF2CHF2CLF4CLP0CNY2COP2CRC2CUP2CVE2CZK2DJF0DKK2DOP2DZD2EGP2ERN2ETB2EUR2FJD2FKP2"
    "GBP2GEL2GHS2GIP2GMD2GNF0GTQ2GYD2HKD2HNL2HTG2HUF2IDR2ILS2INR2IQD3IRR2ISK0JMD2JOD3JPY0KES2KGS2"
    "KHR2KMF0KPW2KRW0KWD3KYD2KZT2LAK2LBP2LKR2LRD2LSL2LYD3MAD2MDL2MGA2MKD2MMK2MNT2MOP2MRU2MUR2MVR2"
    "MWK2MXN2MYR2MZN2NAD2NGN2NIO2NOK2NPR2NZD2OMR3PAB2PEN2PGK2PHP2PKR2PLN2PYG0QAR2RON2RSD2RUB2RWF0"
    "SAR2SBD2SCR2SDG2SEK2SGD2SHP2SLE2SOS2SRD2SSP2STN2SVC2SYP2SZL2THB2TJS2TMT2TND3TOP2TRY2TTD2TWD2"
    "TZS2UAH2UGX0USD2UYU2UYW4UZS2VED2VES2VND0VUV0WST2XAF0XCD2XOF0XPF0XTS2YER2ZAR2ZMW2";

static int compare_code(const void *code, const void *row)
{
    return memcmp(code, row, 3);
}

/* code: three bytes. NULL when unknown. */
static const char *find_currency(const char *code)
{
    return bsearch(code, currencies, (sizeof(currencies) - 1) / 4, 4, compare_code);
}

static bool is_code(stoa_str cur)
{
    if (cur.len != 3)
        return false;
    for (uint32_t i = 0; i < 3; i++)
        if (cur.ptr[i] < 'A' || cur.ptr[i] > 'Z')
            return false;
    return true;
}

bool stoa_currency_is_known(stoa_str cur)
{
    return is_code(cur) && find_currency(cur.ptr);
}

int32_t stoa_currency_exponent(const char *cur)
{
    const char *row = stoa_currency_is_known(stoa_str_of(cur)) ? find_currency(cur) : NULL;
    return row ? row[3] - '0' : 2;
}

stoa_money stoa_money_of(int64_t minor, const char *cur)
{
    stoa_money m = {.minor = minor};

    stoa_assert(is_code(stoa_str_of(cur)));
    memcpy(m.cur, cur, 3);
    return m;
}

static bool same_currency(stoa_money a, stoa_money b)
{
    return memcmp(a.cur, b.cur, 4) == 0;
}

static stoa_err set_minor(stoa_money a, int64_t minor, stoa_money *ret)
{
    a.minor = minor;
    *ret = a;
    return STOA_OK;
}

stoa_err stoa_money_add(stoa_money a, stoa_money b, stoa_money *ret)
{
    int64_t minor;

    if (!same_currency(a, b))
        return STOA_E_CURRENCY;
    if (__builtin_add_overflow(a.minor, b.minor, &minor))
        return STOA_E_RANGE;
    return set_minor(a, minor, ret);
}

stoa_err stoa_money_sub(stoa_money a, stoa_money b, stoa_money *ret)
{
    int64_t minor;

    if (!same_currency(a, b))
        return STOA_E_CURRENCY;
    if (__builtin_sub_overflow(a.minor, b.minor, &minor))
        return STOA_E_RANGE;
    return set_minor(a, minor, ret);
}

stoa_err stoa_money_times(stoa_money a, int64_t n, stoa_money *ret)
{
    int64_t minor;

    if (__builtin_mul_overflow(a.minor, n, &minor))
        return STOA_E_RANGE;
    return set_minor(a, minor, ret);
}

stoa_err stoa_money_share(stoa_money a, int64_t num, int64_t den, stoa_money *ret)
{
    stoa_assert(den > 0);
    __int128 product = (__int128)a.minor * num;
    __int128 half = den / 2 + den % 2; /* the least remainder that rounds away from zero */
    __int128 quotient = product / den, rest = product % den;

    if (rest >= half)
        quotient++;
    else if (-rest >= half)
        quotient--;
    if (quotient > INT64_MAX || quotient < INT64_MIN)
        return STOA_E_RANGE;
    return set_minor(a, (int64_t)quotient, ret);
}

bool stoa_money_eq(stoa_money a, stoa_money b)
{
    return a.minor == b.minor && same_currency(a, b);
}

static bool all_digits(stoa_str s)
{
    for (uint64_t i = 0; i < s.len; i++)
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
    return s.len > 0;
}

enum { AMOUNT_WHOLE_MAX = 18, AMOUNT_FRACTION_MAX = 4 }; /* digits; no exponent is larger */

/* "-12.5" in units of which 10^exponent make one. Whole part without leading zeros. */
static bool parse_amount(stoa_str text, uint32_t exponent, int64_t *ret)
{
    char digits[1 + AMOUNT_WHOLE_MAX + AMOUNT_FRACTION_MAX];
    bool negative = stoa_str_starts(text, STOA_STR("-"));
    stoa_str fraction = stoa_str_sub(text, negative, text.len);
    bool has_point = stoa_str_find(fraction, '.', 0) >= 0;
    stoa_str whole = stoa_str_cut(&fraction, '.');

    if (!all_digits(whole) || (whole.len > 1 && whole.ptr[0] == '0') ||
        whole.len > AMOUNT_WHOLE_MAX)
        return false;
    if (has_point && (!all_digits(fraction) || fraction.len > exponent))
        return false;

    uint64_t len = 0;
    if (negative)
        digits[len++] = '-';
    for (uint64_t i = 0; i < whole.len + exponent; i++) {
        uint64_t behind = i - whole.len; /* meaningful once i has passed the whole part */
        digits[len++] = i < whole.len           ? whole.ptr[i]
                        : behind < fraction.len ? fraction.ptr[behind]
                                                : '0';
    }
    return number_parse_int((stoa_str){digits, len}, ret);
}

stoa_err stoa_money_parse(stoa_str text, stoa_money *ret)
{
    stoa_str cur = text, amount = stoa_str_cut(&cur, ' ');
    int64_t minor;

    if (!stoa_currency_is_known(cur))
        return STOA_E_INVALID;
    const char *row = find_currency(cur.ptr);
    if (!parse_amount(amount, (uint32_t)(row[3] - '0'), &minor))
        return STOA_E_INVALID;
    stoa_money m = {.minor = minor};
    memcpy(m.cur, cur.ptr, 3);
    *ret = m;
    return STOA_OK;
}

stoa_str stoa_money_format(struct stoa_arena *arena, stoa_money m)
{
    char digits[NUMBER_INT_MAX], text[NUMBER_INT_MAX + 12];
    uint32_t exponent = (uint32_t)stoa_currency_exponent(m.cur);
    uint32_t sign = m.minor < 0, len = number_format_int(digits, m.minor) - sign, at = 0;
    const char *digit = digits + sign;

    if (sign)
        text[at++] = '-';
    /* Always at least one digit before the point: 5 cents are 0.05. */
    uint32_t whole = len > exponent ? len - exponent : 0;
    for (uint32_t i = 0; i < whole; i++)
        text[at++] = digit[i];
    if (!whole)
        text[at++] = '0';
    if (exponent)
        text[at++] = '.';
    for (uint32_t i = len; i < exponent; i++)
        text[at++] = '0';
    for (uint32_t i = whole; i < len; i++)
        text[at++] = digit[i];
    text[at++] = ' ';
    memcpy(text + at, m.cur, 3);
    return stoa_str_copy(arena, (stoa_str){text, at + 3});
}
