/* go_sem beside golang.org/x/sync/semaphore. */
#include <stdatomic.h>
#include <errno.h>
#include <stdlib.h>

#include "support/behaviour.h"
#include "unit/sync/waiting.h"

static go_sem sem;
static go_waitgroup wg;
static _Atomic(int64_t) taken;

static void hammer(void *arg)
{
    int64_t n = (int64_t)(intptr_t)arg;
    for (int i = 0; i < 2000; i++) {
        CHECK_EQUAL(go_sem_acquire(&sem, n), 0);
        int64_t all = atomic_fetch_add(&taken, n) + n;
        CHECK(all <= 10);
        if (i % 8 == 0) {
            go_yield();
        }
        taken -= n;
        go_sem_release(&sem, n);
    }
}

static void never_more_than_there_are(void)
{
    go_sem_init(&sem, 10);
    for (intptr_t i = 0; i < 10; i++) {
        go_waitgroup_go(&wg, hammer, (void *)(i + 1));
    }
    go_waitgroup_wait(&wg);
    CHECK(go_sem_try_acquire(&sem, 10));
    go_sem_release(&sem, 10);
}

static void try_takes_what_is_free(void)
{
    go_sem s;
    go_sem_init(&s, 2);
    CHECK(go_sem_try_acquire(&s, 1));
    CHECK(!go_sem_try_acquire(&s, 2));
    CHECK(go_sem_try_acquire(&s, 1));
    CHECK(!go_sem_try_acquire(&s, 1));
    CHECK(go_sem_try_acquire(&s, 0));
    go_sem_release(&s, 2);
    CHECK(!go_sem_try_acquire(&s, 3));
    CHECK(!go_sem_try_acquire(&s, -1));
    CHECK(go_sem_try_acquire(&s, 2));
}

static void more_than_it_ever_had_is_invalid(void)
{
    go_sem s;
    go_sem_init(&s, 2);
    CHECK_EQUAL(go_sem_acquire(&s, 3), -EINVAL);
    CHECK_EQUAL(go_sem_acquire_until(&s, 3, go_now() + GO_SECOND), -EINVAL);
    CHECK_EQUAL(go_sem_acquire(&s, -1), -EINVAL);
    CHECK_EQUAL(go_sem_acquire(&s, 2), 0);
    CHECK_EQUAL(go_sem_acquire(&s, 0), 0);
    CHECK_EQUAL(go_sem_acquire(&s, 3), -EINVAL); /* all are taken, which changes nothing */
    static go_sem zeroed;
    CHECK_EQUAL(go_sem_acquire(&zeroed, 0), 0);
    CHECK_EQUAL(go_sem_acquire(&zeroed, 1), -EINVAL);
    go_sem_release(&zeroed, 0);
}

static void until_gives_up_and_takes_nothing(void)
{
    go_sem s;
    go_sem_init(&s, 2);
    CHECK_EQUAL(go_sem_acquire_until(&s, 2, 0), 0);
    CHECK_EQUAL(go_sem_acquire_until(&s, 1, 0), -ETIMEDOUT);
    int64_t deadline = go_now() + 2 * GO_MILLISECOND;
    CHECK_EQUAL(go_sem_acquire_until(&s, 1, deadline), -ETIMEDOUT);
    CHECK(go_now() >= deadline);
    go_sem_release(&s, 2);
    CHECK(go_sem_try_acquire(&s, 2));
}

static int64_t order[16];
static _Atomic(int) ordered;

static void take_in_turn(void *arg)
{
    int64_t n = (int64_t)(intptr_t)arg;
    CHECK_EQUAL(go_sem_acquire(&sem, n), 0);
    order[ordered++] = n;
}

static void first_come_first_served(void)
{
    go_sem_init(&sem, 10);
    ordered = 0;
    CHECK_EQUAL(go_sem_acquire(&sem, 10), 0);
    for (int i = 0; i < 4; i++) {
        go_waitgroup_go(&wg, take_in_turn, (void *)(intptr_t)(4 - i));
        UNTIL(waiting_for_sem(&sem) == i + 1);
    }
    go_sem_release(&sem, 3);
    go_yield();
    CHECK_EQUAL(ordered, 0); /* 3 would do for the second */
    CHECK(!go_sem_try_acquire(&sem, 1));
    for (int i = 0; i < 4; i++) {
        UNTIL(ordered == i);
        go_sem_release(&sem, i == 0 ? 1 : 4 - i);
    }
    go_waitgroup_wait(&wg);
    for (int i = 0; i < 4; i++) {
        CHECK_EQUAL(order[i], 4 - i);
    }
}

static _Atomic(bool) stop;

static void small(void *arg)
{
    (void)arg;
    while (!stop) {
        CHECK_EQUAL(go_sem_acquire(&sem, 1), 0);
        (void)go_sleep(50 * GO_MICROSECOND);
        go_sem_release(&sem, 1);
    }
}

/* TestLargeAcquireDoesntStarve: small requests that keep coming do not overtake a large one for ever. */
static void a_large_request_is_not_starved(void)
{
    go_sem_init(&sem, 4);
    stop = false;
    for (int i = 0; i < 4; i++) {
        go_waitgroup_go(&wg, small, NULL);
    }
    for (int i = 0; i < 5; i++) {
        CHECK_EQUAL(go_sem_acquire(&sem, 4), 0);
        go_sem_release(&sem, 4);
    }
    stop = true;
    go_waitgroup_wait(&wg);
}

static void canceled(void *arg)
{
    CHECK_EQUAL(go_sem_acquire(&sem, (int64_t)(intptr_t)arg), -ECANCELED);
    CHECK_EQUAL(go_sem_acquire(&sem, 1), -ECANCELED); /* at once, whether or not it could be had */
}

/* TestAllocCancelDoesntStarve: a large request that goes away lets the small ones behind it pass. */
static void who_gives_up_lets_others_pass(void)
{
    go_context *ctx = go_context_with_cancel(NULL);
    go_sem_init(&sem, 10);
    ordered = 0;
    CHECK_EQUAL(go_sem_acquire(&sem, 1), 0);
    (void)go_context_bind(ctx);
    go_waitgroup_go(&wg, canceled, (void *)(intptr_t)10);
    (void)go_context_bind(NULL);
    UNTIL(waiting_for_sem(&sem) == 1);
    go_waitgroup_go(&wg, take_in_turn, (void *)(intptr_t)1);
    UNTIL(waiting_for_sem(&sem) == 2);
    go_context_cancel(ctx, 0);
    go_waitgroup_wait(&wg);
    CHECK_EQUAL(ordered, 1);
    go_context_unref(ctx);
}

static void *foreign_hammer(void *arg)
{
    hammer(arg);
    return NULL;
}

static void thread(void *arg)
{
    on_foreign_thread(foreign_hammer, arg);
}

static void threads_and_goroutines_mix(void)
{
    go_sem_init(&sem, 10);
    for (intptr_t i = 0; i < 4; i++) {
        go_waitgroup_go(&wg, hammer, (void *)(2 * i + 1));
        go_waitgroup_go(&wg, thread, (void *)(2 * i + 2));
    }
    go_waitgroup_wait(&wg);
    CHECK(go_sem_try_acquire(&sem, 10));
}

static void release_one(void *arg)
{
    go_sem_release(arg, 1);
}

static void who_is_served_may_free_it(void)
{
    for (int i = 0; i < 500; i++) {
        go_sem *s = malloc(sizeof *s);
        CHECK(s != NULL);
        go_sem_init(s, 1);
        CHECK_EQUAL(go_sem_acquire(s, 1), 0);
        go_waitgroup_go(&wg, release_one, s);
        CHECK_EQUAL(go_sem_acquire(s, 1), 0);
        free(s);
        go_waitgroup_wait(&wg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BEHAVIOUR(never_more_than_there_are),        BEHAVIOUR(try_takes_what_is_free),
        BEHAVIOUR(more_than_it_ever_had_is_invalid), BEHAVIOUR(until_gives_up_and_takes_nothing),
        BEHAVIOUR(first_come_first_served),          BEHAVIOUR(a_large_request_is_not_starved),
        BEHAVIOUR(who_gives_up_lets_others_pass),    BEHAVIOUR(threads_and_goroutines_mix),
        BEHAVIOUR(who_is_served_may_free_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
