/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/loop.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

static struct loop *loop;
static char trace[64];

static void setup(void)
{
    loop = loop_create(3);
}

static void teardown(void)
{
    loop_destroy(loop);
}

TestSuite(loop, .init = setup, .fini = teardown);

static void stop(struct loop_task *task)
{
    loop_stop(loop);
}

static void note_a(struct loop_task *task)
{
    strcat(trace, "a");
}

static void note_b(struct loop_task *task)
{
    strcat(trace, "b");
}

Test(loop, runs_tasks_once_in_order)
{
    struct loop_task a = {.run = note_a}, b = {.run = note_b}, end = {.run = stop};

    loop_defer(loop, &a);
    loop_defer(loop, &b);
    loop_defer(loop, &a); /* queued already */
    loop_defer(loop, &end);
    loop_run(loop);
    cr_assert_str_eq(trace, "ab");
    loop_defer(loop, &a);
    loop_defer(loop, &end);
    loop_run(loop);
    cr_assert_str_eq(trace, "aba", "a loop that was stopped can run again");
}

static void check_current(struct loop_task *task)
{
    cr_assert_eq(loop_current(), loop);
    loop_stop(loop);
}

Test(loop, is_current_only_while_it_runs)
{
    struct loop_task task = {.run = check_current};

    cr_assert_null(loop_current());
    cr_assert_eq(loop_index(loop), 3);
    loop_defer(loop, &task);
    loop_run(loop);
    cr_assert_null(loop_current());
}

static uint32_t again_count;

static void again(struct loop_task *task)
{
    again_count++;
    loop_defer(loop, task);
}

static void stop_on_time(struct loop_timer *timer)
{
    loop_stop(loop);
}

/* Timers come before tasks: one that is due in the first turn waits for the task's second run. */
static void stop_after_two(struct loop_timer *timer)
{
    if (again_count > 1)
        loop_stop(loop);
    else
        loop_timer_arm(loop, timer, 2);
}

Test(loop, a_task_that_defers_itself_does_not_starve_timers)
{
    struct loop_task task = {.run = again};
    struct loop_timer timer = {.fire = stop_after_two};

    loop_defer(loop, &task);
    loop_timer_arm(loop, &timer, 2);
    loop_run(loop);
    cr_assert_gt(again_count, 1);
}

static void run_hook_a(struct loop_hook *hook)
{
    strcat(trace, "A");
}

static void run_hook_b(struct loop_hook *hook)
{
    strcat(trace, "B");
}

Test(loop, calls_hooks_in_order_at_the_end_of_a_turn)
{
    struct loop_hook a = {.run = run_hook_a}, b = {.run = run_hook_b};
    struct loop_task task = {.run = note_a}, end = {.run = stop};

    loop_add_hook(loop, &a);
    loop_add_hook(loop, &b);
    loop_defer(loop, &task);
    loop_defer(loop, &end);
    loop_run(loop);
    cr_assert_str_eq(trace, "aAB");
    cr_assert_eq(loop_turns(loop), 1);
}

/* ---- Other threads ---- */

enum { THREADS = 4, MESSAGES = 5000 };

struct numbered {
    struct loop_message message;
    uint32_t thread, number;
};

static uint32_t next_of[THREADS], received;

static void receive(struct loop_message *message)
{
    struct numbered *numbered = (struct numbered *)message;

    cr_assert_eq(numbered->number, next_of[numbered->thread]++, "in the order of posting");
    free(numbered);
    if (++received == THREADS * MESSAGES)
        loop_stop(loop);
}

static void *post_many(void *arg)
{
    for (uint32_t i = 0; i < MESSAGES; i++) {
        struct numbered *numbered = calloc(1, sizeof(*numbered));

        *numbered = (struct numbered){{.run = receive}, *(uint32_t *)arg, i};
        loop_post(loop, &numbered->message);
    }
    return NULL;
}

Test(loop, takes_every_message_of_many_threads)
{
    pthread_t threads[THREADS];
    uint32_t numbers[THREADS];

    for (uint32_t i = 0; i < THREADS; i++) {
        numbers[i] = i;
        cr_assert_eq(pthread_create(&threads[i], NULL, post_many, &numbers[i]), 0);
    }
    loop_run(loop);
    for (uint32_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(received, THREADS * MESSAGES);
}

static void *run_loop(void *arg)
{
    loop_run(loop);
    return NULL;
}

Test(loop, stops_from_another_thread_while_idle)
{
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, run_loop, NULL), 0);
    loop_stop(loop);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert_geq(loop_turns(loop), 1);
}

static void stop_by_message(struct loop_message *message)
{
    loop_stop(loop);
}

static void post_to_self(struct loop_task *task)
{
    static struct loop_message message = {.run = stop_by_message};

    loop_post(loop, &message);
}

Test(loop, takes_messages_posted_on_its_own_thread)
{
    struct loop_task task = {.run = post_to_self};

    loop_defer(loop, &task);
    loop_run(loop);
}

/* ---- Signals ---- */

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
    signals++;
}

Test(loop, goes_on_when_a_signal_interrupts_its_wait)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct itimerval each_ms = {{0, 1000}, {0, 1000}}, none = {{0, 0}, {0, 0}};
    struct loop_timer timer = {.fire = stop_on_time};

    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &each_ms, NULL);
    loop_timer_arm(loop, &timer, 20);
    loop_run(loop);
    setitimer(ITIMER_REAL, &none, NULL);
    cr_assert_gt(signals, 0);
}

static uint32_t open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    uint32_t count = 0;

    cr_assert(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

/* h2o 2.2.5 leaves the epoll descriptor of a destroyed loop open. */
Test(loop_end, leaves_nothing_open_but_what_h2o_does)
{
    uint32_t before = open_descriptors();

    for (int i = 0; i < 3; i++) {
        loop = loop_create(0);
        loop_stop(loop);
        loop_run(loop);
        loop_destroy(loop);
    }
    cr_assert_leq(open_descriptors(), before + 3);
}
