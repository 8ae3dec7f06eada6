/* plugin/fence.c: dlclose() first, as the loader reads the headers of what it knows.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/fence.h"

#include <dlfcn.h>
#include <link.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct search {
    const void *dynamic;
    struct fence found;
};

static bool is_on(void)
{
    const char *debug = getenv("STOA_DEBUG");

    return debug && strstr(debug, "fence");
}

static int look(struct dl_phdr_info *info, size_t size, void *data)
{
    struct search *s = data;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    bool is_it = false;

    for (int i = 0; i < info->dlpi_phnum; i++)
        is_it = is_it || (info->dlpi_phdr[i].p_type == PT_DYNAMIC &&
                          info->dlpi_addr + info->dlpi_phdr[i].p_vaddr == (uintptr_t)s->dynamic);
    for (int i = 0; is_it && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uintptr_t from = info->dlpi_addr + p->p_vaddr, to = from + p->p_memsz;
        if (p->p_type != PT_LOAD)
            continue;
        from &= ~(page - 1);
        to = (to + page - 1) & ~(page - 1);
        s->found.begin = s->found.end && s->found.begin < from ? s->found.begin : from;
        s->found.end = to > s->found.end ? to : s->found.end;
    }
    return is_it;
}

struct fence fence_plan(void *dl)
{
    struct link_map *map = NULL;
    struct search search = {0};

    if (!is_on() || dlinfo(dl, RTLD_DI_LINKMAP, &map) != 0)
        return (struct fence){0};
    search.dynamic = map->l_ld;
    dl_iterate_phdr(look, &search);
    return search.found;
}

void fence_put(struct fence fence)
{
    if (fence.end > fence.begin)
        (void)mmap((void *)fence.begin, fence.end - fence.begin, PROT_NONE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
}
