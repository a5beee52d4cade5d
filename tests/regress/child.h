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

struct child_run {
    const go_config *config;
    int (*main_fn)(void *arg);
};

static inline int child_run(void *arg)
{
    const struct child_run *run = (const struct child_run *)arg;
    return go_run_config(run->config, run->main_fn, NULL);
}

/* A run, NULL: with no configuration, of which main_fn returns code. */
static inline void child_runs(const go_config *config, int (*main_fn)(void *arg), int code)
{
    child_exits(child_run, &(struct child_run){config, main_fn}, code);
}

/* Waits until condition holds, on a thread or in a blocking call. */
#define UNTIL(condition)        \
    do {                        \
        while (!(condition)) {  \
            (void)usleep(1000); \
        }                       \
    } while (0)

#endif
