/* mutex: lock, add one, unlock; alone and with eight goroutines at it. */
#include <go.h>

#include "bench.h"

static go_waitgroup wg;
static go_mutex mutex;
static uint64_t counter, each;

static void locker(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < each; i++) {
        go_mutex_lock(&mutex);
        counter++;
        go_mutex_unlock(&mutex);
    }
    go_waitgroup_done(&wg);
}

static void lockers(uint64_t n, int contenders)
{
    counter = 0;
    each = n / (uint64_t)contenders;
    go_waitgroup_add(&wg, contenders);
    for (int i = 0; i < contenders; i++) {
        go(locker, NULL);
    }
    go_waitgroup_wait(&wg);
    BENCH_CHECK(counter == each * (uint64_t)contenders);
}

static void alone(uint64_t n)
{
    lockers(n, 1);
}

static void eight(uint64_t n)
{
    lockers(n, 8);
}

static int program(void *arg)
{
    (void)arg;
    bench_measure("mutex", "contenders=1", bench_count(20000000), alone);
    bench_measure("mutex", "contenders=8", bench_count(8000000), eight);
    return 0;
}

int main(int argc, char **argv)
{
    bench_init(argc, argv);
    return go_run(program, NULL);
}
