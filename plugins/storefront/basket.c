/* basket.c: which cart is the shopper's. The cookie holds the cart's id and its token; a second one
 * holds the number of pieces, so that the badge costs no statement. SPDX-License-Identifier:
 * Apache-2.0 */
#include "storefront.h"

enum { BASKET_AGE_S = 30 * 86400, BASKET_COUNT_MAX = 999999 };

bool basket_read(struct stoa_req *req, struct basket *ret)
{
    *ret = (struct basket){0};
    return basket_parse(stoa_req_cookie(req, "cart"), ret);
}

int64_t basket_count(struct stoa_req *req)
{
    int64_t count = 0;

    if (stoa_str_int(stoa_req_cookie(req, "items"), 0, BASKET_COUNT_MAX, &count) != STOA_OK)
        return 0;
    return count;
}

static int64_t pieces_of(const struct stoa_json *cart)
{
    const struct stoa_json *line = stoa_json_first(stoa_json_get(cart, "lines"));
    int64_t pieces = 0;

    for (; line; line = stoa_json_next(line))
        pieces += stoa_json_int(line, "quantity", 0);
    return pieces;
}

stoa_err basket_keep(struct stoa_req *req, const struct basket *basket,
                     const struct stoa_json *cart)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    stoa_str value = stoa_concat(arena, basket->id, STOA_STR("."), basket->token);

    STOA_TRY(stoa_reply_cookie(req, "cart", value, BASKET_AGE_S));
    return stoa_reply_cookie(req, "items", stoa_str_from_int(arena, pieces_of(cart)), BASKET_AGE_S);
}

stoa_err basket_forget(struct stoa_req *req)
{
    STOA_TRY(stoa_reply_cookie(req, "cart", STOA_STR(""), 0));
    return stoa_reply_cookie(req, "items", STOA_STR(""), 0);
}

stoa_err basket_call(struct stoa_req *req, const struct basket *basket,
                     const struct stoa_call *call, struct stoa_answer *ret)
{
    struct stoa_call with = *call;

    with.plugin = "order";
    with.path =
        stoa_concat(stoa_req_arena(req), STOA_STR("/api/v1/carts/"), basket->id, call->path);
    with.headers = STOA_FIELDS(stoa_f("x-cart-token", stoa_s(basket->token)));
    return stoa_call(req, &with, ret);
}

stoa_err basket_fetch(struct stoa_req *req, const struct basket *basket,
                      const struct stoa_json **ret)
{
    struct stoa_call call = {.method = STOA_GET, .path = STOA_STR("")};
    struct stoa_answer answer;

    *ret = NULL;
    if (basket->id.len == 0)
        return STOA_OK;
    STOA_TRY(basket_call(req, basket, &call, &answer));
    if (answer.status == 404 || answer.status == 403)
        return STOA_OK;
    if (answer.status != 200)
        return page_error_of(&answer);
    *ret = answer.json;
    return STOA_OK;
}
