/* timers: eight goroutines reset an armed timer, or make and stop one, with 10,000 others armed. */
#include <go.h>

#include "bench.h"

enum { WORKERS = 8, ARMED = 10000 };

static go_waitgroup wg;
static uint64_t each;

static const int64_t hour = 3600 * GO_SECOND;

static void resetter(void *arg)
{
    go_timer *t = go_timer_new(hour);

    (void)arg;
    BENCH_CHECK(t != NULL);
    for (uint64_t i = 0; i < each; i++) {
        BENCH_CHECK(go_timer_reset(t, hour + (int64_t)(i & 1023) * GO_MILLISECOND));
    }
    go_timer_free(t);
    go_waitgroup_done(&wg);
}

static void maker(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < each; i++) {
        go_timer *t = go_timer_new(hour);
        BENCH_CHECK(t != NULL);
        BENCH_CHECK(go_timer_stop(t));
        go_timer_free(t);
    }
    go_waitgroup_done(&wg);
}

static void churn(uint64_t n, go_func worker)
{
    each = n / WORKERS;
    go_waitgroup_add(&wg, WORKERS);
    for (int i = 0; i < WORKERS; i++) {
        go(worker, NULL);
    }
    go_waitgroup_wait(&wg);
}

static void reset(uint64_t n)
{
    churn(n, resetter);
}

static void new_and_stop(uint64_t n)
{
    churn(n, maker);
}

static int program(void *arg)
{
    static go_timer *armed[ARMED];

    (void)arg;
    for (int i = 0; i < ARMED; i++) {
        armed[i] = go_timer_new(hour + i * GO_MILLISECOND);
        BENCH_CHECK(armed[i] != NULL);
    }
    bench_measure("timers", "reset", bench_count(4000000), reset);
    bench_measure("timers", "new+stop", bench_count(4000000), new_and_stop);
    for (int i = 0; i < ARMED; i++) {
        go_timer_free(armed[i]);
    }
    return 0;
}

int main(int argc, char **argv)
{
    bench_init(argc, argv);
    return go_run(program, NULL);
}
