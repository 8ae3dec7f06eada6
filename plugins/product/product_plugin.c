/* product_plugin.c: everything the host sees of the plugin. The logic is in catalogue.c (reading),
 * edit.c (the staff), stock.c (what orders take). SPDX-License-Identifier: Apache-2.0 */
#include "product.h"

STOA_MANIFEST("product", "1.0.0", "sql cache events:product.* events:stock.*");

static stoa_err product_create(const struct stoa_settings *set, struct stoa_instance *in,
                               void **ret)
{
    struct product *p = stoa_new(stoa_instance_arena(in), struct product);

    p->store = &catalogue_store_sql;
    p->cache_ms = stoa_setting_int(set, "cache_ms");
    *ret = p;
    return STOA_OK;
}

/* clang-format off: a table reads by its columns */
STOA_PLUGIN(.settings = STOA_SETTINGS(
                {"cache_ms", STOA_SET_INT, .otherwise = "60000", .max = 86400000,
                 .help = "How long an answer about a product may be kept; 0 keeps none"}),
            .routes =
                STOA_ROUTES({STOA_GET, .path = "/api/v1/products", .handler = catalogue_list,
                             .permit = STOA_ANYONE},
                            {STOA_GET, .path = "/api/v1/products/{id}", .handler = catalogue_show,
                             .permit = STOA_ANYONE},
                            {STOA_POST, .path = "/api/v1/products", .handler = edit_create,
                             .permit = STOA_STAFF, .permission = "products:write"},
                            {STOA_PATCH, .path = "/api/v1/products/{id}", .handler = edit_change,
                             .permit = STOA_STAFF, .permission = "products:write"},
                            {STOA_DELETE, .path = "/api/v1/products/{id}", .handler = edit_archive,
                             .permit = STOA_STAFF, .permission = "products:write"},
                            {STOA_GET, .path = "/api/v1/categories",
                             .handler = catalogue_categories, .permit = STOA_ANYONE},
                            {STOA_GET, .path = "/api/v1/inventory/{sku}", .handler = stock_show,
                             .permit = STOA_STAFF, .permission = "inventory:read"},
                            {STOA_PUT, .path = "/api/v1/inventory/{sku}", .handler = stock_set,
                             .permit = STOA_STAFF, .permission = "inventory:write"},
                            {STOA_POST, .path = "/internal/product/quote", .handler = stock_quote,
                             .permit = STOA_INTERNAL},
                            {STOA_POST, .path = "/internal/product/reserve",
                             .handler = stock_reserve, .permit = STOA_INTERNAL},
                            {STOA_POST, .path = "/internal/product/commit", .handler = stock_commit,
                             .permit = STOA_INTERNAL},
                            {STOA_POST, .path = "/internal/product/release",
                             .handler = stock_release, .permit = STOA_INTERNAL}),
            .jobs = STOA_JOBS({"watch_reservations", stock_watch, .every_ms = 60000}),
            .create = product_create, .seed = seed_catalogue, .audit = audit_stock);
/* clang-format on */
