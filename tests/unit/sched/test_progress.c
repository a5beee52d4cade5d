/* What can run runs, whatever the others do. Times are generous: without the rule under test a goroutine waits for seconds. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <go.h>

#include "support/check.h"

static atomic_int hits, stop;

static int run(int procs, int (*fn)(void *arg))
{
    const go_config config = {.procs = procs};
    hits = 0;
    stop = 0;
    return go_run_config(&config, fn, NULL);
}

/* Computes, without any goco call that could let others run, until somebody has counted a hit. Returns milliseconds. */
#define PATIENCE (60 * GO_SECOND)

static int compute_until_hit(void)
{
    int64_t begun = go_now();
    while (hits == 0 && go_now() - begun < PATIENCE) {}
    return (int)((go_now() - begun) / GO_MILLISECOND);
}

static go_chan *wake;

static void locked_receiver(void *arg)
{
    int value;
    (void)arg;
    go_lock_thread();
    hits++;
    CHECK(go_chan_recv(wake, &value) == 0 && value == 1);
    hits++;
}

static int wake_locked_and_compute(void *arg)
{
    (void)arg;
    int value = 1;
    wake = go_chan_new(sizeof value, 0);
    go(locked_receiver, NULL);
    while (hits == 0) {
        CHECK(go_sleep(GO_MILLISECOND) == 0);
    }
    CHECK(go_sleep(20 * GO_MILLISECOND) == 0);
    hits = 0;
    go_chan_send(wake, &value); /* it is to run next here, and only its own thread may run it */
    int took = compute_until_hit();
    go_chan_unref(wake);
    return took;
}

static void test_a_locked_goroutine_does_not_wait_for_a_waker_that_computes(void **state)
{
    (void)state;
    int least = 5000;
    for (int i = 0; i < 5 && least > 200; i++) {
        int took = run(2, wake_locked_and_compute);
        least = took < least ? took : least;
    }
    assert_in_range(least, 0, 200);
}

static void blocker(void *arg)
{
    (void)arg;
    while (!stop) {
        go_block_begin();
        (void)usleep(20);
        go_block_end();
        go_yield();
    }
    hits++;
}

static int change_procs(void *arg)
{
    (void)arg;
    for (int i = 0; i < 8; i++) {
        go(blocker, NULL);
    }
    for (int i = 0; i < 2000; i++) {
        CHECK(go_set_procs(1 + i % 4) > 0);
        if (i % 7 == 0) {
            go_yield();
        }
    }
    stop = 1;
    while (hits < 8) {
        CHECK(go_sleep(GO_MILLISECOND) == 0);
    }
    return 0;
}

static void test_procs_change_while_ps_are_handed_over(void **state)
{
    (void)state;
    assert_int_equal(run(4, change_procs), 0);
}

static void nothing(void *arg)
{
    (void)arg;
}

static void leave(void *arg)
{
    (void)arg;
    _exit(42);
}

/* Somebody sleeps until the timer is due when it is stopped and nothing is left to wait for. */
static int stop_the_last_timer(void *arg)
{
    (void)arg;
    go_timer *timer = go_timer_func(60 * GO_SECOND, nothing, NULL);
    CHECK(timer != NULL);
    go_set_deadlock_handler(leave, NULL);
    go(nothing, NULL);
    (void)usleep(50000);
    CHECK(go_timer_stop(timer));
    (void)go_chan_recv(NULL, NULL);
    return 0;
}

static void test_a_deadlock_is_not_put_off_by_a_timer_that_was_stopped(void **state)
{
    int status;
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        (void)alarm(20);
        (void)run(2, stop_the_last_timer);
        _exit(1);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

static go_chan *started;

static void compute_and_wake(void *arg)
{
    int value = 1;
    (void)arg;
    go_chan_send(started, &value);
    for (int64_t begun = go_now(); go_now() - begun < 3 * GO_MILLISECOND;) {}
    go_chan_send(wake, &value);
}

static void hit(void *arg)
{
    (void)arg;
    hits++;
}

/* A timer far off, armed on a p that is idle by now, is brought forward by a goroutine that computes on another one. */
static int bring_forward(void *arg)
{
    int value, worst = 0;
    (void)arg;
    wake = go_chan_new(sizeof value, 0);
    started = go_chan_new(sizeof value, 0);
    for (int i = 0; i < 20; i++) {
        hits = 0;
        go(compute_and_wake, NULL);
        (void)go_chan_recv(started, &value);
        go_timer *timer = go_timer_func(3600 * GO_SECOND, hit, NULL);
        CHECK(timer != NULL);
        (void)go_chan_recv(wake, &value);
        CHECK(go_timer_reset(timer, GO_MILLISECOND));
        int took = compute_until_hit();
        worst = took > worst ? took : worst;
        go_timer_free(timer);
    }
    go_chan_unref(wake);
    go_chan_unref(started);
    return worst;
}

static void test_a_timer_brought_forward_on_another_p_is_seen(void **state)
{
    (void)state;
    assert_in_range(run(2, bring_forward), 1, 30000); /* without being told: PATIENCE, as long as we compute */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_locked_goroutine_does_not_wait_for_a_waker_that_computes),
        cmocka_unit_test(test_procs_change_while_ps_are_handed_over),
        cmocka_unit_test(test_a_deadlock_is_not_put_off_by_a_timer_that_was_stopped),
        cmocka_unit_test(test_a_timer_brought_forward_on_another_p_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
