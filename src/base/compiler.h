/* Compiler attributes and small macros every room uses. No state, no dependency. */
#ifndef GO_SRC_BASE_COMPILER_H
#define GO_SRC_BASE_COMPILER_H

#include <stddef.h>

#define GO__CACHELINE 64 /* x86-64 and the aarch64 cores we know; used for alignment only, never for correctness */

#define go__likely(x)   __builtin_expect(!!(x), 1)
#define go__unlikely(x) __builtin_expect(!!(x), 0)

#define GO__NOINLINE     __attribute__((noinline))
#define GO__INLINE       static inline __attribute__((always_inline))
#define GO__NORETURN     __attribute__((noreturn))
#define GO__ALIGNED(n)   __attribute__((aligned(n)))
#define GO__UNUSED       __attribute__((unused))
#define GO__PRINTF(f, a) __attribute__((format(printf, f, a)))

/* A function that runs where no stack check may happen: before the limit word is set, or on the way through a switch. */
#if defined(__GNUC__) && defined(__x86_64__)
#define GO__NO_SPLIT __attribute__((no_split_stack))
#else
#define GO__NO_SPLIT
#endif

/* The linker moves every stack-checked caller of unchecked code onto a big stack, judging by these notes. goco's own code
 * for goroutine stacks has no check in its prologues but a bounded depth (tools/check_stack_depth keeps it below the margin
 * under every limit word), so it declares itself checked; the second note says that its prologues need no rewriting. CMake
 * defines GO__GOROUTINE_STACK for exactly the files that keep that promise. */
#if defined(GO__GOROUTINE_STACK) && defined(__x86_64__)
__asm__(".pushsection .note.GNU-split-stack,\"\",@progbits\n\t.popsection\n\t"
        ".pushsection .note.GNU-no-split-stack,\"\",@progbits\n\t.popsection");
#endif

#define go__container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define go__countof(a) (sizeof(a) / sizeof((a)[0]))

/* GO__TSAN_BUILD: the scheduler's files are not instrumented (they announce their edges themselves), yet share the layouts. */
#if defined(__SANITIZE_THREAD__) || defined(GO__TSAN_BUILD)
#define GO__TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define GO__TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define GO__ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GO__ASAN 1
#endif
#endif
#ifndef GO__TSAN
#define GO__TSAN 0
#endif
#ifndef GO__ASAN
#define GO__ASAN 0
#endif

/* ThreadSanitizer must not look at the records of m, p and g: a slot's next goroutine and the last one are not ordered for its
 * eyes, on purpose. So functions outside the scheduler that write them are GO__NO_TSAN, and what the scheduler's headers give to the
 * rooms above stays by itself then. clang's no_sanitize leaves the atomics watched; its second attribute does not. */
#if GO__TSAN
#if defined(__clang__)
#define GO__NO_TSAN __attribute__((no_sanitize("thread"), disable_sanitizer_instrumentation, noinline))
#else
#define GO__NO_TSAN __attribute__((no_sanitize("thread"), noinline))
#endif
#define GO__SCHED_INLINE static GO__UNUSED GO__NO_TSAN
#else
#define GO__NO_TSAN
#define GO__SCHED_INLINE GO__INLINE
#endif

/* A function whose last act is to leave its stack for good: AddressSanitizer takes away the fake frame that it might give it. */
#if GO__ASAN
#define GO__NO_ASAN __attribute__((no_sanitize("address")))
#else
#define GO__NO_ASAN
#endif

#endif
