/* fan_in: many producers, one consumer.
 *
 * Lesson: any number of goroutines may send to one channel, and the consumer needs no lock around what it keeps: only it touches the
 * totals. The channel is closed by the one who knows that all producers are done.
 *
 *     $ fan_in [PRODUCERS] [MESSAGES_EACH] */
#include <go.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

struct message {
    int producer, number;
};

static GO_CHAN(struct message) inbox;
static go_waitgroup producing;
static int producers = 100, each = 1000;

static void producer(void *arg)
{
    struct message m = {.producer = *(int *)arg};

    for (m.number = 0; m.number < each && GO_SEND(inbox, m) == 0; m.number++) {}
    go_waitgroup_done(&producing);
}

static void close_inbox(void *arg)
{
    (void)arg;
    go_waitgroup_wait(&producing);
    GO_CLOSE(inbox);
}

static int consumer_main(void *arg)
{
    int *next = calloc((size_t)producers, sizeof *next);
    long received = 0;
    bool in_order = true;

    (void)arg;
    if (next == NULL || GO_CHAN_NEW(inbox, 64) != 0) {
        return 1;
    }
    go_waitgroup_add(&producing, producers);
    for (int id = 0; id < producers; id++) {
        go_copy(producer, &id, sizeof id);
    }
    go(close_inbox, NULL);
    GO_RANGE(m, inbox)
    {
        in_order = in_order && m.number == next[m.producer];
        next[m.producer]++;
        received++;
    }
    printf("received %ld messages from %d producers, each producer's %s\n", received, producers,
           in_order ? "in order" : "OUT OF ORDER");
    GO_UNREF(inbox);
    free(next);
    return 0;
}

int main(int argc, char **argv)
{
    producers = argc > 1 ? atoi(argv[1]) : producers;
    each = argc > 2 ? atoi(argv[2]) : each;
    return go_run(consumer_main, NULL);
}
