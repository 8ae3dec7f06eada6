/* cart.c: the cart's page and the forms that change it. Each POST ends in a 303 to the page, so
 * that reloading repeats nothing. SPDX-License-Identifier: Apache-2.0 */
#include "storefront.h"

enum { QUANTITY_MAX = 99 };

/* What /cart?notice=… says. Only these: the address is not a place to put words into our mouth. */
static const struct notice {
    const char *name, *text;
} notices[] = {
    {"added", "Added to your cart."},
    {"price_changed", "A price has changed since you last looked. Please check your cart."},
    {"sold_out", "Someone was faster: part of your cart is sold out. You were not charged."},
    {"limit", "There are not that many pieces left."},
    {"gone", "This article is no longer for sale."},
    {"changed", "Your cart has changed in the meantime. Please check it."},
    {"failed", "That did not work. Please try again."},
};

static stoa_str notice_text(stoa_str name)
{
    for (uint32_t i = 0; i < sizeof notices / sizeof notices[0]; i++)
        if (stoa_str_is(name, notices[i].name))
            return stoa_str_of(notices[i].text);
    return STOA_STR("");
}

/* The catalogue's pictures for the lines: the cart's own answer has none. One statement. */
static stoa_err add_images(struct stoa_req *req, const struct stoa_json *cart,
                           struct stoa_json *data)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    struct stoa_json *question = stoa_json_object(arena), *lines = stoa_json_array(arena);
    struct stoa_json *images = stoa_json_object(arena);
    const struct stoa_json *l = stoa_json_first(stoa_json_get(cart, "lines"));
    struct stoa_answer answer;

    stoa_json_set(data, "images", images);
    if (!l)
        return STOA_OK;
    for (; l; l = stoa_json_next(l))
        stoa_json_push(lines, stoa_json_fields(
                                  arena, STOA_FIELDS(stoa_f("sku", stoa_s(stoa_json_str(l, "sku"))),
                                                     stoa_f("quantity", stoa_i(1)))));
    stoa_json_set(question, "lines", lines);
    STOA_TRY(
        stoa_call_post(req, "product", STOA_STR("/internal/product/quote"), question, &answer));
    for (l = stoa_json_first(stoa_json_get(answer.json, "items")); l; l = stoa_json_next(l))
        stoa_json_set_str(images, stoa_cstr(arena, stoa_json_str(l, "sku")),
                          page_image(req, stoa_json_str(l, "image")));
    return STOA_OK;
}

static stoa_err show(struct stoa_req *req)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    struct page_head head = {.title = STOA_STR("Your cart")};
    const struct stoa_json *cart;
    struct basket basket;
    struct stoa_json *data;

    basket_read(req, &basket);
    STOA_TRY(basket_fetch(req, &basket, &cart));
    STOA_TRY(page_begin(req, &head, &data));
    stoa_json_set_str(data, "notice", notice_text(stoa_req_query(req, "notice")));
    stoa_json_set_int(data, "quantity_max", QUANTITY_MAX);
    if (cart) {
        STOA_TRY(add_images(req, cart, data));
        stoa_json_set(data, "cart", stoa_json_copy(arena, cart));
    }
    STOA_TRY(page_send(req, 200, "cart", data));
    if (basket.id.len > 0 && !cart)
        return basket_forget(req);
    return STOA_OK;
}

/* GET /cart */
stoa_err cart_show(struct stoa_req *req, void *self)
{
    return page_finish(req, show(req));
}

static stoa_err back(struct stoa_req *req, const char *notice)
{
    return stoa_reply_redirect(
        req, stoa_concat(stoa_req_arena(req), STOA_STR("/cart?notice="), stoa_str_of(notice)));
}

/* What a refused change means to the shopper. */
static const char *notice_of(const struct stoa_answer *answer)
{
    stoa_str code = stoa_json_str(answer->json, "code");

    if (stoa_str_is(code, "SOLD_OUT") || stoa_str_is(code, "RANGE"))
        return "limit";
    if (answer->status == 404 || stoa_str_is(code, "INVALID"))
        return "gone";
    if (answer->status == 409)
        return "changed";
    return "failed";
}

static stoa_err create(struct stoa_req *req, struct basket *ret)
{
    struct stoa_answer answer;

    STOA_TRY(stoa_call_post(req, "order", STOA_STR("/api/v1/carts"),
                            stoa_json_object(stoa_req_arena(req)), &answer));
    if (answer.status != 201)
        return page_error_of(&answer);
    *ret = (struct basket){stoa_json_str(answer.json, "id"), stoa_json_str(answer.json, "token")};
    return STOA_OK;
}

static stoa_err add_line(struct stoa_req *req, const struct basket *basket, int64_t quantity,
                         struct stoa_answer *ret)
{
    struct stoa_fields line = STOA_FIELDS(stoa_f("sku", stoa_s(stoa_req_form(req, "sku"))),
                                          stoa_f("quantity", stoa_i(quantity)));
    struct stoa_call call = {.method = STOA_POST,
                             .path = STOA_STR("/lines"),
                             .body = stoa_json_fields(stoa_req_arena(req), line)};

    return basket_call(req, basket, &call, ret);
}

/* A cart that is gone or was ordered is no reason to refuse the next purchase. Asked of the cart
 * itself: a refusal may be about the article, and then the cart must not be lost. */
static stoa_err is_used_up(struct stoa_req *req, const struct basket *basket,
                           const struct stoa_answer *answer, bool *ret)
{
    const struct stoa_json *cart;

    *ret = false;
    if (answer->status != 403 && answer->status != 404 && answer->status != 409)
        return STOA_OK;
    STOA_TRY(basket_fetch(req, basket, &cart));
    *ret = !cart || stoa_json_str(cart, "order_id").len > 0;
    return STOA_OK;
}

static stoa_err add(struct stoa_req *req)
{
    int64_t quantity = 1;
    struct stoa_answer answer;
    struct basket basket;
    bool is_new = !basket_read(req, &basket), is_gone;

    if (stoa_str_int(stoa_req_form(req, "quantity"), 1, QUANTITY_MAX, &quantity) != STOA_OK)
        quantity = 1;
    if (is_new)
        STOA_TRY(create(req, &basket));
    STOA_TRY(add_line(req, &basket, quantity, &answer));
    STOA_TRY(is_used_up(req, &basket, &answer, &is_gone));
    if (is_gone) {
        STOA_TRY(create(req, &basket));
        STOA_TRY(add_line(req, &basket, quantity, &answer));
    }
    if (answer.status >= 300)
        return back(req, notice_of(&answer));
    STOA_TRY(back(req, "added"));
    return basket_keep(req, &basket, answer.json);
}

/* POST /cart/add sku, quantity */
stoa_err cart_add(struct stoa_req *req, void *self)
{
    return page_finish(req, add(req));
}

/* PATCH or DELETE of one line. */
static stoa_err change(struct stoa_req *req, struct stoa_call *call)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    struct stoa_answer answer;
    struct basket basket;

    if (!basket_read(req, &basket))
        return stoa_reply_redirect(req, STOA_STR("/cart"));
    call->path =
        stoa_concat(arena, STOA_STR("/lines/"), stoa_url_encode(arena, stoa_req_form(req, "line")));
    STOA_TRY(basket_call(req, &basket, call, &answer));
    if (answer.status >= 300)
        return back(req, notice_of(&answer));
    STOA_TRY(stoa_reply_redirect(req, STOA_STR("/cart")));
    return answer.json ? basket_keep(req, &basket, answer.json) : STOA_OK;
}

static stoa_err change_quantity(struct stoa_req *req)
{
    struct stoa_call call = {.method = STOA_PATCH};
    int64_t quantity;

    if (stoa_str_int(stoa_req_form(req, "quantity"), 0, QUANTITY_MAX, &quantity) != STOA_OK)
        return back(req, "limit");
    if (quantity == 0)
        call.method = STOA_DELETE;
    else
        call.body = stoa_json_fields(stoa_req_arena(req),
                                     STOA_FIELDS(stoa_f("quantity", stoa_i(quantity))));
    return change(req, &call);
}

/* POST /cart/change line, quantity */
stoa_err cart_change(struct stoa_req *req, void *self)
{
    return page_finish(req, change_quantity(req));
}

/* POST /cart/remove line */
stoa_err cart_remove(struct stoa_req *req, void *self)
{
    struct stoa_call call = {.method = STOA_DELETE};

    return page_finish(req, change(req, &call));
}
