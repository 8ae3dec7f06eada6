/* plugin/fence.c: dlclose() first, as the loader reads the headers of what it knows.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/fence.h"

#include "plugin/elf_object.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static bool is_on(void)
{
    const char *debug = getenv("STOA_DEBUG");

    return debug && strstr(debug, "fence");
}

struct fence fence_plan(void *dl)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    struct elf_range range;

    if (!is_on())
        return (struct fence){0};
    range = elf_object_range(dl, false);
    return (struct fence){range.begin & ~(page - 1), (range.end + page - 1) & ~(page - 1)};
}

void fence_put(struct fence fence)
{
    if (fence.end > fence.begin)
        (void)mmap((void *)fence.begin, fence.end - fence.begin, PROT_NONE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
}
