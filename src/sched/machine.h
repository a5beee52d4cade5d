/* Ms: OS threads of the run. Native stacks only. */
#ifndef GO_SRC_SCHED_MACHINE_H
#define GO_SRC_SCHED_MACHINE_H

#include "sched/rt.h"

/* A new thread that begins with pp. 0 or -errno, nothing has happened then. */
int go__machine_start(struct go__p *pp, bool spinning);

/* Joins threads that have ended; `all`: waits for every one. Orphans are not known any more. */
void go__machines_join(bool all);

#endif
