/* chain: 10,000 goroutines, each waits for its right neighbour and hands one more to its left (the daisy chain). */
#include <go.h>

#include "bench.h"

enum { LINKS = 10000 };

struct link {
    go_chan *left, *right;
};

static struct link links[LINKS];

static void pass_on(void *arg)
{
    struct link *l = arg;
    int64_t v;

    BENCH_CHECK(go_chan_recv(l->right, &v) == 0);
    go_chan_unref(l->right);
    v++;
    BENCH_CHECK(go_chan_send(l->left, &v) == 0);
}

static void chain(uint64_t n)
{
    for (uint64_t done = 0; done < n; done += LINKS) {
        go_chan *leftmost = go_chan_new(sizeof(int64_t), 0), *right = leftmost;
        int64_t v = 1;

        for (int i = 0; i < LINKS; i++) {
            links[i].left = right;
            right = go_chan_new(sizeof(int64_t), 0);
            links[i].right = right;
            go(pass_on, &links[i]);
        }
        BENCH_CHECK(go_chan_send(right, &v) == 0);
        BENCH_CHECK(go_chan_recv(leftmost, &v) == 0);
        BENCH_CHECK(v == LINKS + 1);
        go_chan_unref(leftmost);
    }
}

static int program(void *arg)
{
    (void)arg;
    bench_measure("chain", "links=10000", bench_count(40) * LINKS, chain);
    return 0;
}

int main(int argc, char **argv)
{
    bench_init(argc, argv);
    return go_run(program, NULL);
}
