/* Programs that cannot go on, after Go's runtime (crash_test.go): what is a deadlock, what is none, and how the process ends. Each runs
 * as a child. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/behaviour.h"

static char text[1 << 16]; /* the child's standard error */
static int gate[2];        /* a pipe from the test to the child */

/* Runs the program as a child; opens the gate after 30 ms. Returns the wait status. */
static int run_child(const go_config *config, int (*program)(void *arg))
{
    int ends[2], status;
    size_t length = 0;
    ssize_t n;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(pipe(gate), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit no_core = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &no_core);
        (void)dup2(ends[1], 2);
        (void)close(gate[1]);
        (void)alarm(60); /* a hang is a failure */
        _exit(go_run_config(config, program, NULL));
    }
    (void)close(ends[1]);
    (void)usleep(30000);
    (void)close(gate[0]);
    (void)close(gate[1]);
    while (length < sizeof text - 1 && (n = read(ends[0], text + length, sizeof text - 1 - length)) != 0) {
        assert_true(n > 0 || errno == EINTR);
        length += n > 0 ? (size_t)n : 0;
    }
    text[length] = '\0';
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void says(const char *part)
{
    if (strstr(text, part) == NULL) {
        (void)fprintf(stderr, "\"%s\" is not in:\n%s", part, text);
        fail();
    }
}

static void is_a_deadlock(int (*program)(void *arg))
{
    static const char line[] = "goco: fatal error: all goroutines are asleep - deadlock!\n";
    int status = run_child(NULL, program);
    says(line);
    assert_int_equal(strncmp(text, line, strlen(line)), 0);
    says("goroutine 1 [");
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 2);
}

static go_chan *never(void)
{
    return go_chan_new(0, 0);
}

/* TestSimpleDeadlock. */
static int waits(void *arg)
{
    (void)arg;
    return go_chan_recv(never(), NULL);
}

static void main_that_waits_alone_is_a_deadlock(void **state)
{
    (void)state;
    is_a_deadlock(waits);
}

/* TestLockedDeadlock. */
static int waits_locked(void *arg)
{
    go_lock_thread();
    return waits(arg);
}

/* TestLockedDeadlock2. */
static void another_waits_locked(void *arg)
{
    go_lock_thread();
    CHECK_EQUAL(go_chan_recv(arg, NULL), 0);
}

static int waits_for_a_locked_one(void *arg)
{
    (void)arg;
    go_chan *c = never();
    go(another_waits_locked, c);
    go_yield();
    return go_chan_recv(c, NULL);
}

static void locked_goroutines_are_no_exception(void **state)
{
    (void)state;
    is_a_deadlock(waits_locked);
    is_a_deadlock(waits_for_a_locked_one);
}

static void sleeps_and_ends(void *arg)
{
    (void)arg;
    CHECK_EQUAL(go_sleep(5 * GO_MILLISECOND), 0);
}

/* TestGoexitDeadlock. */
static int exits_before_the_others(void *arg)
{
    (void)arg;
    go(sleeps_and_ends, NULL);
    go_yield();
    go_exit();
}

static void main_may_exit_and_the_last_one_is_the_deadlock(void **state)
{
    (void)state;
    int status = run_child(NULL, exits_before_the_others);
    says("all goroutines are asleep - deadlock!");
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 2);
}

/* TestNetpollDeadlock. */
static int waits_after_the_network(void *arg)
{
    int listener = go_listen("tcp", "127.0.0.1:0");
    CHECK(listener >= 0);
    CHECK_EQUAL(go_set_deadline(listener, go_now() + GO_MILLISECOND), 0);
    CHECK_EQUAL(go_accept(listener), -ETIMEDOUT);
    CHECK_EQUAL(go_set_deadline(listener, GO_FOREVER), 0);
    return waits(arg); /* the listener is open, but nobody waits for it */
}

static void open_descriptors_hide_no_deadlock(void **state)
{
    (void)state;
    is_a_deadlock(waits_after_the_network);
}

static void waits_for_the_gate(void *arg)
{
    char byte;
    (void)arg;
    CHECK_EQUAL(go_read(gate[0], &byte, 1), 0);
    _exit(7);
}

/* What may still come from outside is no deadlock. */
static int waits_while_another_reads(void *arg)
{
    go(waits_for_the_gate, NULL);
    return waits(arg);
}

static void a_reader_keeps_the_program_alive(void **state)
{
    (void)state;
    int status = run_child(NULL, waits_while_another_reads);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_string_equal(text, "");
}

/* TestGoNil. */
static int starts_nothing(void *arg)
{
    (void)arg;
    CHECK_EQUAL(go_spawn(NULL, NULL, NULL), -EINVAL);
    go(NULL, NULL);
    return 0;
}

static int starts_no_member(void *arg)
{
    static go_waitgroup members;
    (void)arg;
    go_waitgroup_go(&members, NULL, NULL);
    return 0;
}

static void is_fatal(int (*program)(void *arg), const char *message)
{
    int status = run_child(NULL, program);
    says(message);
    says("goroutine 1 [");
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void starting_no_function_is_fatal(void **state)
{
    (void)state;
    is_fatal(starts_nothing, "goco: fatal error: go() without a function\n");
    is_fatal(starts_no_member, "goco: fatal error: go_waitgroup_go without a function\n");
}

/* TestSignalExitStatus. */
static int is_ended_by_a_signal(void *arg)
{
    CHECK_EQUAL(kill(getpid(), SIGTERM), 0);
    CHECK_EQUAL(go_sleep(60 * GO_SECOND), 0);
    return waits(arg);
}

static void a_signal_ends_the_process_as_any_other(void **state)
{
    (void)state;
    int status = run_child(NULL, is_ended_by_a_signal);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
}

static go_waitgroup wg;

static void blocks_its_thread(void *arg)
{
    (void)arg;
    go_block_begin();
    (void)usleep(10000);
    go_block_end();
}

static int blocks_more_threads_than_there_may_be(void *arg)
{
    (void)arg;
    for (int i = 0; i < 30; i++) {
        go_waitgroup_go(&wg, blocks_its_thread, NULL);
    }
    go_waitgroup_wait(&wg);
    return 3;
}

/* TestThreadExhaustion, which ends the process in Go: here goroutines wait for a thread to come back, which is said. */
static void no_more_threads_means_waiting(void **state)
{
    (void)state;
    const go_config config = {.procs = 2, .max_threads = 6};
    int status = run_child(&config, blocks_more_threads_than_there_may_be);
    says("no more to be had");
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(main_that_waits_alone_is_a_deadlock),
        cmocka_unit_test(locked_goroutines_are_no_exception),
        cmocka_unit_test(main_may_exit_and_the_last_one_is_the_deadlock),
        cmocka_unit_test(open_descriptors_hide_no_deadlock),
        cmocka_unit_test(a_reader_keeps_the_program_alive),
        cmocka_unit_test(starting_no_function_is_fatal),
        cmocka_unit_test(a_signal_ends_the_process_as_any_other),
        cmocka_unit_test(no_more_threads_means_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
