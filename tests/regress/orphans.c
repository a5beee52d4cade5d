/* Orphans: goroutines that still executed when stop_timeout was over. Their threads end at their next goco call, during the next run
 * perhaps, whose affairs they are no part of. */
#include "regress/child.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>

#include "sched/rt.h"

static atomic_int released, orphan_tid, spawned;
static go_chan *c, *other;
static go_mutex mutex;
static go_rwmutex rwmutex;
static go_cond cond;
static int file;

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

/* --- what the orphan queues for, or wakes somebody on, the next run uses --- */

static void be_orphan(void)
{
    orphan_tid = (int)syscall(SYS_gettid);
    while (!released) {}
}

static void select_later(void *arg)
{
    int value = 1;
    go_case cases[] = {{.chan = c, .elem = &value, .direction = GO_DIRECTION_SEND},
                       {.chan = other, .elem = &value, .direction = GO_DIRECTION_RECV}};
    (void)arg;
    be_orphan();
    (void)go_select(cases, 2);
    spawned++; /* not reached */
}

static void send_for_a_while_later(void *arg)
{
    int value = 1;
    (void)arg;
    be_orphan();
    (void)go_chan_send_until(c, &value, go_now() + 60 * GO_SECOND);
    spawned++; /* not reached */
}

static void sleep_later(void *arg)
{
    (void)arg;
    be_orphan();
    (void)go_sleep(GO_MILLISECOND);
    spawned++; /* not reached */
}

static void lock_later(void *arg)
{
    (void)arg;
    be_orphan();
    go_mutex_lock(&mutex);
    spawned++; /* not reached */
}

static void rlock_later(void *arg)
{
    (void)arg;
    be_orphan();
    go_rwmutex_rlock(&rwmutex);
    spawned++; /* not reached */
}

static void read_later(void *arg)
{
    char byte;
    (void)arg;
    be_orphan();
    (void)go_read(file, &byte, 1);
    spawned++; /* not reached */
}

static void release_orphan(void)
{
    released = 1;
    while (!orphan_is_gone()) {
        CHECK_EQUAL(go_sleep(GO_MILLISECOND), 0);
    }
    CHECK_EQUAL(spawned, 0);
}

/* Each leaves the others something to do, if the orphan has queued with it. */
static int meet_nobody(void *arg)
{
    int value = 0;
    char byte;
    (void)arg;
    go_mutex_lock(&mutex);
    go_rwmutex_lock(&rwmutex);
    release_orphan();
    CHECK_EQUAL(go_chan_try_send(other, &value), -EAGAIN);
    CHECK_EQUAL(go_chan_recv_until(c, &value, go_now() + 20 * GO_MILLISECOND), -ETIMEDOUT);
    go_mutex_unlock(&mutex);
    go_rwmutex_unlock(&rwmutex);
    CHECK_EQUAL(go_sleep(20 * GO_MILLISECOND), 0);
    CHECK(go_mutex_trylock(&mutex));
    CHECK(go_rwmutex_trylock(&rwmutex));
    CHECK_EQUAL(go_read(file, &byte, 1), 1);
    CHECK_EQUAL(spawned, 0);
    go_chan_unref(c); /* fatal if somebody waits */
    go_chan_unref(other);
    return 0;
}

static int sleep_once(void *arg)
{
    (void)arg;
    return go_sleep(GO_MILLISECOND);
}

static int shared_by_two_runs(void *orphan)
{
    const go_config impatient = {.stop_timeout = GO_MILLISECOND};
    c = go_chan_new(sizeof(int), 0);
    other = go_chan_new(sizeof(int), 0);
    file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CHECK(file >= 0);
    CHECK_EQUAL(go_run_config(&impatient, leave_one_behind, orphan), 0);
    CHECK_EQUAL(go_run(meet_nobody, NULL), 0);
    return go_run(sleep_once, NULL);
}

static void an_orphan_waits_in_no_queue_of_the_next_run(void **state)
{
    static go_func orphans[] = {send_later, select_later, send_for_a_while_later, sleep_later, lock_later, rlock_later, read_later};
    (void)state;
    for (size_t i = 0; i < sizeof orphans / sizeof orphans[0]; i++) {
        child_exits(shared_by_two_runs, &orphans[i], 0);
    }
}

/* --- an orphan that wakes somebody of the next run --- */

static void send_to_somebody(void *arg)
{
    int value = 7;
    (void)arg;
    be_orphan();
    (void)go_chan_send(c, &value);
}

static void close_it(void *arg)
{
    (void)arg;
    be_orphan();
    (void)go_chan_close(c);
}

/* With the mutex, which somebody waits for in the next run. */
static void wait_for_signal(void *arg)
{
    (void)arg;
    go_mutex_lock(&mutex);
    be_orphan();
    go_cond_wait(&cond, &mutex);
    spawned++; /* not reached */
}

static void release_when_main_waits(void *arg)
{
    (void)arg;
    (void)usleep(20000);
    released = 1;
}

/* Orphans are counted by nobody: without this one, main would be found asleep for ever. */
static void keep_awake(void *arg)
{
    (void)arg;
    while (go_sleep(GO_MILLISECOND) == 0) {}
}

static int be_sent_to(void *arg)
{
    int value = 0;
    (void)arg;
    go(keep_awake, NULL);
    go(release_when_main_waits, NULL);
    int code = go_chan_recv(c, &value);
    CHECK((code == 0 && value == 7) || code == -EPIPE);
    return 0;
}

static int lock_what_it_holds(void *arg)
{
    (void)arg;
    go(keep_awake, NULL);
    go(release_when_main_waits, NULL);
    go_mutex_lock(&mutex);
    release_orphan();
    go_cond_signal(&cond);
    CHECK_EQUAL(go_sleep(20 * GO_MILLISECOND), 0);
    CHECK_EQUAL(spawned, 0);
    return 0;
}

struct meeting {
    go_func orphan;
    int (*main_fn)(void *arg);
};

static int woken_by_an_orphan(void *arg)
{
    const struct meeting *m = arg;
    const go_config impatient = {.stop_timeout = GO_MILLISECOND};
    c = go_chan_new(sizeof(int), 0);
    CHECK_EQUAL(go_run_config(&impatient, leave_one_behind, &(go_func){m->orphan}), 0);
    return go_run(m->main_fn, NULL);
}

static void whom_an_orphan_wakes_goes_on(void **state)
{
    static struct meeting meetings[] = {
        {send_to_somebody, be_sent_to}, {close_it, be_sent_to}, {wait_for_signal, lock_what_it_holds}};
    (void)state;
    for (size_t i = 0; i < sizeof meetings / sizeof meetings[0]; i++) {
        child_exits(woken_by_an_orphan, &meetings[i], 0);
    }
}

/* --- stacks --- */

static atomic_int deep, come_back;

static __attribute__((noinline)) int sum_of(int depth)
{
    volatile char frame[8192];
    (void)memset((void *)(uintptr_t)frame, depth, sizeof frame);
    if (depth == 0) {
        deep = 1;
        while (!come_back) {}
        return frame[17];
    }
    int below = sum_of(depth - 1);
    return below + (frame[4711] == (char)depth);
}

static void grow_later(void *arg)
{
    (void)arg;
    be_orphan();
    spawned = sum_of(100);
    go_yield();
    spawned++; /* not reached */
}

static void grow(void *arg)
{
    (void)arg;
    come_back = 1;
    CHECK_EQUAL(sum_of(50), 50);
    (void)go_chan_recv(other, NULL); /* for ever */
}

static int grow_beside_the_orphan(void *arg)
{
    (void)arg;
    released = 1;
    while (!deep && !orphan_is_gone()) { /* sysmon may have asked it to give way before its run ended: it ends in a prologue then */
        CHECK_EQUAL(go_sleep(GO_MILLISECOND), 0);
    }
    return 0;
}

static int grow_with_the_orphan(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        go(grow, NULL);
    }
    while (!orphan_is_gone()) {
        CHECK_EQUAL(go_sleep(GO_MILLISECOND), 0);
    }
    CHECK_EQUAL(spawned, deep ? 100 : 0);
    spawned = 0;
    return 0;
}

static int grows_for_three_runs(void *orphan)
{
    const go_config impatient = {.stop_timeout = GO_MILLISECOND};
    other = go_chan_new(sizeof(int), 0);
    CHECK_EQUAL(go_run_config(&impatient, leave_one_behind, orphan), 0);
    CHECK_EQUAL(go_run(grow_beside_the_orphan, NULL), 0);
    CHECK_EQUAL(go_run(grow_with_the_orphan, NULL), 0);
    CHECK_EQUAL(spawned, 0);
    return go_run(sleep_once, NULL);
}

static void an_orphan_grows_its_stack_in_other_runs(void **state)
{
    static go_func orphan = grow_later;
    (void)state;
    child_exits(grows_for_three_runs, &orphan, 0);
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
        cmocka_unit_test(an_orphan_waits_in_no_queue_of_the_next_run),
        cmocka_unit_test(whom_an_orphan_wakes_goes_on),
        cmocka_unit_test(an_orphan_grows_its_stack_in_other_runs),
        cmocka_unit_test(blocks_that_are_freed_are_in_no_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
