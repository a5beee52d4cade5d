/* Entering a parked stack for unwinding. System stack only. */
#ifndef GO_SRC_ARCH_UNWIND_H
#define GO_SRC_ARCH_UNWIND_H

/* Calls fn(arg) on the caller's stack, from a frame that unwinds into the stack go__switch left at sp. The parked stack is read
 * only; nobody may resume it meanwhile. */
void go__unwind_from(void *sp, void (*fn)(void *arg), void *arg);

#endif
