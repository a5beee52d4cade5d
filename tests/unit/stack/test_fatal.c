/* Messages without libc, and the end of the process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/fatal.h"

static void test_formats_are_those_of_printf(void **state)
{
    (void)state;
    char text[64];
    assert_int_equal(go__format(text, sizeof text, "%s|%d|%u|%x|%c|%%", "abc", -12, 34u, 0xBEEFu, 'q'), 19);
    assert_string_equal(text, "abc|-12|34|beef|q|%");
    go__format(text, sizeof text, "%ld %lu %lx %zu %lld", -1L, ~0UL, ~0UL, (size_t)7, (long long)INT64_MIN);
    assert_string_equal(text, "-1 18446744073709551615 ffffffffffffffff 7 -9223372036854775808");
    go__format(text, sizeof text, "%p %s", (void *)0x1234, (const char *)NULL);
    assert_string_equal(text, "0x1234 (null)");
}

static void test_long_messages_are_cut(void **state)
{
    (void)state;
    char text[8];
    assert_int_equal(go__format(text, sizeof text, "%s", "0123456789"), 7);
    assert_string_equal(text, "0123456");
    char one[1];
    assert_int_equal(go__format(one, sizeof one, "%d", 5), 0);
    assert_string_equal(one, "");
}

static void on_abort(int signo)
{
    (void)signo;
}

static void test_fatal_ends_the_process_by_abort_even_if_caught(void **state)
{
    (void)state;
    for (int caught = 0; caught < 3; caught++) {
        int pipes[2];
        assert_int_equal(pipe(pipes), 0);
        pid_t child = fork();
        if (child == 0) {
            dup2(pipes[1], 2);
            signal(SIGABRT, caught == 0 ? SIG_DFL : caught == 1 ? SIG_IGN : on_abort);
            sigset_t set;
            sigemptyset(&set);
            sigaddset(&set, SIGABRT);
            sigprocmask(SIG_BLOCK, &set, NULL);
            go__fatal("%s is %d", "answer", 42);
        }
        close(pipes[1]);
        char text[256] = "";
        size_t length = 0;
        for (ssize_t n; (n = read(pipes[0], text + length, sizeof text - 1 - length)) > 0; length += (size_t)n) {}
        close(pipes[0]);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        assert_int_equal(strncmp(text, "goco: fatal error: answer is 42\n", 32), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats_are_those_of_printf),
        cmocka_unit_test(test_long_messages_are_cut),
        cmocka_unit_test(test_fatal_ends_the_process_by_abort_even_if_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
