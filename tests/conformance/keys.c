/* Goroutine-local values: go_key. */
#include <stdlib.h>
#include <string.h>

#include "support/behaviour.h"

static go_waitgroup wg;
static go_key *key, *other;
static _Atomic(int) destroyed;

static void count(void *value)
{
    destroyed += (int)(intptr_t)value;
}

static void own_value(void *arg)
{
    CHECK(go_key_get(key) == NULL); /* inherited by nobody */
    CHECK_EQUAL(go_key_set(key, arg), 0);
    go_yield();
    CHECK(go_key_get(key) == arg);
}

static void each_goroutine_has_its_own(void)
{
    key = go_key_new(NULL);
    CHECK(key != NULL);
    CHECK(go_key_get(key) == NULL);
    CHECK_EQUAL(go_key_set(key, &wg), 0);
    for (intptr_t i = 1; i <= 100; i++) {
        go_waitgroup_go(&wg, own_value, (void *)i);
    }
    go_waitgroup_wait(&wg);
    CHECK(go_key_get(key) == &wg);
    go_key_free(key);
}

static void set_two(void *arg)
{
    (void)arg;
    CHECK_EQUAL(go_key_set(key, (void *)(intptr_t)5), 0);
    CHECK_EQUAL(go_key_set(key, (void *)(intptr_t)1), 0); /* the first one is not destroyed */
    CHECK_EQUAL(go_key_set(other, (void *)(intptr_t)100), 0);
    CHECK_EQUAL(go_key_set(other, NULL), 0); /* nor is NULL */
}

static void set_and_exit(void *arg)
{
    set_two(arg);
    go_exit();
}

static void destroy_runs_when_the_goroutine_ends(void)
{
    key = go_key_new(count);
    other = go_key_new(count);
    CHECK(key != NULL && other != NULL);
    destroyed = 0;
    go_waitgroup_go(&wg, set_two, NULL);
    go_waitgroup_go(&wg, set_and_exit, NULL);
    go_waitgroup_wait(&wg); /* destroyed before done */
    CHECK_EQUAL(destroyed, 2);
    go(set_and_exit, NULL);
    while (destroyed != 3) {
        go_yield();
    }
    go_key_free(key);
    go_key_free(other);
}

static void set_then_wait(void *arg)
{
    CHECK_EQUAL(go_key_set(key, (void *)(intptr_t)1), 0);
    CHECK_EQUAL(go_key_set(other, (void *)(intptr_t)1), 0);
    go_waitgroup_done(arg);
    go_chan_recv(NULL, NULL);
}

static void set_and_free(void *arg)
{
    (void)arg;
    CHECK_EQUAL(go_key_set(key, (void *)(intptr_t)1), 0);
    go_key_free(key);
    key = go_key_new(count); /* in all likelihood the same slot */
    CHECK(key != NULL);
    CHECK(go_key_get(key) == NULL);
}

static void values_of_a_key_that_was_freed_are_dropped(void)
{
    key = go_key_new(count);
    CHECK(key != NULL);
    destroyed = 0;
    go_waitgroup_go(&wg, set_and_free, NULL);
    go_waitgroup_wait(&wg);
    CHECK_EQUAL(destroyed, 0);
    go_key_free(key);
    go_key_free(NULL);
}

/* Two cases in one: goroutines that the end of the run drops, and, in the next run, that nothing came of it. */
static void values_dropped_at_the_end_of_a_run(void)
{
    key = go_key_new(count);
    other = go_key_new(NULL);
    CHECK(key != NULL && other != NULL);
    destroyed = 0;
    go_waitgroup set = GO_WAITGROUP_INIT;
    go_waitgroup_add(&set, 10);
    for (int i = 0; i < 10; i++) {
        go(set_then_wait, &set);
    }
    go_waitgroup_wait(&set);
    CHECK_EQUAL(go_key_set(key, (void *)(intptr_t)1), 0); /* the main goroutine's, too */
}

static void are_not_destroyed(void)
{
    CHECK_EQUAL(destroyed, 0);
    CHECK(go_key_get(key) == NULL);
    CHECK_EQUAL(go_key_set(key, &wg), 0);
    CHECK(go_key_get(key) == &wg);
    CHECK_EQUAL(go_key_set(key, NULL), 0);
    go_key_free(key);
    go_key_free(other);
}

/* --- destructors that do more than free --- */

static void sets_again(void *value)
{
    intptr_t left = (intptr_t)value;
    destroyed++;
    if (left > 1) {
        CHECK_EQUAL(go_key_set(key, (void *)(left - 1)), 0);
    }
}

static void parks(void *value)
{
    CHECK_EQUAL(go_sleep(100 * GO_MICROSECOND), 0);
    CHECK(go_key_get(key) == NULL || (intptr_t)go_key_get(key) > 0);
    count(value);
}

static void set_for_destructors(void *arg)
{
    CHECK_EQUAL(go_key_set(key, arg), 0);
    CHECK_EQUAL(go_key_set(other, (void *)(intptr_t)100), 0);
}

static void destructors_may_park_and_set_values(void)
{
    key = go_key_new(sets_again);
    other = go_key_new(parks);
    CHECK(key != NULL && other != NULL);
    destroyed = 0;
    go_waitgroup_go(&wg, set_for_destructors, (void *)(intptr_t)3);
    go_waitgroup_wait(&wg);
    CHECK_EQUAL(destroyed, 103);
    go_waitgroup_go(&wg, set_for_destructors, (void *)(intptr_t)INTPTR_MAX); /* not for ever */
    go_waitgroup_wait(&wg);
    go_key_free(key);
    go_key_free(other);
}

static void set_memory(void *arg)
{
    (void)arg;
    void *memory = malloc(100);
    CHECK(memory != NULL);
    CHECK_EQUAL(go_key_set(key, memory), 0);
}

/* free is libc's: it needs more stack than a goroutine may have. */
static void free_is_a_destructor(void)
{
    key = go_key_new(free);
    CHECK(key != NULL);
    for (int i = 0; i < 100; i++) {
        go_waitgroup_go(&wg, set_memory, NULL);
    }
    go_waitgroup_wait(&wg);
    go_key_free(key);
}

enum { MANY = 300 };
static go_key *many[MANY];

static void set_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < MANY; i++) {
        CHECK_EQUAL(go_key_set(many[i], &many[i]), 0);
    }
    for (int i = 0; i < MANY; i++) {
        CHECK(go_key_get(many[i]) == &many[i]);
    }
}

static void count_one(void *value)
{
    CHECK(value != NULL);
    destroyed++;
}

static void there_may_be_many_keys(void)
{
    destroyed = 0;
    for (int i = 0; i < MANY; i++) {
        many[i] = go_key_new(count_one);
        CHECK(many[i] != NULL);
    }
    go_waitgroup_go(&wg, set_many, NULL);
    go_waitgroup_go(&wg, set_many, NULL);
    go_waitgroup_wait(&wg);
    CHECK_EQUAL(destroyed, 2 * MANY);
    for (int i = 0; i < MANY; i++) {
        go_key_free(many[i]);
    }
}

static void *foreign(void *arg)
{
    CHECK(go_key_get(key) == NULL);
    CHECK_EQUAL(go_key_set(key, arg), 0);
    CHECK(go_key_get(key) == arg);
    return NULL;
}

static void threads_have_values_too(void)
{
    key = go_key_new(count);
    CHECK(key != NULL);
    destroyed = 0;
    CHECK_EQUAL(go_key_set(key, (void *)(intptr_t)1), 0);
    on_foreign_thread(foreign, (void *)(intptr_t)7);
    CHECK_EQUAL(destroyed, 7);
    CHECK((intptr_t)go_key_get(key) == 1);
    go_key_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BEHAVIOUR(each_goroutine_has_its_own),
        BEHAVIOUR(destroy_runs_when_the_goroutine_ends),
        BEHAVIOUR(values_of_a_key_that_was_freed_are_dropped),
        BEHAVIOUR(values_dropped_at_the_end_of_a_run),
        BEHAVIOUR(are_not_destroyed),
        BEHAVIOUR(destructors_may_park_and_set_values),
        BEHAVIOUR(free_is_a_destructor),
        BEHAVIOUR(there_may_be_many_keys),
        BEHAVIOUR(threads_have_values_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
