/* arena.c: bump allocation in blocks. The hot path of every request: a new arena is a pop from
 * the thread's list of free blocks, a take is an addition, the end is a push.
 *
 * Under AddressSanitizer nothing is reused and every take is fenced by poisoned bytes, so that an
 * overflow or a use after the end is found as it would be with malloc. A build for Valgrind
 * (-Dvalgrind=true) does the same. SPDX-License-Identifier: Apache-2.0 */
#include "arena_private.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#if defined(ARENA_ASAN)
#include <sanitizer/asan_interface.h>
#define POISON(p, n) ASAN_POISON_MEMORY_REGION((p), (n))
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#elif defined(STOA_VALGRIND)
#include <valgrind/memcheck.h>
#define POISON(p, n) VALGRIND_MAKE_MEM_NOACCESS((p), (n))
#define UNPOISON(p, n) VALGRIND_MAKE_MEM_UNDEFINED((p), (n))
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

static_assert(sizeof(struct arena_block) % ARENA_ALIGN == 0, "what follows must be aligned");
static_assert(ARENA_BLOCK % ARENA_ALIGN == 0, "arena_take() relies on whole steps");

static __thread struct arena_block *free_blocks;
static __thread uint32_t free_count;

static pthread_key_t thread_end;
static pthread_once_t thread_end_once = PTHREAD_ONCE_INIT;

static uint64_t round_up(uint64_t size)
{
    return (size + ARENA_ALIGN - 1) & ~(uint64_t)(ARENA_ALIGN - 1);
}

static void free_list_drop(void *unused)
{
    while (free_blocks) {
        struct arena_block *block = free_blocks;
        free_blocks = block->next;
        free(block);
    }
    free_count = 0;
}

static void free_list_init(void)
{
    stoa_assert(pthread_key_create(&thread_end, free_list_drop) == 0);
}

/* The destructor must run at this thread's end; the value only has to be non-NULL. */
static void free_list_watch_thread(void)
{
    pthread_once(&thread_end_once, free_list_init);
    stoa_assert(pthread_setspecific(thread_end, &thread_end) == 0);
}

static struct arena_block *block_new(uint64_t size)
{
    struct arena_block *block = malloc(sizeof(*block) + size);
    stoa_assert(block); /* out of memory: by design the process ends (style.md) */
    block->size = size;
    return block;
}

static struct arena_block *block_acquire(void)
{
    struct arena_block *block = free_blocks;
    if (__builtin_expect(block != NULL, 1)) {
        free_blocks = block->next;
        free_count--;
        return block;
    }
    return block_new(ARENA_BLOCK - sizeof(*block));
}

static void block_release(struct arena_block *block)
{
    UNPOISON(block + 1, block->size); /* malloc's again; it has its own red zones */
    bool is_standard = block->size == ARENA_BLOCK - sizeof(*block);
    if (!ARENA_RED_ZONE && is_standard && free_count < ARENA_KEEP) {
        if (__builtin_expect(!free_blocks, 0))
            free_list_watch_thread();
        block->next = free_blocks;
        free_blocks = block;
        free_count++;
        return;
    }
    free(block);
}

static struct arena_block *first_block(struct stoa_arena *arena)
{
    return (struct arena_block *)arena - 1;
}

/* Points the arena at the bytes behind itself in its first block. */
static void start_first_block(struct stoa_arena *arena)
{
    arena->start = (char *)arena + round_up(sizeof(*arena));
    arena->at = arena->start;
    arena->end = (char *)arena + first_block(arena)->size;
    arena->blocks = NULL;
    arena->used_before = 0;
    arena->reserved = ARENA_BLOCK;
    POISON(arena->at, (size_t)(arena->end - arena->at));
}

struct stoa_arena *stoa_arena_create(void)
{
    struct stoa_arena *arena = (struct stoa_arena *)(block_acquire() + 1);
    arena->limit = 0;
    start_first_block(arena);
    return arena;
}

static void release_other_blocks(struct stoa_arena *arena)
{
    struct arena_block *block = arena->blocks;
    while (block) {
        struct arena_block *next = block->next;
        block_release(block);
        block = next;
    }
}

void stoa_arena_destroy(struct stoa_arena *arena)
{
    if (!arena)
        return;
    release_other_blocks(arena);
    block_release(first_block(arena));
}

void stoa_arena_reset(struct stoa_arena *arena)
{
    release_other_blocks(arena);
    start_first_block(arena);
}

uint64_t stoa_arena_used(const struct stoa_arena *arena)
{
    return arena->used_before + (uint64_t)(arena->at - arena->start);
}

void stoa_arena_limit(struct stoa_arena *arena, uint64_t bytes_max)
{
    arena->limit = bytes_max;
}

bool stoa_arena_over_limit(const struct stoa_arena *arena)
{
    return arena->limit && stoa_arena_used(arena) > arena->limit;
}

/* Counts size bytes of a new block; the hard cap is checked here, off the hot path. */
static void reserve(struct stoa_arena *arena, uint64_t size)
{
    arena->reserved += size;
    stoa_assert(!arena->limit || arena->reserved <= ARENA_BLOCK ||
                arena->reserved / ARENA_HARD_FACTOR <= arena->limit);
}

/* A block of its own, beside the current one, which goes on being filled. */
static char *take_own_block(struct stoa_arena *arena, uint64_t size)
{
    reserve(arena, size);
    struct arena_block *block = block_new(size);
    block->next = arena->blocks;
    arena->blocks = block;
    arena->used_before += size;
    return (char *)(block + 1);
}

static char *take_next_block(struct stoa_arena *arena, uint64_t size)
{
    reserve(arena, ARENA_BLOCK);
    struct arena_block *block = block_acquire();
    block->next = arena->blocks;
    arena->blocks = block;
    arena->used_before += (uint64_t)(arena->at - arena->start);
    arena->start = (char *)(block + 1);
    arena->end = arena->start + block->size;
    arena->at = arena->start + size;
    POISON(arena->at, (size_t)(arena->end - arena->at));
    return arena->start;
}

void *arena_take_slow(struct stoa_arena *arena, uint64_t size)
{
    stoa_assert(size <= ARENA_TAKE_MAX);
    uint64_t whole = round_up(size) + ARENA_RED_ZONE;
    char *p;

    if (whole <= (uint64_t)(arena->end - arena->at)) {
        p = arena->at;
        arena->at += whole;
    } else if (whole > ARENA_OWN_BLOCK) {
        p = take_own_block(arena, whole);
        POISON(p, whole);
    } else {
        p = take_next_block(arena, whole);
    }
    UNPOISON(p, size);
    return p;
}

void *stoa_arena_take(struct stoa_arena *arena, uint64_t size)
{
    return arena_take(arena, size);
}

void *stoa_arena_alloc(struct stoa_arena *arena, uint64_t size)
{
    return memset(arena_take(arena, size), 0, size);
}
