/* checkout.c: one page with everything that an order needs, and one POST that places it. The form
 * carries the idempotency key that was made when it was shown, so pressing twice, reloading or a
 * lost answer never make a second order; and the amounts that were shown, so nobody is charged
 * another total than the one they saw. SPDX-License-Identifier: Apache-2.0 */
#include "storefront.h"

#define COUNTRY "DE" /* until the shopper has said where to */

enum {
    WAIT_MS = 300,  /* for the first try of the same form … */
    WAITS_MAX = 20, /* … which must not take the request's whole time */
    PENDING_AGE_S = 3600,
};

/* The page while it is put together. */
struct checkout {
    struct stoa_req *req;
    struct stoa_arena *arena;
    struct basket basket;
    const struct stoa_json *cart;
    const struct stoa_json *form;    /* what the shopper entered, or the defaults */
    const struct stoa_json *options; /* ways of shipping to the form's country */
    stoa_str key;                    /* idempotency key of this showing */
};

bool pending_read(struct stoa_req *req, struct pending *ret)
{
    stoa_str token = stoa_req_cookie(req, "order"), number = stoa_str_cut(&token, '.');

    *ret = (struct pending){number, token};
    return number.len > 0 && number.len <= 32 && token.len > 0 && token.len <= 64;
}

stoa_err pending_keep(struct stoa_req *req, const struct pending *pending)
{
    return stoa_reply_cookie(
        req, "order",
        stoa_concat(stoa_req_arena(req), pending->number, STOA_STR("."), pending->token),
        PENDING_AGE_S);
}

stoa_str pending_path(struct stoa_arena *arena, const struct pending *pending)
{
    return stoa_concat(arena, STOA_STR("/orders/"), stoa_url_encode(arena, pending->number),
                       STOA_STR("?token="), stoa_url_encode(arena, pending->token));
}

/* ---- Showing the form ---- */

static stoa_err quote(struct checkout *c)
{
    struct stoa_json *body = stoa_json_object(c->arena), *address = stoa_json_object(c->arena);
    stoa_str country = stoa_json_str(c->form, "country");
    struct stoa_call call = {.plugin = "shipping",
                             .method = STOA_POST,
                             .path = STOA_STR("/api/v1/shipping/quotes"),
                             .body = body,
                             .headers =
                                 STOA_FIELDS(stoa_f("x-cart-token", stoa_s(c->basket.token)))};
    struct stoa_answer answer;

    stoa_json_set_str(address, "country", country.len ? country : STOA_STR(COUNTRY));
    stoa_json_set_str(address, "postal_code", stoa_json_str(c->form, "postal_code"));
    stoa_json_set_str(body, "cart_id", c->basket.id);
    stoa_json_set(body, "address", address);
    STOA_TRY(stoa_call(c->req, &call, &answer));
    if (answer.status != 200)
        return answer.status == 422 ? STOA_OK : page_error_of(&answer);
    c->options = stoa_json_get(answer.json, "items");
    return STOA_OK;
}

/* The option the form names, else the first. NULL: nothing is shipped there. */
static const struct stoa_json *chosen_option(const struct checkout *c)
{
    stoa_str name = stoa_json_str(c->form, "shipping_option");
    const struct stoa_json *o = stoa_json_first(c->options);

    for (; o; o = stoa_json_next(o))
        if (stoa_str_eq(stoa_json_str(o, "option"), name))
            return o;
    return stoa_json_first(c->options);
}

/* The cart's total without the shipping that it guesses. */
static stoa_err base_total(const struct checkout *c, stoa_money *ret)
{
    stoa_money total, shipping;

    STOA_TRY(stoa_json_money(c->cart, "total", &total));
    if (stoa_json_money(c->cart, "shipping.price", &shipping) == STOA_OK)
        STOA_TRY(stoa_money_sub(total, shipping, &total));
    *ret = total;
    return STOA_OK;
}

static stoa_err set_options(const struct checkout *c, struct stoa_json *data)
{
    const struct stoa_json *chosen = chosen_option(c), *o = stoa_json_first(c->options);
    struct stoa_json *list = stoa_json_array(c->arena);
    stoa_money base, price, total;

    STOA_TRY(base_total(c, &base));
    stoa_json_set_money(data, "base_total", base);
    stoa_json_set_money(data, "order_total", base);
    for (; o; o = stoa_json_next(o)) {
        struct stoa_json *copy = stoa_json_push(list, stoa_json_copy(c->arena, o));

        STOA_TRY(stoa_json_money(o, "price", &price));
        STOA_TRY(stoa_money_add(base, price, &total));
        stoa_json_set_money(copy, "total", total);
        stoa_json_set_bool(copy, "checked", o == chosen);
        if (o != chosen)
            continue;
        stoa_json_set_money(data, "order_total", total);
        stoa_json_set_money(data, "order_shipping", price);
    }
    stoa_json_set(data, "shipping_options", list);
    return STOA_OK;
}

static stoa_err show_form(struct checkout *c, int32_t status, stoa_str message,
                          const struct form_errors *errors)
{
    struct page_head head = {.title = STOA_STR("Checkout")};
    struct stoa_json *data;

    STOA_TRY(quote(c));
    STOA_TRY(page_begin(c->req, &head, &data));
    STOA_TRY(set_options(c, data));
    stoa_json_set(data, "cart", stoa_json_copy(c->arena, c->cart));
    stoa_json_set(data, "form", stoa_json_copy(c->arena, c->form));
    stoa_json_set_int(data, "email_max", STOA_EMAIL_MAX);
    stoa_json_set(data, "countries",
                  checkout_countries(c->arena, stoa_json_str(c->form, "country")));
    stoa_json_set(data, "payments", checkout_payments(c->arena, stoa_json_str(c->form, "payment")));
    stoa_json_set_str(data, "key", c->key);
    stoa_json_set_str(data, "message", message);
    form_errors_into(errors, data);
    return page_send(c->req, status, "checkout", data);
}

/* The form again, with a key of its own: it will be another try. */
static stoa_err show_again(struct checkout *c, int32_t status, stoa_str message,
                           const struct form_errors *errors)
{
    c->key = stoa_token_new(c->req);
    return show_form(c, status, message, errors);
}

/* A customer's own data save typing. */
static void prefill(struct stoa_req *req, struct stoa_json *form)
{
    const struct stoa_json *me;

    if (stoa_req_identity(req)->user_id.len == 0 ||
        page_fetch(req, "user", STOA_STR("/api/v1/users/me"), &me) != STOA_OK)
        return;
    stoa_json_set_str(form, "email", stoa_json_str(me, "email"));
    stoa_json_set_str(form, "name", stoa_json_str(me, "name"));
}

/* false: there is nothing to order, and the reply sends the shopper to the cart. */
static stoa_err begin(struct stoa_req *req, struct checkout *c, bool *ret)
{
    *c = (struct checkout){.req = req, .arena = stoa_req_arena(req)};
    basket_read(req, &c->basket);
    STOA_TRY(basket_fetch(req, &c->basket, &c->cart));
    *ret = c->cart && stoa_json_count(stoa_json_get(c->cart, "lines")) > 0;
    return *ret ? STOA_OK : stoa_reply_redirect(req, STOA_STR("/cart"));
}

static stoa_err show(struct stoa_req *req)
{
    struct stoa_json *form = stoa_json_object(stoa_req_arena(req));
    struct form_errors errors;
    stoa_str message = STOA_STR("");
    struct checkout c;
    bool has_cart;

    STOA_TRY(begin(req, &c, &has_cart));
    if (!has_cart)
        return STOA_OK;
    if (stoa_str_is(stoa_req_query(req, "notice"), "declined"))
        message = STOA_STR("The payment was not completed, and you were not charged.");
    stoa_json_set_str(form, "country", STOA_STR(COUNTRY));
    stoa_json_set_str(form, "payment", STOA_STR("tok_ok"));
    prefill(req, form);
    c.form = form;
    form_errors_init(&errors, c.arena);
    return show_again(&c, 200, message, &errors);
}

/* GET /checkout */
stoa_err checkout_show(struct stoa_req *req, void *self)
{
    return page_finish(req, show(req));
}

/* ---- Placing the order ---- */

static stoa_err call_checkout(struct checkout *c, int64_t shown_total, struct stoa_answer *ret)
{
    struct stoa_json *body = checkout_body(c->arena, c->form);
    struct stoa_call call = {.plugin = "order",
                             .method = STOA_POST,
                             .path = STOA_STR("/api/v1/checkouts"),
                             .body = body,
                             .headers =
                                 STOA_FIELDS(stoa_f("idempotency-key", stoa_s(c->key)),
                                             stoa_f("x-cart-token", stoa_s(c->basket.token)))};

    stoa_json_set_str(body, "cart_id", c->basket.id);
    stoa_json_set_money(body, "expected_total",
                        stoa_money_of(shown_total, stoa_shop_currency(c->req)));
    for (uint32_t waits = 0;; waits++) {
        STOA_TRY(stoa_call(c->req, &call, ret));
        if (ret->status != 409 || waits == WAITS_MAX ||
            !stoa_str_is(stoa_json_str(ret->json, "code"), "IN_FLIGHT"))
            return STOA_OK;
        STOA_TRY(stoa_sleep(c->req, WAIT_MS)); /* the first press of the button is still at work */
    }
}

static stoa_err placed(struct checkout *c, const struct stoa_answer *answer)
{
    struct pending order = {stoa_json_str(answer->json, "order.number"),
                            stoa_json_str(answer->json, "order.token")};
    stoa_str next = stoa_json_str(answer->json, "payment.next_action.url");

    if (answer->status == 202 && next.len > 1 && next.ptr[0] == '/' && next.ptr[1] != '/') {
        STOA_TRY(stoa_reply_redirect(c->req, next));
        return pending_keep(c->req, &order); /* the cart stays until the payment is done */
    }
    STOA_TRY(stoa_reply_redirect(c->req, pending_path(c->arena, &order)));
    STOA_TRY(pending_keep(c->req, &order));
    return basket_forget(c->req);
}

/* The cart has an order that is still being paid (the buyer came back from the second step), or has
 * changed meanwhile. */
static stoa_err ordered_already(struct checkout *c)
{
    struct pending order;

    if (stoa_json_str(c->cart, "order_id").len > 0 && pending_read(c->req, &order))
        return stoa_reply_redirect(c->req, pending_path(c->arena, &order));
    return stoa_reply_redirect(c->req, STOA_STR("/cart?notice=changed"));
}

static stoa_err refused(struct checkout *c, const struct stoa_answer *answer,
                        struct form_errors *errors)
{
    stoa_str code = stoa_json_str(answer->json, "code");
    stoa_str detail = stoa_json_str(answer->json, "detail");

    if (answer->status == 402)
        return show_again(c, 402,
                          STOA_STR("The payment was declined, and you were not charged. "
                                   "Please choose another way to pay."),
                          errors);
    if (stoa_str_is(code, "PRICE_CHANGED"))
        return stoa_reply_redirect(c->req, STOA_STR("/cart?notice=price_changed"));
    if (stoa_str_is(code, "SOLD_OUT"))
        return stoa_reply_redirect(c->req, STOA_STR("/cart?notice=sold_out"));
    if (answer->status == 409 || answer->status == 404)
        return ordered_already(c);
    if (stoa_str_is(code, "KEY_REUSED"))
        return show_again(c, 422,
                          STOA_STR("You changed this form after sending it. Please check it and "
                                   "order again."),
                          errors);
    if (answer->status == 422) {
        form_errors_take(errors, answer->json);
        return show_again(c, 422,
                          stoa_json_count(errors->list) == 0 && detail.len > 0
                              ? detail
                              : STOA_STR("Please check what you entered."),
                          errors);
    }
    return page_error_of(answer);
}

/* When it is not known what became of the order, the same key must come again. */
static stoa_err show_unknown(struct checkout *c, const struct form_errors *errors)
{
    return show_form(c, 503,
                     STOA_STR("We could not finish your order just now. Press the button once "
                              "more: you will not be charged twice."),
                     errors);
}

/* Shipping may cost something else in the country that was entered than in the one that was shown.
 */
static bool shipping_is_as_shown(const struct checkout *c)
{
    stoa_str name = stoa_json_str(c->form, "shipping_option");
    const struct stoa_json *o = chosen_option(c);
    int64_t shown;
    stoa_money price;

    return o && stoa_str_eq(stoa_json_str(o, "option"), name) &&
           stoa_json_money(o, "price", &price) == STOA_OK &&
           checkout_shown_price(c->form, name, &shown) == STOA_OK && shown == price.minor;
}

static stoa_err place(struct checkout *c)
{
    struct form_errors errors;
    struct stoa_answer answer = {0};
    int64_t shown_total = 0;
    stoa_err err;

    form_errors_init(&errors, c->arena);
    if (stoa_str_is(stoa_json_str(c->form, "action"), "update"))
        return show_again(c, 200, STOA_STR(""), &errors);
    checkout_check(&errors, c->form);
    if (stoa_json_count(errors.list) > 0)
        return show_again(c, 422, STOA_STR("Please check what you entered."), &errors);
    STOA_TRY(quote(c));
    if (!shipping_is_as_shown(c) || checkout_shown_total(c->form, &shown_total) != STOA_OK)
        return show_again(c, 409,
                          STOA_STR("Shipping to this address has another price. Please check "
                                   "the total and order again."),
                          &errors);
    err = call_checkout(c, shown_total, &answer);
    if (err != STOA_OK || answer.status >= 500)
        return show_unknown(c, &errors);
    if (answer.status == 201 || answer.status == 202)
        return placed(c, &answer);
    return refused(c, &answer, &errors);
}

static stoa_err send(struct stoa_req *req)
{
    struct checkout c;
    bool has_cart;

    STOA_TRY(begin(req, &c, &has_cart));
    if (!has_cart)
        return STOA_OK;
    c.form = stoa_req_form_json(req);
    c.key = stoa_json_str(c.form, "key");
    if (!c.form)
        return STOA_E_BAD_REQUEST;
    if (c.key.len == 0 || c.key.len > 64)
        c.key = stoa_token_new(req);
    return place(&c);
}

/* POST /checkout */
stoa_err checkout_place(struct stoa_req *req, void *self)
{
    return page_finish(req, send(req));
}
