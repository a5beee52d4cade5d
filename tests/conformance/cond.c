/* go_cond beside Go's sync.Cond. */
#include <errno.h>
#include <stdlib.h>

#include "support/behaviour.h"
#include "unit/sync/waiting.h"

static go_mutex mutex;
static go_cond cond;
static go_waitgroup wg;
static _Atomic(int) awake;
static int order[100], ordered;

static void wait_once(void *arg)
{
    (void)arg;
    go_mutex_lock(&mutex);
    go_cond_wait(&cond, &mutex);
    awake++;
    go_mutex_unlock(&mutex);
}

static void each_signal_wakes_one(void)
{
    awake = 0;
    for (int i = 0; i < 2; i++) {
        go_waitgroup_go(&wg, wait_once, NULL);
    }
    UNTIL(waiting_on_cond(&cond) == 2);
    for (int n = 1; n <= 2; n++) {
        CHECK_EQUAL(awake, n - 1);
        go_mutex_lock(&mutex);
        go_cond_signal(&cond);
        go_mutex_unlock(&mutex);
        UNTIL(awake == n);
    }
    go_waitgroup_wait(&wg);
    go_cond_signal(&cond); /* for nobody */
    CHECK_EQUAL(waiting_on_cond(&cond), 0);
}

static void wait_in_turn(void *arg)
{
    go_mutex_lock(&mutex);
    go_cond_wait(&cond, &mutex);
    order[ordered++] = (int)(intptr_t)arg;
    go_mutex_unlock(&mutex);
}

/* Go's TestCondSignalGenerations: signals go to those who wait longest. */
static void the_longest_waiter_wakes_first(void)
{
    ordered = 0;
    for (int i = 0; i < 100; i++) {
        go_waitgroup_go(&wg, wait_in_turn, (void *)(intptr_t)i);
        UNTIL(waiting_on_cond(&cond) == i + 1);
    }
    for (int i = 0; i < 100; i++) {
        go_cond_signal(&cond);
        for (;;) {
            go_mutex_lock(&mutex);
            int n = ordered;
            go_mutex_unlock(&mutex);
            if (n == i + 1) {
                break;
            }
            go_yield();
        }
        CHECK_EQUAL(order[i], i);
    }
    go_waitgroup_wait(&wg);
}

static int running;
static bool leave;

static void wait_again_and_again(void *arg)
{
    (void)arg;
    go_mutex_lock(&mutex);
    while (!leave) {
        running--;
        go_cond_wait(&cond, &mutex);
        running++;
    }
    go_mutex_unlock(&mutex);
}

static void a_broadcast_wakes_all(void)
{
    enum { N = 200 };
    running = N;
    leave = false;
    for (int i = 0; i < N; i++) {
        go_waitgroup_go(&wg, wait_again_and_again, NULL);
    }
    for (int round = 0; round < 5; round++) {
        UNTIL(waiting_on_cond(&cond) == N);
        go_mutex_lock(&mutex);
        CHECK_EQUAL(running, 0);
        leave = round == 4;
        go_cond_broadcast(&cond);
        go_mutex_unlock(&mutex);
    }
    go_waitgroup_wait(&wg);
    CHECK_EQUAL(running, N);
    go_cond_broadcast(&cond); /* for nobody */
}

/* Go's TestRace: the variable changes under the mutex only, and each goroutine sees what the other did before it signalled. */
static int x;

static void race_first(void *arg)
{
    (void)arg;
    go_mutex_lock(&mutex);
    x = 1;
    go_cond_wait(&cond, &mutex);
    CHECK_EQUAL(x, 2);
    x = 3;
    go_cond_signal(&cond);
    go_mutex_unlock(&mutex);
}

static void race_second(void *arg)
{
    (void)arg;
    go_mutex_lock(&mutex);
    for (;;) {
        if (x == 1) {
            x = 2;
            go_cond_signal(&cond);
            break;
        }
        go_mutex_unlock(&mutex);
        go_yield();
        go_mutex_lock(&mutex);
    }
    go_mutex_unlock(&mutex);
}

static void race_third(void *arg)
{
    (void)arg;
    go_mutex_lock(&mutex);
    for (;;) {
        if (x == 2) {
            go_cond_wait(&cond, &mutex);
            CHECK_EQUAL(x, 3);
            break;
        }
        if (x == 3) {
            break;
        }
        go_mutex_unlock(&mutex);
        go_yield();
        go_mutex_lock(&mutex);
    }
    go_mutex_unlock(&mutex);
}

static void three_in_a_row(void)
{
    x = 0;
    go_waitgroup_go(&wg, race_first, NULL);
    go_waitgroup_go(&wg, race_second, NULL);
    go_waitgroup_go(&wg, race_third, NULL);
    go_waitgroup_wait(&wg);
}

/* Go's TestCondSignalStealing: a signal sent while the mutex is held goes to one who waits now, not to one who waits later. */
static bool done;

static void steal_wait(void *arg)
{
    (void)arg;
    go_mutex_lock(&mutex);
    while (!done) {
        go_cond_wait(&cond, &mutex);
    }
    go_mutex_unlock(&mutex);
}

static void no_signal_is_stolen(void)
{
    for (int i = 0; i < 500; i++) {
        done = false;
        go_waitgroup_go(&wg, wait_once, NULL);
        UNTIL(waiting_on_cond(&cond) == 1);
        go_waitgroup_go(&wg, steal_wait, NULL);
        go_mutex_lock(&mutex);
        awake = 0;
        go_cond_signal(&cond);
        go_mutex_unlock(&mutex);
        UNTIL(awake == 1);
        go_mutex_lock(&mutex);
        done = true;
        go_cond_broadcast(&cond);
        go_mutex_unlock(&mutex);
        go_waitgroup_wait(&wg);
    }
}

/* --- deadlines and contexts --- */

static void until_holds_the_mutex_in_every_case(void)
{
    go_mutex_lock(&mutex);
    CHECK_EQUAL(go_cond_wait_until(&cond, &mutex, 0), -ETIMEDOUT);
    CHECK(!go_mutex_trylock(&mutex));
    int64_t deadline = go_now() + 2 * GO_MILLISECOND;
    CHECK_EQUAL(go_cond_wait_until(&cond, &mutex, deadline), -ETIMEDOUT);
    CHECK(go_now() >= deadline);
    CHECK(!go_mutex_trylock(&mutex));
    go_context *ctx = go_context_with_timeout(NULL, GO_MILLISECOND);
    (void)go_context_bind(ctx);
    CHECK_EQUAL(go_cond_wait_until(&cond, &mutex, GO_FOREVER), -ECANCELED);
    CHECK(!go_mutex_trylock(&mutex));
    CHECK_EQUAL(go_cond_wait_until(&cond, &mutex, GO_FOREVER), -ECANCELED);
    CHECK(!go_mutex_trylock(&mutex));
    (void)go_context_bind(NULL);
    go_context_unref(ctx);
    CHECK_EQUAL(waiting_on_cond(&cond), 0);
    go_mutex_unlock(&mutex);
}

static void wait_until_signal(void *arg)
{
    (void)arg;
    go_mutex_lock(&mutex);
    CHECK_EQUAL(go_cond_wait_until(&cond, &mutex, go_now() + 60 * GO_SECOND), 0);
    go_mutex_unlock(&mutex);
    awake++;
}

static void giving_up_loses_no_signal(void)
{
    awake = 0;
    for (int i = 0; i < 2; i++) {
        go_waitgroup_go(&wg, wait_until_signal, NULL);
        UNTIL(waiting_on_cond(&cond) == 1);
        go_mutex_lock(&mutex);
        CHECK_EQUAL(go_cond_wait_until(&cond, &mutex, go_now() + GO_MILLISECOND), -ETIMEDOUT);
        go_mutex_unlock(&mutex);
        go_cond_signal(&cond);
        go_waitgroup_wait(&wg);
    }
    CHECK_EQUAL(awake, 2);
}

static void a_context_never_cancels_wait(void)
{
    go_context *ctx = go_context_with_cancel(NULL);
    awake = 0;
    (void)go_context_bind(ctx);
    go_waitgroup_go(&wg, wait_once, NULL);
    (void)go_context_bind(NULL);
    UNTIL(waiting_on_cond(&cond) == 1);
    go_context_cancel(ctx, 0);
    go_yield();
    CHECK_EQUAL(awake, 0);
    CHECK_EQUAL(waiting_on_cond(&cond), 1);
    go_cond_signal(&cond);
    go_waitgroup_wait(&wg);
    go_context_unref(ctx);
}

/* --- threads, memory --- */

static void *foreign_wait(void *arg)
{
    wait_once(arg);
    return NULL;
}

static void wait_on_a_thread(void *arg)
{
    on_foreign_thread(foreign_wait, arg);
}

static void *foreign_signal(void *arg)
{
    (void)arg;
    for (int i = 0; i < 6; i++) {
        go_cond_signal(&cond);
    }
    return NULL;
}

static void threads_wait_and_signal_too(void)
{
    awake = 0;
    for (int i = 0; i < 3; i++) {
        go_waitgroup_go(&wg, wait_on_a_thread, NULL);
        go_waitgroup_go(&wg, wait_once, NULL);
    }
    UNTIL(waiting_on_cond(&cond) == 6);
    on_foreign_thread(foreign_signal, NULL);
    go_waitgroup_wait(&wg);
    CHECK_EQUAL(awake, 6);
}

struct box {
    go_mutex lock;
    go_cond filled;
    bool full;
};

static void fill(void *arg)
{
    struct box *box = arg;
    go_mutex_lock(&box->lock);
    box->full = true;
    go_mutex_unlock(&box->lock);
    go_cond_signal(&box->filled); /* the waiter is not to free it before it is woken: it may see `full` earlier, but not here */
}

static void who_is_woken_may_free_it(void)
{
    for (int i = 0; i < 500; i++) {
        struct box *box = calloc(1, sizeof *box);
        CHECK(box != NULL);
        go_mutex_lock(&box->lock);
        go_waitgroup_go(&wg, fill, box);
        go_cond_wait(&box->filled, &box->lock);
        CHECK(box->full);
        go_mutex_unlock(&box->lock);
        free(box);
        go_waitgroup_wait(&wg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BEHAVIOUR(each_signal_wakes_one),       BEHAVIOUR(the_longest_waiter_wakes_first),
        BEHAVIOUR(a_broadcast_wakes_all),       BEHAVIOUR(three_in_a_row),
        BEHAVIOUR(no_signal_is_stolen),         BEHAVIOUR(until_holds_the_mutex_in_every_case),
        BEHAVIOUR(giving_up_loses_no_signal),   BEHAVIOUR(a_context_never_cancels_wait),
        BEHAVIOUR(threads_wait_and_signal_too), BEHAVIOUR(who_is_woken_may_free_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
