/* What the channel room shares: the channel itself, its waiter records, and the channels that belong to timers.
 *
 * Lock order: context -> channel -> timer heap -> sched.lock. Select locks several channels, in address order. Nobody is made ready
 * and nothing is allocated while a channel is locked.
 *
 * Invariants, under the lock (a waiter whose wait somebody else has claimed does not count; poppers skip it):
 *   - receivers wait only while the buffer is empty, senders only while it is full; with capacity 0 both are always so;
 *   - never do receivers and senders wait on the same channel, but for the two sides of one select;
 *   - nobody waits on a closed channel.
 *
 * A waiter popped by the other side and claimed belongs to the popper until it completes the wake-up: elements that go from stack
 * to stack are copied after the lock is dropped. */
#ifndef GO_SRC_CHAN_CHAN_H
#define GO_SRC_CHAN_CHAN_H

#include "base/spinlock.h"
#include "go/chan.h"
#include "sched/park.h"

/* What a channel's wake-up says (go__wake's code, >= 0): the index of the waiter's case, and whether it was a close. */
enum {
    GO__CHAN_INDEX = 0xffff,
    GO__CHAN_CLOSED = 0x10000,
};

/* A waiter record, on the waiter's stack or in a select's block. A sudog of its own shape: half of sync/sudog.h's size, because
 * select needs one a case; g is the owner's until the record is enqueued, everything is under the channel's lock after that. */
struct go__chan_waiter {
    struct go__chan_waiter *next, *prev;
    struct go__g *g;
    void *elem;      /* sender: what is sent; receiver: where it goes, or NULL */
    uint32_t ticket; /* of g's wait; 0: whoever pops the record is the only waker */
    uint16_t index;  /* select: the case */
    bool queued;
};

/* Valid when zeroed. Written under the channel's lock; `first` is read without it by the try_ forms and by select, as a hint. */
struct go__chan_queue {
    go__atomic(struct go__chan_waiter *) first;
    struct go__chan_waiter *last;
};

/* The clockwork of a timer's channel. All under the channel's lock. */
struct go__chan_alarm {
    int64_t due;    /* from then on a value can be received; INT64_MAX: never (stopped, or a one-shot that has fired) */
    int64_t period; /* 0: one-shot */
    bool pending;   /* set, and its value was not received yet */
};

struct go_chan {
    /* One cache line for all that a send or receive through the buffer touches. Under lock; closed and count are also read
     * without it (try_ forms, select, len). */
    go__spinlock lock;
    go__atomic(uint32_t) closed; /* 0 or 1 */
    go__atomic(size_t) count;    /* elements in the buffer */
    size_t capacity;             /* constant, as the next one */
    size_t elem_size;
    unsigned char *send_at, *recv_at; /* in the buffer: the next free and the oldest element */
    unsigned char *end;               /* constant: of the buffer, which begins at go__chan_buffer */
    struct go__chan_alarm *alarm;     /* constant; NULL but for channels of timers */
    /* The rest. */
    struct go__chan_queue receivers, senders;
    uint64_t run; /* under lock: the run to which the waiters belong, see go__chan_refresh */
    go__atomic(uint32_t) refs;
    void *memory; /* constant: what to free */
};

#define GO__CHAN_HEAD ((sizeof(struct go_chan) + GO__CACHELINE - 1) / GO__CACHELINE * GO__CACHELINE)

GO__INLINE unsigned char *go__chan_buffer(go_chan *c)
{
    return (unsigned char *)c + GO__CHAN_HEAD;
}

void go__chan_lock_slow(go_chan *c); /* it was taken */

GO__INLINE void go__chan_lock(go_chan *c)
{
    if (go__unlikely(!go__spin_take(&c->lock))) {
        go__chan_lock_slow(c);
    }
}

GO__INLINE void go__chan_unlock(go_chan *c)
{
    go__spin_unlock(&c->lock);
}

/* --- channels of timers and tickers, as in Go 1.23 (used by src/time) ---
 *
 * Such a channel carries the int64_t time at which it was due. Whether it can be received is decided by the clock and by the
 * channel's alarm, under the channel's lock, at the moment somebody looks: due <= now. So nothing stale can exist; whoever sets
 * the alarm anew, under the same lock, decides for everybody.
 *
 *   - A receive (also by try_, _until, select) on an empty channel looks at the clock first and takes the value if it is due, even
 *     if no timer heap has noticed yet.
 *   - For those who already wait, the timer's heap entry is a mere reminder: its fire, which runs under the heap's lock and may not lock
 *     the channel, takes a reference (go_chan_ref) and defers (GO__TIMER_THEN_CALL) go__chan_remind followed by go_chan_unref. A reminder that
 *     comes too early, too late or after a reset finds nothing due and does nothing.
 *   - A value lies in the buffer (at most one) or is handed over. A ticker whose value was not fetched drops the tick.
 *   - len and cap say 0.
 *
 *   stop, reset (any thread; several at once are fine):
 *       heap = go__timers_reserve()                      reset only, before the lock: it may allocate
 *       go__chan_lock(c)
 *       pending = go__chan_alarm_set(c, due, period)     stop: due = INT64_MAX
 *       go__timer_disarm(&t->timer); reset: first = go__timer_arm_reserved(heap, &t->timer, due)
 *       go__chan_unlock(c); reset: if (first) go__timers_announce(heap, due)
 *       return pending
 *
 *   fire of a ticker: re-arms itself by returning the next multiple of the period after now; the alarm moves on by the same rule
 *   when its value is handed over, stored or dropped.
 *
 *   free: as stop, then go_chan_unref. */

/* Open, empty, alarm not set; NULL when memory is out. One reference. */
go_chan *go__chan_new_alarm(void);

/* Channel locked. Sets the alarm, discards a value that was not received; due INT64_MAX: no alarm. True if it was pending: set before
 * and its value not received (meaningful for one-shots). */
bool go__chan_alarm_set(go_chan *c, int64_t due, int64_t period);

/* If the alarm is due: hands the time to the first receiver, or stores it, or drops it when one is stored. Any side, the g0 side
 * too; no spin lock held. */
void go__chan_remind(go_chan *c);

/* --- between chan.c and select.c --- */

/* The number of runs that are over. */
extern go__atomic(uint64_t) go__chan_runs;

/* Channel locked, before a queue is looked into or joined: the waiters of a run that is over are gone with their stacks, so
 * forgets them. Returns the number of the run, for go__chan_remove. */
GO__INLINE uint64_t go__chan_refresh(go_chan *c)
{
    uint64_t run = load_acq(&go__chan_runs); /* acq pairs with go__chans_forget: an orphan that reads it knows what it is */
    if (go__unlikely(c->run != run)) {
        store_rel(&c->receivers.first, NULL);
        store_rel(&c->senders.first, NULL);
        c->receivers.last = c->senders.last = NULL;
        c->run = run;
    }
    return run;
}

/* Channel locked. After a wait that began in `run`: takes w out if nobody else has. */
void go__chan_remove(go_chan *c, struct go__chan_queue *q, struct go__chan_waiter *w, uint64_t run);

GO__INLINE void go__chan_push(struct go__chan_queue *q, struct go__chan_waiter *w)
{
    w->next = NULL;
    w->prev = q->last;
    if (q->last != NULL) {
        q->last->next = w;
    } else {
        store_rel(&q->first, w); /* rel: see go_chan_try_recv */
    }
    q->last = w;
    w->queued = true;
}

/* Channel locked, has an alarm, now as read before locking: a due value goes into the buffer unless somebody waits for it. */
void go__chan_settle(go_chan *c, int64_t now);

/* Channel locked (a receive on a timer's: settled). One attempt without waiting: 0 or -EPIPE (*elem of a receive is zeroed) and the lock
 * is dropped, or -EAGAIN and it is still held. */
int go__chan_send_locked(go_chan *c, const void *elem);
int go__chan_recv_locked(go_chan *c, void *elem);

#endif
