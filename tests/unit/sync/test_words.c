/* The words of mutex, rwmutex, waitgroup and once, as their files draw them: what they are at rest and with waiters; and that calls
 * which need not wait work without a runtime. */
#include <errno.h>

#include "support/behaviour.h"
#include "unit/sync/waiting.h"

enum { LOCKED = 1, WAKE = 2 };             /* mutex */
enum { WRITER = 1, WAIT = 2, READER = 8 }; /* rwmutex */

static uint32_t word_of(uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE) & ~4u; /* without the queue's lock */
}

static go_waitgroup wg;

static void lock_and_unlock(void *arg)
{
    go_mutex_lock(arg);
    go_mutex_unlock(arg);
}

static void a_mutex_asks_for_a_wake_up_once(void)
{
    go_mutex m = GO_MUTEX_INIT;
    go_mutex_lock(&m);
    CHECK_EQUAL(word_of(&m.private_word), LOCKED);
    for (int i = 1; i <= 3; i++) {
        go_waitgroup_go(&wg, lock_and_unlock, &m);
        UNTIL(waiting_for_mutex(&m) == i);
        CHECK_EQUAL(word_of(&m.private_word), LOCKED | WAKE);
    }
    /* The one that is woken is on its way: until it has run, the others' wish is kept out of the word. */
    go_mutex_unlock(&m);
    go_waitgroup_wait(&wg);
    CHECK_EQUAL(m.private_word, 0);
    CHECK_EQUAL(m.private_queue & 1u, 0);
    CHECK(m.private_first == NULL);
}

static void a_wish_that_was_given_up_costs_one_unlock(void)
{
    go_mutex m = GO_MUTEX_INIT;
    go_mutex_lock(&m);
    CHECK_EQUAL(go_mutex_lock_until(&m, go_now() + 1), -ETIMEDOUT);
    CHECK(m.private_first == NULL);
    go_mutex_unlock(&m);
    CHECK_EQUAL(m.private_word, 0);
}

static void read_and_unlock(void *arg)
{
    go_rwmutex_rlock(arg);
    go_rwmutex_runlock(arg);
}

static void write_and_unlock(void *arg)
{
    go_rwmutex_lock(arg);
    go_rwmutex_unlock(arg);
}

static void an_rwmutex_counts_its_readers(void)
{
    go_rwmutex m = GO_RWMUTEX_INIT;
    for (uint32_t i = 1; i <= 5; i++) {
        go_rwmutex_rlock(&m);
        CHECK_EQUAL(m.private_word, i * READER);
    }
    go_waitgroup_go(&wg, write_and_unlock, &m);
    UNTIL(writers_waiting(&m) == 1);
    CHECK_EQUAL(word_of(&m.private_word), 5 * READER | WAIT);
    go_waitgroup_go(&wg, read_and_unlock, &m);
    UNTIL(readers_waiting(&m) == 1);
    for (uint32_t i = 5; i >= 1; i--) {
        CHECK_EQUAL(word_of(&m.private_word), i * READER | WAIT);
        go_rwmutex_runlock(&m);
    }
    go_waitgroup_wait(&wg);
    CHECK_EQUAL(m.private_word, 0);
}

static void wait_for_group(void *arg)
{
    go_waitgroup_wait(arg);
}

static void a_waitgroup_is_zero_again(void)
{
    go_waitgroup w = GO_WAITGROUP_INIT;
    go_waitgroup_add(&w, 5);
    CHECK_EQUAL(w.private_state, UINT64_C(5) << 32);
    go_waitgroup_go(&wg, wait_for_group, &w);
    UNTIL(waiting_for_group(&w) == 1);
    CHECK_EQUAL(go_waitgroup_wait_until(&w, go_now() + 1), -ETIMEDOUT);
    CHECK((w.private_state & 2u) != 0); /* somebody waits */
    go_waitgroup_add(&w, -5);
    go_waitgroup_wait(&wg);
    CHECK_EQUAL(w.private_state & 3u, 0);
    CHECK_EQUAL(w.private_state >> 32, 0);
    go_waitgroup_add(&w, 1);
    CHECK_EQUAL(go_waitgroup_wait_until(&w, go_now() + 1), -ETIMEDOUT);
    CHECK_EQUAL(w.private_state & 3u, 0); /* the last one who gives up leaves no trace */
    go_waitgroup_done(&w);
}

static void nothing(void *arg)
{
    (void)arg;
}

static void without_a_runtime(void **state)
{
    (void)state;
    go_mutex m = GO_MUTEX_INIT;
    go_mutex_lock(&m);
    assert_false(go_mutex_trylock(&m));
    assert_int_equal(go_mutex_lock_until(&m, 0), -ETIMEDOUT);
    go_mutex_unlock(&m);
    assert_int_equal(go_mutex_lock_until(&m, 0), 0);
    go_mutex_unlock(&m);
    go_rwmutex rw = GO_RWMUTEX_INIT;
    go_rwmutex_rlock(&rw);
    assert_false(go_rwmutex_trylock(&rw));
    go_rwmutex_runlock(&rw);
    go_rwmutex_lock(&rw);
    go_rwmutex_unlock(&rw);
    go_waitgroup w = GO_WAITGROUP_INIT;
    go_waitgroup_add(&w, 2);
    go_waitgroup_done(&w);
    go_waitgroup_done(&w);
    go_waitgroup_wait(&w);
    go_cond c = GO_COND_INIT;
    go_cond_signal(&c);
    go_cond_broadcast(&c);
    go_sem s;
    go_sem_init(&s, 1);
    assert_int_equal(go_sem_acquire(&s, 1), 0);
    assert_false(go_sem_try_acquire(&s, 1));
    go_sem_release(&s, 1);
    go_once once = GO_ONCE_INIT;
    go_once_do(&once, nothing, NULL);
    assert_int_equal(once.private_word, GO__ONCE_DONE);
    go_key *key = go_key_new(NULL);
    assert_non_null(key);
    assert_int_equal(go_key_set(key, &once), 0);
    assert_ptr_equal(go_key_get(key), &once);
    assert_int_equal(go_key_set(key, NULL), 0);
    go_key_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_runtime),
        BEHAVIOUR(a_mutex_asks_for_a_wake_up_once),
        BEHAVIOUR(a_wish_that_was_given_up_costs_one_unlock),
        BEHAVIOUR(an_rwmutex_counts_its_readers),
        BEHAVIOUR(a_waitgroup_is_zero_again),
        cmocka_unit_test(without_a_runtime),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
