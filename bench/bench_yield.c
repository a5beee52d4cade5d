/* yield: 16 goroutines that do nothing but yield. */
#include <go.h>

#include "bench.h"

enum { YIELDERS = 16 };

static go_waitgroup wg;
static uint64_t yields_each;

static void yielder(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < yields_each; i++) {
        go_yield();
    }
    go_waitgroup_done(&wg);
}

static void yield(uint64_t n)
{
    yields_each = n / YIELDERS;
    go_waitgroup_add(&wg, YIELDERS);
    for (int i = 0; i < YIELDERS; i++) {
        go(yielder, NULL);
    }
    go_waitgroup_wait(&wg);
}

static int program(void *arg)
{
    (void)arg;
    bench_measure("yield", "goroutines=16", bench_count(4000000), yield);
    return 0;
}

int main(int argc, char **argv)
{
    bench_init(argc, argv);
    return go_run(program, NULL);
}
