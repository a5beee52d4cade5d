/* go_mutex: whoever comes when it is free gets it; a waiter that starves gets it handed over.
 *
 * The word. Lock and unlock without waiters are one atomic operation on it, also while a woken waiter is on its way:
 *
 *   LOCKED  somebody has the mutex
 *   WAKE    there are waiters and nobody is on his way: the unlock that finds WAKE wakes one. Until it has done that, nobody gets
 *           the mutex: LOCKED may be taken only where neither LOCKED nor WAKE is set. So the unlocker may still touch it.
 *   QUEUE   lock bit of the queue and of private_queue; dropped by whoever set it
 *
 *   word                what it means                               who moves it
 *   0                   free                                        lock: LOCKED
 *   LOCKED              held                                        unlock: 0;  a waiter: LOCKED|WAKE
 *   LOCKED|WAKE         held, waiters need a wake-up                unlock: WAKE
 *   WAKE                the unlocker is choosing (it owns the word)  unlocker: 0 (woke one), LOCKED or LOCKED|WAKE (handed over)
 *   any of them|QUEUE   a waiter is joining or leaving the queue, or the unlocker chooses
 *
 * private_queue, under QUEUE: WOKEN, a waiter was woken and has neither got the mutex nor queued again; above it the run of the
 * waiters. WOKEN keeps the holder fast while the woken one is on its way: WAKE stays clear, whoever runs may lock and unlock as it
 * likes. The woken one takes over the duty: it sets WAKE again if others wait, when it gets the mutex and when it does not.
 *
 * Fairness. A waiter that was woken and lost goes to the queue's front; if it has waited for STARVING_NS, the next unlock hands
 * the mutex over to it, LOCKED staying set. Then all goes on as before: Go stays in hand-off mode until a waiter waited for less
 * than that, and with many waiters that costs a switch for each section and never ends. Here each starving waiter is served after
 * one failed attempt, and the others run meanwhile.
 *
 * Refused: unlocking by a plain store, the waiter paying for the order with a membarrier. Lock and unlock alone would take 5.5 ns in
 * place of 9.5 (an EPYC of 2 CPUs), but the first wait on each mutex an interrupt of every CPU that runs the program (0.7 us with
 * one other CPU, one at a time in the whole system), and unlock a look at a table by address, as the mutex may be gone by then. */
#include "go/sync.h"

#include <errno.h>

#include "go/time.h"
#include "sync/waiters.h"

extern void go_mutex_lock(go_mutex *m); /* the inline functions' home */
extern void go_mutex_unlock(go_mutex *m);
extern void *go__thread(void);

_Static_assert(sizeof(go_mutex) == 16, "as promised");

enum { LOCKED = GO__MUTEX_LOCKED, WAKE = 2, QUEUE = 4 };
enum { WOKEN = 1 }; /* private_queue; the run is above it */
enum { CODE_WOKEN = 0, CODE_HANDED = 1 };

#define STARVING_NS INT64_C(1000000)
#define SPIN_ROUNDS 5u

GO__INLINE go__atomic(uint32_t) * word_of(go_mutex *m)
{
    return (go__atomic(uint32_t) *)&m->private_word;
}

/* --- the queue's lock --- */

static void lock_queue(go_mutex *m)
{
    /* acq of acqrel: pairs with the release that drops QUEUE. */
    for (unsigned round = 0; (or_acqrel(word_of(m), (uint32_t)QUEUE) & QUEUE) != 0;) {
        do {
            go__sync_pause(round++);
        } while ((load_rlx(word_of(m)) & QUEUE) != 0);
    }
    uint32_t run = go__sync_run();
    if (go__unlikely(m->private_queue >> 1 != run)) {
        m->private_queue = run << 1;
        m->private_first = NULL;
    }
}

static void unlock_queue(void *arg)
{
    go_mutex *m = arg;
    (void)and_acqrel(word_of(m), ~(uint32_t)QUEUE);
}

/* Queue locked, and the word cannot change by others: LOCKED is the caller's, or in its gift. Drops the queue's lock. */
GO__INLINE void settle(go_mutex *m, uint32_t word)
{
    if (m->private_first != NULL && (m->private_queue & WOKEN) == 0) {
        word |= WAKE;
    }
    store_rel(word_of(m), word); /* rel: the queue for its next user, and what the last holder did for the next */
}

/* --- locking --- */

/* Takes m if it is free. `woken`: the caller is the one on whose way WOKEN says somebody is; no longer if it succeeds. */
static bool attempt(go_mutex *m, bool woken)
{
    uint32_t word = load_rlx(word_of(m));
    while ((word & (LOCKED | WAKE)) == 0) {
        /* acq: pairs with the release in unlock, and of QUEUE. */
        if (!woken) {
            if (cas_acq(word_of(m), &word, word | LOCKED)) {
                return true;
            }
        } else if (word == 0) {
            if (cas_acq(word_of(m), &word, LOCKED | QUEUE)) {
                m->private_queue &= ~(uint32_t)WOKEN;
                settle(m, LOCKED);
                return true;
            }
        } else {
            go__cpu_relax();
            word = load_rlx(word_of(m));
        }
    }
    return false;
}

/* Queue locked, the caller is about to wait: makes sure that somebody is going to wake it. False: the mutex was free, the
 * caller has it, the queue is unlocked. */
static bool must_wait(go_mutex *m)
{
    uint32_t word = load_rlx(word_of(m));
    for (;;) {
        if ((word & (LOCKED | WAKE)) == 0) {
            if (cas_acq(word_of(m), &word, LOCKED | QUEUE)) { /* acq: pairs with the release in unlock */
                settle(m, LOCKED);
                return false;
            }
        } else if ((word & WAKE) != 0 || (m->private_queue & WOKEN) != 0 ||
                   cas_rlx(word_of(m), &word, word | WAKE)) { /* rlx: the queue is published by its own lock */
            return true;
        }
    }
}

/* One wait. The queue's lock is taken and dropped. CODE_..., or negative. */
static int wait_once(go_mutex *m, struct go__g *gp, struct go__sync_wait how, bool woken, bool starving)
{
    lock_queue(m);
    if (woken) {
        m->private_queue &= ~(uint32_t)WOKEN;
    }
    if (!must_wait(m)) {
        return CODE_HANDED;
    }
    struct go__sudog sg;
    uint32_t run = m->private_queue >> 1;
    sg.g = gp;
    sg.ticket = go__sync_ticket(gp, how, unlock_queue, m);
    sg.delivered = starving;
    if (woken) {
        go__ring_push_first(&m->private_first, &sg);
    } else {
        go__ring_push_last(&m->private_first, &sg);
    }
    int code = go__wait_park(gp, sg.ticket, how.deadline, unlock_queue, m, GO__REASON_MUTEX_LOCK);
    if (go__unlikely(code < 0)) {
        lock_queue(m);
        if (sg.queued && m->private_queue >> 1 == run) {
            go__ring_remove(&m->private_first, &sg);
        }
        unlock_queue(m); /* WAKE may stay: the next unlock finds nobody */
    }
    return code;
}

static bool spin(go_mutex *m, const struct go__g *gp, bool woken)
{
    if (!go__sync_may_spin(gp)) {
        return false;
    }
    for (unsigned round = 0; round < SPIN_ROUNDS; round++) {
        go__sync_pause(round);
        if (attempt(m, woken)) {
            return true;
        }
    }
    return false;
}

static int lock_slow(go_mutex *m, struct go__g *gp, struct go__sync_wait how)
{
    bool woken = false;
    int64_t since = 0;
    for (;;) {
        if (attempt(m, woken) || spin(m, gp, woken)) {
            return 0;
        }
        int64_t now = go_now();
        since = since != 0 ? since : now;
        int code = wait_once(m, gp, how, woken, now - since >= STARVING_NS);
        if (code != CODE_WOKEN) {
            return code == CODE_HANDED ? 0 : code;
        }
        woken = true;
    }
}

void go__mutex_lock_slow(go_mutex *m)
{
    struct go__g *gp = go__self();
    (void)lock_slow(m, gp, go__sync_void);
}

int go_mutex_lock_until(go_mutex *m, int64_t deadline)
{
    struct go__g *gp = go__self();
    if (go__canceled(gp)) {
        return -ECANCELED;
    }
    if (go__likely(attempt(m, false))) {
        return 0;
    }
    struct go__sync_wait how = {deadline, false};
    int code = lock_slow(m, gp, how);
    if (go__unlikely(code == 0 && go__canceled(gp))) { /* while it was on its way to the mutex that it had been woken for */
        go_mutex_unlock(m);
        code = -ECANCELED;
    }
    return code;
}

bool go_mutex_trylock(go_mutex *m)
{
    go__sync_known();
    return attempt(m, false);
}

/* --- unlocking --- */

void go__mutex_unlock_slow(go_mutex *m, uint32_t before)
{
    if ((before & LOCKED) == 0) {
        go__throw("unlock of a mutex that is not locked");
    }
    if ((before & WAKE) == 0) {
        return; /* somebody is at the queue, and will find the mutex free */
    }
    lock_queue(m);
    struct go__sudog *sg = go__ring_claim(&m->private_first);
    if (sg == NULL) {
        store_rel(word_of(m), 0u); /* rel, as in settle */
        return;
    }
    struct go__g *gp = sg->g;
    uint32_t ticket = sg->ticket;
    int code = sg->delivered ? CODE_HANDED : CODE_WOKEN;
    if (code == CODE_HANDED) {
        settle(m, LOCKED);
    } else {
        m->private_queue |= WOKEN;
        settle(m, 0);
    }
    go__wake(gp, ticket, code); /* m may be gone */
}
