/* Hogs and blocking calls do not stop the others; a goroutine keeps its thread but in calls that may park. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <go.h>

#include "support/check.h"

static atomic_int hits, stop;

static int run(int (*fn)(void *arg))
{
    hits = 0;
    stop = 0;
    return go_run(fn, NULL);
}

static void wait_for(int n)
{
    while (hits < n) {
        (void)go_sleep(GO_MILLISECOND);
    }
}

static void hog(void *arg)
{
    (void)arg;
    while (!stop) {}
    hits++;
}

static int outlive_hogs(void *arg)
{
    (void)arg;
    int hogs = go_procs();
    for (int i = 0; i < hogs; i++) {
        go(hog, NULL);
    }
    for (int i = 0; i < 20; i++) {
        CHECK(go_sleep(GO_MILLISECOND) == 0);
    }
    stop = 1;
    wait_for(hogs);
    return 0;
}

static void test_a_sleeper_wakes_while_every_p_runs_a_hog(void **state)
{
    (void)state;
    assert_int_equal(run(outlive_hogs), 0);
}

static __attribute__((noinline)) int step(int n)
{
    __asm__ volatile("" : "+r"(n));
    return n + 1;
}

static void calling_hog(void *arg)
{
    pthread_t self = pthread_self();
    int n = 0;
    (void)arg;
    while (!stop) {
        n = step(n);
        CHECK(pthread_equal(self, pthread_self()));
    }
    hits++;
}

static int outlive_calling_hogs(void *arg)
{
    (void)arg;
    int hogs = go_procs() * 3;
    for (int i = 0; i < hogs; i++) {
        go(calling_hog, NULL);
    }
    for (int i = 0; i < 20; i++) {
        CHECK(go_sleep(GO_MILLISECOND) == 0);
    }
    stop = 1;
    wait_for(hogs);
    return 0;
}

static void test_hogs_that_call_functions_share_the_ps_and_keep_their_threads(void **state)
{
    (void)state;
    assert_int_equal(run(outlive_calling_hogs), 0);
}

static int everybody;

/* Sleeps in the kernel, again and again until everybody does. */
static void nap(void *arg)
{
    const struct timespec time = {0, 5000000};
    (void)arg;
    for (hits++; hits < everybody;) {
        CHECK(nanosleep(&time, NULL) == 0);
    }
}

static int naps(void *arg)
{
    (void)arg;
    for (int i = 0; i < everybody; i++) {
        go(nap, NULL);
    }
    wait_for(everybody);
    return hits;
}

static void test_undeclared_blocking_calls_overlap(void **state)
{
    (void)state;
    everybody = 64;
    assert_int_equal(run(naps), everybody);
}

/* Nothing can be opened: sysmon cannot ask the kernel whether a thread sleeps. */
static int naps_without_descriptors(void *arg)
{
    struct rlimit before, tight;
    CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    tight = before;
    tight.rlim_cur = 3;
    CHECK(setrlimit(RLIMIT_NOFILE, &tight) == 0);
    CHECK(open("/dev/null", O_RDONLY) == -1 && errno == EMFILE);
    int result = naps(arg);
    CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
    return result;
}

static void test_undeclared_blocking_calls_overlap_without_descriptors(void **state)
{
    (void)state;
    everybody = 16;
    assert_int_equal(run(naps_without_descriptors), everybody);
}

static void declared_nap(void *arg)
{
    const struct timespec time = {0, 20000000};
    (void)arg;
    go_block_begin();
    go_block_begin(); /* nests */
    CHECK(nanosleep(&time, NULL) == 0);
    go_block_end();
    go_block_end();
    hits++;
    go_yield();
}

static int declared_naps(void *arg)
{
    (void)arg;
    for (int i = 0; i < 64; i++) {
        go(declared_nap, NULL);
    }
    wait_for(64);
    return hits;
}

static void test_declared_blocking_calls_overlap(void **state)
{
    (void)state;
    assert_int_equal(run(declared_naps), 64);
}

static void block_and_call(void *arg)
{
    (void)arg;
    go_block_begin();
    go_yield(); /* a goco call in between takes a p again */
    go_block_end();
    hits++;
}

static int block_and_calls(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        go(block_and_call, NULL);
    }
    wait_for(100);
    return hits;
}

static void test_goco_calls_between_block_begin_and_end_work(void **state)
{
    (void)state;
    assert_int_equal(run(block_and_calls), 100);
}

static _Thread_local int local;

/* One round between two calls that may park. A function of its own, as every user of thread-locals needs: a compiler may keep the
 * address of one over a call within a function, and the next round may be on another thread. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
__attribute__((no_sanitize("thread"))) /* one thread's word in turn; to it, goroutines that share it race */
#endif
#endif
__attribute__((noinline)) static void
compute_a_round(int number)
{
    pthread_t self = pthread_self();
    local = number;
    errno = number;
    for (volatile int i = 0; i < 200000; i++) {
        CHECK(i % 8 != 0 || (local == number && errno == number && pthread_equal(self, pthread_self())));
    }
}

static void keep_thread(void *arg)
{
    for (int round = 0; round < 50; round++) {
        compute_a_round((int)(intptr_t)arg);
        go_yield();
    }
    hits++;
}

static int keep_threads(void *arg)
{
    (void)arg;
    for (int i = 1; i <= 8; i++) {
        go(keep_thread, (void *)(intptr_t)i);
    }
    wait_for(8);
    return hits;
}

static void test_errno_and_thread_locals_hold_between_calls(void **state)
{
    (void)state;
    assert_int_equal(run(keep_threads), 8);
}

static void locked(void *arg)
{
    (void)arg;
    go_lock_thread();
    go_lock_thread();
    pthread_t self = pthread_self();
    for (int i = 0; i < 100; i++) {
        go_yield();
        CHECK(pthread_equal(self, pthread_self()));
        if (i % 10 == 0) {
            CHECK(go_sleep(100000) == 0);
            CHECK(pthread_equal(self, pthread_self()));
        }
    }
    go_unlock_thread();
    go_yield();
    CHECK(pthread_equal(self, pthread_self()));
    go_unlock_thread();
    hits++;
}

static void locked_for_life(void *arg)
{
    (void)arg;
    go_lock_thread();
    CHECK(go_sleep(GO_MILLISECOND) == 0);
    hits++;
}

static int locks(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        go(locked, NULL);
        go(locked_for_life, NULL);
    }
    wait_for(40);
    return hits;
}

static void test_a_locked_goroutine_stays_on_its_thread(void **state)
{
    (void)state;
    assert_int_equal(run(locks), 40);
}

static int lock_main(void *arg)
{
    (void)arg;
    go_lock_thread();
    pthread_t self = pthread_self();
    for (int i = 0; i < 50; i++) {
        CHECK(go_sleep(10000) == 0);
        CHECK(pthread_equal(self, pthread_self()));
    }
    return 1; /* locked still */
}

static void test_main_may_end_locked(void **state)
{
    (void)state;
    assert_int_equal(run(lock_main), 1);
}

static void work(void *arg)
{
    (void)arg;
    while (!stop) {
        go_yield();
        CHECK(go_sleep(1000) == 0);
    }
    hits++;
}

static int change_procs(void *arg)
{
    (void)arg;
    int before = go_procs();
    for (int i = 0; i < 50; i++) {
        go(work, NULL);
    }
    static const int steps[] = {1, 8, 3, 64, 2, 5, 1, 16, 4};
    int last = before;
    for (int round = 0; round < 5; round++) {
        for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
            CHECK_EQUAL(go_set_procs(steps[i]), last);
            CHECK_EQUAL(go_procs(), steps[i]);
            last = steps[i];
            CHECK(go_sleep(GO_MILLISECOND) == 0);
        }
    }
    CHECK_EQUAL(go_set_procs(0), -EINVAL);
    CHECK_EQUAL(go_set_procs(-3), -EINVAL);
    stop = 1;
    wait_for(50);
    return hits;
}

static void test_procs_change_under_load(void **state)
{
    (void)state;
    assert_int_equal(run(change_procs), 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sleeper_wakes_while_every_p_runs_a_hog),
        cmocka_unit_test(test_hogs_that_call_functions_share_the_ps_and_keep_their_threads),
        cmocka_unit_test(test_undeclared_blocking_calls_overlap),
        cmocka_unit_test(test_undeclared_blocking_calls_overlap_without_descriptors),
        cmocka_unit_test(test_declared_blocking_calls_overlap),
        cmocka_unit_test(test_goco_calls_between_block_begin_and_end_work),
        cmocka_unit_test(test_errno_and_thread_locals_hold_between_calls),
        cmocka_unit_test(test_a_locked_goroutine_stays_on_its_thread),
        cmocka_unit_test(test_main_may_end_locked),
        cmocka_unit_test(test_procs_change_under_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
