/* fairness: a 1 ms ticker beside one hog a P: by how much does each gap between ticks exceed the period. */
#include <go.h>

#include "bench.h"

enum { MOST = 100000 };

static bool stop;
static uint64_t sink;

__attribute__((noinline)) static uint64_t step(uint64_t x)
{
    /* The asm keeps the call a call, as a hog that works through functions has it. */
    __asm__ volatile("" : "+r"(x));
    return x * 6364136223846793005u + 1442695040888963407u;
}

static void hog_calls(void *arg)
{
    uint64_t x = 0;

    (void)arg;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        for (int i = 0; i < 1000; i++) {
            x = step(x);
        }
    }
    __atomic_fetch_add(&sink, x, __ATOMIC_RELAXED);
}

static void hog_loop(void *arg)
{
    uint64_t x = 0;

    (void)arg;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        x = x * 6364136223846793005u + 1442695040888963407u;
    }
    __atomic_fetch_add(&sink, x, __ATOMIC_RELAXED);
}

static void beside(const char *mode, go_func hog)
{
    static int64_t late[MOST];
    size_t count = 0;
    go_ticker *ticker;
    int64_t end, last, fired;

    if (!bench_wanted(mode)) {
        return;
    }
    __atomic_store_n(&stop, false, __ATOMIC_RELAXED);
    for (int i = 0; i < go_procs(); i++) {
        go(hog, NULL);
    }
    ticker = go_ticker_new(GO_MILLISECOND);
    last = go_now();
    end = last + (int64_t)bench_count(2000) * GO_MILLISECOND;
    while (last < end && count < MOST) {
        BENCH_CHECK(go_chan_recv(go_ticker_chan(ticker), &fired) == 0);
        int64_t now = go_now(), gap = now - last - GO_MILLISECOND;
        late[count++] = gap > 0 ? gap : 0;
        last = now;
    }
    go_ticker_free(ticker);
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    bench_percentiles("fairness", mode, "lateness", late, count);
}

static int program(void *arg)
{
    (void)arg;
    beside("calls", hog_calls);
    beside("loop", hog_loop);
    return 0;
}

int main(int argc, char **argv)
{
    bench_init(argc, argv);
    return go_run(program, NULL);
}
