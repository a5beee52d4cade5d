/* The coldest way through morestack (no warm segment, no slab, preemption) at every distance from the limit: how many bytes of the
 * margin are left. Prints them; fails when the canary's neighbourhood was written. */
#include <stdint.h>
#include <string.h>

#include "sched/rt.h"
#include "stacks/harness.h"

#ifdef __clang__
#define NOINLINE __attribute__((noinline))
#else
#define NOINLINE __attribute__((noinline, noclone, noipa))
#endif

#define FILL 0x5C

static NOINLINE int cross(int n)
{
    volatile char frame[1500];
    frame[n] = 1;
    return frame[n];
}

/* A frame just below 256 bytes is not counted by the check. */
static NOINLINE int near_limit(int n)
{
    volatile char frame[208];
    frame[n] = 1;
    int r = cross(n);
    return r + frame[n];
}

static NOINLINE int at_distance(int bytes, int poison)
{
    volatile char pad[bytes];
    pad[bytes - 1] = 1;
    if (poison) {
        harness_poison();
    }
    return near_limit(3) + pad[bytes - 1];
}

static void work(void *arg)
{
    (void)arg;
    for (int bytes = 16; bytes < 1200; bytes += 16) {
        for (int poison = 0; poison < 2; poison++) {
            harness_park();
            CHECK(at_distance(bytes, poison) == 3);
        }
    }
}

int main(void)
{
    size_t least = SIZE_MAX;
    harness_start(0, 0);
    struct go__g *gp = harness_new(HARNESS_SMALL, work, NULL);
    int64_t now = 0;
    while (harness_resume(gp)) {
        unsigned char *lo = go__slot_lo(gp);
        unsigned char *untouched = lo + sizeof(uint64_t);
        while (now > 0 && untouched < (unsigned char *)gp->buf.sp && *untouched == FILL) {
            untouched++;
        }
        size_t left = (size_t)(untouched - lo);
        least = now > 0 && left < least ? left : least;
        memset(lo + sizeof(uint64_t), FILL, (size_t)((unsigned char *)gp->buf.sp - lo) - sizeof(uint64_t) - 128);
        go__seg_cache_drain(&go__m()->segs);
        for (int i = 0; i < 3; i++) {
            go__stacks_trim(now += INT64_C(2000000000)); /* the slabs go too, but for one */
        }
    }
    harness_stop();
    printf("margin: %zu of %u bytes were never touched\n", least, GO__MARGIN_BYTES);
    CHECK(least >= 64);
    return 0;
}
