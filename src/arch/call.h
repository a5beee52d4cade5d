/* A call on another stack. */
#ifndef GO_SRC_ARCH_CALL_H
#define GO_SRC_ARCH_CALL_H

/* Calls fn(arg) on the stack that ends at sp, with no stack limit in force, and comes back. fn must not switch away. */
void go__call_on(void (*fn)(void *arg), void *arg, void *sp);

#endif
