/* SPDX-License-Identifier: Apache-2.0 */
#include "fiber/fiber_internal.h"
#include "on_fiber.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef STOA_VALGRIND
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

enum { MANY = 10000, BYTES_MAX = 20 * 1024 };

static long resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    char line[128] = "";
    char *second;

    cr_assert(file && fgets(line, sizeof(line), file));
    fclose(file);
    second = strchr(line, ' ');
    cr_assert_not_null(second);
    return strtol(second, NULL, 10) * sysconf(_SC_PAGESIZE);
}

static uint32_t begun;

static void sleep_long(void *arg)
{
    begun++;
    cr_assert_eq(fiber_sleep(600000), STOA_E_CANCELLED);
}

static void sleep_many(void *arg)
{
    static struct fiber *fibers[MANY];
    long before = resident_bytes();
    long each;

    for (int i = 0; i < MANY; i++)
        spawn(sleep_long, NULL, &fibers[i]);
    while (begun < MANY)
        fiber_yield();
    cr_assert_eq(fiber_live(), MANY + 1);
    each = (resident_bytes() - before) / MANY;
    printf("%ld bytes for each waiting fiber\n", each);
    for (int i = 0; i < MANY; i++)
        fiber_cancel(fibers[i]);
    while (fiber_live() > 1)
        fiber_yield();
    if (FIBER_ASAN || RUNNING_ON_VALGRIND)
        return; /* they have memory of their own */
    cr_assert_leq(each, BYTES_MAX);
    cr_assert_leq(resident_bytes() - before,
                  (FIBER_WARM_MAX + MANY / 10) * 4096L + MANY * (long)sizeof(struct fiber),
                  "the pages of surplus stacks go back");
}

Test(stack, ten_thousand_fibers_wait_in_20_kilobytes_each)
{
    on_fiber(sleep_many, NULL);
}

static void fill_stack(void *arg)
{
    volatile char buf[48 * 1024];

    memset((char *)buf, 0x5a, sizeof(buf));
    fiber_yield();
    for (size_t i = 0; i < sizeof(buf); i += 512)
        cr_assert_eq(buf[i], 0x5a);
}

static void fill_many(void *arg)
{
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 2 * FIBER_WARM_MAX; i++)
            spawn(fill_stack, NULL, NULL);
        while (fiber_live() > 1)
            fiber_yield();
    }
}

Test(stack, is_the_fibers_own_also_when_used_again)
{
    on_fiber(fill_many, NULL);
}

/* ---- Overflow, in a child ---- */

__attribute__((noinline)) static int recurse(int depth)
{
    volatile char frame[512];

    frame[0] = (char)depth;
    return depth > 1 << 30 ? 0 : recurse(depth + 1) + frame[0];
}

static void overflow(void *arg)
{
    recurse(0);
}

static void smash_upwards(void *arg)
{
    volatile char *top = fiber_self()->stack + FIBER_STACK_USED;

    top[FIBER_GUARD / 2] = 1;
}

static void wild_pointer(void *arg)
{
    char *volatile nowhere = (char *)16;

    *nowhere = 1;
}

/* What the child says to stderr before the fault ends it. */
static void dies(void (*body)(void *arg), char *said, size_t max)
{
    struct rlimit no_core = {0};
    int pipe_fds[2], status;
    size_t len = 0;
    ssize_t n;
    pid_t child;

    cr_assert_eq(pipe(pipe_fds), 0);
    child = fork();
    if (child == 0) {
        dup2(pipe_fds[1], STDERR_FILENO);
        setrlimit(RLIMIT_CORE, &no_core);
        fiber_crash_init_thread();
        on_fiber(body, NULL);
        _exit(0);
    }
    close(pipe_fds[1]);
    while ((n = read(pipe_fds[0], said + len, max - 1 - len)) > 0)
        len += (size_t)n;
    close(pipe_fds[0]);
    said[len] = '\0';
    cr_assert_eq(waitpid(child, &status, 0), child);
    if (FIBER_ASAN)
        cr_assert(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
    else
        cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

Test(stack, overflow_is_caught_by_the_guard_and_named)
{
    char said[16384];

    dies(overflow, said, sizeof(said));
    cr_assert_not_null(strstr(said, "fiber stack overflow at 0x"));
}

Test(stack, smashing_past_the_top_is_caught_too)
{
    char said[16384];

    dies(smash_upwards, said, sizeof(said));
    cr_assert_not_null(strstr(said, "fiber stack overflow at 0x"));
}

Test(stack, other_faults_are_not_called_an_overflow)
{
    char said[16384];

    dies(wild_pointer, said, sizeof(said));
    cr_assert_null(strstr(said, "fiber stack overflow"));
}
