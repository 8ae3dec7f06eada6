/* SPDX-License-Identifier: Apache-2.0 */
#include "arena_private.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stoa/str.h>

Test(arena, gives_zeroed_memory_that_does_not_overlap)
{
    struct stoa_arena *arena = stoa_arena_create();
    unsigned char *pieces[300];

    for (uint32_t i = 0; i < 300; i++) {
        pieces[i] = stoa_arena_alloc(arena, i);
        for (uint32_t j = 0; j < i; j++)
            cr_assert_eq(pieces[i][j], 0);
        memset(pieces[i], (int)i & 0xff, i);
    }
    for (uint32_t i = 0; i < 300; i++)
        for (uint32_t j = 0; j < i; j++)
            cr_assert_eq(pieces[i][j], i & 0xff);
    stoa_arena_destroy(arena);
}

Test(arena, aligns_for_any_type_whatever_the_sizes_were)
{
    struct stoa_arena *arena = stoa_arena_create();

    for (uint32_t size = 0; size < 5000; size += 37)
        cr_assert_eq((uintptr_t)stoa_arena_take(arena, size) % _Alignof(max_align_t), 0);
    stoa_arena_destroy(arena);
}

Test(arena, serves_what_is_larger_than_a_block)
{
    struct stoa_arena *arena = stoa_arena_create();
    char *small = stoa_arena_take(arena, 16), *large = stoa_arena_take(arena, 1 << 20);
    char *after = stoa_arena_take(arena, 16);

    memset(large, 'x', 1 << 20);
    memset(after, 'y', 16);
    cr_assert(after > small && after < small + 8192, "the block before goes on being filled");
    cr_assert_geq(stoa_arena_used(arena), (1 << 20) + 32);
    stoa_arena_destroy(arena);
}

Test(arena, counts_exactly_to_the_end_of_a_block)
{
    struct stoa_arena *arena = stoa_arena_create();
    uint64_t left = (uint64_t)(arena->end - arena->at) - ARENA_RED_ZONE;
    char *whole = stoa_arena_take(arena, left);

    memset(whole, 1, left);
    cr_assert_null(arena->blocks);
    cr_assert_eq(arena->at, arena->end);
    memset(stoa_arena_take(arena, 1), 1, 1);
    cr_assert_not_null(arena->blocks);
    stoa_arena_destroy(arena);
}

Test(arena, forgets_everything_on_reset_but_one_block)
{
    struct stoa_arena *arena = stoa_arena_create();

    stoa_arena_limit(arena, 1 << 20);
    void *first = stoa_arena_take(arena, 100);
    for (uint32_t i = 0; i < 100; i++)
        stoa_arena_take(arena, 3000);
    stoa_arena_reset(arena);
    cr_assert_eq(stoa_arena_used(arena), 0);
    cr_assert_null(arena->blocks);
    cr_assert_eq(arena->reserved, ARENA_BLOCK);
    cr_assert_eq(arena->limit, 1 << 20);
    cr_assert_eq(stoa_arena_take(arena, 100), first);
    stoa_arena_destroy(arena);
}

Test(arena, says_when_its_limit_was_passed_and_goes_on)
{
    struct stoa_arena *arena = stoa_arena_create();

    cr_assert_not(stoa_arena_over_limit(arena));
    stoa_arena_limit(arena, 20000);
    stoa_arena_take(arena, 19000);
    cr_assert_not(stoa_arena_over_limit(arena));
    cr_assert_not_null(stoa_arena_take(arena, 2000));
    cr_assert(stoa_arena_over_limit(arena));
    stoa_arena_reset(arena);
    cr_assert_not(stoa_arena_over_limit(arena));
    stoa_arena_destroy(arena);
}

Test(arena, ends_the_process_four_times_past_its_limit, .signal = SIGABRT)
{
    struct stoa_arena *arena = stoa_arena_create();

    stoa_arena_limit(arena, 20000);
    for (uint32_t i = 0; i < 100; i++)
        stoa_arena_take(arena, 1000);
}

Test(arena, refuses_a_size_that_can_only_be_a_bug, .signal = SIGABRT)
{
    static struct stoa_arena *volatile arena;    /* no leak when the process ends below */
    volatile uint64_t negative = UINT64_MAX - 8; /* or gcc sees the bug itself */

    arena = stoa_arena_create();
    stoa_arena_take(arena, negative);
}

static void *use_arenas(void *arg)
{
    for (uint32_t i = 0; i < 1000; i++) {
        struct stoa_arena *arena = stoa_arena_create();
        for (uint32_t j = 0; j < i % 20; j++)
            memset(stoa_arena_take(arena, 2000), 7, 2000);
        stoa_arena_destroy(arena);
    }
    return arg;
}

Test(arena, keeps_free_blocks_by_thread_and_gives_them_back_at_its_end)
{
    pthread_t threads[4];

    for (uint32_t i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, use_arenas, NULL), 0);
    for (uint32_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    stoa_arena_destroy(NULL);
}
