/* call/audit.h: the auditor: asks every plugin what it counts and whether it adds up, and adds up
 * across plugins: money captured = money of paid orders, every paid order has its mail, no event is
 * stuck. A job, a metric (audit_findings) and `stoa audit`. SPDX-License-Identifier: Apache-2.0 */
#ifndef CALL_AUDIT_H
#define CALL_AUDIT_H

#include "plugin/world.h"

enum { AUDIT_TIMEOUT_MS = 60000 };

/* On a fiber. {"findings": [{"plugin", "code", "detail", …}], "totals": {plugin: {…}}}, in the
 * arena. */
struct stoa_json *audit_world(struct world *world, struct stoa_arena *arena);

#endif
