/* Start and end of a run. */
#ifndef GO_SRC_SCHED_RUN_H
#define GO_SRC_SCHED_RUN_H

#include "sched/rt.h"

struct go__p *go__p_new(int index); /* NULL when memory is out; native stack */

/* What the orphans of a run may still use. Freed by the last of them, or by go_run's thread. */
struct go__leftover {
    go__atomic(uint32_t) refs; /* orphans, and go_run's thread while it ends the run */
    struct go__p **all_p;
    int all_p_count;
};

/* Orphans, of any run, that may still use their stacks; outlives runs. */
extern go__atomic(uint32_t) go__orphans;

/* An orphan is over, or go_run's thread is done with the run; NULL does nothing. Native stack. */
void go__leftover_release(struct go__leftover *left);

#endif
