/* port/confine.h: what a sandbox takes away from itself before any of the plugin's code runs. Linux
 * only; each part is tried, and the host decides whether what was reached is enough
 * (docs/adr/0012-sandbox.md). SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_CONFINE_H
#define PORT_CONFINE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    CONFINE_LANDLOCK = 1, /* no file can be opened */
    CONFINE_SECCOMP = 2,  /* no system call but those that computing and waiting take */
    CONFINE_ALL = 3,
};

/* Before the first thread, in this order. leave_out: of CONFINE_…, as if the kernel did not have
 * it (tests). Returns what holds now. */
uint32_t confine_files(uint32_t leave_out);
/* All threads are there; loading the plugin is still possible. Returns as above. */
uint32_t confine_for_loading(uint32_t leave_out);
/* The plugin is loaded. memory: bytes beyond what the process has now. False: something that was
 * begun could not be finished, and no code of the plugin may run. */
bool confine_for_good(uint64_t memory, uint32_t reached);
/* A host with sanitizers cannot confine: their runtime needs what is taken away. */
bool confine_is_possible(void);

#endif
