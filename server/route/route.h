/* route/route.h: the path table of a world: a tree of segments, built once, read by every loop.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROUTE_ROUTE_H
#define ROUTE_ROUTE_H

#include "base/diag.h"
#include "plugin/request.h"
#include <stoa/plugin.h>

enum {
    ROUTES_MAX = 4096,
    ROUTE_SEGMENTS_MAX = 24,
    ROUTE_BODY_DEFAULT = 65536,
    ROUTE_BODY_MAX = 1 << 20,
    ROUTE_TIMEOUT_DEFAULT_MS = 10000,
    ROUTE_TIMEOUT_MAX_MS = 60000,
};

struct route {
    const char *path; /* the host's copy */
    const char *permission;
    stoa_handler handler;
    stoa_method method;
    uint32_t permit; /* stoa_permit */
    uint32_t flags;
    uint32_t body_max, timeout_ms;
    uint32_t plugin; /* index in the world */
    uint32_t param_count;
    const char *param_names[REQUEST_PARAMS_MAX];
};

struct route_table;
/* Lives in the arena. */
struct route_table *route_table_create(struct stoa_arena *arena);
/* Checks and copies. STOA_E_PLUGIN with *diag: no permit declared, broken path, a limit out of
 * range, a path that another plugin has. plugin_name: for messages. */
STOA_NODISCARD stoa_err route_add(struct route_table *table, const struct stoa_route *route,
                                  uint32_t plugin, const char *plugin_name, struct diag *diag);
struct route_found {
    const struct route *route; /* NULL: err says why */
    stoa_err err;              /* STOA_E_NOT_FOUND, or STOA_E_METHOD */
    uint32_t allowed;          /* bit (1 << method) for each that the path knows */
};
/* A literal segment goes before a {parameter}. params: slices of path. */
struct route_found route_match(const struct route_table *table, stoa_method method, stoa_str path,
                               stoa_str params[REQUEST_PARAMS_MAX]);
uint32_t route_count(const struct route_table *table);
const struct route *route_at(const struct route_table *table, uint32_t index);
const char *route_method_name(stoa_method method);

#endif
