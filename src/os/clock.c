#include "os/clock.h"

#include <time.h>

#include "os/syscall.h"

static int64_t to_ns(const struct timespec *ts)
{
    return (int64_t)ts->tv_sec * 1000000000 + ts->tv_nsec;
}

int64_t go__clock_now(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return to_ns(&ts);
}

int64_t go__clock_thread_cpu(int tid)
{
    /* The kernel's encoding of a thread's scheduling clock: the inverted tid, type "sched", "per thread" bit. */
    long clock = (long)((~(unsigned)tid << 3) | 6u);
    struct timespec ts;
    long r = go__syscall2(SYS_clock_gettime, (long)(int)clock, (long)&ts);
    return r < 0 ? r : to_ns(&ts);
}
