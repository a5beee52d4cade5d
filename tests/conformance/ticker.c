/* Tickers, after Go's time/tick_test.go with the channels of Go 1.23. */
#include <errno.h>

#include "support/behaviour.h"

static const int64_t step = 10 * GO_MILLISECOND;
static const int64_t hour = 3600 * GO_SECOND;

static bool ticked(go_chan *c)
{
    return go_chan_try_recv(c, NULL) == 0;
}

static bool will_tick(go_chan *c)
{
    return go_chan_recv_until(c, NULL, go_now() + 10 * GO_SECOND) == 0;
}

/* TestTicker: n ticks take about n periods, and never less than n - 1, even if some are lost. */
static void ticks_come_a_period_apart(void)
{
    int64_t start = go_now(), before = start, fired;
    go_ticker *t = go_ticker_new(5 * GO_MILLISECOND);
    for (int i = 0; i < 20; i++) {
        CHECK_EQUAL(go_chan_recv(go_ticker_chan(t), &fired), 0);
        CHECK(fired > before && fired <= go_now());
        before = fired;
    }
    CHECK(before - start >= 20 * 5 * GO_MILLISECOND);
    go_ticker_free(t);
}

static void ticks_keep_the_beat(void)
{
    int64_t start = go_now(), fired;
    go_ticker *t = go_ticker_new(step);
    for (int i = 0; i < 10; i++) {
        CHECK_EQUAL(go_chan_recv(go_ticker_chan(t), &fired), 0);
        CHECK_EQUAL(go_sleep(step / 3), 0); /* time spent between the ticks does not add up */
    }
    /* Ten periods, unless the machine stood still; drifting would give thirteen. */
    CHECK(fired >= start + 10 * step);
    go_ticker_free(t);
}

/* TestChan for tickers: at most one tick waits. */
static void a_slow_receiver_loses_ticks(void)
{
    go_ticker *t = go_ticker_new(20 * step);
    CHECK(will_tick(go_ticker_chan(t)));
    go_ticker_reset(t, GO_MILLISECOND);
    CHECK_EQUAL(go_sleep(step), 0); /* ten ticks */
    go_ticker_reset(t, hour);
    CHECK(!ticked(go_ticker_chan(t))); /* a reset loses the waiting one too */

    /* The first of them waits, those after it are dropped. Not so on a machine that stood still meanwhile. */
    int64_t looked = 0, fired = 0;
    for (int tries = 0; tries < 10 && fired >= looked - 3 * step; tries++) {
        go_ticker_reset(t, step);
        CHECK_EQUAL(go_sleep(5 * step + step / 2), 0);
        looked = go_now();
        CHECK_EQUAL(go_chan_try_recv(go_ticker_chan(t), &fired), 0);
    }
    CHECK(fired <= looked - 3 * step);
    go_ticker_free(t);
}

/* TestTickTimes: the value says when it fired, not when it was fetched. */
static void the_value_is_the_time_of_the_tick(void)
{
    for (int tries = 0; tries < 10; tries++) {
        int64_t start = go_now(), fired;
        go_ticker *t = go_ticker_new(step);
        CHECK_EQUAL(go_sleep(200 * GO_MILLISECOND), 0);
        CHECK_EQUAL(go_chan_recv(go_ticker_chan(t), &fired), 0);
        go_ticker_free(t);
        if (fired - start < 150 * GO_MILLISECOND) {
            return;
        }
    }
    CHECK(!"the value is the time of the receive");
}

static void len_and_cap_of_a_tickers_channel_are_zero(void)
{
    go_ticker *t = go_ticker_new(GO_MILLISECOND);
    CHECK_EQUAL(go_sleep(step), 0);
    CHECK_EQUAL(go_chan_len(go_ticker_chan(t)), 0);
    CHECK_EQUAL(go_chan_cap(go_ticker_chan(t)), 0);
    CHECK(ticked(go_ticker_chan(t)));
    go_ticker_free(t);
}

/* TestNewTickerLtZeroDuration, TestTick. */
static void a_period_of_zero_or_less_gives_no_ticker(void)
{
    CHECK(go_ticker_new(0) == NULL);
    CHECK(go_ticker_new(-1) == NULL);
    CHECK(go_ticker_new(INT64_MIN) == NULL);
}

/* TestTicker, its second half. */
static void reset_changes_the_period(void)
{
    go_ticker *t = go_ticker_new(hour);
    int64_t start = go_now(), fired;
    go_ticker_reset(t, step);
    CHECK_EQUAL(go_chan_recv(go_ticker_chan(t), &fired), 0);
    CHECK(fired >= start + step);
    CHECK_EQUAL(go_chan_recv(go_ticker_chan(t), &fired), 0);
    CHECK(fired >= start + 2 * step);
    go_ticker_reset(t, hour);
    CHECK(!ticked(go_ticker_chan(t)));
    CHECK_EQUAL(go_chan_recv_until(go_ticker_chan(t), &fired, go_now() + 3 * step), -ETIMEDOUT);
    go_ticker_free(t);
}

static void no_tick_of_before_is_received_after_reset(void)
{
    go_ticker *t = go_ticker_new(20 * GO_MICROSECOND);
    for (int i = 0; i < 1000; i++) {
        go_ticker_reset(t, 10 * GO_MICROSECOND);
        if (i % 3 == 0) {
            go_yield();
        }
        go_ticker_reset(t, hour);
        CHECK(!ticked(go_ticker_chan(t)));
        go_yield();
        CHECK(!ticked(go_ticker_chan(t)));
    }
    go_ticker_free(t);
}

static go_waitgroup wg;
static _Atomic(int) received;

static void receive_one(void *arg)
{
    CHECK_EQUAL(go_chan_recv(arg, NULL), 0);
    received++;
    go_waitgroup_done(&wg);
}

static void each_tick_wakes_one_of_the_receivers(void)
{
    received = 0;
    go_ticker *t = go_ticker_new(GO_MILLISECOND);
    go_waitgroup_add(&wg, 20);
    int64_t start = go_now();
    for (int i = 0; i < 20; i++) {
        go(receive_one, go_ticker_chan(t));
    }
    go_waitgroup_wait(&wg);
    CHECK_EQUAL(received, 20);
    CHECK(go_now() - start >= 19 * GO_MILLISECOND);
    go_ticker_free(t);
}

/* TestTeardown. */
static void many_short_tickers(void)
{
    for (int i = 0; i < 30; i++) {
        go_ticker *t = go_ticker_new(GO_MILLISECOND / 10);
        CHECK(will_tick(go_ticker_chan(t)));
        go_ticker_free(t);
    }
}

static void freeing_a_ticker_stops_it(void)
{
    go_ticker *t = go_ticker_new(GO_MILLISECOND);
    go_chan *c = go_chan_ref(go_ticker_chan(t));
    CHECK(will_tick(c));
    CHECK_EQUAL(go_sleep(step), 0);
    go_ticker_free(t);
    CHECK_EQUAL(go_chan_try_recv(c, NULL), -EAGAIN);
    CHECK_EQUAL(go_chan_recv_until(c, NULL, go_now() + step), -ETIMEDOUT);
    go_chan_unref(c);
    go_ticker_free(NULL);
}

static void a_huge_period_does_not_wrap_around(void)
{
    go_ticker *t = go_ticker_new(GO_FOREVER);
    CHECK_EQUAL(go_chan_recv_until(go_ticker_chan(t), NULL, go_now() + step), -ETIMEDOUT);
    go_ticker_reset(t, GO_FOREVER - 1);
    CHECK_EQUAL(go_chan_recv_until(go_ticker_chan(t), NULL, go_now() + step), -ETIMEDOUT);
    go_ticker_free(t);
}

/* A ticker so fast that it is always due must leave the others their turn. */
static void a_ticker_of_one_nanosecond_does_not_stop_the_world(void)
{
    go_ticker *t = go_ticker_new(1), *other = go_ticker_new(GO_MILLISECOND);
    for (int i = 0; i < 5; i++) {
        CHECK(will_tick(go_ticker_chan(other)));
        CHECK(ticked(go_ticker_chan(t)));
        go_yield();
    }
    CHECK_EQUAL(go_sleep(step), 0);
    go_ticker_free(t);
    go_ticker_free(other);
}

/* TestMultiWakeupTicker: two tickers in one select. */
static void two_tickers_in_one_select_both_come(void)
{
    go_ticker *a = go_ticker_new(GO_MILLISECOND), *b = go_ticker_new(GO_MILLISECOND);
    int count[2] = {0, 0};
    for (int i = 0; i < 100; i++) {
        go_case cases[] = {{go_ticker_chan(a), NULL, GO_DIRECTION_RECV, 0}, {go_ticker_chan(b), NULL, GO_DIRECTION_RECV, 0}};
        int chosen = go_select(cases, 2);
        CHECK(chosen == 0 || chosen == 1);
        count[chosen]++;
    }
    CHECK(count[0] > 0 && count[1] > 0);
    go_ticker_free(a);
    go_ticker_free(b);
}

static _Atomic(bool) hog_stop;

static void yield_all_the_time(void *arg)
{
    (void)arg;
    while (!hog_stop) {
        go_yield();
    }
    go_waitgroup_done(&wg);
}

static void take_ticks(void *arg)
{
    for (int i = 0; i < 20; i++) {
        go_ticker *t = go_ticker_new((int64_t)(intptr_t)arg);
        CHECK(will_tick(go_ticker_chan(t)));
        go_ticker_reset(t, GO_MICROSECOND * 20);
        CHECK(will_tick(go_ticker_chan(t)) && will_tick(go_ticker_chan(t)));
        go_ticker_free(t);
    }
    go_waitgroup_done(&wg);
}

/* TestTickerStress, TestTickerConcurrentStress: tickers come and go while others compute. */
static void tickers_come_and_go_among_busy_goroutines(void)
{
    hog_stop = false;
    go_waitgroup_add(&wg, 2);
    go(yield_all_the_time, NULL);
    go(yield_all_the_time, NULL);
    go_waitgroup takers = GO_WAITGROUP_INIT;
    for (int round = 0; round < 2; round++) {
        for (intptr_t i = 1; i <= 10; i++) {
            go_waitgroup_add(&wg, 1);
            go_waitgroup_go(&takers, take_ticks, (void *)(i * 100000));
        }
        go_waitgroup_wait(&takers);
    }
    hog_stop = true;
    go_waitgroup_wait(&wg);
}

static void *use_tickers(void *arg)
{
    (void)arg;
    int64_t start = go_now(), fired;
    go_ticker *t = go_ticker_new(2 * GO_MILLISECOND);
    for (int i = 0; i < 5; i++) {
        CHECK_EQUAL(go_chan_recv(go_ticker_chan(t), &fired), 0);
    }
    CHECK(fired >= start + 5 * 2 * GO_MILLISECOND);
    go_ticker_reset(t, hour);
    CHECK(!ticked(go_ticker_chan(t)));
    go_ticker_reset(t, 1);
    CHECK(will_tick(go_ticker_chan(t)));
    go_ticker_free(t);
    return NULL;
}

static void foreign_threads_use_tickers(void)
{
    on_foreign_thread(use_tickers, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BEHAVIOUR(ticks_come_a_period_apart),
        BEHAVIOUR(ticks_keep_the_beat),
        BEHAVIOUR(a_slow_receiver_loses_ticks),
        BEHAVIOUR(the_value_is_the_time_of_the_tick),
        BEHAVIOUR(len_and_cap_of_a_tickers_channel_are_zero),
        BEHAVIOUR(a_period_of_zero_or_less_gives_no_ticker),
        BEHAVIOUR(reset_changes_the_period),
        BEHAVIOUR(no_tick_of_before_is_received_after_reset),
        BEHAVIOUR(each_tick_wakes_one_of_the_receivers),
        BEHAVIOUR(many_short_tickers),
        BEHAVIOUR(freeing_a_ticker_stops_it),
        BEHAVIOUR(a_huge_period_does_not_wrap_around),
        BEHAVIOUR(a_ticker_of_one_nanosecond_does_not_stop_the_world),
        BEHAVIOUR(two_tickers_in_one_select_both_come),
        BEHAVIOUR(tickers_come_and_go_among_busy_goroutines),
        BEHAVIOUR(foreign_threads_use_tickers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
