/* stoa/money.h: exact amounts in minor units. Passed by value; there is no float constructor.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef STOA_MONEY_H
#define STOA_MONEY_H

#include "errors.h"
#include "str.h"

typedef struct stoa_money {
    int64_t minor; /* cents, yen, fils: what the currency's exponent says */
    char cur[4];   /* ISO 4217, NUL-terminated */
    uint32_t reserved;
} stoa_money;
static_assert(sizeof(stoa_money) == 16, "SDK ABI");

/* cur is three upper-case letters; asserted. */
STOA_API stoa_money stoa_money_of(int64_t minor, const char *cur);
/* Adds b to a. STOA_E_CURRENCY if mixed, STOA_E_RANGE on overflow; *ret is then untouched. */
STOA_NODISCARD STOA_API stoa_err stoa_money_add(stoa_money a, stoa_money b, stoa_money *ret);
STOA_NODISCARD STOA_API stoa_err stoa_money_sub(stoa_money a, stoa_money b, stoa_money *ret);
/* a × n. STOA_E_RANGE on overflow. */
STOA_NODISCARD STOA_API stoa_err stoa_money_times(stoa_money a, int64_t n, stoa_money *ret);
/* a × num / den, rounded half up away from zero (tax per line: commerce.md). den > 0, asserted. */
STOA_NODISCARD STOA_API stoa_err stoa_money_share(stoa_money a, int64_t num, int64_t den,
                                                  stoa_money *ret);
/* Same amount and currency. */
STOA_API bool stoa_money_eq(stoa_money a, stoa_money b);
/* "4.50 EUR", "500 JPY", "-1.00 EUR". STOA_E_INVALID for anything else, more decimals than the
 * currency has included. */
STOA_NODISCARD STOA_API stoa_err stoa_money_parse(stoa_str text, stoa_money *ret);
/* "4.50 EUR": what stoa_money_parse reads back. */
STOA_API stoa_str stoa_money_format(struct stoa_arena *arena, stoa_money m);
/* Decimal digits of the currency (ISO 4217): EUR 2, JPY 0, KWD 3; 2 when unknown. */
STOA_API int32_t stoa_currency_exponent(const char *cur);
STOA_API bool stoa_currency_is_known(stoa_str cur);

#endif
