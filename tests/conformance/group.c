/* Groups, after the tests of golang.org/x/sync/errgroup. */
#include <errno.h>
#include <stdatomic.h>

#include "support/behaviour.h"

static int give(go_context *ctx, void *arg)
{
    (void)ctx;
    return (int)(intptr_t)arg;
}

static void *code(int value)
{
    return (void *)(intptr_t)value;
}

/* TestZeroGroup: the result is the first that is not 0. */
static void wait_returns_the_first_error(void)
{
    static const int results[][4] = {
        {0}, {0, 0, 0, 0}, {-EIO}, {0, -EIO}, {-EIO, 0}, {-EIO, -EPERM, 0, -EBUSY}, {0, 0, -EPERM, -EIO}};
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
        go_group *group = go_group_new(NULL);
        int first = 0;
        go_group_set_limit(group, 1); /* one after the other */
        for (int n = 0; n < 4; n++) {
            go_group_go(group, give, code(results[i][n]));
            first = first != 0 ? first : results[i][n];
        }
        CHECK_EQUAL(go_group_wait(group), first);
    }
}

static void a_group_without_goroutines_waits_for_nothing(void)
{
    CHECK_EQUAL(go_group_wait(go_group_new(NULL)), 0);
}

static _Atomic(int) running, most, finished;

static int count(go_context *ctx, void *arg)
{
    (void)ctx;
    int now = ++running;
    int seen = most;
    while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now)) {}
    for (int i = 0; i < 5; i++) {
        go_yield();
    }
    CHECK_EQUAL(go_sleep((int64_t)(intptr_t)arg), 0);
    running--;
    finished++;
    return 0;
}

static void wait_waits_for_all(void)
{
    finished = 0;
    go_group *group = go_group_new(NULL);
    for (int i = 0; i < 200; i++) {
        go_group_go(group, count, code(i * 10));
    }
    CHECK_EQUAL(go_group_wait(group), 0);
    CHECK_EQUAL(finished, 200);
    CHECK_EQUAL(running, 0);
}

/* TestGoLimit. */
static void a_limit_holds(void)
{
    static const size_t limits[] = {1, 2, 7};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        most = finished = 0;
        go_group *group = go_group_new(NULL);
        go_group_set_limit(group, limits[i]);
        for (int n = 0; n < 300; n++) {
            go_group_go(group, count, code(n % 3 * 1000));
        }
        CHECK_EQUAL(go_group_wait(group), 0);
        CHECK_EQUAL(finished, 300);
        CHECK(most >= 1 && most <= (int)limits[i]);
    }
}

static go_chan *gate;

static int wait_at_gate(go_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    CHECK_EQUAL(go_chan_recv(gate, NULL), -EPIPE);
    finished++;
    return 0;
}

/* TestTryGo. */
static void try_go_says_whether_there_was_room(void)
{
    finished = 0;
    gate = go_chan_new(0, 0);
    go_group *group = go_group_new(NULL);
    go_group_set_limit(group, 42);
    for (int i = 0; i < 42; i++) {
        CHECK(go_group_try_go(group, wait_at_gate, NULL));
    }
    CHECK(!go_group_try_go(group, wait_at_gate, NULL));
    CHECK(!go_group_try_go(group, give, NULL));
    CHECK_EQUAL(go_chan_close(gate), 0);
    while (finished < 42) {
        go_yield();
    }
    while (!go_group_try_go(group, give, code(-EIO))) { /* room again */
        go_yield();
    }
    CHECK_EQUAL(go_group_wait(group), -EIO);
    go_chan_unref(gate);

    group = go_group_new(NULL); /* without a limit there always is */
    for (int i = 0; i < 1000; i++) {
        CHECK(go_group_try_go(group, give, NULL));
    }
    CHECK_EQUAL(go_group_wait(group), 0);
}

static go_group *open_group;
static _Atomic(bool) through;

static void start_when_there_is_room(void *arg)
{
    (void)arg;
    go_group_go(open_group, give, NULL);
    through = true;
}

static void go_parks_while_the_limit_is_reached(void)
{
    through = false;
    finished = 0;
    gate = go_chan_new(0, 0);
    open_group = go_group_new(NULL);
    go_group_set_limit(open_group, 1);
    go_group_go(open_group, wait_at_gate, NULL);
    go(start_when_there_is_room, NULL);
    CHECK_EQUAL(go_sleep(5 * GO_MILLISECOND), 0);
    CHECK(!through);
    CHECK_EQUAL(go_chan_close(gate), 0);
    while (!through) {
        go_yield();
    }
    CHECK_EQUAL(finished, 1);
    CHECK_EQUAL(go_group_wait(open_group), 0);
    go_chan_unref(gate);
}

static int see_cancel(go_context *ctx, void *arg)
{
    int *seen = arg;
    CHECK(go_context_bound() == ctx);
    CHECK_EQUAL(go_sleep(GO_FOREVER), -ECANCELED); /* the context is bound */
    CHECK_EQUAL(go_chan_recv_until(go_context_done(ctx), NULL, GO_FOREVER), -ECANCELED);
    *seen = go_context_err(ctx);
    return -ECANCELED;
}

/* TestWithContext, and errgroup's cancel cause. */
static void the_first_error_cancels_the_rest(void)
{
    int seen[20] = {0};
    go_group *group = go_group_new(NULL);
    go_context *ctx = go_context_ref(go_group_context(group));
    for (int i = 0; i < 20; i++) {
        go_group_go(group, see_cancel, &seen[i]);
    }
    CHECK_EQUAL(go_context_err(ctx), 0);
    go_group_go(group, give, code(-EIO));
    CHECK_EQUAL(go_group_wait(group), -EIO);
    for (int i = 0; i < 20; i++) {
        CHECK_EQUAL(seen[i], -EIO);
    }
    CHECK_EQUAL(go_context_err(ctx), -EIO);
    go_context_unref(ctx);
}

static void the_context_is_done_after_wait(void)
{
    go_group *group = go_group_new(NULL);
    go_context *ctx = go_context_ref(go_group_context(group));
    go_group_go(group, give, NULL);
    CHECK_EQUAL(go_context_err(ctx), 0);
    CHECK_EQUAL(go_group_wait(group), 0);
    CHECK_EQUAL(go_context_err(ctx), -ECANCELED);
    go_context_unref(ctx);
}

static void cancelling_the_parent_ends_the_group(void)
{
    int seen = 0;
    go_context *parent = go_context_with_cancel(NULL);
    go_group *group = go_group_new(parent);
    go_group_go(group, see_cancel, &seen);
    go_context_cancel(parent, -EPERM);
    CHECK_EQUAL(go_group_wait(group), -ECANCELED);
    CHECK_EQUAL(seen, -EPERM);
    go_context_unref(parent);
}

static int start_more(go_context *ctx, void *arg)
{
    int left = (int)(intptr_t)arg;
    (void)ctx;
    finished++;
    if (left > 0) {
        go_group_go(open_group, start_more, code(left - 1));
        go_group_go(open_group, start_more, code(left - 1));
    }
    return 0;
}

static void members_may_start_members(void)
{
    finished = 0;
    open_group = go_group_new(NULL);
    go_group_go(open_group, start_more, code(9));
    CHECK_EQUAL(go_group_wait(open_group), 0);
    CHECK_EQUAL(finished, 1023);
}

/* With a done context bound, go and wait work all the same: the members must be waited for. */
static void go_and_wait_are_never_cancelled(void)
{
    finished = 0;
    go_context *ctx = go_context_with_cancel(NULL);
    go_group *group = go_group_new(NULL);
    go_group_set_limit(group, 2);
    (void)go_context_bind(ctx);
    go_context_cancel(ctx, 0);
    for (int i = 0; i < 20; i++) {
        go_group_go(group, count, code(1000));
    }
    CHECK_EQUAL(go_group_wait(group), 0);
    CHECK_EQUAL(finished, 20);
    (void)go_context_bind(NULL);
    go_context_unref(ctx);
}

static void the_limit_may_change_while_nothing_runs(void)
{
    go_group *group = go_group_new(NULL);
    go_group_set_limit(group, 1);
    go_group_set_limit(group, 0);
    gate = go_chan_new(0, 0);
    CHECK(go_group_try_go(group, wait_at_gate, NULL));
    CHECK(go_group_try_go(group, wait_at_gate, NULL));
    CHECK_EQUAL(go_chan_close(gate), 0);
    CHECK_EQUAL(go_group_wait(group), 0);
    go_chan_unref(gate);
}

static void *use_groups(void *arg)
{
    (void)arg;
    int seen = 0;
    most = finished = 0;
    go_group *group = go_group_new(NULL);
    go_group_set_limit(group, 3);
    for (int i = 0; i < 50; i++) {
        go_group_go(group, count, code(1000));
    }
    CHECK_EQUAL(go_group_wait(group), 0);
    CHECK(finished == 50 && most <= 3);
    group = go_group_new(NULL);
    go_group_go(group, see_cancel, &seen);
    go_group_go(group, give, code(-EIO));
    CHECK_EQUAL(go_group_wait(group), -EIO);
    CHECK_EQUAL(seen, -EIO);
    return NULL;
}

static void foreign_threads_use_groups(void)
{
    on_foreign_thread(use_groups, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BEHAVIOUR(wait_returns_the_first_error),
        BEHAVIOUR(a_group_without_goroutines_waits_for_nothing),
        BEHAVIOUR(wait_waits_for_all),
        BEHAVIOUR(a_limit_holds),
        BEHAVIOUR(try_go_says_whether_there_was_room),
        BEHAVIOUR(go_parks_while_the_limit_is_reached),
        BEHAVIOUR(the_first_error_cancels_the_rest),
        BEHAVIOUR(the_context_is_done_after_wait),
        BEHAVIOUR(cancelling_the_parent_ends_the_group),
        BEHAVIOUR(members_may_start_members),
        BEHAVIOUR(go_and_wait_are_never_cancelled),
        BEHAVIOUR(the_limit_may_change_while_nothing_runs),
        BEHAVIOUR(foreign_threads_use_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
