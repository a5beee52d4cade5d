/* Fetching ahead what hangs in lists. A list longer than the caches is walked at the speed of memory, one link after the other. But what was
 * made one after the other lies one after the other, at equal distances: two neighbours tell, most likely, where the ones further on lie. A
 * wrong guess costs a fetch in vain; an address that does not exist is no fault. */
#ifndef GO_SRC_BASE_PREFETCH_H
#define GO_SRC_BASE_PREFETCH_H

#include <stdint.h>

#include "base/compiler.h"

#define GO__NEIGHBOURS  65536u /* bytes: what lies further apart is none */
#define GO__LINKS_AHEAD 8u     /* for who does nothing else but walk */

/* For a line that will be written: fetched to be read, it would have to be asked for twice where another core has it. CPUs that do not know
 * the instruction pass over it. */
GO__INLINE void go__prefetch_write(uintptr_t at)
{
#if defined(__x86_64__)
    __asm__ volatile("prefetchw %0" ::"m"(*(const char *)at));
#else
    __builtin_prefetch((const void *)at, 1);
#endif
}

/* All lines of [lo, hi), which are whole ones. */
GO__INLINE void go__prefetch_lines(uintptr_t lo, uintptr_t hi)
{
    for (; lo != hi; lo += GO__CACHELINE) {
        go__prefetch_write(lo);
    }
}

/* Where the element lies that comes `ahead` after at, if the list goes on as from at to next; next where these are no neighbours. */
GO__INLINE uintptr_t go__guess(const void *at, const void *next, uintptr_t ahead)
{
    uintptr_t step = (uintptr_t)next - (uintptr_t)at;
    return step + GO__NEIGHBOURS < 2 * GO__NEIGHBOURS ? (uintptr_t)at + ahead * step : (uintptr_t)next;
}

#endif
