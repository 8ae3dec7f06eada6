/* fiber/switch_x86_64.S: see switch.h and struct frame in switch.c. System V ABI: rbx, rbp, r12 to
 * r15, the x87 control word and the control bits of mxcsr are the callee's to preserve.
 * SPDX-License-Identifier: Apache-2.0 */
        .text
        .p2align 4
        .globl  fiber_switch_stack
        .hidden fiber_switch_stack
        .type   fiber_switch_stack, @function
fiber_switch_stack:
        .cfi_startproc
        pushq   %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rbp, 0
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rbx, 0
        pushq   %r12
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r12, 0
        pushq   %r13
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r13, 0
        pushq   %r14
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r14, 0
        pushq   %r15
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r15, 0
        subq    $8, %rsp
        .cfi_adjust_cfa_offset 8
        stmxcsr (%rsp)
        fnstcw  4(%rsp)
        movq    %rsp, (%rdi)
        movq    %rsi, %rsp
        ldmxcsr (%rsp)
        fldcw   4(%rsp)
        addq    $8, %rsp
        .cfi_adjust_cfa_offset -8
        popq    %r15
        .cfi_adjust_cfa_offset -8
        .cfi_restore r15
        popq    %r14
        .cfi_adjust_cfa_offset -8
        .cfi_restore r14
        popq    %r13
        .cfi_adjust_cfa_offset -8
        .cfi_restore r13
        popq    %r12
        .cfi_adjust_cfa_offset -8
        .cfi_restore r12
        popq    %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore rbx
        popq    %rbp
        .cfi_adjust_cfa_offset -8
        .cfi_restore rbp
        /* A ret would go where the processor's return stack says first: always the wrong place. */
        popq    %rcx
        .cfi_adjust_cfa_offset -8
        .cfi_register rip, rcx
        jmpq    *%rcx
        .cfi_endproc
        .size   fiber_switch_stack, . - fiber_switch_stack

        .p2align 4
        .globl  fiber_switch_start
        .hidden fiber_switch_start
        .type   fiber_switch_start, @function
fiber_switch_start:
        .cfi_startproc
        .cfi_undefined rip      /* backtraces end here */
        xorl    %ebp, %ebp
        callq   *%r12
        ud2
        .cfi_endproc
        .size   fiber_switch_start, . - fiber_switch_start

        .section .note.GNU-stack, "", @progbits
