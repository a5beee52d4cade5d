/* A p on its way from one thread to another, or to nobody, is watched by neither. */
#include "regress/child.h"

#include <stdatomic.h>

#define ROUNDS 400

static int ends[2];
static atomic_int asked, answered;

static void wait_for_the_descriptor(void *arg)
{
    char byte;
    (void)arg;
    CHECK_EQUAL(go_read(ends[0], &byte, 1), 0);
}

/* Sleeps once a round, as soon as it is asked to. */
static void *sleep_each_round(void *arg)
{
    for (int round = 1; round <= ROUNDS; round++) {
        while (asked < round) {}
        for (volatile int i = 0; i < round % 20 * 50; i++) {}
        CHECK_EQUAL(go_sleep(100 * GO_MICROSECOND), 0);
        answered = round;
    }
    return arg;
}

/* The foreign timer is armed about when the p is handed over; nobody has a reason to look at it but whoever sleeps in the poller. */
static int hand_over_each_round(void *arg)
{
    pthread_t thread;
    (void)arg;
    CHECK_EQUAL(pipe(ends), 0);
    go(wait_for_the_descriptor, NULL);
    CHECK_EQUAL(pthread_create(&thread, NULL, sleep_each_round, NULL), 0);
    for (int round = 1; round <= ROUNDS; round++) {
        CHECK_EQUAL(go_sleep(GO_MICROSECOND), 0);
        asked = round;
        go_block_begin();
        while (answered < round) { /* for ever if the sleep was overslept */
            (void)usleep(50);
        }
        go_block_end();
    }
    CHECK_EQUAL(pthread_join(thread, NULL), 0);
    CHECK_EQUAL(close(ends[1]), 0);
    return 0;
}

static void a_foreign_timer_armed_while_a_p_is_handed_over_is_not_overslept(void **state)
{
    (void)state;
    child_runs(NULL, hand_over_each_round, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_foreign_timer_armed_while_a_p_is_handed_over_is_not_overslept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
