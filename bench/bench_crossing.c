/* crossing: what a call costs that does not fit on a goroutine's 2 KB, beside one that does. The difference between `frame` and
 * `plain` is the crossing to a reserved stack and back, that between `outside` and `plain` the same for a function that calls code
 * without the stack check. Programs built without growable stacks show three equal numbers. */
#include <go.h>

#include <unistd.h>

#include "bench.h"

#define LEAF __attribute__((noinline))

static go_waitgroup wg;
static uint64_t calls;
static volatile uint64_t sink;

static LEAF uint64_t plain(uint64_t n)
{
    __asm__ volatile("" : "+r"(n));
    return n + 1;
}

static LEAF uint64_t frame(uint64_t n)
{
    volatile char block[1600];
    block[n % sizeof block] = (char)n;
    return n + 1 + (block[n % sizeof block] != (char)n);
}

static LEAF uint64_t outside(uint64_t n)
{
    return n + 1 + (uint64_t)((getpagesize() & 1) != 0);
}

static void run_plain(void *arg)
{
    uint64_t n = 0;
    (void)arg;
    for (uint64_t i = 0; i < calls; i++) {
        n = plain(n);
    }
    sink = n;
    go_waitgroup_done(&wg);
}

static void run_frame(void *arg)
{
    uint64_t n = 0;
    (void)arg;
    for (uint64_t i = 0; i < calls; i++) {
        n = frame(n);
    }
    sink = n;
    go_waitgroup_done(&wg);
}

static void run_outside(void *arg)
{
    uint64_t n = 0;
    (void)arg;
    for (uint64_t i = 0; i < calls; i++) {
        n = outside(n);
    }
    sink = n;
    go_waitgroup_done(&wg);
}

/* Each measurement in a goroutine of its own: this one stands on a big stack already, because it calls libc. */
static void measure(go_func fn, uint64_t n)
{
    calls = n;
    go_waitgroup_add(&wg, 1);
    go(fn, NULL);
    go_waitgroup_wait(&wg);
    BENCH_CHECK(sink == n);
}

static void body_plain(uint64_t n)
{
    measure(run_plain, n);
}

static void body_frame(uint64_t n)
{
    measure(run_frame, n);
}

static void body_outside(uint64_t n)
{
    measure(run_outside, n);
}

static int program(void *arg)
{
    (void)arg;
    bench_measure("crossing", "call=plain", bench_count(50000000), body_plain);
    bench_measure("crossing", "call=frame", bench_count(50000000), body_frame);
    bench_measure("crossing", "call=outside", bench_count(50000000), body_outside);
    return 0;
}

int main(int argc, char **argv)
{
    bench_init(argc, argv);
    return go_run(program, NULL);
}
