/* Fault injection: the seam. With GOCO_FAULTS=ON (cmake/GocoFaults.cmake) the compiler reads this header in front of every C file of the
 * library. Its macros take the places of the raw system calls and of the libc functions that can fail, and ask a counter first.
 *
 * Why not marks in the sources: a call that somebody adds passes the seam by itself, the hot paths of a normal build cannot change,
 * and nothing of this is shipped. Why not a seccomp filter over the untouched library: its SIGSYS would be handled on a goroutine's 2 KB
 * wherever the thread has no alternate stack yet, malloc would need another way anyway, and sanitizers take both for themselves. Why not
 * malloc replaced in the test program: AddressSanitizer, which should watch the error paths, replaces it too.
 *
 * Futexes, close, munmap and exit are left alone: they cannot fail for want of anything, and the library rightly relies on them. */
#ifndef GO_TESTS_FAULT_FAULTPOINT_H
#define GO_TESTS_FAULT_FAULTPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum go__fault_kind {
    GO__FAULT_MEMORY,    /* calloc, aligned_alloc, getaddrinfo: NULL, EAI_MEMORY */
    GO__FAULT_MAP,       /* mmap: ENOMEM */
    GO__FAULT_PROTECT,   /* madvise, mprotect: ENOMEM */
    GO__FAULT_THREAD,    /* pthread_create: EAGAIN */
    GO__FAULT_POLLER,    /* epoll_create1: EMFILE; epoll_ctl: ENOMEM */
    GO__FAULT_EVENT,     /* eventfd2, pidfd_open: EMFILE */
    GO__FAULT_SOCKET,    /* socket, accept4: EMFILE; bind, listen, connect, names and options: ENOBUFS */
    GO__FAULT_FILE,      /* open, fopen, dup, fdopen: EMFILE; fstat: ENOMEM */
    GO__FAULT_SIGNAL,    /* sigaction, sigaltstack: ENOMEM */
    GO__FAULT_BARRIER,   /* membarrier: ENOMEM */
    GO__FAULT_INTERRUPT, /* read, write and what else a signal interrupts: EINTR */
    GO__FAULT_KINDS
};

#define GO__FAULT_EVER UINT32_MAX

/* --- for the tests: no runtime runs meanwhile --- */

/* From now on calls first to last of this kind fail, counting from 1. */
void go__fault_arm(enum go__fault_kind kind, uint32_t first, uint32_t last);
void go__fault_disarm(void);
uint32_t go__fault_failed(void); /* how many calls failed since it was armed */

/* What the library holds. */
long go__fault_blocks(void);
long go__fault_mapped(void);

/* --- for the macros below --- */

/* Is this call to fail? */
bool go__fault(enum go__fault_kind kind);

/* The error that the system call is to return instead of being made, or 0. */
long go__fault_call(long nr);

void *go__fault_calloc(size_t count, size_t size);
void *go__fault_aligned_alloc(size_t align, size_t size);
void go__fault_free(void *memory);
void go__fault_map_changed(long bytes);

/* --- the library's side --- */

#ifndef GO__FAULT_OUTSIDE

#include "os/syscall.h"

GO__INLINE long go__fault_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
    /* A transfer of eight bytes is an eventfd's, which never waits in the kernel: no signal can interrupt it. */
    long result = (nr == SYS_read || nr == SYS_write) && c == 8 ? 0 : go__fault_call(nr);
    if (result != 0) {
        return result;
    }
    result = go__syscall6(nr, a, b, c, d, e, f);
    if (nr == SYS_mmap && (result > 0 || result < -4095)) {
        go__fault_map_changed(b);
    } else if (nr == SYS_munmap && result == 0) {
        go__fault_map_changed(-b);
    }
    return result;
}

#define go__syscall0(nr)                   go__fault_syscall(nr, 0, 0, 0, 0, 0, 0)
#define go__syscall1(nr, a)                go__fault_syscall(nr, a, 0, 0, 0, 0, 0)
#define go__syscall2(nr, a, b)             go__fault_syscall(nr, a, b, 0, 0, 0, 0)
#define go__syscall3(nr, a, b, c)          go__fault_syscall(nr, a, b, c, 0, 0, 0)
#define go__syscall4(nr, a, b, c, d)       go__fault_syscall(nr, a, b, c, d, 0, 0)
#define go__syscall5(nr, a, b, c, d, e)    go__fault_syscall(nr, a, b, c, d, e, 0)
#define go__syscall6(nr, a, b, c, d, e, f) go__fault_syscall(nr, a, b, c, d, e, f)

#include <stdlib.h>

#define calloc(count, size)        go__fault_calloc(count, size)
#define aligned_alloc(align, size) go__fault_aligned_alloc(align, size)
#define free                       go__fault_free /* its address is taken too; members of that name change theirs everywhere */

/* What GOROUTINE files do not call, they need not see. */
#ifndef GO__GOROUTINE_STACK

#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

GO__INLINE void *go__fault_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    if (go__fault(GO__FAULT_MAP)) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    void *memory = mmap(at, bytes, protection, flags, fd, offset);
    if (memory != MAP_FAILED) {
        go__fault_map_changed((long)bytes);
    }
    return memory;
}

GO__INLINE int go__fault_munmap(void *memory, size_t bytes)
{
    int result = munmap(memory, bytes);
    if (result == 0) {
        go__fault_map_changed(-(long)bytes);
    }
    return result;
}

GO__INLINE int go__fault_sigaction(int signo, const struct sigaction *now, struct sigaction *old)
{
    if (go__fault(GO__FAULT_SIGNAL)) {
        errno = ENOMEM;
        return -1;
    }
    return sigaction(signo, now, old);
}

/* expression, or `otherwise` with errno set. */
#define GO__FAULT_ERRNO(kind, code, otherwise, expression) (go__fault(kind) ? (errno = (code), otherwise) : (expression))

#define mmap(at, bytes, protection, flags, fd, offset) go__fault_mmap(at, bytes, protection, flags, fd, offset)
#define munmap(memory, bytes)                          go__fault_munmap(memory, bytes)
#define pthread_create(thread, attr, fn, arg)          (go__fault(GO__FAULT_THREAD) ? EAGAIN : pthread_create(thread, attr, fn, arg))
#define getaddrinfo(host, service, hints, result) \
    (go__fault(GO__FAULT_MEMORY) ? EAI_MEMORY : getaddrinfo(host, service, hints, result))
#define open(...)                  GO__FAULT_ERRNO(GO__FAULT_FILE, EMFILE, -1, open(__VA_ARGS__))
#define fopen(path, mode)          GO__FAULT_ERRNO(GO__FAULT_FILE, EMFILE, NULL, fopen(path, mode))
#define fdopen(fd, mode)           GO__FAULT_ERRNO(GO__FAULT_FILE, ENOMEM, NULL, fdopen(fd, mode))
#define dup(fd)                    GO__FAULT_ERRNO(GO__FAULT_FILE, EMFILE, -1, dup(fd))
#define fstat(fd, status)          GO__FAULT_ERRNO(GO__FAULT_FILE, ENOMEM, -1, fstat(fd, status))
#define sigaction(signo, now, old) go__fault_sigaction(signo, now, old)
#define sigaltstack(now, old)      GO__FAULT_ERRNO(GO__FAULT_SIGNAL, ENOMEM, -1, sigaltstack(now, old))

#endif
#endif
#endif
