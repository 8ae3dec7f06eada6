/* notification/notification_plugin.c: everything the host sees of the plugin. The logic is in
 * mail.c, delivery.c and mailbox.c. SPDX-License-Identifier: Apache-2.0 */
#include "notification.h"

STOA_MANIFEST("notification", "1.0.0", "sql mail render events:order.paid");

/* A table reads by its columns. */
/* clang-format off */
STOA_PLUGIN(
    .routes = STOA_ROUTES(
        {STOA_GET,  .path = "/api/v1/deliveries",            .handler = deliveries_list,  .permit = STOA_STAFF, .permission = "deliveries:read"},
        {STOA_POST, .path = "/api/v1/deliveries/{id}/retry", .handler = deliveries_retry, .permit = STOA_STAFF, .permission = "deliveries:write"},
        {STOA_POST, .path = "/internal/notification/known",  .handler = deliveries_known, .permit = STOA_INTERNAL},
        {STOA_GET,  .path = "/mailbox",                      .handler = mailbox_show,     .permit = STOA_ANYONE, .flags = STOA_ROUTE_DEVELOPMENT}),
    .jobs  = STOA_JOBS({"retry", deliveries_retry_due, .every_ms = 5000}),
    .hears = STOA_HEARS({"order.paid", mail_on_paid}),
    .audit = deliveries_audit);
/* clang-format on */
