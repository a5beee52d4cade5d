/* go_rwmutex: many readers or one writer; a writer that waits holds off new readers, readers that waited go before the next writer.
 *
 * The word. Without waiters every call is one atomic operation on it:
 *
 *   WRITER   a writer has it
 *   WAIT     somebody waits who must be woken: nobody may take it, for reading or writing
 *   QUEUE    lock bit of the queues; dropped by whoever set it
 *   READER   and above: how many readers have it
 *
 *   word                       what it means                                who moves it
 *   0                          free                                         rlock, lock
 *   n * READER                 read                                         rlock, runlock;  a waiting writer: |WAIT
 *   WRITER                     written                                      unlock;  a waiter: |WAIT
 *   n * READER | WAIT          the last runlock decides who is next         runlock
 *   WRITER | WAIT              unlock decides who is next                   unlock
 *   WAIT                       somebody is deciding (it owns the word)      as below
 *   any of them | QUEUE        a waiter is joining, or somebody decides
 *
 * While WAIT is set the holders can only become fewer, so exactly one of them, the last, sees WAIT alone left. It decides:
 *
 *   a writer leaves, readers wait    all of them get it (n * READER, with WAIT if writers wait)
 *   a writer leaves, writers wait    the first is woken and competes with whoever comes (0): one that has been woken once and lost sets
 *                                    WAIT again, and then is next, for the one that leaves then hands it over (`again`)
 *   readers leave                    the first writer gets it (WRITER, with WAIT if others wait)
 *
 * Waking one writer instead of handing over keeps writers that lock in a loop from paying a switch for each section. All waits
 * are of calls that return void, so nobody leaves the queues on his own. */
#include "go/sync.h"

#include "sync/waiters.h"

_Static_assert(sizeof(go_rwmutex) <= 48, "as promised");

enum { WRITER = 1, WAIT = 2, QUEUE = 4, READER = 8 };
enum { CODE_WOKEN = 0, CODE_HANDED = 1 };

#define READERS     (~(uint32_t)(READER - 1))
#define SPIN_ROUNDS 4u

GO__INLINE go__atomic(uint32_t) * word_of(go_rwmutex *m)
{
    return (go__atomic(uint32_t) *)&m->private_word;
}

/* --- the queues' lock --- */

static void lock_queue(go_rwmutex *m)
{
    /* acq: pairs with the release that drops QUEUE. */
    for (unsigned round = 0; (or_acqrel(word_of(m), (uint32_t)QUEUE) & QUEUE) != 0;) {
        do {
            go__sync_pause(round++);
        } while ((load_rlx(word_of(m)) & QUEUE) != 0);
    }
    uint32_t run = go__sync_run();
    if (go__unlikely(m->private_run != run)) {
        m->private_run = run;
        m->private_readers = m->private_writers = NULL;
    }
}

static void unlock_queue(void *arg)
{
    go_rwmutex *m = arg;
    (void)and_acqrel(word_of(m), ~(uint32_t)QUEUE); /* rel: pairs with lock_queue */
}

GO__INLINE uint32_t wait_if(const struct go__sudog *writers)
{
    return writers != NULL ? (uint32_t)WAIT : 0;
}

/* --- at once --- */

GO__INLINE bool try_read(go_rwmutex *m)
{
    uint32_t word = load_rlx(word_of(m));
    while (go__likely((word & (WRITER | WAIT)) == 0)) {
        if (go__likely(cas_acq(word_of(m), &word, word + READER))) { /* acq: pairs with the release of the last writer */
            return true;
        }
    }
    return false;
}

GO__INLINE bool try_write(go_rwmutex *m)
{
    uint32_t word = 0;
    do {
        if (go__likely(cas_acq(word_of(m), &word, word | WRITER))) { /* acq: pairs with the releases of all before */
            return true;
        }
    } while ((word & ~(uint32_t)QUEUE) == 0);
    return false;
}

bool go_rwmutex_tryrlock(go_rwmutex *m)
{
    go__sync_known();
    return try_read(m);
}

bool go_rwmutex_trylock(go_rwmutex *m)
{
    go__sync_known();
    return try_write(m);
}

/* --- waiting --- */

/* Queue locked: either takes it (dropping the lock), false; or sees to it that somebody is going to decide about the caller. */
static bool must_wait(go_rwmutex *m, bool reader)
{
    uint32_t word = load_rlx(word_of(m));
    for (;;) {
        if ((word & WAIT) != 0) {
            return true; /* whoever is last will decide, or is waiting for our queue's lock to do so */
        }
        if (reader ? (word & WRITER) == 0 : (word & (WRITER | READERS)) == 0) {
            /* A writer may have others behind it in the queue, with nobody to wake them but itself. */
            uint32_t next = reader ? word + READER : WRITER | wait_if(m->private_writers);
            if (cas_acqrel(word_of(m), &word, next & ~(uint32_t)QUEUE)) { /* acq: as try_read and try_write; rel: drops QUEUE */
                return false;
            }
        } else if (cas_rlx(word_of(m), &word, word | WAIT)) { /* rlx: the queues are published by their own lock */
            return true;
        }
    }
}

static int wait_once(go_rwmutex *m, struct go__g *gp, bool reader, bool again)
{
    lock_queue(m);
    if (!must_wait(m, reader)) {
        return CODE_HANDED;
    }
    struct go__sudog sg;
    sg.g = gp;
    sg.ticket = go__sync_ticket(gp, go__sync_void, unlock_queue, m);
    sg.delivered = again;
    if (again) {
        go__ring_push_first(&m->private_writers, &sg);
    } else {
        go__ring_push_last(reader ? &m->private_readers : &m->private_writers, &sg);
    }
    return go__wait_park(gp, sg.ticket, INT64_MAX, unlock_queue, m, reader ? GO__REASON_RWMUTEX_RLOCK : GO__REASON_RWMUTEX_LOCK);
}

static bool spin(go_rwmutex *m, const struct go__g *gp, bool reader)
{
    if (!go__sync_may_spin(gp)) {
        return false;
    }
    for (unsigned round = 0; round < SPIN_ROUNDS; round++) {
        go__sync_pause(round);
        if (reader ? try_read(m) : try_write(m)) {
            return true;
        }
    }
    return false;
}

static GO__NOINLINE void rlock_slow(go_rwmutex *m)
{
    struct go__g *gp = go__self();
    if (!spin(m, gp, true)) {
        (void)wait_once(m, gp, true, false); /* readers are handed what they wait for */
    }
}

/* After a waiter has been woken the others have nobody who wakes them until it asks again: wait_once sees to that. */
static bool woken_takes(go_rwmutex *m)
{
    uint32_t word = load_rlx(word_of(m));
    while (word == 0) {
        if (cas_acq(word_of(m), &word, WRITER | QUEUE)) {                /* acq: as try_write, and lock_queue */
            store_rel(word_of(m), WRITER | wait_if(m->private_writers)); /* rel: drops QUEUE; nobody else may change the word now */
            return true;
        }
    }
    return false;
}

static GO__NOINLINE void lock_slow(go_rwmutex *m)
{
    struct go__g *gp = go__self();
    if (spin(m, gp, false) || wait_once(m, gp, false, false) == CODE_HANDED) {
        return;
    }
    while (!woken_takes(m) && wait_once(m, gp, false, true) == CODE_WOKEN) {}
}

void go_rwmutex_rlock(go_rwmutex *m)
{
    go__sync_known();
    if (go__unlikely(!try_read(m))) {
        rlock_slow(m);
    }
}

void go_rwmutex_lock(go_rwmutex *m)
{
    go__sync_known();
    if (go__unlikely(!try_write(m))) {
        lock_slow(m);
    }
}

/* --- deciding --- */

/* The word is WAIT, the caller's; QUEUE may come and go. */
static void decide(go_rwmutex *m, bool writer_left)
{
    lock_queue(m);
    /* No writers after readers: those on whose behalf WAIT was set belonged to a run that is over. */
    if (m->private_readers != NULL && (writer_left || m->private_writers == NULL)) {
        uint32_t count = 0;
        struct go__sudog *list = go__ring_claim_all(&m->private_readers);
        for (struct go__sudog *sg = list; sg != NULL; sg = sg->next) {
            count++;
        }
        store_rel(word_of(m), count * READER | wait_if(m->private_writers)); /* rel: drops QUEUE, hands on what the writer did */
        go__wake_all(list, CODE_HANDED);
        return;
    }
    struct go__sudog *sg = go__ring_claim(&m->private_writers);
    if (sg == NULL) { /* as above */
        store_rel(word_of(m), 0u);
        return;
    }
    struct go__g *gp = sg->g;
    uint32_t ticket = sg->ticket;
    bool hand_over = !writer_left || sg->delivered;
    uint32_t others = wait_if(m->private_writers) | wait_if(m->private_readers);
    store_rel(word_of(m), hand_over ? WRITER | others : 0);     /* rel, as above */
    go__wake(gp, ticket, hand_over ? CODE_HANDED : CODE_WOKEN); /* m may be gone */
}

static GO__NOINLINE void runlock_slow(go_rwmutex *m, uint32_t before)
{
    if ((before & READERS) == 0) {
        go__throw("runlock of an rwmutex that is not locked for reading");
    }
    if ((before & READERS) == READER && (before & WRITER) == 0) {
        decide(m, false);
    }
}

void go_rwmutex_runlock(go_rwmutex *m)
{
    go__known();
    uint32_t before = sub_rel(word_of(m), (uint32_t)READER); /* rel: pairs with the next writer's acquire */
    if (go__unlikely((before & READERS) == 0 || (before & WAIT) != 0)) {
        runlock_slow(m, before);
    }
}

void go_rwmutex_unlock(go_rwmutex *m)
{
    go__known();
    uint32_t before = sub_rel(word_of(m), (uint32_t)WRITER); /* rel: pairs with the acquire of whoever is next */
    if (go__unlikely((before & (WRITER | WAIT)) != WRITER)) {
        if ((before & WRITER) == 0) {
            go__throw("unlock of an rwmutex that is not locked for writing");
        }
        decide(m, true);
    }
}
