/* Park and ready: the only door between the scheduler and everything that blocks.
 *
 * Contract. gp parks itself; `commit(gp, arg)` runs after gp has left its stack, on the stack of whoever runs next: it
 * releases the lock under which gp's waiter record was made visible. Once it has, gp may already run elsewhere, so the record
 * is off limits. The one waker unlinks the record under that lock (or wins the claim), drops the lock, and calls go__ready.
 *
 * Claims. A wait that several causes may end (select, deadline, cancellation) opens a ticket; every cause tries
 * go__claim(gp, ticket, code), exactly one succeeds and readies gp. Tickets are numbered, so a late cause cannot hit the
 * goroutine's next wait. A cause must hold the lock of the list in which it found the record while it claims, and the woken
 * goroutine takes each of those locks to unlink itself before it returns. */
#ifndef GO_SRC_SCHED_PARK_H
#define GO_SRC_SCHED_PARK_H

#include "sched/rt.h"

/* The calling goroutine, or the stand-in of a foreign pthread (made on first use; fatal when no runtime runs).
 * Not on the g0 side: commit functions, timer and poller callbacks are given what they need. */
GO__INLINE struct go__g *go__self(void);
struct go__g *go__standin_get(void);

/* Parks the calling goroutine or thread; returns its wake_code. */
int go__park(go__commit_fn commit, void *arg, enum go__reason reason);

/* Makes a waiting g runnable. Any thread; no spin lock held. The caller is its one waker. */
void go__ready(struct go__g *gp);

/* The same for a batch, linked through g.link (poller, close, broadcast). Empties the list. */
void go__ready_list(struct go__g_list *list);

GO__INLINE void go__g_list_push(struct go__g_list *list, struct go__g *gp)
{
    gp->link = NULL;
    if (list->tail != NULL) {
        list->tail->link = gp;
    } else {
        list->head = gp;
    }
    list->tail = gp;
    list->count++;
}

/* True when the caller's bound context is done: every "may park" call with a result then returns -ECANCELED at once. */
GO__INLINE bool go__canceled(const struct go__g *gp)
{
    /* acq pairs with the release store in the canceller: what it wrote before is visible to whoever sees the cancellation. */
    return go__unlikely(gp->bound != NULL) && load_acq(&gp->bound->err) != 0;
}

/* Opens a claim for the wait about to begin if more than one cause may end it: a deadline, a bound context, or `multi` (the
 * caller has several wakers, as select has). Returns the ticket, or 0 when there is exactly one possible waker. */
GO__INLINE uint32_t go__wait_begin(struct go__g *gp, int64_t deadline, bool multi)
{
    if (go__likely(!multi && deadline == INT64_MAX && gp->bound == NULL)) {
        return 0;
    }
    /* Only gp opens tickets. sc: the store must be visible before gp looks at its context's err [cancel-race]; the canceller
     * stores err, then reads the claim word. */
    uint32_t ticket = (load_rlx(&gp->claim) | 1u) + 1u;
    if (ticket == 0) {
        ticket = 2; /* 0 means "no claim" */
    }
    store_sc(&gp->claim, ticket);
    return ticket;
}

/* One cause among several tries to end gp's wait. True for the first; code is then what the wait returns. */
GO__INLINE bool go__claim(struct go__g *gp, uint32_t ticket, int code)
{
    if (ticket != 0) {
        uint32_t expected = ticket;
        /* acqrel: the winner owns gp from here on, as after taking a lock; losers' failing CAS needs nothing. */
        if (!cas_acqrel(&gp->claim, &expected, ticket | 1u)) {
            return false;
        }
    }
    gp->wake_code = code;
    return true;
}

/* The ticket of the wait in progress if it is still open, else 0: for the canceller, which knows g but no record. */
GO__INLINE uint32_t go__claim_open_ticket(struct go__g *gp)
{
    uint32_t word = load_sc(&gp->claim); /* [cancel-race], see go__wait_begin */
    return (word & 1u) == 0 ? word : 0;
}

/* Gives the p to the next goroutine and queues the caller last. */
void go__yield(void);

/* Runs fn(arg) on the calling thread's native stack, where libc may be called. Must not park. From a foreign thread or the
 * g0 side it is a plain call. */
void go__system_call(void (*fn)(void *arg), void *arg);

GO__INLINE struct go__g *go__self(void)
{
    struct go__m *mp = go__m();
    return go__likely(mp != NULL) ? mp->curg : go__standin_get();
}

#endif
