/* Crowds: ps whose goroutines want the same lock all the time, a mutex or that of a channel. The lock's cache line, and the data under it,
 * then move between the cores with each operation, and two of them together do less than one alone. So whoever finds a lock taken counts it
 * here, and where an m does so again and again
 *
 *   - a lock of sync/ does not wait actively but parks: it is woken on the p of whoever has let go of the lock, and queues there;
 *   - a thief's loot was worth nothing, whatever time it took (steal.c).
 *
 * Both gather the goroutines on one p in ways that exist anyway. A thief that meets the crowd again and again tries it every 2 ms at last.
 * Users of a lock who do something else between two uses are none: they seldom meet. On 128 cores each m counts for itself; a p's time of the
 * last conflict is written by its m and read by thieves that hold back. */
#ifndef GO_SRC_SCHED_CROWD_H
#define GO_SRC_SCHED_CROWD_H

#include "sched/rt.h"

/* A conflict counts for the more the shorter the last one was ago: for nothing after CROWD_MAX ns, and a crowd is where they come 4 us after
 * each other on average. They are a part of what is lost, for a line that was away may be had without one: a channel of four senders and four
 * receivers on two ps took twice the time with a conflict in 2.6 us. */
#define GO__CROWD_MAX  16000
#define GO__CROWD_MANY (GO__CROWD_MAX - 4000)

/* The calling thread found a lock taken now. Any side, no p needed. True: again and again. */
bool go__conflict(int64_t now);

/* mp, the caller's, has been in a crowd just now. */
GO__INLINE bool go__crowded(const struct go__m *mp, int64_t now)
{
    return mp->crowding > GO__CROWD_MANY && now - mp->conflict_at < 2 * GO__CROWD_MAX;
}

/* A goroutine of pp met somebody when mp's last did, or later: that may be the other side. rlx: a hint. */
GO__INLINE bool go__met_then(const struct go__m *mp, const struct go__p *pp)
{
    return load_rlx(&pp->met_at) > mp->met_at - 2 * GO__CROWD_MAX;
}

#endif
