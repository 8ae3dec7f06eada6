/* order/cart_price.c: asks the catalogue, the merchant's plugins and shipping, and lets price.c
 * compute. SPDX-License-Identifier: Apache-2.0 */
#include "order.h"

enum {
    NAME_MAX_BYTES = 120,
    LABEL_MAX_BYTES = 100,
    TAX_PERCENT_MAX = 100,
};

/* At most max bytes, and no half character at the end. */
static stoa_str cut(stoa_str text, uint64_t max)
{
    uint64_t len = text.len < max ? text.len : max;

    while (len < text.len && len > 0 && ((unsigned char)text.ptr[len] & 0xc0) == 0x80)
        len--;
    return stoa_str_sub(text, 0, len);
}

static int32_t tax_of_class(const struct order_plugin *self, stoa_str tax_class)
{
    int64_t percent = stoa_json_int(stoa_json_member(self->tax_classes, tax_class), "", -1);

    return percent < 0 || percent > TAX_PERCENT_MAX ? self->tax_bp : (int32_t)percent * 100;
}

/* ---- Lines ---- */

static const struct stoa_json *lines_question(struct stoa_req *req, const struct cart *cart)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    struct stoa_json *question = stoa_json_object(arena);
    struct stoa_json *lines = stoa_json_set(question, "lines", stoa_json_array(arena));

    for (uint32_t i = 0; i < cart->count; i++) {
        struct stoa_json *line = stoa_json_push(lines, stoa_json_object(arena));
        stoa_json_set_str(line, "sku", cart->lines[i].sku);
        stoa_json_set_int(line, "quantity", cart->lines[i].quantity);
    }
    return question;
}

static const struct stoa_json *item_of(const struct stoa_json *items, stoa_str sku)
{
    for (const struct stoa_json *e = stoa_json_first(items); e; e = stoa_json_next(e))
        if (stoa_str_eq(stoa_json_str(e, "sku"), sku))
            return e;
    return NULL;
}

static stoa_err read_item(struct stoa_req *req, const struct order_plugin *self,
                          const struct stoa_json *item, struct price_line *line)
{
    stoa_money unit;

    if (!item) {
        line->is_missing = true;
        return STOA_OK;
    }
    STOA_TRY(stoa_json_money(item, "unit_price", &unit));
    if (strcmp(unit.cur, stoa_shop_currency(req)) != 0)
        return STOA_E_CURRENCY;
    line->unit = unit.minor;
    line->product_id = stoa_json_str(item, "product_id");
    line->slug = stoa_json_str(item, "slug");
    line->name = cut(stoa_json_str(item, "name"), NAME_MAX_BYTES);
    line->available = stoa_json_int(item, "available", 0);
    line->tax_bp = tax_of_class(self, stoa_json_str(item, "tax_class"));
    return STOA_OK;
}

static stoa_err price_lines(struct stoa_req *req, const struct order_plugin *self,
                            const struct cart *cart, struct price_sheet *sheet)
{
    struct stoa_answer answer;

    sheet->lines = stoa_new_array(stoa_req_arena(req), struct price_line, cart->count + 1);
    if (cart->count == 0)
        return STOA_OK;
    STOA_TRY(stoa_call_post(req, "product", STOA_STR("/internal/product/quote"),
                            lines_question(req, cart), &answer));
    if (answer.status != 200)
        return STOA_E_PLUGIN;
    for (uint32_t i = 0; i < cart->count; i++) {
        struct price_line *line = &sheet->lines[sheet->line_count++];
        line->sku = cart->lines[i].sku;
        line->quantity = cart->lines[i].quantity;
        STOA_TRY(
            read_item(req, self, item_of(stoa_json_get(answer.json, "items"), line->sku), line));
    }
    return STOA_OK;
}

/* ---- Adjustments ---- */

static stoa_err read_adjustment(struct stoa_req *req, const struct order_plugin *self,
                                const struct stoa_json *json, struct price_sheet *sheet)
{
    struct price_adjustment *a = &sheet->adjustments[sheet->adjustment_count];
    stoa_money amount;

    if (sheet->adjustment_count == PRICE_ADJUSTMENTS_MAX)
        return STOA_E_RANGE;
    STOA_TRY(stoa_json_money(json, "amount", &amount));
    if (strcmp(amount.cur, stoa_shop_currency(req)) != 0)
        return STOA_E_CURRENCY;
    a->code = cut(stoa_json_str(json, "code"), LABEL_MAX_BYTES);
    a->label = cut(stoa_json_str(json, "label"), LABEL_MAX_BYTES);
    a->amount = amount.minor;
    a->tax_bp = tax_of_class(self, stoa_json_str(json, "tax_class"));
    sheet->adjustment_count++;
    return STOA_OK;
}

/* An answer is one adjustment, or {"items": [several]}. */
static stoa_err read_adjustments(struct stoa_req *req, const struct order_plugin *self,
                                 const struct stoa_json *answer, struct price_sheet *sheet)
{
    const struct stoa_json *items = stoa_json_get(answer, "items");

    if (!items)
        return read_adjustment(req, self, answer, sheet);
    for (const struct stoa_json *e = stoa_json_first(items); e; e = stoa_json_next(e))
        STOA_TRY(read_adjustment(req, self, e, sheet));
    return STOA_OK;
}

static stoa_err adjust(struct stoa_req *req, const struct order_plugin *self,
                       const struct cart *cart, struct price_sheet *sheet)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    struct stoa_json *question = stoa_json_object(arena);
    const struct stoa_json *answers;

    if (cart->count == 0)
        return STOA_OK;
    stoa_json_set_str(question, "id", cart->id);
    stoa_json_set(question, "lines", price_lines_json(arena, sheet, false));
    stoa_json_set(question, "attributes", stoa_json_copy(arena, cart->attributes));
    stoa_json_set_money(question, "subtotal",
                        stoa_money_of(sheet->subtotal, stoa_shop_currency(req)));
    STOA_TRY(stoa_collect(req, "cart.adjustments", question, &answers));
    for (const struct stoa_json *e = stoa_json_first(answers); e; e = stoa_json_next(e))
        STOA_TRY(read_adjustments(req, self, stoa_json_get(e, "answer"), sheet));
    return STOA_OK;
}

/* ---- Shipping ---- */

static stoa_err read_rate(struct stoa_req *req, const struct order_plugin *self,
                          const struct stoa_json *rate, struct price_shipping *ret)
{
    stoa_money price;

    STOA_TRY(stoa_json_money(rate, "price", &price));
    if (strcmp(price.cur, stoa_shop_currency(req)) != 0)
        return STOA_E_CURRENCY;
    ret->option = stoa_json_str(rate, "option");
    ret->label = cut(stoa_json_str(rate, "label"), LABEL_MAX_BYTES);
    ret->price = price.minor;
    ret->tax_bp = self->tax_bp;
    ret->eta_days = stoa_json_get(rate, "eta_days");
    return STOA_OK;
}

static const struct stoa_json *chosen_rate(const struct stoa_json *items,
                                           const struct price_choice *choice)
{
    for (const struct stoa_json *e = stoa_json_first(items); e; e = stoa_json_next(e))
        if (choice->shipping_option.len == 0 ||
            stoa_str_eq(stoa_json_str(e, "option"), choice->shipping_option))
            return e;
    return choice->is_final ? NULL : stoa_json_first(items);
}

/* While browsing, a shipping plugin that fails costs the shipping line, not the cart. */
static stoa_err ship(struct stoa_req *req, const struct order_plugin *self,
                     const struct price_choice *choice, struct price_sheet *sheet)
{
    struct stoa_json *question = stoa_json_object(stoa_req_arena(req));
    stoa_str country = choice->country.len > 0 ? choice->country : self->country;
    const struct stoa_json *rate = NULL;
    struct stoa_answer answer = {0};
    stoa_err err;

    if (sheet->line_count == 0)
        return STOA_OK;
    stoa_json_set_str(question, "country", country);
    stoa_json_set_money(question, "subtotal",
                        stoa_money_of(sheet->subtotal, stoa_shop_currency(req)));
    err = stoa_call_post(req, "shipping", STOA_STR("/internal/shipping/rates"), question, &answer);
    if (err == STOA_OK && answer.status == 200)
        rate = chosen_rate(stoa_json_get(answer.json, "items"), choice);
    else if (choice->is_final)
        return err == STOA_OK ? STOA_E_PLUGIN : err;
    if (rate)
        return read_rate(req, self, rate, &sheet->shipping);
    if (choice->is_final)
        return stoa_fail(req, STOA_E_INVALID, "This way of shipping is not offered there",
                         STOA_FIELDS(stoa_f("field", stoa_z("shipping_option"))));
    return STOA_OK;
}

stoa_err cart_price(struct stoa_req *req, const struct order_plugin *self, const struct cart *cart,
                    const struct price_choice *choice, struct price_sheet *ret)
{
    *ret = (struct price_sheet){.currency = stoa_shop_currency(req)};
    STOA_TRY(price_lines(req, self, cart, ret));
    STOA_TRY(price_compute(ret)); /* the others are told the subtotal */
    STOA_TRY(adjust(req, self, cart, ret));
    STOA_TRY(ship(req, self, choice, ret));
    STOA_TRY(price_compute(ret));
    stoa_assert(price_is_whole(ret));
    return STOA_OK;
}

/* ---- As JSON ---- */

static struct stoa_json *line_json(struct stoa_arena *arena, const struct price_sheet *sheet,
                                   const struct price_line *line)
{
    struct stoa_json *json = stoa_json_object(arena);

    stoa_json_set_str(json, "sku", line->sku);
    stoa_json_set_str(json, "product_id", line->product_id);
    stoa_json_set_str(json, "slug", line->slug);
    stoa_json_set_str(json, "name", line->name);
    stoa_json_set_int(json, "quantity", line->quantity);
    stoa_json_set_money(json, "unit_price", stoa_money_of(line->unit, sheet->currency));
    stoa_json_set_money(json, "amount", stoa_money_of(line->amount, sheet->currency));
    stoa_json_set_money(json, "tax", stoa_money_of(line->tax, sheet->currency));
    return json;
}

struct stoa_json *price_lines_json(struct stoa_arena *arena, const struct price_sheet *sheet,
                                   bool is_order)
{
    struct stoa_json *list = stoa_json_array(arena);

    for (uint32_t i = 0; i < sheet->line_count; i++) {
        struct stoa_json *json = stoa_json_push(list, line_json(arena, sheet, &sheet->lines[i]));
        if (is_order)
            continue;
        stoa_json_set_int(json, "available", sheet->lines[i].available);
        stoa_json_set_bool(json, "missing", sheet->lines[i].is_missing);
    }
    return list;
}

struct stoa_json *price_adjustments_json(struct stoa_arena *arena, const struct price_sheet *sheet)
{
    struct stoa_json *list = stoa_json_array(arena);

    for (uint32_t i = 0; i < sheet->adjustment_count; i++) {
        const struct price_adjustment *a = &sheet->adjustments[i];
        struct stoa_json *json = stoa_json_push(list, stoa_json_object(arena));
        stoa_json_set_str(json, "code", a->code);
        stoa_json_set_str(json, "label", a->label);
        stoa_json_set_money(json, "amount", stoa_money_of(a->amount, sheet->currency));
        stoa_json_set_money(json, "tax", stoa_money_of(a->tax, sheet->currency));
    }
    return list;
}

struct stoa_json *price_shipping_json(struct stoa_arena *arena, const struct price_sheet *sheet)
{
    const struct price_shipping *s = &sheet->shipping;
    struct stoa_json *json;

    if (s->option.len == 0)
        return stoa_json_new_null(arena);
    json = stoa_json_object(arena);
    stoa_json_set_str(json, "option", s->option);
    stoa_json_set_str(json, "label", s->label);
    stoa_json_set_money(json, "price", stoa_money_of(s->price, sheet->currency));
    stoa_json_set_money(json, "tax", stoa_money_of(s->tax, sheet->currency));
    if (s->eta_days)
        stoa_json_set(json, "eta_days", stoa_json_copy(arena, s->eta_days));
    return json;
}
