/* plugin/fence.h: for debugging (STOA_DEBUG=fence): the addresses of an unloaded plugin stay taken
 * and forbidden for the life of the process, so that a pointer that came too late crashes at once
 * instead of finding other code. SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGIN_FENCE_H
#define PLUGIN_FENCE_H

#include <stdint.h>

struct fence {
    uintptr_t begin, end; /* whole pages; both 0: none */
};
/* All that dlopen() mapped for dl; nothing unless STOA_DEBUG names fences. Before dlclose(). */
struct fence fence_plan(void *dl);
/* After dlclose(). Leaves alone what somebody else has mapped there since. */
void fence_put(struct fence fence);

#endif
