/* Entering the runtime, and how a p is taken from a goroutine that does not.
 *
 * p-local data (runnext, ring, free lists) is touched only inside: between go__enter and go__leave on a goroutine's stack, and all
 * the time on the g0 side. Entering is a plain store and a load; the one who takes a p pays for the order between them:
 *
 *   owner                              claimer (sysmon, stop of the world; holds sched.lock)
 *   inside = 1                         claim = ASKED
 *   light barrier                      heavy barrier
 *   claim != NONE ? slow path          inside ? claim = NONE, give up : claim = TAKEN, the p is the claimer's
 *
 *   claim   NONE --claimer--> ASKED --claimer--> NONE | TAKEN      TAKEN --owner, with a new p--> NONE
 *           any --end of run--> ORPHAN (the thread ends at its next goco call)      any --fork--> FORKED (fatal)
 *
 * At least one of the two sees the other [claim-race]. An owner that meets ASKED waits for the lock: the claimer decides. One that
 * meets TAKEN gets an idle p, or queues its goroutine, tied to its thread, and sleeps until somebody brings a p. */
#ifndef GO_SRC_SCHED_BLOCKING_H
#define GO_SRC_SCHED_BLOCKING_H

#include "sched/rt.h"

void go__enter_slow(struct go__m *mp);
void go__die_forked(void) GO__NORETURN;

/* On a goroutine's stack; mp is go__m(). It owns a p until go__leave, or until the goroutine leaves its stack. */
GO__SCHED_INLINE void go__enter_as(struct go__m *mp)
{
    store_rlx(&mp->inside, 1u); /* rlx + light barrier: [claim-race] above */
    go__barrier_light();
    if (go__unlikely(load_acq(&mp->claim) != GO__CLAIM_NONE)) { /* acq: what the claimer did under the lock */
        go__enter_slow(mp);
    }
}

GO__SCHED_INLINE struct go__m *go__enter(void)
{
    struct go__m *mp = go__m();
    go__enter_as(mp);
    return mp;
}

GO__SCHED_INLINE void go__leave(struct go__m *mp)
{
    store_rel(&mp->inside, 0u); /* rel: p-local writes come first; pairs with load_acq in go__claim_p */
}

/* go__enter for who is about to leave its stack. The caller may hold a spin lock that its commit is to drop, and those who spin for it
 * keep their ps meanwhile: so a thread whose p was taken must not wait for another one here. It leaves without (mp->p is NULL), runs
 * the commit, and is idle. */
void go__enter_parking_slow(struct go__m *mp);

GO__INLINE void go__enter_parking(struct go__m *mp)
{
    store_rlx(&mp->inside, 1u); /* rlx + light barrier: [claim-race] above */
    go__barrier_light();
    if (go__unlikely(load_acq(&mp->claim) != GO__CLAIM_NONE)) { /* acq: what the claimer did under the lock */
        go__enter_parking_slow(mp);
    }
}

/* On any thread: dies if it is a goroutine's in the child of a fork. For what would reach the parent through a descriptor that both have,
 * before anything enters the runtime. */
GO__INLINE void go__check_forked(void)
{
    struct go__m *mp = go__m();
    if (go__unlikely(mp != NULL && load_rlx(&mp->claim) == GO__CLAIM_FORKED)) { /* rlx: stored by this thread */
        go__die_forked();
    }
}

/* sched.lock held: tries to take pp from its m. True: pp->m is NULL and pp the caller's. */
bool go__claim_p(struct go__p *pp);

/* sched.lock held, caller's own thread (inside): gives up mp's p as a claimer would; go__enter_slow gets one back. */
struct go__p *go__detach_p(struct go__m *mp);

/* sched.lock held: mp does not miss its p any more. */
void go__count_found(struct go__m *mp);

/* Runs fn(arg), which may block the thread, on the native stack, the p given away meanwhile. */
void go__blocking_call(void (*fn)(void *arg), void *arg);

/* On a goroutine's stack, the run is over: never to be resumed. */
void go__abandon(struct go__m *mp) GO__NORETURN;

/* mp (NULL: a foreign thread) runs a goroutine that the end of its run did not wait for. */
GO__SCHED_INLINE bool go__is_orphan(struct go__m *mp)
{
    /* acq pairs with disown, whose store comes before all by which others tell that the run is over. */
    return mp != NULL && load_acq(&mp->claim) == GO__CLAIM_ORPHAN;
}

/* Orphans wait for nothing: what they would queue for may be known to the next run too. Before a record is queued, under the lock of the
 * queue, which unlock(arg) drops, and when it has been refreshed (those forgotten that waited there in a run that is over): whoever is not
 * known as an orphan then is forgotten by the next refresh. */
GO__SCHED_INLINE void go__orphan_leaves(void (*unlock)(void *arg), void *arg)
{
    struct go__m *mp = go__m();
    if (go__unlikely(go__is_orphan(mp))) {
        unlock(arg);
        go__abandon(mp);
    }
}

#endif
