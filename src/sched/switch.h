/* The switch itself with everything that travels along: tools, C++ exception words, the trace. */
#ifndef GO_SRC_SCHED_SWITCH_H
#define GO_SRC_SCHED_SWITCH_H

#include "os/sanitize.h"
#include "sched/hooks.h"
#include "sched/rt.h"

#if GO__TSAN
/* The scheduler is not instrumented; this is the edge from whoever made gp runnable, or last ran on its stack, to gp. */
GO__INLINE void go__edge_release(struct go__g *gp) { __tsan_release(gp); }
GO__INLINE void go__edge_acquire(struct go__g *gp) { __tsan_acquire(gp); }
#else
GO__INLINE void go__edge_release(struct go__g *gp) { (void)gp; }
GO__INLINE void go__edge_acquire(struct go__g *gp) { (void)gp; }
#endif

GO__INLINE void go__trace_switch(enum go__trace_event event, struct go__g *gp, struct go__p *pp)
{
    if (go__unlikely(load_rlx(&go__trace_on) != 0)) { /* rlx: a late start or stop loses an event */
        go__trace_record(event, gp, pp);
    }
}

/* C++ caught-exception words: from the thread to the goroutine that leaves, and back. */
GO__INLINE void go__cxa_save(struct go__m *mp, struct go__g *gp)
{
    if (mp->cxa != NULL) {
        gp->cxa[0] = mp->cxa[0];
        gp->cxa[1] = mp->cxa[1];
    }
}

GO__INLINE void go__cxa_load(struct go__m *mp, struct go__g *gp)
{
    if (mp->cxa != NULL) {
        mp->cxa[0] = gp->cxa[0];
        mp->cxa[1] = gp->cxa[1];
    }
}

/* gp is about to run on mp, whose p is ours. */
GO__INLINE void go__g_adopt(struct go__m *mp, struct go__g *gp)
{
    gp->m = mp;
    store_rlx(&gp->status, (uint32_t)GO__G_RUNNING); /* rlx: ours */
    mp->curg = gp;
    go__cxa_load(mp, gp);
    go__trace_switch(GO__TRACE_START, gp, mp->p);
}

#endif
