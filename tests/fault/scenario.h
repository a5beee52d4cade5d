/* A scenario is the main goroutine of a run: it uses one part of the library and gives everything back, whatever fails on the way. It
 * returns 0, or the first error it met. What must not happen ends the process by CHECK. */
#ifndef GO_TESTS_FAULT_SCENARIO_H
#define GO_TESTS_FAULT_SCENARIO_H

#include <stdbool.h>

#include <go.h>

#define GO__FAULT_OUTSIDE /* the test's own calls do not fail */
#include "fault/faultpoint.h"
#include "support/check.h"

struct scenario {
    const char *name;
    int (*body)(void *arg);
    const int *errors; /* what the calls used are documented to return, ended by 0; go_run's own are known */
    const char *fatal; /* part of the message with which it may end; NULL: it must not */
    bool waits; /* goes on only with another thread: where threads cannot be had at all it would wait for ever, as documented */
};

/* Each list ends with an entry without a name. */
extern const struct scenario scenarios_sched[], scenarios_sync[], scenarios_net[], scenarios_debug[];

/* Keeps the first error. */
static inline void note_error(int *first, long code)
{
    if (*first == 0 && code < 0) {
        *first = (int)code;
    }
}

#endif
