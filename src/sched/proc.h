/* Scheduling: which goroutine runs next, who looks for work, who sleeps. What blocking.h is to a goroutine entering the runtime,
 * this is to the g0 side.
 *
 * Threads sleep and are woken by two rules.
 *   [idle-race] Who makes work visible (goroutines into a ring, the global queue, a due timer, a waiter of the poller) publishes it,
 *   passes a fence, then reads idle_p_count and spinning, and wakes an m if a p is idle and nobody spins. Who goes idle publishes that (p
 *   into idle_p, spinning down), passes a fence, then looks at every source again before it sleeps. One of the two sees the other.
 *   A spinner that finds work stops spinning and wakes the next one: searching spreads as long as there is something to find.
 * What a p keeps in its own list is not visible, and queueing there is too frequent for a fence. The owner looks whether anybody is hungry
 * when it queues, and again at each decision; a look that came too early by a store's way to memory is made good by the next one. If
 * the p makes none, sysmon sees hidden goroutines on a p that does not move and wakes a thief, or the one that holds back sees it (steal.c).
 *
 * A goroutine that is alone in runnext is invisible to thieves on purpose: a pair that readies each other would otherwise be torn
 * apart, or wake a thread for every message. It is offered at a growing interval (go__put_next), and by sysmon when the p
 * does not move. */
#ifndef GO_SRC_SCHED_PROC_H
#define GO_SRC_SCHED_PROC_H

#include "sched/blocking.h"
#include "sched/park.h"
#include "sched/rt.h"
#include "sched/runq.h"
#include "sched/switch.h"

/* The life of an m on its native stack: runs goroutines until the run ends or the thread is not needed. Returns then. */
void go__m_loop(struct go__m *mp);

/* Owner p only. Queue a runnable goroutine last, or to run next. They wake a thread when the rules above say so. */
GO__INLINE void go__put_last(struct go__p *pp, struct go__g *gp);
void go__put_next(struct go__p *pp, struct go__g *gp);

/* Any thread: queues a batch globally and wakes. Empties the list. */
void go__global_put(struct go__g_list *list);

/* Any thread, not holding sched.lock: gets an idle p a thread, if nobody searches already. */
void go__wakep(void);

/* pp has been taken from its m (pp->m == NULL): a thread gets it if there is anything to do, otherwise it goes idle. */
void go__handoff(struct go__p *pp);

/* sched.lock held. */
struct go__p *go__idle_p_pop(void);
void go__idle_p_push(struct go__p *pp);
void go__global_push(struct go__g *gp);
void go__p_assign(struct go__p *pp, struct go__m *mp); /* mp->next_p; the caller wakes mp's note after dropping the lock */

/* Somebody could use more work: an m searches and would take it, or a p is idle and nobody searches, who would be woken instead. For who
 * queues goroutines in its own list: a hint, see above. */
GO__INLINE bool go__hungry(void)
{
    uint32_t spinning = load_rlx(&go__sched.spinning);
    return go__unlikely((load_rlx(&go__sched.idle_p_count) | spinning) != 0) &&
           (spinning == 0 || spinning != load_rlx(&go__sched.holding));
}

/* Owner p only: offers what is queued to thieves, and wakes one if none searches. */
void go__share(struct go__p *pp);

GO__INLINE void go__count_switch(struct go__p *pp)
{
    store_rlx(&pp->switches, load_rlx(&pp->switches) + 1); /* rlx: one writer */
}

GO__INLINE void go__count_slice(struct go__p *pp)
{
    store_rlx(&pp->sched_tick, load_rlx(&pp->sched_tick) + 1); /* rlx: a new slice; sysmon may see it late */
}

/* Owner p only: the oldest in the queue; NULL if it is empty. */
GO__INLINE struct go__g *go__pick_queued(struct go__p *pp)
{
    struct go__g *gp;
    if (load_rlx(&pp->head) == load_rlx(&pp->tail) || (gp = go__runq_get(pp)) == NULL) { /* rlx: tail is ours */
        gp = go__own_get(pp);
        if (gp == NULL) {
            return NULL;
        }
        if (load_rlx(&pp->own_count) != 0 && go__unlikely(go__hungry())) { /* rlx: ours */
            go__share(pp);
        }
    }
    go__count_slice(pp);
    return gp;
}

/* Owner p only: the goroutine to run next, NULL if none. */
GO__INLINE struct go__g *go__pick_local(struct go__p *pp)
{
    struct go__g *gp = load_rlx(&pp->runnext); /* rlx: ours, others only look */
    if (gp != NULL) {
        store_rlx(&pp->runnext, NULL);
        return gp;
    }
    return go__pick_queued(pp);
}

GO__INLINE void go__put_last(struct go__p *pp, struct go__g *gp)
{
    go__own_put(pp, gp);
    if (go__unlikely(go__hungry())) {
        go__share(pp);
    }
}

/* gp has left its stack on mp and does not wait after all. mp->p is NULL if it left without one. */
void go__put_landed(struct go__m *mp, struct go__g *gp);

/* What the side that arrives does for the one that left: runs its commit. mp is freshly read. */
GO__INLINE void go__landed(struct go__m *mp)
{
    go__commit_fn commit = mp->after;
    if (commit != NULL) {
        struct go__g *gp = mp->after_g;
        mp->after = NULL;
        void *self = go__edge_commit_begin(mp, gp);
        bool away = commit(gp, mp->after_arg);
        go__edge_commit_end(mp, self);
        if (go__unlikely(!away)) {
            store_rlx(&gp->status, (uint32_t)GO__G_RUNNABLE); /* rlx: ours */
            go__put_landed(mp, gp);
        }
    }
}

/* Leaves the stack of the calling goroutine; between go__enter or go__enter_parking and go__leave. commit runs after that. Returns when the goroutine
 * is resumed, inside, on the m that resumed it. */
void go__leave_stack(struct go__m *mp, struct go__g *gp, go__commit_fn commit, void *arg);

/* The same for a goroutine that has ended: everything but the switch, to what is returned. */
const struct go__gobuf *go__leave_for_good(struct go__m *mp, struct go__g *gp, go__commit_fn commit);

/* Stops every p that runs goroutines, except the caller's own. 0. -EAGAIN: some goroutine could not be stopped within timeout_ns (it is
 * in the runtime, or the machine is busy); the world counts as stopped all the same and must be started. -ESRCH: no run, nothing is to be
 * started. Stoppers take turns. Any thread or goroutine. The run does not end meanwhile. */
int go__world_stop(int64_t timeout_ns);
/* The same for good, by a thread that dies, whatever it may hold: the world it has stopped itself, the lock it wants. */
bool go__world_freeze(int64_t timeout_ns);
void go__world_start(void);
/* Before the run is active: nobody stops it until its ps are where they belong, go__world_begun(what go__world_begin returned). */
bool go__world_begin(void);
void go__world_begun(bool ours);
/* The run is over, and none of its threads left: from now on nobody looks at what it was made of, but orphans at what is theirs. */
void go__world_over(void);

/* The timer heap for a caller on a goroutine or foreign thread. */
extern go__atomic(struct go__timers *) go__timers_outside; /* p 0's, for foreign threads; never freed, NULL before the first run */
struct go__timers *go__timers_current(void);
/* `when` has become the earliest deadline of that heap. */
void go__timers_armed(struct go__timers *heap, int64_t when);

#define GO__PAUSES_A_US 20u /* about */

/* mp, which has a p, looks for work in other ps, or no more: counted in sched.spinning. */
void go__spinning_start(struct go__m *mp);
void go__spinning_stop(struct go__m *mp);

/* The g0 side, of what the p has to look after: its timers, those of all ps, the network, where the last look is a while ago. */
void go__run_timers(struct go__p *pp, int64_t now);
void go__run_due_timers(int64_t now);
void go__poll_at_intervals(struct go__p *pp, int64_t now);

/* sysmon and the idle look at these. */
bool go__work_waits(void);
int64_t go__timers_earliest(void); /* over all ps; INT64_MAX if none */
bool go__unwatched(void);          /* timers or descriptors are waited for and nobody sleeps in the poller */
bool go__dead(void);               /* sched.lock held: all goroutines are asleep for ever */
void go__check_dead(void);         /* ... then the process ends. Any thread, no lock held */

/* Any thread, not holding sched.lock: a thread, idle or new, for an idle p. False: there is none. */
bool go__idle_p_start(void);

#endif
