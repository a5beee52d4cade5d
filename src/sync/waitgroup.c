/* go_waitgroup. The state is one 64-bit word: the counter above, the rest below:
 *
 *   QUEUE    lock bit of the queue
 *   WAITERS  somebody waits; set with a counter that is not 0
 *   run      of the waiters, under QUEUE
 *
 * The add that brings the counter to 0 while WAITERS is set wakes them. Until it has cleared WAITERS, its last access, nobody
 * takes the counter of 0 for the end: neither a newcomer nor a waiter whose time is up may return and free the object under it. */
#include "go/sync.h"

#include <errno.h>

#include "sched/goroutine.h"
#include "sched/hooks.h"
#include "sync/locals.h"
#include "sync/waiters.h"

_Static_assert(sizeof(go_waitgroup) == 16, "as promised");

#define QUEUE     UINT64_C(1)
#define WAITERS   UINT64_C(2)
#define RUN_SHIFT 2
#define RUN_MASK  UINT64_C(0xfffffffc)

GO__INLINE go__atomic(uint64_t) * state_of(go_waitgroup *wg)
{
    return (go__atomic(uint64_t) *)&wg->private_state;
}

GO__INLINE int32_t counter_in(uint64_t state)
{
    return (int32_t)(state >> 32);
}

/* --- waking --- */

/* Locks the queue; the state seen. */
static uint64_t lock_queue(go_waitgroup *wg)
{
    for (unsigned round = 0;;) {
        uint64_t state = or_acqrel(state_of(wg), QUEUE); /* acq: pairs with whoever dropped QUEUE */
        if ((state & QUEUE) == 0) {
            if (go__unlikely((state & RUN_MASK) != (uint64_t)go__sync_run() << RUN_SHIFT)) {
                wg->private_first = NULL; /* whoever joins next notes the run */
            }
            return state;
        }
        do {
            go__sync_pause(round++);
        } while ((load_rlx(state_of(wg)) & QUEUE) != 0);
    }
}

static void unlock_queue(void *arg)
{
    go_waitgroup *wg = arg;
    (void)and_acqrel(state_of(wg), ~QUEUE); /* rel: pairs with lock_queue */
}

static GO__NOINLINE void wake_waiters(go_waitgroup *wg)
{
    uint64_t state = lock_queue(wg);
    if (counter_in(state) != 0) { /* used anew before the last wait was over: these waiters are the new ones' */
        unlock_queue(wg);
        return;
    }
    struct go__sudog *list = go__ring_claim_all(&wg->private_first);
    (void)and_acqrel(state_of(wg), ~(QUEUE | WAITERS)); /* rel, as above; from here on the object may be gone */
    go__wake_all(list, 0);
}

void go_waitgroup_add(go_waitgroup *wg, int delta)
{
    uint64_t change = (uint64_t)(int64_t)delta << 32;
    go__sync_known();
    /* rel: what the caller did before, for those who see 0; acq: the last one hands on what the others did. */
    uint64_t state = add_acqrel(state_of(wg), change) + change;
    if (go__unlikely(counter_in(state) <= 0)) {
        if (counter_in(state) < 0) {
            go__throw(delta < 0 ? "negative waitgroup counter" : "waitgroup counter out of range");
        }
        if ((state & WAITERS) != 0) {
            wake_waiters(wg);
        }
    }
}

void go_waitgroup_done(go_waitgroup *wg)
{
    go_waitgroup_add(wg, -1);
}

/* --- waiting --- */

/* The counter is 0: waits until whoever brought it there needs wg no more. */
static void let_waker_finish(go_waitgroup *wg)
{
    uint64_t state = load_acq(state_of(wg)); /* acq: as in join */
    for (unsigned round = 0; counter_in(state) == 0 && (state & WAITERS) != 0; round++) {
        go__sync_pause(round);
        state = load_acq(state_of(wg));
    }
}

/* Locks the queue with WAITERS set, for the caller to add himself. False: the counter is 0, nothing is locked. */
static bool join(go_waitgroup *wg)
{
    uint64_t state = load_acq(state_of(wg)); /* acq: pairs with the adds that led to 0 */
    for (unsigned round = 0;;) {
        if (counter_in(state) == 0) {
            let_waker_finish(wg);
            return false;
        }
        if ((state & QUEUE) != 0) {
            go__sync_pause(round++);
            state = load_acq(state_of(wg));
            continue;
        }
        uint64_t run = (uint64_t)go__sync_run() << RUN_SHIFT;
        uint64_t next = (state & ~RUN_MASK) | run | QUEUE | WAITERS;
        if (cas_acqrel(state_of(wg), &state, next)) { /* acq: pairs with whoever dropped QUEUE */
            if (go__unlikely((state & RUN_MASK) != run)) {
                wg->private_first = NULL;
            }
            return true;
        }
    }
}

/* The wait ended by another cause. */
static void leave(go_waitgroup *wg, struct go__sudog *sg, uint32_t run)
{
    uint64_t state = lock_queue(wg);
    if (sg->queued && (state & RUN_MASK) == (uint64_t)run << RUN_SHIFT && run == go__sync_run()) {
        go__ring_remove(&wg->private_first, sg);
    }
    bool nobody = wg->private_first == NULL;
    uint64_t next;
    do { /* a counter of 0 with WAITERS: somebody is on his way to the queue, and WAITERS is his to clear */
        next = state & ~QUEUE;
        next = nobody && counter_in(state) != 0 ? next & ~WAITERS : next;
        state |= QUEUE;
    } while (!cas_acqrel(state_of(wg), &state, next)); /* rel: pairs with lock_queue */
    let_waker_finish(wg);
}

static int wait(go_waitgroup *wg, struct go__g *gp, struct go__sync_wait how)
{
    if (!join(wg)) {
        return 0;
    }
    struct go__sudog sg;
    uint32_t run = go__sync_run();
    sg.g = gp;
    sg.ticket = go__sync_ticket(gp, how, unlock_queue, wg);
    go__ring_push_last(&wg->private_first, &sg);
    int code = go__wait_park(gp, sg.ticket, how.deadline, unlock_queue, wg, GO__REASON_WAITGROUP_WAIT);
    if (go__unlikely(code < 0)) {
        leave(wg, &sg, run);
    }
    return code;
}

/* The counter is 0 and nobody waits. */
GO__INLINE bool over(go_waitgroup *wg)
{
    uint64_t state = load_acq(state_of(wg)); /* acq: pairs with the adds that led to 0 */
    return counter_in(state) == 0 && (state & WAITERS) == 0;
}

void go_waitgroup_wait(go_waitgroup *wg)
{
    go__known();
    if (!over(wg)) {
        (void)wait(wg, go__self(), go__sync_void);
    }
}

int go_waitgroup_wait_until(go_waitgroup *wg, int64_t deadline)
{
    struct go__g *gp = go__self();
    if (go__canceled(gp)) {
        return -ECANCELED;
    }
    struct go__sync_wait how = {deadline, false};
    return over(wg) ? 0 : wait(wg, gp, how);
}

/* --- goroutines that count --- */

struct member {
    go_waitgroup *wg;
    go_func fn;
    void *arg;
};

struct member_end {
    struct go__local local;
    go_waitgroup *wg;
};

static void member_ends(struct go__g *gp, struct go__local *local)
{
    go__local_remove(gp, local);
    go_waitgroup_done(go__container_of(local, struct member_end, local)->wg);
}

static void run_member(void *arg)
{
    struct member *member = arg;
    struct go__g *gp = go__self();
    struct member_end end;
    end.local.drop = member_ends;
    end.wg = member->wg;
    go__local_push(gp, &end.local); /* the first in, so the last out: the goroutine's values are destroyed before */
    member->fn(member->arg);
    go__locals_drop(gp);
}

void go_waitgroup_go(go_waitgroup *wg, go_func fn, void *arg)
{
    struct member member;
    member.wg = wg;
    member.fn = fn;
    member.arg = arg;
    go_waitgroup_add(wg, 1);
    int error = go__spawn_wrapped(run_member, fn, &member, sizeof member, __builtin_return_address(0));
    if (go__unlikely(error != 0)) {
        go__throw(error == -ESRCH    ? "go_waitgroup_go while no runtime runs"
                  : error == -EINVAL ? "go_waitgroup_go without a function"
                                     : "out of memory for a goroutine");
    }
}
