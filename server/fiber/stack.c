/* fiber/stack.c: stacks with a guard at both ends, pooled per thread.
 *
 * A stack that overflows must hit a guard, and one that is smashed past its top must not reach the
 * neighbour's. Neighbours share a guard. SPDX-License-Identifier: Apache-2.0 */
#include "fiber/fiber_internal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#ifdef STOA_VALGRIND
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(start, end) 0
#define VALGRIND_STACK_DEREGISTER(id) (void)(id)
#endif

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif

enum { SLAB_BYTES = FIBER_SLAB * FIBER_STRIDE + FIBER_GUARD };

static atomic_bool guard_by_madvise = true;

/* MADV_GUARD_INSTALL splits no mapping; mprotect() makes two of each stack, and the kernel allows
 * a process 65,530 (vm.max_map_count). */
static bool guard(char *at)
{
    if (atomic_load_explicit(&guard_by_madvise, memory_order_relaxed)) {
        if (madvise(at, FIBER_GUARD, MADV_GUARD_INSTALL) == 0)
            return true;
        atomic_store_explicit(&guard_by_madvise, false, memory_order_relaxed);
    }
    return mprotect(at, FIBER_GUARD, PROT_NONE) == 0;
}

static char *map_slab(void)
{
    char *base = mmap(NULL, SLAB_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

    if (base == MAP_FAILED)
        return NULL;
    /* A huge page under a stack that uses 4 KB of it would be the end of "10,000 may wait". */
    madvise(base, SLAB_BYTES, MADV_NOHUGEPAGE);
    for (uint32_t i = 0; i <= FIBER_SLAB; i++) {
        if (!guard(base + (size_t)i * FIBER_STRIDE)) {
            munmap(base, SLAB_BYTES);
            return NULL;
        }
    }
    return base;
}

static bool add_slab(struct fiber_sched *sched)
{
    char *base = map_slab();
    struct fiber_slab *slab;

    if (!base)
        return false;
    slab = calloc(1, sizeof(*slab));
    stoa_assert(slab);
    slab->base = base;
    slab->next = sched->slabs;
    sched->slabs = slab;
    for (uint32_t i = FIBER_SLAB; i-- > 0;) {
        struct fiber *fiber = &slab->fibers[i];

        fiber->sched = sched;
        fiber->stack = base + (size_t)i * FIBER_STRIDE + FIBER_GUARD;
        slab->valgrind_ids[i] =
            VALGRIND_STACK_REGISTER(fiber->stack, fiber->stack + FIBER_STACK_USED - 1);
        fiber->cold = true;
        fiber->next = sched->cold;
        sched->cold = fiber;
    }
    return true;
}

struct fiber *fiber_stack_acquire(struct fiber_sched *sched)
{
    struct fiber *fiber = sched->warm;

    if (fiber) {
        sched->warm = fiber->next;
        sched->warm_count--;
        return fiber;
    }
    if (!sched->cold && !add_slab(sched))
        return NULL;
    fiber = sched->cold;
    sched->cold = fiber->next;
    return fiber;
}

void fiber_stack_release(struct fiber *fiber)
{
    struct fiber_sched *sched = fiber->sched;

    if (sched->warm_count < FIBER_WARM_MAX) {
        fiber->next = sched->warm;
        sched->warm = fiber;
        sched->warm_count++;
        return;
    }
    madvise(fiber->stack, FIBER_STACK_USED, MADV_DONTNEED);
    fiber->cold = true;
    fiber->next = sched->cold;
    sched->cold = fiber;
}

void fiber_stacks_free(struct fiber_sched *sched)
{
    while (sched->slabs) {
        struct fiber_slab *slab = sched->slabs;

        sched->slabs = slab->next;
        for (uint32_t i = 0; i < FIBER_SLAB; i++)
            VALGRIND_STACK_DEREGISTER(slab->valgrind_ids[i]);
        munmap(slab->base, SLAB_BYTES);
        free(slab);
    }
    sched->warm = sched->cold = NULL;
    sched->warm_count = 0;
}
