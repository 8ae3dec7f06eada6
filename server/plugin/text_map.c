/* plugin/text_map.c: a table that a signal handler can read while another thread writes: an entry's
 * end is written last and taken away first. SPDX-License-Identifier: Apache-2.0 */
#include "plugin/text_map.h"

#include "plugin/elf_object.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

struct entry {
    struct text_owner owner;
    bool is_closed; /* no world has it any more */
    uintptr_t start;
    _Atomic uintptr_t end; /* 0: none */
};

static struct entry table[TEXT_MAP_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct entry *free_entry(void)
{
    struct entry *oldest = NULL;

    for (uint32_t i = 0; i < TEXT_MAP_MAX; i++) {
        struct entry *e = &table[i];
        if (atomic_load(&e->end) == 0)
            return e;
        if (e->is_closed && (!oldest || e->owner.generation < oldest->owner.generation))
            oldest = e;
    }
    return oldest;
}

static void put(struct entry *e, struct elf_range code, const char *name, uint64_t generation)
{
    atomic_store(&e->end, 0);
    e->is_closed = false;
    e->start = code.begin;
    e->owner.generation = generation;
    snprintf(e->owner.name, sizeof e->owner.name, "%s", name);
    atomic_store(&e->end, code.end);
}

void text_map_add(void *dl, const char *name, uint64_t generation)
{
    struct elf_range code = elf_object_range(dl, true);
    struct entry *e;

    pthread_mutex_lock(&lock);
    e = free_entry();
    if (e)
        put(e, code, name, generation);
    pthread_mutex_unlock(&lock);
}

void text_map_close(uint64_t generation)
{
    pthread_mutex_lock(&lock);
    for (uint32_t i = 0; i < TEXT_MAP_MAX; i++)
        if (table[i].owner.generation == generation)
            table[i].is_closed = true;
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
