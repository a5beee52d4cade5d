/* Stopping the world, for those who look at everything at once: dumps, go_set_procs, the end of the run. */
#ifndef GO_SRC_SCHED_WORLD_H
#define GO_SRC_SCHED_WORLD_H

#include "sched/rt.h"

/* On the g0 side: the world is stopped; gives up the p and waits until it goes on. */
void go__world_wait(struct go__m *mp);

/* sched.lock held: gives a p that go__claim_p took back to the m it came from, if that still waits for it. False: pp stays the
 * caller's. */
bool go__unclaim_p(struct go__p *pp, struct go__m *mp);

/* sched.lock held: mp goes. The p it has, was stopped with, or was brought too late goes to the idle ones, unless mp
 * may still be at work with it. */
void go__world_forget(const struct go__m *mp, bool at_work);

#endif
