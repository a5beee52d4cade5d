/* cacheline: the round trip of a cache line between two CPUs, in ns: two threads bound to them answer each other through one word.
 * On a virtual machine it depends on where the host placed the CPUs, and changes by itself; every two-P figure moves with it. */
#define _GNU_SOURCE
#include <unistd.h>

#include "bench.h"
#include "bind.h"

static _Alignas(128) uint64_t word;
static uint64_t trips = 500000;

static void *answer(void *arg)
{
    (void)arg;
    bind_to(1);
    for (uint64_t i = 0; i < trips; i++) {
        while (__atomic_load_n(&word, __ATOMIC_ACQUIRE) != 2 * i + 1) {}
        __atomic_store_n(&word, 2 * i + 2, __ATOMIC_RELEASE);
    }
    return NULL;
}

int main(void)
{
    pthread_t t;

    if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
        return 0;
    }
    bind_to(0);
    BENCH_CHECK(pthread_create(&t, NULL, answer, NULL) == 0);
    int64_t start = 0;
    for (uint64_t i = 0; i < trips; i++) {
        if (i == trips / 5) {
            start = bench_now();
        }
        __atomic_store_n(&word, 2 * i + 1, __ATOMIC_RELEASE);
        while (__atomic_load_n(&word, __ATOMIC_ACQUIRE) != 2 * i + 2) {}
    }
    printf("%.0f\n", (double)(bench_now() - start) / (double)(trips - trips / 5));
    pthread_join(t, NULL);
    return 0;
}
