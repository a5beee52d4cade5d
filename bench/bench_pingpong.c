/* pingpong: round trips over two unbuffered channels. */
#include <go.h>

#include "bench.h"

static go_chan *ping, *pong;

static void answer(void *arg)
{
    int64_t v;

    (void)arg;
    while (go_chan_recv(ping, &v) == 0) {
        v++;
        BENCH_CHECK(go_chan_send(pong, &v) == 0);
    }
    BENCH_CHECK(go_chan_close(pong) == 0);
}

static void pingpong(uint64_t n)
{
    int64_t v = 0;

    ping = go_chan_new(sizeof v, 0);
    pong = go_chan_new(sizeof v, 0);
    go(answer, NULL);
    for (uint64_t i = 0; i < n; i++) {
        BENCH_CHECK(go_chan_send(ping, &v) == 0);
        BENCH_CHECK(go_chan_recv(pong, &v) == 0);
    }
    BENCH_CHECK(v == (int64_t)n);
    BENCH_CHECK(go_chan_close(ping) == 0);
    BENCH_CHECK(go_chan_recv(pong, &v) != 0);
    go_chan_unref(ping);
    go_chan_unref(pong);
}

static int program(void *arg)
{
    (void)arg;
    bench_measure("pingpong", "", bench_count(1000000), pingpong);
    return 0;
}

int main(int argc, char **argv)
{
    bench_init(argc, argv);
    return go_run(program, NULL);
}
