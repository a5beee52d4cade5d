/* spawn: start a goroutine and wait for it, one by one and a thousand at a time. */
#include <go.h>

#include "bench.h"

static go_waitgroup wg;
static int64_t ran;

static void work(void *arg)
{
    (void)arg;
    __atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED);
    go_waitgroup_done(&wg);
}

static void spawn(uint64_t n, int batch)
{
    uint64_t rounds = n / (uint64_t)batch + 1;

    ran = 0;
    for (uint64_t i = 0; i < rounds; i++) {
        go_waitgroup_add(&wg, batch);
        for (int j = 0; j < batch; j++) {
            go(work, NULL);
        }
        go_waitgroup_wait(&wg);
    }
    BENCH_CHECK(ran == (int64_t)rounds * batch);
}

static void one_by_one(uint64_t n)
{
    spawn(n, 1);
}

static void thousands(uint64_t n)
{
    spawn(n, 1000);
}

static int program(void *arg)
{
    (void)arg;
    bench_measure("spawn", "batch=1", bench_count(1000000), one_by_one);
    bench_measure("spawn", "batch=1000", bench_count(1000000), thousands);
    return 0;
}

int main(int argc, char **argv)
{
    bench_init(argc, argv);
    return go_run(program, NULL);
}
