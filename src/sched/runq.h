/* The run queue of a p: a list that only the owner touches, and a ring from which others may steal.
 *
 * Goroutines are queued in the list, by a few plain stores. As soon as anybody is idle or searches, and would take some (go__hungry), the
 * owner moves the list to the ring (go__share), at its next scheduling decision; a thief of a p that makes none claims the p and does the
 * same. So while all ps are busy, queueing costs no atomic operation. The ring comes first.
 *
 * The ring holds GO__RUNQ_SIZE goroutines; one producer, many consumers:
 *
 *                     put   get   grab (thief)   length
 *   put (owner)        -     -     X              X        X: may run at the same time
 *   get (owner)        -     -     X              X        -: same thread
 *   grab (thief)       X     X     X              X
 *
 * head and tail only grow (mod 2^32). The owner alone moves tail; owner and thieves move head by compare-and-swap, so a slot is
 * free for reuse once head is past it. A thief copies slots before its CAS: slots are atomic words. On 128 cores head is the one
 * contended word: thieves of one victim fight over it, the owner's get pays one uncontended CAS otherwise. */
#ifndef GO_SRC_SCHED_RUNQ_H
#define GO_SRC_SCHED_RUNQ_H

#include "sched/rt.h"

/* Owner p only. False: the ring is full. */
GO__INLINE bool go__runq_put(struct go__p *pp, struct go__g *gp)
{
    uint32_t tail = load_rlx(&pp->tail);
    uint32_t head = load_acq(&pp->head); /* pairs with the CAS that freed the slot: its reader is done */
    if (go__unlikely(tail - head >= GO__RUNQ_SIZE)) {
        return false;
    }
    store_rlx(&pp->ring[tail % GO__RUNQ_SIZE], gp);
    store_rel(&pp->tail, tail + 1); /* publishes the slot and gp; pairs with load_acq of tail in go__runq_grab */
    return true;
}

#define GO__OWN_COLD  256u /* the records and stacks of so many fill a large part of a core's cache */
#define GO__OWN_AHEAD 4u   /* as long as it takes to run these, memory takes to come */

/* Owner p only. */
GO__INLINE struct go__g *go__runq_get(struct go__p *pp)
{
    uint32_t head = load_acq(&pp->head);
    for (;;) {
        if (head == load_rlx(&pp->tail)) {
            return NULL;
        }
        struct go__g *gp = load_rlx(&pp->ring[head % GO__RUNQ_SIZE]);
        /* acqrel: frees the slot (pairs with load_acq in put); on failure head is what a thief left. */
        if (go__likely(cas_acqrel(&pp->head, &head, head + 1))) {
            /* rlx: ours. What was moved here from a long list is as cold as what is left there. */
            if (go__unlikely(load_rlx(&pp->own_count) > GO__OWN_COLD)) {
                go__g_prefetch((uintptr_t)load_rlx(&pp->ring[(head + 1 + GO__OWN_AHEAD) % GO__RUNQ_SIZE]));
            }
            return gp;
        }
    }
}

/* Any thread; a hint. */
GO__INLINE uint32_t go__runq_length(struct go__p *pp)
{
    uint32_t head = load_acq(&pp->head);
    uint32_t tail = load_acq(&pp->tail);
    uint32_t n = tail - head;
    return n <= GO__RUNQ_SIZE ? n : 0;
}

/* Any m with a p of its own: moves half of victim's ring into to's (the thief's, empty); returns one of them, NULL if none. */
struct go__g *go__runq_steal(struct go__p *to, struct go__p *victim);

/* Owner p only: all of a list, which is not empty. */
GO__INLINE void go__own_put_list(struct go__p *pp, const struct go__g_list *list)
{
    list->tail->link = NULL;
    if (pp->own_first == NULL) {
        pp->own_first = list->head;
    } else {
        pp->own_last->link = list->head;
    }
    pp->own_last = list->tail;
    store_rlx(&pp->own_count, load_rlx(&pp->own_count) + list->count); /* rlx: one writer, a hint for others */
}

/* Owner p only. */
GO__INLINE void go__own_put(struct go__p *pp, struct go__g *gp)
{
    const struct go__g_list one = {gp, gp, 1};
    go__own_put_list(pp, &one);
}

/* Owner p only: the oldest of those set aside; NULL if there are none. */
struct go__g *go__later_get(struct go__p *pp);
/* Owner p only, the list empty: what was set aside last, at most GO__OWN_LONG of it, becomes the list. */
void go__runq_recall(struct go__p *pp);
/* Owner p only: all that was set aside goes to the end of the list. */
void go__runq_recall_all(struct go__p *pp);

/* Owner p only: takes gp, the first of the list, out of it. `left`: how many stay, about. */
GO__INLINE void go__own_unlink(struct go__p *pp, struct go__g *gp, uint32_t left)
{
    pp->own_first = gp->link;
    pp->own_old_last = NULL;
    if (go__unlikely(left > GO__OWN_COLD)) {
        go__g_prefetch(go__guess(gp, gp->link, GO__OWN_AHEAD));
    }
}

/* Owner p only. */
GO__INLINE struct go__g *go__own_get(struct go__p *pp)
{
    if (go__unlikely(pp->own_first == NULL && pp->later_batches != 0)) {
        go__runq_recall(pp);
    }
    struct go__g *gp = pp->own_first;
    if (gp != NULL) {
        uint32_t left = load_rlx(&pp->own_count) - 1;
        store_rlx(&pp->own_count, left); /* rlx: one writer, a hint for others */
        go__own_unlink(pp, gp, left);
    }
    return gp;
}

/* Owner p only: the oldest goroutine of the list, while gp goes to its end. NULL: there is none, or it is not that simple; nothing has
 * changed then. The count stays as it is: two changes of it, each waiting for the other, were a third of the time of a yield. */
GO__INLINE struct go__g *go__own_exchange(struct go__p *pp, struct go__g *gp)
{
    struct go__g *first = pp->own_first;
    if (go__unlikely(first == NULL || first->tied || pp->later_batches != 0)) {
        return NULL;
    }
    gp->link = NULL;
    pp->own_last->link = gp;
    pp->own_last = gp;
    go__own_unlink(pp, first, load_rlx(&pp->own_count)); /* rlx: ours */
    return first;
}

#define GO__OWN_LONG (GO__RUNQ_SIZE >= 64 ? GO__RUNQ_SIZE / 8 : 8u)

GO__INLINE bool go__runq_long(struct go__p *pp)
{
    return load_rlx(&pp->own_count) - pp->later_count >= GO__OWN_LONG; /* rlx: ours */
}

/* Owner p only, the list is long: if it grows, its older half is set aside until the list is empty, or it is their fair turn. For who
 * starts goroutines faster than they run: the young ones come first then, or a tree of goroutines would be alive all at once. In a
 * queue that is long and stays so everybody keeps its place. */
void go__runq_overflow(struct go__p *pp);

/* Owner p only: queues a goroutine that gives way, behind all the others: who starts goroutines and yields is not to start more before
 * those have run. */
GO__INLINE void go__own_put_behind(struct go__p *pp, struct go__g *gp)
{
    if (go__unlikely(pp->later_batches != 0)) {
        go__runq_recall_all(pp);
    }
    go__own_put(pp, gp);
}

/* Owner p only, sched.lock held: what was set aside goes to the global queue, oldest first. */
void go__runq_release(struct go__p *pp);

/* Owner p only: moves goroutines from the list to the ring while there is room. */
void go__runq_publish(struct go__p *pp);

/* Any thread; a hint: goroutines that only the owner can reach. */
GO__INLINE bool go__runq_hides(struct go__p *pp)
{
    return load_rlx(&pp->own_count) != 0 || load_rlx(&pp->runnext) != NULL;
}

#endif
