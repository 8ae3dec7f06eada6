/* plugin/text_map.h: whose code is at an address: for the last words of a process that crashed.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGIN_TEXT_MAP_H
#define PLUGIN_TEXT_MAP_H

#include <stdint.h>

struct text_owner {
    char name[32]; /* of the plugin */
    uint64_t generation;
};
/* dl: what dlopen() returned. TEXT_MAP_MAX are known: when there are more, the oldest of those that
 * were closed makes room; when none was, the new one is not known. Any thread. */
enum { TEXT_MAP_MAX = 1024 };
void text_map_add(void *dl, const char *name, uint64_t generation);
/* No world has it any more, but it stays mapped. */
void text_map_close(uint64_t generation);
/* Nothing of it is mapped any more. */
void text_map_remove(uint64_t generation);
/* NULL: no plugin's. In a signal handler, too: async-signal-safe. */
const struct text_owner *text_map_find(uintptr_t address);

#endif
