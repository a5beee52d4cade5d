/* parked: a million goroutines waiting on one channel: time to start and to release each, resident bytes of each. No warm-up: the first
 * use of the memory is what is measured. */
#include <errno.h>
#include <go.h>

#include "bench.h"

static go_waitgroup wg;
static go_chan *gate;
static uint64_t arrived, released;

static void parked(void *arg)
{
    char byte;

    (void)arg;
    __atomic_fetch_add(&arrived, 1, __ATOMIC_RELAXED);
    if (go_chan_recv(gate, &byte) == -EPIPE) {
        __atomic_fetch_add(&released, 1, __ATOMIC_RELAXED);
    }
    go_waitgroup_done(&wg);
}

static int program(void *arg)
{
    uint64_t n = bench_count(1000000);
    char params[64];
    double rss;
    int64_t start, create_ns, release_ns;

    (void)arg;
    snprintf(params, sizeof params, "goroutines=%" PRIu64, n);
    gate = go_chan_new(1, 0);
    BENCH_CHECK(gate != NULL);
    rss = bench_rss();
    start = bench_now();
    go_waitgroup_add(&wg, (int)n);
    for (uint64_t i = 0; i < n; i++) {
        go(parked, NULL);
    }
    while (__atomic_load_n(&arrived, __ATOMIC_RELAXED) < n) {
        go_yield();
    }
    create_ns = bench_now() - start;
    rss = bench_rss() - rss;
    start = bench_now();
    BENCH_CHECK(go_chan_close(gate) == 0);
    go_waitgroup_wait(&wg);
    release_ns = bench_now() - start;
    BENCH_CHECK(released == n);
    go_chan_unref(gate);
    bench_report("parked", params, "create", (double)create_ns / (double)n, "ns/goroutine");
    bench_report("parked", params, "release", (double)release_ns / (double)n, "ns/goroutine");
    bench_report("parked", params, "memory", rss / (double)n, "B/goroutine");
    return 0;
}

int main(int argc, char **argv)
{
    bench_init(argc, argv);
    return go_run(program, NULL);
}
