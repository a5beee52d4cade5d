#include "sched/blocking.h"

#include "arch/morestack.h"
#include "go/run.h"
#include "os/fatal.h"
#include "sched/proc.h"
#include "sched/switch.h"

bool go__claim_p(struct go__p *pp)
{
    struct go__m *mp = pp->m;
    if (mp == NULL || load_acq(&mp->claim) != GO__CLAIM_NONE) { /* acq: pairs with the owner's store of NONE */
        return false;
    }
    store_rlx(&mp->claim, (uint32_t)GO__CLAIM_ASKED); /* rlx + heavy barrier: [claim-race] */
    go__barrier_heavy();
    if (load_acq(&mp->inside) != 0) { /* acq: pairs with go__leave: its p-local writes are visible */
        store_rel(&mp->claim, (uint32_t)GO__CLAIM_NONE);
        return false;
    }
    store_rel(&mp->claim, (uint32_t)GO__CLAIM_TAKEN);
    pp->m = NULL;
    mp->lost_p = true;
    go__sched.lost++;
    return true;
}

struct go__p *go__detach_p(struct go__m *mp)
{
    struct go__p *pp = mp->p;
    store_rel(&mp->claim, (uint32_t)GO__CLAIM_TAKEN);
    mp->p = NULL;
    pp->m = NULL;
    mp->lost_p = true;
    go__sched.lost++;
    return pp;
}

void go__count_found(struct go__m *mp)
{
    mp->blocked = false;
    if (mp->lost_p) {
        mp->lost_p = false;
        go__sched.lost--;
    }
    if (mp->hog) {
        mp->hog = false;
        go__sched.hogs--;
    }
}

/* The thread's own p is gone: gets another one. sched.lock held, dropped on return. */
static void wait_for_p(struct go__m *mp)
{
    struct go__g *gp = mp->curg;
    struct go__p *pp = go__idle_p_pop();
    go__count_found(mp);
    if (pp == NULL) {
        go__note_clear(&mp->note);
        go__sched.waiting++;
        gp->tied = 1;
        gp->lockedm = mp;
        store_rlx(&gp->status, (uint32_t)GO__G_RUNNABLE); /* rlx: published by the lock */
        go__global_push(gp);
        go__futex_unlock(&go__sched.lock);
        go__note_sleep(&mp->note);
        go__note_clear(&mp->note); /* a goroutine locked to this thread sleeps on it next */
        go__futex_lock(&go__sched.lock);
        pp = mp->next_p;
        mp->next_p = NULL;
        /* rlx: under the lock. A p that was brought is settled when the thread ends, if the run is still its own. */
        if (pp == NULL || load_rlx(&go__sched.stopping) != 0 || load_rlx(&mp->claim) == GO__CLAIM_ORPHAN) {
            mp->p = pp;
            go__futex_unlock(&go__sched.lock);
            go__abandon(mp);
        }
        go__sched.waiting--;
        if (gp->lock_count == 0) {
            gp->tied = 0;
            gp->lockedm = NULL;
        }
        store_rlx(&gp->status, (uint32_t)GO__G_RUNNING); /* rlx: ours */
    }
    pp->m = mp;
    mp->p = pp;
    go__count_switch(pp); /* to sysmon the time counts from here on */
    go__count_slice(pp);
    store_rlx(&pp->preempt, 0u); /* rlx: it was meant for the one before */
    store_rlx(&mp->inside, 1u);
    store_rel(&mp->claim, (uint32_t)GO__CLAIM_NONE); /* rel: inside first, so that the next claimer sees it */
    go__futex_unlock(&go__sched.lock);
}

GO__NOINLINE void go__die_forked(void)
{
    go__fatal("goco call in a forked child: it may only exec or _exit (use posix_spawn)");
}

GO__NOINLINE void go__enter_slow(struct go__m *mp)
{
    for (;;) {
        /* acq: pairs with the stores in go__claim_p and at the end of the run. */
        uint32_t claim = load_acq(&mp->claim);
        if (claim == GO__CLAIM_NONE) {
            return;
        }
        if (claim == GO__CLAIM_FORKED) {
            go__die_forked();
        }
        if (claim == GO__CLAIM_ORPHAN) {
            go__abandon(mp);
        }
        store_rel(&mp->inside, 0u);
        go__futex_lock(&go__sched.lock); /* a claimer holds it while it asks */
        claim = load_rlx(&mp->claim);    /* rlx: the lock orders it */
        if (claim == GO__CLAIM_TAKEN) {
            mp->p = NULL;
            if (load_rlx(&go__sched.stopping) != 0) {
                go__futex_unlock(&go__sched.lock);
                go__abandon(mp);
            }
            wait_for_p(mp);
            return;
        }
        go__futex_unlock(&go__sched.lock);
        store_rlx(&mp->inside, 1u); /* rlx + light barrier: [claim-race] */
        go__barrier_light();
    }
}

GO__NOINLINE void go__enter_parking_slow(struct go__m *mp)
{
    for (;;) {
        uint32_t claim = load_acq(&mp->claim); /* acq: as in go__enter_slow */
        if (claim == GO__CLAIM_NONE) {
            return;
        }
        if (claim == GO__CLAIM_FORKED) {
            go__die_forked();
        }
        if (claim == GO__CLAIM_ORPHAN) {
            mp->p = NULL;
            mp->locked_g = NULL;          /* the thread ends when the commit has run */
            mp->lost_p = mp->hog = false; /* counted in a run that is over */
            return;
        }
        store_rel(&mp->inside, 0u);
        go__futex_lock(&go__sched.lock);               /* a claimer holds it while it asks */
        if (load_rlx(&mp->claim) == GO__CLAIM_TAKEN) { /* rlx: the lock orders it */
            mp->p = NULL; /* counted as lost until the commit has run: it may find its goroutine woken already, go__m_loop */
            store_rlx(&mp->inside, 1u);
            store_rel(&mp->claim, (uint32_t)GO__CLAIM_NONE); /* rel: inside first, so that the next claimer sees it */
            go__futex_unlock(&go__sched.lock);
            return;
        }
        go__futex_unlock(&go__sched.lock);
        store_rlx(&mp->inside, 1u); /* rlx + light barrier: [claim-race] */
        go__barrier_light();
    }
}

void go__abandon(struct go__m *mp)
{
    struct go__g *gp = mp->curg;
    mp->abandoned = true;
    store_rlx(&gp->status, (uint32_t)GO__G_DEAD); /* rlx: ours. The end of the run drops what it has bound: it executes no more */
    mp->curg = NULL;
    mp->after = NULL;
    go__edge_run_release();
    go__san_switch_start(&gp->buf, &mp->g0buf, true);
    go__switch(&gp->buf, &mp->g0buf);
    __builtin_unreachable();
}

/* Split code's check failed because sysmon poisoned the limit word: others wait for this p. It goes to another thread, and the
 * goroutine waits for one on its own, so that what it keeps per thread stays true. */
void go__preempt_check(void)
{
    struct go__m *mp = go__m();
    if (mp->blocked) { /* a poison from before go_block_begin: to enter would be to wait for a p, and to keep it */
        return;
    }
    mp = go__enter();
    struct go__p *pp = mp->p;
    if (load_rlx(&pp->preempt) == 0) { /* rlx: a late or stale poison */
        go__leave(mp);
        return;
    }
    store_rlx(&pp->preempt, 0u);
    store_rlx(&pp->preemptions, load_rlx(&pp->preemptions) + 1);
    go__futex_lock(&go__sched.lock);
    go__runq_release(pp); /* the goroutine queues behind what it has started */
    (void)go__detach_p(mp);
    go__futex_unlock(&go__sched.lock);
    go__handoff(pp); /* inside: the end of the run waits */
    store_rel(&mp->inside, 0u);
    mp = go__enter();
    go__leave(mp);
}

void go_block_begin(void)
{
    struct go__m *mp = go__m();
    if (mp == NULL || mp->curg->block_depth++ > 0) {
        return; /* a foreign thread blocks nobody */
    }
    mp = go__enter();
    mp->blocked = true;
    go__futex_lock(&go__sched.lock);
    struct go__p *pp = go__detach_p(mp);
    go__futex_unlock(&go__sched.lock);
    store_rlx(&pp->handoffs, load_rlx(&pp->handoffs) + 1); /* rlx: the p is ours */
    go__handoff(pp);                                       /* inside: the end of the run waits */
    store_rel(&mp->inside, 0u);
}

void go_block_end(void)
{
    struct go__m *mp = go__m();
    if (mp == NULL) {
        return;
    }
    struct go__g *gp = mp->curg;
    if (gp->block_depth == 0) {
        go__throw("go_block_end without go_block_begin");
    }
    if (--gp->block_depth == 0) { /* a goco call in between may have brought a p already */
        mp = go__enter();
        go__leave(mp);
    }
}

void go__blocking_call(void (*fn)(void *arg), void *arg)
{
    go_block_begin();
    go__system_call(fn, arg);
    go_block_end();
}

void go_lock_thread(void)
{
    struct go__m *mp = go__m();
    if (mp == NULL) {
        return; /* a foreign thread is nothing but itself */
    }
    mp = go__enter();
    struct go__g *gp = mp->curg;
    if (gp->lock_count++ == 0) {
        gp->tied = 1;
        gp->lockedm = mp;
        go__note_clear(&mp->note); /* wait_for_locked sleeps on it */
        mp->locked_g = gp;
    }
    go__leave(mp);
}

void go_unlock_thread(void)
{
    struct go__m *mp = go__m();
    if (mp == NULL) {
        return;
    }
    mp = go__enter();
    struct go__g *gp = mp->curg;
    if (gp->lock_count == 0) {
        go__throw("go_unlock_thread without go_lock_thread");
    }
    if (--gp->lock_count == 0) {
        gp->tied = 0;
        gp->lockedm = NULL;
        mp->locked_g = NULL;
    }
    go__leave(mp);
}
