/* Time: CLOCK_MONOTONIC in nanoseconds, and the CPU's own counter where a rough but cheap reading is enough. */
#ifndef GO_SRC_OS_CLOCK_H
#define GO_SRC_OS_CLOCK_H

#include <stdint.h>

#include "base/compiler.h"

/* Nanoseconds of CLOCK_MONOTONIC. On a system stack only (the vDSO is code we did not compile). */
int64_t go__clock_now(void);

/* Sleeps that long; nobody can end it sooner. */
void go__clock_sleep(int64_t ns);

/* The CPU's counter: monotonic enough to bound "how long ago", never converted to a time that users see. */
GO__INLINE uint64_t go__clock_ticks(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#endif
}

#endif
