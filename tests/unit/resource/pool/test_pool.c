/* SPDX-License-Identifier: Apache-2.0 */
#include "resource/pool/pool.h"

#include "../../fiber/on_fiber.h"
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* One thread for passwords and a queue of two; the others do not matter. */
static const uint32_t threads[POOL_KINDS] = {2, 1, 1, 1, 1};
static const uint32_t queue_max[POOL_KINDS] = {64, 2, 1, 1, 1};
static struct pool *pool;

/* A job that has begun and ends when the test says so. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_moved = PTHREAD_COND_INITIALIZER;
static bool gate_begun, gate_open;

static void wait_at_gate(void *arg)
{
    pthread_mutex_lock(&gate);
    gate_begun = true;
    while (!gate_open)
        pthread_cond_wait(&gate_moved, &gate);
    pthread_mutex_unlock(&gate);
    *(int *)arg += 1;
}

static bool has_begun(void)
{
    bool begun;

    pthread_mutex_lock(&gate);
    begun = gate_begun;
    pthread_mutex_unlock(&gate);
    return begun;
}

static void open_gate(void)
{
    pthread_mutex_lock(&gate);
    gate_open = true;
    pthread_cond_broadcast(&gate_moved);
    pthread_mutex_unlock(&gate);
}

static void with_pool(void (*body)(void *arg))
{
    pool = pool_create(threads, queue_max);
    on_fiber(body, NULL);
    pool_destroy(pool);
}

static void add_one(void *arg)
{
    cr_assert_null(loop_current());
    *(int *)arg += 1;
}

static void run_each_kind(void *arg)
{
    int count = 0;

    for (enum pool_kind kind = 0; kind < POOL_KINDS; kind++)
        cr_assert_eq(pool_run(pool, kind, add_one, &count), STOA_OK);
    cr_assert_eq(count, POOL_KINDS);
}

Test(pool, runs_work_on_a_thread)
{
    with_pool(run_each_kind);
}

Test(pool, runs_in_place_off_a_fiber)
{
    int count = 0;

    pool = pool_create(threads, queue_max);
    cr_assert_eq(pool_run(pool, POOL_FILE, add_one, &count), STOA_OK);
    cr_assert_eq(count, 1);
    pool_destroy(pool);
}

static int total;
static int busy;

static void run_one(void *arg)
{
    int mine = 0;
    stoa_err err = pool_run(pool, POOL_SQL_READ, add_one, &mine);

    cr_assert(err == STOA_OK || err == STOA_E_BUSY);
    cr_assert_eq(mine, err == STOA_OK);
    total += mine;
    busy += err == STOA_E_BUSY;
}

static void run_thousand(void *arg)
{
    for (int i = 0; i < 1000; i++)
        spawn(run_one, NULL, NULL);
    while (fiber_live() > 1)
        cr_assert_eq(fiber_sleep(1), STOA_OK);
}

Test(pool, serves_many_fibers_or_says_busy)
{
    with_pool(run_thousand);
    cr_assert_eq(total + busy, 1000);
    cr_assert_geq(total, 64);
}

static stoa_err outcome[4];
static int ran[4];

static void run_at_gate(void *arg)
{
    int i = (int)(intptr_t)arg;

    outcome[i] = pool_run(pool, POOL_PASSWORD, wait_at_gate, &ran[i]);
}

static struct fiber *spawn_at_gate(int i)
{
    struct fiber *fiber;

    outcome[i] = STOA_E_INTERNAL;
    spawn(run_at_gate, (void *)(intptr_t)i, &fiber);
    fiber_yield();
    return fiber;
}

static void until_begun(void)
{
    while (!has_begun()) {
        cr_assert_gt(fiber_live(), 1, "its fiber is gone");
        cr_assert_eq(fiber_sleep(1), STOA_OK);
    }
}

static void until_alone(void)
{
    while (fiber_live() > 1)
        cr_assert_eq(fiber_sleep(1), STOA_OK);
}

static void overfill(void *arg)
{
    int other = 0;

    spawn_at_gate(0);
    until_begun();
    spawn_at_gate(1);
    spawn_at_gate(2);
    spawn_at_gate(3);
    cr_assert_eq(outcome[3], STOA_E_BUSY, "two wait already");
    cr_assert_eq(pool_run(pool, POOL_FILE, add_one, &other), STOA_OK, "other kinds go on");
    open_gate();
    until_alone();
    cr_assert_eq(outcome[0] + outcome[1] + outcome[2], STOA_OK);
    cr_assert_eq(ran[0] + ran[1] + ran[2], 3);
}

Test(pool, bounds_each_kinds_queue)
{
    with_pool(overfill);
}

static void cancel_waiting(void *arg)
{
    struct fiber *waiting;

    spawn_at_gate(0);
    until_begun();
    waiting = spawn_at_gate(1);
    spawn_at_gate(2);
    fiber_cancel(waiting);
    fiber_yield();
    cr_assert_eq(outcome[1], STOA_E_CANCELLED, "at once, while the thread is still busy");
    cr_assert_eq(spawn_at_gate(3) && outcome[3] == STOA_E_INTERNAL, true, "its place is free");
    open_gate();
    until_alone();
    cr_assert_eq(ran[1], 0, "taken back: it never ran");
    cr_assert_eq(ran[0] + ran[2] + ran[3], 3);
}

Test(pool, takes_back_a_job_that_has_not_begun)
{
    with_pool(cancel_waiting);
}

static void cancel_begun(void *arg)
{
    struct fiber *begun = spawn_at_gate(0);

    until_begun();
    fiber_cancel(begun);
    for (int i = 0; i < 10; i++)
        fiber_yield();
    cr_assert_eq(outcome[0], STOA_E_INTERNAL, "still waits: the thread writes to its memory");
    open_gate();
    until_alone();
    cr_assert_eq(outcome[0], STOA_OK, "it has run");
    cr_assert_eq(ran[0], 1);
}

Test(pool, waits_for_a_job_that_has_begun)
{
    with_pool(cancel_begun);
}

static int64_t deadline;

/* A later one when no thread has begun by then. */
static void deadline_begun(void *arg)
{
    for (int64_t ms = 100; outcome[0] != STOA_OK && !has_begun(); ms *= 3) {
        deadline = loop_now(loop_current()) + ms;
        fiber_set_deadline(deadline);
        outcome[0] = pool_run(pool, POOL_PASSWORD, wait_at_gate, &ran[0]);
        cr_assert(outcome[0] == STOA_OK || outcome[0] == STOA_E_TIMEOUT);
    }
    cr_assert_eq(fiber_deadline(), deadline, "put back");
    cr_assert_eq(fiber_check(), STOA_E_TIMEOUT);
    outcome[1] = pool_run(pool, POOL_PASSWORD, wait_at_gate, &ran[1]);
}

static void outlive_deadline(void *arg)
{
    outcome[0] = STOA_E_INTERNAL;
    spawn(deadline_begun, NULL, NULL);
    fiber_yield();
    until_begun();
    while (loop_now(loop_current()) <= deadline)
        cr_assert_eq(fiber_sleep(10), STOA_OK);
    cr_assert_eq(fiber_live(), 2);
    open_gate();
    until_alone();
}

Test(pool, a_deadline_ends_the_wait_only_when_the_job_does)
{
    with_pool(outlive_deadline);
    cr_assert_eq(outcome[0], STOA_OK);
    cr_assert_eq(outcome[1], STOA_E_TIMEOUT, "past its deadline a fiber begins nothing");
    cr_assert_eq(ran[1], 0);
}

static void *destroy_pool(void *arg)
{
    pool_destroy(pool);
    return NULL;
}

static void destroy_while_used(void *arg)
{
    pthread_t thread;

    spawn_at_gate(0);
    until_begun();
    spawn_at_gate(1);
    cr_assert_eq(pthread_create(&thread, NULL, destroy_pool, NULL), 0);
    while (outcome[1] == STOA_E_INTERNAL)
        cr_assert_eq(fiber_sleep(1), STOA_OK);
    cr_assert_eq(outcome[1], STOA_E_CANCELLED);
    open_gate();
    until_alone();
    pthread_join(thread, NULL);
    cr_assert_eq(outcome[0], STOA_OK);
    cr_assert_eq(ran[0], 1);
    cr_assert_eq(ran[1], 0);
}

Test(pool, destroyed_finishes_what_runs_and_drops_what_waits)
{
    pool = pool_create(threads, queue_max);
    on_fiber(destroy_while_used, NULL);
}
