/* go_set_procs down and up again: the timers of a p that goes away, and of one that comes back. */
#include "regress/child.h"

#include <stdatomic.h>

#define WORKERS 16
#define ROUNDS  60

static atomic_int ticks, stop;

/* Each tick is waited for without a limit: one that is lost is a hang. */
static void tick(void *arg)
{
    go_waitgroup *all = arg;
    go_ticker *ticker = go_ticker_new(1000 * GO_SECOND);
    while (!stop) {
        go_ticker_reset(ticker, 1000 * GO_SECOND);
        go_ticker_reset(ticker, 50 * GO_MICROSECOND);
        CHECK_EQUAL(go_chan_recv(go_ticker_chan(ticker), NULL), 0);
        ticks++;
    }
    go_ticker_free(ticker);
    go_waitgroup_done(all);
}

static void sleep_on(void *arg)
{
    go_waitgroup *all = arg;
    while (!stop) {
        CHECK_EQUAL(go_sleep(20 * GO_MICROSECOND), 0);
        ticks++;
    }
    go_waitgroup_done(all);
}

static void *sleep_outside(void *arg)
{
    while (!stop) {
        CHECK_EQUAL(go_sleep(20 * GO_MICROSECOND), 0);
    }
    return arg;
}

static int down_and_up(void *arg)
{
    static go_waitgroup all;
    pthread_t thread;
    int procs = go_procs();
    (void)arg;
    go_waitgroup_add(&all, 2 * WORKERS);
    for (int i = 0; i < WORKERS; i++) {
        go(tick, &all);
        go(sleep_on, &all);
    }
    CHECK_EQUAL(pthread_create(&thread, NULL, sleep_outside, NULL), 0);
    for (int round = 0; round < ROUNDS; round++) {
        CHECK_EQUAL(go_set_procs(1), round == 0 ? procs : 8);
        CHECK_EQUAL(go_set_procs(8), 1);
        for (int goal = ticks + WORKERS; ticks < goal;) { /* they go on, on the ps that came back too */
            CHECK_EQUAL(go_sleep(10 * GO_MICROSECOND), 0);
        }
    }
    stop = 1;
    go_waitgroup_wait(&all);
    go_block_begin();
    CHECK_EQUAL(pthread_join(thread, NULL), 0);
    go_block_end();
    return 0;
}

static int run(void *arg)
{
    return go_run(down_and_up, arg);
}

static void timers_survive_ps_that_go_and_come_back(void **state)
{
    (void)state;
    child_exits(run, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_survive_ps_that_go_and_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
