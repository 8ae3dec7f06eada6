/* storefront.h: what the files of this plugin share. SPDX-License-Identifier: Apache-2.0 */
#ifndef STOREFRONT_STOREFRONT_H
#define STOREFRONT_STOREFRONT_H

#include <stoa/stoa.h>

/* One instance. */
struct storefront {
    int64_t page_ms; /* 0: pages are not kept */
};

/* ---- page.c: what all pages have in common ---- */

struct page_head {
    stoa_str title;       /* of the page, without the shop's name */
    stoa_str description; /* empty: none */
    stoa_str path;        /* canonical, with its query; empty: not for search engines */
    stoa_str image;       /* path of a picture to share; empty: none */
    stoa_str json_ld;     /* an object as text; empty: none */
    int32_t refresh_s;    /* 0: the page does not load itself again */
};
/* An object with what layouts see: shop, request, page_title, canonical_url, head_html, categories,
 * cart_count, cart_badge_html. */
STOA_NODISCARD stoa_err page_begin(struct stoa_req *req, const struct page_head *head,
                                   struct stoa_json **ret);
/* Another head, once the page knows what it shows. */
void page_set_head(struct stoa_req *req, struct stoa_json *data, const struct page_head *head);
/* Renders for this visitor only. */
stoa_err page_send(struct stoa_req *req, int32_t status, const char *page,
                   const struct stoa_json *data);
/* Where a page is kept: a key of this plugin, at most 200 bytes, and tags. */
struct page_copy {
    stoa_str key, tags;
    int64_t keep_ms; /* 0: not at all */
};
/* Renders, keeps the bytes, and sends them. */
stoa_err page_send_kept(struct stoa_req *req, const struct page_copy *copy, const char *page,
                        struct stoa_json *data);
/* Sends a kept page, with the visitor's cart badge in its slot. STOA_E_NOT_FOUND: not kept. */
STOA_NODISCARD stoa_err page_send_copy(struct stoa_req *req, stoa_str key);
/* What a page's handler returns: an error becomes a page that people can read. */
stoa_err page_finish(struct stoa_req *req, stoa_err err);
/* Answers 200 of GET path as JSON; the answer's own status as an error otherwise. */
STOA_NODISCARD stoa_err page_fetch(struct stoa_req *req, const char *plugin, stoa_str path,
                                   const struct stoa_json **ret);
/* A picture's address; one that belongs to the theme gets its hashed name, which browsers keep. */
stoa_str page_image(struct stoa_req *req, stoa_str image);
/* A product or an array of products for a page: a copy with page_image()s. */
struct stoa_json *page_product(struct stoa_req *req, const struct stoa_json *product);
struct stoa_json *page_products(struct stoa_req *req, const struct stoa_json *products);
/* What stands for an answer that is no success. */
stoa_err page_error_of(const struct stoa_answer *answer);

/* ---- head.c: what search engines read; pure ---- */

/* HTML for the <head>: description, canonical link, Open Graph, JSON-LD. */
stoa_str head_html(struct stoa_arena *arena, const struct page_head *head, stoa_str shop_url,
                   stoa_str shop_name);
/* JSON-LD of a product as the API shows it. */
stoa_str head_product(struct stoa_arena *arena, const struct stoa_json *product, stoa_str shop_url);
/* Appends s with & < > " ' as entities. */
void head_escape(struct stoa_buf *buf, stoa_str s);
/* "19.99": what schema.org wants for a price. */
stoa_str head_price(struct stoa_arena *arena, stoa_money price);

/* ---- badge.c: the cart badge, the one part of a kept page that differs; pure ---- */

#define BADGE_SLOT "<!--cart-badge-->"
/* HTML of the badge; empty for none. */
stoa_str badge_html(struct stoa_arena *arena, int64_t count);
/* The page with the slot filled. The page itself when count is 0 or there is no slot. */
stoa_str badge_fill(struct stoa_arena *arena, stoa_str page, int64_t count);

/* ---- basket.c: the shopper's cart, as the cookie and the order plugin know it ---- */

struct basket {
    stoa_str id, token; /* empty: none yet */
};
/* What the cookie says; false without one or with a broken one. */
bool basket_read(struct stoa_req *req, struct basket *ret);
/* "<id>.<token>" taken apart; pure. */
bool basket_parse(stoa_str cookie, struct basket *ret);
/* Pieces, as the last page that changed the cart knew it: for the badge only. */
int64_t basket_count(struct stoa_req *req);
/* Sets both cookies. cart: as the API shows it. */
stoa_err basket_keep(struct stoa_req *req, const struct basket *basket,
                     const struct stoa_json *cart);
/* Removes both cookies. */
stoa_err basket_forget(struct stoa_req *req);
/* One call to the order plugin with the cart's token. path follows /api/v1/carts. */
STOA_NODISCARD stoa_err basket_call(struct stoa_req *req, const struct basket *basket,
                                    const struct stoa_call *call, struct stoa_answer *ret);
/* The cart, or *ret = NULL when there is none (any more). */
STOA_NODISCARD stoa_err basket_fetch(struct stoa_req *req, const struct basket *basket,
                                     const struct stoa_json **ret);

/* ---- checkout_form.c: pure ---- */

struct checkout_field {
    const char *name, *label;
    uint64_t max;
    bool required;
};
extern const struct checkout_field checkout_fields[];
extern const uint32_t checkout_field_count;

struct form_errors {
    struct stoa_arena *arena;
    struct stoa_json *list;  /* [{"field", "message"}] for the summary */
    struct stoa_json *named; /* {"email": "…"} for the fields */
};
void form_errors_init(struct form_errors *errors, struct stoa_arena *arena);
void form_errors_add(struct form_errors *errors, stoa_str field, stoa_str message);
/* Puts both into the page's data. */
void form_errors_into(const struct form_errors *errors, struct stoa_json *data);
/* Errors of an API's problem: "errors": [{"field", "message"}], or "field" and "detail". */
void form_errors_take(struct form_errors *errors, const struct stoa_json *problem);
/* What is plainly missing or too long. form: an object of strings. */
void checkout_check(struct form_errors *errors, const struct stoa_json *form);
/* The body of POST /checkouts, without cart_id and expected_total. */
struct stoa_json *checkout_body(struct stoa_arena *arena, const struct stoa_json *form);
/* What the buyer was shown for the chosen way of shipping: base + its price. STOA_E_INVALID when
 * the form does not say. */
STOA_NODISCARD stoa_err checkout_shown_total(const struct stoa_json *form, int64_t *ret);
STOA_NODISCARD stoa_err checkout_shown_price(const struct stoa_json *form, stoa_str option,
                                             int64_t *ret);
/* [{"code", "name", "selected"}] */
/* "Germany" for "DE"; another code is its own name. */
stoa_str checkout_country_name(stoa_str code);
struct stoa_json *checkout_countries(struct stoa_arena *arena, stoa_str chosen);
/* The sandbox's ways to pay: [{"value", "label", "hint", "checked"}] */
struct stoa_json *checkout_payments(struct stoa_arena *arena, stoa_str chosen);

/* ---- routes, by file ---- */
stoa_err pages_home(struct stoa_req *req, void *self);
stoa_err pages_category(struct stoa_req *req, void *self);
stoa_err pages_search(struct stoa_req *req, void *self);
stoa_err pages_product(struct stoa_req *req, void *self);

stoa_err cart_show(struct stoa_req *req, void *self);
stoa_err cart_add(struct stoa_req *req, void *self);
stoa_err cart_change(struct stoa_req *req, void *self);
stoa_err cart_remove(struct stoa_req *req, void *self);

stoa_err checkout_show(struct stoa_req *req, void *self);
stoa_err checkout_place(struct stoa_req *req, void *self);

stoa_err confirm_show(struct stoa_req *req, void *self);
stoa_err confirm_send(struct stoa_req *req, void *self);
stoa_err order_show(struct stoa_req *req, void *self);

stoa_err login_show(struct stoa_req *req, void *self);
stoa_err login_send(struct stoa_req *req, void *self);
stoa_err register_show(struct stoa_req *req, void *self);
stoa_err register_send(struct stoa_req *req, void *self);
stoa_err logout_send(struct stoa_req *req, void *self);
stoa_err account_page(struct stoa_req *req, void *self);

stoa_err misc_asset(struct stoa_req *req, void *self);
stoa_err misc_icon(struct stoa_req *req, void *self);
stoa_err misc_robots(struct stoa_req *req, void *self);
stoa_err misc_not_found(struct stoa_req *req, void *self);

/* checkout.c, for order.c: the order that the browser is in the middle of. */
struct pending {
    stoa_str number, token;
};
bool pending_read(struct stoa_req *req, struct pending *ret);
stoa_err pending_keep(struct stoa_req *req, const struct pending *pending);
/* "/orders/<number>?token=<token>" */
stoa_str pending_path(struct stoa_arena *arena, const struct pending *pending);

#endif
