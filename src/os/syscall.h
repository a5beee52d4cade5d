/* Raw Linux system calls: one instruction, result or -errno, errno never touched. Code on a goroutine's stack may use these
 * (a libc wrapper would move its caller to a big stack, and reports through the errno of whatever thread it runs on). */
#ifndef GO_SRC_OS_SYSCALL_H
#define GO_SRC_OS_SYSCALL_H

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "base/compiler.h"

#if defined(__x86_64__)

GO__INLINE long go__syscall6(long nr, long a, long b, long c, long d, long e, long f)
{
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

#elif defined(__aarch64__)

GO__INLINE long go__syscall6(long nr, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = nr;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory", "cc");
    return x0;
}

#else
#error "goco runs on Linux x86-64 and aarch64"
#endif

GO__INLINE long go__syscall0(long nr)
{
    return go__syscall6(nr, 0, 0, 0, 0, 0, 0);
}
GO__INLINE long go__syscall1(long nr, long a)
{
    return go__syscall6(nr, a, 0, 0, 0, 0, 0);
}
GO__INLINE long go__syscall2(long nr, long a, long b)
{
    return go__syscall6(nr, a, b, 0, 0, 0, 0);
}
GO__INLINE long go__syscall3(long nr, long a, long b, long c)
{
    return go__syscall6(nr, a, b, c, 0, 0, 0);
}
GO__INLINE long go__syscall4(long nr, long a, long b, long c, long d)
{
    return go__syscall6(nr, a, b, c, d, 0, 0);
}
GO__INLINE long go__syscall5(long nr, long a, long b, long c, long d, long e)
{
    return go__syscall6(nr, a, b, c, d, e, 0);
}

#endif
