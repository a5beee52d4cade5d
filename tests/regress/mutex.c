/* A waiter that was woken for a mutex, and whose context is done before it has got there, does not get it. */
#include <errno.h>
#include <stdatomic.h>

#include "support/behaviour.h"

static go_mutex mutex;
static go_context *context;
static atomic_int waits, result;

static void lock_under_context(void *arg)
{
    (void)arg;
    (void)go_context_bind(context);
    waits = 1;
    int code = go_mutex_lock_until(&mutex, GO_FOREVER);
    (void)go_context_bind(NULL);
    if (code == 0) {
        go_mutex_unlock(&mutex);
    }
    result = code;
}

static int unlock_then_cancel(int round)
{
    waits = 0;
    result = 1;
    context = go_context_with_cancel(NULL);
    go_mutex_lock(&mutex);
    go(lock_under_context, NULL);
    while (!waits) {
        go_yield();
    }
    for (int i = 0; i < round % 4; i++) { /* it gets as far as its queue, or not */
        go_yield();
    }
    go_mutex_unlock(&mutex);
    for (volatile int i = 0; i < round % 16 * 20; i++) {}
    go_context_cancel(context, 0);
    while (result == 1) {
        go_yield();
    }
    go_context_unref(context);
    CHECK(go_mutex_trylock(&mutex)); /* nobody holds it, whatever came of it */
    go_mutex_unlock(&mutex);
    return result;
}

static int on_one_p(void *arg)
{
    (void)arg;
    for (int round = 3; round < 400; round += 4) { /* it waits, is made ready, and runs after the cancellation only */
        CHECK_EQUAL(unlock_then_cancel(round), -ECANCELED);
    }
    return 0;
}

static void a_cancellation_before_the_woken_waiter_runs_wins(void **state)
{
    const go_config config = {.procs = 1};
    (void)state;
    assert_int_equal(go_run_config(&config, on_one_p, NULL), 0);
}

static void a_mutex_is_nobodys_after_a_cancelled_wait(void)
{
    for (int round = 0; round < 2000; round++) {
        int code = unlock_then_cancel(round);
        CHECK(code == 0 || code == -ECANCELED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cancellation_before_the_woken_waiter_runs_wins),
        BEHAVIOUR(a_mutex_is_nobodys_after_a_cancelled_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
