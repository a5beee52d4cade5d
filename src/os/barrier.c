#include "os/barrier.h"

#include <linux/membarrier.h>

#include "os/fatal.h"
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
        return;
    }
    /* On kernels for very many CPUs it allocates and may fail. The slow command needs no memory; it waits for all CPUs by itself. */
    if (go__syscall3(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) != 0 &&
        go__syscall3(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) != 0) {
        go__fatal("membarrier failed: out of memory");
    }
}
