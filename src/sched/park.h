/* Park and ready: the only door between the scheduler and everything that blocks.
 *
 * Contract. gp parks itself; `commit(gp, arg)` runs after gp has left its stack, on the stack of whoever runs next: it
 * releases the lock under which gp's waiter record was made visible. Once it has, gp may already run elsewhere, so the record
 * is off limits. The one waker unlinks the record under that lock (or wins the claim), drops the lock, and calls go__ready.
 *
 * Claims. A wait that several causes may end (select, deadline, cancellation) opens a ticket. A cause claims it
 * (go__claim, exactly one wins), delivers what it brings (copies the element), and completes the wake-up (go__wake). A cause
 * holds the lock of the list in which it found the record while it claims, and the woken goroutine takes that lock to unlink
 * itself before its record goes away. Tickets are numbered, so a late cause cannot hit the goroutine's next wait.
 *
 * The claim word is (ticket | state); a cause may win before the goroutine has left its stack, hence the rendezvous:
 *
 *   OPEN --park's commit--> PARKED --claim--> PARKED|CLAIMED: the winner readies the goroutine
 *   OPEN --claim--> CLAIMED --go__wake--> DONE: the goroutine's commit finds it and the goroutine runs on at once
 *                   CLAIMED --park's commit--> PARKED|CLAIMED: the winner readies the goroutine
 */
#ifndef GO_SRC_SCHED_PARK_H
#define GO_SRC_SCHED_PARK_H

#include "sched/blocking.h"
#include "sched/edge.h"
#include "sched/rt.h"

/* The calling goroutine, or the stand-in of a foreign pthread (made on first use; fatal when no runtime runs).
 * Not on the g0 side: commit functions, timer and poller callbacks are given what they need. */
GO__SCHED_INLINE struct go__g *go__self(void);
struct go__g *go__standin_get(void);

/* Parks the calling goroutine or thread; returns its wake_code. */
int go__park(go__commit_fn commit, void *arg, enum go__reason reason);

/* Makes a waiting g runnable. Any thread; no spin lock held. The caller is its one waker. */
void go__ready(struct go__g *gp);

/* The same for a batch, linked through g.link (poller, close, broadcast). Empties the list. */
void go__ready_list(struct go__g_list *list);

GO__SCHED_INLINE void go__g_list_push(struct go__g_list *list, struct go__g *gp)
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

/* All of `from`, which is not empty, to the end of list. */
GO__SCHED_INLINE void go__g_list_append(struct go__g_list *list, const struct go__g_list *from)
{
    if (list->tail != NULL) {
        list->tail->link = from->head;
    } else {
        list->head = from->head;
    }
    list->tail = from->tail;
    list->count += from->count;
}

GO__SCHED_INLINE struct go__g *go__g_list_next(const struct go__g *gp)
{
    return gp->link;
}

/* True when the caller's bound context is done: every "may park" call with a result then returns -ECANCELED at once. */
GO__SCHED_INLINE bool go__canceled(const struct go__g *gp)
{
    /* acq pairs with the release store in the canceller: what it wrote before is visible to whoever sees the cancellation. */
    return go__unlikely(gp->bound != NULL) && load_acq(&gp->bound->err) != 0;
}

enum {
    GO__WAIT_OPEN = 0,
    GO__WAIT_CLAIMED = 1,
    GO__WAIT_PARKED = 2,
    GO__WAIT_BOTH = 3,
    GO__WAIT_DONE = 4,
    GO__WAIT_SOLE = 5,   /* a foreign thread in a wait without ticket: nobody can cancel it */
    GO__WAIT_STATES = 7, /* the low bits of the claim word; the ticket counts in steps of 8 */
};

/* Opens a ticket for the wait about to begin if more than one cause may end it: a deadline, a bound context, or `multi` (the
 * caller has several wakers, as select has). Returns the ticket, or 0 when there is exactly one possible waker.
 * Under the lock of the list, as the last step before the record is queued, when nothing can make the wait unnecessary any more: the bound
 * context's canceller may claim it at once, without that lock, and makes gp ready. Who has opened one waits, or claims it himself. */
GO__SCHED_INLINE uint32_t go__wait_begin(struct go__g *gp, int64_t deadline, bool multi)
{
    if (go__likely(!multi && deadline == INT64_MAX && gp->bound == NULL && gp->thread == NULL)) {
        return 0; /* a foreign thread always has one: the end of the run cancels its wait */
    }
    uint32_t ticket = (load_rlx(&gp->claim) | GO__WAIT_STATES) + 1u; /* only gp opens tickets */
    if (ticket == 0) {
        ticket = 8; /* 0 means "no ticket" */
    }
    /* sc: the ticket must be visible before gp looks at its context's err [cancel-race]; the canceller stores err, then reads
     * the claim word (go__claim_open_ticket). */
    store_sc(&gp->claim, ticket);
    return ticket;
}

/* In place of go__wait_begin, for a call that returns void: its waker is the only cause, whatever context is bound; the ticket is 0.
 * A foreign thread says so in its claim word, for the end of the run finds it there (go__standins_cancel). */
GO__SCHED_INLINE void go__wait_sole(struct go__g *gp)
{
    if (go__unlikely(gp->thread != NULL)) {
        uint32_t word = load_rlx(&gp->claim) & ~(uint32_t)GO__WAIT_STATES; /* only gp changes it between two waits */
        store_rel(&gp->claim, word | GO__WAIT_SOLE);                       /* rel: pairs with the load in go__standins_cancel */
    }
}

/* One cause among several tries to end gp's wait; true for the first. The winner then delivers and calls go__wake (or
 * go__wake_prepare). Under the lock of the list in which the record was found. */
GO__SCHED_INLINE bool go__claim(struct go__g *gp, uint32_t ticket)
{
    if (ticket == 0) {
        return true;
    }
    uint32_t word = ticket | GO__WAIT_OPEN;
    for (;;) {
        /* acqrel: the winner owns the wait from here on, as after taking a lock; partner is the next party's CAS. */
        if (cas_acqrel(&gp->claim, &word, word | GO__WAIT_CLAIMED)) {
            return true;
        }
        if (word != (ticket | GO__WAIT_OPEN) && word != (ticket | GO__WAIT_PARKED)) {
            return false;
        }
    }
}

/* Second half of a claim: `code` is what the wait returns. True: the caller must make gp ready (go__ready, or a batch);
 * false: gp had not left its stack and goes on by itself. After false nothing of gp may be touched. */
GO__SCHED_INLINE bool go__wake_prepare(struct go__g *gp, uint32_t ticket, int code)
{
    gp->wake_code = code;
    if (ticket == 0) {
        return true;
    }
    uint32_t word = ticket | GO__WAIT_CLAIMED;
    go__edge_release(gp); /* if gp goes on by itself */
    /* rel half publishes wake_code and what was delivered; partner is the acquiring CAS in go__wait_parked. */
    return !cas_acqrel(&gp->claim, &word, ticket | GO__WAIT_DONE);
}

/* Completes the wake-up of a claimed gp. No spin lock held. */
GO__SCHED_INLINE void go__wake(struct go__g *gp, uint32_t ticket, int code)
{
    if (go__wake_prepare(gp, ticket, code)) {
        go__ready(gp);
    }
}

/* The parking side of the rendezvous, the last thing a ticketed wait's commit does: false when the wait is over already and gp
 * runs on. After true gp may be running elsewhere. */
GO__SCHED_INLINE bool go__wait_parked(struct go__g *gp, uint32_t ticket)
{
    uint32_t word = ticket | GO__WAIT_OPEN;
    go__edge_release(gp); /* the commit is over, and gp may run before its g0 side does anything else */
    if (ticket == 0 || cas_acqrel(&gp->claim, &word, ticket | GO__WAIT_PARKED)) {
        return true;
    }
    if (word == (ticket | GO__WAIT_CLAIMED) && cas_acqrel(&gp->claim, &word, ticket | GO__WAIT_BOTH)) {
        return true;
    }
    return false; /* DONE */
}

/* The ticket of the wait in progress if nobody has claimed it, else 0: for the canceller, which knows g but no record. */
GO__SCHED_INLINE uint32_t go__claim_open_ticket(struct go__g *gp)
{
    uint32_t word = load_sc(&gp->claim); /* [cancel-race], see go__wait_begin */
    return (word & (GO__WAIT_CLAIMED | GO__WAIT_DONE)) == 0 ? word & ~(uint32_t)GO__WAIT_STATES : 0;
}

/* Closes the ticket after the wait: a canceller must not claim a wait that is over. Only gp. */
GO__SCHED_INLINE void go__wait_end(struct go__g *gp, uint32_t ticket)
{
    if (ticket != 0) {
        store_rlx(&gp->claim, ticket | GO__WAIT_DONE);
    }
}

/* Ends the process for misuse: `goco: fatal error: <message>`, every goroutine, abort. Any stack. */
void go__throw(const char *message) GO__NORETURN;

/* Runs fn(arg) on the calling thread's native stack, where libc may be called. Must not park. From a foreign thread or the
 * g0 side it is a plain call. */
void go__system_call(void (*fn)(void *arg), void *arg);

GO__SCHED_INLINE struct go__g *go__self(void)
{
    struct go__m *mp = go__m();
    return go__likely(mp != NULL) ? mp->curg : go__standin_get();
}

/* A foreign thread makes itself known: while it lives, goroutines that wait are not deadlocked. Not for what sysmon, the poller or
 * the end of a run call: their threads would count too. */
GO__SCHED_INLINE void go__known(void)
{
    /* acq pairs with the store that starts a run: without one nobody is asked for. */
    if (go__unlikely(go__m() == NULL) && load_acq(&go__sched.active) != 0) {
        (void)go__standin_get();
    }
}

#endif
