/* The asymmetric barrier behind every store-then-load race of the runtime.
 *
 * The frequent side does `store X; go__barrier_light(); load Y`, the rare side `store Y; go__barrier_heavy(); load X`: at least
 * one of them sees the other's store. With membarrier(PRIVATE_EXPEDITED) the light side is a compiler barrier and the heavy
 * side interrupts every CPU that runs one of our threads (0.8 us here). Fence mode makes both a full fence: where the kernel
 * lacks membarrier, under tools that do not model it, and with many Ps, where an interrupt to every core is dearer than a
 * fence on each (GO__BARRIER_MAX_PROCS). The mode is chosen at start, before the second thread exists. */
#ifndef GO_SRC_OS_BARRIER_H
#define GO_SRC_OS_BARRIER_H

#include "base/atomic.h"

#define GO__BARRIER_MAX_PROCS 16

extern bool go__barrier_fence_mode; /* written at start only */

void go__barrier_init(int procs);
void go__barrier_heavy(void);

GO__INLINE void go__barrier_light(void)
{
#if GO__TSAN
    fence_sc();
#else
    if (go__unlikely(go__barrier_fence_mode)) {
        fence_sc();
    }
    fence_compiler();
#endif
}

#endif
