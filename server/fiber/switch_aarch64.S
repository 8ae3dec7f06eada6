/* fiber/switch_aarch64.S: see switch.h and struct frame in switch.c. AAPCS64: x19 to x30, d8 to d15
 * and fpcr are the callee's to preserve. SPDX-License-Identifier: Apache-2.0 */
        .text
        .p2align 4
        .globl  fiber_switch_stack
        .hidden fiber_switch_stack
        .type   fiber_switch_stack, %function
fiber_switch_stack:
        .cfi_startproc
        sub     sp, sp, #176
        .cfi_adjust_cfa_offset 176
        stp     x19, x20, [sp, #0]
        stp     x21, x22, [sp, #16]
        stp     x23, x24, [sp, #32]
        stp     x25, x26, [sp, #48]
        stp     x27, x28, [sp, #64]
        stp     x29, x30, [sp, #80]
        .cfi_rel_offset x29, 80
        .cfi_rel_offset x30, 88
        stp     d8, d9, [sp, #96]
        stp     d10, d11, [sp, #112]
        stp     d12, d13, [sp, #128]
        stp     d14, d15, [sp, #144]
        mrs     x9, fpcr
        str     x9, [sp, #160]
        mov     x9, sp
        str     x9, [x0]
        mov     sp, x1
        ldr     x9, [sp, #160]
        msr     fpcr, x9
        ldp     d14, d15, [sp, #144]
        ldp     d12, d13, [sp, #128]
        ldp     d10, d11, [sp, #112]
        ldp     d8, d9, [sp, #96]
        ldp     x29, x30, [sp, #80]
        ldp     x27, x28, [sp, #64]
        ldp     x25, x26, [sp, #48]
        ldp     x23, x24, [sp, #32]
        ldp     x21, x22, [sp, #16]
        ldp     x19, x20, [sp, #0]
        add     sp, sp, #176
        .cfi_adjust_cfa_offset -176
        .cfi_restore x29
        .cfi_restore x30
        /* Not ret: the processor's return stack knows nothing of this place. */
        mov     x9, x30
        br      x9
        .cfi_endproc
        .size   fiber_switch_stack, . - fiber_switch_stack

        .p2align 4
        .globl  fiber_switch_start
        .hidden fiber_switch_start
        .type   fiber_switch_start, %function
fiber_switch_start:
        .cfi_startproc
        .cfi_undefined x30      /* backtraces end here */
        mov     x29, xzr
        blr     x19
        brk     #1
        .cfi_endproc
        .size   fiber_switch_start, . - fiber_switch_start

        .section .note.GNU-stack, "", %progbits
