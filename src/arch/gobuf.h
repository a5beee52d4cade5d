/* A gobuf is what one side of a context switch keeps: the stack pointer, under which the callee-saved registers lie, and the
 * stack limit word. Shared by C and assembly; every offset is proved by an assertion.
 *
 * Not kept, and why that is right: caller-saved and vector registers (a switch is a function call, System V AMD64 ABI 3.2.1,
 * AAPCS64 6.1.1); the signal mask (it belongs to the thread); MXCSR, the x87 control word and FPCR (the thread's: a program
 * that changes rounding restores it before it parks, README "Limits"). */
#ifndef GO_SRC_ARCH_GOBUF_H
#define GO_SRC_ARCH_GOBUF_H

#define GO__GOBUF_SP    0
#define GO__GOBUF_LIMIT 8

#ifdef __ASSEMBLER__
#include <features.h>
#endif

/* glibc reserves the word at %fs:0x70 for the stack limit (its __private_ss); other C libraries keep their own data there. */
#if defined(__x86_64__)
#ifndef __ASSEMBLER__
#include <features.h>
#endif
#ifdef __GLIBC__
#define GO__LIMIT_WORD 0x70
#endif
#endif

#if defined(__x86_64__)
/* Words go__switch pushes below the return address, lowest first: r15 r14 r13 r12 rbx rbp. */
#define GO__GOBUF_SAVED_BYTES 48
#elif defined(__aarch64__)
/* x19..x28 x29 x30 d8..d15 */
#define GO__GOBUF_SAVED_BYTES 160
#endif

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct go__gobuf {
    void *sp;        /* owner of the stack; written by go__switch when it leaves the stack, read when it comes back */
    uintptr_t limit; /* the limit word while this side runs; 0 on a thread's own stack: no check ever fails */
#if GO__TSAN
    void *tsan_fiber; /* this side's fiber */
#endif
#if GO__ASAN
    void *asan_fake;     /* fake stack kept while this side is away */
    const void *asan_lo; /* bounds of this side's stack */
    size_t asan_size;
#endif
};

_Static_assert(offsetof(struct go__gobuf, sp) == GO__GOBUF_SP, "switch_<cpu>.S knows this offset");
_Static_assert(offsetof(struct go__gobuf, limit) == GO__GOBUF_LIMIT, "switch_<cpu>.S knows this offset");

/* go__switch: leave the stack of *from and continue on that of *to. Returns when somebody switches back to *from, possibly on
 * another thread: nothing read from thread-local storage before may be used after. */
void go__switch(struct go__gobuf *from, const struct go__gobuf *to);

/* go__gobuf_entry: the return address of a fresh stack; calls fn(arg) (from callee-saved registers) and, when it returns, goes on
 * where its result says. The unwinder stops here. */
void go__gobuf_entry(void);

/* go__gobuf_init: prepare buf so that the first switch to it runs fn(arg) on the stack that ends at hi (16-byte aligned). When fn
 * returns the stack is left for good, for the side that it returned. */
typedef const struct go__gobuf *(*go__gobuf_fn)(void *arg);
void go__gobuf_init(struct go__gobuf *buf, void *hi, uintptr_t limit, go__gobuf_fn fn, void *arg);

/* go__limit_address: the calling thread's limit word, which only that thread and a preempting sysmon write; NULL if the CPU
 * or C library has none. */
GO__INLINE uintptr_t *go__limit_address(void)
{
#ifdef GO__LIMIT_WORD
    char *tcb;
    __asm__ volatile("movq %%fs:0, %0" : "=r"(tcb)); /* the TCB's first word is its own address */
    return (uintptr_t *)(void *)(tcb + GO__LIMIT_WORD);
#else
    return NULL;
#endif
}

#endif
#endif
