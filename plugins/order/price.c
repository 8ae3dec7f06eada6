/* order/price.c: totals. SPDX-License-Identifier: Apache-2.0 */
#include "price.h"

/* The tax inside an amount that includes it. */
static stoa_err tax_within(const struct price_sheet *sheet, int64_t amount, int32_t bp,
                           int64_t *ret)
{
    stoa_money share;

    if (bp < 0 || bp > PRICE_TAX_BP_MAX)
        return STOA_E_RANGE;
    STOA_TRY(stoa_money_share(stoa_money_of(amount, sheet->currency), bp, 10000 + bp, &share));
    *ret = share.minor;
    return STOA_OK;
}

static stoa_err add_line(struct price_sheet *sheet, struct price_line *line)
{
    line->amount = line->tax = 0;
    if (line->quantity < 1 || line->quantity > PRICE_QUANTITY_MAX)
        return STOA_E_RANGE;
    if (line->is_missing)
        return STOA_OK;
    if (line->unit < 0 || line->unit > PRICE_UNIT_MAX)
        return STOA_E_RANGE;
    line->amount = line->unit * line->quantity;
    STOA_TRY(tax_within(sheet, line->amount, line->tax_bp, &line->tax));
    sheet->subtotal += line->amount;
    sheet->tax += line->tax;
    return STOA_OK;
}

/* A discount larger than what it is taken from gives nothing away on top. */
static stoa_err add_adjustment(struct price_sheet *sheet, struct price_adjustment *adjustment)
{
    int64_t so_far = sheet->subtotal + sheet->adjusted;

    if (adjustment->amount > PRICE_UNIT_MAX)
        return STOA_E_RANGE;
    if (adjustment->amount < -so_far)
        adjustment->amount = -so_far;
    STOA_TRY(tax_within(sheet, adjustment->amount, adjustment->tax_bp, &adjustment->tax));
    sheet->adjusted += adjustment->amount;
    sheet->tax += adjustment->tax;
    return STOA_OK;
}

stoa_err price_compute(struct price_sheet *sheet)
{
    if (sheet->line_count > PRICE_LINES_MAX || sheet->adjustment_count > PRICE_ADJUSTMENTS_MAX)
        return STOA_E_RANGE;
    if (sheet->shipping.price < 0 || sheet->shipping.price > PRICE_UNIT_MAX)
        return STOA_E_RANGE;
    sheet->subtotal = sheet->adjusted = sheet->tax = sheet->total = 0;
    for (uint32_t i = 0; i < sheet->line_count; i++)
        STOA_TRY(add_line(sheet, &sheet->lines[i]));
    for (uint32_t i = 0; i < sheet->adjustment_count; i++)
        STOA_TRY(add_adjustment(sheet, &sheet->adjustments[i]));
    STOA_TRY(
        tax_within(sheet, sheet->shipping.price, sheet->shipping.tax_bp, &sheet->shipping.tax));
    sheet->tax += sheet->shipping.tax;
    sheet->total = sheet->subtotal + sheet->adjusted + sheet->shipping.price;
    return STOA_OK;
}

bool price_is_whole(const struct price_sheet *sheet)
{
    int64_t sum = sheet->shipping.price;

    for (uint32_t i = 0; i < sheet->line_count; i++)
        sum += sheet->lines[i].amount;
    for (uint32_t i = 0; i < sheet->adjustment_count; i++)
        sum += sheet->adjustments[i].amount;
    return sum == sheet->total && sheet->total >= 0;
}
