/* call/wiring.h: who provides, hears and does what in a world. Built once, read by every loop.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CALL_WIRING_H
#define CALL_WIRING_H

#include "plugin/world.h"

struct point_provider {
    const char *point;
    stoa_handler handler;
    uint32_t plugin;
    bool is_required;
};
struct subscription {
    const char *event;
    stoa_handler handler;
    uint32_t plugin;
};
struct job {
    const char *name; /* "order.recover" */
    stoa_handler handler;
    uint32_t plugin;
    uint32_t every_ms, timeout_ms;
};
struct remote; /* remote.h: the plugins on other nodes */

struct wiring {
    struct point_provider *providers;
    struct subscription *subscriptions;
    struct job *jobs;
    struct remote *remote;
    uint32_t provider_count, subscription_count, job_count;
};

/* Fills world->routes and world->wiring from the plugins' descriptors. STOA_E_PLUGIN with *diag. */
STOA_NODISCARD stoa_err wiring_build(struct world *world, struct diag *diag);

#endif
