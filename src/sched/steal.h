/* Stealing. The m searches (it spins), has its p and nothing to run; the g0 side. */
#ifndef GO_SRC_SCHED_STEAL_H
#define GO_SRC_SCHED_STEAL_H

#include "sched/rt.h"

/* Waits if the last thefts say that nothing is to be gained. True: there is something else to do, and nothing may be stolen before that. */
bool go__hold_back(struct go__m *mp);

/* A goroutine to run, NULL if none was found; more may have come to the p's ring with it. */
struct go__g *go__steal(struct go__m *mp);

#endif
