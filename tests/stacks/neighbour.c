/* Crosses to a segment, parks there, finds its locals as they were, and parks on its slot too. */
#include "stacks/neighbour.h"

#include <string.h>

#include "go.h"
#include "stacks/harness.h"

static __attribute__((noinline)) void park_on_a_segment(int n)
{
    char text[300], again[300];
    (void)snprintf(text, sizeof text, "%d %f", n, n / 3.0);
    go_yield();
    (void)snprintf(again, sizeof again, "%d %f", n, n / 3.0);
    CHECK(strcmp(text, again) == 0);
}

void neighbour(void *ends)
{
    bool (*over)(void) = (bool (*)(void))ends;
    for (int i = 0; !over(); i++) {
        park_on_a_segment(i);
        go_yield();
    }
}
