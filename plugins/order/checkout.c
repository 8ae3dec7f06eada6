/* order/checkout.c: POST /checkouts: from a cart to an order on its way.
 * SPDX-License-Identifier: Apache-2.0 */
#include "card.h"
#include "form.h"
#include "number.h"
#include "order.h"

/* What a checkout gathers before anything is written. */
struct checkout {
    struct stoa_req *req;
    const struct order_plugin *self;
    struct form_checkout form;
    struct cart cart;
    struct price_sheet sheet;
};

static stoa_err read_form(struct checkout *c)
{
    struct form form;

    form_init(&form, stoa_req_arena(c->req), stoa_req_json(c->req));
    /* First of all, and whatever else is wrong: such a body is to leave no trace. */
    if (card_is_in_json(form.body))
        return stoa_fail(c->req, STOA_E_INVALID,
                         "This looks like a card number; payment data goes to the provider only",
                         STOA_NO_FIELDS);
    form_read_checkout(&form, &c->form);
    if (form.errors)
        return stoa_fail(c->req, STOA_E_INVALID, "Some fields are missing or wrong",
                         STOA_FIELDS(stoa_f("errors", stoa_j(form.errors))));
    return STOA_OK;
}

static stoa_err check_stock(struct checkout *c)
{
    struct stoa_json *sold_out = stoa_json_array(stoa_req_arena(c->req));

    for (uint32_t i = 0; i < c->sheet.line_count; i++) {
        const struct price_line *line = &c->sheet.lines[i];
        if (line->is_missing || line->available < line->quantity)
            stoa_json_push(sold_out, stoa_json_new_str(stoa_req_arena(c->req), line->sku));
    }
    if (stoa_json_count(sold_out) == 0)
        return STOA_OK;
    return stoa_fail(c->req, STOA_E_SOLD_OUT, "Somebody was faster; you were not charged",
                     STOA_FIELDS(stoa_f("sold_out", stoa_j(sold_out))));
}

/* The client's number is only compared: what is charged is what was computed here. */
static stoa_err check_total(struct checkout *c)
{
    stoa_money total = stoa_money_of(c->sheet.total, c->sheet.currency);

    if (stoa_money_eq(total, c->form.expected_total))
        return STOA_OK;
    return stoa_fail(c->req, STOA_E_PRICE_CHANGED, "expected_total is not the price",
                     STOA_FIELDS(stoa_f("total", stoa_m(total))));
}

static stoa_err gather(struct checkout *c)
{
    struct price_choice choice = {.is_final = true};

    STOA_TRY(read_form(c));
    STOA_TRY(cart_load(c->req, c->form.cart_id, &c->cart));
    if (c->cart.ordered.len > 0)
        return stoa_fail(c->req, STOA_E_CONFLICT, "This cart was ordered already",
                         STOA_FIELDS(stoa_f("order_id", stoa_s(c->cart.ordered))));
    if (c->cart.count == 0)
        return stoa_fail(c->req, STOA_E_INVALID, "The cart is empty", STOA_NO_FIELDS);
    choice.shipping_option = c->form.shipping_option;
    choice.country = stoa_json_str(c->form.address, "country");
    STOA_TRY(cart_price(c->req, c->self, &c->cart, &choice, &c->sheet));
    STOA_TRY(check_stock(c));
    return check_total(c);
}

/* The guest's token for the order. Made from the cart's, so that a repeated request, which brings
 * that one again, is told the same token although only hashes are kept. */
static stoa_str token_of(struct stoa_req *req, stoa_str order_id)
{
    stoa_str cart_token = stoa_req_header(req, "x-cart-token");

    if (cart_token.len == 0)
        return stoa_token_new(req);
    return stoa_token_hash(req,
                           stoa_concat(stoa_req_arena(req), order_id, STOA_STR(":"), cart_token));
}

static void fill_row(const struct checkout *c, struct order_row *row)
{
    struct stoa_arena *arena = stoa_req_arena(c->req);
    stoa_ms now = stoa_now(c->req);
    uint64_t chance;

    stoa_random(c->req, &chance, sizeof(chance));
    *row = (struct order_row){.id = stoa_id_new(c->req, "ord"),
                              .number = number_make(arena, now, chance),
                              .cart_id = c->cart.id,
                              .customer_id = stoa_req_identity(c->req)->user_id,
                              .email = c->form.email,
                              .subtotal = c->sheet.subtotal,
                              .adjusted = c->sheet.adjusted,
                              .shipping = c->sheet.shipping.price,
                              .tax = c->sheet.tax,
                              .total = c->sheet.total,
                              .lines = price_lines_json(arena, &c->sheet, true),
                              .adjustments = price_adjustments_json(arena, &c->sheet),
                              .shipping_option = price_shipping_json(arena, &c->sheet),
                              .address = c->form.address,
                              .provider = c->form.provider,
                              .created_ms = now,
                              .saga = saga_begin(now, now + c->self->payment_window_ms)};
    memcpy(row->currency, c->sheet.currency, 3);
    row->saga.deadline_ms = now + c->self->lease_ms;
    row->token = token_of(c->req, row->id);
    row->token_hash = stoa_token_hash(c->req, row->token);
}

static stoa_err place_in(const struct checkout *c, struct stoa_tx *tx, const struct order_row *row,
                         stoa_str owner)
{
    stoa_err err;

    STOA_TRY(stoa_tx_creates(tx, row->id)); /* first: it is a part of the journal's row */
    err = order_insert(tx, row, c->cart.version, owner, row->saga.deadline_ms);
    /* Another tab was faster: its line, or its order (see order_saga_cart). */
    if (err == STOA_E_CONFLICT || err == STOA_E_EXISTS)
        return stoa_fail(c->req, STOA_E_CONFLICT, "This cart was changed or ordered meanwhile",
                         STOA_NO_FIELDS);
    STOA_TRY(err);
    return stoa_fault(c->req, "checkout.place.inside");
}

/* Order, saga and journal row, before anything outside is asked to do something. */
static stoa_err place(const struct checkout *c, const struct order_row *row, stoa_str owner)
{
    struct stoa_req *req = c->req;
    struct stoa_tx *tx;
    stoa_err err;

    STOA_TRY(stoa_fault(req, "checkout.place.before"));
    STOA_TRY(stoa_tx_begin(req, &tx));
    err = place_in(c, tx, row, owner);
    if (err != STOA_OK) {
        stoa_tx_rollback(tx);
        return err;
    }
    err = stoa_tx_commit(tx);
    if (err != STOA_OK) {
        STOA_IGNORE(order_yield(req, row->id, owner)); /* it may have been made all the same */
        return err;
    }
    return stoa_fault(req, "checkout.place.after");
}

static stoa_err wait_for_other(struct stoa_req *req)
{
    (void)stoa_fail(req, STOA_E_IN_FLIGHT, "The order is being worked on", STOA_NO_FIELDS);
    (void)stoa_reply_header(req, "retry-after", STOA_STR("1"));
    return STOA_E_IN_FLIGHT;
}

/* Once the client has its answer, what is left of the saga is the recovery's when it fails. Before,
 * the answer must be one that the journal does not keep (5xx): the same request may come again. */
static stoa_err drive(struct saga_run *run)
{
    stoa_err err = saga_run(run);

    if (err == STOA_OK)
        return run->answered ? STOA_OK : STOA_E_BUSY;
    stoa_log(run->req, STOA_WARN, "an order is left to recovery",
             STOA_FIELDS(stoa_f("order_id", stoa_s(run->order->id)),
                         stoa_f("error", stoa_z(stoa_err_name(err)))));
    if (run->answered)
        return STOA_OK;
    /* The buyer who repeats the request goes on at once, before the order is overdue. */
    STOA_IGNORE(order_yield(run->req, run->order->id, run->owner));
    return stoa_err_status(err) >= 500 ? err : STOA_E_BUSY;
}

/* The request's first try died after it had written this order. Only that request's sender has
 * both its idempotency key and its cart token. */
static stoa_err resume(struct stoa_req *req, const struct order_plugin *self, stoa_str order_id)
{
    struct order_row row;
    struct saga_run run = {.req = req, .self = self, .order = &row, .answers = true};
    stoa_str token = token_of(req, order_id);
    stoa_err err;

    run.owner = saga_owner(req);
    run.pay_token = stoa_json_str(stoa_req_json(req), "payment.token");
    err = order_take(req, order_id, run.owner, stoa_now(req) + self->lease_ms, &row);
    if (err == STOA_E_IN_FLIGHT)
        return wait_for_other(req);
    if (err != STOA_OK && err != STOA_E_CONFLICT)
        return err;
    if (stoa_str_eq(stoa_token_hash(req, token), row.token_hash))
        run.guest_token = token;
    if (err == STOA_OK)
        STOA_TRY(drive(&run));
    return run.answered ? STOA_OK : saga_answer(&run);
}

/* POST /checkouts */
stoa_err checkout_place(struct stoa_req *req, void *self)
{
    struct checkout c = {.req = req, .self = self};
    struct stoa_once once = stoa_once(req);
    struct order_row row;
    struct saga_run run = {.req = req, .self = self, .order = &row, .answers = true};

    if (once.state == STOA_ONCE_RESUME && once.id.len > 0)
        return resume(req, self, once.id);
    STOA_TRY(gather(&c));
    fill_row(&c, &row);
    run.owner = saga_owner(req);
    run.pay_token = c.form.token;
    run.guest_token = row.token;
    STOA_TRY(place(&c, &row, run.owner));
    return drive(&run);
}
