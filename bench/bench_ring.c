/* ring: a token goes round 503 goroutines linked by unbuffered channels. */
#include <go.h>

#include "bench.h"

enum { MEMBERS = 503 };

static go_chan *links[MEMBERS];
static go_chan *last;

static void member(void *arg)
{
    int64_t at = (int64_t)(intptr_t)arg, token;
    go_chan *in = links[at], *out = links[(at + 1) % MEMBERS];

    for (;;) {
        BENCH_CHECK(go_chan_recv(in, &token) == 0);
        if (token <= 0) {
            break;
        }
        token--;
        BENCH_CHECK(go_chan_send(out, &token) == 0);
    }
    /* End the others; the one at which the token stopped waits until that came round. */
    int64_t stop = -1, id = at + 1;
    BENCH_CHECK(go_chan_send(out, &stop) == 0);
    if (token == 0) {
        BENCH_CHECK(go_chan_recv(in, &stop) == 0);
        BENCH_CHECK(go_chan_send(last, &id) == 0);
    }
}

static void ring(uint64_t n)
{
    int64_t token = (int64_t)n;

    last = go_chan_new(sizeof token, 0);
    for (int i = 0; i < MEMBERS; i++) {
        links[i] = go_chan_new(sizeof token, 0);
    }
    for (int i = 0; i < MEMBERS; i++) {
        go(member, (void *)(intptr_t)i);
    }
    BENCH_CHECK(go_chan_send(links[0], &token) == 0);
    BENCH_CHECK(go_chan_recv(last, &token) == 0);
    BENCH_CHECK(token == (int64_t)(n % MEMBERS) + 1);
    for (int i = 0; i < MEMBERS; i++) {
        go_chan_unref(links[i]);
    }
    go_chan_unref(last);
}

static int program(void *arg)
{
    (void)arg;
    bench_measure("ring", "members=503", bench_count(2000000), ring);
    return 0;
}

int main(int argc, char **argv)
{
    bench_init(argc, argv);
    return go_run(program, NULL);
}
