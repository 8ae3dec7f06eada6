/* plugin/sandbox.h: what a world needs of sandboxes, which port/ implements: a plugin in a child
 * process of the same binary (docs/adr/0012-sandbox.md). SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGIN_SANDBOX_H
#define PLUGIN_SANDBOX_H

#include "plugin/generation.h"

struct stoa_port;
struct world_options;

struct sandbox_ops {
    const struct stoa_port *port; /* of its instances */
    /* g has its bits and nothing else. Starts the child, which loads them, and fills in what
     * generation_map() would: desc (with handlers that only the port can enter), settings; and
     * g->sandbox. create() has run on each of the loops. *diag as for generation_map(). */
    stoa_err (*open)(struct generation *g, const struct world_options *options, struct diag *diag);
    /* The child ends; requests that it still has are lost. Any thread; NULL is fine. */
    void (*close)(struct sandbox *sandbox);
    /* Its first life serves: what a world has warmed. A later one may not even come up. Any thread.
     */
    bool (*is_well)(struct sandbox *sandbox);
    /* place, state, pid, deaths …, for `stoa status`. Any thread. */
    void (*status)(struct sandbox *sandbox, struct stoa_json *object, struct stoa_arena *arena);
};

/* Why the plugin is to be in a sandbox; ptr NULL: it runs in the server's process. is_ours: it came
 * with the binary. Lives as long as the options. */
stoa_str sandbox_reason(const struct world_options *options, const char *plugin, bool is_ours);
/* Is its manifest believed? What the file says of it, or else whether it came with the binary. */
bool sandbox_is_trusted(const struct config *config, const char *plugin, bool is_ours);
/* The entry of choice.left_out that puts it there for its crashes; NULL: there is none. */
const struct stoa_json *sandbox_demotion(const struct world_options *options, const char *plugin);

#endif
