/* cli/node.h: one node: configuration, resources, world, loops, put together and taken apart.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_NODE_H
#define CLI_NODE_H

#include "cli/cli.h"
#include "loop/loop.h"
#include "plugin/world.h"

struct node {
    struct config_source source;
    struct config *config;
    struct resources *resources;
    struct world *world;
    struct loop *loops[WORLD_LOOPS_MAX];
    uint32_t loop_count;
    char owner[64];
    int lock_fd;
    bool is_successor; /* another process of this node is still at work: its rows are its own */
    struct world_choice choice;
    struct stoa_arena *arena; /* of choice; NULL without one */
};

/* Loads configuration and data folder; nothing is opened yet. */
STOA_NODISCARD stoa_err node_configure(struct node *node, const struct cli *cli, struct diag *diag);
/* The same, and the data folder is looked at, not made. */
STOA_NODISCARD stoa_err node_configure_only(struct node *node, const struct cli *cli,
                                            struct diag *diag);
/* After it: what a start would do before it serves, with nothing made or changed: opens databases,
 * looks for missing migrations (*missing tells of the first, which is no failure; its message is
 * empty when there is none), loads plugins and theme. */
STOA_NODISCARD stoa_err node_try(struct node *node, struct diag *missing, struct diag *diag);
/* node_configure() from a kept revision, with the bits of its plugins; 0: the newest. Where it is
 * kept: data, or NULL: --data, or the folder that a configuration has unless it says otherwise. */
STOA_NODISCARD stoa_err node_configure_kept(struct node *node, const struct cli *cli,
                                            const char *data, uint64_t revision, struct diag *diag);
/* From now on node_build() leaves out a plugin that cannot be started, if its bits are kept. */
void node_tolerate(struct node *node);
/* One process serves a data folder: STOA_E_CONFIG with *diag while another does. */
STOA_NODISCARD stoa_err node_lock(struct node *node, struct diag *diag);
/* Opens resources, checks migrations (may_migrate: applies them), builds the world with its wiring.
 */
STOA_NODISCARD stoa_err node_build(struct node *node, uint32_t loops, bool may_migrate,
                                   struct diag *diag);
void node_close(struct node *node);
/* Runs work(node) on a fiber of one loop, without serving anybody: seed, audit. Its result. */
int node_run_task(struct node *node, int (*work)(struct node *node));
/* Applies what is missing for the host and every plugin that runs here. */
STOA_NODISCARD stoa_err node_migrate(struct node *node, struct diag *diag, uint32_t *applied);

#endif
