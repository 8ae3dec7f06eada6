/* fiber/lock.c: a lock that is handed over, so that nobody overtakes. No threads are involved: all
 * fibers of a queue run on one loop. SPDX-License-Identifier: Apache-2.0 */
#include "fiber/fiber.h"

#include <stddef.h>

struct fiber_queue_entry { /* on the waiting fiber's stack */
    struct fiber_wait wait;
    struct fiber_queue_entry *next, *prev;
};

static void push(struct fiber_queue *queue, struct fiber_queue_entry *entry)
{
    entry->prev = queue->tail;
    if (queue->tail)
        queue->tail->next = entry;
    else
        queue->head = entry;
    queue->tail = entry;
}

static void take_out(struct fiber_queue *queue, struct fiber_queue_entry *entry)
{
    if (entry->prev)
        entry->prev->next = entry->next;
    else
        queue->head = entry->next;
    if (entry->next)
        entry->next->prev = entry->prev;
    else
        queue->tail = entry->prev;
}

stoa_err fiber_lock(struct fiber_queue *queue, int64_t timeout_ms)
{
    struct fiber_queue_entry entry = {0};
    stoa_err err;

    if (!queue->held) {
        queue->held = true;
        return STOA_OK;
    }
    push(queue, &entry);
    err = fiber_await(&entry.wait, timeout_ms);
    if (err != STOA_OK) /* not woken, hence still in the queue */
        take_out(queue, &entry);
    return err;
}

void fiber_unlock(struct fiber_queue *queue)
{
    struct fiber_queue_entry *next = queue->head;

    stoa_assert(queue->held);
    if (!next) {
        queue->held = false;
        return;
    }
    take_out(queue, next);
    fiber_wake(&next->wait); /* its lock now */
}
