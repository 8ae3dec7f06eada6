/* theme/memory.c: blocks of growing size; the arena of stoa/arena.h has neither marks nor a
 * refusal. SPDX-License-Identifier: Apache-2.0 */
#include "memory.h"
#include <stdlib.h>

enum { BLOCK_FIRST = 16 * 1024, BLOCK_MAX = 256 * 1024, ALIGN = 16 };

struct memory_block {
    struct memory_block *below;
    uint64_t size, used;
    uint64_t reserved;
    char bytes[];
};
static_assert(sizeof(struct memory_block) % ALIGN == 0, "blocks keep their bytes aligned");

void memory_init(struct memory *memory, uint64_t max)
{
    *memory = (struct memory){.max = max};
}

static void drop_above(struct memory *memory, const struct memory_block *keep)
{
    while (memory->top != keep) {
        struct memory_block *block = memory->top;
        memory->top = block->below;
        free(block);
    }
}

void memory_finish(struct memory *memory)
{
    drop_above(memory, NULL);
    memory->used = 0;
}

static void push_block(struct memory *memory, uint64_t least)
{
    uint64_t size = memory->top ? memory->top->size * 2 : BLOCK_FIRST;
    struct memory_block *block;

    if (size > BLOCK_MAX)
        size = BLOCK_MAX;
    if (size < least)
        size = least;
    block = malloc(sizeof(*block) + size);
    stoa_assert(block != NULL);
    *block = (struct memory_block){.below = memory->top, .size = size};
    memory->top = block;
}

void *memory_take(struct memory *memory, uint64_t size)
{
    struct memory_block *block = memory->top;
    void *ret;

    if (size > memory->max || memory->used + size > memory->max)
        return NULL;
    size = (size + ALIGN - 1) & ~(uint64_t)(ALIGN - 1);
    if (!block || block->size - block->used < size) {
        push_block(memory, size);
        block = memory->top;
    }
    ret = block->bytes + block->used;
    block->used += size;
    memory->used += size;
    return ret;
}

struct memory_mark memory_mark(const struct memory *memory)
{
    return (struct memory_mark){memory->top, memory->top ? memory->top->used : 0, memory->used};
}

void memory_release(struct memory *memory, struct memory_mark mark)
{
    /* The first block stays: a render of many small parts would otherwise call malloc for each. */
    if (!mark.top && memory->top) {
        while (memory->top->below)
            drop_above(memory, memory->top->below);
        memory->top->used = 0;
    } else {
        drop_above(memory, mark.top);
        if (mark.top)
            mark.top->used = mark.block_used;
    }
    memory->used = mark.used;
}
