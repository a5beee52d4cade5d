/* Start and end of a run: results, configuration, what is left over afterwards. */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <go.h>

#include "base/compiler.h"
#include "support/check.h"

static atomic_int hits;
static int threads_at_start; /* a tool may have one of its own */

static void hit(void *arg)
{
    (void)arg;
    hits++;
}

static int answer(void *arg)
{
    return *(int *)arg;
}

static void test_run_returns_what_main_returned(void **state)
{
    (void)state;
    int values[] = {0, 42, -7};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        assert_int_equal(go_run(answer, &values[i]), values[i]);
    }
}

static int run_inside(void *arg)
{
    int one = 1;
    (void)arg;
    return go_run(answer, &one);
}

static void test_run_in_a_run_is_busy(void **state)
{
    (void)state;
    assert_int_equal(go_run(run_inside, NULL), -EBUSY);
}

static void test_bad_configurations_are_refused(void **state)
{
    (void)state;
    int one = 1;
    const go_config bad[] = {{.procs = -1}, {.procs = 1000000}, {.stop_timeout = -1}, {.stack_reserve = SIZE_MAX}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(go_run_config(&bad[i], answer, &one), -EINVAL);
    }
    assert_int_equal(go_run(NULL, NULL), -EINVAL);
    assert_int_equal(go_run(answer, &one), 1); /* and nothing was left locked */
}

static int procs(void *arg)
{
    (void)arg;
    return go_procs();
}

static void test_procs_are_those_of_the_configuration(void **state)
{
    (void)state;
    const go_config three = {.procs = 3};
    assert_int_equal(go_run_config(&three, procs, NULL), 3);
    assert_int_equal(go_procs(), 0);
}

static int threads_of_this_process(void)
{
    DIR *dir = opendir("/proc/self/task");
    assert_non_null(dir);
    int n = 0;
    while (readdir(dir) != NULL) {
        n++;
    }
    (void)closedir(dir);
    return n - 2;
}

/* Whoever joins a thread goes on before the kernel has taken it from the list: it may be seen a little longer. */
static void assert_no_thread_is_left(void)
{
    for (int i = 0; threads_of_this_process() > threads_at_start && i < 5000; i++) {
        (void)usleep(1000);
    }
    assert_int_equal(threads_of_this_process(), threads_at_start);
}

static int descriptors_of_this_process(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++) {
        n += faccessat(fd, "", F_OK, 0) == 0 || errno != EBADF;
    }
    return n;
}

static long mapped_pages(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    long pages = 0;
    assert_int_equal(fscanf(f, "%ld", &pages), 1);
    (void)fclose(f);
    return pages;
}

static void sleep_long(void *arg)
{
    (void)arg;
    (void)go_sleep(GO_SECOND * 100);
}

static int leave_work(void *arg)
{
    (void)arg;
    for (int i = 0; i < 200; i++) {
        go(hit, NULL);
        go(sleep_long, NULL);
    }
    go_yield();
    return 0;
}

static void test_repeated_runs_leave_no_thread_descriptor_or_page(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(go_run(leave_work, NULL), 0);
    }
    int descriptors = descriptors_of_this_process();
    long pages = mapped_pages();
    for (int i = 0; i < 100; i++) {
        assert_int_equal(go_run(leave_work, NULL), 0);
    }
    assert_no_thread_is_left();
    assert_int_equal(descriptors_of_this_process(), descriptors);
#if !GO__ASAN && !GO__TSAN
    /* malloc keeps an arena for each thread that ever met another: some slack. */
    assert_true(mapped_pages() <= pages + 8 * 65536 / 4);
#else
    (void)pages;
#endif
}

static void *run_on_thread(void *arg)
{
    int value = 5;
    (void)arg;
    return (void *)(intptr_t)go_run(answer, &value);
}

static void test_a_thread_that_is_not_the_main_one_can_run(void **state)
{
    (void)state;
    pthread_t thread;
    void *result;
    assert_int_equal(pthread_create(&thread, NULL, run_on_thread, NULL), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_int_equal((intptr_t)result, 5);
}

static int64_t main_ended;

static int block_a_while(void *arg)
{
    (void)arg;
    (void)usleep(300000); /* sysmon looks around ever more rarely, but does not sleep for good */
    main_ended = go_now();
    return 0;
}

static void test_a_run_that_was_quiet_ends_at_once(void **state)
{
    (void)state;
    int64_t least = INT64_MAX;
    for (int i = 0; i < 3 && least >= GO_SECOND / 2; i++) {
        assert_int_equal(go_run(block_a_while, NULL), 0);
        int64_t took = go_now() - main_ended;
        least = took < least ? took : least;
    }
    assert_true(least < GO_SECOND / 2);
}

static atomic_int stop_hog;

static void hog(void *arg)
{
    (void)arg;
    hits++;
    while (!stop_hog) {}
}

static int start_hog(void *arg)
{
    (void)arg;
    go(hog, NULL);
    while (hits == 0) {
        go_yield();
    }
    return 3;
}

static void test_a_goroutine_that_computes_holds_the_end_up_for_stop_timeout_only(void **state)
{
    (void)state;
    const go_config config = {.stop_timeout = 20 * GO_MILLISECOND};
    hits = 0;
    stop_hog = 0;
    int64_t begun = go_now();
    assert_int_equal(go_run_config(&config, start_hog, NULL), 3);
    assert_true(go_now() - begun >= config.stop_timeout);
    int value = 9;
    assert_int_equal(go_run(answer, &value), 9); /* a new run beside the orphan */
    stop_hog = 1;
    assert_no_thread_is_left();
}

static void wait_for_stop(void *arg)
{
    (void)arg;
    hits++;
    while (!stop_hog) {}
    go_yield(); /* the run is over: never comes back */
    hits++;
}

static int start_waiter(void *arg)
{
    (void)arg;
    go(wait_for_stop, NULL);
    while (hits == 0) {
        go_yield();
    }
    return 0;
}

static void test_an_orphan_ends_at_its_next_call(void **state)
{
    (void)state;
    const go_config config = {.stop_timeout = GO_MILLISECOND};
    hits = 0;
    stop_hog = 0;
    assert_int_equal(go_run_config(&config, start_waiter, NULL), 0);
    stop_hog = 1;
    assert_no_thread_is_left();
    assert_int_equal(hits, 1);
}

static int main_returns_at_once(void *arg)
{
    (void)arg;
    hits = 0;
    for (int i = 0; i < 50; i++) {
        go(hit, NULL);
    }
    return 0;
}

static atomic_int after_end;

static void yield_for_ever(void *arg)
{
    (void)arg;
    for (;;) {
        after_end++;
        go_yield();
    }
}

static int start_yielders(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++) {
        go(yield_for_ever, NULL);
    }
    go_yield();
    return 0;
}

static void test_nothing_is_scheduled_after_main_returned(void **state)
{
    (void)state;
    assert_int_equal(go_run(main_returns_at_once, NULL), 0);
    assert_int_equal(go_run(start_yielders, NULL), 0);
    int seen = after_end;
    (void)usleep(10000);
    assert_int_equal(after_end, seen);
}

static void test_calls_without_a_run_say_so(void **state)
{
    (void)state;
    assert_int_equal(go_spawn(NULL, hit, NULL), -ESRCH);
    assert_int_equal(go_count(), 0);
    assert_int_equal(go_id(), 0);
    assert_int_equal(go_set_procs(2), -ESRCH);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

int main(void)
{
    (void)go_run(nothing, NULL); /* a tool starts its thread beside the first one of the program's */
    threads_at_start = threads_of_this_process();
    for (int i = 0; i < 20; i++) { /* those of the run may still be on their way out */
        (void)usleep(10000);
        int threads = threads_of_this_process();
        threads_at_start = threads < threads_at_start ? threads : threads_at_start;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run_returns_what_main_returned),
        cmocka_unit_test(test_run_in_a_run_is_busy),
        cmocka_unit_test(test_bad_configurations_are_refused),
        cmocka_unit_test(test_procs_are_those_of_the_configuration),
        cmocka_unit_test(test_repeated_runs_leave_no_thread_descriptor_or_page),
        cmocka_unit_test(test_a_thread_that_is_not_the_main_one_can_run),
        cmocka_unit_test(test_a_run_that_was_quiet_ends_at_once),
        cmocka_unit_test(test_a_goroutine_that_computes_holds_the_end_up_for_stop_timeout_only),
        cmocka_unit_test(test_an_orphan_ends_at_its_next_call),
        cmocka_unit_test(test_nothing_is_scheduled_after_main_returned),
        cmocka_unit_test(test_calls_without_a_run_say_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
