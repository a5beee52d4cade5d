/* Waiting with a deadline and under a bound context: how every "may park" call with a result parks.
 *
 *   if (go__canceled(gp)) return -ECANCELED;
 *   lock(list);
 *   ... if it can be done at once: do it, unlock, return ...
 *   uint32_t ticket = go__wait_begin(gp, deadline, false);
 *   enqueue {gp, ticket};
 *   int code = go__wait_park(gp, ticket, deadline, unlock_commit, list, reason);
 *   if (code is not the waker's) { lock(list); unlink the record if still linked; unlock(list); }
 */
#ifndef GO_SRC_TIME_WAIT_H
#define GO_SRC_TIME_WAIT_H

#include "sched/park.h"

/* Parks the caller (gp == go__self()) until claimed; returns the winner's code. Beside the caller's own wakers, the deadline
 * claims with -ETIMEDOUT and the bound context with -ECANCELED; -ENOMEM when the deadline's timer found no memory. `commit`
 * (drop the list's lock, always true) runs exactly once in every case. ticket as go__wait_begin(gp, deadline, ...) gave it. When this
 * returns the ticket is closed and the deadline's timer gone. */
int go__wait_park(struct go__g *gp, uint32_t ticket, int64_t deadline, void (*commit)(void *arg), void *arg,
                  enum go__reason reason);

/* The same for a deadline and a bound context alone, ticket != 0; the deadline is not asked whether it has passed already. */
int go__wait_sleep(struct go__g *gp, uint32_t ticket, int64_t deadline);

#endif
