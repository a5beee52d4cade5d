/* go_set_procs down and up again: the timers of a p that goes away, and of one that comes back. */
#include "regress/child.h"

#include <stdatomic.h>

#include "sched/rt.h"
#include "time/timer.h"

#define WORKERS 16
#define ROUNDS  25

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

/* --- a run that ends while its ps change --- */

static atomic_int changes;

static void change_again_and_again(void *arg)
{
    (void)arg;
    for (;;) {
        CHECK(go_set_procs(1 + changes % 4) > 0);
        changes++;
    }
}

static void dump_again_and_again(void *arg)
{
    for (;;) {
        go_dump((int)(intptr_t)arg);
        changes++;
    }
}

static int end_in_the_middle(void *arg)
{
    changes = 0;
    for (int i = 0; i < 3; i++) {
        go(change_again_and_again, NULL);
    }
    go(dump_again_and_again, arg);
    while (changes < 6) {
        CHECK_EQUAL(go_sleep(100 * GO_MICROSECOND), 0);
    }
    return 0;
}

static int change_once(void *arg)
{
    int procs = go_procs();
    CHECK_EQUAL(go_set_procs(procs + 1), procs); /* for ever if the last run's goroutine still has its turn */
    return arg == NULL ? 0 : 1;
}

static int many_runs(void *arg)
{
    const go_config patient = {.stop_timeout = 100 * GO_SECOND}; /* a thread without a CPU is no orphan */
    int fd = memfd_create("dumps", MFD_CLOEXEC);
    for (int i = 0; i < 8; i++) {
        CHECK_EQUAL(go_run_config(&patient, end_in_the_middle, (void *)(intptr_t)fd), 0);
        CHECK_EQUAL(go_run(change_once, arg), 0);
    }
    return 0;
}

static void a_run_may_end_while_goroutines_stop_the_world(void **state)
{
    (void)state;
    child_exits(many_runs, NULL, 0);
}

static void timers_survive_ps_that_go_and_come_back(void **state)
{
    (void)state;
    child_runs(NULL, down_and_up, 0);
}

/* --- a reservation of a p that goes and comes back --- */

static atomic_int fired, armed;

static int64_t note_fire(struct go__timer *t, int64_t now, struct go__g_list *ready)
{
    (void)t;
    (void)now;
    (void)ready;
    fired = 1;
    return INT64_MAX;
}

/* On p 1. The timer that was armed with such a reservation never fired. */
static void reserve_and_arm(void *arg)
{
    static struct go__timer timer = {.fire = note_fire};
    (void)arg;
    if (armed || go__m()->p->index != 1) {
        return;
    }
    armed = 1;
    struct go__timers *heap = go__timers_reserve();
    CHECK_EQUAL(go_set_procs(1), 2);
    CHECK_EQUAL(go_set_procs(2), 1);
    int64_t now = go_now();
    if (go__timer_arm_reserved(heap, &timer, now)) {
        go__timers_announce(heap, now);
    }
}

static int reserve_on_the_second_p(void *arg)
{
    (void)arg;
    while (!armed) {
        go(reserve_and_arm, NULL);
        int64_t until = go_now() + 20 * GO_MICROSECOND;
        while (go_now() < until) {} /* so that it is stolen now and then */
        go_yield();
    }
    while (!fired) {
        CHECK_EQUAL(go_sleep(GO_MILLISECOND), 0);
    }
    return 0;
}

static void room_reserved_on_a_p_that_came_back_is_still_there(void **state)
{
    const go_config two = {.procs = 2};
    (void)state;
    child_runs(&two, reserve_on_the_second_p, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_may_end_while_goroutines_stop_the_world),
        cmocka_unit_test(timers_survive_ps_that_go_and_come_back),
        cmocka_unit_test(room_reserved_on_a_p_that_came_back_is_still_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
