/* Atomic access with the memory order in the name.
 *
 * Every shared word is declared `go__atomic(T)` and touched only through these macros, so that a reader sees the order at
 * the site and can look for the partner named beside it. Implicit sequentially consistent operators are rejected by a lint.
 *   rlx   no ordering; the value alone matters, or another pair orders it
 *   acq   later accesses stay after; partner is a rel on the same word
 *   rel   earlier accesses stay before; partner is an acq on the same word
 *   sc    one total order with all other sc operations: for store-then-load races
 */
#ifndef GO_SRC_BASE_ATOMIC_H
#define GO_SRC_BASE_ATOMIC_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/compiler.h"

#define go__atomic(T) _Atomic(T)

#define load_rlx(p)     atomic_load_explicit((p), memory_order_relaxed)
#define load_acq(p)     atomic_load_explicit((p), memory_order_acquire)
#define load_sc(p)      atomic_load_explicit((p), memory_order_seq_cst)
#define store_rlx(p, v) atomic_store_explicit((p), (v), memory_order_relaxed)
#define store_rel(p, v) atomic_store_explicit((p), (v), memory_order_release)
#define store_sc(p, v)  atomic_store_explicit((p), (v), memory_order_seq_cst)

#define xchg_acq(p, v)    atomic_exchange_explicit((p), (v), memory_order_acquire)
#define xchg_rel(p, v)    atomic_exchange_explicit((p), (v), memory_order_release)
#define xchg_acqrel(p, v) atomic_exchange_explicit((p), (v), memory_order_acq_rel)
#define xchg_sc(p, v)     atomic_exchange_explicit((p), (v), memory_order_seq_cst)

#define add_rlx(p, v)    atomic_fetch_add_explicit((p), (v), memory_order_relaxed)
#define add_rel(p, v)    atomic_fetch_add_explicit((p), (v), memory_order_release)
#define add_acqrel(p, v) atomic_fetch_add_explicit((p), (v), memory_order_acq_rel)
#define add_sc(p, v)     atomic_fetch_add_explicit((p), (v), memory_order_seq_cst)
#define sub_rlx(p, v)    atomic_fetch_sub_explicit((p), (v), memory_order_relaxed)
#define sub_rel(p, v)    atomic_fetch_sub_explicit((p), (v), memory_order_release)
#define sub_acqrel(p, v) atomic_fetch_sub_explicit((p), (v), memory_order_acq_rel)
#define sub_sc(p, v)     atomic_fetch_sub_explicit((p), (v), memory_order_seq_cst)
#define or_acqrel(p, v)  atomic_fetch_or_explicit((p), (v), memory_order_acq_rel)
#define and_acqrel(p, v) atomic_fetch_and_explicit((p), (v), memory_order_acq_rel)

/* cas_*(p, &expected, desired): true when it changed *p; otherwise expected holds what was found. */
#define cas_rlx(p, e, d)    atomic_compare_exchange_strong_explicit((p), (e), (d), memory_order_relaxed, memory_order_relaxed)
#define cas_acq(p, e, d)    atomic_compare_exchange_strong_explicit((p), (e), (d), memory_order_acquire, memory_order_relaxed)
#define cas_rel(p, e, d)    atomic_compare_exchange_strong_explicit((p), (e), (d), memory_order_release, memory_order_relaxed)
#define cas_acqrel(p, e, d) atomic_compare_exchange_strong_explicit((p), (e), (d), memory_order_acq_rel, memory_order_acquire)
#define cas_sc(p, e, d)     atomic_compare_exchange_strong_explicit((p), (e), (d), memory_order_seq_cst, memory_order_seq_cst)

#define fence_compiler() atomic_signal_fence(memory_order_seq_cst)

/* ThreadSanitizer does not model stand-alone fences: a seq_cst read-modify-write of one shared word gives it the same edge
 * (and is at least as strong on every CPU). */
#if GO__TSAN
extern go__atomic(unsigned) go__tsan_fence_word;
#define fence_sc() ((void)atomic_fetch_add_explicit(&go__tsan_fence_word, 1u, memory_order_seq_cst))
#else
#define fence_sc() atomic_thread_fence(memory_order_seq_cst)
#endif

/* The edge of a lock or a note, said aloud: rooms that ThreadSanitizer does not watch take and drop them too. */
#if GO__TSAN
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define go__tsan_acquire(p) __tsan_acquire(p)
#define go__tsan_release(p) __tsan_release(p)
#else
#define go__tsan_acquire(p) ((void)0)
#define go__tsan_release(p) ((void)0)
#endif

GO__INLINE void go__cpu_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield" ::: "memory");
#else
    fence_compiler();
#endif
}

GO__INLINE void go__cpu_relax_for(unsigned pauses)
{
    for (unsigned i = 0; i < pauses; i++) {
        go__cpu_relax();
    }
}

#endif
