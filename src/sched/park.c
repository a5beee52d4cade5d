/* The goroutine side: leaving the stack, becoming ready, yielding. */
#include "sched/park.h"

#include "os/fatal.h"
#include "os/thread.h"
#include "sched/proc.h"
#include "sched/standin.h"
#include "sched/switch.h"
#include "stack/overflow.h"

/* To the g0 side, which finds the next goroutine. */
static GO__NOINLINE void leave_to_g0(struct go__m *mp, struct go__g *gp, bool dying)
{
    mp->curg = NULL;
    go__san_switch_start(&gp->buf, &mp->g0buf, dying);
    go__switch(&gp->buf, &mp->g0buf);
}

void go__leave_stack(struct go__m *mp, struct go__g *gp, go__commit_fn commit, void *arg)
{
    struct go__p *pp = mp->p;
    bool dying = load_rlx(&gp->status) == GO__G_DEAD; /* rlx: ours */
    mp->after = commit;
    mp->after_g = gp;
    mp->after_arg = arg;
    struct go__g *next = NULL;
    if (go__likely(++pp->tick < GO__FAIR_TURN && load_rlx(&pp->preempt) == 0 && mp->locked_g == NULL)) {
        next = go__pick_local(pp);
        if (next != NULL && go__unlikely(next->tied)) {
            go__put_next(pp, next);
            next = NULL;
        }
    }
    go__cxa_save(mp, gp);
    if (go__likely(next != NULL)) {
        go__trace_switch(GO__TRACE_STOP, gp, pp);
        go__count_switch(pp);
        go__g_adopt(mp, next);
        go__san_switch_start(&gp->buf, &next->buf, dying);
        go__switch(&gp->buf, &next->buf);
    } else {
        go__trace_switch(GO__TRACE_STOP, gp, pp);
        leave_to_g0(mp, gp, dying);
    }
    mp = go__m(); /* possibly another thread */
    go__san_switch_finish(&gp->buf, NULL);
    go__edge_acquire(gp);
    go__landed(mp);
}

int go__park(go__commit_fn commit, void *arg, enum go__reason reason)
{
    struct go__m *mp = go__m();
    if (go__unlikely(mp == NULL)) {
        return go__standin_park(commit, arg, reason);
    }
    mp = go__enter();
    struct go__g *gp = mp->curg;
    if (go__unlikely(!go__slot_check(gp))) {
        go__overflow_canary(gp);
    }
    gp->reason = (uint8_t)reason;
    gp->wait_since_ns = load_rlx(&go__sched.coarse_now); /* rlx: for dumps */
    store_rlx(&gp->status, (uint32_t)GO__G_WAITING);     /* rlx: published with the commit */
    go__leave_stack(mp, gp, commit, arg);
    go__leave(go__m());
    return gp->wake_code;
}

static bool requeue(struct go__g *gp, void *arg)
{
    (void)arg;
    go__edge_release(gp);
    store_rlx(&gp->status, (uint32_t)GO__G_RUNNABLE); /* rlx: published by the queue */
    go__put_last(go__m()->p, gp);
    return true;
}

void go__yield(void)
{
    struct go__m *mp = go__m();
    if (go__unlikely(mp == NULL)) {
        go__thread_yield();
        return;
    }
    mp = go__enter();
    struct go__p *pp = mp->p;
    struct go__g *gp = mp->curg;
    /* Alone here, and nothing elsewhere that this turn would look at: go on. rlx: hints, the fair turn comes anyway. */
    if (pp->runnext == NULL && load_rlx(&pp->head) == load_rlx(&pp->tail) && load_rlx(&go__sched.global_count) == 0 &&
        pp->tick + 1 < GO__FAIR_TURN && load_rlx(&pp->preempt) == 0) {
        pp->tick++;
        go__leave(mp);
        return;
    }
    if (go__unlikely(!go__slot_check(gp))) {
        go__overflow_canary(gp);
    }
    go__leave_stack(mp, gp, requeue, NULL);
    go__leave(go__m());
}

void go_yield(void)
{
    go__yield();
}

void go__ready(struct go__g *gp)
{
    go__edge_release(gp);
    if (go__unlikely(gp->thread != NULL)) {
        go__standin_wake(gp);
        return;
    }
    store_rlx(&gp->status, (uint32_t)GO__G_RUNNABLE); /* rlx: ours; published by the queue */
    struct go__m *mp = go__m();
    if (go__likely(mp != NULL && mp->curg != NULL)) {
        bool nested = load_rlx(&mp->inside) != 0; /* rlx: our own word; in a commit, p is ours already */
        if (!nested) {
            mp = go__enter();
        }
        go__trace_switch(GO__TRACE_READY, gp, mp->p);
        go__put_next(mp->p, gp);
        if (!nested) {
            go__leave(mp);
        }
        return;
    }
    if (mp != NULL && mp->p != NULL) { /* the g0 side */
        go__trace_switch(GO__TRACE_READY, gp, mp->p);
        go__put_last(mp->p, gp);
        return;
    }
    struct go__g_list one = {0};
    go__g_list_push(&one, gp);
    go__global_put(&one);
}

/* p is the caller's. */
static void queue_all(struct go__p *pp, struct go__g_list *list)
{
    struct go__g *gp = list->head;
    while (gp != NULL) {
        struct go__g *next = gp->link;
        go__trace_switch(GO__TRACE_READY, gp, pp);
        if (go__unlikely(!go__runq_put(pp, gp))) {
            go__runq_overflow(pp, gp);
        }
        gp = next;
    }
}

void go__ready_list(struct go__g_list *list)
{
    struct go__g_list own = {0};
    struct go__g *gp = list->head;
    while (gp != NULL) {
        struct go__g *next = gp->link;
        go__edge_release(gp);
        if (go__unlikely(gp->thread != NULL)) {
            go__standin_wake(gp);
        } else {
            store_rlx(&gp->status, (uint32_t)GO__G_RUNNABLE); /* rlx: ours; published by the queue */
            go__g_list_push(&own, gp);
        }
        gp = next;
    }
    list->head = list->tail = NULL;
    list->count = 0;
    if (own.head == NULL) {
        return;
    }
    struct go__m *mp = go__m();
    bool enter = mp != NULL && mp->curg != NULL && load_rlx(&mp->inside) == 0; /* rlx: our own word */
    if (enter) {
        mp = go__enter();
    }
    if (mp == NULL || mp->p == NULL) {
        go__global_put(&own);
        return;
    }
    queue_all(mp->p, &own);
    go__barrier_light(); /* [idle-race] */
    if (load_rlx(&go__sched.idle_p_count) != 0 && load_rlx(&go__sched.spinning) == 0) {
        go__wakep();
    }
    if (enter) {
        go__leave(mp);
    }
}

void go__throw(const char *message)
{
    go__fatal("%s", message);
}
