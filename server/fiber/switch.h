/* fiber/switch.h: from one stack to another. SPDX-License-Identifier: Apache-2.0 */
#ifndef FIBER_SWITCH_H
#define FIBER_SWITCH_H

#include <stddef.h>

#if !defined(__x86_64__) && !defined(__aarch64__) && !defined(STOA_UCONTEXT)
#define STOA_UCONTEXT
#endif

#ifdef STOA_UCONTEXT
#include <ucontext.h>
struct fiber_context {
    ucontext_t registers;
};
#else
/* Everything else lies on the stack that sp points to. */
struct fiber_context {
    void *sp;
};
/* In assembly: saves what the ABI calls preserved (registers, rounding mode) on this stack and its
 * place in *save, and goes on where load was saved. */
void fiber_switch_stack(void **save, void *load);
/* Where a new stack starts: calls the entry that fiber_context_init() left in a register. */
void fiber_switch_start(void);
#endif

/* The first switch to context calls entry() on that stack; entry never returns. */
void fiber_context_init(struct fiber_context *context, void *stack, size_t size,
                        void (*entry)(void));

static inline void fiber_context_switch(struct fiber_context *from, struct fiber_context *to)
{
#ifdef STOA_UCONTEXT
    swapcontext(&from->registers, &to->registers);
#else
    fiber_switch_stack(&from->sp, to->sp);
#endif
}

#endif
