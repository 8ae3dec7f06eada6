/* plugin/world.h: one immutable snapshot: configuration, routes, generations, instances. A request
 * sees one world from beginning to end. SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGIN_WORLD_H
#define PLUGIN_WORLD_H

#include "base/diag.h"
#include <stoa/plugin.h>

struct world;

/* The world in force on this loop, pinned: it stays whole until world_unpin(). Loop's thread only;
 * a pin is a plain counter per loop. NULL before the first world. */
struct world *world_pin(void);
void world_unpin(struct world *world); /* on the same loop */

#endif
