/* Stand-ins: what a pthread that is not goco's uses for a g. It waits on a futex; its record looks like a waiting goroutine to
 * whoever wakes it. */
#ifndef GO_SRC_SCHED_STANDIN_H
#define GO_SRC_SCHED_STANDIN_H

#include "sched/park.h"

struct go__standin {
    struct go__g g;           /* thread points back here */
    go__note note;            /* cleared by the thread before it parks */
    uint64_t run;             /* sched.run_number in which it is counted, or was last; 0: none. By the thread, under sched.lock */
    struct go__standin *next; /* in sched.standins; under sched.lock */
    bool waiting;             /* under sched.lock */
};

int go__standin_park(go__commit_fn commit, void *arg, enum go__reason reason);
void go__standin_wake(struct go__g *gp);

/* The run is over: every foreign thread that waits gets -ECANCELED; fatal if one cannot. */
void go__standins_cancel(void);

#endif
