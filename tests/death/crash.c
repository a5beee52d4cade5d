/* A crash in the program's own code is the program's: its handler runs, or the default ends it with a core. A goroutine that runs out of
 * stack is goco's to report. Each case runs as a child. */
#include "support/child.h"

#include <stdlib.h>

#include "go.h"
#include "support/check.h"

#define HANDLED 42

/* The faults that cmocka has taken are as in a fresh process. */
static int without_cmocka(void *body)
{
    static const int taken[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        (void)signal(taken[i], SIG_DFL);
    }
    (*(void (**)(void))body)();
    return 0;
}

static int run_child(void (*body)(void))
{
    return child_status(without_cmocka, &body);
}

static int *volatile nowhere = (int *)8;

static void crash(void *arg)
{
    (void)arg;
    *nowhere = 1;
}

static void crash_on_a_segment(void *arg)
{
    (void)arg;
    volatile char block[60000];
    block[0] = 1;
    *nowhere = block[0];
}

static int crash_in_a_goroutine(void *fn)
{
    go_waitgroup wg = GO_WAITGROUP_INIT;
    go_waitgroup_go(&wg, *(go_func *)fn, NULL);
    go_waitgroup_wait(&wg);
    return 0;
}

static int crash_in_main(void *arg)
{
    crash(arg);
    return 0;
}

static void on_fault(int signo, siginfo_t *info, void *context)
{
    (void)context;
    _exit(signo == SIGSEGV && info->si_addr == (void *)nowhere ? HANDLED : 1);
}

static void on_plain_fault(int signo)
{
    _exit(signo == SIGSEGV ? HANDLED : 1);
}

static void handle_faults(int flags)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    if ((flags & SA_SIGINFO) != 0) {
        action.sa_sigaction = on_fault;
    } else {
        action.sa_handler = on_plain_fault;
    }
    action.sa_flags = flags;
    CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
}

static int handler_during_the_run(void *fn)
{
    handle_faults(SA_SIGINFO | SA_ONSTACK);
    return crash_in_a_goroutine(fn);
}

static go_func small = crash, large = crash_on_a_segment;

static void default_action(void)
{
    (void)go_run(crash_in_a_goroutine, &small);
}

static void default_action_on_a_segment(void)
{
    (void)go_run(crash_in_a_goroutine, &large);
}

static void default_action_in_main(void)
{
    (void)go_run(crash_in_main, NULL);
}

static void handled_during(void)
{
    (void)go_run(handler_during_the_run, &small);
}

static void test_without_a_handler_the_default_ends_the_process(void **state)
{
    (void)state;
    assert_killed(run_child(default_action), SIGSEGV);
    assert_null(strstr(child_text, "stack")); /* nothing was overrun, and nobody says so */
    assert_killed(run_child(default_action_on_a_segment), SIGSEGV);
    assert_null(strstr(child_text, "stack"));
    assert_killed(run_child(default_action_in_main), SIGSEGV);
}

static void handled_before(void)
{
    handle_faults(SA_SIGINFO | SA_ONSTACK);
    (void)go_run(crash_in_a_goroutine, &small);
}

static void handled_before_on_a_segment(void)
{
    handle_faults(SA_SIGINFO | SA_ONSTACK);
    (void)go_run(crash_in_a_goroutine, &large);
}

static void handled_before_plainly(void)
{
    handle_faults(0);
    (void)go_run(crash_in_a_goroutine, &small);
}

static void test_the_programs_handler_gets_its_own_faults(void **state)
{
    (void)state;
    assert_exit(run_child(handled_before), HANDLED);
    assert_exit(run_child(handled_before_on_a_segment), HANDLED);
    assert_exit(run_child(handled_before_plainly), HANDLED);
    assert_exit(run_child(handled_during), HANDLED);
    assert_string_equal(child_text, "");
}

static volatile long sink;

static __attribute__((noinline)) long endless(long n)
{
    volatile long here[16];
    here[n & 15] = n;
    long r = n < 0 ? 0 : endless(n + 1);
    return r + here[n & 15];
}

static void overflow(void *arg)
{
    (void)arg;
    sink = endless(1);
}

static int overflow_by_name(void *arg)
{
    const go_attr attr = {.name = "deep", .stack_size = (size_t)(uintptr_t)arg};
    CHECK(go_spawn(&attr, overflow, NULL) == 0);
    return go_sleep(60 * GO_SECOND);
}

static void overflow_growing(void)
{
    const go_config config = {.stack_max = (size_t)4 << 20};
    (void)go_run_config(&config, overflow_by_name, NULL);
}

static void overflow_custom(void)
{
    const go_config config = {.stack_max = (size_t)4 << 20};
    (void)go_run_config(&config, overflow_by_name, (void *)(uintptr_t)100000);
}

static void assert_overflow_reported(int status)
{
    assert_killed(status, SIGABRT);
    assert_int_equal(strncmp(child_text, "goco: fatal error: ", strlen("goco: fatal error: ")), 0);
    assert_non_null(strstr(child_text, "overflow+0x")); /* the entry */
    assert_non_null(strstr(child_text, "\"deep\" [running]"));
    assert_non_null(strstr(child_text, "\n    endless+0x"));
    assert_non_null(strstr(child_text, "\ngoroutine 1 [")); /* it may not have gone to sleep yet */
}

static void test_running_out_of_stack_is_reported_with_every_goroutine(void **state)
{
    (void)state;
    assert_overflow_reported(run_child(overflow_growing));
    assert_overflow_reported(run_child(overflow_custom));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_a_handler_the_default_ends_the_process),
        cmocka_unit_test(test_the_programs_handler_gets_its_own_faults),
        cmocka_unit_test(test_running_out_of_stack_is_reported_with_every_goroutine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
