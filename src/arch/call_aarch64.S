/* A call on another stack, AAPCS64. */
#include "arch/gobuf.h"

        .text

/* void go__call_on(void (*fn)(void *) [x0], void *arg [x1], void *sp [x2]); x29 links the two stacks for the unwinder. */
        .globl  go__call_on
        .hidden go__call_on
        .type   go__call_on, %function
        .p2align 4
go__call_on:
        .cfi_startproc
        hint    #34                             /* bti c */
        stp     x29, x30, [sp, #-16]!
        .cfi_adjust_cfa_offset 16
        .cfi_rel_offset x29, 0
        .cfi_rel_offset x30, 8
        mov     x29, sp
        .cfi_def_cfa_register x29
        mov     x9, x0
        mov     x0, x1
        and     x2, x2, #-16
        mov     sp, x2
        blr     x9
        mov     sp, x29
        .cfi_def_cfa_register sp
        ldp     x29, x30, [sp], #16
        .cfi_restore x29
        .cfi_restore x30
        .cfi_adjust_cfa_offset -16
        ret
        .cfi_endproc
        .size   go__call_on, .-go__call_on

        .section .note.GNU-stack,"",%progbits
