/* Dumps and statistics beside all that goes on: a trim, a name that changes, the end of the run. */
#include "regress/child.h"

#include "sched/park.h"
#include "stack/depot.h"
#include "stack/layout.h"

static int die_in_the_depot(void *arg)
{
    struct go__slots_layout layout;
    (void)arg;
    go__slots_layout(&layout);
    struct go__depot *depots = (struct go__depot *)layout.depots;
    for (uint32_t i = 0; i < layout.depot_count; i++) {
        go__futex_lock(&depots[i].lock);
    }
    go__throw("with the depots locked");
}

static int run_and_die(void *arg)
{
    return go_run(die_in_the_depot, arg);
}

static void who_dies_in_the_depot_reports(void **state)
{
    (void)state;
    int status = child_status(run_and_die, NULL);
    assert_killed(status, SIGABRT);
    assert_non_null(strstr(child_text, "with the depots locked"));
    assert_non_null(strstr(child_text, "goroutine 1 [running]"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_dies_in_the_depot_reports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
