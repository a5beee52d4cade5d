/* Context switch for aarch64, AAPCS64. See gobuf.h for what is kept and what is not. */
#include "arch/gobuf.h"

        .text

/* void go__switch(struct go__gobuf *from [x0], const struct go__gobuf *to [x1]) */
        .globl  go__switch
        .hidden go__switch
        .type   go__switch, %function
        .p2align 4
go__switch:
        .cfi_startproc
        hint    #34                             /* bti c, a no-op where branch targets are not checked */
        sub     sp, sp, #160
        .cfi_adjust_cfa_offset 160
        stp     x19, x20, [sp, #0]
        stp     x21, x22, [sp, #16]
        stp     x23, x24, [sp, #32]
        stp     x25, x26, [sp, #48]
        stp     x27, x28, [sp, #64]
        stp     x29, x30, [sp, #80]
        stp     d8, d9, [sp, #96]
        stp     d10, d11, [sp, #112]
        stp     d12, d13, [sp, #128]
        stp     d14, d15, [sp, #144]
        .cfi_rel_offset x19, 0
        .cfi_rel_offset x20, 8
        .cfi_rel_offset x21, 16
        .cfi_rel_offset x22, 24
        .cfi_rel_offset x23, 32
        .cfi_rel_offset x24, 40
        .cfi_rel_offset x25, 48
        .cfi_rel_offset x26, 56
        .cfi_rel_offset x27, 64
        .cfi_rel_offset x28, 72
        .cfi_rel_offset x29, 80
        .cfi_rel_offset x30, 88
        mov     x9, sp
        str     x9, [x0, #GO__GOBUF_SP]
        ldr     x9, [x1, #GO__GOBUF_SP]
.Lresume:                                       /* x9: the new stack */
        mov     sp, x9
        ldp     x19, x20, [sp, #0]
        ldp     x21, x22, [sp, #16]
        ldp     x23, x24, [sp, #32]
        ldp     x25, x26, [sp, #48]
        ldp     x27, x28, [sp, #64]
        ldp     x29, x30, [sp, #80]
        ldp     d8, d9, [sp, #96]
        ldp     d10, d11, [sp, #112]
        ldp     d12, d13, [sp, #128]
        ldp     d14, d15, [sp, #144]
        add     sp, sp, #160
        .cfi_adjust_cfa_offset -160
        .cfi_restore x19
        .cfi_restore x20
        .cfi_restore x21
        .cfi_restore x22
        .cfi_restore x23
        .cfi_restore x24
        .cfi_restore x25
        .cfi_restore x26
        .cfi_restore x27
        .cfi_restore x28
        .cfi_restore x29
        .cfi_restore x30
        ret
        .cfi_endproc
        .size   go__switch, .-go__switch

/* void go__gobuf_entry(void): first instruction of a fresh stack; fn in x19, arg in x20. What fn returns says where to go on
 * when it is over. */
        .globl  go__gobuf_entry
        .hidden go__gobuf_entry
        .type   go__gobuf_entry, %function
        .p2align 4
        .cfi_startproc
        .cfi_undefined x30                      /* the chain of frames ends here */
        nop                                     /* unwinders look up the call's address minus one */
go__gobuf_entry:
        hint    #36                             /* bti j */
        mov     x29, #0
        mov     x30, #0
        mov     x0, x20
        blr     x19
        ldr     x9, [x0, #GO__GOBUF_SP]
        b       .Lresume
        .cfi_endproc
        .size   go__gobuf_entry, .-go__gobuf_entry

        .section .note.GNU-stack,"",%progbits
