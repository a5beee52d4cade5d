/* Misuse of groups and tickers ends the process with a message. */
#include "support/dies.h"

static int sleep_long(go_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    return go_sleep(3600 * GO_SECOND);
}

static int limit_while_running(void *arg)
{
    (void)arg;
    go_group *group = go_group_new(NULL);
    go_group_go(group, sleep_long, NULL);
    go_group_go(group, sleep_long, NULL);
    go_group_set_limit(group, 3);
    return 0;
}

static void wait_too(void *arg)
{
    (void)go_group_wait(arg);
}

static int two_waits(void *arg)
{
    (void)arg;
    go_group *group = go_group_new(NULL);
    go_group_go(group, sleep_long, NULL);
    go(wait_too, group);
    go(wait_too, group);
    return go_sleep(3600 * GO_SECOND);
}

static int ticker_of_nothing(void *arg)
{
    (void)arg;
    go_ticker *t = go_ticker_new(GO_SECOND);
    go_ticker_reset(t, 0);
    return 0;
}

static void the_limit_may_not_change_while_members_run(void **state)
{
    (void)state;
    dies(limit_while_running, "goco: fatal error: go_group_set_limit while 2 goroutines of the group are running\n");
}

static void only_one_waits_for_a_group(void **state)
{
    (void)state;
    dies(two_waits, "goco: fatal error: two calls of go_group_wait on one group\n");
}

static void a_ticker_needs_a_period(void **state)
{
    (void)state;
    dies(ticker_of_nothing, "goco: fatal error: go_ticker_reset with a period that is not positive\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_limit_may_not_change_while_members_run),
        cmocka_unit_test(only_one_waits_for_a_group),
        cmocka_unit_test(a_ticker_needs_a_period),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
