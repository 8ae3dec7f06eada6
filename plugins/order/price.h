/* order/price.h: lines and rates in, totals out. Pure: no I/O, integers only. Prices include tax;
 * tax is rounded half up per line, the total is a plain sum. SPDX-License-Identifier: Apache-2.0 */
#ifndef ORDER_PRICE_H
#define ORDER_PRICE_H

#include <stoa/json.h>
#include <stoa/money.h>

enum {
    PRICE_LINES_MAX = 100,
    PRICE_QUANTITY_MAX = 99,
    PRICE_ADJUSTMENTS_MAX = 20,
    PRICE_TAX_BP_MAX = 10000, /* 100 % */
};
#define PRICE_UNIT_MAX INT64_C(100000000000) /* minor units; 10^11 × 99 × 100 fits int64 */

struct price_line {
    stoa_str sku, product_id, slug, name;
    int64_t unit; /* minor units, tax included */
    int64_t quantity;
    int64_t available;   /* as the catalogue last said */
    int32_t tax_bp;      /* hundredths of a percent */
    bool is_missing;     /* the catalogue does not know it: counts for nothing */
    int64_t amount, tax; /* computed */
};

struct price_adjustment {
    stoa_str code, label;
    int64_t amount; /* may be negative; cut so that no sum falls below zero */
    int32_t tax_bp;
    int64_t tax; /* computed */
};

struct price_shipping {
    stoa_str option; /* empty: none chosen */
    stoa_str label;
    int64_t price;
    int32_t tax_bp;
    int64_t tax; /* computed */
    const struct stoa_json *eta_days;
};

struct price_sheet {
    const char *currency;
    struct price_line *lines;
    uint32_t line_count;
    struct price_adjustment adjustments[PRICE_ADJUSTMENTS_MAX];
    uint32_t adjustment_count;
    struct price_shipping shipping;
    int64_t subtotal, adjusted, tax, total; /* computed */
};

/* Fills in what is computed. STOA_E_RANGE when an amount, a quantity or a rate is out of its
 * limits; the sheet is then not to be used. */
STOA_NODISCARD stoa_err price_compute(struct price_sheet *sheet);
/* subtotal + adjustments + shipping = total, and no part that is out of place. */
bool price_is_whole(const struct price_sheet *sheet);

#endif
