/* sleepers: many goroutines sleep 1..100 ms ten times: how late do they wake, and what does it cost. */
#include <go.h>

#include "bench.h"

enum { ROUNDS = 10 };

static go_waitgroup wg;
static int64_t *late;

static void sleeper(void *arg)
{
    uint64_t id = (uint64_t)(uintptr_t)arg;
    uint32_t seed = (uint32_t)id * 2654435761u + 1;

    for (uint64_t r = 0; r < ROUNDS; r++) {
        seed = seed * 1664525u + 1013904223u;
        int64_t duration = (1 + (int64_t)((seed >> 8) % 100)) * GO_MILLISECOND;
        int64_t due = go_now() + duration;
        BENCH_CHECK(go_sleep(duration) == 0);
        late[id * ROUNDS + r] = go_now() - due;
    }
    go_waitgroup_done(&wg);
}

static void storm(uint64_t n)
{
    go_waitgroup_add(&wg, (int)n);
    for (uint64_t i = 0; i < n; i++) {
        go(sleeper, (void *)(uintptr_t)i);
    }
    go_waitgroup_wait(&wg);
    for (uint64_t i = 0; i < n * ROUNDS; i++) {
        BENCH_CHECK(late[i] >= 0);
    }
}

static void measure(uint64_t n)
{
    char params[64];
    double cpu;

    snprintf(params, sizeof params, "sleepers=%" PRIu64, n);
    if (!bench_wanted(params)) {
        return;
    }
    late = calloc(n * ROUNDS, sizeof *late);
    BENCH_CHECK(late != NULL);
    storm(n); /* the first use of memory is what parked measures */
    cpu = bench_cpu();
    storm(n);
    cpu = bench_cpu() - cpu;
    bench_percentiles("sleepers", params, "overshoot", late, n * ROUNDS);
    bench_report("sleepers", params, "cpu", cpu, "s");
    free(late);
}

static int program(void *arg)
{
    (void)arg;
    measure(1000);
    measure(bench_count(100000));
    return 0;
}

int main(int argc, char **argv)
{
    bench_init(argc, argv);
    return go_run(program, NULL);
}
