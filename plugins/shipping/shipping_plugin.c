/* shipping/shipping_plugin.c: what shipping costs. Provider `table`: rates from the settings.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rates.h"

#include <stoa/stoa.h>

STOA_MANIFEST("shipping", "1.0.0", "");

struct shipping_plugin {
    struct rates rates;
};

static stoa_err shipping_create(const struct stoa_settings *set, struct stoa_instance *in,
                                void **ret)
{
    struct stoa_arena *arena = stoa_instance_arena(in);
    struct shipping_plugin *shipping = stoa_new(arena, struct shipping_plugin);

    STOA_TRY(rates_read(arena, stoa_setting_json(set, "rates"), &shipping->rates));
    *ret = shipping;
    return STOA_OK;
}

static stoa_err answer(struct stoa_req *req, const struct shipping_plugin *self, stoa_str country)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    struct stoa_json *json = stoa_json_object(arena);

    if (!rates_is_country(country))
        return stoa_fail(req, STOA_E_INVALID, "country must be two capital letters (ISO 3166)",
                         STOA_FIELDS(stoa_f("field", stoa_z("country"))));
    stoa_json_set(json, "items",
                  rates_offer(arena, &self->rates, country, stoa_shop_currency(req)));
    return stoa_reply_json(req, 200, json);
}

/* POST /api/v1/shipping/quotes {"cart_id", "address": {"country"}} */
static stoa_err shipping_quotes(struct stoa_req *req, void *self)
{
    return answer(req, self, stoa_json_str(stoa_req_json(req), "address.country"));
}

/* POST /internal/shipping/rates {"country", "subtotal"} */
static stoa_err shipping_rates(struct stoa_req *req, void *self)
{
    return answer(req, self, stoa_json_str(stoa_req_json(req), "country"));
}

/* A table reads by its columns. */
/* clang-format off */
STOA_PLUGIN(
    .settings = STOA_SETTINGS(
        {"rates", STOA_SET_TABLE,
         .help = "Options as they are offered: { { option = \"standard\", label = \"Standard\", price = stoa.money \"4.90 EUR\", "
                 "countries = { \"DE\" }, eta_days = { 2, 4 } } }; without countries: everywhere"}),
    .routes = STOA_ROUTES(
        {STOA_POST, .path = "/api/v1/shipping/quotes",  .handler = shipping_quotes, .permit = STOA_ANYONE, .body_max = 4096},
        {STOA_POST, .path = "/internal/shipping/rates", .handler = shipping_rates,  .permit = STOA_INTERNAL}),
    .create = shipping_create);
/* clang-format on */
