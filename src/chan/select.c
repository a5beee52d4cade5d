/* Select: one of several sends and receives.
 *
 * 1. Look at all channels without a lock, choose at random among those that seem ready, lock that one and do it. Most selects of
 *    a busy program end here, for one atomic exchange. What was seen may be gone under the lock; then, and if nothing was seen:
 * 2. Lock all channels, in address order, and choose among those that are ready. This is the one moment at which "nothing can
 *    happen" is true of all of them together, so a select that tries ends here.
 * 3. Enqueue a record in every channel under one ticket, unlock, park. Whoever comes first claims the ticket, delivers, and says by
 *    its code which case it was (chan.h). The others skip the record when they find it, or it is gone when they look: after waking,
 *    the select takes its records out of the channels one by one.
 *
 * What steps 2 and 3 need lies in a block (block.h). Nobody is made ready, and nothing is allocated, while channels are locked. */
#include <errno.h>

#include "base/mem.h"
#include "chan/block.h"
#include "go/time.h"
#include "time/wait.h"

#define MOST   65535
#define GLANCE 64 /* cases looked at without a lock: as many as a mask has bits */

GO__INLINE uint32_t below(uint32_t n, uint32_t drawn)
{
    return (uint32_t)(((uint64_t)drawn * n) >> 32);
}

/* --- one case --- */

static GO__NOINLINE GO__NORETURN void bad_direction(void)
{
    go__throw("go_select: a case whose direction is neither GO_DIRECTION_SEND nor GO_DIRECTION_RECV");
}

/* Without the lock a hint; under it true, except that the waiters may turn out to have been woken by somebody else. */
GO__INLINE bool seems_ready(const go_case *k)
{
    const go_chan *c = k->chan;
    if (go__unlikely(k->direction != GO_DIRECTION_RECV && k->direction != GO_DIRECTION_SEND)) {
        bad_direction();
    }
    if (c == NULL) {
        return false;
    }
    size_t count = load_rlx(&c->count); /* rlx, as below: what matters is looked at again under the lock */
    if (k->direction == GO_DIRECTION_RECV) {
        return count != 0 || load_rlx(&c->senders.first) != NULL || load_rlx(&c->closed) != 0;
    }
    return count < c->capacity || load_rlx(&c->receivers.first) != NULL || load_rlx(&c->closed) != 0;
}

/* Its channel locked, no other. True: done, and unlocked. */
GO__INLINE bool attempt(go_case *k)
{
    int result =
        k->direction == GO_DIRECTION_RECV ? go__chan_recv_locked(k->chan, k->elem) : go__chan_send_locked(k->chan, k->elem);
    if (go__unlikely(result == -EAGAIN)) {
        return false;
    }
    k->result = result;
    return true;
}

/* The n-th set bit. */
GO__INLINE uint32_t nth_bit(uint64_t mask, uint32_t n)
{
    for (; n > 0; n--) {
        mask &= mask - 1;
    }
    return (uint32_t)__builtin_ctzll(mask);
}

/* Step 1. The index of the case that happened, -EAGAIN if none did. */
GO__INLINE int glance(go_case *cases, uint32_t count)
{
    uint64_t ready = 0;
    uint32_t n = 0;
    if (go__unlikely(count > GLANCE)) {
        return -EAGAIN;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (seems_ready(&cases[i])) {
            ready |= UINT64_C(1) << i;
            n++;
        }
    }
    if (n == 0) {
        return -EAGAIN;
    }
    uint32_t i = nth_bit(ready, n == 1 ? 0 : below(n, go__select_chance()));
    go_chan *c = cases[i].chan;
    go__chan_lock(c);
    if (go__likely(attempt(&cases[i]))) {
        return (int)i;
    }
    go__chan_unlock(c);
    return -EAGAIN;
}

/* --- all channels --- */

GO__INLINE go_case *case_at(const struct go__select_block *b, uint32_t i)
{
    return &b->cases[b->order[i]];
}

/* The cases that have a channel, by its address. Shell sort: no recursion, no memory. */
static void sort(struct go__select_block *b, uint32_t count)
{
    uint32_t n = 0, gap = 1;
    for (uint32_t i = 0; i < count; i++) {
        if (b->cases[i].chan != NULL) {
            b->order[n++] = (uint16_t)i;
        }
    }
    b->count = n;
    while (gap < n / 3) {
        gap = gap * 3 + 1;
    }
    for (; gap > 0; gap /= 3) {
        for (uint32_t i = gap; i < n; i++) {
            uint16_t moving = b->order[i];
            uintptr_t address = (uintptr_t)b->cases[moving].chan;
            uint32_t at = i;
            for (; at >= gap && (uintptr_t)case_at(b, at - gap)->chan > address; at -= gap) {
                b->order[at] = b->order[at - gap];
            }
            b->order[at] = moving;
        }
    }
}

/* Cases of the same channel, which are neighbours now, stand in its queue in a random order. No lock held. */
static void shuffle_equal(struct go__select_block *b)
{
    uint32_t first = 0;
    for (uint32_t i = 1; i < b->count; i++) {
        if (go__likely(case_at(b, i)->chan != case_at(b, first)->chan)) {
            first = i;
            continue;
        }
        uint32_t other = first + below(i - first + 1, go__select_chance());
        uint16_t moving = b->order[i];
        b->order[i] = b->order[other];
        b->order[other] = moving;
    }
}

/* A channel that stands in several cases is locked once. */
static void lock_all(const struct go__select_block *b)
{
    go_chan *before = NULL;
    for (uint32_t i = 0; i < b->count; i++) {
        go_chan *c = case_at(b, i)->chan;
        if (c != before) {
            go__chan_lock(c);
            before = c;
        }
    }
}

/* Each once. */
static void unlock_all_but(const struct go__select_block *b, const go_chan *keep)
{
    uint32_t count = b->count;
    for (uint32_t i = 0; i < count;) {
        go_chan *c = case_at(b, i)->chan;
        do {
            i++;
        } while (i < count && case_at(b, i)->chan == c);
        if (c != keep) {
            go__chan_unlock(c);
        }
    }
}

/* On the select's own stack: a wait with a ticket drops its locks before it parks. */
static void unlock_all(void *arg)
{
    unlock_all_but(arg, NULL);
}

/* The time now if a timer's channel is among them, else 0. */
static int64_t timers_look(const struct go__select_block *b)
{
    for (uint32_t i = 0; i < b->count; i++) {
        if (case_at(b, i)->chan->alarm != NULL) {
            return go_now();
        }
    }
    return 0;
}

static void settle_all(const struct go__select_block *b, int64_t now)
{
    for (uint32_t i = 0; i < b->count; i++) {
        go_chan *c = case_at(b, i)->chan;
        if (c->alarm != NULL) {
            go__chan_settle(c, now);
        }
    }
}

static uint32_t count_ready(const struct go__select_block *b)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->count; i++) {
        n += seems_ready(case_at(b, i));
    }
    return n;
}

static go_case *nth_ready(const struct go__select_block *b, uint32_t n)
{
    for (uint32_t i = 0;; i++) {
        go_case *k = case_at(b, i);
        if (seems_ready(k) && n-- == 0) {
            return k;
        }
    }
}

/* Step 2. The index of the case that happened, or -EAGAIN with all channels locked. */
static int look_locked(struct go__select_block *b)
{
    for (;;) {
        uint32_t drawn = go__select_chance();
        int64_t now = timers_look(b);
        lock_all(b);
        if (go__unlikely(now != 0)) {
            settle_all(b, now);
        }
        uint32_t n = count_ready(b);
        if (n == 0) {
            return -EAGAIN;
        }
        go_case *k = nth_ready(b, below(n, drawn));
        unlock_all_but(b, k->chan); /* the other side is made ready with no lock held */
        if (go__likely(attempt(k))) {
            return (int)(k - b->cases);
        }
        go__chan_unlock(k->chan); /* its waiters had been woken by somebody else and are out of the way now */
    }
}

/* --- waiting --- */

GO__INLINE struct go__chan_queue *queue_of(go_case *k)
{
    return k->direction == GO_DIRECTION_RECV ? &k->chan->receivers : &k->chan->senders;
}

/* All channels locked. Returns the run. */
static uint64_t refresh_all(const struct go__select_block *b)
{
    uint64_t run = 0;
    for (uint32_t i = 0; i < b->count; i++) {
        run = go__chan_refresh(case_at(b, i)->chan);
    }
    return run;
}

/* All channels locked, refreshed. */
static void enqueue_all(struct go__select_block *b, struct go__g *gp, uint32_t ticket)
{
    for (uint32_t i = 0; i < b->count; i++) {
        go_case *k = case_at(b, i);
        struct go__chan_waiter *w = &b->waiters[i];
        w->g = gp;
        w->elem = k->elem;
        w->ticket = ticket;
        w->index = b->order[i];
        go__chan_push(queue_of(k), w);
    }
}

/* But for the one that happened: whoever made it happen has taken its record out. */
static void dequeue_all(struct go__select_block *b, uint64_t run, int happened)
{
    for (uint32_t i = 0; i < b->count; i++) {
        if (b->order[i] != happened) {
            go_case *k = case_at(b, i);
            go__chan_lock(k->chan);
            go__chan_remove(k->chan, queue_of(k), &b->waiters[i], run);
            go__chan_unlock(k->chan);
        }
    }
}

static int closed(go_case *k)
{
    if (k->direction == GO_DIRECTION_RECV && k->elem != NULL) {
        go__zero(k->elem, k->chan->elem_size);
    }
    return -EPIPE;
}

/* Step 3; all channels locked. */
GO__INLINE int wait_for_one(struct go__select_block *b, struct go__g *gp, int64_t deadline)
{
    uint64_t run = refresh_all(b);
    go__orphan_leaves(unlock_all, b);
    uint32_t ticket = go__wait_begin(gp, deadline, true);
    enqueue_all(b, gp, ticket);
    int code = go__wait_park(gp, ticket, deadline, unlock_all, b, GO__REASON_SELECT);
    int happened = code >= 0 ? code & GO__CHAN_INDEX : -1;
    dequeue_all(b, run, happened);
    if (happened < 0) {
        return code;
    }
    b->cases[happened].result = (code & GO__CHAN_CLOSED) != 0 ? closed(&b->cases[happened]) : 0;
    return happened;
}

/* Steps 2 and 3; gp == NULL: without waiting. */
static GO__NOINLINE int look_and_wait(go_case *cases, uint32_t count, struct go__g *gp, int64_t deadline)
{
    struct go__select_block *b = go__select_block_get(count);
    if (go__unlikely(b == NULL)) {
        return -ENOMEM;
    }
    b->cases = cases;
    sort(b, count);
    shuffle_equal(b);
    int result = look_locked(b);
    if (result == -EAGAIN) {
        if (gp != NULL) {
            result = wait_for_one(b, gp, deadline);
        } else {
            unlock_all(b);
        }
    }
    go__select_block_put(b);
    return result;
}

/* --- the public forms --- */

/* The call was about cases[0] alone. */
GO__INLINE int first_case(go_case *cases, int result)
{
    if (result != 0 && result != -EPIPE) {
        return result;
    }
    cases[0].result = result;
    return 0;
}

static GO__NOINLINE int select_one(go_case *cases, int64_t deadline)
{
    if (cases[0].direction == GO_DIRECTION_RECV) {
        return first_case(cases, go_chan_recv_until(cases[0].chan, cases[0].elem, deadline));
    }
    if (cases[0].direction != GO_DIRECTION_SEND) {
        bad_direction();
    }
    return first_case(cases, go_chan_send_until(cases[0].chan, cases[0].elem, deadline));
}

static GO__NOINLINE int select_none(int64_t deadline)
{
    struct go__g *gp = go__self();
    if (go__canceled(gp)) {
        return -ECANCELED;
    }
    return go__wait_park(gp, go__wait_begin(gp, deadline, false), deadline, NULL, NULL, GO__REASON_SELECT_EMPTY);
}

static GO__NOINLINE int select_several(go_case *cases, size_t count, int64_t deadline)
{
    if (go__unlikely(count > MOST)) {
        return -EINVAL;
    }
    struct go__g *gp = go__self();
    if (go__canceled(gp)) {
        return -ECANCELED;
    }
    uint32_t n = (uint32_t)count;
    int happened = glance(cases, n);
    return go__likely(happened >= 0) ? happened : look_and_wait(cases, n, gp, deadline);
}

int go_select_until(go_case *cases, size_t count, int64_t deadline)
{
    if (go__likely(count > 1)) {
        return select_several(cases, count, deadline);
    }
    return count == 1 ? select_one(cases, deadline) : select_none(deadline);
}

int go_select(go_case *cases, size_t count)
{
    if (go__likely(count > 1)) {
        return select_several(cases, count, INT64_MAX);
    }
    return count == 1 ? select_one(cases, INT64_MAX) : select_none(INT64_MAX);
}

static GO__NOINLINE int try_one(go_case *cases)
{
    if (cases[0].direction == GO_DIRECTION_RECV) {
        return first_case(cases, go_chan_try_recv(cases[0].chan, cases[0].elem));
    }
    if (cases[0].direction != GO_DIRECTION_SEND) {
        bad_direction();
    }
    return first_case(cases, go_chan_try_send(cases[0].chan, cases[0].elem));
}

int go_select_try(go_case *cases, size_t count)
{
    go__known();
    if (go__unlikely(count > MOST)) {
        return -EINVAL;
    }
    uint32_t n = (uint32_t)count;
    if (n <= 1) {
        return n == 1 ? try_one(cases) : -EAGAIN;
    }
    int happened = glance(cases, n);
    return happened >= 0 ? happened : look_and_wait(cases, n, NULL, 0);
}
