/* blocking: 64 goroutines block their threads for 50 ms each, in a system call that the runtime is not told of. */
#include <go.h>

#include "bench.h"

enum { NAPS = 64 };

static go_waitgroup wg;
static int64_t ran;

static void nap(void *arg)
{
    const struct timespec time = {0, 50000000};

    (void)arg;
    BENCH_CHECK(nanosleep(&time, NULL) == 0);
    __atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED);
    go_waitgroup_done(&wg);
}

static void naps(void)
{
    ran = 0;
    go_waitgroup_add(&wg, NAPS);
    for (int i = 0; i < NAPS; i++) {
        go(nap, NULL);
    }
    go_waitgroup_wait(&wg);
    BENCH_CHECK(ran == NAPS);
}

static int program(void *arg)
{
    (void)arg;
    bench_measure_whole("blocking", "naps=64", naps);
    return 0;
}

int main(int argc, char **argv)
{
    bench_init(argc, argv);
    return go_run(program, NULL);
}
