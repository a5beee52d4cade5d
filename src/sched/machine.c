#include "sched/machine.h"

#include <errno.h>
#include <stdlib.h>

#include "os/sanitize.h"
#include "os/thread.h"
#include "sched/edge.h"
#include "sched/hooks.h"
#include "sched/proc.h"
#include "sched/run.h"
#include "sched/world.h"
#include "stack/overflow.h"

/* Used: only assembly reads it, which link-time optimisation does not look into. */
__thread struct go__m *go__tls_m __attribute__((used, tls_model("initial-exec"), visibility("default")));

/* Present in programs that link a C++ run-time: the caught-exception words of the calling thread. */
extern void *__cxa_get_globals(void) __attribute__((weak));

static void attach(struct go__m *mp)
{
    mp->tid = go__thread_id();
    mp->limit_address = go__limit_address();
    mp->cxa = __cxa_get_globals != NULL ? (void **)__cxa_get_globals() : NULL;
    mp->overflow = go__overflow_thread_init();
    store_rlx(&mp->inside, 1u); /* rlx: a started thread has it set before its p; go_run's own has no p */
    go__san_native(&mp->g0buf);
    go__m_set(mp);
    go__edge_thread_started(mp);
}

static void detach(struct go__m *mp)
{
    go__seg_cache_drain(&mp->segs);
    go__overflow_thread_exit(mp->overflow);
    go__m_set(NULL);
}

static void orphan_over(struct go__m *mp)
{
    mp->segs = (struct go__seg_cache){0}; /* not to be waited for: they go with the depots, like its stack */
    detach(mp);
    go__leftover_release(mp->leftover);
    free(mp);
    (void)sub_acqrel(&go__orphans, 1u); /* rel: pairs with stacks_over */
}

/* sched.lock held. Gives back what is counted or queued under mp's name. */
static void settle(struct go__m *mp)
{
    mp->p = NULL;
    go__world_forget(mp, false);
    if (mp->lost_p) {
        mp->lost_p = false;
        go__sched.lost--;
    }
    if (mp->hog) {
        mp->hog = false;
        go__sched.hogs--;
    }
}

/* The thread's last words: whoever joins may free mp and everything else afterwards. */
static void machine_over(struct go__m *mp)
{
    go__futex_lock(&go__sched.lock);
    bool orphan = load_rlx(&mp->claim) == GO__CLAIM_ORPHAN; /* rlx: written under the lock; if so nobody else knows mp */
    if (!orphan) {
        mp->ending = true;
        settle(mp);
    }
    go__futex_unlock(&go__sched.lock);
    if (orphan) {
        orphan_over(mp);
        return;
    }
    detach(mp);
    go__futex_lock(&go__sched.lock);
    mp->gone = true;
    go__sched.m_count--;
    go__futex_unlock(&go__sched.lock);
}

static void *machine_main(void *arg)
{
    struct go__m *mp = arg;
    attach(mp);
    go__futex_lock(&go__sched.lock); /* the starter has made everything ready */
    mp->p = mp->next_p;
    mp->next_p = NULL;
    go__futex_unlock(&go__sched.lock);
    go__m_loop(mp);
    machine_over(mp);
    return NULL;
}

int go__machine_start(struct go__p *pp, bool spinning)
{
    if (load_acq(&go__sched.stopping) == 0) { /* at the end of a run somebody may be about to wake a thread that is over */
        go__machines_join(false);
    }
    struct go__m *mp = aligned_alloc(GO__CACHELINE, (sizeof *mp + GO__CACHELINE - 1) / GO__CACHELINE * GO__CACHELINE);
    if (mp == NULL) {
        return -ENOMEM;
    }
    *mp = (struct go__m){
        .inside = 1, .spinning = spinning, .woken_from = -1}; /* on its g0 side from the start: its p is not to be claimed */
    go__futex_lock(&go__sched.lock);
    /* rlx: go_run's thread counts ms under the lock, after the run is over, and would miss one more. */
    int error = load_rlx(&go__sched.stopping) != 0 ? -ECANCELED : go__sched.m_count >= go__sched.max_threads ? -EAGAIN : 0;
    if (error != 0) {
        go__futex_unlock(&go__sched.lock);
        free(mp);
        return error;
    }
    go__sched.m_count++;
    go__p_assign(pp, mp);
    /* Under the lock: who joins finds mp->thread set. */
    error = go__thread_start(&mp->thread, machine_main, mp);
    if (error == 0) {
        mp->all_link = go__sched.all_m;
        go__sched.all_m = mp;
    } else {
        go__sched.m_count--;
        pp->m = NULL; /* sysmon may look at a p at any time, and mp goes */
    }
    go__futex_unlock(&go__sched.lock);
    if (error != 0) {
        free(mp);
    }
    return error;
}

/* Unlinks one m whose thread is over (or, with `all`, any); NULL if there is none. */
static struct go__m *take_one(bool all)
{
    go__futex_lock(&go__sched.lock);
    if (!all && load_rlx(&go__sched.stopping) != 0) { /* somebody may be about to wake a thread that is over */
        go__futex_unlock(&go__sched.lock);
        return NULL;
    }
    struct go__m **link = &go__sched.all_m;
    while (*link != NULL && !((*link)->gone || all)) {
        link = &(*link)->all_link;
    }
    struct go__m *mp = *link;
    if (mp != NULL) {
        *link = mp->all_link;
        go__world_forget(mp, false); /* a waker may have brought a p to a thread that was over already */
    }
    go__futex_unlock(&go__sched.lock);
    return mp;
}

void go__machines_join(bool all)
{
    struct go__m *mp;
    while ((mp = take_one(all)) != NULL) {
        (void)pthread_join(mp->thread, NULL);
        free(mp);
    }
}
