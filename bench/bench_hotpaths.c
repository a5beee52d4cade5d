/* hotpaths: one hot path N times and nothing else, for counting its instructions (bench/counts): the count of 2N less that of N is free
 * of start and stop. Usage: bench_hotpaths PATH N. Meant for one P. */
#include <go.h>

#include "bench.h"

static uint64_t n;
static go_chan *ping, *pong;
static go_waitgroup wg;
static go_mutex mutex;

static void yielder(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < n; i++) {
        go_yield();
    }
    go_waitgroup_done(&wg);
}

/* Two goroutines, so that every yield is a switch; the count is of n pairs. */
static void path_switch(void)
{
    go_waitgroup_add(&wg, 2);
    go(yielder, NULL);
    go(yielder, NULL);
    go_waitgroup_wait(&wg);
}

static void nothing(void *arg)
{
    (void)arg;
    go_waitgroup_done(&wg);
}

static void path_spawn(void)
{
    for (uint64_t i = 0; i < n; i++) {
        go_waitgroup_add(&wg, 1);
        go(nothing, NULL);
        go_waitgroup_wait(&wg);
    }
}

static void answer(void *arg)
{
    int64_t v;

    (void)arg;
    while (go_chan_recv(ping, &v) == 0) {
        BENCH_CHECK(go_chan_send(pong, &v) == 0);
    }
}

static void path_pingpong(void)
{
    int64_t v = 0;

    ping = go_chan_new(sizeof v, 0);
    pong = go_chan_new(sizeof v, 0);
    go(answer, NULL);
    for (uint64_t i = 0; i < n; i++) {
        BENCH_CHECK(go_chan_send(ping, &v) == 0);
        BENCH_CHECK(go_chan_recv(pong, &v) == 0);
    }
    BENCH_CHECK(go_chan_close(ping) == 0);
    go_yield();
}

static void path_buffered(void)
{
    int64_t v = 0;

    ping = go_chan_new(sizeof v, 128);
    for (uint64_t i = 0; i < n; i++) {
        BENCH_CHECK(go_chan_send(ping, &v) == 0);
        BENCH_CHECK(go_chan_recv(ping, &v) == 0);
    }
}

static void path_select(void)
{
    int64_t v = 0;
    go_case cases[2];

    ping = go_chan_new(sizeof v, 1);
    pong = go_chan_new(sizeof v, 1);
    BENCH_CHECK(go_chan_send(ping, &v) == 0);
    BENCH_CHECK(go_chan_send(pong, &v) == 0);
    for (uint64_t i = 0; i < n; i++) {
        cases[0] = (go_case){ping, &v, GO_DIRECTION_RECV, 0};
        cases[1] = (go_case){pong, &v, GO_DIRECTION_RECV, 0};
        BENCH_CHECK(go_chan_send(go_select(cases, 2) == 0 ? ping : pong, &v) == 0);
    }
}

static void path_lock(void)
{
    for (uint64_t i = 0; i < n; i++) {
        go_mutex_lock(&mutex);
        go_mutex_unlock(&mutex);
    }
}

static const struct {
    const char *name;
    void (*run)(void);
} paths[] = {{"switch", path_switch},     {"spawn", path_spawn},   {"pingpong", path_pingpong},
             {"buffered", path_buffered}, {"select", path_select}, {"lock", path_lock}};

static int program(void *arg)
{
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (strcmp(arg, paths[i].name) == 0) {
            paths[i].run();
            return 0;
        }
    }
    return 2;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: bench_hotpaths PATH N\n");
        return 2;
    }
    bench_init(1, argv);
    n = (uint64_t)atoll(argv[2]);
    return go_run(program, argv[1]);
}
