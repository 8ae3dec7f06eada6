/* theme/memory.h: the memory of one render: a stack of blocks with a limit, given back by marks.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THEME_MEMORY_H
#define THEME_MEMORY_H

#include <stoa/api.h>

struct memory_block;

struct memory {
    struct memory_block *top;
    uint64_t used, max; /* bytes */
};

/* A place to go back to. */
struct memory_mark {
    struct memory_block *top;
    uint64_t block_used, used;
};

void memory_init(struct memory *memory, uint64_t max);
void memory_finish(struct memory *memory);
/* size bytes, aligned for any value, not zeroed; NULL past the limit. */
void *memory_take(struct memory *memory, uint64_t size);
struct memory_mark memory_mark(const struct memory *memory);
/* Forgets all that was taken since the mark. */
void memory_release(struct memory *memory, struct memory_mark mark);

#endif
