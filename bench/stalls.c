/* stalls: for how much of two seconds a CPU was taken away from a thread that only reads the clock, in percent, and for how long at once, in
 * us; of all CPUs together, one thread bound to each. Pieces below 100 us do not count. On a virtual machine it is the host that takes them, and
 * where it takes one percent the 99th percentile of any lateness is such a piece. */
#define _GNU_SOURCE
#include <unistd.h>

#include "bench.h"
#include "bind.h"

#define SPAN  INT64_C(2000000000)
#define PIECE INT64_C(100000)

static int64_t taken, longest;

static void *watch(void *arg)
{
    int64_t sum = 0, most = 0, start, last;

    bind_to((size_t)(intptr_t)arg);
    start = last = bench_now();
    while (last - start < SPAN) {
        int64_t now = bench_now();
        int64_t gap = now - last;
        sum += gap > PIECE ? gap : 0;
        most = gap > most ? gap : most;
        last = now;
    }
    __atomic_fetch_add(&taken, sum, __ATOMIC_RELAXED);
    int64_t before = __atomic_load_n(&longest, __ATOMIC_RELAXED);
    while (before < most && !__atomic_compare_exchange_n(&longest, &before, most, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
    return NULL;
}

int main(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    pthread_t threads[1024];

    BENCH_CHECK(cpus > 0 && cpus <= 1024);
    for (long i = 0; i < cpus; i++) {
        BENCH_CHECK(pthread_create(&threads[i], NULL, watch, (void *)(intptr_t)i) == 0);
    }
    for (long i = 0; i < cpus; i++) {
        pthread_join(threads[i], NULL);
    }
    printf("%.2f %.0f\n", 100.0 * (double)taken / (double)SPAN / (double)cpus, (double)longest / 1e3);
    return 0;
}
