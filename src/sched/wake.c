/* Giving ps to threads: the idle lists, waking, new threads, handing over. */
#include <errno.h>
#include <stdlib.h>

#include "os/clock.h"
#include "os/fatal.h"
#include "os/thread.h"
#include "sched/hooks.h"
#include "sched/machine.h"
#include "sched/proc.h"

#define STALLED_NS INT64_C(1000000000)

struct go__p *go__idle_p_pop(void)
{
    struct go__p *pp = go__sched.idle_p;
    /* rlx: world_stopped is written under the lock; stopping may be seen late, go__machine_start looks again */
    if (pp == NULL || load_rlx(&go__sched.world_stopped) != 0 || load_rlx(&go__sched.stopping) != 0) {
        return NULL;
    }
    go__sched.idle_p = pp->idle_link;
    pp->idle_link = NULL;
    store_rlx(&pp->status, (uint32_t)GO__P_RUNNING);
    /* rlx: written under the lock; readers outside follow [idle-race] */
    store_rlx(&go__sched.idle_p_count, load_rlx(&go__sched.idle_p_count) - 1);
    if (load_rlx(&go__sched.sysmon_asleep) != 0) { /* rlx: written under the lock */
        store_rlx(&go__sched.sysmon_asleep, 0u);
        go__note_wake(&go__sched.sysmon_note);
    }
    return pp;
}

void go__global_push(struct go__g *gp)
{
    go__g_list_push(&go__sched.global, gp);
    store_rlx(&go__sched.global_count, go__sched.global.count); /* rlx: hint; idlers look under the lock */
}

/* sched.lock held, pp is the caller's: what nobody else would find in it goes to the global queue. */
static void release_hidden(struct go__p *pp)
{
    go__runq_release(pp);
    while (go__runq_hides(pp)) {
        struct go__g *gp = load_rlx(&pp->runnext); /* rlx: the p is ours */
        if (gp != NULL) {
            store_rlx(&pp->runnext, NULL);
        } else {
            gp = go__own_get(pp);
        }
        go__global_push(gp);
    }
}

void go__idle_p_push(struct go__p *pp)
{
    release_hidden(pp); /* thieves see the ring of an idle p and nothing else */
    pp->idle_link = go__sched.idle_p;
    go__sched.idle_p = pp;
    store_rlx(&pp->status, (uint32_t)GO__P_IDLE);
    store_rlx(&go__sched.idle_p_count, load_rlx(&go__sched.idle_p_count) + 1);
}

void go__p_assign(struct go__p *pp, struct go__m *mp)
{
    pp->m = mp;
    mp->next_p = pp;
}

static struct go__m *idle_m_pop(void)
{
    struct go__m *mp = go__sched.idle_m;
    if (mp != NULL) {
        go__sched.idle_m = mp->idle_link;
        mp->idle_link = NULL;
        go__sched.m_idle--;
    }
    return mp;
}

/* sched.lock held. Every thread sleeps until somebody brings it a p, or a goroutine that is tied to it, and nobody is left to do so but one
 * that cannot be started. */
static bool nobody_runs(void)
{
    return load_rlx(&go__sched.idle_p_count) == (uint32_t)go__sched.procs && go__sched.lost == 0 && go__sched.idle_m == NULL &&
           load_rlx(&go__sched.polling) == 0; /* rlx: it is asked for a whole second */
}

/* sched.lock held. Goroutines that could run have had no thread for a second, during which sysmon asked every 10 ms at least. */
static bool stalled(void)
{
    uint64_t switches = 0;
    for (int i = 0; i < load_acq(&go__sched.all_p_count); i++) {
        switches += load_rlx(&go__sched.all_p[i]->switches);
    }
    int64_t now = go__clock_now();
    if (!nobody_runs() || go__sched.stalled_since == 0 || switches != go__sched.stalled_switches) {
        go__sched.stalled_since = nobody_runs() ? now : 0;
        go__sched.stalled_switches = switches;
    }
    return go__sched.stalled_since != 0 && now - go__sched.stalled_since > STALLED_NS;
}

/* sched.lock held. Out of the global queue: a goroutine whose own thread waits for a p. */
static struct go__g *waiting_get(void)
{
    struct go__g_list *global = &go__sched.global;
    struct go__g *before = NULL, *gp = go__sched.waiting != 0 ? global->head : NULL;
    while (gp != NULL && !gp->tied) {
        before = gp;
        gp = go__g_list_next(gp);
    }
    if (gp != NULL) {
        struct go__g *after = go__g_list_next(gp);
        *(before != NULL ? &before->link : &global->head) = after;
        global->tail = after != NULL ? global->tail : before;
        global->count--;
        store_rlx(&go__sched.global_count, global->count); /* rlx: hint; idlers look under the lock */
    }
    return gp;
}

/* No thread could be had. One that waits for a p for its own goroutine can use it; else the p waits for the next occasion, which sysmon
 * makes sure of. */
static void start_failed(struct go__p *pp, bool spinning, int error)
{
    if (spinning) {
        (void)sub_sc(&go__sched.spinning, 1u);
    }
    go__futex_lock(&go__sched.lock);
    struct go__g *gp;
    while ((gp = go__runq_get(pp)) != NULL) {
        go__global_push(gp);
    }
    release_hidden(pp);
    gp = load_rlx(&go__sched.stopping) == 0 ? waiting_get() : NULL; /* rlx: under the lock */
    if (gp != NULL) {
        struct go__m *target = gp->lockedm;
        go__p_assign(pp, target);
        go__futex_unlock(&go__sched.lock);
        go__note_wake(&target->note);
        return;
    }
    pp->m = NULL;
    go__idle_p_push(pp);
    bool over = error != -ECANCELED && stalled();
    bool tell = !go__sched.thread_limit_told && error != -ECANCELED; /* the run is over */
    go__sched.thread_limit_told |= tell;
    uint32_t threads = go__sched.m_count;
    go__futex_unlock(&go__sched.lock);
    if (tell) {
        go__warn("%u threads and no more to be had (error %d, max_threads %u): goroutines wait for one that blocks", threads,
                 -error, (unsigned)go__sched.max_threads);
    }
    if (over) {
        go__fatal("no thread to be had for goroutines that could run (error %d, %u threads, max_threads %u)", -error, threads,
                  (unsigned)go__sched.max_threads);
    }
}

struct start {
    struct go__p *pp;
    bool spinning;
};

/* On a native stack. */
static void start(void *arg)
{
    struct start *s = arg;
    go__futex_lock(&go__sched.lock);
    struct go__m *mp = idle_m_pop();
    if (mp != NULL) {
        go__p_assign(s->pp, mp);
        mp->spinning = s->spinning;
        mp->woken_from = go__thread_cpu();
        go__futex_unlock(&go__sched.lock);
        store_rlx(&s->pp->wakeups, load_rlx(&s->pp->wakeups) + 1);
        go__note_wake(&mp->note);
        return;
    }
    go__futex_unlock(&go__sched.lock);
    int error = go__machine_start(s->pp, s->spinning);
    if (error != 0) {
        start_failed(s->pp, s->spinning, error);
    }
}

/* sched.lock held, before a p goes to m_start, which undoes it: the end of the run waits for whoever brings an m a p and is no m
 * itself, foreign threads and sysmon. Both could be gone before they are woken. */
static void count_waker(void)
{
    if (go__m() == NULL) {
        go__sched.wakers++;
    }
}

/* Whoever readies a goroutine may get here from the end of a small stack. */
static void m_start(struct go__p *pp, bool spinning)
{
    struct start s;
    s.pp = pp;
    s.spinning = spinning;
    go__system_call(start, &s);
    if (go__m() == NULL) {
        go__futex_lock(&go__sched.lock);
        go__sched.wakers--;
        go__futex_unlock(&go__sched.lock);
    }
}

bool go__idle_p_start(void)
{
    go__futex_lock(&go__sched.lock);
    struct go__p *pp = go__idle_p_pop();
    if (pp != NULL) {
        count_waker();
    }
    go__futex_unlock(&go__sched.lock);
    if (pp != NULL) {
        m_start(pp, false);
    }
    return pp != NULL;
}

GO__NOINLINE void go__wakep(void)
{
    if (load_rlx(&go__sched.spinning) != 0) { /* rlx: at the end of [idle-race] */
        return;
    }
    go__futex_lock(&go__sched.lock); /* first: a foreign thread may come when the run is over and the next one begins */
    uint32_t nobody = 0;
    struct go__p *pp = NULL;
    if (cas_sc(&go__sched.spinning, &nobody, 1u)) { /* sc: at most one wake-up at a time; part of [idle-race] */
        pp = go__idle_p_pop();
        if (pp == NULL) {
            (void)sub_sc(&go__sched.spinning, 1u); /* before a p can become idle, whose m would leave the search to us */
        }
    }
    if (pp == NULL) {
        go__futex_unlock(&go__sched.lock);
        return;
    }
    if (go__sched.idle_m == NULL && load_sc(&go__sched.polling) != 0) {
        /* The sleeper in the poller is a thread too: it takes an idle p when it comes back. */
        go__idle_p_push(pp);
        (void)sub_sc(&go__sched.spinning, 1u);
        store_rlx(&go__sched.poller_wanted, 1u); /* rlx: the break orders it */
        go__futex_unlock(&go__sched.lock);
        go__netpoll_break();
        return;
    }
    count_waker();
    go__futex_unlock(&go__sched.lock);
    m_start(pp, true);
}

void go__handoff(struct go__p *pp)
{
    bool work = go__runq_length(pp) != 0 || go__runq_hides(pp) || load_rlx(&go__sched.global_count) != 0 || go__unwatched();
    go__futex_lock(&go__sched.lock);
    work = work || go__sched.global.count != 0;
    if (work) {
        count_waker();
    } else {
        go__idle_p_push(pp);
    }
    go__futex_unlock(&go__sched.lock);
    if (work) {
        m_start(pp, false);
        return;
    }
    /* [idle-race]: the p is idle, now look at every queue, for those who queued while no p was idle woke nobody; and read poll_until: the
     * sleeper in the poller stores it, then looks for idle ps. */
    fence_sc();
    if (load_rlx(&go__sched.spinning) == 0 && go__work_waits()) {
        go__wakep();
    }
    if (go__timers_earliest() < load_sc(&go__sched.poll_until)) { /* foreign threads arm in a heap whose p is on its way */
        go__netpoll_break();
    }
}

struct go__timers *go__timers_current(void)
{
    struct go__m *mp = go__m();
    if (mp == NULL) {
        return load_acq(&go__timers_outside); /* all_p goes with the run, while we may be on our way here */
    }
    if (mp->curg == NULL) {
        return mp->p != NULL ? mp->p->timers : go__sched.all_p[0]->timers;
    }
    mp = go__enter();
    struct go__timers *timers = mp->p->timers;
    go__leave(mp);
    return timers;
}

/* A running p looks at its timers itself. Somebody must be told only if the heap's p may be idle: the arm comes from outside, or the
 * timer was armed on another p and is brought forward, or we have lost our p since. */
void go__timers_armed(struct go__timers *heap, int64_t when)
{
    struct go__m *mp = go__m();
    if (mp != NULL &&
        load_acq(&mp->claim) == GO__CLAIM_ORPHAN) { /* acq: as in go__global_put; its heap is that of a run that is over */
        return;
    }
    go__barrier_light(); /* [claim-race]: timer_next is published; who takes our p looks at it after the heavy one */
    if (mp != NULL && load_acq(&mp->claim) == GO__CLAIM_NONE && mp->p != NULL && mp->p->timers == heap) {
        return; /* only we write mp->p, and as long as nobody has claimed it, it is ours */
    }
    fence_sc(); /* sc throughout: timer_next was published before; the poller stores poll_until, then reads timer_next */
    if (load_sc(&go__sched.polling) != 0) {
        if (when < load_sc(&go__sched.poll_until)) {
            go__netpoll_break();
        }
        return;
    }
    (void)go__idle_p_start();
}
