/* A sudog (waiter record) stands for a goroutine or foreign thread in the queue of what it waits for. It lies on the waiter's stack,
 * which does not move; the queue's lock covers it. Queues are valid when zeroed.
 *
 * A sudog leaves its queue in one of two ways: the waker pops it (and claims its ticket), or its own goroutine removes it after
 * waking by another cause. After a waker has completed the wake-up (go__wake) it must not look at the record again. */
#ifndef GO_SRC_SYNC_SUDOG_H
#define GO_SRC_SYNC_SUDOG_H

#include "sched/park.h"

struct go__sudog {
    struct go__sudog *next, *prev; /* in the queue; under its lock */
    struct go__g *g;
    uint32_t ticket; /* of g's wait; 0: this queue's waker is the only one */
    uint32_t index;  /* select: which case */
    void *elem;      /* channels: where the element is or goes */
    int64_t amount;  /* semaphores: permits wanted; mutex: waiting since */
    bool queued;     /* under the queue's lock */
    bool delivered;  /* channels: set by the waker with the element; false: woken by close */
};

struct go__waitq { /* all under the lock of the object it is part of */
    struct go__sudog *first, *last;
};

GO__INLINE void go__waitq_push(struct go__waitq *q, struct go__sudog *sg)
{
    sg->next = NULL;
    sg->prev = q->last;
    if (q->last != NULL) {
        q->last->next = sg;
    } else {
        q->first = sg;
    }
    q->last = sg;
    sg->queued = true;
}

/* No-op when sg has left the queue already. */
GO__INLINE void go__waitq_remove(struct go__waitq *q, struct go__sudog *sg)
{
    if (!sg->queued) {
        return;
    }
    if (sg->prev != NULL) {
        sg->prev->next = sg->next;
    } else {
        q->first = sg->next;
    }
    if (sg->next != NULL) {
        sg->next->prev = sg->prev;
    } else {
        q->last = sg->prev;
    }
    sg->queued = false;
}

/* Pops the first waiter whose wait this call wins; NULL when there is none. The caller delivers and calls go__wake. */
GO__INLINE struct go__sudog *go__waitq_claim(struct go__waitq *q)
{
    for (;;) {
        struct go__sudog *sg = q->first;
        if (sg == NULL) {
            return NULL;
        }
        go__waitq_remove(q, sg);
        if (go__claim(sg->g, sg->ticket)) {
            return sg;
        }
    }
}

#endif
