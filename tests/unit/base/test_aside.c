/* SPDX-License-Identifier: Apache-2.0 */
#include "base/aside.h"
#include "base/spawn.h"
#include "base/thread.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>
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

struct begun {
    struct seen start, work, thread;
    bool is_blocked, may_fault; /* the thread's signals */
};

static void look_at_start(void *arg)
{
    look(&((struct begun *)arg)->start);
}

static void *look_in_thread(void *arg)
{
    struct begun *begun = arg;
    sigset_t blocked;

    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    begun->is_blocked = sigismember(&blocked, SIGTERM) == 1;
    begun->may_fault = sigismember(&blocked, SIGSEGV) == 0;
    look(&begun->thread);
    return NULL;
}

static void begin_some(void *arg)
{
    struct begun *begun = arg;
    pthread_t thread;

    aside_start(look_at_start, begun);
    cr_assert(thread_start("looks", look_in_thread, begun, &thread));
    pthread_join(thread, NULL);
    look(&begun->work);
}

Test(aside, starts_what_serves_with_the_ordinary_priority)
{
    int nice = getpriority(PRIO_PROCESS, 0);
    struct begun begun = {0};

    for (uint32_t i = 0; i < ADDED; i++) {
        begun = (struct begun){0};
        aside_run(begin_some, &begun);
        cr_assert_eq(begun.start.thread, gettid());
        cr_assert_eq(begun.start.nice, nice);
        cr_assert_eq(begun.thread.nice, nice);
        cr_assert(begun.is_blocked && begun.may_fault);
        cr_assert_neq(begun.work.thread, gettid());
        cr_assert_geq(begun.work.nice, 10, "and goes on aside");
    }
}

static void spawn_nice(void *arg)
{
    /* Its end tells what it was started with. */
    char *const arguments[] = {(char *)"sh", (char *)"-c", (char *)"exit $(nice)", NULL};

    cr_assert(spawn_start(&(struct spawn){.program = "/bin/sh", .arguments = arguments}, arg));
}

Test(aside, starts_children_with_the_ordinary_priority)
{
    int nice = getpriority(PRIO_PROCESS, 0) + 1, status;
    pid_t child = 0;

    cr_assert_eq(setpriority(PRIO_PROCESS, 0, nice), 0);
    aside_run(spawn_nice, &child);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(WEXITSTATUS(status), nice);
}

Test(aside, starts_here_what_nothing_aside_asked_for)
{
    struct seen seen = {0};

    aside_start(look, &seen);
    cr_assert_eq(seen.thread, gettid());
}
