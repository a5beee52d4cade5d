#include "os/vm.h"

#include <sys/mman.h>
#include <time.h>

#include "base/atomic.h"
#include "os/fatal.h"
#include "os/syscall.h"

/* Constants that older C libraries lack. */
#define ADVICE_POPULATE_WRITE 23
#define ADVICE_GUARD_INSTALL  102

enum guard_kind { GUARD_UNKNOWN = 0, GUARD_LIGHT, GUARD_PROTECT };

/* Decided by the first guard; relaxed: two threads that decide at once decide the same. */
static go__atomic(int) guard_kind;
static go__atomic(size_t) page_bytes;
static go__atomic(bool) guard_complained;

/* getauxval is libc's. mincore refuses an address that is not a multiple of a page before it looks at anything else, so it
 * tells a page's size. */
size_t go__vm_page(void)
{
    size_t page = load_rlx(&page_bytes);
    if (go__likely(page != 0)) {
        return page;
    }
#if defined(__x86_64__)
    page = 4096;
#else
    for (page = 65536; page > 4096; page /= 2) {
        if (go__syscall3(SYS_mincore, (long)(page / 2), 0, 0) == -EINVAL) {
            break;
        }
    }
#endif
    store_rlx(&page_bytes, page);
    return page;
}

#if GO__TSAN
void AnnotateIgnoreWritesBegin(const char *file, int line);
void AnnotateIgnoreWritesEnd(const char *file, int line);

/* By libc's mmap, which the tool watches: it forgets who used these addresses before, be it the stack of a thread that has ended, and
 * while writes are ignored takes nobody for their writer. */
static uintptr_t map(uintptr_t hint, size_t bytes)
{
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
    void *at = mmap((void *)hint, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    return at == MAP_FAILED ? 0 : (uintptr_t)at;
}
#else
static uintptr_t map(uintptr_t hint, size_t bytes)
{
    long at =
        go__syscall6(SYS_mmap, (long)hint, (long)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return at < 0 && at > -4096 ? 0 : (uintptr_t)at;
}
#endif

void *go__vm_map(uintptr_t hint, size_t bytes, size_t align)
{
    uintptr_t at = map(hint, bytes);
    if (at == 0 || (at & (align - 1)) == 0) {
        return (void *)at;
    }
    go__vm_unmap((void *)at, bytes);
    at = map(0, bytes + align);
    if (at == 0) {
        return NULL;
    }
    uintptr_t lo = (at + align - 1) & ~(uintptr_t)(align - 1);
    if (lo > at) {
        go__vm_unmap((void *)at, lo - at);
    }
    if (at + align > lo) {
        go__vm_unmap((void *)(lo + bytes), at + align - lo);
    }
    return (void *)lo;
}

void go__vm_unmap(void *lo, size_t bytes)
{
    (void)go__syscall2(SYS_munmap, (long)(uintptr_t)lo, (long)bytes);
}

static long advise(void *lo, size_t bytes, int advice)
{
    return go__syscall3(SYS_madvise, (long)(uintptr_t)lo, (long)bytes, advice);
}

static int guard_by_protection(void *lo, size_t bytes)
{
    long result = go__syscall3(SYS_mprotect, (long)(uintptr_t)lo, (long)bytes, PROT_NONE);
    if (result == -ENOMEM && xchg_acq(&guard_complained, true) == false) {
        go__warn("no more guard pages below goroutine stacks: raise the sysctl vm.max_map_count");
    }
    return (int)result;
}

/* The kernel cannot write at `lo`: emulators answer an advice that they do not know with success. */
static bool guards(void *lo)
{
    return go__syscall2(SYS_clock_gettime, CLOCK_MONOTONIC, (long)(uintptr_t)lo) == -EFAULT;
}

int go__vm_guard(void *lo, size_t bytes)
{
    int kind = load_rlx(&guard_kind);
    if (kind != GUARD_PROTECT) {
        long result = advise(lo, bytes, ADVICE_GUARD_INSTALL);
        if (result == 0 && kind == GUARD_UNKNOWN) {
            result = guards(lo) ? 0 : -EINVAL;
        }
        if (result == 0) {
            if (kind == GUARD_UNKNOWN) {
                store_rlx(&guard_kind, GUARD_LIGHT);
            }
            return 0;
        }
        /* EINVAL: an older kernel, or this mapping is locked in memory (mlockall): the other way works for both. */
        if (result != -EINVAL) {
            return (int)result;
        }
        if (kind == GUARD_UNKNOWN) {
            store_rlx(&guard_kind, GUARD_PROTECT);
        }
    }
    return guard_by_protection(lo, bytes);
}

bool go__vm_guard_is_light(void)
{
    return load_rlx(&guard_kind) == GUARD_LIGHT;
}

void go__vm_populate(void *lo, size_t bytes)
{
    (void)advise(lo, bytes, ADVICE_POPULATE_WRITE);
}

void go__vm_want_huge(void *lo, size_t bytes)
{
    (void)advise(lo, bytes, MADV_HUGEPAGE);
}

void go__vm_no_huge(void *lo, size_t bytes)
{
    (void)advise(lo, bytes, MADV_NOHUGEPAGE);
}

void go__vm_discard(void *lo, size_t bytes)
{
    (void)advise(lo, bytes, MADV_DONTNEED);
}
