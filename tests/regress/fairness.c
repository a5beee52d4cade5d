/* Nobody is passed over for ever: not beside a pair that readies each other in runnext, not beside goroutines that yield in a loop, not
 * behind those that are started meanwhile. */
#include "regress/child.h"

#include <stdatomic.h>

#include "sched/rt.h"

#define YIELDERS 64
#define OTHERS   200

static atomic_int stop, ran;
static go_waitgroup all;

static void ping(void *arg)
{
    int ball = 0;
    while (!stop && go_chan_send(arg, &ball) == 0) {}
    CHECK_EQUAL(go_chan_close(arg), 0);
    go_waitgroup_done(&all);
}

static void pong(void *arg)
{
    int ball;
    while (go_chan_recv(arg, &ball) == 0) {}
    go_chan_unref(arg);
    go_waitgroup_done(&all);
}

static void yield(void *arg)
{
    (void)arg;
    while (!stop) {
        go_yield();
    }
    go_waitgroup_done(&all);
}

static void run_once(void *arg)
{
    ran++;
    go_waitgroup_done(arg);
}

/* On each p a pair and a crowd, all started by one goroutine, so that many of them are set aside. */
static void start_crowd(int yielders)
{
    stop = 0;
    go_waitgroup_add(&all, go_procs() * (2 + yielders));
    for (int p = 0; p < go_procs(); p++) {
        go_chan *c = go_chan_new(sizeof(int), 0);
        for (int i = 0; i < yielders; i++) {
            go(yield, NULL);
        }
        go(ping, c);
        go(pong, c);
    }
}

static void end_crowd(void)
{
    stop = 1;
    go_waitgroup_wait(&all);
}

static int sleep_beside_a_crowd(void *arg)
{
    (void)arg;
    start_crowd(YIELDERS);
    for (int i = 0; i < 50; i++) {
        CHECK_EQUAL(go_sleep(GO_MILLISECOND), 0);
    }
    end_crowd();
    return 0;
}

static void a_sleeper_wakes_beside_a_pair_and_a_crowd(void **state)
{
    (void)state;
    assert_int_equal(go_run(sleep_beside_a_crowd, NULL), 0);
}

static int start_others_beside_a_crowd(void *arg)
{
    go_waitgroup others = {0};
    (void)arg;
    ran = 0;
    start_crowd(YIELDERS / 3);
    go_waitgroup_add(&others, OTHERS);
    for (int i = 0; i < OTHERS; i++) {
        go(run_once, &others);
    }
    go_waitgroup_wait(&others);
    CHECK_EQUAL(ran, OTHERS);
    end_crowd();
    return 0;
}

static void what_was_set_aside_runs_beside_a_pair_and_a_crowd(void **state)
{
    (void)state;
    assert_int_equal(go_run(start_others_beside_a_crowd, NULL), 0);
}

static int block_beside_a_crowd(void *arg)
{
    (void)arg;
    start_crowd(YIELDERS);
    for (int i = 0; i < 50; i++) {
        go_block_begin(); /* comes back through the global queue */
        go_block_end();
    }
    end_crowd();
    return 0;
}

static void who_blocked_comes_back_beside_a_crowd(void **state)
{
    (void)state;
    assert_int_equal(go_run(block_beside_a_crowd, NULL), 0);
}

static int start_and_yield(void *arg)
{
    go_waitgroup started = {0};
    (void)arg;
    for (int i = 0; i < 200; i++) {
        go_waitgroup_add(&started, 1000);
        for (int j = 0; j < 1000; j++) {
            go(run_once, &started);
        }
        go_yield();
        /* On one p it queued behind all of them; on several it may come back while the others run what they have stolen. */
        CHECK(go_count() < 20000);
    }
    go_waitgroup_wait(&started);
    return 0;
}

static void who_starts_goroutines_and_yields_lets_them_run(void **state)
{
    (void)state;
    assert_int_equal(go_run(start_and_yield, NULL), 0);
}

/* --- two that compute in goco calls, and one in runnext --- */

static go_chan *always_ready, *ready_next;

static void select_for_ever(void)
{
    int value;
    while (!stop) { /* neither waits nor enters a function that looks for a poisoned limit: sysmon takes the p each time */
        go_case cases[] = {{always_ready, &value, GO_DIRECTION_RECV, 0}, {always_ready, &value, GO_DIRECTION_SEND, 0}};
        CHECK(go_select(cases, 2) >= 0);
    }
    go_waitgroup_done(&all);
}

static void compute_in_calls(void *arg)
{
    (void)arg;
    select_for_ever();
}

/* From then on for ever: that somebody waits for a p this moment may have changed before it was seen. */
static bool p_was_taken(void)
{
    return load_rlx(&go__sched.all_p[0]->handoffs) != 0;
}

static void ready_and_compute_in_calls(void *arg)
{
    int value = 1;
    (void)arg;
    while (!p_was_taken()) {} /* from the other one, who waits for it or will at its next call */
    CHECK_EQUAL(go_chan_send(ready_next, &value), 0);
    select_for_ever();
}

static int wait_in_runnext(void *arg)
{
    int value = 0;
    (void)arg;
    stop = 0;
    always_ready = go_chan_new(sizeof value, 8);
    ready_next = go_chan_new(sizeof value, 0);
    CHECK_EQUAL(go_chan_send(always_ready, &value), 0);
    go_waitgroup_add(&all, 2);
    go(ready_and_compute_in_calls, NULL);
    go(compute_in_calls, NULL); /* runs first */
    CHECK_EQUAL(go_chan_recv(ready_next, &value), 0);
    stop = 1;
    go_waitgroup_wait(&all);
    go_chan_unref(always_ready);
    go_chan_unref(ready_next);
    return 0;
}

static void who_is_next_runs_beside_two_that_wait_for_the_p(void **state)
{
    const go_config one = {.procs = 1};
    (void)state;
    child_runs(&one, wait_in_runnext, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sleeper_wakes_beside_a_pair_and_a_crowd),
        cmocka_unit_test(what_was_set_aside_runs_beside_a_pair_and_a_crowd),
        cmocka_unit_test(who_blocked_comes_back_beside_a_crowd),
        cmocka_unit_test(who_starts_goroutines_and_yields_lets_them_run),
        cmocka_unit_test(who_is_next_runs_beside_two_that_wait_for_the_p),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
