/* A call on another stack, System V AMD64 ABI. */
#include "arch/gobuf.h"

#if defined(__CET__) && (__CET__ & 1)
#define LANDING_PAD endbr64
#else
#define LANDING_PAD
#endif

        .text

/* void go__call_on(void (*fn)(void *) [rdi], void *arg [rsi], void *sp [rdx])
 * rbp links the two stacks for the unwinder; r12 keeps the limit word. */
        .globl  go__call_on
        .hidden go__call_on
        .type   go__call_on, @function
        .p2align 4
go__call_on:
        .cfi_startproc
        LANDING_PAD
        pushq   %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rbp, 0
        movq    %rsp, %rbp
        .cfi_def_cfa_register rbp
        pushq   %r12
        .cfi_offset r12, -24
        movq    %rdx, %rsp
        subq    $128, %rsp                      /* past the other side's red zone */
        andq    $-16, %rsp
#ifdef GO__LIMIT_WORD
        movq    %fs:GO__LIMIT_WORD, %r12
        movq    $0, %fs:GO__LIMIT_WORD
#endif
        movq    %rdi, %rax
        movq    %rsi, %rdi
        callq   *%rax
#ifdef GO__LIMIT_WORD
        movq    %r12, %fs:GO__LIMIT_WORD
#endif
        leaq    -8(%rbp), %rsp
        popq    %r12
        .cfi_restore r12
        popq    %rbp
        .cfi_restore rbp
        .cfi_def_cfa rsp, 8
        retq
        .cfi_endproc
        .size   go__call_on, .-go__call_on

        .section .note.GNU-split-stack,"",@progbits
        .section .note.GNU-no-split-stack,"",@progbits
        .section .note.GNU-stack,"",@progbits
