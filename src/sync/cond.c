/* go_cond: a queue under a spin lock. Who waits joins the queue before it unlocks the mutex, so a signal that comes after the unlock
 * finds it; signals take from the front. */
#include "go/sync.h"

#include <errno.h>

#include "base/spinlock.h"
#include "sync/waiters.h"

_Static_assert(sizeof(go_cond) <= 24, "as promised");

struct held {
    go_cond *c;
    go_mutex *m;
};

GO__INLINE go__spinlock *lock_of(go_cond *c)
{
    return (go__spinlock *)(void *)&c->private_lock;
}

static void lock(go_cond *c)
{
    go__spin_lock(lock_of(c));
    uint32_t run = go__sync_run();
    if (go__unlikely(c->private_run != run)) {
        c->private_run = run;
        go__ring_set_first(&c->private_first, NULL);
    }
}

static void unlock_mutex(void *m)
{
    go_mutex_unlock(m);
}

/* The waiter cannot go on without the mutex: what it waits on stays until the mutex is unlocked. Whose stack this runs on, and how
 * much of it is left, is not known; waking the mutex's next owner takes a good part of a small one. */
static void unlock_both(void *arg)
{
    struct held held = *(struct held *)arg; /* it lies on the waiter's stack */
    go__spin_unlock(lock_of(held.c));
    go__system_call(unlock_mutex, held.m);
}

/* The caller locks the mutex again, which may take as much stack as the wait did. */
static GO__NOINLINE int wait(go_cond *c, go_mutex *m, struct go__g *gp, struct go__sync_wait how)
{
    struct go__sudog sg;
    struct held held;
    held.c = c;
    held.m = m;
    sg.g = gp;
    lock(c);
    uint32_t run = c->private_run;
    sg.ticket = go__sync_ticket(gp, how, unlock_both, &held);
    go__ring_push_last(&c->private_first, &sg);
    int code = go__wait_park(gp, sg.ticket, how.deadline, unlock_both, &held, GO__REASON_COND_WAIT);
    if (go__unlikely(code < 0)) {
        lock(c);
        if (sg.queued && c->private_run == run) {
            go__ring_remove(&c->private_first, &sg);
        }
        go__spin_unlock(lock_of(c));
    }
    return code;
}

void go_cond_wait(go_cond *c, go_mutex *m)
{
    (void)wait(c, m, go__self(), go__sync_void);
    go_mutex_lock(m);
}

int go_cond_wait_until(go_cond *c, go_mutex *m, int64_t deadline)
{
    struct go__g *gp = go__self();
    if (go__canceled(gp)) {
        return -ECANCELED;
    }
    struct go__sync_wait how = {deadline, false};
    int code = wait(c, m, gp, how);
    go_mutex_lock(m);
    return code;
}

/* Nobody waits, as far as the caller can know: who joined before a mutex was unlocked that the caller has locked since is seen. */
GO__INLINE bool nobody(go_cond *c)
{
    return go__ring_seems_empty(&c->private_first);
}

void go_cond_signal(go_cond *c)
{
    go__known();
    if (nobody(c)) {
        return;
    }
    lock(c);
    struct go__sudog *sg = go__ring_claim(&c->private_first);
    go__spin_unlock(lock_of(c)); /* from here on the object may be gone */
    if (sg != NULL) {
        go__wake(sg->g, sg->ticket, 0);
    }
}

void go_cond_broadcast(go_cond *c)
{
    go__known();
    if (nobody(c)) {
        return;
    }
    lock(c);
    struct go__sudog *list = go__ring_claim_all(&c->private_first);
    go__spin_unlock(lock_of(c)); /* as above */
    go__wake_all(list, 0);
}
