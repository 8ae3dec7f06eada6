/* order.c: the order's page for who has its token, and the sandbox's second step of paying.
 * SPDX-License-Identifier: Apache-2.0 */
#include "storefront.h"

enum { REFRESH_S = 3 };

static stoa_err fetch_order(struct stoa_req *req, const struct pending *order,
                            const struct stoa_json **ret)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    struct stoa_call call = {.plugin = "order",
                             .method = STOA_GET,
                             .path = stoa_concat(arena, STOA_STR("/api/v1/orders/"),
                                                 stoa_url_encode(arena, order->number)),
                             .headers = STOA_FIELDS(stoa_f("x-order-token", stoa_s(order->token)))};
    struct stoa_answer answer;

    if (order->token.len == 0)
        call.headers = STOA_NO_FIELDS;
    STOA_TRY(stoa_call(req, &call, &answer));
    if (answer.status != 200 || !answer.json)
        return page_error_of(&answer);
    *ret = answer.json;
    if (stoa_json_get(answer.json, "order"))
        *ret = stoa_json_get(answer.json, "order");
    return STOA_OK;
}

static bool is_waiting(const struct stoa_json *order)
{
    stoa_str state = stoa_json_str(order, "state");

    return stoa_str_is(state, "payment_pending") || stoa_str_is(state, "placed") ||
           stoa_str_is(state, "reserved");
}

static stoa_err show(struct stoa_req *req)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    struct pending which = {stoa_req_param(req, "number"), stoa_req_query(req, "token")};
    struct page_head head = {0};
    const struct stoa_json *order = NULL;
    struct stoa_json *data;

    if (which.number.len > 64 || which.token.len > 64)
        return STOA_E_NOT_FOUND;
    STOA_TRY(fetch_order(req, &which, &order));
    head.title = stoa_concat(arena, STOA_STR("Order "), stoa_json_str(order, "number"));
    head.refresh_s = is_waiting(order) ? REFRESH_S : 0;
    STOA_TRY(page_begin(req, &head, &data));
    stoa_json_set(data, "order", stoa_json_copy(arena, order));
    stoa_json_set_bool(data, "is_waiting", is_waiting(order));
    stoa_json_set_str(data, "country",
                      checkout_country_name(stoa_json_str(order, "shipping_address.country")));
    return page_send(req, 200, "order", data);
}

/* GET /orders/{number}?token= */
stoa_err order_show(struct stoa_req *req, void *self)
{
    return page_finish(req, show(req));
}

static stoa_err show_confirm(struct stoa_req *req)
{
    struct page_head head = {.title = STOA_STR("Confirm your payment")};
    stoa_str payment = stoa_req_query(req, "payment");
    struct stoa_json *data;

    if (!stoa_id_is(payment, "pay"))
        return STOA_E_NOT_FOUND;
    STOA_TRY(page_begin(req, &head, &data));
    stoa_json_set_str(data, "payment", payment);
    return page_send(req, 200, "confirm", data);
}

/* GET /checkout/confirm?payment=: where the sandbox sends the buyer for the second step. */
stoa_err confirm_show(struct stoa_req *req, void *self)
{
    return page_finish(req, show_confirm(req));
}

/* What the page says afterwards is the order's state, not the answer of the confirmation: a message
 * from the provider may have come first. */
static stoa_err after_confirm(struct stoa_req *req)
{
    const struct stoa_json *order = NULL;
    struct pending which;

    if (!pending_read(req, &which))
        return stoa_reply_redirect(req, STOA_STR("/"));
    STOA_TRY(fetch_order(req, &which, &order));
    if (stoa_str_is(stoa_json_str(order, "state"), "cancelled"))
        return stoa_reply_redirect(req, STOA_STR("/checkout?notice=declined"));
    STOA_TRY(stoa_reply_redirect(req, pending_path(stoa_req_arena(req), &which)));
    return basket_forget(req);
}

static stoa_err confirm(struct stoa_req *req)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    stoa_str payment = stoa_req_form(req, "payment");
    bool is_approved = stoa_str_is(stoa_req_form(req, "decision"), "approve");
    struct stoa_fields body = STOA_FIELDS(stoa_f("approve", stoa_b(is_approved)));
    struct stoa_answer answer;

    if (!stoa_id_is(payment, "pay"))
        return STOA_E_NOT_FOUND;
    STOA_TRY(stoa_call_post(
        req, "payment",
        stoa_concat(arena, STOA_STR("/api/v1/payments/"), payment, STOA_STR("/confirm")),
        stoa_json_fields(arena, body), &answer));
    if (answer.status >= 500 || answer.status == 404)
        return page_error_of(&answer);
    return after_confirm(req);
}

/* POST /checkout/confirm payment, decision */
stoa_err confirm_send(struct stoa_req *req, void *self)
{
    return page_finish(req, confirm(req));
}
