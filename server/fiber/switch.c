/* fiber/switch.c: how a stack looks before its first switch. SPDX-License-Identifier: Apache-2.0 */
#include "fiber/switch.h"

#include <stdint.h>
#include <string.h>

#ifdef STOA_UCONTEXT

#include <stoa/api.h>

void fiber_context_init(struct fiber_context *context, void *stack, size_t size,
                        void (*entry)(void))
{
    stoa_assert(getcontext(&context->registers) == 0);
    context->registers.uc_stack.ss_sp = stack;
    context->registers.uc_stack.ss_size = size;
    context->registers.uc_link = NULL;
    makecontext(&context->registers, entry, 0);
}

#else

/* What the assembly expects to load, lowest address first. */
#ifdef __x86_64__
struct frame {
    uint32_t mxcsr;
    uint32_t x87_control;
    uint64_t r15, r14, r13, entry, rbx, rbp; /* entry is r12 */
    void (*start)(void);
}; /* 64 bytes: the stack is aligned to 16 where start begins, as its call needs it */

static struct frame first_frame(void (*entry)(void))
{
    struct frame frame = {.entry = (uintptr_t)entry, .start = fiber_switch_start};

    __asm__("stmxcsr %0" : "=m"(frame.mxcsr));
    __asm__("fnstcw %0" : "=m"(frame.x87_control));
    return frame;
}
#else
struct frame {
    uint64_t entry, x20_to_x29[10]; /* entry is x19 */
    void (*start)(void);            /* x30 */
    uint64_t d8_to_d15[8];
    uint64_t fpcr, pad;
};

static struct frame first_frame(void (*entry)(void))
{
    struct frame frame = {.entry = (uintptr_t)entry, .start = fiber_switch_start};

    __asm__("mrs %0, fpcr" : "=r"(frame.fpcr));
    return frame;
}
#endif

void fiber_context_init(struct fiber_context *context, void *stack, size_t size,
                        void (*entry)(void))
{
    struct frame frame = first_frame(entry);
    char *top = (char *)stack + size;

    top -= (uintptr_t)top % 16;
    context->sp = top - sizeof(frame);
    memcpy(context->sp, &frame, sizeof(frame));
}

#endif
