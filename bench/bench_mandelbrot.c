/* mandelbrot: a goroutine a row: computing alone, to see that all Ps are used and nothing stands in the way. */
#include <go.h>

#include "bench.h"
#include "mandelbrot_row.h"

static go_waitgroup wg;
static int64_t sum, expected;

static void row(void *arg)
{
    __atomic_fetch_add(&sum, mandelbrot_row((int)(intptr_t)arg), __ATOMIC_RELAXED);
    go_waitgroup_done(&wg);
}

static void picture(void)
{
    sum = 0;
    go_waitgroup_add(&wg, MANDELBROT_WIDTH);
    for (int y = 0; y < MANDELBROT_WIDTH; y++) {
        go(row, (void *)(intptr_t)y);
    }
    go_waitgroup_wait(&wg);
    BENCH_CHECK(sum == expected);
}

static int program(void *arg)
{
    (void)arg;
    for (int y = 0; y < MANDELBROT_WIDTH; y++) {
        expected += mandelbrot_row(y);
    }
    bench_measure_whole("mandelbrot", "width=1024", picture);
    return 0;
}

int main(int argc, char **argv)
{
    bench_init(argc, argv);
    return go_run(program, NULL);
}
