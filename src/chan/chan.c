/* Channels: making, sending, receiving, closing. The rules are in chan.h.
 *
 * One spin lock a channel, held for one copy and a few words. A sender that finds a waiting receiver gives it the element
 * directly, a receiver that finds a full buffer moves a waiting sender's element in: so whoever is woken has what it came for
 * and need not look again. The hot path through the buffer costs one atomic exchange and touches, beside the element, one cache
 * line of the channel.
 *
 * Refused: a lock-free ring. It needs one locked instruction for each send and receive too, and cannot give what the lock gives
 * for nothing: an element never overtakes another, and select sees all its channels at one moment. */
#include "chan/chan.h"

#include <errno.h>

#include "base/mem.h"
#include "base/prefetch.h"
#include "go/time.h"
#include "sched/alloc.h"
#include "sched/crowd.h"
#include "sched/hooks.h"
#include "time/wait.h"

#define WAITERS_AHEAD 4u /* fetched before they are collected */

_Static_assert(offsetof(struct go_chan, receivers) == GO__CACHELINE, "the buffer's side of a channel is one cache line");

go__atomic(uint64_t) go__chan_runs;

void go__chans_forget(void)
{
    /* rel: for orphans, see go__orphan_leaves; who else looks next is ordered by the start of its run or its wake-up. */
    store_rel(&go__chan_runs, load_rlx(&go__chan_runs) + 1);
}

/* --- making and counting --- */

static go_chan *make(size_t elem_size, size_t capacity, size_t extra)
{
    size_t bytes, total;
    if (__builtin_mul_overflow(elem_size, capacity, &bytes) ||
        __builtin_add_overflow(bytes, GO__CHAN_HEAD + extra + GO__CACHELINE, &total)) {
        return NULL;
    }
    char *memory = go__alloc(total);
    if (memory == NULL) {
        return NULL;
    }
    go_chan *c = (go_chan *)(void *)(((uintptr_t)memory + GO__CACHELINE - 1) & ~(uintptr_t)(GO__CACHELINE - 1));
    c->memory = memory;
    c->capacity = capacity;
    c->elem_size = elem_size;
    c->send_at = c->recv_at = go__chan_buffer(c);
    c->end = go__chan_buffer(c) + bytes;
    store_rlx(&c->refs, 1u); /* rlx: nobody else knows it */
    return c;
}

go_chan *go_chan_new(size_t elem_size, size_t capacity)
{
    go__known();
    return make(elem_size, capacity, 0);
}

go_chan *go_chan_ref(go_chan *c)
{
    if (c != NULL) {
        (void)add_rlx(&c->refs, 1u); /* rlx: the caller has a reference, nothing is published */
    }
    return c;
}

void go_chan_unref(go_chan *c)
{
    /* acqrel: all uses by others come before the free; partners are the other decrements. */
    if (c == NULL || sub_acqrel(&c->refs, 1u) != 1) {
        return;
    }
    (void)go__chan_refresh(c);
    if (load_rlx(&c->receivers.first) != NULL || load_rlx(&c->senders.first) != NULL) { /* rlx: nobody else is left */
        go__throw("go_chan_unref: the last reference is given up while somebody waits on the channel");
    }
    go__free(c->memory);
}

size_t go_chan_len(const go_chan *c)
{
    return c == NULL || c->alarm != NULL ? 0 : load_rlx(&c->count); /* rlx: some moment of the call */
}

size_t go_chan_cap(const go_chan *c)
{
    return c == NULL || c->alarm != NULL ? 0 : c->capacity;
}

GO__NOINLINE void go__chan_lock_slow(go_chan *c)
{
    (void)go__conflict(go_now());
    go__spin_lock(&c->lock);
}

/* --- elements --- */

static GO__NOINLINE void copy_other(void *to, const void *from, size_t size)
{
    switch (size) {
    case 0: return;
    case 1: __builtin_memcpy(to, from, 1); return;
    case 2: __builtin_memcpy(to, from, 2); return;
    case 4: __builtin_memcpy(to, from, 4); return;
    case 16: __builtin_memcpy(to, from, 16); return;
    default: go__copy_bytes(to, from, size); return;
    }
}

GO__INLINE void copy(void *to, const void *from, size_t size)
{
    if (go__likely(size == 8)) {
        __builtin_memcpy(to, from, 8);
    } else {
        copy_other(to, from, size);
    }
}

GO__INLINE unsigned char *following(go_chan *c, unsigned char *at)
{
    at += c->elem_size;
    return at == c->end ? go__chan_buffer(c) : at;
}

GO__INLINE void set_count(go_chan *c, size_t count)
{
    store_rel(&c->count, count); /* rel: see go_chan_try_recv */
}

/* --- waiters --- */

GO__INLINE void unlink(struct go__chan_queue *q, struct go__chan_waiter *w)
{
    if (w->prev != NULL) {
        w->prev->next = w->next;
    } else {
        store_rel(&q->first, w->next); /* rel: see go_chan_try_recv */
    }
    if (w->next != NULL) {
        w->next->prev = w->prev;
    } else {
        q->last = w->prev;
    }
    w->queued = false;
}

void go__chan_remove(go_chan *c, struct go__chan_queue *q, struct go__chan_waiter *w, uint64_t run)
{
    (void)go__chan_refresh(c);
    if (w->queued && c->run == run) { /* otherwise w's neighbours are gone, and q has been emptied */
        unlink(q, w);
    }
}

/* Channel locked, refreshed: pops the first waiter whose wait the caller wins, NULL if there is none. The caller delivers and
 * wakes it. */
GO__INLINE struct go__chan_waiter *claim_first(struct go__chan_queue *q)
{
    for (;;) {
        struct go__chan_waiter *w = load_rlx(&q->first); /* rlx: the lock orders it */
        if (go__unlikely(w == NULL)) {
            return NULL;
        }
        struct go__chan_waiter *next = w->next;
        store_rel(&q->first, next); /* rel: see go_chan_try_recv */
        if (go__unlikely(next != NULL)) {
            next->prev = NULL;
        } else {
            q->last = NULL;
        }
        w->queued = false;
        if (go__likely(w->ticket == 0) || go__claim(w->g, w->ticket)) {
            return w;
        }
    }
}

static void unlock(void *arg)
{
    go_chan *c = arg;
    go__chan_unlock(c);
}

static bool unlock_landed(struct go__g *gp, void *arg)
{
    (void)gp;
    unlock(arg);
    return true;
}

/* After a wait that no other side has ended. */
static GO__NOINLINE void leave_queue(go_chan *c, struct go__chan_queue *q, struct go__chan_waiter *w, uint64_t run)
{
    go__chan_lock(c);
    go__chan_remove(c, q, w, run);
    go__chan_unlock(c);
}

/* Channel locked; dropped. Waits in q until the other side comes: nothing else can end the wait. 0 or -EPIPE. What is pushed here
 * for later is pushed for nothing by most, so nothing is needed after the park. */
static GO__NOINLINE int wait_sole(go_chan *c, struct go__chan_queue *q, void *elem, enum go__reason reason, struct go__g *gp)
{
    struct go__chan_waiter w;
    (void)go__chan_refresh(c);
    go__orphan_leaves(unlock, c);
    w.g = gp;
    w.elem = elem;
    w.ticket = 0;
    w.index = 0;
    go__chan_push(q, &w);
    return go__park(unlock_landed, c, reason) == 0 ? 0 : -EPIPE;
}

/* The same, if a deadline, a context or the end of the run may end the wait too. */
static GO__NOINLINE int wait_ticket(go_chan *c, struct go__chan_queue *q, void *elem, int64_t deadline, enum go__reason reason)
{
    struct go__chan_waiter w;
    struct go__g *gp = go__self();
    uint64_t run = go__chan_refresh(c);
    go__orphan_leaves(unlock, c);
    uint32_t ticket = go__wait_begin(gp, deadline, false);
    w.g = gp;
    w.elem = elem;
    w.ticket = ticket;
    w.index = 0;
    go__chan_push(q, &w);
    int code = go__wait_park(gp, ticket, deadline, unlock, c, reason);
    if (code < 0) {
        leave_queue(c, q, &w, run);
        return code;
    }
    return code == 0 ? 0 : -EPIPE;
}

/* The calling goroutine if nothing but its waker can end its wait, else NULL. */
GO__SCHED_INLINE struct go__g *sole_waiter(int64_t deadline)
{
    struct go__m *mp = go__m(); /* read again rather than kept by the callers: a register less to save */
    return go__likely(deadline == INT64_MAX && mp != NULL && mp->curg->bound == NULL) ? mp->curg : NULL;
}

GO__INLINE int wait_in(go_chan *c, struct go__chan_queue *q, void *elem, int64_t deadline, enum go__reason reason)
{
    struct go__g *gp = sole_waiter(deadline);
    if (go__likely(gp != NULL)) {
        return wait_sole(c, q, elem, reason, gp);
    }
    return wait_ticket(c, q, elem, deadline, reason);
}

/* On a NULL channel. */
static GO__NOINLINE int wait_for_ever(int64_t deadline, enum go__reason reason)
{
    struct go__g *gp = go__self();
    if (go__canceled(gp)) {
        return -ECANCELED;
    }
    return go__wait_park(gp, go__wait_begin(gp, deadline, false), deadline, NULL, NULL, reason);
}

/* --- sending --- */

/* Channel locked, nothing in the buffer. Gives the element to a receiver and drops the lock; false: nobody waits. The copy comes
 * after the lock: the receiver is ours until we wake it. */
GO__INLINE bool hand_over(go_chan *c, const void *elem)
{
    (void)go__chan_refresh(c);
    struct go__chan_waiter *w = claim_first(&c->receivers);
    if (w == NULL) {
        return false;
    }
    size_t size = c->elem_size;
    go__chan_unlock(c);
    struct go__g *gp = w->g;
    uint32_t ticket = w->ticket;
    int code = w->index;
    if (w->elem != NULL) {
        copy(w->elem, elem, size);
    }
    go__wake(gp, ticket, code);
    return true;
}

GO__INLINE int send_now(go_chan *c, const void *elem)
{
    if (go__unlikely(load_rlx(&c->closed) != 0)) { /* rlx, as below: the lock orders them */
        go__chan_unlock(c);
        return -EPIPE;
    }
    if (load_rlx(&c->count) == 0 && load_rlx(&c->receivers.first) != NULL && hand_over(c, elem)) {
        return 0;
    }
    size_t count = load_rlx(&c->count); /* read again rather than kept over the call: a register less to save */
    if (count >= c->capacity) {
        return -EAGAIN;
    }
    copy(c->send_at, elem, c->elem_size);
    c->send_at = following(c, c->send_at);
    set_count(c, count + 1);
    go__chan_unlock(c);
    return 0;
}

int go__chan_send_locked(go_chan *c, const void *elem)
{
    return send_now(c, elem);
}

GO__INLINE int send_until(go_chan *c, const void *elem, int64_t deadline)
{
    if (go__unlikely(c == NULL)) {
        return wait_for_ever(deadline, GO__REASON_CHAN_SEND_NIL);
    }
    if (go__canceled(go__self())) {
        return -ECANCELED;
    }
    go__chan_lock(c);
    int result = send_now(c, elem);
    if (go__likely(result != -EAGAIN)) {
        return result;
    }
    return wait_in(c, &c->senders, (void *)(uintptr_t)elem, deadline, GO__REASON_CHAN_SEND);
}

int go_chan_send(go_chan *c, const void *elem)
{
    return send_until(c, elem, INT64_MAX);
}

int go_chan_send_until(go_chan *c, const void *elem, int64_t deadline)
{
    return send_until(c, elem, deadline);
}

int go_chan_try_send(go_chan *c, const void *elem)
{
    go__known();
    if (c == NULL) {
        return -EAGAIN;
    }
    /* Fails without the lock if the channel is seen without room, and then not closed: so it was not at the first look either. acq: a close
     * stores closed before it takes the receivers away. */
    bool full = c->capacity != 0 ? load_acq(&c->count) >= c->capacity : load_acq(&c->receivers.first) == NULL;
    if (full && load_rlx(&c->closed) == 0) {
        return -EAGAIN;
    }
    go__chan_lock(c);
    int result = send_now(c, elem);
    if (result == -EAGAIN) {
        go__chan_unlock(c);
    }
    return result;
}

/* --- receiving --- */

/* Channel locked, nothing in the buffer. Takes the element of a sender and drops the lock; false: nobody waits. */
GO__INLINE bool take_over(go_chan *c, void *elem)
{
    (void)go__chan_refresh(c);
    struct go__chan_waiter *w = claim_first(&c->senders);
    if (w == NULL) {
        return false;
    }
    size_t size = c->elem_size;
    go__chan_unlock(c);
    struct go__g *gp = w->g;
    uint32_t ticket = w->ticket;
    int code = w->index;
    if (elem != NULL) {
        copy(elem, w->elem, size);
    }
    go__wake(gp, ticket, code);
    return true;
}

/* Channel locked; dropped. The buffer was full and its oldest element, at `freed`, has been taken: the place goes to a sender that
 * waits, whose element is then the youngest. */
static GO__NOINLINE void refill(go_chan *c, unsigned char *freed, size_t count)
{
    if (c->alarm != NULL) {
        c->alarm->pending = false;
    }
    (void)go__chan_refresh(c);
    struct go__chan_waiter *w = claim_first(&c->senders);
    if (w == NULL) {
        set_count(c, count - 1);
        go__chan_unlock(c);
        return;
    }
    copy(freed, w->elem, c->elem_size);
    c->send_at = c->recv_at;
    struct go__g *gp = w->g;
    uint32_t ticket = w->ticket;
    int code = w->index;
    go__chan_unlock(c);
    go__wake(gp, ticket, code);
}

/* Channel locked; dropped. */
static GO__NOINLINE int recv_closed(go_chan *c, void *elem)
{
    size_t size = c->elem_size;
    go__chan_unlock(c);
    if (elem != NULL) {
        go__zero(elem, size);
    }
    return -EPIPE;
}

GO__INLINE int recv_now(go_chan *c, void *elem)
{
    size_t count = load_rlx(&c->count); /* rlx, as below: the lock orders them */
    if (count == 0) {
        if (load_rlx(&c->senders.first) != NULL && take_over(c, elem)) {
            return 0;
        }
        return go__unlikely(load_rlx(&c->closed) != 0) ? recv_closed(c, elem) : -EAGAIN;
    }
    unsigned char *at = c->recv_at;
    if (elem != NULL) {
        copy(elem, at, c->elem_size);
    }
    c->recv_at = following(c, at);
    if (count == c->capacity && (load_rlx(&c->senders.first) != NULL || c->alarm != NULL)) {
        refill(c, at, count);
        return 0;
    }
    set_count(c, count - 1);
    go__chan_unlock(c);
    return 0;
}

int go__chan_recv_locked(go_chan *c, void *elem)
{
    return recv_now(c, elem);
}

static GO__NOINLINE void lock_settled(go_chan *c)
{
    int64_t now = go_now();
    go__chan_lock(c);
    go__chan_settle(c, now);
}

GO__INLINE void lock_to_receive(go_chan *c)
{
    if (go__unlikely(c->alarm != NULL)) {
        lock_settled(c);
    } else {
        go__chan_lock(c);
    }
}

GO__INLINE int recv_until(go_chan *c, void *elem, int64_t deadline)
{
    if (go__unlikely(c == NULL)) {
        return wait_for_ever(deadline, GO__REASON_CHAN_RECEIVE_NIL);
    }
    if (go__canceled(go__self())) {
        return -ECANCELED;
    }
    lock_to_receive(c);
    int result = recv_now(c, elem);
    if (go__likely(result != -EAGAIN)) {
        return result;
    }
    result = wait_in(c, &c->receivers, elem, deadline, GO__REASON_CHAN_RECEIVE);
    if (go__unlikely(result == -EPIPE) && elem != NULL) {
        go__zero(elem, c->elem_size);
    }
    return result;
}

int go_chan_recv(go_chan *c, void *elem)
{
    return recv_until(c, elem, INT64_MAX);
}

int go_chan_recv_until(go_chan *c, void *elem, int64_t deadline)
{
    return recv_until(c, elem, deadline);
}

/* Nothing to receive? Without the lock; a timer's channel is never known to be empty. */
GO__INLINE bool seems_empty(const go_chan *c)
{
    /* acq pairs with the releases in set_count and in the queues. */
    return c->capacity != 0 ? load_acq(&c->count) == 0 : load_acq(&c->senders.first) == NULL;
}

int go_chan_try_recv(go_chan *c, void *elem)
{
    go__known();
    if (c == NULL) {
        return -EAGAIN;
    }
    /* Without the lock: first it is seen empty, then open. It cannot be opened again, so it was both at the first look. The
     * other way round, it could have been closed in between, and then drained. The order holds because closing, and emptying after
     * that, happen in this order under the lock and by releasing stores. Seen closed, it must be looked at again: an element may
     * have come before the close. */
    if (seems_empty(c) && c->alarm == NULL) {
        if (load_acq(&c->closed) == 0) { /* acq pairs with the store in go_chan_close */
            return -EAGAIN;
        }
        if (seems_empty(c)) {
            if (elem != NULL) {
                go__zero(elem, c->elem_size);
            }
            return -EPIPE;
        }
    }
    lock_to_receive(c);
    int result = recv_now(c, elem);
    if (result == -EAGAIN) {
        go__chan_unlock(c);
    }
    return result;
}

/* --- closing --- */

/* A waiter that will be collected soon, on the stack of its goroutine, and that. */
static void prefetch_waiter(uintptr_t waiter, uintptr_t to_g)
{
    go__prefetch_write(waiter);
    go__prefetch_lines(waiter + to_g, waiter + to_g + 2 * GO__CACHELINE);
}

/* Channel locked, refreshed. */
static void collect(struct go__chan_queue *q, struct go__g_list *ready)
{
    struct go__chan_waiter *w, *before = NULL;
    while ((w = claim_first(q)) != NULL) {
        struct go__g *gp = w->g;
        prefetch_waiter(go__guess(before, w, WAITERS_AHEAD), (uintptr_t)gp - (uintptr_t)w);
        before = w;
        if (go__wake_prepare(gp, w->ticket, w->index | GO__CHAN_CLOSED)) {
            go__g_list_push(ready, gp);
        }
    }
}

int go_chan_close(go_chan *c)
{
    go__known();
    struct go__g_list ready = {NULL, NULL, 0};
    if (c == NULL) {
        return -EINVAL;
    }
    go__chan_lock(c);
    if (load_rlx(&c->closed) != 0) { /* rlx: written under this lock */
        go__chan_unlock(c);
        return -EPIPE;
    }
    /* rel: whoever learns of it without the lock sees what came before; pairs with the acquiring loads in try_recv and select. */
    store_rel(&c->closed, 1u);
    (void)go__chan_refresh(c);
    collect(&c->receivers, &ready);
    collect(&c->senders, &ready);
    go__chan_unlock(c);
    if (ready.head != NULL) {
        go__ready_list(&ready);
    }
    return 0;
}

/* --- channels of timers --- */

go_chan *go__chan_new_alarm(void)
{
    go_chan *c = make(sizeof(int64_t), 1, sizeof(struct go__chan_alarm));
    if (c != NULL) {
        c->alarm = (struct go__chan_alarm *)(void *)c->end;
        c->alarm->due = INT64_MAX;
    }
    return c;
}

bool go__chan_alarm_set(go_chan *c, int64_t due, int64_t period)
{
    bool was_pending = c->alarm->pending;
    c->alarm->due = due;
    c->alarm->period = period;
    c->alarm->pending = due != INT64_MAX;
    set_count(c, 0);
    return was_pending;
}

static void advance(struct go__chan_alarm *alarm, int64_t now)
{
    if (alarm->period == 0 || alarm->period > INT64_MAX - now) {
        alarm->due = INT64_MAX;
    } else {
        alarm->due += alarm->period * (1 + (now - alarm->due) / alarm->period);
    }
}

/* Channel locked, due. A tick for which there is no room is dropped. */
static void ring(go_chan *c, int64_t now)
{
    if (load_rlx(&c->count) == 0) { /* rlx: the lock orders it */
        copy(c->recv_at, &c->alarm->due, sizeof c->alarm->due);
        set_count(c, 1);
    }
    advance(c->alarm, now);
}

void go__chan_settle(go_chan *c, int64_t now)
{
    /* Those who wait come first: theirs is the reminder that is under way. */
    if (c->alarm->due <= now && load_rlx(&c->receivers.first) == NULL && load_rlx(&c->closed) == 0) {
        ring(c, now);
    }
}

/* Channel locked, due. As hand_over; the alarm moves on in time. */
static bool ring_waiting(go_chan *c, int64_t now)
{
    int64_t fired = c->alarm->due;
    if (load_rlx(&c->count) != 0 || load_rlx(&c->receivers.first) == NULL) { /* rlx: the lock orders them */
        return false;
    }
    advance(c->alarm, now);
    c->alarm->pending = false;
    if (hand_over(c, &fired)) {
        return true;
    }
    c->alarm->pending = true; /* all of them had been woken by something else */
    c->alarm->due = fired;
    return false;
}

void go__chan_remind(go_chan *c)
{
    int64_t now = go_now();
    go__chan_lock(c);
    if (c->alarm->due <= now && load_rlx(&c->closed) == 0) { /* rlx: the lock orders it */
        if (ring_waiting(c, now)) {
            return;
        }
        ring(c, now);
    }
    go__chan_unlock(c);
}
