#include "os/barrier.h"

#include <linux/membarrier.h>

#include "os/syscall.h"

bool go__barrier_fence_mode = true;

void go__barrier_init(int procs)
{
    bool expedited = false;
    if (!GO__TSAN && procs <= GO__BARRIER_MAX_PROCS) {
        expedited = go__syscall3(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
    }
    go__barrier_fence_mode = !expedited;
}

void go__barrier_heavy(void)
{
    if (go__barrier_fence_mode) {
        fence_sc();
    } else {
        (void)go__syscall3(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
    }
}
