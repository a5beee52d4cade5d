/* skynet: a tree of goroutines, ten children each, a million leaves; the sum comes back through unbuffered channels. */
#include <go.h>

#include "bench.h"

struct node {
    go_chan *up;
    int64_t number, size;
};

static void skynet(void *arg)
{
    struct node *self = arg;
    go_chan *up = self->up;
    int64_t sum = self->number;

    if (self->size > 1) {
        struct node child = {go_chan_new(sizeof sum, 0), self->number, self->size / 10};

        for (int i = 0; i < 10; i++) {
            go_copy(skynet, &child, sizeof child);
            child.number += child.size;
        }
        sum = 0;
        for (int i = 0; i < 10; i++) {
            int64_t part;
            BENCH_CHECK(go_chan_recv(child.up, &part) == 0);
            sum += part;
        }
        go_chan_unref(child.up);
    }
    BENCH_CHECK(go_chan_send(up, &sum) == 0);
}

static void tree(void)
{
    struct node root = {go_chan_new(sizeof(int64_t), 0), 0, 1000000};
    int64_t sum;

    go_copy(skynet, &root, sizeof root);
    BENCH_CHECK(go_chan_recv(root.up, &sum) == 0);
    BENCH_CHECK(sum == 499999500000);
    go_chan_unref(root.up);
}

static int program(void *arg)
{
    (void)arg;
    bench_measure_whole("skynet", "leaves=1000000", tree);
    return 0;
}

int main(int argc, char **argv)
{
    bench_init(argc, argv);
    return go_run(program, NULL);
}
