/* fib: fib(30), every call starts a goroutine for one half, does the other itself and waits. */
#include <go.h>

#include "bench.h"

struct half {
    int64_t n, result;
    go_waitgroup done;
};

static int64_t fib(int64_t n);

static void left_half(void *arg)
{
    struct half *left = arg;

    left->result = fib(left->n);
    go_waitgroup_done(&left->done);
}

static int64_t fib(int64_t n)
{
    if (n < 2) {
        return n;
    }
    struct half left = {n - 1, 0, GO_WAITGROUP_INIT};
    go_waitgroup_add(&left.done, 1);
    go(left_half, &left);
    int64_t right = fib(n - 2);
    go_waitgroup_wait(&left.done);
    return left.result + right;
}

static void fib30(void)
{
    BENCH_CHECK(fib(30) == 832040);
}

static int program(void *arg)
{
    (void)arg;
    bench_measure_whole("fib", "n=30", fib30);
    return 0;
}

int main(int argc, char **argv)
{
    bench_init(argc, argv);
    return go_run(program, NULL);
}
