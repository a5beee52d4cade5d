/* Goroutines that compute without a goco call lose their p while others wait, but not so often that they multiply threads; those that
 * block their thread do, as often as it takes. */
#include "regress/child.h"

#include <dirent.h>
#include <stdatomic.h>

#define OTHER_THREADS 16 /* go_run's, sysmon, the counting one, idle ones, one that is not caught computing */

static atomic_int inside, stop, most_threads;
static int crowd, bound, ends[2];

static int count_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    int n = 0;
    CHECK(tasks != NULL);
    for (struct dirent *e = readdir(tasks); e != NULL; e = readdir(tasks)) {
        n += e->d_name[0] != '.';
    }
    CHECK_EQUAL(closedir(tasks), 0);
    return n;
}

static void compute(void *arg)
{
    (void)arg;
    inside++;
    while (!stop) {}
}

static void block(void *arg)
{
    char byte;
    (void)arg;
    inside++;
    CHECK_EQUAL(read(ends[0], &byte, 1), 0);
}

/* Counts for a while once there are as many as are allowed. */
static void *count_computing(void *arg)
{
    UNTIL(inside >= bound);
    for (int i = 0; i < 30; i++) {
        int n = count_threads();
        most_threads = n > most_threads ? n : most_threads;
        (void)usleep(10000);
    }
    stop = 1;
    return arg;
}

static void *count_blocked(void *arg)
{
    UNTIL(inside == crowd); /* all of them, at the same time */
    most_threads = count_threads();
    CHECK_EQUAL(close(ends[1]), 0);
    return arg;
}

static int crowd_main(void (*body)(void *arg), void *(*counter)(void *arg))
{
    pthread_t thread;
    go_waitgroup all = GO_WAITGROUP_INIT;
    bound = go_procs() * 5;
    crowd = bound + 40;
    CHECK_EQUAL(pthread_create(&thread, NULL, counter, NULL), 0);
    for (int i = 0; i < crowd; i++) {
        go_waitgroup_go(&all, body, NULL);
    }
    go_waitgroup_wait(&all);
    CHECK_EQUAL(pthread_join(thread, NULL), 0);
    CHECK_EQUAL(inside, crowd);
    return 0;
}

static int computing(void *arg)
{
    (void)arg;
    CHECK_EQUAL(crowd_main(compute, count_computing), 0);
    CHECK(most_threads <= bound + OTHER_THREADS);
    return 0;
}

static int blocked(void *arg)
{
    (void)arg;
    CHECK_EQUAL(pipe(ends), 0);
    CHECK_EQUAL(crowd_main(block, count_blocked), 0);
    CHECK(most_threads > crowd);
    return 0;
}

static void nothing(void *arg)
{
    (void)arg;
}

/* Its thread sleeps, so it loses its p, then it needs one again. */
static void block_and_call(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        (void)usleep(500);
        go(nothing, NULL);
        for (volatile int spin = 0; spin < 20000; spin++) {}
    }
    inside++;
}

static int at_the_limit(void *arg)
{
    go_waitgroup all = GO_WAITGROUP_INIT;
    (void)arg;
    for (int i = 0; i < 40; i++) {
        go_waitgroup_go(&all, block_and_call, NULL);
    }
    go_waitgroup_wait(&all);
    CHECK_EQUAL(inside, 40);
    return 0;
}

__attribute__((noinline)) static int one_more(int n)
{
    volatile int frame[32] = {n}; /* worth a look at the stack */
    return frame[0] + 1;
}

/* usleep needs a segment, which stack_max allows; another one it does not. */
static void call_until_stopped(void *arg)
{
    int n = 0;
    (void)arg;
    (void)usleep(1000);
    while (!stop) {
        n = one_more(n) % 1000;
    }
    inside++;
}

static int at_the_end_of_the_stack(void *arg)
{
    go_waitgroup all = GO_WAITGROUP_INIT;
    (void)arg;
    for (int i = 0; i < 2 * go_procs(); i++) {
        go_waitgroup_go(&all, call_until_stopped, NULL);
    }
    for (int i = 0; i < 100; i++) {
        CHECK_EQUAL(go_sleep(GO_MILLISECOND), 0);
    }
    stop = 1;
    go_waitgroup_wait(&all);
    return inside == 2 * go_procs() ? 0 : 1;
}

static void endless_computations_make_at_most_five_threads_a_p(void **state)
{
    (void)state;
    child_runs(NULL, computing, 0);
}

static void blocked_threads_are_not_bounded_so(void **state)
{
    (void)state;
    child_runs(NULL, blocked, 0);
}

/* All threads may wait with goroutines of their own on their hands: a p for which no thread can be started goes to one of those. */
static void at_the_limit_of_threads_those_that_wait_go_on(void **state)
{
    const char *procs = getenv("GOCO_PROCS");
    const go_config few = {.max_threads = (size_t)(procs != NULL ? atoi(procs) : 2) + 3};
    (void)state;
    child_runs(&few, at_the_limit, 0);
}

/* Who is asked to give way needs a segment for it. */
static void giving_way_is_no_overflow(void **state)
{
    const go_config small = {.stack_max = (size_t)512 * 1024};
    (void)state;
    child_runs(&small, at_the_end_of_the_stack, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endless_computations_make_at_most_five_threads_a_p),
        cmocka_unit_test(blocked_threads_are_not_bounded_so),
        cmocka_unit_test(at_the_limit_of_threads_those_that_wait_go_on),
        cmocka_unit_test(giving_way_is_no_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
