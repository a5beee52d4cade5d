/* Sleeping, after Go's time.Sleep tests. */
#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "support/behaviour.h"

static void sleeping_takes_at_least_the_duration(void)
{
    for (int i = 0; i < 20; i++) {
        int64_t start = go_now();
        CHECK_EQUAL(go_sleep(3 * GO_MILLISECOND), 0);
        CHECK(go_now() - start >= 3 * GO_MILLISECOND);
    }
}

static void zero_and_negative_durations_return_at_once(void)
{
    int64_t start = go_now();
    for (int i = 0; i < 1000; i++) {
        CHECK_EQUAL(go_sleep(0), 0);
        CHECK_EQUAL(go_sleep(-1), 0);
        CHECK_EQUAL(go_sleep(-GO_SECOND), 0);
        CHECK_EQUAL(go_sleep(INT64_MIN), 0);
        CHECK_EQUAL(go_sleep_until(start), 0);
        CHECK_EQUAL(go_sleep_until(0), 0);
        CHECK_EQUAL(go_sleep_until(INT64_MIN), 0);
    }
}

static void sleep_until_reaches_the_deadline(void)
{
    int64_t deadline = go_now() + 5 * GO_MILLISECOND;
    CHECK_EQUAL(go_sleep_until(deadline), 0);
    CHECK(go_now() >= deadline);
}

static void the_clock_never_goes_back(void)
{
    int64_t before = go_now();
    for (int i = 0; i < 100000; i++) {
        int64_t now = go_now();
        CHECK(now >= before);
        before = now;
        if (i % 1000 == 0) {
            go_yield(); /* maybe to another thread */
        }
    }
}

static go_waitgroup wg;
static _Atomic(int) asleep;

static void sleep_very_long(void *arg)
{
    asleep++;
    (void)go_sleep(*(const int64_t *)arg);
    CHECK(!"a sleep of centuries was over");
}

/* TestOverflowSleep: huge durations do not wrap around. */
static void huge_durations_do_not_wrap_around(void)
{
    static const int64_t durations[] = {GO_FOREVER, GO_FOREVER - 1, GO_FOREVER / 2, (int64_t)1 << 62};
    asleep = 0;
    for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
        go(sleep_very_long, (void *)(uintptr_t)&durations[i]);
    }
    while (asleep < 4) {
        go_yield();
    }
    CHECK_EQUAL(go_sleep(20 * GO_MILLISECOND), 0);
    CHECK_EQUAL(go_count(), 5);
}

enum { SORTED = 50 };
static int order[SORTED], next_in_order;
static go_mutex order_lock = GO_MUTEX_INIT;
static int64_t order_start;

static void sleep_and_note(void *arg)
{
    int me = (int)(intptr_t)arg;
    asleep++;
    CHECK_EQUAL(go_sleep_until(order_start + (int64_t)(me + 1) * 2 * GO_MILLISECOND), 0);
    go_mutex_lock(&order_lock);
    order[next_in_order++] = me;
    go_mutex_unlock(&order_lock);
    go_waitgroup_done(&wg);
}

/* TestAfterQueuing, by sleepers; a single P wakes them strictly in order. */
static void sleepers_wake_in_the_order_of_their_deadlines(void)
{
    int procs = go_set_procs(1);
    bool in_time = false;
    for (int64_t room = 20 * GO_MILLISECOND; !in_time; room *= 2) { /* they must all sleep before the first one is due */
        next_in_order = 0;
        order_start = go_now() + room;
        asleep = 0;
        go_waitgroup_add(&wg, SORTED);
        for (int i = SORTED - 1; i >= 0; i--) {
            go(sleep_and_note, (void *)(intptr_t)i);
        }
        while (asleep < SORTED) {
            go_yield();
        }
        in_time = go_now() < order_start;
        go_waitgroup_wait(&wg);
    }
    for (int i = 0; i < SORTED; i++) {
        CHECK_EQUAL(order[i], i);
    }
    (void)go_set_procs(procs);
}

static _Atomic(bool) hog_stop;

static void hog(void *arg)
{
    (void)arg;
    while (!hog_stop) {
        go_yield();
    }
    go_waitgroup_done(&wg);
}

/* TestAfterFuncStarvation, for sleeps: goroutines that never block do not keep sleepers asleep. */
static void busy_goroutines_do_not_starve_sleepers(void)
{
    hog_stop = false;
    go_waitgroup_add(&wg, 4);
    for (int i = 0; i < 4; i++) {
        go(hog, NULL);
    }
    for (int i = 0; i < 20; i++) {
        CHECK_EQUAL(go_sleep(GO_MILLISECOND), 0);
    }
    hog_stop = true;
    go_waitgroup_wait(&wg);
}

static void sleep_canceled(void *arg)
{
    go_context *ctx = arg;
    (void)go_context_bind(ctx);
    asleep++;
    CHECK_EQUAL(go_sleep(GO_FOREVER), -ECANCELED);
    CHECK_EQUAL(go_sleep(1), -ECANCELED);
    CHECK_EQUAL(go_sleep(0), -ECANCELED);
    CHECK_EQUAL(go_sleep(-5), -ECANCELED);
    CHECK_EQUAL(go_sleep_until(0), -ECANCELED);
    (void)go_context_bind(NULL);
    CHECK_EQUAL(go_sleep(1), 0);
    go_waitgroup_done(&wg);
}

static void a_done_context_ends_a_sleep(void)
{
    go_context *ctx = go_context_with_cancel(NULL);
    asleep = 0;
    go_waitgroup_add(&wg, 10);
    for (int i = 0; i < 10; i++) {
        go(sleep_canceled, ctx);
    }
    while (asleep < 10) {
        CHECK_EQUAL(go_sleep(GO_MILLISECOND), 0);
    }
    go_context_cancel(ctx, 0);
    go_waitgroup_wait(&wg);
    go_context_unref(ctx);
}

static void on_alarm(int signo)
{
    (void)signo;
}

static void blocks_for_a_moment(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        go_block_begin();
        (void)usleep(1000);
        go_block_end();
    }
    go_waitgroup_done(&wg);
}

/* os/signal TestTime, TestEINTR, TestSpuriousWakeupsNeverHangSemasleep: signals that keep coming, and interrupt system calls, neither
 * cut a sleep short nor lose it. */
static void signals_do_not_disturb_sleepers(void)
{
    struct sigaction ours = {.sa_handler = on_alarm}; /* without SA_RESTART */
    const struct itimerval often = {{0, 300}, {0, 300}}, off = {{0, 0}, {0, 0}};
    CHECK_EQUAL(sigaction(SIGALRM, &ours, NULL), 0);
    CHECK_EQUAL(setitimer(ITIMER_REAL, &often, NULL), 0);
    go_waitgroup_add(&wg, 2);
    go(blocks_for_a_moment, NULL);
    go(blocks_for_a_moment, NULL);
    for (int i = 0; i < 50; i++) {
        int64_t start = go_now();
        CHECK_EQUAL(go_sleep(GO_MILLISECOND), 0);
        CHECK(go_now() - start >= GO_MILLISECOND);
    }
    go_waitgroup_wait(&wg);
    CHECK_EQUAL(setitimer(ITIMER_REAL, &off, NULL), 0); /* the handler stays: one may be on its way */
}

static void *foreign_canceled(void *arg)
{
    sleep_canceled(arg);
    return NULL;
}

static void cancel_soon(void *arg)
{
    CHECK_EQUAL(go_sleep(5 * GO_MILLISECOND), 0);
    go_context_cancel(arg, 0);
}

static void *foreign_plain(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++) {
        int64_t start = go_now();
        CHECK_EQUAL(go_sleep(2 * GO_MILLISECOND), 0);
        CHECK(go_now() - start >= 2 * GO_MILLISECOND);
        CHECK_EQUAL(go_sleep_until(start), 0);
    }
    return NULL;
}

static void foreign_threads_sleep_too(void)
{
    on_foreign_thread(foreign_plain, NULL);
    go_context *ctx = go_context_with_cancel(NULL);
    go_waitgroup_add(&wg, 1);
    go(cancel_soon, ctx);
    on_foreign_thread(foreign_canceled, ctx);
    go_waitgroup_wait(&wg);
    go_context_unref(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BEHAVIOUR(sleeping_takes_at_least_the_duration),   BEHAVIOUR(zero_and_negative_durations_return_at_once),
        BEHAVIOUR(sleep_until_reaches_the_deadline),       BEHAVIOUR(the_clock_never_goes_back),
        BEHAVIOUR(huge_durations_do_not_wrap_around),      BEHAVIOUR(sleepers_wake_in_the_order_of_their_deadlines),
        BEHAVIOUR(busy_goroutines_do_not_starve_sleepers), BEHAVIOUR(a_done_context_ends_a_sleep),
        BEHAVIOUR(signals_do_not_disturb_sleepers),        BEHAVIOUR(foreign_threads_sleep_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
