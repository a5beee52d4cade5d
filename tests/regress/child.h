/* A case in a process of its own, which may die or hang: its standard error and status are the result. Includes cmocka. */
#ifndef GO_TESTS_REGRESS_CHILD_H
#define GO_TESTS_REGRESS_CHILD_H

#define CHILD_SECONDS 200 /* nothing here takes a second on a quiet machine */
#include "support/child.h"

#include "support/behaviour.h"

static inline void child_exits(int (*program)(void *arg), void *arg, int code)
{
    assert_exit(child_status(program, arg), code);
}

/* Waits until condition holds, on a thread or in a blocking call. */
#define UNTIL(condition)        \
    do {                        \
        while (!(condition)) {  \
            (void)usleep(1000); \
        }                       \
    } while (0)

#endif
