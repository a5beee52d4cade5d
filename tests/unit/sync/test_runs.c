/* Objects that outlive a run: those who waited in it are gone with their stacks, and nobody may look for them there. */
#include <errno.h>

#include "support/behaviour.h"
#include "unit/sync/waiting.h"

static go_mutex mutex;
static go_rwmutex rwmutex;
static go_cond cond;
static go_mutex cond_mutex;
static go_sem sem;
static go_waitgroup group;

static void wait_on_mutex(void *arg)
{
    (void)arg;
    go_mutex_lock(&mutex);
}

static void wait_on_rwmutex(void *arg)
{
    if (arg != NULL) {
        go_rwmutex_lock(&rwmutex);
    } else {
        go_rwmutex_rlock(&rwmutex);
    }
}

static void wait_on_cond(void *arg)
{
    (void)arg;
    go_mutex_lock(&cond_mutex);
    go_cond_wait(&cond, &cond_mutex);
}

static void wait_on_sem(void *arg)
{
    (void)arg;
    (void)go_sem_acquire(&sem, 1);
}

static void wait_on_group(void *arg)
{
    (void)arg;
    go_waitgroup_wait(&group);
}

static void leave_waiters_behind(void)
{
    go_sem_init(&sem, 1);
    CHECK_EQUAL(go_sem_acquire(&sem, 1), 0);
    go_waitgroup_add(&group, 1);
    go_mutex_lock(&mutex);
    go_rwmutex_lock(&rwmutex);
    for (int i = 0; i < 3; i++) {
        go(wait_on_mutex, NULL);
        go(wait_on_rwmutex, NULL);
        go(wait_on_rwmutex, &rwmutex);
        go(wait_on_cond, NULL);
        go(wait_on_sem, NULL);
        go(wait_on_group, NULL);
    }
    UNTIL(waiting_for_mutex(&mutex) == 3 && readers_waiting(&rwmutex) == 3 && writers_waiting(&rwmutex) == 3 &&
          waiting_on_cond(&cond) == 3 && waiting_for_sem(&sem) == 3 && waiting_for_group(&group) == 3);
}

/* What main held it still holds, so to speak: what the next run gives back wakes nobody, and all is free. */
static void the_next_run_finds_them_gone(void)
{
    go_mutex_unlock(&mutex);
    CHECK(go_mutex_trylock(&mutex));
    go_mutex_unlock(&mutex);
    go_rwmutex_unlock(&rwmutex);
    CHECK(go_rwmutex_trylock(&rwmutex));
    go_rwmutex_unlock(&rwmutex);
    go_cond_signal(&cond);
    go_cond_broadcast(&cond);
    go_sem_release(&sem, 1);
    CHECK_EQUAL(go_sem_acquire_until(&sem, 1, 0), 0);
    go_waitgroup_done(&group);
    go_waitgroup_wait(&group);
}

static go_waitgroup wg;
static _Atomic(int) got;

static void take_everything(void *arg)
{
    (void)arg;
    go_mutex_lock(&mutex);
    go_mutex_unlock(&mutex);
    go_rwmutex_rlock(&rwmutex);
    go_rwmutex_runlock(&rwmutex);
    go_rwmutex_lock(&rwmutex);
    go_rwmutex_unlock(&rwmutex);
    CHECK_EQUAL(go_sem_acquire(&sem, 1), 0);
    go_sem_release(&sem, 1);
    go_waitgroup_wait(&group);
    got++;
}

/* The same, but the first to come queue up before anything is given back. */
static void the_next_run_queues_anew(void)
{
    got = 0;
    go_waitgroup_go(&wg, take_everything, NULL);
    UNTIL(waiting_for_mutex(&mutex) == 1);
    CHECK_EQUAL(go_mutex_lock_until(&mutex, go_now() + 1), -ETIMEDOUT);
    CHECK_EQUAL(waiting_for_mutex(&mutex), 1);
    go_mutex_unlock(&mutex);
    UNTIL(readers_waiting(&rwmutex) == 1);
    CHECK_EQUAL(writers_waiting(&rwmutex), 0);
    go_rwmutex_unlock(&rwmutex);
    UNTIL(waiting_for_sem(&sem) == 1);
    CHECK_EQUAL(go_sem_acquire_until(&sem, 1, go_now() + 1), -ETIMEDOUT);
    go_sem_release(&sem, 1);
    UNTIL(waiting_for_group(&group) == 1);
    CHECK_EQUAL(go_waitgroup_wait_until(&group, go_now() + 1), -ETIMEDOUT);
    go_waitgroup_done(&group);
    go_waitgroup_wait(&wg);
    CHECK_EQUAL(got, 1);
    go_mutex_lock(&cond_mutex);
    CHECK_EQUAL(go_cond_wait_until(&cond, &cond_mutex, go_now() + 1), -ETIMEDOUT);
    go_mutex_unlock(&cond_mutex);
}

/* A thread that waits in a call with a result when the run ends. */
static pthread_t thread;
static int thread_code;

static void *waits_until(void *arg)
{
    (void)arg;
    thread_code = go_mutex_lock_until(&mutex, GO_FOREVER);
    return NULL;
}

static void end_while_a_thread_waits(void)
{
    go_mutex_lock(&mutex);
    go(wait_on_mutex, NULL);
    UNTIL(waiting_for_mutex(&mutex) == 1);
    CHECK_EQUAL(pthread_create(&thread, NULL, waits_until, NULL), 0);
    UNTIL(waiting_for_mutex(&mutex) == 2);
}

static void the_end_cancels_a_thread(void **state)
{
    (void)state;
    const struct behaviour end = {end_while_a_thread_waits}, after = {the_next_run_finds_them_gone};
    const struct behaviour before = {leave_waiters_behind};
    mutex = (go_mutex)GO_MUTEX_INIT;
    assert_int_equal(go_run(behaviour_main, (void *)(uintptr_t)&end), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(thread_code, -ECANCELED);
    go_mutex_unlock(&mutex);
    assert_true(go_mutex_trylock(&mutex));
    go_mutex_unlock(&mutex);
    assert_int_equal(go_run(behaviour_main, (void *)(uintptr_t)&before), 0);
    assert_int_equal(go_run(behaviour_main, (void *)(uintptr_t)&after), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BEHAVIOUR(leave_waiters_behind),     BEHAVIOUR(the_next_run_finds_them_gone),    BEHAVIOUR(leave_waiters_behind),
        BEHAVIOUR(the_next_run_queues_anew), cmocka_unit_test(the_end_cancels_a_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
