/* Timers, after Go's time package (sleep_test.go, tick_test.go) with the channels of Go 1.23. */
#include <errno.h>

#include "support/behaviour.h"

static const int64_t step = 10 * GO_MILLISECOND;
static const int64_t hour = 3600 * GO_SECOND;

static bool ticked(go_chan *c)
{
    int64_t fired;
    return go_chan_try_recv(c, &fired) == 0;
}

/* A value that must come comes within seconds. */
static bool will_tick(go_chan *c)
{
    int64_t fired;
    return go_chan_recv_until(c, &fired, go_now() + 10 * GO_SECOND) == 0;
}

/* --- channels --- */

static void a_timer_sends_the_time_once(void)
{
    int64_t start = go_now(), fired = 0;
    go_timer *t = go_timer_new(step);
    CHECK_EQUAL(go_chan_recv(go_timer_chan(t), &fired), 0);
    int64_t now = go_now();
    CHECK(fired >= start + step && fired <= now);
    CHECK_EQUAL(go_sleep(2 * step), 0);
    CHECK(!ticked(go_timer_chan(t)));
    CHECK(!go_timer_stop(t));
    go_timer_free(t);
}

/* TestZeroTimer. */
static void a_duration_of_zero_or_less_fires_at_once(void)
{
    static const int64_t durations[] = {0, -1, -GO_SECOND, INT64_MIN};
    for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
        for (int n = 0; n < 50; n++) {
            go_timer *t = go_timer_new(durations[i]);
            CHECK(will_tick(go_timer_chan(t)));
            go_timer_free(t);
        }
    }
}

static void len_and_cap_of_a_timers_channel_are_zero(void)
{
    go_timer *t = go_timer_new(1);
    CHECK_EQUAL(go_chan_cap(go_timer_chan(t)), 0);
    CHECK_EQUAL(go_sleep(step), 0);
    CHECK_EQUAL(go_chan_len(go_timer_chan(t)), 0);
    CHECK_EQUAL(go_chan_cap(go_timer_chan(t)), 0);
    CHECK(ticked(go_timer_chan(t)));
    CHECK_EQUAL(go_chan_len(go_timer_chan(t)), 0);
    go_timer_free(t);
}

/* TestAfterTimes: the value says when it fired, not when it was fetched. */
static void the_value_is_the_time_of_firing(void)
{
    for (int tries = 0; tries < 10; tries++) {
        int64_t start = go_now(), fired;
        go_timer *t = go_timer_new(step);
        CHECK_EQUAL(go_sleep(200 * GO_MILLISECOND), 0);
        CHECK_EQUAL(go_chan_recv(go_timer_chan(t), &fired), 0);
        go_timer_free(t);
        if (fired - start < 150 * GO_MILLISECOND) {
            return;
        }
    }
    CHECK(!"the value is the time of the receive");
}

/* The clock decides what can be received: a timer that is due is seen even if no thread had time to look at the timers. */
static void a_due_timer_is_seen_without_parking(void)
{
    go_timer *t = go_timer_new(step);
    int64_t start = go_now();
    while (go_now() < start + 2 * step) {}
    CHECK(ticked(go_timer_chan(t)));
    go_timer_free(t);
}

/* TestAfterQueuing. */
enum { SLOTS = 5 };
static go_waitgroup wg;
static _Atomic(int) next_slot;
static int slots[SLOTS];
static int64_t queue_start;
static _Atomic(bool) held_up; /* somebody had no CPU for so long that the next one may have overtaken it */

static void wait_for_slot(void *arg)
{
    int me = (int)(intptr_t)arg;
    int64_t due = queue_start + me * 5 * step;
    go_timer *t = go_timer_new(due - go_now());
    CHECK_EQUAL(go_chan_recv(go_timer_chan(t), NULL), 0);
    slots[next_slot++] = me;
    if (go_now() >= due + 5 * step) {
        held_up = true;
    }
    go_timer_free(t);
    go_waitgroup_done(&wg);
}

static bool fired_in_order(void)
{
    static const int order[SLOTS] = {3, 1, 4, 0, 2};
    bool in_order = true;
    next_slot = 0;
    held_up = false;
    queue_start = go_now() + step;
    go_waitgroup_add(&wg, SLOTS);
    for (int i = 0; i < SLOTS; i++) {
        go(wait_for_slot, (void *)(intptr_t)order[i]);
    }
    go_waitgroup_wait(&wg);
    for (int i = 0; i < SLOTS; i++) {
        in_order = in_order && slots[i] == i;
    }
    return in_order;
}

static void timers_fire_in_order(void)
{
    while (!fired_in_order()) {
        CHECK(held_up);
    }
}

static void nobody_is_woken_by(void *arg)
{
    go_chan **two = arg; /* the timer's channel, and one that ends the wait */
    go_case cases[] = {{two[0], NULL, GO_DIRECTION_RECV, 0}, {two[1], NULL, GO_DIRECTION_RECV, 0}};
    CHECK_EQUAL(go_select(cases, 2), 1);
    go_waitgroup_done(&wg);
}

static void a_timer_in_select_ends_the_wait(void)
{
    go_chan *never = go_chan_new(0, 0);
    for (int i = 0; i < 20; i++) {
        int64_t start = go_now(), fired = 0;
        go_timer *t = go_timer_new(2 * GO_MILLISECOND);
        go_case cases[] = {{never, NULL, GO_DIRECTION_RECV, 0}, {go_timer_chan(t), &fired, GO_DIRECTION_RECV, 0}};
        CHECK_EQUAL(go_select(cases, 2), 1);
        CHECK_EQUAL(cases[1].result, 0);
        CHECK(fired >= start + 2 * GO_MILLISECOND && fired <= go_now());
        go_timer_free(t);
    }
    go_chan_unref(never);
}

static void the_earlier_of_two_timers_wins_a_select(void)
{
    go_timer *late = go_timer_new(hour), *early = go_timer_new(step);
    go_case cases[] = {{go_timer_chan(late), NULL, GO_DIRECTION_RECV, 0}, {go_timer_chan(early), NULL, GO_DIRECTION_RECV, 0}};
    CHECK_EQUAL(go_select(cases, 2), 1);
    CHECK(go_timer_stop(late));
    go_timer_free(late);
    go_timer_free(early);
}

static void a_timer_wakes_nobody_before_its_time(void)
{
    go_timer *t = go_timer_new(hour);
    go_chan *end = go_chan_new(0, 0);
    go_chan *two[] = {go_timer_chan(t), end};
    go_waitgroup_add(&wg, 5);
    for (int i = 0; i < 5; i++) {
        go(nobody_is_woken_by, two);
    }
    CHECK_EQUAL(go_sleep(step), 0);
    CHECK_EQUAL(go_count(), 6);
    CHECK_EQUAL(go_chan_close(end), 0);
    go_waitgroup_wait(&wg);
    go_chan_unref(end);
    CHECK(go_timer_stop(t));
    go_timer_free(t);
}

static _Atomic(int) received;

static void receive_one(void *arg)
{
    go_chan **two = arg; /* the timer's channel, and one that ends the wait */
    go_case cases[] = {{two[0], NULL, GO_DIRECTION_RECV, 0}, {two[1], NULL, GO_DIRECTION_RECV, 0}};
    if (go_select(cases, 2) == 0) {
        received++;
    }
    go_waitgroup_done(&wg);
}

static void a_timer_wakes_exactly_one_receiver(void)
{
    received = 0;
    go_timer *t = go_timer_new(5 * step);
    go_chan *end = go_chan_new(0, 0);
    go_chan *two[] = {go_timer_chan(t), end};
    go_waitgroup_add(&wg, 8);
    for (int i = 0; i < 8; i++) {
        go(receive_one, two);
    }
    while (received == 0) {
        CHECK_EQUAL(go_sleep(step), 0);
    }
    CHECK_EQUAL(go_sleep(step), 0); /* for those who should not come */
    CHECK_EQUAL(go_chan_close(end), 0);
    go_waitgroup_wait(&wg);
    CHECK_EQUAL(received, 1);
    go_chan_unref(end);
    go_timer_free(t);
}

/* --- stop --- */

/* TestAfterStop, TestStopResult. */
static void stop_says_whether_the_timer_was_pending(void)
{
    go_timer *t = go_timer_new(hour);
    CHECK(go_timer_stop(t));
    CHECK(!go_timer_stop(t));
    CHECK(!ticked(go_timer_chan(t)));
    go_timer_free(t);

    t = go_timer_new(1);
    CHECK(will_tick(go_timer_chan(t)));
    CHECK(!go_timer_stop(t));
    go_timer_free(t);
}

static void fired_but_not_received_is_still_pending(void)
{
    go_timer *t = go_timer_new(1);
    CHECK_EQUAL(go_sleep(step), 0);
    CHECK(go_timer_stop(t));
    CHECK(!go_timer_stop(t));
    CHECK(!ticked(go_timer_chan(t)));
    CHECK(!go_timer_reset(t, 1));
    CHECK_EQUAL(go_sleep(step), 0);
    CHECK(go_timer_reset(t, hour));
    CHECK(!ticked(go_timer_chan(t)));
    CHECK(go_timer_stop(t));
    go_timer_free(t);
}

static void no_value_is_received_after_stop(void)
{
    for (int i = 0; i < 2000; i++) {
        go_timer *t = go_timer_new(i % 50 * GO_MICROSECOND);
        if (i % 3 == 0) {
            go_yield();
        }
        CHECK(go_timer_stop(t));
        CHECK(!ticked(go_timer_chan(t)));
        go_yield();
        CHECK(!ticked(go_timer_chan(t)));
        go_timer_free(t);
    }
}

/* TestChan: "enqueueTimerChan when timer is stopped". */
static void waiting_on_a_stopped_timer_waits(void)
{
    go_timer *t = go_timer_new(hour);
    CHECK(go_timer_stop(t));
    go_chan *end = go_chan_new(0, 0);
    go_chan *two[] = {go_timer_chan(t), end};
    go_waitgroup_add(&wg, 2);
    go(nobody_is_woken_by, two);
    go(nobody_is_woken_by, two);
    CHECK_EQUAL(go_sleep(step), 0);
    CHECK_EQUAL(go_chan_close(end), 0);
    go_waitgroup_wait(&wg);
    go_chan_unref(end);
    go_timer_free(t);
}

static void stopping_a_timer_leaves_its_receivers_waiting(void)
{
    go_timer *t = go_timer_new(3 * step);
    go_chan *end = go_chan_new(0, 0);
    go_chan *two[] = {go_timer_chan(t), end};
    received = 0;
    go_waitgroup_add(&wg, 1);
    go(receive_one, two);
    CHECK_EQUAL(go_sleep(step), 0);
    bool pending = go_timer_stop(t); /* false: the machine was too busy */
    CHECK_EQUAL(go_sleep(3 * step), 0);
    CHECK_EQUAL(go_chan_close(end), 0);
    go_waitgroup_wait(&wg);
    CHECK_EQUAL(received, pending ? 0 : 1);
    go_chan_unref(end);
    go_timer_free(t);
}

/* --- reset --- */

/* TestReset. */
static void reset_counts_from_now(void)
{
    int64_t start = go_now(), fired;
    go_timer *t = go_timer_new(2 * step);
    CHECK_EQUAL(go_sleep(step), 0);
    bool pending = go_timer_reset(t, 3 * step);
    CHECK(pending);
    CHECK_EQUAL(go_chan_recv(go_timer_chan(t), &fired), 0);
    CHECK(fired >= start + 4 * step);
    CHECK(!go_timer_reset(t, step)); /* expired and received */
    CHECK(will_tick(go_timer_chan(t)));
    CHECK(!go_timer_stop(t));
    CHECK(!go_timer_reset(t, step)); /* stopped */
    CHECK(will_tick(go_timer_chan(t)));
    go_timer_free(t);
}

/* TestTimerModifiedEarlier. */
static void a_timer_brought_forward_fires_then(void)
{
    for (int i = 0; i < 10; i++) {
        int64_t start = go_now();
        go_timer *t = go_timer_new(hour), *other = go_timer_new(hour);
        CHECK(go_timer_reset(t, step));
        CHECK(will_tick(go_timer_chan(t)));
        CHECK(go_now() - start >= step);
        CHECK(go_timer_stop(other));
        go_timer_free(t);
        go_timer_free(other);
    }
}

static void a_timer_put_off_does_not_fire_before(void)
{
    int64_t start = go_now(), fired;
    go_timer *t = go_timer_new(step);
    for (int i = 0; i < 10; i++) {
        CHECK(go_timer_reset(t, 10 * step));
    }
    CHECK_EQUAL(go_chan_recv(go_timer_chan(t), &fired), 0);
    CHECK(fired - start >= 10 * step);
    CHECK(go_timer_reset(t, 1) == false);
    CHECK_EQUAL(go_sleep(step), 0);
    CHECK(go_timer_reset(t, GO_FOREVER));
    CHECK_EQUAL(go_sleep(step), 0);
    CHECK(!ticked(go_timer_chan(t)));
    CHECK(go_timer_stop(t));
    go_timer_free(t);
}

static void no_value_of_before_is_received_after_reset(void)
{
    for (int i = 0; i < 1000; i++) {
        go_timer *t = go_timer_new(i % 30 * GO_MICROSECOND);
        if (i % 3 == 0) {
            go_yield();
        }
        CHECK(go_timer_reset(t, hour));
        CHECK(!ticked(go_timer_chan(t)));
        go_yield();
        CHECK(!ticked(go_timer_chan(t)));
        CHECK(go_timer_reset(t, 0));
        CHECK(will_tick(go_timer_chan(t)));
        go_timer_free(t);
    }
}

/* For a value that is sure to come, however slow the machine. */
static void receive_patiently(void *arg)
{
    CHECK(will_tick(arg));
    received++;
    go_waitgroup_done(&wg);
}

static void a_reset_reaches_those_who_wait_already(void)
{
    go_timer *t = go_timer_new(hour);
    received = 0;
    go_waitgroup_add(&wg, 1);
    go(receive_patiently, go_timer_chan(t));
    CHECK_EQUAL(go_sleep(step), 0);
    CHECK(go_timer_reset(t, 2 * hour)); /* far away while somebody waits */
    CHECK_EQUAL(go_sleep(step), 0);
    CHECK_EQUAL(received, 0);
    CHECK(go_timer_reset(t, 1)); /* imminent */
    go_waitgroup_wait(&wg);
    CHECK_EQUAL(received, 1);
    CHECK(!ticked(go_timer_chan(t)));

    CHECK(!go_timer_stop(t)); /* started again after having been stopped */
    go_waitgroup_add(&wg, 1);
    go(receive_patiently, go_timer_chan(t));
    CHECK_EQUAL(go_sleep(step), 0);
    CHECK(!go_timer_reset(t, 1));
    go_waitgroup_wait(&wg);
    CHECK_EQUAL(received, 2);
    go_timer_free(t);
}

/* TestOverflowSleep: what lies too far ahead never comes, and is pending all the same. */
static void huge_durations_do_not_wrap_around(void)
{
    static const int64_t durations[] = {GO_FOREVER, GO_FOREVER - 1, GO_FOREVER / 2};
    for (int i = 0; i < 3; i++) {
        go_timer *t = go_timer_new(durations[i]);
        CHECK(!ticked(go_timer_chan(t)));
        CHECK(go_timer_reset(t, durations[i]));
        CHECK_EQUAL(go_sleep(GO_MILLISECOND), 0);
        CHECK(!ticked(go_timer_chan(t)));
        CHECK(go_timer_stop(t));
        go_timer_free(t);
    }
}

/* --- functions --- */

static _Atomic(int) calls;

static void count(void *arg)
{
    (void)arg;
    calls++;
}

enum { LINKS = 10 };
static go_timer *chain[LINKS];

static void start_next(void *arg)
{
    int next = (int)(intptr_t)arg;
    if (next < LINKS) {
        chain[next] = go_timer_func(0, start_next, (void *)(intptr_t)(next + 1));
        CHECK(chain[next] != NULL);
    }
    go_waitgroup_done(&wg);
}

/* TestAfterFunc. */
static void a_function_may_start_the_next(void)
{
    go_waitgroup_add(&wg, LINKS + 1);
    start_next(NULL);
    go_waitgroup_wait(&wg);
    for (int i = 0; i < LINKS; i++) {
        CHECK(!go_timer_stop(chain[i]));
        go_timer_free(chain[i]);
    }
}

static void a_func_timer_has_no_channel(void)
{
    go_timer *t = go_timer_func(hour, count, NULL);
    CHECK(go_timer_chan(t) == NULL);
    go_timer_free(t);
}

/* TestStopResult, TestResetResult for functions. */
static void stop_of_a_func_timer_says_whether_it_will_not_run(void)
{
    calls = 0;
    go_timer *t = go_timer_func(hour, count, NULL);
    CHECK(go_timer_stop(t));
    CHECK(!go_timer_stop(t));
    CHECK(!go_timer_reset(t, 0));
    while (calls == 0) {
        CHECK_EQUAL(go_sleep(GO_MILLISECOND), 0);
    }
    CHECK(!go_timer_stop(t));
    CHECK(!go_timer_reset(t, hour));
    CHECK(go_timer_reset(t, 0));
    while (calls == 1) {
        CHECK_EQUAL(go_sleep(GO_MILLISECOND), 0);
    }
    CHECK_EQUAL(go_sleep(step), 0);
    CHECK_EQUAL(calls, 2);
    go_timer_free(t);
}

static int64_t function_ran_at;
static uint64_t function_id;
static go_context *function_bound;

static void note_call(void *arg)
{
    function_ran_at = go_now();
    function_id = go_id();
    function_bound = go_context_bound();
    CHECK_EQUAL(go_sleep(GO_MILLISECOND), 0); /* it may park: it is a goroutine */
    (void)go_chan_close(arg);
}

static void a_function_runs_in_a_goroutine_without_a_context(void)
{
    go_context *ctx = go_context_with_cancel(NULL);
    go_chan *done = go_chan_new(0, 0);
    (void)go_context_bind(ctx);
    int64_t start = go_now();
    go_timer *t = go_timer_func(step, note_call, done);
    CHECK_EQUAL(go_chan_recv(done, NULL), -EPIPE);
    CHECK(function_ran_at >= start + step);
    CHECK(function_id != go_id() && function_id != 0);
    CHECK(function_bound == NULL);
    (void)go_context_bind(NULL);
    go_timer_free(t);
    go_chan_unref(done);
    go_context_unref(ctx);
}

struct self_free {
    go_timer *timer;
    go_chan *ready, *done;
};

static void free_own_timer(void *arg)
{
    struct self_free *s = arg;
    (void)go_chan_recv(s->ready, NULL); /* s->timer is set */
    go_timer_free(s->timer);
    (void)go_chan_close(s->done);
}

static void a_function_may_free_its_own_timer(void)
{
    for (int i = 0; i < 50; i++) {
        struct self_free s = {NULL, go_chan_new(0, 0), go_chan_new(0, 0)};
        s.timer = go_timer_func(0, free_own_timer, &s);
        CHECK_EQUAL(go_chan_close(s.ready), 0);
        CHECK_EQUAL(go_chan_recv(s.done, NULL), -EPIPE);
        go_chan_unref(s.ready);
        go_chan_unref(s.done);
    }
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

/* TestAfterFuncStarvation. */
static void busy_goroutines_do_not_starve_functions(void)
{
    hog_stop = false;
    calls = 0;
    go_waitgroup_add(&wg, 4);
    for (int i = 0; i < 4; i++) {
        go(hog, NULL);
    }
    go_timer *t = go_timer_func(step, count, NULL);
    while (calls == 0) {
        go_yield();
    }
    hog_stop = true;
    go_waitgroup_wait(&wg);
    go_timer_free(t);
}

static void give_and_take(void *arg)
{
    go_case cases[] = {{((go_chan **)arg)[0], NULL, GO_DIRECTION_SEND, 1}, {((go_chan **)arg)[1], NULL, GO_DIRECTION_RECV, 1}};
    while (go_select(cases, 2) == 0) {}
    go_waitgroup_done(&wg);
}

/* TestTimerFairness, TestTimerFairness2: a channel that always has something does not hold up the timer beside it. */
static void traffic_does_not_starve_timers(void)
{
    go_chan *two[] = {go_chan_new(0, 0), go_chan_new(0, 0)};
    go_waitgroup_add(&wg, 2);
    go(give_and_take, two);
    go(give_and_take, two);
    for (int i = 0; i < 5; i++) {
        int64_t start = go_now();
        go_timer *t = go_timer_new(step);
        go_case cases[] = {{two[0], NULL, GO_DIRECTION_RECV, 1}, {go_timer_chan(t), NULL, GO_DIRECTION_RECV, 1}};
        while (go_select(cases, 2) == 0) {}
        CHECK(go_now() - start >= step && go_now() - start < 10 * GO_SECOND);
        go_timer_free(t);
    }
    CHECK_EQUAL(go_chan_close(two[1]), 0);
    go_waitgroup_wait(&wg);
    go_chan_unref(two[0]);
    go_chan_unref(two[1]);
}

/* --- many at once --- */

static go_timer *shared_timer;

static void use_the_shared_timer(void *arg)
{
    for (int i = (int)(intptr_t)arg; i < 2000; i++) {
        (void)ticked(go_timer_chan(shared_timer));
        switch (i % 3) {
        case 0: (void)go_timer_stop(shared_timer); break;
        case 1: (void)go_timer_reset(shared_timer, 1); break;
        default: (void)go_timer_reset(shared_timer, i % 50 * GO_MICROSECOND); break;
        }
        if (i % 64 == 0) {
            go_yield();
        }
    }
    go_waitgroup_done(&wg);
}

/* TestConcurrentTimerReset, TestConcurrentTimerResetStop, TestMultiWakeupTimer. */
static void many_may_use_one_timer(void)
{
    for (int round = 0; round < 2; round++) {
        shared_timer = go_timer_new(1);
        go_waitgroup_add(&wg, 8);
        for (intptr_t i = 0; i < 8; i++) {
            go(use_the_shared_timer, (void *)i);
        }
        go_waitgroup_wait(&wg);
        (void)go_timer_stop(shared_timer);
        CHECK(!ticked(go_timer_chan(shared_timer)));
        CHECK(!go_timer_reset(shared_timer, 1)); /* it works as before */
        CHECK(will_tick(go_timer_chan(shared_timer)));
        go_timer_free(shared_timer);
    }
}

struct stopped {
    go_timer *timer;
    _Atomic(bool) ran, stopped;
};

static void ran_in_vain(void *arg)
{
    ((struct stopped *)arg)->ran = true;
}

static void stop_in_time(void *arg)
{
    struct stopped *s = arg;
    s->timer = go_timer_func(2 * step, ran_in_vain, s);
    CHECK_EQUAL(go_sleep(step), 0);
    s->stopped = go_timer_stop(s->timer); /* false: the machine was too busy */
    go_waitgroup_done(&wg);
}

/* TestTimerStopStress. */
static void functions_stopped_in_time_never_run(void)
{
    static struct stopped all[100];
    go_waitgroup_add(&wg, 100);
    for (int i = 0; i < 100; i++) {
        all[i].ran = all[i].stopped = false;
        go(stop_in_time, &all[i]);
    }
    go_waitgroup_wait(&wg);
    CHECK_EQUAL(go_sleep(2 * step), 0);
    for (int i = 0; i < 100; i++) {
        CHECK(!all[i].stopped || !all[i].ran);
        go_timer_free(all[i].timer);
    }
}

static void sleep_briefly(void *arg)
{
    (void)arg;
    CHECK_EQUAL(go_sleep(10 * GO_MICROSECOND), 0);
    go_waitgroup_done(&wg);
}

/* TestLongAdjustTimers, TestAdjustTimers: a heap full of timers, moved to and fro, does not slow down those beside it without end. */
static void moving_many_timers_leaves_time_for_others(void)
{
    enum { MANY = 2000 };
    static go_timer *timers[MANY];
    int64_t start = go_now();
    for (int i = 0; i < MANY; i++) {
        timers[i] = go_timer_new(hour + i % 7 * GO_SECOND);
    }
    go_waitgroup_add(&wg, MANY);
    for (int i = 0; i < MANY; i++) {
        go(sleep_briefly, NULL);
        CHECK(go_timer_reset(timers[i], hour / (1 + i % 5)));
        CHECK(go_timer_reset(timers[MANY - 1 - i], 2 * hour));
        if (i % 100 == 0) {
            CHECK_EQUAL(go_sleep(GO_MICROSECOND), 0);
        }
    }
    go_waitgroup_wait(&wg);
    for (int i = 0; i < MANY; i++) {
        CHECK(go_timer_stop(timers[i]));
        go_timer_free(timers[i]);
    }
    CHECK(go_now() - start < 60 * GO_SECOND);
}

/* --- free --- */

static void freeing_a_timer_stops_it(void)
{
    calls = 0;
    for (int i = 0; i < 100; i++) {
        go_timer_free(go_timer_func(5 * step, count, NULL));
        go_timer_free(go_timer_new(step));
    }
    go_timer_free(NULL);
    CHECK_EQUAL(go_sleep(10 * step), 0);
    CHECK_EQUAL(calls, 0);
}

static void a_reference_keeps_the_channel_of_a_freed_timer(void)
{
    go_timer *t = go_timer_new(1);
    go_chan *c = go_chan_ref(go_timer_chan(t));
    CHECK_EQUAL(go_sleep(step), 0);
    go_timer_free(t);
    CHECK_EQUAL(go_chan_try_recv(c, NULL), -EAGAIN);
    CHECK_EQUAL(go_chan_recv_until(c, NULL, go_now() + step), -ETIMEDOUT);
    go_chan_unref(c);
}

/* TestTimerTombstones: many timers made and stopped leave nothing behind. */
static void many_stopped_timers_cost_nothing(void)
{
    for (int i = 0; i < 100000; i++) {
        go_timer *t = go_timer_new(hour + i);
        CHECK(go_timer_stop(t));
        go_timer_free(t);
    }
}

/* --- foreign threads --- */

static void *use_timers(void *arg)
{
    (void)arg;
    int64_t start = go_now(), fired;
    go_timer *t = go_timer_new(step);
    CHECK_EQUAL(go_chan_recv(go_timer_chan(t), &fired), 0);
    CHECK(fired >= start + step);
    CHECK(!go_timer_reset(t, hour));
    CHECK(go_timer_reset(t, 1));
    CHECK(will_tick(go_timer_chan(t)));
    CHECK(!go_timer_stop(t));
    CHECK(!go_timer_reset(t, 1));
    CHECK_EQUAL(go_sleep(step), 0);
    CHECK(go_timer_stop(t));
    CHECK(!ticked(go_timer_chan(t)));
    go_timer_free(t);

    calls = 0;
    t = go_timer_func(1, count, NULL);
    while (calls == 0) {
        CHECK_EQUAL(go_sleep(GO_MILLISECOND), 0);
    }
    CHECK(!go_timer_stop(t));
    go_timer_free(t);
    return NULL;
}

static void foreign_threads_use_timers(void)
{
    on_foreign_thread(use_timers, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BEHAVIOUR(a_timer_sends_the_time_once),
        BEHAVIOUR(a_duration_of_zero_or_less_fires_at_once),
        BEHAVIOUR(len_and_cap_of_a_timers_channel_are_zero),
        BEHAVIOUR(the_value_is_the_time_of_firing),
        BEHAVIOUR(a_due_timer_is_seen_without_parking),
        BEHAVIOUR(timers_fire_in_order),
        BEHAVIOUR(a_timer_in_select_ends_the_wait),
        BEHAVIOUR(the_earlier_of_two_timers_wins_a_select),
        BEHAVIOUR(a_timer_wakes_nobody_before_its_time),
        BEHAVIOUR(a_timer_wakes_exactly_one_receiver),
        BEHAVIOUR(stop_says_whether_the_timer_was_pending),
        BEHAVIOUR(fired_but_not_received_is_still_pending),
        BEHAVIOUR(no_value_is_received_after_stop),
        BEHAVIOUR(waiting_on_a_stopped_timer_waits),
        BEHAVIOUR(stopping_a_timer_leaves_its_receivers_waiting),
        BEHAVIOUR(reset_counts_from_now),
        BEHAVIOUR(a_timer_brought_forward_fires_then),
        BEHAVIOUR(a_timer_put_off_does_not_fire_before),
        BEHAVIOUR(no_value_of_before_is_received_after_reset),
        BEHAVIOUR(a_reset_reaches_those_who_wait_already),
        BEHAVIOUR(huge_durations_do_not_wrap_around),
        BEHAVIOUR(a_function_may_start_the_next),
        BEHAVIOUR(a_func_timer_has_no_channel),
        BEHAVIOUR(stop_of_a_func_timer_says_whether_it_will_not_run),
        BEHAVIOUR(a_function_runs_in_a_goroutine_without_a_context),
        BEHAVIOUR(a_function_may_free_its_own_timer),
        BEHAVIOUR(busy_goroutines_do_not_starve_functions),
        BEHAVIOUR(traffic_does_not_starve_timers),
        BEHAVIOUR(many_may_use_one_timer),
        BEHAVIOUR(functions_stopped_in_time_never_run),
        BEHAVIOUR(moving_many_timers_leaves_time_for_others),
        BEHAVIOUR(freeing_a_timer_stops_it),
        BEHAVIOUR(a_reference_keeps_the_channel_of_a_freed_timer),
        BEHAVIOUR(many_stopped_timers_cost_nothing),
        BEHAVIOUR(foreign_threads_use_timers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
