/* Programs that end in a report: all goroutines asleep, fatal errors, leaks. Each runs as a child; its stderr and status are the
 * result. */
#include "support/child.h"

#include <stdlib.h>

#include "go.h"
#include "support/check.h"

struct run {
    int (*body)(void *arg);
    const char *setting; /* of GOCO_DEBUG, or NULL */
};

static int run_with_setting(void *arg)
{
    const struct run *run = arg;
    if (run->setting != NULL) {
        (void)setenv("GOCO_DEBUG", run->setting, 1);
    }
    return go_run(run->body, NULL);
}

/* Runs body in a child, under a runtime of its own; its stderr lands in `child_text`. Returns the wait status. */
static int run_child(int (*body)(void *arg), const char *setting)
{
    struct run run = {body, setting};
    return child_status(run_with_setting, &run);
}

static void assert_says(const char *part)
{
    if (strstr(child_text, part) == NULL) {
        (void)fprintf(stderr, "\"%s\" is not in:\n%s", part, child_text);
        fail();
    }
}

static const char deadlock_line[] = "goco: fatal error: all goroutines are asleep - deadlock!\n";

static void stuck_receiver(void *arg)
{
    (void)go_chan_recv((go_chan *)arg, NULL);
    __asm__ volatile("");
}

static int everybody_waits(void *arg)
{
    (void)arg;
    const go_attr attr = {.name = "stuck"};
    go_chan *c = go_chan_new(0, 0);
    CHECK(go_spawn(&attr, stuck_receiver, c) == 0);
    return go_chan_recv(c, NULL);
}

static void test_deadlock_is_reported_with_every_goroutine(void **state)
{
    (void)state;
    assert_exit(run_child(everybody_waits, NULL), 2);
    assert_int_equal(strncmp(child_text, deadlock_line, strlen(deadlock_line)), 0);
    assert_says("\ngoroutine 1 [chan receive");
    assert_says("\"stuck\" [chan receive");
    assert_says("\n    stuck_receiver+0x");
    assert_says("\n    everybody_waits+0x");
    assert_says("created by goroutine 1 in everybody_waits+0x");
}

static int nil_channel(void *arg)
{
    (void)arg;
    return go_chan_recv(NULL, NULL);
}

static int empty_select(void *arg)
{
    (void)arg;
    return go_select(NULL, 0);
}

static int self_lock(void *arg)
{
    (void)arg;
    go_mutex mutex = GO_MUTEX_INIT;
    go_mutex_lock(&mutex);
    go_mutex_lock(&mutex);
    return 0;
}

static int main_exits(void *arg)
{
    (void)arg;
    go(stuck_receiver, go_chan_new(0, 0));
    go_exit();
}

static void test_each_way_to_wait_for_ever_is_found(void **state)
{
    (void)state;
    static const struct {
        int (*body)(void *arg);
        const char *reason;
    } ways[] = {
        {nil_channel, "[chan receive (nil chan)"},
        {empty_select, "[select"},
        {self_lock, "[mutex lock"},
        {main_exits, "[chan receive"},
    };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        assert_exit(run_child(ways[i].body, NULL), 2);
        assert_says(deadlock_line);
        assert_says(ways[i].reason);
    }
}

static void leave(void *arg)
{
    _exit(*(int *)arg);
}

static int with_handler(void *arg)
{
    (void)arg;
    static int code = 42;
    go_set_deadlock_handler(leave, &code);
    return everybody_waits(NULL);
}

static void test_handler_replaces_the_report(void **state)
{
    (void)state;
    assert_exit(run_child(with_handler, NULL), 42);
    assert_string_equal(child_text, "");
}

static void shrug(void *arg)
{
    (void)arg;
    (void)!write(2, "shrug\n", 6);
}

static int with_returning_handler(void *arg)
{
    (void)arg;
    go_set_deadlock_handler(shrug, NULL);
    return everybody_waits(NULL);
}

static void test_handler_that_returns_is_followed_by_the_report(void **state)
{
    (void)state;
    assert_exit(run_child(with_returning_handler, NULL), 2);
    assert_int_equal(strncmp(child_text, "shrug\n", 6), 0);
    assert_says(deadlock_line);
}

static __attribute__((noinline)) void unlock_unlocked(void)
{
    go_mutex mutex = GO_MUTEX_INIT;
    go_mutex_unlock(&mutex);
    __asm__ volatile("");
}

static int misuse(void *arg)
{
    (void)arg;
    go(stuck_receiver, go_chan_new(0, 0));
    go_yield();
    unlock_unlocked();
    return 0;
}

static void test_fatal_error_shows_the_culprit_first_and_aborts(void **state)
{
    (void)state;
    int status = run_child(misuse, NULL);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_int_equal(strncmp(child_text, "goco: fatal error: ", 19), 0);
    assert_says("goroutine 1 [running]");
    assert_says("\n    unlock_unlocked+0x");
    assert_says("\n    misuse+0x");
    assert_true(strstr(child_text, "unlock_unlocked") < strstr(child_text, "stuck_receiver"));
}

static int leaky(void *arg)
{
    (void)arg;
    static go_chan *c;
    c = go_chan_new(0, 0);
    const go_attr attr = {.name = "leaked"};
    CHECK(go_spawn(&attr, stuck_receiver, c) == 0);
    CHECK(go_spawn(&attr, stuck_receiver, c) == 0);
    (void)go_sleep(10 * GO_MILLISECOND); /* they get there; if not, they are not leaks and the test says so */
    return 0;
}

static void test_leak_report_lists_who_was_blocked_and_its_creator(void **state)
{
    (void)state;
    assert_exit(run_child(leaky, "leak=1"), 0);
    assert_says("goco: leak: 2 goroutines were still blocked when main returned\n");
    assert_says("\"leaked\" [chan receive");
    assert_says("\n    stuck_receiver+0x");
    assert_says("created by goroutine 1 in leaky+0x");
    assert_null(strstr(child_text, "goroutine 1 ["));
    assert_exit(run_child(leaky, NULL), 0);
    assert_string_equal(child_text, "");
}

static int clean(void *arg)
{
    (void)arg;
    return 3;
}

static void test_no_leak_no_report_and_unknown_settings_are_named(void **state)
{
    (void)state;
    assert_exit(run_child(clean, "leak=1"), 3);
    assert_string_equal(child_text, "");
    assert_exit(run_child(clean, "leak=1,laek=1"), 3);
    assert_string_equal(child_text, "goco: GOCO_DEBUG: unknown setting \"laek\"\n");
    assert_exit(run_child(clean, "trace=/nonexistent/x"), 3);
    assert_says("goco: GOCO_DEBUG: trace=/nonexistent/x: ");
}

static bool stderr_has_lines(int wanted)
{
    char so_far[4096];
    ssize_t n = pread(2, so_far, sizeof so_far, 0);
    for (ssize_t i = 0; i < n; i++) {
        wanted -= so_far[i] == '\n';
    }
    return wanted <= 0;
}

static int busy_for_three_lines(void *arg)
{
    (void)arg;
    while (!stderr_has_lines(3)) { /* however long the thread that prints them waits for a CPU */
        go_yield();
    }
    return 0;
}

static void test_schedtrace_prints_a_line_a_period(void **state)
{
    (void)state;
    assert_exit(run_child(busy_for_three_lines, "schedtrace=50"), 0);
    long last = 0;
    for (const char *at = child_text; (at = strstr(at, "SCHED ")) != NULL; at++) {
        long now = strtol(at + 6, NULL, 10);
        assert_true(now - last >= 50);
        last = now;
    }
    assert_true(last >= 150);
    assert_says("ms: procs=");
    assert_says(" goroutines=1 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deadlock_is_reported_with_every_goroutine),
        cmocka_unit_test(test_each_way_to_wait_for_ever_is_found),
        cmocka_unit_test(test_handler_replaces_the_report),
        cmocka_unit_test(test_handler_that_returns_is_followed_by_the_report),
        cmocka_unit_test(test_fatal_error_shows_the_culprit_first_and_aborts),
        cmocka_unit_test(test_leak_report_lists_who_was_blocked_and_its_creator),
        cmocka_unit_test(test_no_leak_no_report_and_unknown_settings_are_named),
        cmocka_unit_test(test_schedtrace_prints_a_line_a_period),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
