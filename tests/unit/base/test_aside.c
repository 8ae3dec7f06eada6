/* SPDX-License-Identifier: Apache-2.0 */
#include "base/aside.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { CALLERS = 4, ADDED = 50 };

struct seen {
    pid_t thread;
    int nice;
};

static void look(void *arg)
{
    struct seen *seen = arg;

    *seen = (struct seen){gettid(), getpriority(PRIO_PROCESS, 0)};
}

Test(aside, is_one_thread_for_all_work)
{
    struct seen first = {0}, second = {0};

    aside_prepare();
    aside_run(look, &first);
    aside_run(look, &second);
    cr_assert_neq(first.thread, gettid());
    cr_assert_eq(first.thread, second.thread);
}

static void add_slowly(void *arg)
{
    static const struct timespec moment = {.tv_nsec = 1000};
    uint32_t before = *(uint32_t *)arg;

    nanosleep(&moment, NULL);
    *(uint32_t *)arg = before + 1;
}

static void *add_many(void *arg)
{
    for (uint32_t i = 0; i < ADDED; i++)
        aside_run(add_slowly, arg);
    return NULL;
}

Test(aside, takes_one_piece_of_work_after_the_other)
{
    pthread_t threads[CALLERS];
    uint32_t sum = 0;

    for (uint32_t i = 0; i < CALLERS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, add_many, &sum), 0);
    for (uint32_t i = 0; i < CALLERS; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(sum, CALLERS * ADDED);
}

Test(aside, waits_for_work_that_others_come_before)
{
    int nice = getpriority(PRIO_PROCESS, 0);
    struct seen seen = {0};

    aside_run(look, &seen);
    cr_assert_neq(seen.thread, gettid());
    cr_assert_neq(seen.thread, 0);
    cr_assert_geq(seen.nice, 10);
    cr_assert_eq(getpriority(PRIO_PROCESS, 0), nice, "the caller's is as it was");
}
