/* The counters behind faultpoint.h. They run on any stack and in signal handlers: atomic operations, no libc but the two allocators,
 * whose callers have moved to a native stack already. */
#define GO__FAULT_OUTSIDE
#include "faultpoint.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

static atomic_int armed = GO__FAULT_KINDS; /* the kind that is counted */
static atomic_uint first_call, last_call;  /* written while nothing is armed */
static atomic_uint seen, failed;
static atomic_long blocks, mapped;

void go__fault_arm(enum go__fault_kind kind, uint32_t first, uint32_t last)
{
    atomic_store(&first_call, first);
    atomic_store(&last_call, last);
    atomic_store(&seen, 0);
    atomic_store(&failed, 0);
    atomic_store(&armed, (int)kind);
}

void go__fault_disarm(void)
{
    atomic_store(&armed, GO__FAULT_KINDS);
}

uint32_t go__fault_failed(void)
{
    return atomic_load(&failed);
}

long go__fault_blocks(void)
{
    return atomic_load(&blocks);
}

long go__fault_mapped(void)
{
    return atomic_load(&mapped);
}

bool go__fault(enum go__fault_kind kind)
{
    if (atomic_load(&armed) != (int)kind) {
        return false;
    }
    uint32_t number = atomic_fetch_add(&seen, 1) + 1;
    if (number < atomic_load(&first_call) || number > atomic_load(&last_call)) {
        return false;
    }
    atomic_fetch_add(&failed, 1);
    return true;
}

static long fail(enum go__fault_kind kind, int code)
{
    return go__fault(kind) ? -code : 0;
}

long go__fault_call(long nr)
{
    switch (nr) {
    case SYS_mmap: return fail(GO__FAULT_MAP, ENOMEM);
    case SYS_madvise:
    case SYS_mprotect: return fail(GO__FAULT_PROTECT, ENOMEM);
    case SYS_epoll_create1: return fail(GO__FAULT_POLLER, EMFILE);
    case SYS_epoll_ctl: return fail(GO__FAULT_POLLER, ENOMEM);
    case SYS_eventfd2:
    case SYS_pidfd_open: return fail(GO__FAULT_EVENT, EMFILE);
    case SYS_socket:
    case SYS_accept4: return fail(GO__FAULT_SOCKET, EMFILE);
    case SYS_bind:
    case SYS_listen:
    case SYS_connect:
    case SYS_getsockname:
    case SYS_getpeername:
    case SYS_getsockopt:
    case SYS_setsockopt: return fail(GO__FAULT_SOCKET, ENOBUFS);
    case SYS_fstat: return fail(GO__FAULT_FILE, ENOMEM);
    case SYS_membarrier: return fail(GO__FAULT_BARRIER, ENOMEM);
    case SYS_read:
    case SYS_write:
    case SYS_readv:
    case SYS_writev:
    case SYS_recvfrom:
    case SYS_sendto:
    case SYS_recvmsg:
    case SYS_sendmsg:
    case SYS_sendfile:
    case SYS_wait4:
    case SYS_waitid:
    case SYS_ppoll:
    case SYS_epoll_pwait:
    case SYS_epoll_pwait2: return fail(GO__FAULT_INTERRUPT, EINTR);
    default: return 0;
    }
}

static void *counted(void *memory)
{
    if (memory != NULL) {
        atomic_fetch_add(&blocks, 1);
    }
    return memory;
}

void *go__fault_calloc(size_t count, size_t size)
{
    return go__fault(GO__FAULT_MEMORY) ? NULL : counted(calloc(count, size));
}

void *go__fault_aligned_alloc(size_t align, size_t size)
{
    return go__fault(GO__FAULT_MEMORY) ? NULL : counted(aligned_alloc(align, size));
}

void go__fault_free(void *memory)
{
    if (memory != NULL) {
        atomic_fetch_sub(&blocks, 1);
    }
    free(memory);
}

void go__fault_map_changed(long bytes)
{
    atomic_fetch_add(&mapped, bytes);
}
