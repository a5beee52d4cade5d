/* Misuse that ends the process: the program runs in a child, whose standard error must contain the message. */
#ifndef GO_TESTS_SUPPORT_DIES_H
#define GO_TESTS_SUPPORT_DIES_H

#include "support/child.h"

#include "support/behaviour.h"

static inline int dies_running(void *program)
{
    (void)go_run(*(int (**)(void *arg))program, NULL);
    return 0;
}

static inline void dies(int (*program)(void *arg), const char *message)
{
    int status = child_status(dies_running, &program);
    assert_non_null(strstr(child_text, message));
    assert_killed(status, SIGABRT);
}

#endif
