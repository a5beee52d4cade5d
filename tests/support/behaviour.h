/* Test functions that are goroutines: BEHAVIOUR(f) is a cmocka test that runs f() as the main goroutine of a run of its own. The
 * body speaks through CHECK (check.h). Includes cmocka with what it needs. */
#ifndef GO_TESTS_SUPPORT_BEHAVIOUR_H
#define GO_TESTS_SUPPORT_BEHAVIOUR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include <go.h>

#include "support/check.h"

struct behaviour {
    void (*body)(void);
};

static inline int behaviour_main(void *arg)
{
    ((struct behaviour *)arg)->body();
    return 0;
}

static inline void behaviour_run(void **state)
{
    assert_int_equal(go_run(behaviour_main, *state), 0);
}

#define BEHAVIOUR(f)                                       \
    {                                                      \
#f, behaviour_run, NULL, NULL, &(struct behaviour) \
        {                                                  \
            f                                              \
        }                                                  \
    }

/* Calls fn(arg) on a pthread that is no goroutine, while the caller waits in a blocking call. */
static inline void on_foreign_thread(void *(*fn)(void *), void *arg)
{
    pthread_t thread;
    go_block_begin();
    CHECK_EQUAL(pthread_create(&thread, NULL, fn, arg), 0);
    CHECK_EQUAL(pthread_join(thread, NULL), 0);
    go_block_end();
}

#endif
