/* plugin/world.h: one immutable snapshot: configuration, routes, generations, instances. A request
 * sees one world from beginning to end. SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGIN_WORLD_H
#define PLUGIN_WORLD_H

#include "base/diag.h"
#include "config/config.h"
#include "plugin/generation.h"
#include "plugin/resources.h"
#include "plugin/sandbox.h"
#include "theme/theme.h"
#include <limits.h>
#include <stoa/plugin.h>

struct route_table; /* route/ */
struct wiring;      /* call/: extension points, subscriptions, jobs */

enum { WORLD_PLUGINS_MAX = 64, WORLD_LOOPS_MAX = 64 };

/* What one generation is on one loop: `self` of its handlers, and what the host does for it. */
struct stoa_instance {
    struct stoa_arena *arena; /* ends with the instance */
    struct generation *generation;
    char cache_owner[56]; /* "product@12": what one world has cached, no other finds */
    const struct stoa_port *port;
    struct sql *sql; /* the resource that its settings name; NULL without one */
    void *self;
    uint32_t loop;
};

struct world_pins {
    _Alignas(64) uint64_t count; /* one loop's; only that loop's thread touches it */
};

struct world {
    uint64_t number;
    struct stoa_arena *arena; /* of routes, wiring and copies of strings */
    const struct config *config;
    struct resources *resources; /* outlive worlds: connections stay warm */
    struct theme *theme;         /* NULL without one */
    stoa_str shop_name, shop_url;
    char currency[4];
    char cache_owner[32]; /* "gate@12" */
    bool is_development;
    uint32_t loops, plugins;
    struct generation *generations[WORLD_PLUGINS_MAX];
    /* It runs on other nodes: its routes are known here, its instances are empty. */
    bool is_elsewhere[WORLD_PLUGINS_MAX];
    struct stoa_instance *instances; /* [loop * plugins + plugin] */
    struct route_table *routes;
    struct wiring *wiring;
    struct world_pins pins[WORLD_LOOPS_MAX];
};

/* Which bits, and what to do about bad ones. All of it may be zero. */
struct world_choice {
    /* {plugin: {path of its .so, sha256 that it has, shipped: it came with the binary when it was
     * kept}}, before plugin_path. One that is damaged is
     * replaced by plugin_path's, if that has these bits. */
    const struct stoa_json *files;
    bool files_have_served; /* here, with this configuration: they need no trial */
    /* [{"plugin", "why", "place"}]: with the place "sandbox" it is put there; without, or when it
     * cannot be put there, it is loaded, so that its routes are known, and not run. */
    const struct stoa_json *left_out;
    /* The same of .so files that once served. Given, a plugin that cannot be loaded or made is
     * left out, its routes those of that copy; one without a copy is an error as ever. */
    const struct stoa_json *kept;
    /* A world that is whole, and stays so until the new one is made: what has not changed since is
     * not made anew but shared with it (docs/adr/0017-sharing.md). NULL: none. */
    const struct world *last;
};

/* Loads theme and every plugin of the shop, and makes the instances of those that run on this node.
 * Nothing serves it yet. STOA_E_CONFIG, STOA_E_ABI or STOA_E_PLUGIN with *diag naming plugin,
 * reason and remedy. */
struct world_options {
    const struct config *config;
    struct resources *resources;
    const char *plugin_path; /* folder with <name>.so, before the one beside the binary */
    const struct stoa_port *port;
    const struct sandbox_ops *sandbox; /* for plugins that config puts there */
    uint32_t loops;
    struct world_choice choice;
};
STOA_NODISCARD stoa_err world_create(const struct world_options *options, struct diag *diag,
                                     struct world **ret);
void world_destroy(struct world *world); /* no pins left; NULL is fine */
struct stoa_instance *world_instance(const struct world *world, uint32_t loop, uint32_t plugin);
/* Does config let the plugin called name run on this node? */
bool world_runs_here(const struct config *config, stoa_str name);
/* Where config has its theme: theme_path and the storefront's theme, or the one that is shipped. */
void world_theme_folder(const struct config *config, char ret[PATH_MAX]);
/* Index of the plugin called name, or -1. */
int32_t world_find(const struct world *world, stoa_str name);

/* Makes world the one in force on the loop of this thread. */
void world_publish(struct world *world);
/* The world in force on this loop, pinned: it stays whole until world_unpin(). Loop's thread only;
 * a pin is a plain counter per loop. NULL before the first world. */
struct world *world_pin(void);
void world_unpin(struct world *world); /* on the same loop */

/* What holds a pin, for `stoa plugin why` and the end of a drain. In the memory of whoever pinned,
 * from after world_pin() until before world_unpin(). Loop's thread only. */
struct world_hold {
    struct world *world;
    const char *kind;     /* "request", "job", "event"; static */
    struct stoa_req *req; /* id, route, plugin, age; NULL: name says it */
    const char *name;     /* without a req: what it is; may be NULL */
    int64_t since_us;     /* monotonic */
    /* Ends it as far as anything can; it may be gone afterwards. NULL: it ends by itself, at its
     * own deadline. Returns false when there was nothing (more) to do. */
    bool (*cut)(struct world_hold *hold);
    struct world_hold *next, **link;
};
void world_hold_begin(struct world_hold *hold);
void world_hold_end(struct world_hold *hold);
/* The newest of this loop; follow next. */
struct world_hold *world_holds(void);

#endif
