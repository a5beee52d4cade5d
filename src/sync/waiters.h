/* What the objects of this room share: queues of waiters that hang on one pointer, and how their calls park.
 *
 * Each object has a lock of its own for its queue, a bit in its word or a spin lock. Rules that hold for all of them:
 *
 *   - Who parks holds the lock until it has left its stack: the commit drops it.
 *   - Who wakes claims under the lock and completes the wake-up after it: from then on the object may be gone. So the
 *     last access to an object is always the one that drops the lock (or gives the object away), one atomic operation.
 *   - A queue remembers the run to which its waiters belong. Those of a run that is over are gone with their stacks: the next
 *     one who takes the lock forgets them. */
#ifndef GO_SRC_SYNC_WAITERS_H
#define GO_SRC_SYNC_WAITERS_H

#include "go/sync.h"
#include "sync/sudog.h"
#include "time/wait.h"

/* --- a queue as a ring: *first is the oldest, (*first)->prev the newest --- */

/* Under the queue's lock; a cond's is read without it (go__ring_seems_empty). */
GO__INLINE void go__ring_set_first(struct go__sudog **first, struct go__sudog *sg)
{
    store_rlx((go__atomic(struct go__sudog *) *)first, sg); /* rlx: a hint for those without the lock */
}

/* Without the lock: a hint. */
GO__INLINE bool go__ring_seems_empty(struct go__sudog **first)
{
    return load_rlx((go__atomic(struct go__sudog *) *)first) == NULL;
}

GO__INLINE void go__ring_push_last(struct go__sudog **first, struct go__sudog *sg)
{
    struct go__sudog *head = *first;
    if (head == NULL) {
        sg->next = sg->prev = sg;
        go__ring_set_first(first, sg);
    } else {
        sg->next = head;
        sg->prev = head->prev;
        head->prev->next = sg;
        head->prev = sg;
    }
    sg->queued = true;
}

GO__INLINE void go__ring_push_first(struct go__sudog **first, struct go__sudog *sg)
{
    go__ring_push_last(first, sg);
    go__ring_set_first(first, sg);
}

GO__INLINE void go__ring_remove(struct go__sudog **first, struct go__sudog *sg)
{
    if (sg->next == sg) {
        go__ring_set_first(first, NULL);
    } else {
        sg->prev->next = sg->next;
        sg->next->prev = sg->prev;
        if (*first == sg) {
            go__ring_set_first(first, sg->next);
        }
    }
    sg->queued = false;
}

/* Pops the first waiter whose wait this call wins, NULL if there is none. */
GO__INLINE struct go__sudog *go__ring_claim(struct go__sudog **first)
{
    for (;;) {
        struct go__sudog *sg = *first;
        if (sg == NULL) {
            return NULL;
        }
        go__ring_remove(first, sg);
        if (go__claim(sg->g, sg->ticket)) {
            return sg;
        }
    }
}

/* Pops all whose wait this call wins, and links them through next, NULL at the end. */
struct go__sudog *go__ring_claim_all(struct go__sudog **first);

/* Completes the wake-up of what go__ring_claim_all returned. No lock held. */
void go__wake_all(struct go__sudog *list, int code);

/* --- runs --- */

/* The current run, 0 outside of runs. At least 30 bits are kept by every queue. */
GO__INLINE uint32_t go__sync_run(void)
{
    /* acq pairs with the store that starts a run. */
    return load_acq(&go__sched.active) != 0 ? (uint32_t)go__sched.run_number & 0x3fffffffu : 0;
}

/* --- waiting --- */

/* A foreign thread that takes something makes itself known: while it lives, goroutines that wait are not deadlocked. */
GO__INLINE void go__sync_known(void)
{
    if (go__unlikely(go__m() == NULL)) {
        (void)go__standin_get();
    }
}

/* How a call waits. Void calls have one waker and are cancelled by nobody (a foreign thread: the end of the run is fatal). */
struct go__sync_wait {
    int64_t deadline;
    bool is_void;
};

static const struct go__sync_wait go__sync_void = {INT64_MAX, true};

/* The ticket for sudog.ticket; under the queue's lock, which unlock(arg) drops if the caller is an orphan. */
GO__INLINE uint32_t go__sync_ticket(struct go__g *gp, struct go__sync_wait wait, void (*unlock)(void *arg), void *arg)
{
    go__orphan_leaves(unlock, arg);
    if (wait.is_void) {
        go__wait_sole(gp);
        return 0;
    }
    return go__wait_begin(gp, wait.deadline, false);
}

/* Rounds of waiting actively: pauses that get longer, then the CPU is given away: whoever is waited for has probably lost his. */
void go__sync_pause(unsigned round);

/* A lock was found taken: may it pay to wait actively for who holds it? Only if he can be running now, if nothing else waits for the
 * caller's p, and if the caller's is not one of a crowd (sched/crowd.h): then waiting is what costs. */
bool go__sync_may_spin(const struct go__g *gp);

#endif
