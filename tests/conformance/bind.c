/* go_context_bind: what it means for every call that may park. Go has no such thing: there each call takes a context. */
#include <errno.h>

#include "support/behaviour.h"

static go_waitgroup wg;
static _Atomic(int) started;

static void a_binding_nests(void)
{
    go_context *a = go_context_with_cancel(NULL), *b = go_context_with_cancel(NULL);
    CHECK(go_context_bound() == NULL);
    CHECK(go_context_bind(a) == NULL);
    CHECK(go_context_bound() == a);
    CHECK(go_context_bind(a) == a);
    CHECK(go_context_bind(b) == a);
    CHECK(go_context_bind(go_context_background()) == b);
    CHECK(go_context_bound() == go_context_background());
    CHECK_EQUAL(go_sleep(1), 0);
    CHECK(go_context_bind(b) == go_context_background());
    CHECK(go_context_bind(NULL) == b);
    CHECK(go_context_bound() == NULL);
    go_context_unref(a);
    go_context_unref(b);
}

static void a_binding_holds_its_context(void)
{
    go_context *ctx = go_context_with_cancel(NULL);
    (void)go_context_bind(ctx);
    go_context_unref(ctx); /* not the last one */
    CHECK_EQUAL(go_context_err(ctx), 0);
    CHECK_EQUAL(go_sleep(1), 0);
    go_chan *done = go_chan_ref(go_context_done(ctx));
    (void)go_context_bind(NULL);
    CHECK_EQUAL(go_chan_try_recv(done, NULL), -EPIPE); /* now it was */
    go_chan_unref(done);
}

static void child_has(void *arg)
{
    CHECK(go_context_bound() == arg);
    CHECK_EQUAL(go_sleep(GO_FOREVER), -ECANCELED);
    (void)go_context_bind(NULL);
    CHECK_EQUAL(go_sleep(1), 0);
    go_waitgroup_done(&wg);
}

static void goroutines_inherit_the_binding(void)
{
    go_context *ctx = go_context_with_cancel(NULL);
    (void)go_context_bind(ctx);
    go_waitgroup_add(&wg, 20);
    for (int i = 0; i < 10; i++) {
        go(child_has, ctx);
        CHECK_EQUAL(go_spawn(NULL, child_has, ctx), 0);
    }
    (void)go_context_bind(NULL); /* theirs stays */
    CHECK_EQUAL(go_sleep(GO_MILLISECOND), 0);
    go_context_cancel(ctx, 0);
    go_waitgroup_wait(&wg);
    go_context_unref(ctx);
}

static void ends_at_once(void *arg)
{
    (void)arg;
}

static void a_goroutine_that_ends_drops_its_binding(void)
{
    go_context *ctx = go_context_with_cancel(NULL);
    go_chan *done = go_chan_ref(go_context_done(ctx));
    (void)go_context_bind(ctx);
    for (int i = 0; i < 100; i++) {
        go(ends_at_once, NULL);
    }
    (void)go_context_bind(NULL);
    go_context_unref(ctx);
    CHECK_EQUAL(go_chan_recv_until(done, NULL, go_now() + 30 * GO_SECOND), -EPIPE);
    go_chan_unref(done);
}

/* Everything that may park and has a result. */
static go_chan *empty, *full;
static go_mutex held = GO_MUTEX_INIT;
static go_sem none;
static go_waitgroup busy;

static int cond_wait(void)
{
    static go_cond cond = GO_COND_INIT;
    static go_mutex m = GO_MUTEX_INIT;
    go_mutex_lock(&m);
    int code = go_cond_wait_until(&cond, &m, GO_FOREVER);
    go_mutex_unlock(&m); /* held in every case */
    return code;
}

static int try_every_call(int which)
{
    char byte = 0;
    go_case cases[] = {{empty, &byte, GO_DIRECTION_RECV, 0}, {full, &byte, GO_DIRECTION_SEND, 0}};
    switch (which) {
    case 0: return go_sleep(GO_FOREVER);
    case 1: return go_sleep_until(GO_FOREVER);
    case 2: return go_chan_recv(empty, &byte);
    case 3: return go_chan_recv_until(empty, &byte, GO_FOREVER);
    case 4: return go_chan_send(full, &byte);
    case 5: return go_chan_send_until(full, &byte, GO_FOREVER);
    case 6: return go_select(cases, 2);
    case 7: return go_select_until(cases, 2, GO_FOREVER);
    case 8: return go_select(NULL, 0);
    case 9: return go_chan_recv(NULL, NULL);
    case 10: return go_chan_send(NULL, NULL);
    case 11: return go_mutex_lock_until(&held, GO_FOREVER);
    case 12: return go_sem_acquire(&none, 1);
    case 13: return go_sem_acquire_until(&none, 1, GO_FOREVER);
    case 14: return go_waitgroup_wait_until(&busy, GO_FOREVER);
    case 15: return cond_wait();
    default: return 1;
    }
}

enum { CALLS = 16 };

static void make_objects(void)
{
    char byte = 0;
    empty = go_chan_new(1, 1);
    full = go_chan_new(1, 1);
    CHECK_EQUAL(go_chan_send(full, &byte), 0);
    go_mutex_lock(&held);
    go_sem_init(&none, 1);
    CHECK_EQUAL(go_sem_acquire(&none, 1), 0);
    go_waitgroup_add(&busy, 1);
}

static void drop_objects(void)
{
    go_chan_unref(empty);
    go_chan_unref(full);
    go_mutex_unlock(&held);
    go_sem_release(&none, 1);
    go_waitgroup_done(&busy);
}

static void call_and_be_cancelled(void *arg)
{
    started++;
    CHECK_EQUAL(try_every_call((int)(intptr_t)arg), -ECANCELED);
    CHECK_EQUAL(try_every_call((int)(intptr_t)arg), -ECANCELED); /* and again, at once */
    go_waitgroup_done(&wg);
}

static void one_cancel_wakes_every_call_that_may_park(void)
{
    make_objects();
    for (int pause = 0; pause < 2; pause++) {
        go_context *ctx = go_context_with_cancel(NULL);
        started = 0;
        (void)go_context_bind(ctx);
        go_waitgroup_add(&wg, 3 * CALLS);
        for (int i = 0; i < 3 * CALLS; i++) {
            go(call_and_be_cancelled, (void *)(intptr_t)(i % CALLS));
        }
        (void)go_context_bind(NULL);
        while (started < 3 * CALLS) {
            go_yield();
        }
        if (pause) {
            CHECK_EQUAL(go_sleep(10 * GO_MILLISECOND), 0);
        }
        go_context_cancel(ctx, -EIO);
        go_waitgroup_wait(&wg);
        go_context_unref(ctx);
    }
    CHECK_EQUAL(go_chan_len(empty), 0);
    CHECK_EQUAL(go_chan_len(full), 1);
    drop_objects();
}

static void a_deadline_wakes_every_call_that_may_park(void)
{
    make_objects();
    go_context *ctx = go_context_with_timeout(NULL, 20 * GO_MILLISECOND);
    (void)go_context_bind(ctx);
    go_waitgroup_add(&wg, CALLS);
    for (int i = 0; i < CALLS; i++) {
        go(call_and_be_cancelled, (void *)(intptr_t)i);
    }
    (void)go_context_bind(NULL);
    go_waitgroup_wait(&wg);
    CHECK_EQUAL(go_context_err(ctx), -ETIMEDOUT);
    go_context_unref(ctx);
    drop_objects();
}

/* It wins over success, -EPIPE and -ETIMEDOUT; what never parks is not affected. */
static void a_done_context_wins_over_everything(void)
{
    char byte = 0;
    go_chan *ready = go_chan_new(1, 2), *closed = go_chan_new(1, 0);
    go_mutex free_mutex = GO_MUTEX_INIT;
    go_sem permits;
    go_waitgroup zero = GO_WAITGROUP_INIT;
    CHECK_EQUAL(go_chan_send(ready, &byte), 0);
    CHECK_EQUAL(go_chan_close(closed), 0);
    go_sem_init(&permits, 5);
    go_context *ctx = go_context_with_cancel(NULL);
    go_context_cancel(ctx, 0);
    (void)go_context_bind(ctx);

    go_case one[] = {{ready, &byte, GO_DIRECTION_RECV, 0}};
    CHECK_EQUAL(go_sleep(0), -ECANCELED);
    CHECK_EQUAL(go_sleep_until(0), -ECANCELED);
    CHECK_EQUAL(go_chan_recv(ready, &byte), -ECANCELED);
    CHECK_EQUAL(go_chan_send(ready, &byte), -ECANCELED);
    CHECK_EQUAL(go_chan_recv(closed, &byte), -ECANCELED);
    CHECK_EQUAL(go_chan_send(closed, &byte), -ECANCELED);
    CHECK_EQUAL(go_chan_recv_until(ready, &byte, 0), -ECANCELED);
    CHECK_EQUAL(go_select(one, 1), -ECANCELED);
    CHECK_EQUAL(go_select_until(one, 1, 0), -ECANCELED);
    CHECK_EQUAL(go_mutex_lock_until(&free_mutex, GO_FOREVER), -ECANCELED);
    CHECK_EQUAL(go_sem_acquire(&permits, 1), -ECANCELED);
    CHECK_EQUAL(go_waitgroup_wait_until(&zero, GO_FOREVER), -ECANCELED);
    CHECK_EQUAL(go_chan_len(ready), 1);

    CHECK_EQUAL(go_chan_try_recv(ready, &byte), 0);
    CHECK_EQUAL(go_chan_try_recv(ready, &byte), -EAGAIN);
    CHECK_EQUAL(go_chan_try_send(ready, &byte), 0);
    CHECK_EQUAL(go_select_try(one, 1), 0);
    CHECK(go_mutex_trylock(&free_mutex));
    go_mutex_unlock(&free_mutex);
    CHECK(go_sem_try_acquire(&permits, 5));
    go_sem_release(&permits, 5);
    go_mutex_lock(&free_mutex); /* without a result: never cancelled */
    go_mutex_unlock(&free_mutex);
    go_waitgroup_wait(&zero);

    (void)go_context_bind(NULL);
    go_context_unref(ctx);
    go_chan_unref(ready);
    go_chan_unref(closed);
}

static void hold_a_while(void *arg)
{
    go_mutex *m = arg;
    go_mutex_lock(m);
    started++;
    CHECK_EQUAL(go_sleep(10 * GO_MILLISECOND), 0);
    go_mutex_unlock(m);
    go_waitgroup_done(&wg);
}

static void calls_without_a_result_wait_on(void)
{
    go_mutex m = GO_MUTEX_INIT;
    started = 0;
    go_waitgroup_add(&wg, 1);
    go(hold_a_while, &m);
    while (started == 0) {
        go_yield();
    }
    go_context *ctx = go_context_with_cancel(NULL);
    go_context_cancel(ctx, 0);
    (void)go_context_bind(ctx);
    go_mutex_lock(&m);
    go_mutex_unlock(&m);
    go_waitgroup_wait(&wg);
    (void)go_context_bind(NULL);
    go_context_unref(ctx);
}

static void cancelling_an_ancestor_wakes_too(void)
{
    go_context *top = go_context_with_cancel(NULL), *ctx = top;
    for (int i = 0; i < 20; i++) {
        go_context *below = i % 2 == 0 ? go_context_with_value(ctx, &wg, NULL) : go_context_with_cancel(ctx);
        if (ctx != top) {
            go_context_unref(ctx);
        }
        ctx = below;
    }
    (void)go_context_bind(ctx);
    go_waitgroup_add(&wg, 1);
    go(child_has, ctx);
    (void)go_context_bind(NULL);
    CHECK_EQUAL(go_sleep(5 * GO_MILLISECOND), 0);
    go_context_cancel(top, 0);
    go_waitgroup_wait(&wg);
    go_context_unref(ctx);
    go_context_unref(top);
}

static void cancel_own(void *arg)
{
    go_context *ctx = arg;
    (void)go_context_bind(ctx);
    go_context_cancel(ctx, 0); /* oneself */
    CHECK_EQUAL(go_sleep(1), -ECANCELED);
    go_waitgroup_done(&wg);
}

static void a_goroutine_may_cancel_what_it_has_bound(void)
{
    go_context *ctx = go_context_with_cancel(NULL);
    go_waitgroup_add(&wg, 3);
    for (int i = 0; i < 3; i++) {
        go(cancel_own, ctx);
    }
    go_waitgroup_wait(&wg);
    go_context_unref(ctx);
}

/* A deadline of its own and a context: whichever comes first. */
static void deadline_and_context_together(void)
{
    go_chan *c = go_chan_new(0, 0);
    go_context *ctx = go_context_with_timeout(NULL, 20 * GO_MILLISECOND);
    (void)go_context_bind(ctx);
    CHECK_EQUAL(go_chan_recv_until(c, NULL, go_now() + GO_MILLISECOND), -ETIMEDOUT);
    CHECK_EQUAL(go_chan_recv_until(c, NULL, go_now() + 3600 * GO_SECOND), -ECANCELED);
    (void)go_context_bind(NULL);
    go_context_unref(ctx);
    go_chan_unref(c);
}

static void *foreign_calls(void *arg)
{
    CHECK(go_context_bound() == NULL); /* nothing is inherited by a thread */
    (void)go_context_bind(arg);
    go_waitgroup_add(&wg, 1);
    go(child_has, arg); /* but by what it starts */
    for (int i = 0; i < 4; i++) {
        CHECK_EQUAL(try_every_call(i * 4), -ECANCELED);
    }
    CHECK(go_context_bind(NULL) == arg);
    CHECK_EQUAL(go_sleep(1), 0);
    return NULL;
}

static void cancel_soon(void *arg)
{
    CHECK_EQUAL(go_sleep(10 * GO_MILLISECOND), 0);
    go_context_cancel(arg, 0);
    go_waitgroup_done(&wg);
}

static void foreign_threads_bind_too(void)
{
    make_objects();
    go_context *ctx = go_context_with_cancel(NULL);
    go_waitgroup_add(&wg, 1);
    go(cancel_soon, ctx);
    on_foreign_thread(foreign_calls, ctx);
    go_waitgroup_wait(&wg);
    go_context_unref(ctx);
    drop_objects();
}

static go_context *left_behind;

static void stays(void *arg)
{
    (void)go_context_bind(arg);
    started++;
    (void)go_sleep(GO_FOREVER);
    CHECK(!"woken after the end of the run");
}

static int leave_goroutines_behind(void *arg)
{
    (void)arg;
    started = 0;
    for (int i = 0; i < 10; i++) {
        go(stays, left_behind);
    }
    while (started < 10) {
        go_yield();
    }
    return 0;
}

/* The goroutines of a run that is over are gone; cancelling must not look for them. */
static void bindings_end_with_the_run(void **state)
{
    (void)state;
    left_behind = go_context_with_cancel(NULL);
    assert_int_equal(go_run(leave_goroutines_behind, NULL), 0);
    assert_int_equal(go_run(leave_goroutines_behind, NULL), 0);
    go_context_cancel(left_behind, 0);
    assert_int_equal(go_context_err(left_behind), -ECANCELED);
    go_context_unref(left_behind);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BEHAVIOUR(a_binding_nests),
        BEHAVIOUR(a_binding_holds_its_context),
        BEHAVIOUR(goroutines_inherit_the_binding),
        BEHAVIOUR(a_goroutine_that_ends_drops_its_binding),
        BEHAVIOUR(one_cancel_wakes_every_call_that_may_park),
        BEHAVIOUR(a_deadline_wakes_every_call_that_may_park),
        BEHAVIOUR(a_done_context_wins_over_everything),
        BEHAVIOUR(calls_without_a_result_wait_on),
        BEHAVIOUR(cancelling_an_ancestor_wakes_too),
        BEHAVIOUR(a_goroutine_may_cancel_what_it_has_bound),
        BEHAVIOUR(deadline_and_context_together),
        BEHAVIOUR(foreign_threads_bind_too),
        cmocka_unit_test(bindings_end_with_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
