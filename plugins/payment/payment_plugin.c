/* payment/payment_plugin.c: everything the host sees of the plugin. The logic is in intent.c,
 * refund.c, audit.c; who moves the money is a struct payment_provider.
 * SPDX-License-Identifier: Apache-2.0 */
#include "payment.h"

STOA_MANIFEST("payment", "1.0.0", "sql internal:order");

static const struct payment_provider *const providers[] = {&payment_sandbox};

static stoa_err payment_create(const struct stoa_settings *set, struct stoa_instance *in,
                               void **ret)
{
    struct payment_plugin *payment = stoa_new(stoa_instance_arena(in), struct payment_plugin);
    stoa_str name = stoa_setting_str(set, "provider");

    payment->confirm_page =
        stoa_str_copy(stoa_instance_arena(in), stoa_setting_str(set, "confirm_page"));
    for (uint64_t i = 0; i < sizeof(providers) / sizeof(providers[0]); i++)
        if (stoa_str_is(name, providers[i]->name))
            payment->provider = providers[i];
    *ret = payment;
    return payment->provider ? STOA_OK : STOA_E_CONFIG;
}

/* A table reads by its columns. */
/* clang-format off */
STOA_PLUGIN(
    .settings = STOA_SETTINGS(
        {"provider", STOA_SET_STRING, .otherwise = "sandbox",
         .help = "Who moves the money: sandbox"},
        {"confirm_page", STOA_SET_STRING, .otherwise = "/checkout/confirm",
         .help = "Where the sandbox sends a buyer for the second step of a payment"}),
    .routes = STOA_ROUTES(
        {STOA_POST, .path = "/api/v1/payments/{id}/confirm", .handler = intent_confirm, .permit = STOA_ANYONE, .body_max = 4096},
        {STOA_POST, .path = "/internal/payment/open",     .handler = intent_open,    .permit = STOA_INTERNAL},
        {STOA_POST, .path = "/internal/payment/status",   .handler = intent_status,  .permit = STOA_INTERNAL},
        {STOA_POST, .path = "/internal/payment/void",     .handler = intent_void,    .permit = STOA_INTERNAL},
        {STOA_POST, .path = "/internal/payment/refund",   .handler = refund_make,    .permit = STOA_INTERNAL},
        {STOA_POST, .path = "/internal/payment/captured", .handler = audit_captured, .permit = STOA_INTERNAL}),
    .create = payment_create,
    .audit  = audit_payments);
/* clang-format on */
