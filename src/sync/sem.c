/* go_sem: permits and a queue under a spin lock. Permits go to the front of the queue as long as there are enough for it; so a large
 * request is not overtaken, and whoever is woken has its permits. */
#include "go/sync.h"

#include <errno.h>

#include "base/spinlock.h"
#include "sync/waiters.h"

_Static_assert(sizeof(go_sem) == 32, "as promised");

GO__INLINE go__spinlock *lock_of(go_sem *s)
{
    return (go__spinlock *)(void *)&s->private_lock;
}

GO__INLINE void lock(go_sem *s)
{
    go__spin_lock(lock_of(s));
}

/* Locked, before the queue is used. */
static uint32_t refresh(go_sem *s)
{
    uint32_t run = go__sync_run();
    if (go__unlikely(s->private_run != run)) {
        s->private_run = run;
        s->private_first = NULL;
    }
    return run;
}

static void unlock(void *arg)
{
    go_sem *s = arg;
    go__spin_unlock(lock_of(s));
}

void go_sem_init(go_sem *s, int64_t permits)
{
    if (permits < 0) {
        go__throw("go_sem_init with a negative number of permits");
    }
    go__known();
    s->private_lock = 0;
    s->private_run = 0;
    s->private_first = NULL;
    s->private_free = s->private_total = permits;
}

/* Locked. Serves the front of the queue; the caller completes the wake-ups when it has unlocked. */
static struct go__sudog *serve(go_sem *s)
{
    struct go__sudog *head = NULL, **link = &head;
    while (s->private_first != NULL && s->private_first->amount <= s->private_free) {
        struct go__sudog *sg = s->private_first;
        go__ring_remove(&s->private_first, sg);
        if (go__claim(sg->g, sg->ticket)) {
            s->private_free -= sg->amount;
            *link = sg;
            link = &sg->next;
        }
    }
    *link = NULL;
    return head;
}

/* Locked: takes n permits if that does not overtake anybody. */
GO__INLINE bool take(go_sem *s, int64_t n)
{
    if (s->private_free < n) {
        return false;
    }
    if (go__unlikely(s->private_first != NULL)) {
        (void)refresh(s);
        if (s->private_first != NULL) {
            return false;
        }
    }
    s->private_free -= n;
    return true;
}

/* Locked, dropped on return. */
static GO__NOINLINE int wait(go_sem *s, struct go__g *gp, int64_t n, int64_t deadline)
{
    struct go__sudog sg;
    uint32_t run = refresh(s);
    struct go__sync_wait how = {deadline, false};
    sg.g = gp;
    sg.amount = n;
    sg.ticket = go__sync_ticket(gp, how, unlock, s);
    go__ring_push_last(&s->private_first, &sg);
    int code = go__wait_park(gp, sg.ticket, deadline, unlock, s, GO__REASON_SEMAPHORE_ACQUIRE);
    if (go__likely(code == 0)) {
        return 0;
    }
    lock(s);
    (void)refresh(s);
    if (sg.queued && s->private_run == run) {
        go__ring_remove(&s->private_first, &sg);
    }
    struct go__sudog *list = serve(s); /* it may have been in the way of smaller ones */
    unlock(s);
    go__wake_all(list, 0);
    return code;
}

int go_sem_acquire_until(go_sem *s, int64_t n, int64_t deadline)
{
    if (n < 0 || n > s->private_total) { /* constant since init */
        return -EINVAL;
    }
    struct go__g *gp = go__self();
    if (go__canceled(gp)) {
        return -ECANCELED;
    }
    if (n == 0) {
        return 0;
    }
    lock(s);
    if (go__likely(take(s, n))) {
        unlock(s);
        return 0;
    }
    return wait(s, gp, n, deadline);
}

int go_sem_acquire(go_sem *s, int64_t n)
{
    return go_sem_acquire_until(s, n, INT64_MAX);
}

bool go_sem_try_acquire(go_sem *s, int64_t n)
{
    if (n <= 0 || n > s->private_total) {
        return n == 0;
    }
    go__sync_known();
    lock(s);
    bool taken = take(s, n);
    unlock(s);
    return taken;
}

void go_sem_release(go_sem *s, int64_t n)
{
    go__known();
    lock(s);
    if (n < 0 || n > s->private_total - s->private_free) {
        unlock(s);
        go__throw(n < 0 ? "go_sem_release of a negative number" : "semaphore released more than was taken");
    }
    s->private_free += n;
    struct go__sudog *list = NULL;
    if (go__unlikely(s->private_first != NULL)) {
        (void)refresh(s);
        list = serve(s);
    }
    unlock(s); /* from here on the object may be gone */
    if (list != NULL) {
        go__wake_all(list, 0);
    }
}
