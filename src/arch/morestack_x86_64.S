/* __morestack and what belongs to it, for x86-64 code compiled with -fsplit-stack (GCC and clang).
 *
 * A prologue that finds too little room does
 *
 *         mov   $frame_bytes, %r10
 *         mov   $stack_argument_bytes, %r11
 *         call  __morestack
 *         ret                             <- the return address: control comes back here when the function is over
 *         ...                             <- one byte on: the rest of the prologue, or the body
 *
 * so __morestack calls the body at return address + 1, on a segment, and returns. All argument registers (and rax, which
 * carries the count of vector arguments or the static chain) reach the body as they were; rax, rdx, xmm0, xmm1 and st0, st1
 * reach the caller. The C helpers use general registers only.
 *
 * A variadic function's prologue goes on with `lea 0x18(%rbp), %r11`, the address of its stack arguments: in the body's eyes rbp
 * is our frame. Where no segment is needed we load r11 ourselves and skip that instruction.
 *
 * The linker (gold, lld) sends functions that call unchecked code to __morestack_non_split, always: it is on the way of every
 * such call and must be short when there is room.
 *
 * For unwinders the frame that called us does not exist: our return address is given as the one of its caller. The prologue has
 * no entry in the function's exception table (a C++ personality would call terminate), and backtraces read as without us.
 *
 * Every symbol of libgcc's morestack objects is defined here or in src/stack/compat.c, or a linker would add those. */
#include "arch/gobuf.h"

#if defined(GO__LIMIT_WORD) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(GO__NO_SPLIT_STACK)

#define ROOM         49152      /* GO__ROOM_BYTES */
#define ALLOCA_SPARE 4096       /* GO__ALLOCA_SPARE */
#define LEA_RBP_24   0x185d8d4c /* lea 0x18(%rbp), %r11 */
#define SAVED_BYTES  72         /* nine registers below rbp */

        .text

        .globl  __morestack_non_split
        .type   __morestack_non_split, @function
        .p2align 5
__morestack_non_split:
        .cfi_startproc
        .cfi_def_cfa_offset 16
        negq    %r10
        leaq    -ROOM(%rsp,%r10), %r10
        cmpq    %fs:GO__LIMIT_WORD, %r10
        jb      .Lno_room
        testq   %r11, %r11
        jnz     .Lstay_with_arguments
.Lstay:
        /* Called as a function so that every return below is the one the processor predicts. */
        movq    (%rsp), %r10
        cmpl    $LEA_RBP_24, 1(%r10)
        je      .Lstay_variadic
        incq    %r10
        callq   *%r10
        ret
.Lno_room:
        negq    %r10
        leaq    (%rsp,%r10), %r10               /* frame + ROOM */
        jmp     __morestack

.Lstay_with_arguments:
        /* The body finds its arguments relative to rsp: nothing may stand between. */
        movq    (%rsp), %r10
        cmpl    $LEA_RBP_24, 1(%r10)
        je      .Lstay_variadic
        incq    (%rsp)
        ret
.Lstay_variadic:
        leaq    16(%rsp), %r11
        addq    $5, %r10
        movq    %r10, (%rsp)
        ret
        .cfi_endproc
        .size   __morestack_non_split, .-__morestack_non_split

        .globl  __morestack
        .type   __morestack, @function
        .p2align 5
__morestack:
        .cfi_startproc
        .cfi_personality 0x9b, DW.ref.go__morestack_personality
        .cfi_def_cfa_offset 16
        pushq   %rbp
        .cfi_def_cfa_offset 24
        .cfi_offset rbp, -24
        movq    %rsp, %rbp
        .cfi_def_cfa_register rbp
        pushq   %r10                            /* struct go__grow_frame knows this order */
        pushq   %rax
        pushq   %rdi
        pushq   %rsi
        pushq   %rdx
        pushq   %rcx
        pushq   %r8
        pushq   %r9
        pushq   %r11
.Ldecide:
        movq    %rsp, %rdi
        callq   go__grow_enter
        cmpl    $1, %edx
        movq    %rax, %r11
        movq    -16(%rbp), %rax
        movq    -24(%rbp), %rdi
        movq    -32(%rbp), %rsi
        ja      .Lpreempt
        movq    -40(%rbp), %rdx
        movq    -48(%rbp), %rcx
        movq    -56(%rbp), %r8
        movq    -64(%rbp), %r9
        jb      .Ldecided_to_stay
        movq    8(%rbp), %r10
        incq    %r10
        movq    %r11, %rsp
        callq   *%r10
        leaq    -SAVED_BYTES(%rbp), %rsp
        movq    %rax, -16(%rbp)
        movq    %rdx, -40(%rbp)
        movq    %rbp, %rdi
        callq   go__grow_leave
        movq    -16(%rbp), %rax
        movq    -40(%rbp), %rdx
        movq    %rbp, %rsp
        popq    %rbp
        .cfi_remember_state
        .cfi_def_cfa rsp, 16
        .cfi_restore rbp
        ret

.Ldecided_to_stay:
        .cfi_restore_state
        movq    -72(%rbp), %r11
        movq    %rbp, %rsp
        popq    %rbp
        .cfi_remember_state
        .cfi_def_cfa rsp, 16
        .cfi_restore rbp
        testq   %r11, %r11
        jnz     .Lstay_with_arguments
        jmp     .Lstay                          /* outside our unwinding entry: rbp is not ours any more */

.Lpreempt:
        /* The scheduler may run other goroutines here: save the vector arguments with the rest. Components 0..2 and 5..7: x87,
         * SSE, AVX, AVX-512; the others hold nothing across a call. */
        .cfi_restore_state
        movl    go__grow_xsave_bytes(%rip), %ecx
        movq    %r11, %rsp
        subq    %rcx, %rsp
        andq    $-64, %rsp
        cmpl    $0, go__grow_has_xsave(%rip)
        je      .Lpreempt_old_cpu
        leaq    512(%rsp), %rdi                 /* the header must be zero where xsave does not write it */
        xorl    %eax, %eax
        movl    $8, %ecx
        rep stosq
        movl    $0xe7, %eax
        xorl    %edx, %edx
        xsave64 (%rsp)
        callq   go__preempt_check
        movl    $0xe7, %eax
        xorl    %edx, %edx
        xrstor64 (%rsp)
        jmp     .Lpreempted
.Lpreempt_old_cpu:
        fxsave64 (%rsp)
        callq   go__preempt_check
        fxrstor64 (%rsp)
.Lpreempted:
        leaq    -SAVED_BYTES(%rbp), %rsp
        movq    %rbp, %rdi
        callq   go__grow_leave
        jmp     .Ldecide
        .cfi_endproc
        .size   __morestack, .-__morestack

/* With -mcmodel=large r10 holds both numbers. */
        .globl  __morestack_large_model
        .type   __morestack_large_model, @function
__morestack_large_model:
        .cfi_startproc
        .cfi_def_cfa_offset 16
        movq    %r10, %r11
        movl    %r10d, %r10d
        sarq    $32, %r11
        jmp     __morestack
        .cfi_endproc
        .size   __morestack_large_model, .-__morestack_large_model

/* void *__morestack_allocate_stack_space(size_t bytes): alloca that did not fit. Moves the caller's stack pointer, see
 * go__grow_alloca, and returns the block. */
        .globl  __morestack_allocate_stack_space
        .type   __morestack_allocate_stack_space, @function
        .p2align 4
__morestack_allocate_stack_space:
        .cfi_startproc
        pushq   %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset rbp, -16
        movq    %rsp, %rbp
        .cfi_def_cfa_register rbp
        leaq    16(%rbp), %rsi
        callq   go__grow_alloca
        movq    8(%rbp), %rcx
        movq    (%rbp), %rbp
        .cfi_same_value rbp
        .cfi_def_cfa rsp, 16
        movq    %rcx, -8(%rax)
        leaq    -8(%rax), %rsp
        .cfi_def_cfa_offset 8
        leaq    ALLOCA_SPARE(%rax), %rax
        ret
        .cfi_endproc
        .size   __morestack_allocate_stack_space, .-__morestack_allocate_stack_space

/* The limit word as libgcc's interface names it. */
        .globl  __morestack_get_guard
        .type   __morestack_get_guard, @function
__morestack_get_guard:
        .cfi_startproc
        movq    %fs:GO__LIMIT_WORD, %rax
        ret
        .cfi_endproc
        .size   __morestack_get_guard, .-__morestack_get_guard

        .globl  __morestack_set_guard
        .type   __morestack_set_guard, @function
__morestack_set_guard:
        .cfi_startproc
        movq    %rdi, %fs:GO__LIMIT_WORD
        ret
        .cfi_endproc
        .size   __morestack_set_guard, .-__morestack_set_guard

        .hidden DW.ref.go__morestack_personality
        .weak   DW.ref.go__morestack_personality
        .section .data.rel.local.DW.ref.go__morestack_personality,"awG",@progbits,DW.ref.go__morestack_personality,comdat
        .p2align 3
        .type   DW.ref.go__morestack_personality, @object
        .size   DW.ref.go__morestack_personality, 8
DW.ref.go__morestack_personality:
        .quad   go__morestack_personality

        .section .note.GNU-split-stack,"",@progbits
        .section .note.GNU-no-split-stack,"",@progbits

#endif

        .section .note.GNU-stack,"",@progbits
