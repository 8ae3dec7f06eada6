/* SPDX-License-Identifier: Apache-2.0 */
#include "price.h"

#include <criterion/criterion.h>

static struct price_sheet sheet_of(struct price_line *lines, uint32_t count)
{
    return (struct price_sheet){.currency = "EUR", .lines = lines, .line_count = count};
}

Test(price, adds_lines_adjustments_and_shipping)
{
    struct price_line lines[] = {{.unit = 1999, .quantity = 2, .tax_bp = 1900},
                                 {.unit = 500, .quantity = 1, .tax_bp = 700}};
    struct price_sheet s = sheet_of(lines, 2);

    s.adjustments[0] = (struct price_adjustment){.amount = -300, .tax_bp = 1900};
    s.adjustment_count = 1;
    s.shipping.price = 490;
    s.shipping.tax_bp = 1900;
    cr_assert_eq(price_compute(&s), STOA_OK);
    cr_expect_eq(s.subtotal, 4498);
    cr_expect_eq(s.adjusted, -300);
    cr_expect_eq(s.total, 4688);
    cr_expect_eq(s.tax, 638 + 33 - 48 + 78); /* each line for itself */
    cr_expect(price_is_whole(&s));
}

Test(price, rounds_tax_half_up_per_line)
{
    struct price_line lines[] = {{.unit = 5, .quantity = 1, .tax_bp = 10000},
                                 {.unit = 5, .quantity = 1, .tax_bp = 10000}};
    struct price_sheet s = sheet_of(lines, 2);

    cr_assert_eq(price_compute(&s), STOA_OK);
    cr_expect_eq(lines[0].tax, 3, "half of 5 is 2.5, up");
    cr_expect_eq(s.tax, 6, "and not 5, the tax of the sum");
}

Test(price, counts_missing_goods_for_nothing)
{
    struct price_line lines[] = {{.unit = 100, .quantity = 3, .is_missing = true},
                                 {.unit = 100, .quantity = 1}};
    struct price_sheet s = sheet_of(lines, 2);

    cr_assert_eq(price_compute(&s), STOA_OK);
    cr_expect_eq(s.total, 100);
}

Test(price, never_falls_below_zero)
{
    struct price_line lines[] = {{.unit = 1000, .quantity = 1}};
    struct price_sheet s = sheet_of(lines, 1);

    s.adjustments[0].amount = -700;
    s.adjustments[1].amount = INT64_MIN;
    s.adjustment_count = 2;
    s.shipping.price = 490;
    cr_assert_eq(price_compute(&s), STOA_OK);
    cr_expect_eq(s.adjustments[1].amount, -300, "cut to what was left");
    cr_expect_eq(s.total, 490, "shipping is still paid");
    cr_expect(price_is_whole(&s));
}

Test(price, holds_its_largest_cart)
{
    static struct price_line lines[PRICE_LINES_MAX];
    struct price_sheet s = sheet_of(lines, PRICE_LINES_MAX);

    for (uint32_t i = 0; i < PRICE_LINES_MAX; i++)
        lines[i] = (struct price_line){
            .unit = PRICE_UNIT_MAX, .quantity = PRICE_QUANTITY_MAX, .tax_bp = PRICE_TAX_BP_MAX};
    cr_assert_eq(price_compute(&s), STOA_OK);
    cr_expect_eq(s.total, PRICE_UNIT_MAX * PRICE_QUANTITY_MAX * PRICE_LINES_MAX);
    s.line_count++;
    cr_expect_eq(price_compute(&s), STOA_E_RANGE);
}

Test(price, refuses_what_is_out_of_range)
{
    struct price_line line = {.unit = 1, .quantity = 1};
    struct price_sheet s = sheet_of(&line, 1);

    line.quantity = 0;
    cr_expect_eq(price_compute(&s), STOA_E_RANGE);
    line.quantity = 100;
    cr_expect_eq(price_compute(&s), STOA_E_RANGE);
    line.quantity = 1;
    line.unit = -1;
    cr_expect_eq(price_compute(&s), STOA_E_RANGE);
    line.unit = PRICE_UNIT_MAX + 1;
    cr_expect_eq(price_compute(&s), STOA_E_RANGE);
    line.unit = 1;
    line.tax_bp = -1;
    cr_expect_eq(price_compute(&s), STOA_E_RANGE);
    line.tax_bp = 0;
    s.shipping.price = -1;
    cr_expect_eq(price_compute(&s), STOA_E_RANGE);
}

Test(price, notices_a_sheet_that_does_not_add_up)
{
    struct price_line lines[] = {{.unit = 100, .quantity = 1}};
    struct price_sheet s = sheet_of(lines, 1);

    cr_assert_eq(price_compute(&s), STOA_OK);
    s.total++;
    cr_expect_not(price_is_whole(&s));
}
