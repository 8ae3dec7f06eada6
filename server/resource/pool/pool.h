/* resource/pool/pool.h: blocking and CPU-heavy work on threads, one queue per kind of work so that
 * a login storm cannot starve the catalogue. SPDX-License-Identifier: Apache-2.0 */
#ifndef RESOURCE_POOL_H
#define RESOURCE_POOL_H

#include <stoa/errors.h>

enum pool_kind { POOL_SQL_READ, POOL_PASSWORD, POOL_FILE, POOL_PLUGIN, POOL_NAME, POOL_KINDS };

struct pool;
/* threads[k] threads and queue_max[k] waiting jobs for kind k; both 0: work of that kind is refused
 * (STOA_E_BUSY). */
struct pool *pool_create(const uint32_t threads[POOL_KINDS], const uint32_t queue_max[POOL_KINDS]);
/* Finishes what runs, drops what waits (STOA_E_CANCELLED). After the last fiber that uses it, or on
 * a thread that knows no fiber's wait can end early meanwhile. NULL is fine. */
void pool_destroy(struct pool *pool);
/* On a fiber: runs work(arg) on a thread and waits. STOA_OK: work(arg) has run to its end; anything
 * else: it has not begun and never will. STOA_E_BUSY when the queue is full. A wait that ends early
 * (deadline, cancellation) still waits for a job that has begun, as arg may be on the fiber's
 * stack; one that has not begun is taken back. Off a fiber (command line): runs in place. */
STOA_NODISCARD stoa_err pool_run(struct pool *pool, enum pool_kind kind, void (*work)(void *arg),
                                 void *arg);

#endif
