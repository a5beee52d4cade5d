/* Waiting with a deadline and under a bound context.
 *
 * A wait with a ticket needs no lock to be held while the goroutine leaves its stack: a cause that wins before that is met at
 * the claim word (park.h). So the caller's lock is dropped first, on the goroutine's own stack, and only then the deadline is
 * armed, which may allocate and enter the scheduler. */
#include "time/wait.h"

#include <errno.h>

#include "go/time.h"
#include "time/timer.h"

struct plain {
    void (*commit)(void *arg);
    void *arg;
};

struct timed {
    struct go__timer timer;
    struct go__g *gp;
    uint32_t ticket;
    bool fired; /* by the fire that won the claim, before it wakes gp */
};

static bool commit_plain(struct go__g *gp, void *arg)
{
    struct plain *p = arg;
    (void)gp;
    if (p->commit != NULL) {
        p->commit(p->arg); /* p is off limits afterwards: gp may be running */
    }
    return true;
}

static bool commit_ticket(struct go__g *gp, void *arg)
{
    return go__wait_parked(gp, *(const uint32_t *)arg); /* read before the ticket is parked: gp's stack is still there */
}

static int64_t deadline_passed(struct go__timer *t, int64_t now, struct go__g_list *ready)
{
    struct timed *w = go__container_of(t, struct timed, timer);
    struct go__g *gp = w->gp;
    uint32_t ticket = w->ticket;
    (void)now;
    if (go__claim(gp, ticket)) {
        w->fired = true;
        if (go__wake_prepare(gp, ticket, -ETIMEDOUT)) {
            go__g_list_push(ready, gp);
        }
    }
    return INT64_MAX;
}

/* What ends the wait before it began: 0 if nothing does. */
static int end_early(struct timed *w, int64_t deadline, bool ahead)
{
    /* sc: read after the ticket was opened [cancel-race]; the canceller stores err, then reads the ticket. */
    if (go__unlikely(w->gp->bound != NULL) && load_sc(&w->gp->bound->err) != 0) {
        return -ECANCELED;
    }
    if (deadline == INT64_MAX) {
        return 0;
    }
    if (!ahead && deadline <= go_now()) {
        return -ETIMEDOUT;
    }
    return go__timer_arm(&w->timer, deadline);
}

GO__INLINE int park_timed(struct go__g *gp, uint32_t ticket, int64_t deadline, bool ahead, void (*commit)(void *arg), void *arg,
                          enum go__reason reason)
{
    struct timed w;
    w.timer.fire = deadline_passed;
    store_rlx(&w.timer.heap, NULL); /* rlx: nobody else sees it yet */
    w.timer.index = 0;
    w.timer.wakes = gp;
    w.gp = gp;
    w.ticket = ticket;
    w.fired = false;
    if (commit != NULL) {
        commit(arg);
    }
    int code = end_early(&w, deadline, ahead);
    if (code == 0 || !go__claim(gp, ticket)) { /* a cause that was faster than our own decides */
        code = go__park(commit_ticket, &w.ticket, reason);
    }
    if (!w.fired && load_rlx(&w.timer.heap) != NULL) { /* rlx: armed by ourselves */
        (void)go__timer_disarm(&w.timer);
    }
    go__wait_end(gp, ticket);
    return code;
}

int go__wait_park(struct go__g *gp, uint32_t ticket, int64_t deadline, void (*commit)(void *arg), void *arg, enum go__reason reason)
{
    if (ticket == 0) {
        struct plain p;
        p.commit = commit;
        p.arg = arg;
        return go__park(commit_plain, &p, reason);
    }
    return park_timed(gp, ticket, deadline, false, commit, arg, reason);
}

int go__wait_sleep(struct go__g *gp, uint32_t ticket, int64_t deadline)
{
    return park_timed(gp, ticket, deadline, true, NULL, NULL, GO__REASON_SLEEP);
}
