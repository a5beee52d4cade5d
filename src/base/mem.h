/* Copying and clearing without libc: code on a goroutine's stack must not call memcpy, because the linker would move such a
 * function as a whole onto a reserved stack. Fixed sizes become plain moves; the rest is a word loop, or `rep movsb` where
 * the length pays for its start-up. */
#ifndef GO_SRC_BASE_MEM_H
#define GO_SRC_BASE_MEM_H

#include <stdint.h>

#include "base/compiler.h"

GO__INLINE void go__copy_bytes(void *to, const void *from, size_t size)
{
    unsigned char *d = (unsigned char *)to;
    const unsigned char *s = (const unsigned char *)from;
#if defined(__x86_64__)
    if (size >= 256) {
        __asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(size)::"memory");
        return;
    }
#endif
    for (; size >= 8; d += 8, s += 8, size -= 8) {
        __builtin_memcpy(d, s, 8);
        __asm__ volatile("" ::: "memory"); /* keeps the loop from being recognised as memcpy */
    }
    for (; size > 0; d++, s++, size--) {
        *d = *s;
        __asm__ volatile("" ::: "memory");
    }
}

/* The element sizes channels carry most become one or two moves; any pointer may be unaligned. */
GO__INLINE void go__copy(void *to, const void *from, size_t size)
{
    switch (size) {
    case 0: return;
    case 4: __builtin_memcpy(to, from, 4); return;
    case 8: __builtin_memcpy(to, from, 8); return;
    case 16: __builtin_memcpy(to, from, 16); return;
    default: go__copy_bytes(to, from, size); return;
    }
}

GO__INLINE void go__zero(void *to, size_t size)
{
    unsigned char *d = (unsigned char *)to;
#if defined(__x86_64__)
    if (size >= 256) {
        __asm__ volatile("rep stosb" : "+D"(d), "+c"(size) : "a"(0) : "memory");
        return;
    }
#endif
    for (; size >= 8; d += 8, size -= 8) {
        __builtin_memset(d, 0, 8);
        __asm__ volatile("" ::: "memory");
    }
    for (; size > 0; d++, size--) {
        *d = 0;
        __asm__ volatile("" ::: "memory");
    }
}

GO__INLINE size_t go__string_length(const char *s)
{
    size_t n = 0;
    while (s[n] != '\0') {
        n++;
        __asm__ volatile("" ::: "memory");
    }
    return n;
}

#endif
