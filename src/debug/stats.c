/* Sums over the Ps and the rooms' own counters. Nothing is stopped for it. */
#include "base/mem.h"
#include "go/debug.h"
#include "sched/hooks.h"

/* rlx throughout: statistics, each word late by what its cache line takes. */
static void add_p(go_stats *stats, struct go__p *pp)
{
    stats->switches += load_rlx(&pp->switches);
    stats->steals += load_rlx(&pp->steals);
    stats->handoffs += load_rlx(&pp->handoffs);
    stats->preemptions += load_rlx(&pp->preemptions);
    stats->wakeups += load_rlx(&pp->wakeups);
    stats->polls += load_rlx(&pp->polls);
    stats->timers += go__timers_count(pp);
    uint32_t queued = load_rlx(&pp->tail) - load_rlx(&pp->head);
    stats->runnable += (queued <= GO__RUNQ_SIZE ? queued : 0) + load_rlx(&pp->own_count) + (load_rlx(&pp->runnext) != NULL);
}

static void add_stacks(go_stats *stats)
{
    struct go__stacks_stats stacks;
    go__stacks_stats(&stacks);
    stats->stacks_small = stacks.small;
    stats->stacks_reserved = stacks.reserved;
    stats->stack_bytes_resident = stacks.resident_bytes;
    stats->stack_growths = stacks.growths;
}

/* sched.lock held: it keeps all_p, its length and the counters of threads together. */
static void add_sched(go_stats *stats)
{
    stats->procs = (uint64_t)go__sched.procs;
    stats->procs_idle = load_rlx(&go__sched.idle_p_count);
    stats->threads = go__sched.m_count;
    stats->threads_idle = go__sched.m_idle;
    stats->runnable = go__sched.global.count;
    stats->goroutines_created = (uint64_t)load_rlx(&go__sched.created_outside); /* rlx: a running counter */
    for (int i = 0; i < load_acq(&go__sched.all_p_count); i++) {
        struct go__p *pp = go__sched.all_p[i];
        add_p(stats, pp);
        stats->goroutines_created += (uint64_t)load_rlx(&pp->created); /* owner writes; late is fine */
    }
}

void go_get_stats(go_stats *stats)
{
    go__zero(stats, sizeof *stats);
    stats->goroutines = go_count();
    go__futex_lock(&go__sched.lock);
    if (load_acq(&go__sched.active) != 0) { /* acq pairs with the store at start; the one at the end is under the lock */
        add_sched(stats);
        add_stacks(stats);
        int64_t pollers = go__netpoll_waiters();
        stats->pollers = pollers > 0 ? (uint64_t)pollers : 0;
    }
    go__futex_unlock(&go__sched.lock);
}
