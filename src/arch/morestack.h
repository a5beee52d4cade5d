/* What morestack_<cpu>.S calls; floors above define it (a link-time contract, no pointers). */
#ifndef GO_SRC_ARCH_MORESTACK_H
#define GO_SRC_ARCH_MORESTACK_H

#include <stddef.h>
#include <stdint.h>

/* What __morestack pushed, lowest address first, and above it the stack as the caller left it. */
struct go__grow_frame {
    uintptr_t r11; /* bytes of arguments on the stack */
    uintptr_t r9, r8, rcx, rdx, rsi, rdi, rax;
    uintptr_t r10; /* bytes the frame needs, and the room for unchecked code on top if that was asked for */
    uintptr_t rbp;
    uintptr_t into;   /* return address into the prologue: a `ret`, then the body */
    uintptr_t caller; /* the prologue's own return address */
    unsigned char arguments[];
};

enum go__grow_action { GO__GROW_STAY = 0, GO__GROW_CROSS = 1, GO__GROW_PREEMPT = 2 };

struct go__grow_result {
    uintptr_t sp;
    uintptr_t action;
};

/* src/stack. General registers only: the interrupted call's vector arguments are live. */
struct go__grow_result go__grow_enter(struct go__grow_frame *frame);
void go__grow_leave(uintptr_t rbp);
uintptr_t go__grow_alloca(size_t bytes, uintptr_t sp);
extern uint32_t go__grow_xsave_bytes; /* room for the vector registers; 0: not asked the CPU yet */
extern uint32_t go__grow_has_xsave;

/* src/stack: the personality of __morestack's frame, in the unwinder's form. */
int go__morestack_personality(int version, int actions, uint64_t exception_class, void *exception, void *context);

/* src/sched: the limit word was poisoned. Runs on a segment (never the small stack) with every register of the interrupted call
 * saved, so it may call anything and may switch away; it returns on the same thread. */
void go__preempt_check(void);

#endif
