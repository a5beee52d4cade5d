/* Goroutines and what lets them go on, after Go's runtime (proc_test.go, crash_test.go) and its memory model. */
#include <dirent.h>
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/behaviour.h"

static go_waitgroup wg;
static _Atomic(bool) stop;
static _Atomic(unsigned) turn;

static long thread_id(void)
{
    return syscall(SYS_gettid);
}

static int threads_of_the_process(void)
{
    int n = 0;
    DIR *folder = opendir("/proc/self/task");
    CHECK(folder != NULL);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        n += entry->d_name[0] != '.';
    }
    (void)closedir(folder);
    return n;
}

/* --- who is there --- */

/* TestMainGoroutineID, TestNumGoroutine, TestNoHelperGoroutines: timers and the poller need none. */
static void there_are_no_helper_goroutines(void)
{
    int ends[2];
    char byte;
    CHECK_EQUAL(go_id(), 1);
    CHECK_EQUAL(go_count(), 1);
    go_timer *t = go_timer_new(3600 * GO_SECOND);
    CHECK_EQUAL(pipe(ends), 0);
    CHECK_EQUAL(go_set_read_deadline(ends[0], go_now() + GO_MILLISECOND), 0);
    CHECK_EQUAL(go_read(ends[0], &byte, 1), -ETIMEDOUT);
    CHECK_EQUAL(go_count(), 1);
    CHECK(go_close(ends[0]) == 0 && go_close(ends[1]) == 0);
    go_timer_free(t);
}

static int plain[4];

static void read_plain(void *arg)
{
    for (int i = 0; i < 4; i++) {
        CHECK_EQUAL(plain[i], (int)(intptr_t)arg + i);
    }
}

/* go.dev/ref/mem, "Goroutine creation". */
static void what_comes_before_go_is_seen_by_the_goroutine(void)
{
    for (int n = 0; n < 3000; n++) {
        for (int i = 0; i < 4; i++) {
            plain[i] = n + i;
        }
        go_waitgroup_go(&wg, read_plain, (void *)(intptr_t)n);
        go_waitgroup_wait(&wg);
    }
}

/* --- progress --- */

static void yields_until_stop(void *arg)
{
    if (arg != NULL) {
        go_lock_thread();
    }
    long thread = thread_id();
    while (!stop) {
        go_yield();
        CHECK(arg == NULL || thread_id() == thread);
    }
    if (arg != NULL) {
        go_unlock_thread();
    }
}

/* TestYieldProgress, TestYieldLockedProgress: who yields in a loop lets the others go on. */
static void who_yields_lets_others_go_on(void)
{
    for (int locked = 0; locked < 2; locked++) {
        stop = false;
        for (int i = 0; i < 4; i++) {
            go_waitgroup_go(&wg, yields_until_stop, locked != 0 ? &locked : NULL);
        }
        CHECK_EQUAL(go_sleep(5 * GO_MILLISECOND), 0);
        stop = true;
        go_waitgroup_wait(&wg);
    }
}

static void yields_and_sleeps_locked(void *arg)
{
    (void)arg;
    go_lock_thread();
    long thread = thread_id();
    for (int i = 0; i < 10; i++) {
        go_yield();
        CHECK_EQUAL(thread_id(), thread);
        CHECK_EQUAL(go_sleep(GO_MILLISECOND), 0);
        CHECK_EQUAL(thread_id(), thread);
    }
    /* Ends locked: nothing to undo. */
}

/* TestYieldLocked, and TestLockOSThreadExit as far as it goes: in Go the thread ends with the goroutine, here it is unlocked. */
static void a_goroutine_may_end_locked(void)
{
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 4; i++) {
            go_waitgroup_go(&wg, yields_and_sleeps_locked, NULL);
        }
        go_waitgroup_wait(&wg);
    }
    CHECK(threads_of_the_process() < 30 + go_procs());
    CHECK_EQUAL(go_count(), 1);
}

static void send_locked(void *arg)
{
    go_lock_thread();
    CHECK_EQUAL(go_chan_send(arg, NULL), 0);
    go_unlock_thread();
}

/* TestBlockLocked. */
static void a_locked_goroutine_may_wait(void)
{
    go_chan *c = go_chan_new(0, 0);
    for (int i = 0; i < 50; i++) {
        go_waitgroup_go(&wg, send_locked, c);
        if (i % 2 == 0) {
            CHECK_EQUAL(go_sleep(100 * GO_MICROSECOND), 0); /* the sender waits first */
        }
        CHECK_EQUAL(go_chan_recv(c, NULL), 0);
    }
    go_waitgroup_wait(&wg);
    go_chan_unref(c);
}

/* --- several at once --- */

enum { PARALLEL = 4, ROUNDS = 3 };

static void spins_until_its_turn(void *arg)
{
    unsigned me = (unsigned)(uintptr_t)arg;
    for (unsigned i = 0; i < ROUNDS; i++) {
        while (turn != PARALLEL * i + me) {}
        turn = PARALLEL * i + me + 1;
    }
}

static void read_the_end(void *arg)
{
    char byte;
    CHECK_EQUAL(go_read((int)(intptr_t)arg, &byte, 1), 0);
}

/* TestGoroutineParallelism, TestGoroutineParallelism2: with as many Ps as goroutines all of them run, without any call of theirs,
 * and a goroutine that waits in the poller takes nobody's place. */
static void as_many_goroutines_run_as_there_are_ps(void)
{
    int procs = go_set_procs(PARALLEL);
    for (int network = 0; network < 2; network++) {
        int ends[2] = {-1, -1};
        if (network != 0) {
            CHECK_EQUAL(pipe(ends), 0);
            go_waitgroup_go(&wg, read_the_end, (void *)(intptr_t)ends[0]);
            CHECK_EQUAL(go_sleep(GO_MILLISECOND), 0);
        }
        for (int i = 0; i < 5; i++) {
            go_waitgroup spinning = GO_WAITGROUP_INIT;
            turn = 0;
            for (uintptr_t me = 0; me < PARALLEL; me++) {
                go_waitgroup_go(&spinning, spins_until_its_turn, (void *)me);
            }
            go_waitgroup_wait(&spinning);
        }
        if (network != 0) {
            CHECK_EQUAL(go_close(ends[1]), 0);
            go_waitgroup_wait(&wg);
            CHECK_EQUAL(go_close(ends[0]), 0);
        }
    }
    (void)go_set_procs(procs);
}

static void spins_for_the_other(void *arg)
{
    unsigned me = (unsigned)(uintptr_t)arg;
    for (int i = 0; i < 5; i++) {
        while (turn % 2 != me) {}
        turn++;
    }
}

/* TestPreemption, TestAsyncPreempt: whoever computes without a call does not keep the others off the only P. */
static void who_spins_for_another_is_preempted(void)
{
    int procs = go_set_procs(1);
    turn = 0;
    go_waitgroup_go(&wg, spins_for_the_other, (void *)0);
    go_waitgroup_go(&wg, spins_for_the_other, (void *)1);
    go_waitgroup_wait(&wg);
    CHECK_EQUAL(turn, 10);
    (void)go_set_procs(procs);
}

struct pair {
    go_chan *in, *out;
    int64_t rounds;
};

static void plays(void *arg)
{
    struct pair *p = arg;
    while (go_chan_recv(p->in, NULL) == 0) {
        p->rounds++;
        if (go_chan_send(p->out, NULL) != 0) {
            break;
        }
    }
    (void)go_chan_close(p->out);
}

static void computes_until_stop(void *arg)
{
    while (!stop) {
        ++*(volatile int64_t *)arg;
    }
}

/* TestPingPongHog: two that hand over to each other share their P with those who only want to compute, or to yield. */
static void two_that_hand_over_starve_nobody(void)
{
    int procs = go_set_procs(1);
    for (int hogs = 0; hogs < 2; hogs++) {
        go_chan *a = go_chan_new(0, 0), *b = go_chan_new(0, 0);
        struct pair one = {a, b, 0}, two = {b, a, 0};
        int64_t computed = 0;
        stop = false;
        go_waitgroup_go(&wg, plays, &one);
        go_waitgroup_go(&wg, plays, &two);
        CHECK_EQUAL(go_chan_send(a, NULL), 0);
        if (hogs != 0) {
            go_waitgroup_go(&wg, computes_until_stop, &computed);
            CHECK_EQUAL(go_sleep(100 * GO_MILLISECOND), 0);
        }
        for (int i = 0; i < 50; i++) {
            go_yield();
        }
        CHECK_EQUAL(go_sleep(GO_MILLISECOND), 0);
        stop = true;
        CHECK_EQUAL(go_chan_close(a), 0);
        go_waitgroup_wait(&wg);
        CHECK(one.rounds > 50 && two.rounds >= 50);
        CHECK(hogs == 0 || computed > 0);
        go_chan_unref(a);
        go_chan_unref(b);
    }
    (void)go_set_procs(procs);
}

/* --- the world stops --- */

static void changes_procs(void *arg)
{
    for (int i = 0; i < 100; i++) {
        CHECK(go_set_procs(1 + (i + (int)(intptr_t)arg) % 4) > 0);
    }
}

static void sleeps_for_a_moment(void *arg)
{
    (void)arg;
    while (!stop) {
        CHECK_EQUAL(go_sleep(1), 0);
    }
}

/* TestStopTheWorldDeadlock, TestSleepZeroDeadlock: several stop the world at once, while others yield, sleep and start goroutines. */
static void the_world_is_stopped_from_everywhere(void)
{
    int procs = go_procs();
    go_waitgroup stoppers = GO_WAITGROUP_INIT;
    stop = false;
    for (int i = 0; i < 2; i++) {
        go_waitgroup_go(&wg, yields_until_stop, NULL);
        go_waitgroup_go(&wg, sleeps_for_a_moment, NULL);
        go_waitgroup_go(&stoppers, changes_procs, (void *)(intptr_t)i);
    }
    go_waitgroup_wait(&stoppers);
    stop = true;
    go_waitgroup_wait(&wg);
    (void)go_set_procs(procs);
}

static void yields_a_few_times(void *arg)
{
    (void)arg;
    for (int i = 0; i < 5; i++) {
        go_yield();
    }
}

static int start_many(void *arg)
{
    CHECK_EQUAL(go_procs(), *(int *)arg);
    CHECK_EQUAL(go_set_procs(go_procs() + 1), -EINVAL);
    for (int i = 0; i < 500; i++) {
        go_waitgroup_go(&wg, yields_a_few_times, NULL);
    }
    go_waitgroup_wait(&wg);
    return 0;
}

/* TestBigGOMAXPROCS. */
static void as_many_ps_as_there_may_be(void **state)
{
    (void)state;
    int procs = 1024;
    const go_config config = {.procs = procs};
    assert_int_equal(go_run_config(&config, start_many, &procs), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BEHAVIOUR(there_are_no_helper_goroutines),       BEHAVIOUR(what_comes_before_go_is_seen_by_the_goroutine),
        BEHAVIOUR(who_yields_lets_others_go_on),         BEHAVIOUR(a_goroutine_may_end_locked),
        BEHAVIOUR(a_locked_goroutine_may_wait),          BEHAVIOUR(as_many_goroutines_run_as_there_are_ps),
        BEHAVIOUR(who_spins_for_another_is_preempted),   BEHAVIOUR(two_that_hand_over_starve_nobody),
        BEHAVIOUR(the_world_is_stopped_from_everywhere), cmocka_unit_test(as_many_ps_as_there_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
