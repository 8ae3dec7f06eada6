/* fiber/crash.c: says "fiber stack overflow" when a guard page was hit, which would otherwise look
 * like any wild pointer. SPDX-License-Identifier: Apache-2.0 */
#include "fiber/fiber_internal.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

/* The handler cannot run on the stack that has just overflowed. */
enum { SIGNAL_STACK = 64 * 1024 };

static struct sigaction before_segv, before_bus;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Thread_local void *signal_stack;

static bool in_guard(const struct fiber *fiber, const char *at)
{
    const char *top = fiber->stack + FIBER_STACK_USED;

    return (at >= fiber->stack - FIBER_GUARD && at < fiber->stack) ||
           (at >= top && at < top + FIBER_GUARD);
}

/* printf() is not for signal handlers. */
static void say(uintptr_t address)
{
    char line[] = "fiber stack overflow at 0x0000000000000000\n";
    char *digit = line + sizeof(line) - 3;

    for (; address != 0; address >>= 4)
        *digit-- = "0123456789abcdef"[address & 15];
    if (write(STDERR_FILENO, line, sizeof(line) - 1) < 0)
        return; /* nobody to tell */
}

/* Returning runs the instruction again, now with the handling from before: a core with the place
 * of the fault on top, or the sanitizer's report. */
static void on_fault(int number, siginfo_t *info, void *context)
{
    struct fiber *self = fiber_self();

    if (self && in_guard(self, info->si_addr))
        say((uintptr_t)info->si_addr);
    sigaction(number, number == SIGBUS ? &before_bus : &before_segv, NULL);
}

static void install(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, &before_segv);
    sigaction(SIGBUS, &action, &before_bus);
}

void fiber_crash_init_thread(void)
{
    stack_t stack = {.ss_size = SIGNAL_STACK};
    stack_t old;

    pthread_once(&once, install);
    /* A sanitizer brings its own, and frees what it finds at the thread's end. */
    if (sigaltstack(NULL, &old) == 0 && !(old.ss_flags & SS_DISABLE))
        return;
    stack.ss_sp = mmap(NULL, SIGNAL_STACK, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    stoa_assert(stack.ss_sp != MAP_FAILED);
    stoa_assert(sigaltstack(&stack, NULL) == 0);
    signal_stack = stack.ss_sp;
}

void fiber_crash_finish_thread(void)
{
    stack_t none = {.ss_flags = SS_DISABLE};

    if (!signal_stack)
        return;
    sigaltstack(&none, NULL);
    munmap(signal_stack, SIGNAL_STACK);
    signal_stack = NULL;
}
