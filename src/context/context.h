/* What context.c, bind.c and group.c share. */
#ifndef GO_SRC_CONTEXT_CONTEXT_H
#define GO_SRC_CONTEXT_CONTEXT_H

#include "go/context.h"
#include "sched/rt.h"
#include "time/timer.h"

struct go_context {
    struct go__bound bound;    /* first: the scheduler sees no more. err written once, under lock */
    go__atomic(uint32_t) refs; /* 0: being destroyed; whoever finds it in a list or by its timer must not revive it */
    go__spinlock lock;
    bool own_deadline; /* constant: `deadline` is this context's, not an inherited one */
    /* Constant. */
    go_context *parent; /* referenced; NULL: the background */
    const void *key;
    void *value;
    int64_t deadline; /* the earliest from here upwards; INT64_MAX: none */
    /* Under lock. */
    go__list children;              /* by sibling; not referenced: a dying child takes this lock to leave */
    go__list goroutines;            /* those that have it bound, by g.bound_link; each holds a reference */
    go__atomic(go_chan *) done;     /* made on demand; store-release pairs with the acquire in context.c */
    uint64_t timer_run;             /* number of the run in which timer was armed */
    go__atomic(uint64_t) chain_run; /* run for which this and all above were armed; a hint against walking up again */
    struct go__timer timer;
    /* Under the parent's lock. */
    go__list sibling;
};

extern go_context go__context_background;

/* Done with `cause`, and everything below it. Any side, no spin lock held; the caller keeps ctx alive. */
void go__context_end(go_context *ctx, int cause);

/* Sees to it that the deadlines of ctx and of all above it have a timer in this run; outside a run nothing. 0 or -ENOMEM. */
int go__context_ensure_armed(go_context *ctx);

#endif
