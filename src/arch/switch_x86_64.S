/* Context switch for x86-64, System V AMD64 ABI. See gobuf.h for what is kept and what is not. */
#include "arch/gobuf.h"

#if defined(__CET__) && (__CET__ & 2)
#error "goco does not switch shadow stacks: build with -fcf-protection=none or =branch"
#endif
#if defined(__CET__) && (__CET__ & 1)
#define LANDING_PAD endbr64
#else
#define LANDING_PAD
#endif

        .text

/* void go__switch(struct go__gobuf *from [rdi], const struct go__gobuf *to [rsi])
 * Ends with a return: the CPU predicts returns in pairs with calls, and after a jump each return that follows would be predicted
 * wrong, while goroutines that wait in the same place make it right. A fresh stack has nothing to return to: that one gets a jump, and
 * a goroutine that ends leaves the predictor as it found it. */
        .globl  go__switch
        .hidden go__switch
        .type   go__switch, @function
        .p2align 4
go__switch:
        .cfi_startproc
        LANDING_PAD
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
        movq    %rsp, GO__GOBUF_SP(%rdi)
#ifdef GO__LIMIT_WORD
        movq    %fs:GO__LIMIT_WORD, %rax        /* may be a deeper segment's, or poisoned: it returns with us */
        movq    %rax, GO__GOBUF_LIMIT(%rdi)
        movq    GO__GOBUF_LIMIT(%rsi), %rax
        movq    GO__GOBUF_SP(%rsi), %rsp
        movq    %rax, %fs:GO__LIMIT_WORD
#else
        movq    GO__GOBUF_SP(%rsi), %rsp
#endif
.Lresume:                                       /* on the new stack */
        leaq    go__gobuf_entry(%rip), %rcx
        cmpq    %rcx, GO__GOBUF_SAVED_BYTES(%rsp)
        je      .Lfresh
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
        ret
        .cfi_endproc
        .size   go__switch, .-go__switch

/* void go__gobuf_entry(void): first instruction of a fresh stack; fn in r12, arg in r13, rsp 16-byte aligned. What fn returns says
 * where to go on when it is over. */
        .globl  go__gobuf_entry
        .hidden go__gobuf_entry
        .type   go__gobuf_entry, @function
        .p2align 4
        .cfi_startproc
        .cfi_undefined rip                      /* the chain of frames ends here */
.Lfresh:
        movq    16(%rsp), %r13                  /* as go__gobuf_init laid them */
        movq    24(%rsp), %r12
        addq    $GO__GOBUF_SAVED_BYTES+8, %rsp  /* and at least one byte before the entry: unwinders look up the call's address minus one */
go__gobuf_entry:
        LANDING_PAD
        xorl    %ebp, %ebp                      /* ...for frame-pointer walkers too */
        movq    %r13, %rdi
        callq   *%r12
#ifdef GO__LIMIT_WORD
        movq    GO__GOBUF_LIMIT(%rax), %rcx
        movq    GO__GOBUF_SP(%rax), %rsp
        movq    %rcx, %fs:GO__LIMIT_WORD
#else
        movq    GO__GOBUF_SP(%rax), %rsp
#endif
        jmp     .Lresume
        .cfi_endproc
        .size   go__gobuf_entry, .-go__gobuf_entry

        .section .note.GNU-split-stack,"",@progbits
        .section .note.GNU-no-split-stack,"",@progbits
        .section .note.GNU-stack,"",@progbits
