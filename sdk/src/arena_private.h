/* arena_private.h: what the host and the SDK's own parts know of an arena beyond stoa/arena.h.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ARENA_PRIVATE_H
#define ARENA_PRIVATE_H

#include <stoa/arena.h>

enum {
    ARENA_BLOCK = 4096 - 16, /* with malloc's own 16 bytes: a page, and so one for who only waits */
    ARENA_ALIGN = 16,
    ARENA_KEEP = 512,                  /* free blocks kept by each thread: 2 MiB */
    ARENA_HARD_FACTOR = 4,             /* past the limit times this the process ends */
    ARENA_OWN_BLOCK = ARENA_BLOCK / 2, /* what is larger and does not fit gets its own block */
};
#define ARENA_TAKE_MAX (UINT64_C(1) << 32) /* one request for memory; more is a bug; asserted */

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif

/* Bytes between two takes, where a checker watches them; then there is no free list either. */
#if defined(ARENA_ASAN) || defined(STOA_VALGRIND)
#define ARENA_RED_ZONE 16
#else
#define ARENA_RED_ZONE 0
#endif

/* A piece of malloc'ed memory; its bytes follow. */
struct arena_block {
    struct arena_block *next;
    uint64_t size; /* bytes behind this header */
};

/* Lives at the start of its own first block. */
struct stoa_arena {
    char *at, *end;             /* what is left of the current block */
    char *start;                /* of the current block's bytes */
    struct arena_block *blocks; /* all but the first, newest first */
    uint64_t used_before;       /* bytes handed out of other blocks than the current one */
    uint64_t reserved;          /* bytes of all blocks */
    uint64_t limit;             /* 0: none */
};

/* What a request may take. Past it takes still succeed, because nobody below a handler could
 * undo half-done work, but stoa_arena_over_limit() turns true and the host fails the request at
 * the next edge. A block that would bring the arena past four times the limit ends the process:
 * by then something runs away. 0: no limit. */
void stoa_arena_limit(struct stoa_arena *arena, uint64_t bytes_max);
bool stoa_arena_over_limit(const struct stoa_arena *arena);

/* The way of stoa_arena_take() when the current block is full. */
void *arena_take_slow(struct stoa_arena *arena, uint64_t size);

/* stoa_arena_take(), inlined where it is hot. */
static inline void *arena_take(struct stoa_arena *arena, uint64_t size)
{
    /* end - at is a multiple of ARENA_ALIGN, so what fits unrounded fits rounded. */
    if (!ARENA_RED_ZONE && __builtin_expect(size <= (uint64_t)(arena->end - arena->at), 1)) {
        void *p = arena->at;
        arena->at += (size + ARENA_ALIGN - 1) & ~(uint64_t)(ARENA_ALIGN - 1);
        return p;
    }
    return arena_take_slow(arena, size);
}

#endif
