/* Who meets others at a lock again and again is in a crowd; who has met some, or met them a while ago, is not. The file alone, at made-up
 * times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sched/crowd.c"

__thread struct go__m *go__tls_m;

#define BEGIN INT64_C(1000000000000)

static struct go__m m;
static struct go__p p;
static int64_t now;

static int setup(void **state)
{
    (void)state;
    m = (struct go__m){0};
    memset(&p, 0, sizeof p);
    go__tls_m = &m;
    now = BEGIN;
    return 0;
}

/* The thread's next conflicts, `gap` ns apart. What the last one said. */
static bool conflicts(int count, int64_t gap)
{
    bool crowd = false;
    for (int i = 0; i < count; i++) {
        now += gap;
        crowd = go__conflict(now);
    }
    return crowd;
}

static void test_a_few_conflicts_are_no_crowd(void **state)
{
    (void)state;
    assert_false(conflicts(5, 1000));
    assert_false(go__crowded(&m, now));
}

static void test_conflicts_in_close_succession_are_a_crowd(void **state)
{
    (void)state;
    assert_true(conflicts(40, 1000));
    assert_true(go__crowded(&m, now));
}

static void test_conflicts_now_and_then_are_no_crowd(void **state)
{
    (void)state;
    assert_false(conflicts(1000, 10000));
    assert_false(conflicts(1000, 10000000));
    assert_false(go__crowded(&m, now));
}

static void test_a_crowd_disperses(void **state)
{
    (void)state;
    assert_true(conflicts(100, 500));
    assert_true(go__crowded(&m, now + 10000));
    assert_false(go__crowded(&m, now + 100000)); /* no conflict for a while */
    assert_false(conflicts(20, 10000));          /* or fewer */
    assert_false(go__crowded(&m, now));
}

static void test_ps_that_met_at_about_the_same_time_are_told_apart_from_others(void **state)
{
    (void)state;
    m.p = &p;
    assert_false(conflicts(5, 1000));
    assert_int_equal(load_rlx(&p.met_at), now);
    assert_true(conflicts(40, 1000));
    assert_true(go__met_then(&m, &p));
    store_rlx(&p.met_at, now + 500000); /* its goroutines went on */
    assert_true(go__met_then(&m, &p));
    store_rlx(&p.met_at, now - 100000);
    assert_false(go__met_then(&m, &p));
}

static void test_a_foreign_thread_is_in_no_crowd(void **state)
{
    (void)state;
    go__tls_m = NULL;
    assert_false(conflicts(100, 500));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_few_conflicts_are_no_crowd, setup),
        cmocka_unit_test_setup(test_conflicts_in_close_succession_are_a_crowd, setup),
        cmocka_unit_test_setup(test_conflicts_now_and_then_are_no_crowd, setup),
        cmocka_unit_test_setup(test_a_crowd_disperses, setup),
        cmocka_unit_test_setup(test_ps_that_met_at_about_the_same_time_are_told_apart_from_others, setup),
        cmocka_unit_test_setup(test_a_foreign_thread_is_in_no_crowd, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
