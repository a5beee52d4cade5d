/* Unwinding a parked goroutine, x86-64. gobuf.h says what lies at a saved stack pointer. */
#include "arch/gobuf.h"

#if defined(__CET__) && (__CET__ & 1)
#define LANDING_PAD endbr64
#else
#define LANDING_PAD
#endif

        .text

/* void go__unwind_from(void *sp [rdi], void (*fn)(void *arg) [rsi], void *arg [rdx])
 * Calls fn(arg) on the caller's stack from a frame whose unwind rules lead not to our caller but to whoever called go__switch
 * on the stack parked at sp: the frame address is that of go__switch, kept in rbx, and the registers lie where go__switch
 * pushed them. _Unwind_Backtrace inside fn therefore walks the parked stack while it runs on ours. */
        .globl  go__unwind_from
        .hidden go__unwind_from
        .type   go__unwind_from, @function
        .p2align 4
go__unwind_from:
        .cfi_startproc
        LANDING_PAD
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rbx, 0
        movq    %rdi, %rbx
        .cfi_remember_state
        .cfi_def_cfa rbx, GO__GOBUF_SAVED_BYTES + 8
        .cfi_offset r15, -56
        .cfi_offset r14, -48
        .cfi_offset r13, -40
        .cfi_offset r12, -32
        .cfi_offset rbx, -24
        .cfi_offset rbp, -16
        .cfi_offset rip, -8
        movq    %rdx, %rdi
        callq   *%rsi
        nop                                     /* the return address stays inside these rules */
        .cfi_restore_state
        popq    %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore rbx
        ret
        .cfi_endproc
        .size   go__unwind_from, .-go__unwind_from

        .section .note.GNU-stack,"",@progbits
