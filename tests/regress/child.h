/* A case in a process of its own, which may die or hang: its standard error and status are the result. Includes cmocka. */
#ifndef GO_TESTS_REGRESS_CHILD_H
#define GO_TESTS_REGRESS_CHILD_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/behaviour.h"

#define HANG_SECONDS 200 /* nothing here takes a second on a quiet machine */

static char child_text[1 << 16];

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
        (void)alarm(HANG_SECONDS);
        _exit(program(arg));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    ssize_t n = pread(fd, child_text, sizeof child_text - 1, 0);
    assert_true(n >= 0);
    child_text[n] = '\0';
    (void)close(fd);
    return status;
}

static inline void child_exits(int (*program)(void *arg), void *arg, int code)
{
    int status = child_status(program, arg);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != code) {
        (void)fprintf(stderr, "status 0x%x instead of exit %d; stderr:\n%s", (unsigned)status, code, child_text);
        fail();
    }
}

/* Waits until condition holds, on a thread or in a blocking call. */
#define UNTIL(condition)        \
    do {                        \
        while (!(condition)) {  \
            (void)usleep(1000); \
        }                       \
    } while (0)

#endif
