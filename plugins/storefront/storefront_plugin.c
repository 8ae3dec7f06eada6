/* storefront_plugin.c: everything the host sees of the plugin: the shop's pages. It has no tables;
 * what it shows it asks of the other plugins. SPDX-License-Identifier: Apache-2.0 */
#include "storefront.h"

STOA_MANIFEST("storefront", "1.0.0",
              "cache render call:product call:order call:user call:shipping call:payment"
              " internal:product");

static stoa_err storefront_create(const struct stoa_settings *set, struct stoa_instance *in,
                                  void **ret)
{
    struct storefront *s = stoa_new(stoa_instance_arena(in), struct storefront);

    s->page_ms = stoa_setting_int(set, "page_ms");
    *ret = s;
    return STOA_OK;
}

/* clang-format off: a table reads by its columns */
STOA_PLUGIN(
        .settings = STOA_SETTINGS(
            {"theme", STOA_SET_STRING, .otherwise = "aurora",
             .help = "Folder below themes/ that draws the pages"},
            {"page_ms", STOA_SET_INT, .otherwise = "60000", .max = 86400000,
             .help = "How long a page that is the same for everyone may be kept; 0 keeps none"}),
        .routes = STOA_ROUTES(
            {STOA_GET, .path = "/", .handler = pages_home, .permit = STOA_ANYONE},
            {STOA_GET, .path = "/categories/{slug}", .handler = pages_category,
             .permit = STOA_ANYONE},
            {STOA_GET, .path = "/search", .handler = pages_search, .permit = STOA_ANYONE},
            {STOA_GET, .path = "/products/{slug}", .handler = pages_product, .permit = STOA_ANYONE},
            {STOA_GET, .path = "/cart", .handler = cart_show, .permit = STOA_ANYONE},
            {STOA_POST, .path = "/cart/add", .handler = cart_add, .permit = STOA_ANYONE,
             .flags = STOA_ROUTE_FORM, .body_max = 4096},
            {STOA_POST, .path = "/cart/change", .handler = cart_change, .permit = STOA_ANYONE,
             .flags = STOA_ROUTE_FORM, .body_max = 4096},
            {STOA_POST, .path = "/cart/remove", .handler = cart_remove, .permit = STOA_ANYONE,
             .flags = STOA_ROUTE_FORM, .body_max = 4096},
            {STOA_GET, .path = "/checkout", .handler = checkout_show, .permit = STOA_ANYONE},
            {STOA_POST, .path = "/checkout", .handler = checkout_place, .permit = STOA_ANYONE,
             .flags = STOA_ROUTE_FORM, .body_max = 16384, .timeout_ms = 30000},
            {STOA_GET, .path = "/checkout/confirm", .handler = confirm_show, .permit = STOA_ANYONE},
            {STOA_POST, .path = "/checkout/confirm", .handler = confirm_send, .permit = STOA_ANYONE,
             .flags = STOA_ROUTE_FORM, .body_max = 4096, .timeout_ms = 30000},
            {STOA_GET, .path = "/orders/{number}", .handler = order_show, .permit = STOA_ANYONE},
            {STOA_GET, .path = "/login", .handler = login_show, .permit = STOA_ANYONE},
            {STOA_POST, .path = "/login", .handler = login_send, .permit = STOA_ANYONE,
             .flags = STOA_ROUTE_FORM, .body_max = 4096},
            {STOA_GET, .path = "/register", .handler = register_show, .permit = STOA_ANYONE},
            {STOA_POST, .path = "/register", .handler = register_send, .permit = STOA_ANYONE,
             .flags = STOA_ROUTE_FORM, .body_max = 4096},
            {STOA_POST, .path = "/logout", .handler = logout_send, .permit = STOA_ANYONE,
             .flags = STOA_ROUTE_FORM, .body_max = 1024},
            {STOA_GET, .path = "/account", .handler = account_page, .permit = STOA_ANYONE},
            {STOA_GET, .path = "/assets/{name*}", .handler = misc_asset, .permit = STOA_ANYONE,
             .flags = STOA_ROUTE_IMPERSONAL},
            {STOA_GET, .path = "/favicon.ico", .handler = misc_icon, .permit = STOA_ANYONE,
             .flags = STOA_ROUTE_IMPERSONAL},
            {STOA_GET, .path = "/robots.txt", .handler = misc_robots, .permit = STOA_ANYONE,
             .flags = STOA_ROUTE_IMPERSONAL},
            {STOA_GET, .path = "/{page}", .handler = misc_not_found, .permit = STOA_ANYONE,
             .flags = STOA_ROUTE_IMPERSONAL}),
        .create = storefront_create);
/* clang-format on */
