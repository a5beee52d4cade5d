/* Timers, tickers, sleep. What must hold: nothing fires early, nothing arrives after stop or from before a reset, a function runs or was
 * stopped, never both and never neither. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "soak.h"

static void receive_after(go_timer *t, int64_t earliest)
{
    int64_t fired = 0;
    MUST_EQUAL(go_chan_recv(go_timer_chan(t), &fired), 0);
    MUST(fired >= earliest && fired <= go_now());
    MUST_EQUAL(go_chan_try_recv(go_timer_chan(t), &fired), -EAGAIN);
}

static void fires_once(uint64_t *random)
{
    int64_t duration = soak_micros(random, 3000), begun = go_now();
    go_timer *t = go_timer_new(duration);
    MUST(t != NULL);
    receive_after(t, begun + duration);
    MUST(!go_timer_stop(t));
    go_timer_free(t);
}

/* Nobody received, so it is pending, whether its time has come or not. */
static void stops(uint64_t *random)
{
    go_timer *t = go_timer_new(soak_micros(random, 300));
    MUST(t != NULL);
    (void)go_sleep(soak_micros(random, 300));
    MUST(go_timer_stop(t));
    MUST(!go_timer_stop(t));
    MUST_EQUAL(go_chan_try_recv(go_timer_chan(t), NULL), -EAGAIN);
    int64_t duration = soak_micros(random, 1000), begun = go_now();
    MUST(!go_timer_reset(t, duration));
    receive_after(t, begun + duration);
    go_timer_free(t);
}

static void resets(uint64_t *random)
{
    int64_t duration = 0, begun = 0;
    go_timer *t = go_timer_new(3600 * GO_SECOND);
    MUST(t != NULL);
    for (uint32_t i = soak_below(random, 8) + 1; i > 0; i--) {
        duration = soak_micros(random, 400);
        begun = go_now();
        MUST(go_timer_reset(t, duration));
        if (soak_below(random, 2) == 0) {
            (void)go_sleep(soak_micros(random, 200));
        }
    }
    receive_after(t, begun + duration);
    go_timer_free(t);
}

struct shot {
    go_waitgroup over;
    _Atomic(go_timer *) timer;
    atomic_int ran;
    int64_t earliest;
    bool frees;
};

static void shoot(void *arg)
{
    struct shot *shot = arg;
    go_timer *t;
    MUST(go_now() >= shot->earliest);
    while ((t = atomic_load(&shot->timer)) == NULL) { /* faster than its maker */
        go_yield();
    }
    if (shot->frees) {
        go_timer_free(t);
    }
    MUST_EQUAL(atomic_fetch_add(&shot->ran, 1), 0);
    go_waitgroup_done(&shot->over);
}

static void runs_or_is_stopped(uint64_t *random)
{
    int64_t duration = soak_micros(random, 400);
    struct shot shot = {.earliest = go_now() + duration, .frees = soak_below(random, 4) == 0};
    bool stopped = false;
    go_waitgroup_add(&shot.over, 1);
    go_timer *t = go_timer_func(duration, shoot, &shot);
    MUST(t != NULL && go_timer_chan(t) == NULL);
    atomic_store(&shot.timer, t);
    if (!shot.frees) {
        (void)go_sleep(soak_micros(random, 400));
        stopped = go_timer_stop(t);
    }
    if (stopped) {
        go_waitgroup_done(&shot.over);
    }
    go_waitgroup_wait(&shot.over);
    MUST_EQUAL(shot.ran, !stopped);
    if (!shot.frees) {
        go_timer_free(t);
    }
}

static void ticks(uint64_t *random)
{
    int64_t period = 100 * GO_MICROSECOND + soak_micros(random, 1000), last = go_now(), tick;
    go_ticker *t = go_ticker_new(period);
    MUST(t != NULL);
    for (int i = 0; i < 6; i++) {
        int64_t least = i == 0 || i == 3 ? last + period : last + 1;
        MUST_EQUAL(go_chan_recv(go_ticker_chan(t), &tick), 0);
        MUST(tick >= least && tick <= go_now());
        last = tick;
        if (i == 2) {
            period = 100 * GO_MICROSECOND + soak_micros(random, 1000);
            last = go_now();
            go_ticker_reset(t, period);
        }
    }
    go_ticker_free(t);
}

static void sleeps(uint64_t *random)
{
    int64_t duration = soak_micros(random, 5000), begun = go_now();
    MUST_EQUAL(go_sleep(duration), 0);
    MUST(go_now() >= begun + duration);
}

static void timers(void *arg)
{
    uint64_t random = soak_new_random();
    (void)arg;
    while (soak_goes_on()) {
        switch (soak_below(&random, 6)) {
        case 0: fires_once(&random); break;
        case 1: stops(&random); break;
        case 2: resets(&random); break;
        case 3: runs_or_is_stopped(&random); break;
        case 4: ticks(&random); break;
        default: sleeps(&random);
        }
        soak_count(&soak_timers, 1);
    }
}

static void start_timers(void)
{
    for (int i = 0; i < 10; i++) {
        soak_go(timers, NULL);
    }
}

struct soak_family soak_timers = {.name = "timers", .start = start_timers};
