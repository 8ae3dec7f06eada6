/* apply/swap.h: a world onto every loop and off again. All of it is for the loader's thread, which
 * waits for the loops. SPDX-License-Identifier: Apache-2.0 */
#ifndef APPLY_SWAP_H
#define APPLY_SWAP_H

#include "loop/loop.h"
#include "plugin/world.h"

/* What warm() of all plugins of a world may take together on one loop; tests give it less. */
extern int32_t swap_warm_ms;

struct swap_loops {
    struct loop *const *loops;
    uint32_t count;
};

/* warm() of every plugin on the fiber that calls: one loop's share. The plugins have swap_warm_ms
 * together. *diag names the plugin that failed. leaves_out: such a plugin does not run, and the
 * rest does. */
STOA_NODISCARD stoa_err swap_warm_here(struct world *world, bool leaves_out, struct diag *diag);
/* The same on all loops at once, while they serve another world. Nothing of it runs any more when
 * this returns. */
STOA_NODISCARD stoa_err swap_warm(const struct swap_loops *loops, struct world *world,
                                  struct diag *diag);
/* One pointer a loop. What old's requests have begun they finish in old; cool() of its plugins has
 * run on each loop, and world's jobs run, when this returns. */
void swap_publish(const struct swap_loops *loops, struct world *world, struct world *old);
/* No world uses this database: see sql_rest(). */
void swap_rest(const struct swap_loops *loops, struct sql *sql);
/* Of worlds that are not in force: unused[i] = no request, job or event of worlds[i] is left, and
 * since then every loop has passed a turn, so that nothing of it can be on a stack either. */
void swap_find_unused(const struct swap_loops *loops, struct world *const *worlds, uint32_t count,
                      bool *unused);

/* What holds a pin on one of worlds: a JSON list of {world, kind, id, route, plugin, name, loop,
 * age_ms}; at most SWAP_HOLDS_MAX of them. */
enum { SWAP_HOLDS_MAX = 1000 };
void swap_list_holds(const struct swap_loops *loops, const struct world *world,
                     struct stoa_json *list, struct stoa_arena *arena);
/* Cuts what holds a pin on world and can be cut; their number. */
uint32_t swap_cut_holds(const struct swap_loops *loops, const struct world *world);

#endif
