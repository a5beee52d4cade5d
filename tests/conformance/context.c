/* Contexts, after Go's context tests (x_test.go, context_test.go). */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/behaviour.h"

static const int64_t step = 10 * GO_MILLISECOND;
static const int64_t hour = 3600 * GO_SECOND;

static bool done(go_context *ctx)
{
    return go_chan_try_recv(go_context_done(ctx), NULL) == -EPIPE;
}

static void check_live(go_context *ctx)
{
    CHECK_EQUAL(go_context_err(ctx), 0);
    CHECK(!done(ctx));
}

static void check_done(go_context *ctx, int cause)
{
    CHECK_EQUAL(go_context_err(ctx), cause);
    CHECK(done(ctx));
}

static void wait_done(go_context *ctx)
{
    CHECK_EQUAL(go_chan_recv_until(go_context_done(ctx), NULL, go_now() + 30 * GO_SECOND), -EPIPE);
}

/* TestBackground. */
static void the_background_is_never_done(void)
{
    go_context *b = go_context_background();
    int64_t deadline;
    CHECK(b != NULL);
    CHECK(go_context_done(b) == NULL);
    go_context_cancel(b, -EIO);
    CHECK_EQUAL(go_context_err(b), 0);
    CHECK(!go_context_deadline(b, &deadline));
    CHECK(go_context_value(b, &deadline) == NULL);
    CHECK(go_context_ref(b) == b);
    go_context_unref(b);
    go_context_unref(b);
    go_context_unref(NULL);
    CHECK(go_context_ref(NULL) == NULL);
    CHECK(go_context_background() == b);
}

/* TestWithCancel. */
static void cancel_ends_a_context(void)
{
    go_context *a = go_context_with_cancel(NULL), *b = go_context_with_cancel(go_context_background());
    check_live(a);
    check_live(b);
    go_context_cancel(a, 0);
    check_done(a, -ECANCELED);
    check_live(b);
    go_context_cancel(a, 0);
    check_done(a, -ECANCELED);
    go_context_unref(a);
    go_context_unref(b);
}

/* TestParentFinishesChild. */
static void cancelling_a_parent_ends_its_descendants(void)
{
    static const char key;
    go_context *parent = go_context_with_cancel(NULL);
    go_context *child = go_context_with_cancel(parent);
    go_context *value = go_context_with_value(parent, &key, NULL);
    go_context *below = go_context_with_cancel(value);
    go_context *timed = go_context_with_timeout(value, hour);
    go_context_cancel(parent, 0);
    check_done(parent, -ECANCELED);
    check_done(child, -ECANCELED);
    check_done(value, -ECANCELED);
    check_done(below, -ECANCELED);
    check_done(timed, -ECANCELED);
    go_context *late = go_context_with_cancel(value);
    check_done(late, -ECANCELED);
    go_context_unref(late);
    go_context_unref(timed);
    go_context_unref(below);
    go_context_unref(value);
    go_context_unref(child);
    go_context_unref(parent);
}

/* TestChildFinishesFirst. */
static void cancelling_a_child_leaves_its_parent(void)
{
    go_context *parents[] = {go_context_background(), go_context_with_cancel(NULL), go_context_with_timeout(NULL, hour)};
    for (int i = 0; i < 3; i++) {
        go_context *child = go_context_with_cancel(parents[i]), *sibling = go_context_with_cancel(parents[i]);
        go_context_cancel(child, -EIO);
        check_done(child, -EIO);
        CHECK_EQUAL(go_context_err(parents[i]), 0);
        check_live(sibling);
        go_context_unref(child);
        go_context_unref(sibling);
        go_context_unref(parents[i]);
    }
}

/* TestWithCancelCanceledParent. */
static void a_child_of_a_done_parent_is_done_with_its_cause(void)
{
    go_context *parent = go_context_with_cancel(NULL);
    go_context_cancel(parent, -EPERM);
    go_context *child = go_context_with_cancel(parent), *timed = go_context_with_timeout(parent, hour);
    check_done(child, -EPERM);
    check_done(timed, -EPERM);
    go_context_unref(child);
    go_context_unref(timed);
    go_context_unref(parent);
}

/* TestCause. */
static void the_first_cause_stays(void)
{
    go_context *parent = go_context_with_cancel(NULL), *child = go_context_with_cancel(parent);
    go_context_cancel(child, -EIO); /* child first: each has its own */
    go_context_cancel(parent, -EPERM);
    go_context_cancel(child, -EBUSY);
    go_context_cancel(parent, 0);
    check_done(parent, -EPERM);
    check_done(child, -EIO);
    go_context_unref(child);
    go_context_unref(parent);

    parent = go_context_with_cancel(NULL);
    child = go_context_with_cancel(parent);
    go_context_cancel(parent, -EPERM); /* parent first: the child inherits */
    go_context_cancel(child, -EIO);
    check_done(parent, -EPERM);
    check_done(child, -EPERM);
    go_context_unref(child);
    go_context_unref(parent);

    parent = go_context_with_timeout(NULL, 1);
    wait_done(parent);
    go_context_cancel(parent, -EIO);
    check_done(parent, -ETIMEDOUT);
    go_context_unref(parent);

    parent = go_context_with_timeout(NULL, hour);
    go_context_cancel(parent, -EIO);
    check_done(parent, -EIO);
    go_context_unref(parent);
}

/* TestDeadline, TestTimeout. */
static void a_deadline_ends_a_context(void)
{
    int64_t start = go_now(), deadline;
    go_context *timed = go_context_with_timeout(NULL, step);
    go_context *dead = go_context_with_deadline(NULL, start + step);
    go_context *below = go_context_with_cancel(timed), *longer = go_context_with_timeout(timed, hour);
    CHECK(go_context_deadline(timed, &deadline) && deadline >= start + step);
    CHECK(go_context_deadline(dead, &deadline) && deadline == start + step);
    CHECK(go_context_deadline(longer, &deadline) && deadline < start + hour); /* the earlier one counts */
    wait_done(longer);
    CHECK(go_now() >= start + step);
    wait_done(timed);
    wait_done(dead);
    wait_done(below);
    check_done(timed, -ETIMEDOUT);
    check_done(dead, -ETIMEDOUT);
    check_done(below, -ETIMEDOUT);
    check_done(longer, -ETIMEDOUT);
    go_context_unref(longer);
    go_context_unref(below);
    go_context_unref(dead);
    go_context_unref(timed);
}

static void a_deadline_in_the_past_is_done_from_the_start(void)
{
    go_context *a = go_context_with_timeout(NULL, 0), *b = go_context_with_timeout(NULL, -GO_SECOND);
    go_context *c = go_context_with_deadline(NULL, go_now()), *d = go_context_with_deadline(NULL, INT64_MIN);
    check_done(a, -ETIMEDOUT);
    check_done(b, -ETIMEDOUT);
    check_done(c, -ETIMEDOUT);
    check_done(d, -ETIMEDOUT);
    go_context_unref(a);
    go_context_unref(b);
    go_context_unref(c);
    go_context_unref(d);
}

static void the_clock_decides_even_while_nobody_looks_at_timers(void)
{
    go_context *ctx = go_context_with_timeout(NULL, step), *below = go_context_with_cancel(ctx);
    for (int64_t start = go_now(); go_now() < start + 2 * step;) {}
    check_done(below, -ETIMEDOUT);
    check_done(ctx, -ETIMEDOUT);
    go_context_unref(below);
    go_context_unref(ctx);
}

static void no_deadline_or_for_ever(void)
{
    int64_t deadline;
    go_context *a = go_context_with_cancel(NULL), *b = go_context_with_timeout(NULL, GO_FOREVER);
    go_context *c = go_context_with_deadline(NULL, GO_FOREVER);
    CHECK(!go_context_deadline(a, &deadline));
    CHECK(!go_context_deadline(b, &deadline));
    CHECK(!go_context_deadline(c, &deadline));
    check_live(b);
    check_live(c);
    go_context_unref(a);
    go_context_unref(b);
    go_context_unref(c);
}

/* TestCanceledTimeout. */
static void cancelling_comes_before_the_deadline(void)
{
    go_context *outer = go_context_with_timeout(NULL, 3 * step), *ctx = go_context_with_timeout(outer, hour);
    go_context_cancel(ctx, 0);
    check_done(ctx, -ECANCELED);
    wait_done(outer);
    check_done(outer, -ETIMEDOUT);
    check_done(ctx, -ECANCELED);
    go_context_unref(ctx);
    go_context_unref(outer);
}

/* TestValues. */
static void values_are_found_upwards(void)
{
    static const char one, two, three;
    int x = 1, y = 2, z = 3;
    go_context *a = go_context_with_value(NULL, &one, &x);
    go_context *b = go_context_with_value(a, &two, &y);
    go_context *c = go_context_with_cancel(b);
    go_context *d = go_context_with_value(c, &one, &z); /* hides the first */
    CHECK(go_context_value(a, &one) == &x && go_context_value(a, &two) == NULL);
    CHECK(go_context_value(b, &one) == &x && go_context_value(b, &two) == &y);
    CHECK(go_context_value(c, &one) == &x && go_context_value(c, &two) == &y);
    CHECK(go_context_value(d, &one) == &z && go_context_value(d, &two) == &y);
    CHECK(go_context_value(d, &three) == NULL);
    go_context_unref(a);
    go_context_unref(b);
    go_context_unref(c);
    CHECK(go_context_value(d, &two) == &y); /* a child holds its parents */
    go_context_unref(d);
}

static void the_last_unref_of_a_live_context_cancels_it(void)
{
    go_context *parent = go_context_with_cancel(NULL), *ctx = go_context_with_cancel(parent);
    go_chan *c = go_chan_ref(go_context_done(ctx));
    CHECK(go_context_ref(ctx) == ctx);
    go_context_unref(ctx);
    CHECK_EQUAL(go_chan_try_recv(c, NULL), -EAGAIN);
    go_context_unref(ctx);
    CHECK_EQUAL(go_chan_try_recv(c, NULL), -EPIPE);
    check_live(parent);
    go_chan_unref(c);
    go_context_unref(parent);
}

static void a_child_keeps_its_parent_alive(void)
{
    go_context *parent = go_context_with_timeout(NULL, 2 * step), *child = go_context_with_cancel(parent);
    go_context_unref(parent);
    check_live(child);
    wait_done(child);
    check_done(child, -ETIMEDOUT);
    go_context_unref(child);
}

/* TestCancelRemoves: ten thousand children that came and went leave a parent as it was. */
static void children_that_are_done_leave_their_parent(void)
{
    go_context *parent = go_context_with_cancel(NULL);
    for (int i = 0; i < 10000; i++) {
        go_context *child = i % 2 == 0 ? go_context_with_cancel(parent) : go_context_with_timeout(parent, hour);
        if (i % 3 == 0) {
            go_context_cancel(child, 0);
        }
        go_context_unref(child);
    }
    check_live(parent);
    go_context_unref(parent);
}

enum { TREE = 101, FAN = 4 };
static go_waitgroup wg;

static void cancel_it(void *arg)
{
    go_context_cancel(arg, 0);
    go_waitgroup_done(&wg);
}

/* TestSimultaneousCancels. */
static void a_whole_tree_cancelled_from_everywhere_at_once(void)
{
    go_context *tree[TREE];
    tree[0] = go_context_with_cancel(NULL);
    for (int i = 1; i < TREE; i++) {
        tree[i] = go_context_with_cancel(tree[(i - 1) / FAN]);
    }
    go_waitgroup_add(&wg, TREE);
    for (int i = 0; i < TREE; i++) {
        go(cancel_it, tree[i * 37 % TREE]);
    }
    for (int i = 0; i < TREE; i++) {
        wait_done(tree[i * 53 % TREE]);
    }
    go_waitgroup_wait(&wg);
    for (int i = 0; i < TREE; i++) {
        go_context_unref(tree[i]);
    }
}

/* TestWithCancelSimultaneouslyCanceledParent: the child is cancelled with its parent or made of one that is done. */
static void a_child_made_during_the_cancel_is_done(void)
{
    for (int i = 0; i < 500; i++) {
        go_context *parent = go_context_with_cancel(NULL);
        go_waitgroup_add(&wg, 1);
        go(cancel_it, parent);
        if (i % 2 == 0) {
            go_yield();
        }
        go_context *child = go_context_with_cancel(parent), *timed = go_context_with_timeout(parent, hour);
        wait_done(child);
        wait_done(timed);
        check_done(child, -ECANCELED);
        go_context_unref(child);
        go_context_unref(timed);
        go_waitgroup_wait(&wg);
        go_context_unref(parent);
    }
}

struct pair {
    go_context *parent, *child;
};

static void cancel_child_when_parent_is_done(void *arg)
{
    struct pair *p = arg;
    CHECK_EQUAL(go_chan_recv(go_context_done(p->parent), NULL), -EPIPE);
    go_context_cancel(p->child, 0);
    go_waitgroup_done(&wg);
}

/* TestInterlockedCancels. */
static void a_cancel_inside_a_cancel(void)
{
    struct pair p;
    p.parent = go_context_with_cancel(NULL);
    p.child = go_context_with_cancel(p.parent);
    go_waitgroup_add(&wg, 1);
    go(cancel_child_when_parent_is_done, &p);
    go_context_cancel(p.parent, 0);
    wait_done(p.child);
    go_waitgroup_wait(&wg);
    go_context_unref(p.child);
    go_context_unref(p.parent);
}

enum { LAYERS = 60 };

/* TestLayersCancel, TestLayersTimeout. */
static void layers(unsigned seed, bool timeout)
{
    static char keys[LAYERS];
    go_context *layer[LAYERS], *ctx = NULL;
    bool is_value[LAYERS];
    for (int i = 0; i < LAYERS; i++) {
        seed = seed * 1664525u + 1013904223u;
        unsigned kind = i == LAYERS / 2 ? 2 : (seed >> 16) % 3;
        is_value[i] = kind == 0;
        switch (kind) {
        case 0: ctx = go_context_with_value(ctx, &keys[i], &keys[i]); break;
        case 1: ctx = go_context_with_cancel(ctx); break;
        default: ctx = go_context_with_timeout(ctx, timeout ? 2 * GO_MILLISECOND : hour); break;
        }
        layer[i] = ctx;
    }
    if (timeout) {
        wait_done(ctx);
        CHECK_EQUAL(go_context_err(ctx), -ETIMEDOUT);
    } else {
        check_live(ctx);
        go_context_cancel(layer[(seed >> 8) % LAYERS], 0);
        check_done(ctx, -ECANCELED);
    }
    for (int i = 0; i < LAYERS; i++) {
        CHECK(go_context_value(ctx, &keys[i]) == (is_value[i] ? &keys[i] : NULL));
    }
    for (int i = 0; i < LAYERS; i++) {
        go_context_unref(layer[i]);
    }
}

static void a_cancel_goes_through_all_layers(void)
{
    for (unsigned seed = 1; seed <= 50; seed++) {
        layers(seed, false);
    }
}

static void a_timeout_goes_through_all_layers(void)
{
    for (unsigned seed = 1; seed <= 10; seed++) {
        layers(seed, true);
    }
}

/* A tree as deep as a recursion must not be. */
static void a_tree_of_100000_levels_is_cancelled(void)
{
    enum { DEPTH = 100000 };
    go_context **all = malloc(DEPTH * sizeof all[0]), *ctx = NULL;
    CHECK(all != NULL);
    for (int i = 0; i < DEPTH; i++) {
        ctx = all[i] = go_context_with_cancel(ctx);
        CHECK(ctx != NULL);
    }
    go_context_cancel(all[0], -EIO);
    CHECK_EQUAL(go_context_err(ctx), -EIO);
    for (int i = 0; i < DEPTH - 1; i++) {
        go_context_unref(all[i]);
    }
    go_context_unref(ctx); /* and all above it */
    free(all);
}

static int said_before;

static void say_and_cancel(void *arg)
{
    said_before++;
    cancel_it(arg);
}

/* TestCauseRace; and what came before the cancel is seen too. */
static void who_sees_it_done_sees_the_cause(void)
{
    for (int i = 0; i < 200; i++) {
        go_context *ctx = go_context_with_cancel(NULL);
        int said = said_before;
        go_waitgroup_add(&wg, 1);
        go(say_and_cancel, ctx);
        int err;
        while ((err = go_context_err(ctx)) == 0) {
            go_yield();
        }
        CHECK_EQUAL(err, -ECANCELED);
        CHECK_EQUAL(said_before, said + 1);
        go_waitgroup_wait(&wg);
        go_context_unref(ctx);
    }
}

/* TestContextErrDoneRace. */
static void once_err_says_so_the_done_channel_is_closed(void)
{
    for (int i = 0; i < 500; i++) {
        go_context *ctx = go_context_with_cancel(NULL);
        go_chan *c = go_context_done(ctx);
        go_waitgroup_add(&wg, 1);
        go(cancel_it, ctx);
        while (go_context_err(ctx) == 0) {
            go_yield();
        }
        CHECK_EQUAL(go_chan_try_recv(c, NULL), -EPIPE);
        go_waitgroup_wait(&wg);
        go_context_unref(ctx);
    }
}

static void done_gives_the_same_channel_each_time(void)
{
    go_context *ctx = go_context_with_cancel(NULL);
    go_chan *c = go_context_done(ctx);
    CHECK(c != NULL && go_context_done(ctx) == c);
    go_context_cancel(ctx, 0);
    CHECK(go_context_done(ctx) == c);
    go_context_unref(ctx);

    ctx = go_context_with_cancel(NULL); /* the channel is asked for too late: closed from the start */
    go_context_cancel(ctx, 0);
    CHECK(done(ctx));
    go_context_unref(ctx);
}

/* --- threads, and times without a runtime --- */

static void *use_contexts(void *arg)
{
    (void)arg;
    go_context *a = go_context_with_timeout(NULL, step), *b = go_context_with_cancel(a), *c = go_context_with_cancel(b);
    check_live(c);
    wait_done(c);
    check_done(a, -ETIMEDOUT);
    check_done(b, -ETIMEDOUT);
    go_context_unref(a);
    go_context_unref(b);
    go_context_unref(c);
    a = go_context_with_cancel(NULL);
    b = go_context_with_cancel(a);
    go_context_cancel(a, -EIO);
    check_done(b, -EIO);
    go_context_unref(a);
    go_context_unref(b);
    return NULL;
}

static void foreign_threads_use_contexts(void)
{
    on_foreign_thread(use_contexts, NULL);
}

static void contexts_work_without_a_runtime(void **state)
{
    (void)state;
    static const char key;
    int x;
    go_context *a = go_context_with_timeout(NULL, step), *b = go_context_with_value(a, &key, &x);
    assert_ptr_equal(go_context_value(b, &key), &x);
    usleep(20000);
    assert_int_equal(go_context_err(b), -ETIMEDOUT);
    assert_int_equal(go_context_err(a), -ETIMEDOUT);
    assert_int_equal(go_chan_try_recv(go_context_done(b), NULL), -EPIPE);
    go_context_unref(b);
    go_context_unref(a);

    a = go_context_with_cancel(NULL);
    b = go_context_with_cancel(a);
    go_context_unref(a);
    go_context_cancel(a, -EIO);
    assert_int_equal(go_context_err(b), -EIO);
    go_context_unref(b);
}

static go_context *across;

static int wait_for_deadline(void *arg)
{
    (void)arg;
    CHECK_EQUAL(go_chan_recv_until(go_context_done(across), NULL, go_now() + 30 * GO_SECOND), -EPIPE);
    return go_context_err(across);
}

static int look_only(void *arg)
{
    (void)arg;
    (void)go_context_done(across);
    return go_context_err(across);
}

static void a_deadline_set_before_a_run_is_kept_in_it(void **state)
{
    (void)state;
    go_context *ctx = go_context_with_timeout(NULL, 20 * step);
    across = go_context_with_cancel(ctx);
    for (int i = 0; i < 2; i++) {
        int code = go_run(look_only, NULL); /* armed in a run that ends before, if the machine is not too slow */
        assert_true(code == 0 || code == -ETIMEDOUT);
    }
    assert_int_equal(go_run(wait_for_deadline, NULL), -ETIMEDOUT);
    go_context_unref(across);
    go_context_unref(ctx);
}

static int make_and_leave(void *arg)
{
    (void)arg;
    across = go_context_with_timeout(NULL, step);
    (void)go_context_done(across);
    return 0;
}

static void a_context_outlives_its_run(void **state)
{
    (void)state;
    assert_int_equal(go_run(make_and_leave, NULL), 0);
    usleep(20000);
    assert_int_equal(go_context_err(across), -ETIMEDOUT);
    assert_int_equal(go_run(look_only, NULL), -ETIMEDOUT);
    go_context_unref(across);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BEHAVIOUR(the_background_is_never_done),
        BEHAVIOUR(cancel_ends_a_context),
        BEHAVIOUR(cancelling_a_parent_ends_its_descendants),
        BEHAVIOUR(cancelling_a_child_leaves_its_parent),
        BEHAVIOUR(a_child_of_a_done_parent_is_done_with_its_cause),
        BEHAVIOUR(the_first_cause_stays),
        BEHAVIOUR(a_deadline_ends_a_context),
        BEHAVIOUR(a_deadline_in_the_past_is_done_from_the_start),
        BEHAVIOUR(the_clock_decides_even_while_nobody_looks_at_timers),
        BEHAVIOUR(no_deadline_or_for_ever),
        BEHAVIOUR(cancelling_comes_before_the_deadline),
        BEHAVIOUR(values_are_found_upwards),
        BEHAVIOUR(the_last_unref_of_a_live_context_cancels_it),
        BEHAVIOUR(a_child_keeps_its_parent_alive),
        BEHAVIOUR(children_that_are_done_leave_their_parent),
        BEHAVIOUR(a_whole_tree_cancelled_from_everywhere_at_once),
        BEHAVIOUR(a_child_made_during_the_cancel_is_done),
        BEHAVIOUR(a_cancel_inside_a_cancel),
        BEHAVIOUR(a_cancel_goes_through_all_layers),
        BEHAVIOUR(a_timeout_goes_through_all_layers),
        BEHAVIOUR(a_tree_of_100000_levels_is_cancelled),
        BEHAVIOUR(who_sees_it_done_sees_the_cause),
        BEHAVIOUR(once_err_says_so_the_done_channel_is_closed),
        BEHAVIOUR(done_gives_the_same_channel_each_time),
        BEHAVIOUR(foreign_threads_use_contexts),
        cmocka_unit_test(contexts_work_without_a_runtime),
        cmocka_unit_test(a_deadline_set_before_a_run_is_kept_in_it),
        cmocka_unit_test(a_context_outlives_its_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
