/* apply/plan.h: what differs between two worlds, as an operator wants to read it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef APPLY_PLAN_H
#define APPLY_PLAN_H

#include "plugin/world.h"

/* Adds "changes" (bool), "plugins", "placements" and "grants" [{plugin, from, to}], "routes"
 * {added, removed}, "jobs" {added, removed} and "settings" [{path, from, to}] (secrets masked; a
 * secret with another value behind it is one) to an object. */
void plan_compare(const struct world *from, const struct world *to, struct stoa_json *object,
                  struct stoa_arena *arena);

#endif
