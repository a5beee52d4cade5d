/* The unchecked half of mixed.c. */
#include "stacks/mixed.h"

#include <string.h>

#include "stacks/harness.h"

__attribute__((noinline)) long plain(mixed_func fn, int depth, const long *shared)
{
    char frame[6000]; /* more than a small stack */
    memset(frame, depth, sizeof frame);
    harness_park();
    long below = fn(depth, shared);
    for (size_t i = 0; i < sizeof frame; i++) {
        CHECK(frame[i] == (char)depth);
    }
    return below + 1;
}

void plain_entry(void *fn)
{
    ((void (*)(void *))fn)(NULL);
}
