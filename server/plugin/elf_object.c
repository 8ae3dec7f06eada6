/* plugin/elf_object.c: asks the dynamic loader. SPDX-License-Identifier: Apache-2.0 */
#include "plugin/elf_object.h"

#include <dlfcn.h>
#include <link.h>
#include <stddef.h>

struct search {
    uintptr_t dynamic; /* address of the object's dynamic section, by which it is known */
    uint32_t flags;    /* a segment has these */
    struct elf_range found;
};

static bool is_searched(const struct dl_phdr_info *info, const struct search *s)
{
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC &&
            info->dlpi_addr + info->dlpi_phdr[i].p_vaddr == s->dynamic)
            return true;
    return false;
}

static int look(struct dl_phdr_info *info, size_t size, void *data)
{
    struct search *s = data;
    struct elf_range *r = &s->found;

    if (!is_searched(info, s))
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uintptr_t begin = info->dlpi_addr + p->p_vaddr, end = begin + p->p_memsz;
        if (p->p_type != PT_LOAD || (p->p_flags & s->flags) != s->flags)
            continue;
        r->begin = r->end && r->begin < begin ? r->begin : begin;
        r->end = end > r->end ? end : r->end;
    }
    return 1;
}

struct elf_range elf_object_range(void *dl, bool code_only)
{
    struct search search = {.flags = code_only ? PF_X : 0};
    struct link_map *map = NULL;

    if (dlinfo(dl, RTLD_DI_LINKMAP, &map) != 0)
        return (struct elf_range){0};
    search.dynamic = (uintptr_t)map->l_ld;
    dl_iterate_phdr(look, &search);
    return search.found;
}
