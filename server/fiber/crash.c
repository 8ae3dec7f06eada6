/* fiber/crash.c: the last words of a process: "fiber stack overflow" when a guard page was hit,
 * which would otherwise look like any wild pointer, and a report for whoever watches.
 * SPDX-License-Identifier: Apache-2.0 */
#include "fiber/fiber_internal.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ucontext.h>
#include <unistd.h>

/* The handler cannot run on the stack that has just overflowed. */
enum { SIGNAL_STACK = 64 * 1024 };

static const int always[] = {SIGSEGV, SIGBUS}, watched[] = {SIGABRT, SIGILL, SIGFPE};
static struct sigaction before[NSIG];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Thread_local void *signal_stack;
static void (*watch)(const struct fiber_crash *crash);

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

#if defined(__x86_64__)
static uintptr_t pc_of(const ucontext_t *c)
{
    return (uintptr_t)c->uc_mcontext.gregs[REG_RIP];
}

static uintptr_t sp_of(const ucontext_t *c)
{
    return (uintptr_t)c->uc_mcontext.gregs[REG_RSP];
}
#elif defined(__aarch64__)
static uintptr_t pc_of(const ucontext_t *c)
{
    return c->uc_mcontext.pc;
}

static uintptr_t sp_of(const ucontext_t *c)
{
    return c->uc_mcontext.sp;
}
#else
static uintptr_t pc_of(const ucontext_t *c)
{
    return 0;
}

static uintptr_t sp_of(const ucontext_t *c)
{
    return 0;
}
#endif

static void tell(int number, const struct fiber *self, const ucontext_t *context)
{
    struct fiber_crash crash = {.signal = number, .pc = pc_of(context)};
    uintptr_t from = sp_of(context) & ~(sizeof(uintptr_t) - 1);

    if (self) {
        uintptr_t bottom = (uintptr_t)self->stack, top = bottom + FIBER_STACK_USED;
        from = from < bottom || from > top ? bottom : from; /* it overflowed */
        crash.stack = (const uintptr_t *)from;
        crash.stack_end = (const uintptr_t *)top;
        crash.note = self->note;
    }
    watch(&crash);
}

/* Returning runs the instruction again, now with the handling from before: a core with the place
 * of the fault on top, or the sanitizer's report. abort() sends its signal again by itself. */
static void on_fault(int number, siginfo_t *info, void *context)
{
    struct fiber *self = fiber_self();

    if (number != SIGABRT && self && in_guard(self, info->si_addr))
        say((uintptr_t)info->si_addr);
    if (watch)
        tell(number, self, context);
    sigaction(number, &before[number], NULL);
}

static void handle(int number)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    sigemptyset(&action.sa_mask);
    sigaction(number, &action, &before[number]);
}

static void install(void)
{
    for (uint32_t i = 0; i < sizeof always / sizeof *always; i++)
        handle(always[i]);
    for (uint32_t i = 0; watch && i < sizeof watched / sizeof *watched; i++)
        handle(watched[i]);
}

void fiber_crash_watch(void (*report)(const struct fiber_crash *crash))
{
    watch = report;
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
