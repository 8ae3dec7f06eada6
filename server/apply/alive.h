/* apply/alive.h: the worlds that are alive. On the apply thread.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef APPLY_ALIVE_H
#define APPLY_ALIVE_H

#include "apply/internal.h"

/* The world is in force from now on, with its configuration, both apply's now; the last one
 * drains. Loops have been told already. */
void alive_enter(struct apply *apply, struct world *world, struct config *config,
                 uint64_t revision);

/* Ends the worlds that no loop uses any more, and cuts what holds those that drain for longer than
 * limits.retire. Number of worlds still draining. */
uint32_t alive_retire(struct apply *apply);

/* Waits up to APPLY_ROOM_MS until one more world may be built. STOA_E_BUSY with *diag. */
STOA_NODISCARD stoa_err alive_make_room(struct apply *apply, struct diag *diag);

/* Ends a world that nobody uses, with what only it had. NULL is fine. */
void alive_end(struct apply *apply, struct world *world);

#endif
