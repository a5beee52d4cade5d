/* go_mutex beside Go's sync.Mutex. */
#include <errno.h>
#include <stdlib.h>

#include "support/behaviour.h"
#include "unit/sync/waiting.h"

static go_mutex mutex;
static go_waitgroup wg;
static int counter;

static void trylock_tells_whether_it_was_free(void)
{
    go_mutex m = GO_MUTEX_INIT;
    go_mutex_lock(&m);
    CHECK(!go_mutex_trylock(&m));
    go_mutex_unlock(&m);
    CHECK(go_mutex_trylock(&m));
    CHECK(!go_mutex_trylock(&m));
    go_mutex_unlock(&m);
}

static void hammer(void *arg)
{
    (void)arg;
    for (int i = 0; i < 1000; i++) {
        if (i % 3 == 0) {
            if (!go_mutex_trylock(&mutex)) {
                continue;
            }
        } else {
            go_mutex_lock(&mutex);
        }
        int seen = counter;
        if (i % 50 == 0) {
            go_yield();
        }
        counter = seen + 1;
        go_mutex_unlock(&mutex);
    }
}

static void one_at_a_time(void)
{
    counter = 0;
    for (int i = 0; i < 10; i++) {
        go_waitgroup_go(&wg, hammer, NULL);
    }
    go_waitgroup_wait(&wg);
    CHECK(counter >= 10 * 666 && counter <= 10 * 1000);
    CHECK(go_mutex_trylock(&mutex));
    go_mutex_unlock(&mutex);
}

static void unlocker(void *arg)
{
    go_mutex_unlock(arg);
}

static void another_goroutine_may_unlock(void)
{
    go_mutex m = GO_MUTEX_INIT;
    go_mutex_lock(&m);
    go(unlocker, &m);
    go_mutex_lock(&m);
    go_mutex_unlock(&m);
}

/* --- fairness --- */

static _Atomic(int) stop;

static void long_locker(void *arg)
{
    while (!stop) {
        go_mutex_lock(arg);
        (void)go_sleep(100 * GO_MICROSECOND);
        go_mutex_unlock(arg);
    }
}

/* Go's TestMutexFairness: one that locks for long and at once again must not starve one that locks now and then. */
static void a_short_locker_is_not_starved(void)
{
    go_mutex m = GO_MUTEX_INIT;
    stop = 0;
    go_waitgroup_go(&wg, long_locker, &m);
    int64_t begin = go_now();
    for (int i = 0; i < 10; i++) {
        (void)go_sleep(100 * GO_MICROSECOND);
        go_mutex_lock(&m);
        go_mutex_unlock(&m);
    }
    CHECK(go_now() - begin < 10 * GO_SECOND);
    stop = 1;
    go_waitgroup_wait(&wg);
}

static void greedy(void *arg)
{
    while (!stop) {
        go_mutex_lock(arg);
        counter++;
        go_mutex_unlock(arg);
    }
}

/* Nobody in the section ever parks: only preemption lets the waiter run, and then the mutex is handed over. */
static void a_greedy_locker_starves_nobody(void)
{
    go_mutex m = GO_MUTEX_INIT;
    stop = 0;
    for (int i = 0; i < 3; i++) {
        go_waitgroup_go(&wg, greedy, &m);
    }
    int64_t begin = go_now();
    for (int i = 0; i < 5; i++) {
        go_yield();
        go_mutex_lock(&m);
        go_mutex_unlock(&m);
    }
    CHECK(go_now() - begin < 20 * GO_SECOND);
    stop = 1;
    go_waitgroup_wait(&wg);
}

/* --- deadlines and contexts --- */

static void until_in_the_past_is_a_poll(void)
{
    go_mutex m = GO_MUTEX_INIT;
    CHECK_EQUAL(go_mutex_lock_until(&m, 0), 0);
    CHECK_EQUAL(go_mutex_lock_until(&m, 0), -ETIMEDOUT);
    CHECK_EQUAL(waiting_for_mutex(&m), 0);
    go_mutex_unlock(&m);
    CHECK_EQUAL(go_mutex_lock_until(&m, go_now() - 1), 0);
    go_mutex_unlock(&m);
}

static void until_gives_up_at_its_deadline(void)
{
    go_mutex m = GO_MUTEX_INIT;
    go_mutex_lock(&m);
    int64_t deadline = go_now() + 3 * GO_MILLISECOND;
    CHECK_EQUAL(go_mutex_lock_until(&m, deadline), -ETIMEDOUT);
    CHECK(go_now() >= deadline);
    CHECK_EQUAL(waiting_for_mutex(&m), 0);
    go_mutex_unlock(&m);
    CHECK_EQUAL(go_mutex_lock_until(&m, GO_FOREVER), 0);
    go_mutex_unlock(&m);
}

static void take_and_count(void *arg)
{
    go_mutex_lock(arg);
    counter++;
    go_mutex_unlock(arg);
}

/* The one that gives up stood between others; none of them is forgotten. */
static void giving_up_disturbs_no_other_waiter(void)
{
    go_mutex m = GO_MUTEX_INIT;
    counter = 0;
    go_mutex_lock(&m);
    go_waitgroup_go(&wg, take_and_count, &m);
    UNTIL(waiting_for_mutex(&m) == 1);
    CHECK_EQUAL(go_mutex_lock_until(&m, go_now() + GO_MILLISECOND), -ETIMEDOUT);
    go_waitgroup_go(&wg, take_and_count, &m);
    UNTIL(waiting_for_mutex(&m) == 2);
    CHECK_EQUAL(go_mutex_lock_until(&m, go_now() + GO_MILLISECOND), -ETIMEDOUT);
    go_mutex_unlock(&m);
    go_waitgroup_wait(&wg);
    CHECK_EQUAL(counter, 2);
}

static void until_under_context(void *arg)
{
    CHECK_EQUAL(go_mutex_lock_until(arg, GO_FOREVER), -ECANCELED);
    CHECK_EQUAL(go_mutex_lock_until(arg, GO_FOREVER), -ECANCELED);
}

static void lock_under_context(void *arg)
{
    go_mutex_lock(arg);
    counter++;
    go_mutex_unlock(arg);
}

static void a_context_cancels_until_but_never_lock(void)
{
    go_mutex m = GO_MUTEX_INIT;
    go_context *ctx = go_context_with_cancel(NULL);
    counter = 0;
    go_mutex_lock(&m);
    (void)go_context_bind(ctx);
    go_waitgroup_go(&wg, until_under_context, &m);
    go_waitgroup_go(&wg, lock_under_context, &m);
    (void)go_context_bind(NULL);
    UNTIL(waiting_for_mutex(&m) == 2);
    go_context_cancel(ctx, 0);
    UNTIL(waiting_for_mutex(&m) == 1);
    go_mutex_unlock(&m);
    go_waitgroup_wait(&wg);
    CHECK_EQUAL(counter, 1);
    (void)go_context_bind(ctx);
    CHECK_EQUAL(go_mutex_lock_until(&m, GO_FOREVER), -ECANCELED); /* free, and yet */
    (void)go_context_bind(NULL);
    go_context_unref(ctx);
}

/* --- threads, memory --- */

static void *foreign_hammer(void *arg)
{
    hammer(arg);
    return NULL;
}

static void foreign(void *arg)
{
    on_foreign_thread(foreign_hammer, arg);
}

static void threads_and_goroutines_mix(void)
{
    counter = 0;
    for (int i = 0; i < 4; i++) {
        go_waitgroup_go(&wg, hammer, NULL);
        go_waitgroup_go(&wg, foreign, NULL);
    }
    go_waitgroup_wait(&wg);
    CHECK(counter >= 8 * 666 && counter <= 8 * 1000);
}

struct shared {
    go_mutex lock;
    int refs;
};

static void give_back(void *arg)
{
    struct shared *s = arg;
    go_mutex_lock(&s->lock);
    int left = --s->refs;
    go_mutex_unlock(&s->lock);
    if (left == 0) {
        s->lock.private_word = 99; /* whoever still looks at it finds no mutex */
        free(s);
    }
}

static void the_last_one_may_free_it(void)
{
    for (int i = 0; i < 500; i++) {
        struct shared *s = calloc(1, sizeof *s);
        CHECK(s != NULL);
        s->refs = 4;
        for (int j = 0; j < 4; j++) {
            go_waitgroup_go(&wg, give_back, s);
        }
        go_waitgroup_wait(&wg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BEHAVIOUR(trylock_tells_whether_it_was_free),
        BEHAVIOUR(one_at_a_time),
        BEHAVIOUR(another_goroutine_may_unlock),
        BEHAVIOUR(a_short_locker_is_not_starved),
        BEHAVIOUR(a_greedy_locker_starves_nobody),
        BEHAVIOUR(until_in_the_past_is_a_poll),
        BEHAVIOUR(until_gives_up_at_its_deadline),
        BEHAVIOUR(giving_up_disturbs_no_other_waiter),
        BEHAVIOUR(a_context_cancels_until_but_never_lock),
        BEHAVIOUR(threads_and_goroutines_mix),
        BEHAVIOUR(the_last_one_may_free_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
