/* Prints a sum that goroutines made, and what they stood on. */
#include <go.h>
#include <stdio.h>

static GO_CHAN(int) numbers;

static void produce(void *arg)
{
    int *from = (int *)arg;
    for (int i = *from; i < *from + 10; i++) {
        (void)GO_SEND(numbers, i);
    }
}

static int start(void *arg)
{
    go_stats stats;
    int sum = 0;
    (void)arg;
    if (GO_CHAN_NEW(numbers, 0) != 0) {
        return 1;
    }
    for (int from = 0; from < 100; from += 10) {
        go_copy(produce, &from, sizeof from);
    }
    for (int i = 0; i < 100; i++) {
        int n = 0;
        (void)GO_RECV(numbers, &n);
        sum += n;
    }
    go_get_stats(&stats);
    printf("sum %d on %s stacks, version %s\n", sum, stats.stacks_small > 0 ? "small" : "reserved", go_version());
    GO_UNREF(numbers);
    return 0;
}

int main(void)
{
    return go_run(start, NULL);
}
