/* buffered: messages through a channel of capacity 128, one to one and four to four. */
#include <go.h>

#include "bench.h"

static go_chan *c;
static go_waitgroup senders, receivers;
static int64_t each, sum;

static void sender(void *arg)
{
    (void)arg;
    for (int64_t i = 1; i <= each; i++) {
        BENCH_CHECK(go_chan_send(c, &i) == 0);
    }
    go_waitgroup_done(&senders);
}

static void receiver(void *arg)
{
    int64_t v, s = 0;

    (void)arg;
    while (go_chan_recv(c, &v) == 0) {
        s += v;
    }
    __atomic_fetch_add(&sum, s, __ATOMIC_RELAXED);
    go_waitgroup_done(&receivers);
}

static void transfer(uint64_t n, int pairs)
{
    c = go_chan_new(sizeof(int64_t), 128);
    BENCH_CHECK(c != NULL);
    each = (int64_t)n / pairs + 1;
    sum = 0;
    go_waitgroup_add(&senders, pairs);
    go_waitgroup_add(&receivers, pairs);
    for (int i = 0; i < pairs; i++) {
        go(sender, NULL);
        go(receiver, NULL);
    }
    go_waitgroup_wait(&senders);
    BENCH_CHECK(go_chan_close(c) == 0);
    go_waitgroup_wait(&receivers);
    BENCH_CHECK(sum == pairs * each * (each + 1) / 2);
    go_chan_unref(c);
}

static void one_to_one(uint64_t n)
{
    transfer(n, 1);
}

static void four_to_four(uint64_t n)
{
    transfer(n, 4);
}

static int program(void *arg)
{
    (void)arg;
    bench_measure("buffered", "1x1,capacity=128", bench_count(8000000), one_to_one);
    bench_measure("buffered", "4x4,capacity=128", bench_count(8000000), four_to_four);
    return 0;
}

int main(int argc, char **argv)
{
    bench_init(argc, argv);
    return go_run(program, NULL);
}
