/* Misuse that ends the process: the program runs in a child, whose standard error must contain the message. */
#ifndef GO_TESTS_SUPPORT_DIES_H
#define GO_TESTS_SUPPORT_DIES_H

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/behaviour.h"

static inline void dies(int (*program)(void *arg), const char *message)
{
    int ends[2], status;
    char text[8192];
    size_t length = 0;
    ssize_t n;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)dup2(ends[1], 2);
        (void)go_run(program, NULL);
        _exit(0);
    }
    assert_true(child > 0);
    (void)close(ends[1]);
    while (length < sizeof text - 1 && (n = read(ends[0], text + length, sizeof text - 1 - length)) != 0) {
        assert_true(n > 0 || errno == EINTR);
        length += n > 0 ? (size_t)n : 0;
    }
    text[length] = '\0';
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_non_null(strstr(text, message));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

#endif
