/* The switch itself with everything that travels along: tools, C++ exception words, the trace. */
#ifndef GO_SRC_SCHED_SWITCH_H
#define GO_SRC_SCHED_SWITCH_H

#include "os/sanitize.h"
#include "sched/edge.h"
#include "sched/hooks.h"
#include "sched/rt.h"

GO__INLINE void go__trace_switch(enum go__trace_event event, struct go__g *gp, struct go__p *pp)
{
    if (go__unlikely(load_rlx(&go__trace_on) != 0)) { /* rlx: a late start or stop loses an event */
        go__trace_record(event, gp, pp);
    }
}

/* C++ caught-exception words: from the thread to the goroutine that leaves, and back. NULL: the g0 side. */
GO__INLINE void go__cxa_switch(struct go__m *mp, struct go__g *from, const struct go__g *to)
{
    if (go__unlikely(mp->cxa != NULL)) {
        if (from != NULL) {
            from->cxa[0] = mp->cxa[0];
            from->cxa[1] = mp->cxa[1];
        }
        if (to != NULL) {
            mp->cxa[0] = to->cxa[0];
            mp->cxa[1] = to->cxa[1];
        }
    }
}

/* gp is about to run on mp, whose p is ours. */
GO__INLINE void go__g_adopt(struct go__m *mp, struct go__g *gp)
{
    gp->m = mp;
    store_rlx(&gp->status, (uint32_t)GO__G_RUNNING); /* rlx: ours */
    mp->curg = gp;
}

#endif
