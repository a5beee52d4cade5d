/* The one thread-local word of the runtime, read so that no compiler can keep it, or its address, across a switch: a goroutine
 * that parked may be on another thread now. (`volatile`, atomics and memory clobbers on a plain thread_local do not help: it
 * is the address that gets cached.) */
#ifndef GO_SRC_ARCH_TLS_H
#define GO_SRC_ARCH_TLS_H

#include "base/compiler.h"

struct go__m;

/* Visible: go/sync.h reads it in the program's own code. */
extern __thread struct go__m *go__tls_m __attribute__((tls_model("initial-exec"), visibility("default")));

/* The calling thread's m; NULL on a thread that is not goco's. */
GO__INLINE struct go__m *go__m(void)
{
    struct go__m *mp;
#if defined(__x86_64__)
    /* Initial-exec form, so that the archive also links into shared objects; linkers relax it in executables. */
    __asm__ volatile("movq go__tls_m@gottpoff(%%rip), %0\n\tmovq %%fs:(%0), %0" : "=r"(mp));
#elif defined(__aarch64__)
    __asm__ volatile("mrs %0, tpidr_el0\n\t"
                     "adrp x16, :gottprel:go__tls_m\n\t"
                     "ldr x16, [x16, #:gottprel_lo12:go__tls_m]\n\t"
                     "ldr %0, [%0, x16]"
                     : "=&r"(mp)
                     :
                     : "x16");
#endif
    return mp;
}

/* Written once by each m on its own thread, at start and end. */
GO__INLINE void go__m_set(struct go__m *mp)
{
    go__tls_m = mp;
}

#endif
