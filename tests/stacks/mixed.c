/* Checked and unchecked code call each other, directly and through pointers, and park on the way. This file is compiled with
 * -fsplit-stack, mixed_plain.c without. */
#include "stacks/harness.h"
#include "stacks/mixed.h"

static __attribute__((noinline)) long checked(int depth, const long *shared)
{
    volatile char frame[900];
    frame[depth] = (char)depth;
    harness_park();
    if (depth == 0) {
        return *shared;
    }
    long below = depth % 2 == 0 ? plain(checked, depth - 1, shared) : checked(depth - 1, shared);
    CHECK(frame[depth] == (char)depth);
    return below + 1;
}

static void call_each_other(void *arg)
{
    (void)arg;
    const long shared = 1000; /* read through its address from the deepest frame */
    CHECK(checked(60, &shared) == 1060 + 30);
    CHECK(plain(checked, 20, &shared) == 1020 + 10 + 1);
    CHECK(harness_limit_is_true());
}

/* An unchecked entry that calls checked code: a reserved slot whose limit word serves what is called. */
static void deep_from_plain_entry(void *arg)
{
    (void)arg;
    const long shared = 5;
    CHECK(checked(100, &shared) == 5 + 100 + 50);
}

int main(void)
{
    harness_start(0, 0);
    for (int slot = HARNESS_SMALL; slot <= HARNESS_CUSTOM; slot++) {
        harness_run((enum harness_slot)slot, call_each_other, NULL);
        harness_run((enum harness_slot)slot, deep_from_plain_entry, NULL);
    }
    harness_run(HARNESS_RESERVED, plain_entry, (void *)(uintptr_t)deep_from_plain_entry);
    harness_together(HARNESS_SMALL, call_each_other, 50);
    harness_stop();
    puts("all passed");
    return 0;
}
