/* Tells AddressSanitizer, ThreadSanitizer and Valgrind about stacks and switches. Without them every function here is empty.
 *
 * Around a switch: go__san_switch_start(from, to, dying), go__switch, and as the very next thing on the other side
 * go__san_switch_finish(self), self being the side that runs now. A fresh stack begins with go__san_switch_finish too. */
#ifndef GO_SRC_OS_SANITIZE_H
#define GO_SRC_OS_SANITIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/gobuf.h"
#include "base/compiler.h"
#include "os/syscall.h"

#if GO__ASAN
#include <pthread.h>
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if GO__TSAN
#include <errno.h>
#include <sanitizer/tsan_interface.h>
#endif
#if defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define GO__VALGRIND 1
#endif
#endif
#ifndef GO__VALGRIND
#define GO__VALGRIND 0
#endif

/* Memory that the kernel has just given, perhaps where a thread's stack was, whose frames AddressSanitizer still sees. */
GO__INLINE void go__san_mapped(void *lo, size_t bytes)
{
#if GO__ASAN
    __asan_unpoison_memory_region(lo, bytes);
#else
    (void)lo;
    (void)bytes;
#endif
}

/* The thread's own stack becomes a side of switches: at thread start, on that stack. */
GO__INLINE void go__san_native(struct go__gobuf *buf)
{
#if GO__TSAN
    buf->tsan_fiber = __tsan_get_current_fiber();
#elif GO__ASAN
    extern int pthread_getattr_np(pthread_t thread, pthread_attr_t * attr);
    pthread_attr_t attr;
    void *lo = NULL;
    buf->asan_fake = NULL;
    buf->asan_size = 0;
    if (pthread_getattr_np(pthread_self(), &attr) == 0) {
        (void)pthread_attr_getstack(&attr, &lo, &buf->asan_size);
        (void)pthread_attr_destroy(&attr);
    }
    buf->asan_lo = lo;
#else
    (void)buf;
#endif
}

/* A goroutine begins on the stack [lo, hi). */
GO__INLINE void go__san_stack_new(struct go__gobuf *buf, void *lo, void *hi)
{
#if GO__TSAN
    buf->tsan_fiber = __tsan_create_fiber(0);
    (void)lo;
    (void)hi;
#elif GO__ASAN
    buf->asan_fake = NULL;
    buf->asan_lo = lo;
    buf->asan_size = (size_t)((char *)hi - (char *)lo);
    __asan_unpoison_memory_region(lo, buf->asan_size); /* frames of an earlier goroutine that never returned */
#else
    (void)buf;
    (void)lo;
    (void)hi;
#endif
}

/* The goroutine is over and nobody stands on its stack. */
GO__INLINE void go__san_stack_gone(struct go__gobuf *buf)
{
#if GO__TSAN
    if (buf->tsan_fiber != NULL) {
        __tsan_destroy_fiber(buf->tsan_fiber);
        buf->tsan_fiber = NULL;
    }
#else
    (void)buf;
#endif
}

/* dying: `from` never runs again, so its fake frames may go. */
GO__INLINE void go__san_switch_start(struct go__gobuf *from, const struct go__gobuf *to, bool dying)
{
#if GO__TSAN
    (void)from;
    (void)dying;
    __tsan_switch_to_fiber(to->tsan_fiber, __tsan_switch_to_fiber_no_sync);
#elif GO__ASAN
    __sanitizer_start_switch_fiber(dying ? NULL : &from->asan_fake, to->asan_lo, to->asan_size);
#else
    (void)from;
    (void)to;
    (void)dying;
#endif
}

/* `left`: the side that was left, or NULL; it takes the bounds that the tool knows if it had none. */
GO__INLINE void go__san_switch_finish(struct go__gobuf *self, struct go__gobuf *left)
{
#if GO__ASAN
    const void *lo;
    size_t size;
    __sanitizer_finish_switch_fiber(self->asan_fake, &lo, &size);
    if (left != NULL && left->asan_lo == NULL) {
        left->asan_lo = lo;
        left->asan_size = size;
    }
#else
    (void)self;
    (void)left;
#endif
}

/* close(2). ThreadSanitizer watches descriptors from libc's pipe(), socket() and so on to libc's close(): a number that libc gives out
 * again without that looks like two opens that race. */
GO__INLINE long go__san_close(int fd)
{
#if GO__TSAN
    extern int close(int); /* <unistd.h> has names that rooms use as well */
    return close(fd) == 0 ? 0 : -errno;
#else
    return go__syscall1(SYS_close, fd);
#endif
}

GO__INLINE uint64_t go__valgrind_stack_new(const void *lo, const void *hi)
{
#if GO__VALGRIND
    return VALGRIND_STACK_REGISTER(lo, hi);
#else
    (void)lo;
    (void)hi;
    return 0;
#endif
}

/* Memory of a stack that is written to before anybody stands on it: to Memcheck it is what lies below the stack pointer that the last one
 * left there. */
GO__INLINE void go__valgrind_writable(void *lo, size_t bytes)
{
#if GO__VALGRIND
    (void)VALGRIND_MAKE_MEM_UNDEFINED(lo, bytes);
#else
    (void)lo;
    (void)bytes;
#endif
}

GO__INLINE void go__valgrind_stack_gone(uint64_t id)
{
#if GO__VALGRIND
    VALGRIND_STACK_DEREGISTER(id);
#else
    (void)id;
#endif
}

#endif
