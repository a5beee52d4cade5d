/* Looks inside channels, so that a test acts only once others really wait. */
#ifndef GO_TESTS_UNIT_CHAN_WAITING_H
#define GO_TESTS_UNIT_CHAN_WAITING_H

#include "chan/chan.h"
#include "support/check.h"

static inline int waiting_in(go_chan *c, struct go__chan_queue *q)
{
    int n = 0;
    go__chan_lock(c);
    (void)go__chan_refresh(c); /* those of a run that is over are gone */
    for (struct go__chan_waiter *w = load_rlx(&q->first); w != NULL; w = w->next) {
        CHECK(w->queued && (w->next == NULL ? q->last == w : w->next->prev == w));
        n++;
    }
    go__chan_unlock(c);
    return n;
}

static inline int receivers_of(go_chan *c)
{
    return waiting_in(c, &c->receivers);
}

static inline int senders_of(go_chan *c)
{
    return waiting_in(c, &c->senders);
}

static inline void until_receivers(go_chan *c, int n)
{
    while (receivers_of(c) != n) {
        go_yield();
    }
}

static inline void until_senders(go_chan *c, int n)
{
    while (senders_of(c) != n) {
        go_yield();
    }
}

#endif
