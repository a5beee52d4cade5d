/* select: receive from one of two ready channels among 2 or 8 and send back into it (both buffered); and a select that parks. */
#include <go.h>

#include "bench.h"

enum { MOST = 8 };

static go_chan *channels[MOST];

static void open_all(int count, size_t capacity)
{
    for (int i = 0; i < count; i++) {
        channels[i] = go_chan_new(sizeof(int64_t), capacity);
        BENCH_CHECK(channels[i] != NULL);
    }
}

static void unref_all(int count)
{
    for (int i = 0; i < count; i++) {
        go_chan_unref(channels[i]);
    }
}

static void ready(uint64_t n, int count, int first, int second)
{
    int64_t v = 0, sum = 0;
    const int64_t one = 1;
    go_case cases[MOST];

    open_all(count, 1);
    BENCH_CHECK(go_chan_send(channels[first], &v) == 0);
    BENCH_CHECK(go_chan_send(channels[second], &v) == 0);
    for (uint64_t i = 0; i < n; i++) {
        /* Filled in each time, as a select statement written in a loop does. */
        for (int k = 0; k < count; k++) {
            cases[k] = (go_case){channels[k], &v, GO_DIRECTION_RECV, 0};
        }
        int chosen = go_select(cases, (size_t)count);
        BENCH_CHECK(chosen == first || chosen == second);
        sum += v;
        BENCH_CHECK(go_chan_send(channels[chosen], &one) == 0);
    }
    BENCH_CHECK(go_chan_recv(channels[first], &v) == 0);
    sum += v;
    BENCH_CHECK(go_chan_recv(channels[second], &v) == 0);
    BENCH_CHECK(sum + v == (int64_t)n);
    unref_all(count);
}

static void ready_of_2(uint64_t n)
{
    ready(n, 2, 0, 1);
}

static void ready_of_8(uint64_t n)
{
    ready(n, 8, 2, 5);
}

static uint64_t pairs;

static void feeder(void *arg)
{
    const int64_t one = 1;
    const uint64_t mine = pairs; /* the next measurement sets it anew before this goroutine has noticed that it is done */

    (void)arg;
    for (uint64_t i = 0; i < mine; i++) {
        BENCH_CHECK(go_chan_send(channels[0], &one) == 0);
        BENCH_CHECK(go_chan_send(channels[1], &one) == 0);
    }
}

static void parking(uint64_t n)
{
    int64_t v, sum = 0;

    open_all(2, 0);
    pairs = (n + 1) / 2;
    go(feeder, NULL);
    for (uint64_t i = 0; i < 2 * pairs; i++) {
        go_case cases[] = {{channels[0], &v, GO_DIRECTION_RECV, 0}, {channels[1], &v, GO_DIRECTION_RECV, 0}};
        BENCH_CHECK(go_select(cases, 2) >= 0);
        sum += v;
    }
    BENCH_CHECK(sum == (int64_t)(2 * pairs));
    unref_all(2);
}

static int program(void *arg)
{
    (void)arg;
    bench_measure("select", "cases=2", bench_count(4000000), ready_of_2);
    bench_measure("select", "cases=8", bench_count(2000000), ready_of_8);
    bench_measure("select", "parking,cases=2", bench_count(2000000), parking);
    return 0;
}

int main(int argc, char **argv)
{
    bench_init(argc, argv);
    return go_run(program, NULL);
}
