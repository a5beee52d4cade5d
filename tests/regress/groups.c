/* Groups: slots and waits that end otherwise than by a return. */
#include "regress/child.h"

#include <errno.h>
#include <stdatomic.h>

#include "sched/standin.h"
#include "support/dies.h"

static atomic_int began;

static int exits(go_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    began++;
    go_exit();
}

static int fails(go_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    began++;
    return -EIO;
}

static void go_exit_in_a_group_gives_its_slot_back_and_counts_as_0(void)
{
    go_group *group = go_group_new(NULL);
    began = 0;
    go_group_set_limit(group, 1);
    for (int i = 0; i < 20; i++) {
        go_group_go(group, exits, NULL);
    }
    CHECK_EQUAL(go_group_wait(group), 0);
    CHECK_EQUAL(began, 20);
}

static void go_exit_in_a_group_hides_no_error(void)
{
    go_group *group = go_group_new(NULL);
    began = 0;
    for (int i = 0; i < 20; i++) {
        go_group_go(group, i == 10 ? fails : exits, NULL);
    }
    CHECK_EQUAL(go_group_wait(group), -EIO);
    CHECK_EQUAL(began, 20);
}

/* --- foreign threads in group waits when the run ends --- */

static bool a_thread_waits(void)
{
    bool waits = false;
    go__futex_lock(&go__sched.lock);
    for (struct go__standin *s = go__sched.standins; s != NULL; s = s->next) {
        waits |= s->waiting;
    }
    go__futex_unlock(&go__sched.lock);
    return waits;
}

static int waits_for_ever(go_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    (void)go_context_bind(NULL);
    return go_sleep(GO_FOREVER);
}

static void *group_wait(void *arg)
{
    go_group *group = go_group_new(NULL);
    go_group_go(group, waits_for_ever, NULL);
    (void)go_group_wait(group);
    return arg;
}

static void *group_go(void *arg)
{
    go_group *group = go_group_new(NULL);
    go_group_set_limit(group, 1);
    go_group_go(group, waits_for_ever, NULL);
    go_group_go(group, waits_for_ever, NULL);
    return arg;
}

static int end_under(void *(*fn)(void *arg))
{
    pthread_t thread;
    CHECK_EQUAL(pthread_create(&thread, NULL, fn, NULL), 0);
    while (!a_thread_waits()) {
        CHECK_EQUAL(go_sleep(GO_MILLISECOND), 0);
    }
    return 0;
}

static int end_under_wait(void *arg)
{
    (void)arg;
    return end_under(group_wait);
}

static int end_under_go(void *arg)
{
    (void)arg;
    return end_under(group_go);
}

static void a_foreign_group_wait_does_not_outlive_the_run(void **state)
{
    (void)state;
    dies(end_under_wait, "goco: fatal error: the run ended while a foreign thread waits in group wait: join your threads first");
    dies(end_under_go, "goco: fatal error: the run ended while a foreign thread waits in group wait: join your threads first");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BEHAVIOUR(go_exit_in_a_group_gives_its_slot_back_and_counts_as_0),
        BEHAVIOUR(go_exit_in_a_group_hides_no_error),
        cmocka_unit_test(a_foreign_group_wait_does_not_outlive_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
