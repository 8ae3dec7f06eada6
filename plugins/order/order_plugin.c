/* order/order_plugin.c: everything the host sees of the plugin. The logic is in cart.c (carts),
 * checkout.c and saga_run.c (the way to a paid order), orders.c, recover.c and audit.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "order.h"

STOA_MANIFEST("order", "1.0.0",
              "sql internal:product internal:payment internal:shipping internal:notification"
              " collect:cart.adjustments events:order.*");

static stoa_err order_create(const struct stoa_settings *set, struct stoa_instance *in, void **ret)
{
    struct stoa_arena *arena = stoa_instance_arena(in);
    struct order_plugin *order = stoa_new(arena, struct order_plugin);
    const struct stoa_json *classes = stoa_setting_json(set, "tax_classes");

    order->tax_bp = (int32_t)stoa_setting_int(set, "tax_percent") * 100;
    order->tax_classes = classes ? stoa_json_copy(arena, classes) : NULL;
    order->country = stoa_str_copy(arena, stoa_setting_str(set, "country"));
    order->lease_ms = stoa_setting_int(set, "lease_ms");
    order->payment_timeout_ms = stoa_setting_int(set, "payment_timeout_ms");
    order->payment_window_ms = stoa_setting_int(set, "payment_window_s") * 1000;
    order->cart_ms = stoa_setting_int(set, "cart_days") * 86400000;
    /* A driver that waits for the provider must still hold the order when the answer comes. */
    if (order->lease_ms <= order->payment_timeout_ms)
        return STOA_E_CONFIG;
    *ret = order;
    return STOA_OK;
}

/* A table reads by its columns. */
/* clang-format off */
STOA_PLUGIN(
    .settings = STOA_SETTINGS(
        {"tax_percent", STOA_SET_INT, .otherwise = "19", .max = 100,
         .help = "Tax that prices include, where a product's class has no other"},
        {"tax_classes", STOA_SET_TABLE,
         .help = "Percent by a product's tax class: { reduced = 7, none = 0 }"},
        {"country", STOA_SET_STRING, .otherwise = "DE",
         .help = "Where a cart is shipped to until its buyer says so (ISO 3166)"},
        {"cart_days", STOA_SET_INT, .otherwise = "30", .min = 1, .max = 365,
         .help = "A cart that nobody touched for so long is forgotten"},
        {"payment_window_s", STOA_SET_INT, .otherwise = "900", .min = 10, .max = 86400,
         .help = "How long a buyer has for the second step of a payment; stock is held so long"},
        {"payment_timeout_ms", STOA_SET_INT, .otherwise = "4000", .min = 100, .max = 8000,
         .help = "How long one question to the payment provider may take"},
        {"lease_ms", STOA_SET_INT, .otherwise = "6000", .min = 500, .max = 60000,
         .help = "After so long without a sign of life another takes an order over"}),
    .routes = STOA_ROUTES(
        {STOA_POST,   .path = "/api/v1/carts",                  .handler = cart_create,      .permit = STOA_ANYONE, .body_max = 4096},
        {STOA_GET,    .path = "/api/v1/carts/{id}",             .handler = cart_show,        .permit = STOA_TOKEN},
        {STOA_PATCH,  .path = "/api/v1/carts/{id}",             .handler = cart_change,      .permit = STOA_TOKEN,  .body_max = 4096},
        {STOA_POST,   .path = "/api/v1/carts/{id}/lines",       .handler = cart_add_line,    .permit = STOA_TOKEN,  .body_max = 4096},
        {STOA_PATCH,  .path = "/api/v1/carts/{id}/lines/{sku}", .handler = cart_change_line, .permit = STOA_TOKEN,  .body_max = 4096},
        {STOA_DELETE, .path = "/api/v1/carts/{id}/lines/{sku}", .handler = cart_remove_line, .permit = STOA_TOKEN,  .body_max = 4096},
        {STOA_POST,   .path = "/api/v1/checkouts",              .handler = checkout_place,   .permit = STOA_TOKEN,  .body_max = 16384, .flags = STOA_ROUTE_KEY_REQUIRED},
        {STOA_GET,    .path = "/api/v1/orders",                 .handler = orders_list,      .permit = STOA_CUSTOMER},
        {STOA_GET,    .path = "/api/v1/orders/{id}",            .handler = orders_show,      .permit = STOA_TOKEN},
        {STOA_POST,   .path = "/api/v1/orders/{id}/cancel",     .handler = orders_cancel,    .permit = STOA_TOKEN,  .body_max = 4096},
        {STOA_POST,   .path = "/internal/order/advance",        .handler = orders_advance,   .permit = STOA_INTERNAL}),
    .jobs = STOA_JOBS(
        {"recover",      recover_orders, .every_ms = 1000},
        {"forget_carts", recover_carts,  .every_ms = 60000}),
    .create = order_create,
    .audit  = audit_orders);
/* clang-format on */
