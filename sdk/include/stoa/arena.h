/* stoa/arena.h: memory with one end. What is taken from an arena lives until the arena does.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef STOA_ARENA_H
#define STOA_ARENA_H

#include "api.h"

struct stoa_arena;

/* size bytes, zeroed, aligned for any type. Never NULL: past the arena's limit the request that
 * owns it is failed (see stoa_arena_create); out of memory ends the process. */
STOA_API void *stoa_arena_alloc(struct stoa_arena *arena, uint64_t size)
    __attribute__((malloc, alloc_size(2)));
/* As above, not zeroed. */
STOA_API void *stoa_arena_take(struct stoa_arena *arena, uint64_t size)
    __attribute__((malloc, alloc_size(2)));
/* An arena of the caller's. It ends with stoa_arena_destroy(). */
STOA_API struct stoa_arena *stoa_arena_create(void);
/* NULL is fine. */
STOA_API void stoa_arena_destroy(struct stoa_arena *arena);
/* Forgets all that was taken and keeps at most one block for what comes. */
STOA_API void stoa_arena_reset(struct stoa_arena *arena);
/* Bytes handed out since the start or the last reset. */
STOA_API uint64_t stoa_arena_used(const struct stoa_arena *arena);

#define stoa_new(arena, type) ((type *)stoa_arena_alloc((arena), sizeof(type)))
#define stoa_new_array(arena, type, n) ((type *)stoa_arena_alloc((arena), sizeof(type) * (n)))

#endif
