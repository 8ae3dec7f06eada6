/* tests/data/swap/bad.c: takes the place of swap.c, and must not get that far.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stoa/stoa.h>

STOA_MANIFEST("swap", "6.6.6", "");

static void misbehave(struct stoa_arena *arena)
{
#if defined(SIN_CRASH) || defined(SIN_CONSTRUCTOR_CRASH)
    int *volatile nowhere = (int *)(uintptr_t)8;

    *nowhere = 1;
#elif defined(SIN_ABORT)
    __builtin_trap();
#elif defined(SIN_HANG) || defined(SIN_CONSTRUCTOR_HANG)
    for (volatile int forever = 1; forever;)
        ;
#elif defined(SIN_MEMORY)
    for (;;)
        memset(stoa_arena_alloc(arena, 1 << 20), 1, 1 << 20);
#endif
}

#if defined(SIN_CONSTRUCTOR_CRASH) || defined(SIN_CONSTRUCTOR_HANG)
void stoa_init(void);
void stoa_init(void)
{
    misbehave(NULL);
}

static stoa_err make(const struct stoa_settings *set, struct stoa_instance *in, void **ret)
{
    return STOA_OK;
}
#else
static stoa_err make(const struct stoa_settings *set, struct stoa_instance *in, void **ret)
{
    misbehave(stoa_instance_arena(in));
    return STOA_OK;
}
#endif

STOA_PLUGIN(.settings = STOA_SETTINGS({"greeting", STOA_SET_STRING, .otherwise = "hello"}),
            .create = make);
