/* tests/unit/fiber/on_fiber.h: a test's body on a fiber of a loop of its own.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_ON_FIBER_H
#define TEST_ON_FIBER_H

#include "fiber/fiber.h"
#include <criterion/criterion.h>

struct on_fiber {
    struct loop_task task;
    void (*body)(void *arg);
    void *arg;
};

static inline void on_fiber_end(void *arg)
{
    loop_stop(loop_current());
}

static inline void on_fiber_start(struct loop_task *task)
{
    struct on_fiber *self = (struct on_fiber *)task;

    cr_assert_eq(fiber_spawn(self->body, on_fiber_end, self->arg, NULL), STOA_OK);
}

/* Runs body(arg) on a fiber, and the loop until body has ended. No other fiber may outlive it. */
static inline void on_fiber(void (*body)(void *arg), void *arg)
{
    struct loop *loop = loop_create(0);
    struct on_fiber self = {.task.run = on_fiber_start, .body = body, .arg = arg};

    loop_defer(loop, &self.task);
    loop_run(loop);
    cr_assert_eq(fiber_live(), 0);
    fiber_finish_thread();
    loop_destroy(loop);
}

static inline void spawn(void (*fn)(void *arg), const void *arg, struct fiber **ret)
{
    cr_assert_eq(fiber_spawn(fn, NULL, (void *)arg, ret), STOA_OK);
}

#endif
