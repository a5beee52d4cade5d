/* Timers, tickers and sleepers from all sides at once. What must hold: every arming of a timer ends in exactly one of received,
 * called, or taken back by a stop or reset that said so. */
#include <errno.h>
#include <stdatomic.h>

#include "support/stress.h"

static go_waitgroup wg;
static int64_t stop_at;
static uint64_t seed;

/* --- stop, reset and receive against fire --- */

enum { SHARED = 8, USERS = 6 };

static struct shared {
    go_timer *timer;
    _Atomic(long) armed, ended; /* ended: received, called or taken back */
} shared[SHARED];

static void called(void *arg)
{
    ((struct shared *)arg)->ended++;
}

static void use_one(struct shared *s, uint64_t *random)
{
    go_chan *c = go_timer_chan(s->timer);
    int64_t duration = (int64_t)stress_below(random, 60) * GO_MICROSECOND, fired;
    switch (stress_below(random, c != NULL ? 8 : 3)) {
    case 0: s->ended += go_timer_stop(s->timer); break;
    case 1:
    case 2:
        s->armed++;
        s->ended += go_timer_reset(s->timer, duration);
        break;
    case 3:
        s->ended += go_chan_try_recv(c, &fired) == 0;
        CHECK_EQUAL(go_chan_len(c), 0);
        break;
    case 4:
    case 5: {
        int code = go_chan_recv_until(c, &fired, go_now() + duration);
        CHECK(code == 0 || code == -ETIMEDOUT);
        s->ended += code == 0;
        CHECK(code != 0 || fired <= go_now());
        break;
    }
    case 6: {
        struct shared *other = &shared[stress_below(random, SHARED / 2)];
        go_case cases[] = {{c, &fired, GO_DIRECTION_RECV, 0}, {go_timer_chan(other->timer), &fired, GO_DIRECTION_RECV, 0}};
        int chosen = go_select_until(cases, 2, go_now() + duration);
        CHECK(chosen == 0 || chosen == 1 || chosen == -ETIMEDOUT);
        if (chosen >= 0) {
            CHECK_EQUAL(cases[chosen].result, 0);
            (chosen == 0 ? s : other)->ended++;
        }
        break;
    }
    default: go_yield();
    }
}

static void user(void *arg)
{
    uint64_t random = seed + (uint64_t)(uintptr_t)arg * 7919;
    while (go_now() < stop_at) {
        for (int i = 0; i < 50; i++) {
            use_one(&shared[stress_below(&random, SHARED)], &random);
        }
    }
    go_waitgroup_done(&wg);
}

static void every_arming_ends_once(void)
{
    seed = stress_seed();
    stop_at = stress_deadline();
    for (int i = 0; i < SHARED; i++) {
        struct shared *s = &shared[i];
        s->armed = 1;
        s->ended = 0;
        s->timer = i < SHARED / 2 ? go_timer_new(0) : go_timer_func(0, called, s); /* select uses the first half */
        CHECK(s->timer != NULL);
    }
    go_waitgroup_add(&wg, USERS + 1);
    for (int i = 0; i < USERS; i++) {
        go(user, (void *)(intptr_t)(i + 1));
    }
    pthread_t thread = stress_thread(user, NULL);
    go_waitgroup_wait(&wg);
    CHECK_EQUAL(pthread_join(thread, NULL), 0);
    for (int i = 0; i < SHARED; i++) {
        struct shared *s = &shared[i];
        s->ended += go_timer_stop(s->timer);
        while (s->ended < s->armed) { /* functions that have been started and not run yet */
            CHECK(go_timer_chan(s->timer) == NULL);
            CHECK_EQUAL(go_sleep(GO_MILLISECOND), 0);
        }
        CHECK_EQUAL(s->ended, s->armed);
        go_timer_free(s->timer);
    }
}

/* --- freed while they fire --- */

static void count_call(void *arg)
{
    ++*(_Atomic(long) *)arg;
}

static void make_and_free(void *arg)
{
    uint64_t random = seed + (uint64_t)(uintptr_t)arg * 104729;
    _Atomic(long) *calls = arg;
    while (go_now() < stop_at) {
        for (int i = 0; i < 50; i++) {
            int64_t duration = (int64_t)stress_below(&random, 30) * GO_MICROSECOND;
            go_timer *t = go_timer_new(duration);
            go_timer *f = go_timer_func(duration, count_call, calls);
            go_ticker *k = go_ticker_new(duration + 1);
            CHECK(t != NULL && f != NULL && k != NULL);
            if (stress_below(&random, 2) == 0) {
                CHECK_EQUAL(go_chan_recv(go_ticker_chan(k), NULL), 0);
            }
            if (stress_below(&random, 2) == 0) {
                (void)go_timer_reset(t, 0);
                go_ticker_reset(k, duration + 1);
                go_yield();
            }
            if (stress_below(&random, 4) == 0) {
                CHECK_EQUAL(go_chan_recv(go_timer_chan(t), NULL), 0);
            }
            go_timer_free(t);
            go_timer_free(f);
            go_ticker_free(k);
        }
    }
    go_waitgroup_done(&wg);
}

static void freeing_races_with_firing(void)
{
    static _Atomic(long) calls[4];
    seed = stress_seed();
    stop_at = stress_deadline();
    go_waitgroup_add(&wg, 4);
    for (int i = 0; i < 4; i++) {
        go(make_and_free, &calls[i]);
    }
    go_waitgroup_wait(&wg);
}

/* --- nothing stale --- */

static void check_fresh(void *arg)
{
    uint64_t random = seed + (uint64_t)(uintptr_t)arg * 31337;
    go_timer *t = go_timer_new(0);
    go_ticker *k = go_ticker_new(1);
    CHECK(t != NULL && k != NULL);
    while (go_now() < stop_at) {
        int64_t duration = 1 + (int64_t)stress_below(&random, 100) * GO_MICROSECOND, fired;
        int64_t before = go_now();
        (void)go_timer_reset(t, duration);
        go_ticker_reset(k, duration);
        for (uint32_t spin = stress_below(&random, 2000); spin > 0; spin--) {
            atomic_signal_fence(memory_order_seq_cst);
        }
        if (stress_below(&random, 2) == 0) {
            go_yield();
        }
        if (go_chan_try_recv(go_timer_chan(t), &fired) == 0) {
            CHECK(fired >= before + duration);
        } else if (stress_below(&random, 2) == 0) {
            CHECK_EQUAL(go_chan_recv(go_timer_chan(t), &fired), 0);
            CHECK(fired >= before + duration);
        }
        CHECK_EQUAL(go_chan_recv(go_ticker_chan(k), &fired), 0);
        CHECK(fired >= before + duration);
    }
    go_timer_free(t);
    go_ticker_free(k);
    go_waitgroup_done(&wg);
}

static void nothing_of_before_a_reset_is_received(void)
{
    seed = stress_seed();
    stop_at = stress_deadline();
    go_waitgroup_add(&wg, 6);
    for (int i = 0; i < 6; i++) {
        go(check_fresh, (void *)(intptr_t)(i + 1));
    }
    go_waitgroup_wait(&wg);
}

/* --- Ps come and go, their timers move --- */

static void sleep_a_lot(void *arg)
{
    uint64_t random = seed + (uint64_t)(uintptr_t)arg * 65537;
    while (go_now() < stop_at) {
        int64_t duration = (int64_t)stress_below(&random, 300) * GO_MICROSECOND, start = go_now();
        CHECK_EQUAL(go_sleep(duration), 0);
        CHECK(go_now() >= start + duration);
    }
    go_waitgroup_done(&wg);
}

static void timers_survive_changes_of_procs(void)
{
    seed = stress_seed();
    stop_at = stress_deadline();
    uint64_t random = seed;
    int procs = go_procs();
    go_waitgroup_add(&wg, 50 + 4);
    for (int i = 0; i < 50; i++) {
        go(sleep_a_lot, (void *)(intptr_t)(i + 1));
    }
    for (int i = 0; i < 4; i++) {
        go(check_fresh, (void *)(intptr_t)(i + 1));
    }
    while (go_now() < stop_at) {
        CHECK(go_set_procs(1 + (int)stress_below(&random, 8)) > 0);
        CHECK_EQUAL(go_sleep(200 * GO_MICROSECOND), 0);
    }
    CHECK(go_set_procs(procs) > 0);
    go_waitgroup_wait(&wg);
}

/* --- many --- */

static void a_million_armed_timers(void)
{
    const int count = STRESS_SANITIZED ? 100000 : 1000000;
    go_timer **timers = malloc((size_t)count * sizeof timers[0]);
    CHECK(timers != NULL);
    for (int i = 0; i < count; i++) {
        timers[i] = go_timer_new(3600 * GO_SECOND + i % 1000 * GO_MILLISECOND);
        CHECK(timers[i] != NULL);
    }
    int64_t start = go_now();
    CHECK_EQUAL(go_sleep(10 * GO_MILLISECOND), 0); /* the others do not mind */
    CHECK(go_now() - start < 5 * GO_SECOND);
    for (int i = 0; i < count; i += 2) {
        CHECK(go_timer_reset(timers[i], i % 7 * GO_MILLISECOND));
    }
    for (int i = 0; i < count; i += 2) {
        CHECK_EQUAL(go_chan_recv(go_timer_chan(timers[i]), NULL), 0);
    }
    for (int i = 0; i < count; i++) {
        CHECK_EQUAL(go_timer_stop(timers[i]), i % 2);
        go_timer_free(timers[i]);
    }
    free(timers);
}

static void sleep_once(void *arg)
{
    int64_t duration = (1 + (int64_t)((uintptr_t)arg * 2654435761u >> 8) % 100) * GO_MILLISECOND, start = go_now();
    CHECK_EQUAL(go_sleep(duration), 0);
    CHECK(go_now() >= start + duration);
    go_waitgroup_done(&wg);
}

static void a_hundred_thousand_sleepers(void)
{
    const int count = STRESS_SANITIZED ? 5000 : 100000;
    go_waitgroup_add(&wg, count);
    for (int i = 0; i < count; i++) {
        go(sleep_once, (void *)(intptr_t)i);
    }
    go_waitgroup_wait(&wg);
}

static void foreign_threads_sleep_among_goroutines(void)
{
    pthread_t threads[8];
    seed = stress_seed();
    stop_at = stress_deadline();
    go_waitgroup_add(&wg, 8 + 20);
    for (int i = 0; i < 8; i++) {
        threads[i] = stress_thread(sleep_a_lot, (void *)(intptr_t)(i + 100));
    }
    for (int i = 0; i < 20; i++) {
        go(sleep_a_lot, (void *)(intptr_t)(i + 1));
    }
    go_waitgroup_wait(&wg);
    for (int i = 0; i < 8; i++) {
        CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BEHAVIOUR(every_arming_ends_once),
        BEHAVIOUR(freeing_races_with_firing),
        BEHAVIOUR(nothing_of_before_a_reset_is_received),
        BEHAVIOUR(timers_survive_changes_of_procs),
        BEHAVIOUR(a_million_armed_timers),
        BEHAVIOUR(a_hundred_thousand_sleepers),
        BEHAVIOUR(foreign_threads_sleep_among_goroutines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
