/* Unwinding a parked goroutine, aarch64. gobuf.h says what lies at a saved stack pointer. */
#include "arch/gobuf.h"

        .text

/* void go__unwind_from(void *sp [x0], void (*fn)(void *arg) [x1], void *arg [x2])
 * Calls fn(arg) on the caller's stack from a frame whose unwind rules lead not to our caller but to whoever called go__switch
 * on the stack parked at sp: the frame address is that of go__switch, kept in x19, and the registers lie where go__switch
 * stored them. _Unwind_Backtrace inside fn therefore walks the parked stack while it runs on ours. */
        .globl  go__unwind_from
        .hidden go__unwind_from
        .type   go__unwind_from, %function
        .p2align 4
go__unwind_from:
        .cfi_startproc
        hint    #34                             /* bti c, a no-op where branch targets are not checked */
        stp     x29, x30, [sp, #-32]!
        .cfi_adjust_cfa_offset 32
        .cfi_rel_offset x29, 0
        .cfi_rel_offset x30, 8
        str     x19, [sp, #16]
        .cfi_rel_offset x19, 16
        mov     x29, sp
        mov     x19, x0
        .cfi_remember_state
        .cfi_def_cfa x19, GO__GOBUF_SAVED_BYTES
        .cfi_offset x19, -160
        .cfi_offset x20, -152
        .cfi_offset x21, -144
        .cfi_offset x22, -136
        .cfi_offset x23, -128
        .cfi_offset x24, -120
        .cfi_offset x25, -112
        .cfi_offset x26, -104
        .cfi_offset x27, -96
        .cfi_offset x28, -88
        .cfi_offset x29, -80
        .cfi_offset x30, -72
        mov     x0, x2
        blr     x1
        nop                                     /* the return address stays inside these rules */
        .cfi_restore_state
        ldr     x19, [sp, #16]
        ldp     x29, x30, [sp], #32
        .cfi_adjust_cfa_offset -32
        .cfi_restore x19
        .cfi_restore x29
        .cfi_restore x30
        ret
        .cfi_endproc
        .size   go__unwind_from, .-go__unwind_from

        .section .note.GNU-stack,"",%progbits
