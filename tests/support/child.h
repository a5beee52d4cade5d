/* A program in a process of its own, which may die or hang: its standard error and its wait status are the result. */
#ifndef GO_TESTS_SUPPORT_CHILD_H
#define GO_TESTS_SUPPORT_CHILD_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#ifndef CHILD_SECONDS
#define CHILD_SECONDS 60 /* a hang is a failure */
#endif

static char child_text[1 << 18]; /* of the last child */

/* Exits with what program(arg) returns. */
static inline int child_status(int (*program)(void *arg), void *arg)
{
    int fd = memfd_create("stderr", MFD_CLOEXEC), status;
    assert_true(fd >= 0);
    (void)fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit no_core = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &no_core);
        (void)dup2(fd, 2);
        (void)alarm(CHILD_SECONDS);
        _exit(program(arg));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    ssize_t n = pread(fd, child_text, sizeof child_text - 1, 0);
    assert_true(n >= 0);
    child_text[n] = '\0';
    (void)close(fd);
    return status;
}

static inline void assert_exit(int status, int code)
{
    if (!WIFEXITED(status) || WEXITSTATUS(status) != code) {
        (void)fprintf(stderr, "status 0x%x instead of exit %d; stderr:\n%s", (unsigned)status, code, child_text);
        fail();
    }
}

static inline void assert_killed(int status, int signo)
{
    if (!WIFSIGNALED(status) || WTERMSIG(status) != signo) {
        (void)fprintf(stderr, "status 0x%x instead of signal %d; stderr:\n%s", (unsigned)status, signo, child_text);
        fail();
    }
}

#endif
