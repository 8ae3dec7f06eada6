/* The linker puts this in the place of the real fiber_spawn (--wrap): sometimes there is no fiber
 * to be had. SPDX-License-Identifier: Apache-2.0 */
#ifndef FEW_FIBERS_H
#define FEW_FIBERS_H

#include "fiber/fiber.h"

static uint32_t spawns, spawns_refused; /* refused: of those to come */

stoa_err __real_fiber_spawn(void (*fn)(void *), void (*done)(void *), void *arg, /* NOLINT */
                            struct fiber **ret);
stoa_err __wrap_fiber_spawn(void (*fn)(void *), void (*done)(void *), void *arg, /* NOLINT */
                            struct fiber **ret);
stoa_err __wrap_fiber_spawn(void (*fn)(void *), void (*done)(void *), void *arg, /* NOLINT */
                            struct fiber **ret)
{
    spawns++;
    if (spawns_refused == 0)
        return __real_fiber_spawn(fn, done, arg, ret);
    spawns_refused--;
    return STOA_E_BUSY;
}

#endif
