/* order/cart.c: the API of carts. Prices are read here and never taken from a body.
 * SPDX-License-Identifier: Apache-2.0 */
#include "card.h"
#include "form.h"
#include "order.h"

enum { WRITE_TRIES = 4 }; /* two tabs at once: the later one reads again */

static stoa_err refuse(struct stoa_req *req, const struct form *form)
{
    return stoa_fail(req, STOA_E_INVALID, "Some fields are missing or wrong",
                     STOA_FIELDS(stoa_f("errors", stoa_j(form->errors))));
}

static struct price_choice choice_of(struct stoa_req *req)
{
    return (struct price_choice){.shipping_option = stoa_req_query(req, "shipping_option"),
                                 .country = stoa_req_query(req, "country")};
}

static struct stoa_json *cart_json(struct stoa_req *req, const struct cart *cart,
                                   const struct price_sheet *sheet)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    struct stoa_json *json = stoa_json_object(arena);
    int64_t pieces = 0;

    for (uint32_t i = 0; i < cart->count; i++)
        pieces += cart->lines[i].quantity;
    stoa_json_set_str(json, "id", cart->id);
    stoa_json_set_int(json, "version", cart->version);
    stoa_json_set_str(json, "currency", stoa_str_of(sheet->currency));
    stoa_json_set_int(json, "quantity", pieces);
    stoa_json_set(json, "lines", price_lines_json(arena, sheet, false));
    stoa_json_set_money(json, "subtotal", stoa_money_of(sheet->subtotal, sheet->currency));
    stoa_json_set(json, "adjustments", price_adjustments_json(arena, sheet));
    stoa_json_set(json, "shipping", price_shipping_json(arena, sheet));
    stoa_json_set_money(json, "tax", stoa_money_of(sheet->tax, sheet->currency));
    stoa_json_set_money(json, "total", stoa_money_of(sheet->total, sheet->currency));
    stoa_json_set(json, "attributes",
                  cart->attributes ? stoa_json_copy(arena, cart->attributes)
                                   : stoa_json_object(arena));
    if (cart->ordered.len > 0)
        stoa_json_set_str(json, "order_id", cart->ordered);
    return json;
}

/* Attributes are the merchant's plugins': strings, numbers and flags, not many. */
static const struct stoa_json *read_attributes(struct form *form)
{
    const struct stoa_json *attributes = stoa_json_get(form->body, "attributes");
    struct stoa_buf text;

    if (!attributes)
        return NULL;
    stoa_buf_init(&text, form->arena, 64);
    stoa_json_format(attributes, &text);
    if (stoa_json_type(attributes) != STOA_JSON_OBJECT || text.len > FORM_ATTRIBUTES_MAX)
        form_wrong(form, "attributes", "must be an object of at most 2048 bytes");
    else if (card_is_in_json(attributes))
        form_wrong(form, "attributes", "must not hold a card number");
    return attributes;
}

static stoa_err create_in(struct stoa_req *req, const struct order_plugin *self, struct stoa_tx *tx,
                          const struct cart *cart)
{
    struct price_sheet empty = {.currency = stoa_shop_currency(req)};
    stoa_str token = stoa_token_new(req);
    struct stoa_json *json = cart_json(req, cart, &empty);

    stoa_json_set_str(json, "token", token);
    STOA_TRY(stoa_tx_creates(tx, cart->id));
    STOA_TRY(cart_insert(tx, req, cart, token, stoa_now(req) + self->cart_ms));
    return stoa_tx_reply(tx, 201, json);
}

/* Ends tx with what came of its statements. */
static stoa_err finish(struct stoa_tx *tx, stoa_err err)
{
    if (err == STOA_OK)
        return stoa_tx_commit(tx);
    stoa_tx_rollback(tx);
    return err;
}

/* POST /carts {}: a new cart; its token is shown this once. */
stoa_err cart_create(struct stoa_req *req, void *self)
{
    struct cart cart = {.id = stoa_id_new(req, "crt"), .version = 1};
    struct stoa_tx *tx;
    struct form form;

    form_init(&form, stoa_req_arena(req), stoa_req_json(req));
    cart.attributes = read_attributes(&form);
    if (form.errors)
        return refuse(req, &form);
    STOA_TRY(stoa_tx_begin(req, &tx));
    return finish(tx, create_in(req, self, tx, &cart));
}

/* GET /carts/{id}?shipping_option=&country= */
stoa_err cart_show(struct stoa_req *req, void *self)
{
    struct price_choice choice = choice_of(req);
    struct price_sheet sheet;
    struct cart cart;

    STOA_TRY(cart_load(req, stoa_req_param(req, "id"), &cart));
    STOA_TRY(cart_price(req, self, &cart, &choice, &sheet));
    return stoa_reply_json(req, 200, cart_json(req, &cart, &sheet));
}

static struct cart_line *line_of(const struct cart *cart, stoa_str sku)
{
    for (uint32_t i = 0; i < cart->count; i++)
        if (stoa_str_eq(cart->lines[i].sku, sku))
            return &cart->lines[i];
    return NULL;
}

static void remove_line(struct cart *cart, struct cart_line *line)
{
    for (; line + 1 < cart->lines + cart->count; line++)
        line[0] = line[1];
    cart->count--;
}

/* The cart as it will be. is_added: quantity comes on top of what is there; the change then says
 * the sum. */
static stoa_err apply(struct stoa_req *req, struct cart *cart, struct cart_change *change,
                      bool is_added)
{
    struct cart_line *line = line_of(cart, change->sku);

    cart->version++;
    if (change->attributes)
        cart->attributes = change->attributes;
    if (change->sku.len == 0)
        return STOA_OK;
    if (!line && !is_added)
        return STOA_E_NOT_FOUND;
    if (change->quantity == 0) {
        remove_line(cart, line);
        return STOA_OK;
    }
    if (!line && cart->count == PRICE_LINES_MAX)
        return stoa_fail(req, STOA_E_RANGE, "A cart holds at most 100 lines", STOA_NO_FIELDS);
    if (!line) {
        line = &cart->lines[cart->count++];
        *line = (struct cart_line){.sku = change->sku};
    }
    if (is_added)
        change->quantity += line->quantity;
    if (change->quantity > PRICE_QUANTITY_MAX)
        return stoa_fail(req, STOA_E_RANGE, "At most 99 of one kind",
                         STOA_FIELDS(stoa_f("max", stoa_i(PRICE_QUANTITY_MAX))));
    line->quantity = change->quantity;
    return STOA_OK;
}

/* More than there is cannot be put into a cart; less can always be. */
static stoa_err check_stock(struct stoa_req *req, const struct price_sheet *sheet,
                            const struct cart_change *change)
{
    for (uint32_t i = 0; i < sheet->line_count; i++) {
        const struct price_line *line = &sheet->lines[i];
        if (!stoa_str_eq(line->sku, change->sku))
            continue;
        if (line->is_missing)
            return stoa_fail(req, STOA_E_INVALID, "There is no such product",
                             STOA_FIELDS(stoa_f("sku", stoa_s(line->sku))));
        if (line->available < change->quantity)
            return stoa_fail(req, STOA_E_SOLD_OUT, "There are not that many left",
                             STOA_FIELDS(stoa_f("sku", stoa_s(line->sku)),
                                         stoa_f("available", stoa_i(line->available))));
    }
    return STOA_OK;
}

static stoa_err write_and_reply(struct stoa_req *req, const struct order_plugin *self,
                                const struct cart *before, const struct cart_change *change,
                                const struct stoa_json *json)
{
    struct stoa_tx *tx;
    stoa_err err;

    STOA_TRY(stoa_tx_begin(req, &tx));
    err = cart_write(tx, req, before, change, stoa_now(req) + self->cart_ms);
    if (err == STOA_OK)
        err = stoa_tx_reply(tx, 200, json);
    return finish(tx, err);
}

static stoa_err change_once(struct stoa_req *req, const struct order_plugin *self,
                            struct cart_change change, bool is_added)
{
    struct price_choice choice = choice_of(req);
    struct cart before, after;
    struct price_sheet sheet;

    STOA_TRY(cart_load(req, stoa_req_param(req, "id"), &before));
    if (before.ordered.len > 0)
        return stoa_fail(req, STOA_E_CONFLICT, "This cart was ordered already",
                         STOA_FIELDS(stoa_f("order_id", stoa_s(before.ordered))));
    after = before;
    STOA_TRY(apply(req, &after, &change, is_added));
    STOA_TRY(cart_price(req, self, &after, &choice, &sheet));
    if (change.quantity > 0)
        STOA_TRY(check_stock(req, &sheet, &change));
    return write_and_reply(req, self, &before, &change, cart_json(req, &after, &sheet));
}

static stoa_err change_lines(struct stoa_req *req, const struct order_plugin *self,
                             const struct cart_change *change, bool is_added)
{
    stoa_err err = STOA_E_CONFLICT;

    for (int i = 0; i < WRITE_TRIES && err == STOA_E_CONFLICT && stoa_reply_status(req) == 0; i++)
        err = change_once(req, self, *change, is_added);
    return err;
}

/* PATCH /carts/{id} {"attributes": {…}}: what the merchant's plugins ask for (gift wrapping …). */
stoa_err cart_change(struct stoa_req *req, void *self)
{
    struct cart_change change = {0};
    struct form form;

    form_init(&form, stoa_req_arena(req), stoa_req_json(req));
    change.attributes = read_attributes(&form);
    if (!change.attributes)
        form_wrong(&form, "attributes", "is missing");
    return form.errors ? refuse(req, &form) : change_lines(req, self, &change, false);
}

/* POST /carts/{id}/lines {"sku", "quantity"}: adds to what is there. */
stoa_err cart_add_line(struct stoa_req *req, void *self)
{
    struct cart_change change = {0};
    struct form form;

    form_init(&form, stoa_req_arena(req), stoa_req_json(req));
    change.sku = form_sku(&form, "sku");
    change.quantity = form_int(&form, "quantity", 1, PRICE_QUANTITY_MAX);
    return form.errors ? refuse(req, &form) : change_lines(req, self, &change, true);
}

/* PATCH /carts/{id}/lines/{sku} {"quantity"}: sets it. */
stoa_err cart_change_line(struct stoa_req *req, void *self)
{
    struct cart_change change = {.sku = stoa_req_param(req, "sku")};
    struct form form;

    form_init(&form, stoa_req_arena(req), stoa_req_json(req));
    change.quantity = form_int(&form, "quantity", 1, PRICE_QUANTITY_MAX);
    return form.errors ? refuse(req, &form) : change_lines(req, self, &change, false);
}

/* DELETE /carts/{id}/lines/{sku} */
stoa_err cart_remove_line(struct stoa_req *req, void *self)
{
    struct cart_change change = {.sku = stoa_req_param(req, "sku")};

    return change_lines(req, self, &change, false);
}
