/* Orphans: goroutines that still executed when stop_timeout was over. Their threads end at their next goco call, during the next run
 * perhaps, whose affairs they are no part of. */
#include "regress/child.h"

#include <malloc.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>

#include "sched/rt.h"

static atomic_int released, orphan_tid, spawned;
static go_chan *c, *other;

static void count(void *arg)
{
    (void)arg;
    spawned++;
}

static void send_later(void *arg)
{
    int value = 1;
    (void)arg;
    orphan_tid = (int)syscall(SYS_gettid);
    while (!released) {}
    (void)go_chan_send(c, &value);
    spawned++; /* not reached */
}

static void start_later(void *arg)
{
    (void)arg;
    orphan_tid = (int)syscall(SYS_gettid);
    while (!released) {}
    go(count, NULL);
    spawned++; /* not reached */
}

static void block_later(void *arg)
{
    (void)arg;
    go_block_begin();
    orphan_tid = (int)syscall(SYS_gettid);
    UNTIL(released);
    go_block_end();
    spawned++; /* not reached */
}

static int leave_one_behind(void *orphan)
{
    go(*(go_func *)orphan, NULL);
    while (orphan_tid == 0) {
        CHECK_EQUAL(go_sleep(GO_MILLISECOND), 0);
    }
    return 0;
}

static bool orphan_is_gone(void)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/task/%d", orphan_tid);
    return access(path, F_OK) != 0;
}

static int wait_for_ever(void *arg)
{
    (void)arg;
    released = 1;
    while (!orphan_is_gone()) {
        CHECK_EQUAL(go_sleep(GO_MILLISECOND), 0);
    }
    CHECK_EQUAL(spawned, 0);
    go__futex_lock(&go__sched.lock);
    CHECK_EQUAL(go__sched.lost, 0);
    CHECK_EQUAL(go__sched.hogs, 0);
    go__futex_unlock(&go__sched.lock);
    return go_chan_recv(go_chan_new(0, 0), NULL); /* found out only if every count is right */
}

static int two_runs(void *orphan)
{
    const go_config impatient = {.stop_timeout = GO_MILLISECOND};
    c = go_chan_new(sizeof(int), 0);
    CHECK_EQUAL(go_run_config(&impatient, leave_one_behind, orphan), 0);
    return go_run(wait_for_ever, NULL);
}

static void an_orphan_leaves_the_next_runs_counts_alone(void **state)
{
    static go_func orphans[] = {send_later, start_later, block_later};
    (void)state;
    for (size_t i = 0; i < sizeof orphans / sizeof orphans[0]; i++) {
        child_exits(two_runs, &orphans[i], 2);
        assert_non_null(strstr(child_text, "all goroutines are asleep - deadlock!"));
    }
}

/* --- blocks of selects --- */

static go_waitgroup all_selected;

static void select_for_a_while(void *arg)
{
    go_case cases[] = {{.chan = c, .direction = GO_DIRECTION_RECV}, {.chan = other, .direction = GO_DIRECTION_RECV}};
    (void)arg;
    for (int i = 0; i < 20; i++) {
        for (volatile int j = 0; j < 20000; j++) {}
        (void)go_select_until(cases, 2, go_now() + GO_MILLISECOND / 4);
    }
}

static int select_on_all_ps(void *orphan)
{
    for (int i = 0; i < 64; i++) {
        go_waitgroup_go(&all_selected, select_for_a_while, NULL);
    }
    go_waitgroup_wait(&all_selected);
    return orphan != NULL ? leave_one_behind(orphan) : 0;
}

static int three_runs(void *orphan)
{
    const go_config impatient = {.procs = 8, .stop_timeout = GO_MILLISECOND}, two = {.procs = 2}, eight = {.procs = 8};
#ifdef M_PERTURB
    (void)mallopt(M_PERTURB, 0x5a); /* what is freed looks it */
#endif
    c = go_chan_new(sizeof(int), 0);
    other = go_chan_new(sizeof(int), 0);
    CHECK_EQUAL(go_run_config(&impatient, select_on_all_ps, orphan), 0);
    CHECK_EQUAL(go_run_config(&two, select_on_all_ps, NULL), 0);
    CHECK_EQUAL(go_run_config(&eight, select_on_all_ps, NULL), 0);
    return 0;
}

static void blocks_that_are_freed_are_in_no_cache(void **state)
{
    static go_func orphan = start_later;
    (void)state;
    child_exits(three_runs, &orphan, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_orphan_leaves_the_next_runs_counts_alone),
        cmocka_unit_test(blocks_that_are_freed_are_in_no_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
