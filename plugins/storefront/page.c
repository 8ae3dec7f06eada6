/* page.c: what all pages have in common: the head, the navigation, the cart badge, and pages that
 * are kept as bytes. SPDX-License-Identifier: Apache-2.0 */
#include "storefront.h"

enum { NAVIGATION_MS = 60000 };

stoa_err page_error_of(const struct stoa_answer *answer)
{
    switch (answer->status) {
    case 400:
    case 422:
        return STOA_E_INVALID;
    case 401:
        return STOA_E_AUTH;
    case 403:
        return STOA_E_FORBIDDEN;
    case 404:
        return STOA_E_NOT_FOUND;
    case 409:
        return STOA_E_CONFLICT;
    case 429:
        return STOA_E_RATE;
    case 503:
        return STOA_E_BUSY;
    default:
        return STOA_E_UPSTREAM;
    }
}

stoa_err page_fetch(struct stoa_req *req, const char *plugin, stoa_str path,
                    const struct stoa_json **ret)
{
    struct stoa_answer answer;

    STOA_TRY(stoa_call_get(req, plugin, path, &answer));
    if (answer.status != 200 || !answer.json)
        return page_error_of(&answer);
    *ret = answer.json;
    return STOA_OK;
}

stoa_str page_image(struct stoa_req *req, stoa_str image)
{
    stoa_str folder = STOA_STR("/assets/"), path;

    if (!stoa_str_starts(image, folder))
        return image;
    path = stoa_asset_path(req, stoa_str_sub(image, folder.len, image.len));
    return path.len ? path : image;
}

struct stoa_json *page_product(struct stoa_req *req, const struct stoa_json *product)
{
    struct stoa_json *copy = stoa_json_copy(stoa_req_arena(req), product);

    stoa_json_set_str(copy, "image", page_image(req, stoa_json_str(product, "image")));
    return copy;
}

struct stoa_json *page_products(struct stoa_req *req, const struct stoa_json *products)
{
    struct stoa_json *list = stoa_json_array(stoa_req_arena(req));
    const struct stoa_json *p = stoa_json_first(products);

    for (; p; p = stoa_json_next(p))
        stoa_json_push(list, page_product(req, p));
    return list;
}

/* The categories of the menu. It is on every page, so a copy is kept for the rare page that is not.
 */
static stoa_err navigation(struct stoa_req *req, struct stoa_json **ret)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    stoa_str key = STOA_STR("navigation"), kept;
    const struct stoa_json *list = NULL;
    struct stoa_buf buf;

    if (stoa_cache_get(req, key, &kept) == STOA_OK &&
        stoa_json_parse(arena, kept, NULL, &list) == STOA_OK) {
        *ret = stoa_json_copy(arena, list);
        return STOA_OK;
    }
    STOA_TRY(page_fetch(req, "product", STOA_STR("/api/v1/categories"), &list));
    list = stoa_json_get(list, "items");
    stoa_buf_init(&buf, arena, 1024);
    stoa_json_format(list, &buf);
    stoa_cache_put(req, key, stoa_buf_str(&buf), NAVIGATION_MS, STOA_STR("catalogue"));
    *ret = stoa_json_copy(arena, list);
    return STOA_OK;
}

void page_set_head(struct stoa_req *req, struct stoa_json *data, const struct page_head *head)
{
    struct stoa_arena *arena = stoa_req_arena(req);

    stoa_json_set_str(data, "page_title", head->title);
    stoa_json_set_str(data, "canonical_url",
                      head->path.len ? stoa_concat(arena, stoa_shop_url(req), head->path)
                                     : STOA_STR(""));
    stoa_json_set_str(data, "head_html",
                      head_html(arena, head, stoa_shop_url(req), stoa_shop_name(req)));
}

static void set_shop(struct stoa_req *req, struct stoa_json *data)
{
    struct stoa_arena *arena = stoa_req_arena(req);

    stoa_json_set(
        data, "shop",
        stoa_json_fields(arena, STOA_FIELDS(stoa_f("name", stoa_s(stoa_shop_name(req))),
                                            stoa_f("url", stoa_s(stoa_shop_url(req))),
                                            stoa_f("currency", stoa_z(stoa_shop_currency(req))))));
    stoa_json_set(data, "request",
                  stoa_json_fields(arena, STOA_FIELDS(stoa_f("path", stoa_s(stoa_req_path(req))))));
}

stoa_err page_begin(struct stoa_req *req, const struct page_head *head, struct stoa_json **ret)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    struct stoa_json *data = stoa_json_object(arena), *categories;
    int64_t count = basket_count(req);

    STOA_TRY(navigation(req, &categories));
    set_shop(req, data);
    stoa_json_set(data, "categories", categories);
    stoa_json_set_int(data, "cart_count", count);
    stoa_json_set_str(data, "cart_badge_html", badge_html(arena, count));
    page_set_head(req, data, head);
    *ret = data;
    return STOA_OK;
}

/* These pages show what is one visitor's own: no browser or proxy may keep them. */
stoa_err page_send(struct stoa_req *req, int32_t status, const char *page,
                   const struct stoa_json *data)
{
    STOA_TRY(stoa_reply_page(req, status, page, data));
    return stoa_reply_header(req, "cache-control", STOA_STR("no-store"));
}

static stoa_err send_bytes(struct stoa_req *req, stoa_str bytes)
{
    int64_t count = basket_count(req);

    return stoa_reply(req, 200, "text/html; charset=utf-8",
                      count ? badge_fill(stoa_req_arena(req), bytes, count) : bytes);
}

stoa_err page_send_copy(struct stoa_req *req, stoa_str key)
{
    stoa_str bytes;

    STOA_TRY(stoa_cache_get(req, key, &bytes));
    return send_bytes(req, bytes);
}

stoa_err page_send_kept(struct stoa_req *req, const struct page_copy *copy, const char *page,
                        struct stoa_json *data)
{
    stoa_str bytes;

    stoa_json_set_int(data, "cart_count", 0);
    stoa_json_set_str(data, "cart_badge_html", STOA_STR(BADGE_SLOT));
    STOA_TRY(stoa_render(req, page, data, &bytes));
    if (copy->keep_ms > 0 && copy->key.len > 0 && copy->key.len <= 200)
        stoa_cache_put(req, copy->key, bytes, copy->keep_ms, copy->tags);
    return send_bytes(req, bytes);
}

static stoa_err error_page(struct stoa_req *req, stoa_err err)
{
    struct page_head head = {.title = stoa_str_of(stoa_err_text(err))};
    int32_t status = stoa_err_status(err);
    struct stoa_json *data;

    STOA_TRY(page_begin(req, &head, &data));
    stoa_json_set_int(data, "status", status);
    stoa_json_set_str(data, "message", head.title);
    stoa_json_set_str(data, "request_id", stoa_req_id(req));
    return page_send(req, status, "error", data);
}

/* When even the error page cannot be made, the host's own answer has to do. */
stoa_err page_finish(struct stoa_req *req, stoa_err err)
{
    if (err == STOA_OK)
        return STOA_OK;
    if (stoa_err_status(err) >= 500)
        stoa_log(req, STOA_WARN, "page failed",
                 STOA_FIELDS(stoa_f("error", stoa_z(stoa_err_name(err)))));
    return error_page(req, err) == STOA_OK ? STOA_OK : err;
}
