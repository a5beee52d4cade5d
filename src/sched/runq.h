/* The run queue of a p: a ring of GO__RUNQ_SIZE goroutines, one producer, many consumers.
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

/* Owner p only: moves half of a full ring and gp to the global queue. */
void go__runq_overflow(struct go__p *pp, struct go__g *gp);

#endif
