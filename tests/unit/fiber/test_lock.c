/* SPDX-License-Identifier: Apache-2.0 */
#include "on_fiber.h"

#include <string.h>

static struct fiber_queue queue;
static char order[16];

static void lock_and_note(void *arg)
{
    cr_assert_eq(fiber_lock(&queue, -1), STOA_OK);
    strcat(order, arg);
    fiber_yield();
    fiber_unlock(&queue);
}

static void lock_in_order(void *arg)
{
    cr_assert_eq(fiber_lock(&queue, 0), STOA_OK);
    for (const char *name = "a\0b\0c\0d\0"; *name; name += 2)
        spawn(lock_and_note, name, NULL);
    fiber_yield();
    fiber_unlock(&queue);
    cr_assert_eq(fiber_lock(&queue, -1), STOA_OK); /* behind those who came before */
    strcat(order, "e");
    fiber_unlock(&queue);
    while (fiber_live() > 1)
        fiber_yield();
    cr_assert(!queue.held && !queue.head && !queue.tail);
}

Test(lock, goes_to_who_came_first)
{
    on_fiber(lock_in_order, NULL);
    cr_assert_str_eq(order, "abcde");
}

static void lock_in_vain(void *arg)
{
    cr_assert_eq(fiber_lock(&queue, 2), STOA_E_TIMEOUT);
    strcat(order, "t");
}

static void lock_cancelled(void *arg)
{
    cr_assert_eq(fiber_lock(&queue, -1), STOA_E_CANCELLED);
    strcat(order, "c");
}

static void hold_long(void *arg)
{
    struct fiber *cancelled;

    cr_assert_eq(fiber_lock(&queue, -1), STOA_OK);
    spawn(lock_in_vain, NULL, NULL);
    spawn(lock_cancelled, NULL, &cancelled);
    spawn(lock_and_note, "x", NULL);
    cr_assert_eq(fiber_sleep(5), STOA_OK);
    fiber_cancel(cancelled);
    fiber_yield();
    fiber_unlock(&queue);
    while (fiber_live() > 1)
        fiber_yield();
    cr_assert(!queue.held && !queue.head && !queue.tail);
}

Test(lock, forgets_who_gave_up)
{
    on_fiber(hold_long, NULL);
    cr_assert_str_eq(order, "tcx");
}

static void lock_then_die(void *arg)
{
    /* Handed over and cancelled in the same turn: it has the lock and must give it on. */
    cr_assert_eq(fiber_lock(&queue, -1), STOA_OK);
    fiber_unlock(&queue);
}

static void hand_over_to_cancelled(void *arg)
{
    struct fiber *fiber;

    cr_assert_eq(fiber_lock(&queue, -1), STOA_OK);
    spawn(lock_then_die, NULL, &fiber);
    fiber_yield();
    fiber_unlock(&queue);
    fiber_cancel(fiber);
    cr_assert_eq(fiber_lock(&queue, 1000), STOA_OK);
    fiber_unlock(&queue);
}

Test(lock, is_not_lost_on_a_cancelled_fiber)
{
    on_fiber(hand_over_to_cancelled, NULL);
}
