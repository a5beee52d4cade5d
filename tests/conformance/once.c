/* go_once beside Go's sync.Once. */
#include "support/behaviour.h"
#include "unit/sync/waiting.h"

static go_once once;
static go_waitgroup wg;
static int runs;
static _Atomic(int) release;

static void increment(void *arg)
{
    (*(int *)arg)++;
}

static void call(void *arg)
{
    go_once_do(&once, increment, arg);
    CHECK_EQUAL(*(int *)arg, 1);
}

static void only_the_first_call_runs(void)
{
    once = (go_once)GO_ONCE_INIT;
    runs = 0;
    for (int i = 0; i < 10; i++) {
        go_waitgroup_go(&wg, call, &runs);
    }
    go_waitgroup_wait(&wg);
    CHECK_EQUAL(runs, 1);
    call(&runs);
}

static void call_it(void *arg)
{
    go_once_do(&once, increment, arg);
}

/* ref/mem, "Once": what fn did comes before the return of any call. Nothing else orders the two here. */
static void what_fn_did_is_seen_after_any_call(void)
{
    for (int i = 0; i < 1000; i++) {
        once = (go_once)GO_ONCE_INIT;
        runs = 0;
        go(call_it, &runs);
        UNTIL(__atomic_load_n(&once.private_word, __ATOMIC_RELAXED) == GO__ONCE_DONE);
        go_once_do(&once, increment, &runs);
        CHECK_EQUAL(runs, 1);
    }
}

static void exits(void *arg)
{
    increment(arg);
    go_exit();
}

static void exits_inside(void *arg)
{
    go_once_do(&once, exits, arg);
    CHECK(0);
}

/* As a panic in Go: the call is over, and nobody calls again. */
static void go_exit_inside_counts_as_over(void)
{
    once = (go_once)GO_ONCE_INIT;
    runs = 0;
    go_waitgroup_go(&wg, exits_inside, &runs);
    go_waitgroup_wait(&wg);
    CHECK_EQUAL(runs, 1);
    call(&runs);
}

static void slow(void *arg)
{
    UNTIL(release != 0);
    increment(arg);
}

static void call_slow(void *arg)
{
    go_once_do(&once, slow, arg);
    CHECK_EQUAL(*(int *)arg, 1);
}

static void *foreign_call(void *arg)
{
    call_slow(arg);
    return NULL;
}

static void call_from_a_thread(void *arg)
{
    on_foreign_thread(foreign_call, arg);
}

static void others_wait_until_it_is_over(void)
{
    once = (go_once)GO_ONCE_INIT;
    runs = 0;
    release = 0;
    go_waitgroup_go(&wg, call_slow, &runs);
    UNTIL(__atomic_load_n(&once.private_word, __ATOMIC_RELAXED) != 0);
    for (int i = 0; i < 5; i++) {
        go_waitgroup_go(&wg, call_slow, &runs);
    }
    go_waitgroup_go(&wg, call_from_a_thread, &runs);
    UNTIL(waiting_for_once(&once) == 6);
    release = 1;
    go_waitgroup_wait(&wg);
    CHECK_EQUAL(runs, 1);
}

static void exits_slowly(void *arg)
{
    slow(arg);
    go_exit();
}

static void call_that_exits(void *arg)
{
    go_once_do(&once, exits_slowly, arg);
}

static void who_waits_goes_on_after_go_exit(void)
{
    once = (go_once)GO_ONCE_INIT;
    runs = 0;
    release = 0;
    go_waitgroup_go(&wg, call_that_exits, &runs);
    UNTIL(__atomic_load_n(&once.private_word, __ATOMIC_RELAXED) != 0);
    go_waitgroup_go(&wg, call, &runs);
    UNTIL(waiting_for_once(&once) == 1);
    release = 1;
    go_waitgroup_wait(&wg);
    CHECK_EQUAL(runs, 1);
}

static void inner(void *arg)
{
    (*(int *)arg)++;
}

static void outer(void *arg)
{
    static go_once another;
    go_once_do(&another, inner, arg);
    go_once_do(&another, inner, arg);
}

static void one_once_inside_another(void)
{
    once = (go_once)GO_ONCE_INIT;
    runs = 0;
    go_once_do(&once, outer, &runs);
    CHECK_EQUAL(runs, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BEHAVIOUR(only_the_first_call_runs),        BEHAVIOUR(what_fn_did_is_seen_after_any_call),
        BEHAVIOUR(go_exit_inside_counts_as_over),   BEHAVIOUR(others_wait_until_it_is_over),
        BEHAVIOUR(who_waits_goes_on_after_go_exit), BEHAVIOUR(one_once_inside_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
