/* plugin/text_map.c: a table that a signal handler can read while another thread writes: an entry's
 * end is written last and taken away first. SPDX-License-Identifier: Apache-2.0 */
#include "plugin/text_map.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

struct entry {
    struct text_owner owner;
    uintptr_t start;
    _Atomic uintptr_t end; /* 0: none */
};

static struct entry table[TEXT_MAP_MAX];
static uint32_t next; /* to be overwritten once all are taken */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct search {
    uintptr_t base;
    const void *dynamic;
    uintptr_t start, end;
};

/* From the first to the last executable segment of the object. */
static int look(struct dl_phdr_info *info, size_t size, void *data)
{
    struct search *s = data;
    bool is_it = false;

    for (int i = 0; i < info->dlpi_phnum; i++)
        is_it = is_it || (info->dlpi_phdr[i].p_type == PT_DYNAMIC &&
                          info->dlpi_addr + info->dlpi_phdr[i].p_vaddr == (uintptr_t)s->dynamic);
    for (int i = 0; is_it && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uintptr_t from = info->dlpi_addr + p->p_vaddr;
        if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
            continue;
        s->start = s->end && s->start < from ? s->start : from;
        s->end = from + p->p_memsz > s->end ? from + p->p_memsz : s->end;
    }
    return is_it;
}

static struct entry *free_entry(void)
{
    for (uint32_t i = 0; i < TEXT_MAP_MAX; i++)
        if (atomic_load(&table[i].end) == 0)
            return &table[i];
    return &table[next++ % TEXT_MAP_MAX];
}

void text_map_add(void *dl, const char *name, uint64_t generation)
{
    struct link_map *map = NULL;
    struct search search = {0};
    struct entry *e;

    if (dlinfo(dl, RTLD_DI_LINKMAP, &map) != 0)
        return;
    search.dynamic = map->l_ld;
    dl_iterate_phdr(look, &search);
    pthread_mutex_lock(&lock);
    e = free_entry();
    atomic_store(&e->end, 0);
    e->start = search.start;
    e->owner.generation = generation;
    snprintf(e->owner.name, sizeof e->owner.name, "%s", name);
    atomic_store(&e->end, search.end);
    pthread_mutex_unlock(&lock);
}

void text_map_remove(uint64_t generation)
{
    pthread_mutex_lock(&lock);
    for (uint32_t i = 0; i < TEXT_MAP_MAX; i++)
        if (table[i].owner.generation == generation)
            atomic_store(&table[i].end, 0);
    pthread_mutex_unlock(&lock);
}

const struct text_owner *text_map_find(uintptr_t address)
{
    for (uint32_t i = 0; i < TEXT_MAP_MAX; i++) {
        uintptr_t end = atomic_load(&table[i].end);
        if (address < end && address >= table[i].start)
            return &table[i].owner;
    }
    return NULL;
}
