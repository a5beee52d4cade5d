/* The two ends of a run, and who comes to them late. */
#include "regress/child.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "sched/standin.h"
#include "time/wait.h"

static go_chan *c;
static pthread_t thread;
static atomic_int here, over;

static int main_ends_when_the_thread_is_here(void *fn)
{
    here = over = 0;
    CHECK_EQUAL(pthread_create(&thread, NULL, *(void *(**)(void *))fn, NULL), 0);
    while (!here) {
        CHECK_EQUAL(go_sleep(GO_MILLISECOND), 0);
    }
    return 0;
}

/* fn is a thread that uses goco and then sets `here`; `over` is set when the run has ended. */
static int run_under(void *(*fn)(void *arg))
{
    int code = go_run(main_ends_when_the_thread_is_here, &fn);
    over = 1;
    CHECK_EQUAL(pthread_join(thread, NULL), 0);
    return code;
}

/* --- a thread that calls when the run is over --- */

static void *call_afterwards(void *arg)
{
    static go_mutex free_mutex;
    int value, pair[2];
    CHECK_EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    CHECK_EQUAL(go_chan_try_recv(c, &value), -EAGAIN);
    here = 1;
    UNTIL(over);
    CHECK_EQUAL(go_chan_recv_until(c, &value, go_now() + 1000 * GO_SECOND), -ECANCELED);
    CHECK_EQUAL(go_chan_recv_until(c, &value, go_now() - 1), -ETIMEDOUT);
    CHECK_EQUAL(go_chan_recv(c, &value), -ECANCELED);
    CHECK_EQUAL(go_read(pair[0], &value, 1), -ECANCELED);
    CHECK_EQUAL(write(pair[1], "x", 1), 1);
    CHECK_EQUAL(go_read(pair[0], &value, 1), 1);
    CHECK_EQUAL(go_sleep(1000 * GO_SECOND), -ECANCELED);
    CHECK_EQUAL(go_sleep(0), 0);
    CHECK_EQUAL(go_mutex_lock_until(&free_mutex, go_now() + 1000 * GO_SECOND), 0);
    go_mutex_unlock(&free_mutex);
    return arg;
}

static int call_after_the_run(void *arg)
{
    (void)arg;
    c = go_chan_new(sizeof(int), 0);
    return run_under(call_afterwards);
}

static void timed_calls_after_the_run_return(void **state)
{
    (void)state;
    child_exits(call_after_the_run, NULL, 0);
}

/* --- a thread whose calls meet the end --- */

static void *sleep_over_the_end(void *arg)
{
    int code;
    while ((code = go_sleep(20 * GO_MICROSECOND)) == 0) {
        here = 1;
    }
    CHECK_EQUAL(code, -ECANCELED);
    return arg;
}

static void *receive_over_the_end(void *arg)
{
    int value, code;
    while ((code = go_chan_recv_until(c, &value, go_now() + 20 * GO_MICROSECOND)) == -ETIMEDOUT && !over) {
        here = 1;
    }
    CHECK(code == -ECANCELED || code == -ETIMEDOUT);
    return arg;
}

static void *read_over_the_end(void *arg)
{
    int pair[2];
    char byte;
    CHECK_EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    CHECK_EQUAL(go_set_read_deadline(pair[0], go_now() - 1), 0);
    CHECK_EQUAL(go_read(pair[0], &byte, 1), -ETIMEDOUT);
    CHECK_EQUAL(go_set_read_deadline(pair[0], GO_FOREVER), 0);
    here = 1;
    CHECK_EQUAL(go_read(pair[0], &byte, 1), -ECANCELED);
    CHECK_EQUAL(close(pair[0]), 0);
    CHECK_EQUAL(close(pair[1]), 0);
    return arg;
}

static int many_ends(void *arg)
{
    static void *(*const threads[])(void *arg) = {sleep_over_the_end, receive_over_the_end, read_over_the_end};
    (void)arg;
    c = go_chan_new(sizeof(int), 0);
    for (int round = 0; round < 90; round++) {
        CHECK_EQUAL(run_under(threads[round % 3]), 0);
    }
    return 0;
}

static void calls_that_meet_the_end_are_cancelled(void **state)
{
    (void)state;
    child_exits(many_ends, NULL, 0);
}

static void *receive_the_last(void *arg)
{
    int value;
    CHECK_EQUAL(go_chan_try_recv(c, &value), -EAGAIN);
    here = 1;
    CHECK_EQUAL(go_chan_recv(c, &value), 0);
    CHECK_EQUAL(value, 7);
    return arg;
}

static int send_and_end(void *arg)
{
    static void *(*fn)(void *arg) = receive_the_last;
    int value = 7;
    CHECK_EQUAL(main_ends_when_the_thread_is_here(&fn), 0);
    CHECK_EQUAL(go_chan_send(c, &value), 0);
    return arg == NULL ? 0 : 1;
}

static int many_last_elements(void *arg)
{
    c = go_chan_new(sizeof(int), 0);
    for (int round = 0; round < 100; round++) {
        CHECK_EQUAL(go_run(send_and_end, arg), 0);
        CHECK_EQUAL(pthread_join(thread, NULL), 0);
    }
    return 0;
}

static void a_wait_that_was_served_before_the_end_returns_what_it_got(void **state)
{
    (void)state;
    child_exits(many_last_elements, NULL, 0);
}

/* --- a thread that loses the CPU for so long that it wakes in another run --- */

static void *wait_in_the_next_run(void *arg)
{
    struct go__g *gp = go__self();
    uint32_t ticket = go__wait_begin(gp, INT64_MAX, false);
    here = 1;
    UNTIL(over); /* set within the next run */
    CHECK_EQUAL(go__wait_park(gp, ticket, INT64_MAX, NULL, NULL, GO__REASON_CHAN_RECEIVE), -ECANCELED);
    here = 2;
    return arg;
}

static int main_waits_for_the_thread(void *arg)
{
    over = 1;
    while (here != 2) { /* for ever if the thread waits for the end of this run */
        CHECK_EQUAL(go_sleep(GO_MILLISECOND), 0);
    }
    return arg == NULL ? 0 : 1;
}

static int two_runs(void *arg)
{
    static void *(*fn)(void *arg) = wait_in_the_next_run;
    CHECK_EQUAL(go_run(main_ends_when_the_thread_is_here, &fn), 0);
    CHECK_EQUAL(go_run(main_waits_for_the_thread, arg), 0);
    CHECK_EQUAL(pthread_join(thread, NULL), 0);
    return 0;
}

static void a_wait_begun_in_one_run_does_not_last_into_the_next(void **state)
{
    (void)state;
    child_exits(two_runs, NULL, 0);
}

/* --- a run that is over at once --- */

static int nothing(void *arg)
{
    return (int)(intptr_t)arg;
}

static void *load(void *arg)
{
    while (!over) {}
    return arg;
}

static int many_short_runs(void *arg)
{
    pthread_t loads[4];
    (void)arg;
    over = 0;
    for (int i = 0; i < 4; i++) { /* so that go_run's thread loses the CPU at any step */
        CHECK_EQUAL(pthread_create(&loads[i], NULL, load, NULL), 0);
    }
    for (int i = 0; i < 300; i++) {
        CHECK_EQUAL(go_run(nothing, (void *)(intptr_t)(i % 100)), i % 100);
    }
    over = 1;
    for (int i = 0; i < 4; i++) {
        CHECK_EQUAL(pthread_join(loads[i], NULL), 0);
    }
    return 0;
}

static void a_run_returns_what_main_returned_however_short_it_was(void **state)
{
    (void)state;
    child_exits(many_short_runs, NULL, 0);
}

/* --- a main that has lost its p --- */

static void compute_for_ever(void *arg)
{
    (void)arg;
    for (volatile int busy = 1; busy;) {}
}

/* Beyond four hogs a p the next one keeps it. */
static int more_hogs_than_may_be(void *arg)
{
    (void)arg;
    for (int i = 0; i < 6; i++) {
        go(compute_for_ever, NULL);
    }
    (void)usleep(200000); /* an undeclared blocking call: sysmon takes the p */
    return 7;
}

static void main_returns_though_hogs_keep_every_p(void **state)
{
    const go_config one = {.procs = 1, .stop_timeout = 10 * GO_MILLISECOND};
    (void)state;
    child_runs(&one, more_hogs_than_may_be, 7);
}

/* --- what a goroutine that executed had bound --- */

static go_context *bound;
static atomic_int computes, main_is_over;

static void compute_bound(void *arg)
{
    (void)arg;
    (void)go_context_bind(bound);
    computes = 1;
    while (!main_is_over) {}
    (void)usleep(20000);
    go_yield();
}

static int leave_it_computing(void *arg)
{
    (void)arg;
    go(compute_bound, NULL);
    while (!computes) {
        go_yield();
    }
    main_is_over = 1;
    return 0;
}

static int cancel_afterwards(void *arg)
{
    const go_config two = {.procs = 2};
    bound = go_context_with_cancel(NULL);
    CHECK_EQUAL(go_run_config(&two, leave_it_computing, arg), 0);
    go_context_cancel(bound, -ECANCELED);
    go_context_unref(bound);
    return 0;
}

static void who_met_the_end_at_a_call_is_bound_to_nothing(void **state)
{
    (void)state;
    child_exits(cancel_afterwards, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timed_calls_after_the_run_return),
        cmocka_unit_test(calls_that_meet_the_end_are_cancelled),
        cmocka_unit_test(a_wait_that_was_served_before_the_end_returns_what_it_got),
        cmocka_unit_test(a_wait_begun_in_one_run_does_not_last_into_the_next),
        cmocka_unit_test(a_run_returns_what_main_returned_however_short_it_was),
        cmocka_unit_test(main_returns_though_hogs_keep_every_p),
        cmocka_unit_test(who_met_the_end_at_a_call_is_bound_to_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
