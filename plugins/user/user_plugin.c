/* user_plugin.c: everything the host sees of the plugin. The logic is in account.c and session.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "user.h"

STOA_MANIFEST("user", "1.0.0", "sql cache password events:user.*");

static stoa_err user_create(const struct stoa_settings *set, struct stoa_instance *in, void **ret)
{
    struct user *u = stoa_new(stoa_instance_arena(in), struct user);

    u->session_ms = stoa_setting_int(set, "session_days") * 86400 * 1000;
    u->owner_password =
        stoa_str_copy(stoa_instance_arena(in), stoa_setting_str(set, "owner_password"));
    *ret = u;
    return STOA_OK;
}

/* clang-format off: a table reads by its columns */
STOA_PLUGIN(.settings =
                STOA_SETTINGS({"session_days", STOA_SET_INT, .otherwise = "14", .min = 1,
                               .max = 365, .help = "How long someone stays logged in"},
                              {"owner_password", STOA_SET_STRING, .otherwise = "",
                               .help = "Password of owner@example.com, which the seed makes in "
                                       "development; empty: a new one, shown once"}),
            .routes = STOA_ROUTES(
                {STOA_POST, .path = "/api/v1/users", .handler = account_register,
                 .permit = STOA_ANYONE, .body_max = 4096, .flags = STOA_ROUTE_SECRET},
                {STOA_GET, .path = "/api/v1/users/me", .handler = account_show,
                 .permit = STOA_CUSTOMER},
                {STOA_PATCH, .path = "/api/v1/users/me", .handler = account_change,
                 .permit = STOA_CUSTOMER, .body_max = 4096, .flags = STOA_ROUTE_SECRET},
                {STOA_POST, .path = "/api/v1/sessions", .handler = session_create,
                 .permit = STOA_ANYONE, .body_max = 4096, .flags = STOA_ROUTE_SECRET},
                {STOA_DELETE, .path = "/api/v1/sessions/current", .handler = session_end,
                 .permit = STOA_CUSTOMER},
                {STOA_POST, .path = "/internal/user/identify", .handler = session_identify,
                 .permit = STOA_INTERNAL, .body_max = 4096}),
            .jobs = STOA_JOBS({"sweep", session_sweep, .every_ms = 600000}), .create = user_create,
            .seed = seed_owner);
/* clang-format on */
