/* go_waitgroup beside Go's sync.WaitGroup. */
#include <errno.h>
#include <stdlib.h>

#include "support/behaviour.h"
#include "unit/sync/waiting.h"

static go_waitgroup first, second;
static _Atomic(int) passed;

static void meets(void *arg)
{
    (void)arg;
    go_waitgroup_done(&first);
    go_waitgroup_wait(&second);
    passed++;
}

static void waiters_go_together_and_the_group_is_used_again(void)
{
    for (int round = 0; round < 8; round++) {
        passed = 0;
        go_waitgroup_add(&first, 16);
        go_waitgroup_add(&second, 16);
        go_waitgroup all = GO_WAITGROUP_INIT;
        for (int i = 0; i < 16; i++) {
            go_waitgroup_go(&all, meets, NULL);
        }
        go_waitgroup_wait(&first);
        for (int i = 0; i < 16; i++) {
            CHECK_EQUAL(passed, 0);
            go_waitgroup_done(&second);
        }
        go_waitgroup_wait(&all);
        CHECK_EQUAL(passed, 16);
    }
}

static void add_to(void *arg)
{
    (*(_Atomic(int) *)arg)++;
}

static void everything_before_done_is_seen_after_wait(void)
{
    for (int i = 0; i < 1000; i++) {
        go_waitgroup *wg = calloc(1, sizeof *wg);
        CHECK(wg != NULL);
        _Atomic(int) n = 0;
        go_waitgroup_go(wg, add_to, &n);
        go_waitgroup_go(wg, add_to, &n);
        go_waitgroup_wait(wg);
        CHECK_EQUAL(n, 2);
        free(wg); /* at once: whoever called done does not look at it again */
    }
}

static void wait_on_zero_returns(void)
{
    go_waitgroup wg = GO_WAITGROUP_INIT;
    go_waitgroup_wait(&wg);
    go_waitgroup_add(&wg, 3);
    go_waitgroup_add(&wg, -3);
    go_waitgroup_wait(&wg);
    CHECK_EQUAL(go_waitgroup_wait_until(&wg, 0), 0);
}

static void exits(void *arg)
{
    (void)arg;
    go_exit();
}

static void go_exit_counts_as_done(void)
{
    go_waitgroup wg = GO_WAITGROUP_INIT;
    for (int i = 0; i < 10; i++) {
        go_waitgroup_go(&wg, exits, NULL);
    }
    go_waitgroup_wait(&wg);
}

static void waits(void *arg)
{
    go_waitgroup_wait(arg);
    passed++;
}

static void many_wait_for_one(void)
{
    go_waitgroup wg = GO_WAITGROUP_INIT, all = GO_WAITGROUP_INIT;
    passed = 0;
    go_waitgroup_add(&wg, 1);
    for (int i = 0; i < 1000; i++) {
        go_waitgroup_go(&all, waits, &wg);
    }
    UNTIL(waiting_for_group(&wg) == 1000);
    CHECK_EQUAL(passed, 0);
    go_waitgroup_done(&wg);
    go_waitgroup_wait(&all);
    CHECK_EQUAL(passed, 1000);
}

static void until_gives_up_and_the_group_goes_on(void)
{
    go_waitgroup wg = GO_WAITGROUP_INIT, all = GO_WAITGROUP_INIT;
    passed = 0;
    go_waitgroup_add(&wg, 1);
    CHECK_EQUAL(go_waitgroup_wait_until(&wg, go_now() - 1), -ETIMEDOUT);
    go_waitgroup_go(&all, waits, &wg);
    UNTIL(waiting_for_group(&wg) == 1);
    int64_t deadline = go_now() + 2 * GO_MILLISECOND;
    CHECK_EQUAL(go_waitgroup_wait_until(&wg, deadline), -ETIMEDOUT);
    CHECK(go_now() >= deadline);
    CHECK_EQUAL(waiting_for_group(&wg), 1);
    go_waitgroup_done(&wg);
    CHECK_EQUAL(go_waitgroup_wait_until(&wg, GO_FOREVER), 0);
    go_waitgroup_wait(&all);
    CHECK_EQUAL(passed, 1);
}

static void waits_until(void *arg)
{
    CHECK_EQUAL(go_waitgroup_wait_until(arg, GO_FOREVER), -ECANCELED);
}

static void a_context_cancels_until_but_never_wait(void)
{
    go_waitgroup wg = GO_WAITGROUP_INIT, all = GO_WAITGROUP_INIT;
    go_context *ctx = go_context_with_cancel(NULL);
    passed = 0;
    go_waitgroup_add(&wg, 1);
    (void)go_context_bind(ctx);
    go_waitgroup_go(&all, waits, &wg);
    go_waitgroup_go(&all, waits_until, &wg);
    (void)go_context_bind(NULL);
    UNTIL(waiting_for_group(&wg) == 2);
    go_context_cancel(ctx, 0);
    UNTIL(waiting_for_group(&wg) == 1);
    go_waitgroup_done(&wg);
    go_waitgroup_wait(&all);
    CHECK_EQUAL(passed, 1);
    (void)go_context_bind(ctx);
    CHECK_EQUAL(go_waitgroup_wait_until(&wg, GO_FOREVER), -ECANCELED);
    (void)go_context_bind(NULL);
    go_context_unref(ctx);
}

static void *foreign_waits(void *arg)
{
    waits(arg);
    CHECK_EQUAL(go_waitgroup_wait_until(arg, GO_FOREVER), 0);
    return NULL;
}

static void waiter_of_a_thread(void *arg)
{
    on_foreign_thread(foreign_waits, arg);
}

static void *foreign_done(void *arg)
{
    go_waitgroup_done(arg);
    return NULL;
}

static void threads_wait_and_finish_too(void)
{
    go_waitgroup wg = GO_WAITGROUP_INIT, all = GO_WAITGROUP_INIT;
    passed = 0;
    go_waitgroup_add(&wg, 1);
    for (int i = 0; i < 3; i++) {
        go_waitgroup_go(&all, waiter_of_a_thread, &wg);
        go_waitgroup_go(&all, waits, &wg);
    }
    UNTIL(waiting_for_group(&wg) == 6);
    on_foreign_thread(foreign_done, &wg);
    go_waitgroup_wait(&all);
    CHECK_EQUAL(passed, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BEHAVIOUR(waiters_go_together_and_the_group_is_used_again),
        BEHAVIOUR(everything_before_done_is_seen_after_wait),
        BEHAVIOUR(wait_on_zero_returns),
        BEHAVIOUR(go_exit_counts_as_done),
        BEHAVIOUR(many_wait_for_one),
        BEHAVIOUR(until_gives_up_and_the_group_goes_on),
        BEHAVIOUR(a_context_cancels_until_but_never_wait),
        BEHAVIOUR(threads_wait_and_finish_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
