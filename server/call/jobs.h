/* call/jobs.h: periodic work, once per database: on one loop, chosen by hash, of the process that
 * holds the lease. SPDX-License-Identifier: Apache-2.0 */
#ifndef CALL_JOBS_H
#define CALL_JOBS_H

#include "plugin/world.h"

/* On each loop's thread, after world_publish(), for every world: starts the jobs of this world that
 * belong to the loop and do not run yet; those it does not have any more end. */
void jobs_start(struct world *world);

#endif
