/* plugin/elf_object.h: where the dynamic loader has mapped a plugin. SPDX-License-Identifier:
 * Apache-2.0 */
#ifndef PLUGIN_ELF_OBJECT_H
#define PLUGIN_ELF_OBJECT_H

#include <stdbool.h>
#include <stdint.h>

struct elf_range {
    uintptr_t begin, end; /* both 0: none */
};
/* From the first to the last segment of what dlopen() gave as dl; code_only: of those that can be
 * executed. Not rounded to pages. */
struct elf_range elf_object_range(void *dl, bool code_only);

#endif
