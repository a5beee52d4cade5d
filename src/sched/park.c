/* The goroutine side: leaving the stack, becoming ready, yielding. */
#include "sched/park.h"

#include "os/fatal.h"
#include "os/thread.h"
#include "sched/proc.h"
#include "sched/standin.h"
#include "sched/switch.h"
#include "stack/overflow.h"

static GO__NOINLINE void trace_leaving(struct go__g *gp, struct go__g *next, struct go__p *pp)
{
    go__trace_record(load_rlx(&gp->status) == GO__G_WAITING ? GO__TRACE_PARK : GO__TRACE_STOP, gp, pp); /* rlx: ours */
    if (next != NULL) {
        go__trace_record(GO__TRACE_START, next, pp);
    }
}

/* The decision is due that the g0 side makes: is there anybody whose turn it could be? */
static GO__NOINLINE bool turn_is_due(struct go__p *pp, const struct go__g *gp)
{
    /* rlx: sysmon asks until it is answered; the others are hints, looked at again 61 decisions later. */
    if (load_rlx(&pp->preempt) != 0 || gp->tied || load_rlx(&go__sched.global_count) != 0 || pp->later_batches != 0 ||
        load_rlx(&pp->timer_next) != INT64_MAX || go__netpoll_has_waiters() ||
        (load_rlx(&pp->runnext) != NULL && (load_rlx(&pp->own_count) != 0 || go__runq_length(pp) != 0))) {
        return true;
    }
    pp->tick = 0;
    return false;
}

/* A scheduling decision of pp, which gp can make itself. A goroutine that is tied to this thread leaves it to no other. */
GO__INLINE bool decides(struct go__p *pp, const struct go__g *gp)
{
    /* rlx: as in turn_is_due */
    return go__likely(++pp->tick < GO__FAIR_TURN && load_rlx(&pp->preempt) == 0 && !gp->tied) || !turn_is_due(pp, gp);
}

/* The goroutine to which the caller can switch straight; NULL if there is none. */
GO__INLINE struct go__g *pick_untied(struct go__p *pp)
{
    struct go__g *next = go__pick_local(pp);
    if (next != NULL && go__unlikely(next->tied)) {
        go__put_next(pp, next);
        next = NULL;
    }
    return next;
}

/* NULL: there is none, or the g0 side decides. */
GO__INLINE struct go__g *pick_direct(struct go__p *pp, const struct go__g *gp)
{
    return decides(pp, gp) ? pick_untied(pp) : NULL;
}

/* The last steps on gp's stack: what runs next, NULL for the g0 side, becomes current. Returns where to switch to. `traced`, a constant: false
 * where it is known that nobody traces, so that no call is left. */
GO__INLINE const struct go__gobuf *last_steps(struct go__m *mp, struct go__p *pp, struct go__g *gp, struct go__g *next, bool dying,
                                              bool traced)
{
    go__cxa_switch(mp, gp, next);
    go__edge_release(gp); /* to the commit */
    go__edge_run_release();
    if (traced && go__unlikely(load_rlx(&go__trace_on) != 0)) { /* rlx: a late start or stop loses an event */
        trace_leaving(gp, next, pp);
    }
    struct go__gobuf *to = &mp->g0buf;
    if (go__likely(next != NULL)) {
        go__count_switch(pp);
        go__g_adopt(mp, next);
        to = &next->buf;
    } else {
        mp->curg = NULL;
    }
    go__san_switch_start(&gp->buf, to, dying);
    return to;
}

GO__INLINE const struct go__gobuf *hand_over(struct go__m *mp, struct go__g *gp, struct go__g *next, bool dying)
{
    return last_steps(mp, mp->p, gp, next, dying, true);
}

/* Returns when gp is resumed, on whatever thread. */
GO__INLINE void switch_away(struct go__g *gp, const struct go__gobuf *to)
{
    go__switch(&gp->buf, to);
    go__san_switch_finish(&gp->buf, NULL);
    go__edge_resumed(gp, gp->m);
}

GO__INLINE void leave_stack(struct go__m *mp, struct go__g *gp, go__commit_fn commit, void *arg, bool dying)
{
    struct go__p *pp = mp->p;
    mp->after = commit;
    mp->after_g = gp;
    mp->after_arg = arg;
    switch_away(gp, hand_over(mp, gp, go__likely(pp != NULL) ? pick_direct(pp, gp) : NULL, dying));
    go__landed(go__m());
}

void go__leave_stack(struct go__m *mp, struct go__g *gp, go__commit_fn commit, void *arg)
{
    leave_stack(mp, gp, commit, arg, load_rlx(&gp->status) == GO__G_DEAD); /* rlx: ours */
}

GO__NO_ASAN const struct go__gobuf *go__leave_for_good(struct go__m *mp, struct go__g *gp, go__commit_fn commit)
{
    mp->after = commit;
    mp->after_g = gp;
    return hand_over(mp, gp, pick_direct(mp->p, gp), true);
}

static void ready_globally(struct go__g *gp)
{
    struct go__g_list one = {0};
    go__g_list_push(&one, gp);
    go__global_put(&one);
}

GO__NOINLINE void go__put_landed(struct go__m *mp, struct go__g *gp)
{
    if (mp->p != NULL) {
        go__put_next(mp->p, gp);
    } else {
        ready_globally(gp);
    }
}

int go__park(go__commit_fn commit, void *arg, enum go__reason reason)
{
    struct go__m *mp = go__m();
    if (go__unlikely(mp == NULL)) {
        return go__standin_park(commit, arg, reason);
    }
    go__enter_parking(mp);
    struct go__g *gp = mp->curg;
    if (go__unlikely(!go__slot_check(gp))) {
        go__overflow_canary(gp);
    }
    gp->reason = (uint8_t)reason;
    gp->wait_since_ns = load_rlx(&go__sched.coarse_now); /* rlx: for dumps */
    store_rlx(&gp->status, (uint32_t)GO__G_WAITING);     /* rlx: published with the commit */
    leave_stack(mp, gp, commit, arg, false);
    go__leave(go__m());
    return gp->wake_code;
}

static bool requeue(struct go__g *gp, void *arg)
{
    (void)arg;
    go__edge_release(gp);
    store_rlx(&gp->status, (uint32_t)GO__G_RUNNABLE); /* rlx: published by the queue */
    struct go__p *pp = go__m()->p;
    go__own_put_behind(pp, gp);
    if (go__hungry()) {
        go__share(pp);
    }
    return true;
}

static bool share(struct go__g *gp, void *pp)
{
    (void)gp;
    go__share(pp);
    return true;
}

/* Nobody to switch to straight. */
static GO__NOINLINE void yield_slow(struct go__m *mp, struct go__g *gp)
{
    struct go__p *pp = mp->p;
    /* Alone here, and nothing elsewhere that this turn would look at: go on. rlx: hints, the fair turn comes anyway. */
    if (pp->tick >= GO__FAIR_TURN || load_rlx(&pp->preempt) != 0 || load_rlx(&go__sched.global_count) != 0 || gp->tied ||
        load_rlx(&pp->runnext) != NULL) {
        leave_stack(mp, gp, requeue, NULL, false);
    } else { /* to sysmon it has given way */
        go__count_switch(pp);
        go__count_slice(pp);
    }
    go__leave(go__m());
}

/* NULL: there is none, gp is not queued. It still runs when it is: only we can reach the list. */
static struct go__g *pick_and_queue(struct go__m *mp, struct go__g *gp)
{
    struct go__p *pp = mp->p;
    struct go__g *next = pick_untied(pp);
    if (next != NULL) {
        go__own_put_behind(pp, gp);
        if (go__hungry()) { /* shared by who lands, when gp has left its stack */
            mp->after = share;
            mp->after_g = gp;
            mp->after_arg = pp;
        }
    }
    return next;
}

static GO__NOINLINE void land_yielding(struct go__m *mp)
{
    go__landed(mp);
    go__leave(mp);
}

/* Begins anew; only that we are inside does not change. */
static GO__NOINLINE void yield_fully(struct go__m *mp)
{
    go__enter_as(mp);
    struct go__p *pp = mp->p;
    struct go__g *gp = mp->curg;
    if (go__unlikely(!go__slot_check(gp))) {
        go__overflow_canary(gp);
    }
    struct go__g *next = go__likely(decides(pp, gp)) ? pick_and_queue(mp, gp) : NULL;
    if (go__unlikely(next == NULL)) {
        yield_slow(mp, gp);
        return;
    }
    store_rlx(&gp->status, (uint32_t)GO__G_RUNNABLE); /* rlx: ours, still */
    switch_away(gp, hand_over(mp, gp, next, false));
    land_yielding(go__m());
}

/* What most yields are: the caller exchanges places with the first in the list, which is all there is, and nothing else is due; nobody else
 * could use anything. NULL: it is not so simple, and nothing has changed. Inside. */
GO__INLINE struct go__g *exchange(struct go__m *mp, struct go__p *pp, struct go__g *gp)
{
    /* acq: as in go__enter_as; rlx: as in turn_is_due and hand_over; runnext and the ring are ours */
    if (go__unlikely(load_acq(&mp->claim) != GO__CLAIM_NONE || !go__slot_check(gp) || load_rlx(&go__trace_on) != 0 || gp->tied ||
                     load_rlx(&pp->preempt) != 0 || pp->tick + 1 >= GO__FAIR_TURN || load_rlx(&pp->runnext) != NULL ||
                     load_rlx(&pp->head) != load_rlx(&pp->tail) || go__hungry())) {
        return NULL;
    }
    struct go__g *next = go__own_exchange(pp, gp);
    if (next != NULL) {
        go__count_slice(pp);
        pp->tick++;
    }
    return next;
}

/* Nothing is called in the common case but the switch: so no register is saved, but by that. */
void go_yield(void)
{
    struct go__m *mp = go__m();
    if (go__unlikely(mp == NULL)) {
        go__thread_yield();
        return;
    }
    store_rlx(&mp->inside, 1u); /* rlx + light barrier: as in go__enter_as */
    go__barrier_light();
    struct go__p *pp = mp->p;
    struct go__g *gp = mp->curg, *next = exchange(mp, pp, gp);
    if (go__unlikely(next == NULL)) {
        yield_fully(mp);
        return;
    }
    store_rlx(&gp->status, (uint32_t)GO__G_RUNNABLE); /* rlx: ours, still */
    switch_away(gp, last_steps(mp, pp, gp, next, false, false));
    mp = go__m();
    if (go__unlikely(mp->after != NULL)) {
        land_yielding(mp);
        return;
    }
    go__leave(mp);
}

/* go__enter for who is about to queue something; somebody has claimed something of mp. False: it is an orphan, and has no p. */
static GO__NOINLINE bool enter_claimed(struct go__m *mp)
{
    if (go__is_orphan(mp)) {
        store_rel(&mp->inside, 0u);
        return false;
    }
    go__enter_slow(mp);
    return true;
}

/* False: mp is an orphan's. */
GO__INLINE bool enter_to_ready(struct go__m *mp)
{
    store_rlx(&mp->inside, 1u); /* rlx + light barrier: as in go__enter_as */
    go__barrier_light();
    return go__likely(load_acq(&mp->claim) == GO__CLAIM_NONE) || enter_claimed(mp); /* acq: as in go__enter_as */
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
        if (!nested && !enter_to_ready(mp)) {
            ready_globally(gp);
            return;
        }
        go__trace_switch(GO__TRACE_READY, gp, mp->p);
        go__put_next(mp->p, gp);
        if (!nested) {
            go__leave(mp);
        }
        return;
    }
    if (mp != NULL && mp->p != NULL) { /* the g0 side, which picks from the list in a moment and offers the rest: found() */
        go__trace_switch(GO__TRACE_READY, gp, mp->p);
        go__own_put(mp->p, gp);
        return;
    }
    ready_globally(gp);
}

/* p is the caller's. */
static void queue_all(struct go__p *pp, struct go__g_list *list)
{
    bool traced = load_rlx(&go__trace_on) != 0; /* rlx: as in go__trace_switch */
    for (struct go__g *gp = list->head; go__unlikely(traced) && gp != NULL; gp = gp->link) {
        go__trace_switch(GO__TRACE_READY, gp, pp);
    }
    go__own_put_list(pp, list);
}

void go__ready_list(struct go__g_list *list)
{
    struct go__g_list own = {0};
    struct go__g *gp = list->head;
    while (gp != NULL) {
        struct go__g *next = gp->link;
        uintptr_t later = go__guess(gp, next, GO__LINKS_AHEAD);
        go__prefetch_lines(later, later + 2 * GO__CACHELINE);
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
    bool orphan = enter && !enter_to_ready(mp);
    if (mp == NULL || orphan || mp->p == NULL) {
        go__global_put(&own);
        return;
    }
    queue_all(mp->p, &own);
    if (mp->curg != NULL && go__hungry()) { /* the g0 side offers what it does not run itself: found() */
        go__share(mp->p);
    }
    if (enter) {
        go__leave(mp);
    }
}

void go__throw(const char *message)
{
    go__fatal("%s", message);
}
