/* The g0 side: schedule, find work, go idle. The design and its one dangerous race are told in proc.h. */
#include "sched/proc.h"

#include "os/clock.h"
#include "os/thread.h"
#include "sched/hooks.h"
#include "sched/steal.h"
#include "sched/switch.h"
#include "sched/world.h"

#define WATCH_LOOPS       40    /* looks for new work, about a microsecond apart, before a spinner gives up */
#define POLL_INTERVAL_NS  20000 /* a busy p looks at the network this often */
#define READY_LIMIT_MAX   65535u
#define IDLE_THREADS_KEPT 8

/* --- queueing, with the wake-up rule of the submitting side --- */

GO__NOINLINE void go__share(struct go__p *pp)
{
    if (load_rlx(&pp->tail) - load_rlx(&pp->head) >= GO__OWN_LONG) { /* rlx: tail is ours, head a hint */
        return;                                                      /* thieves see enough, the rest may wait in the list */
    }
    go__runq_publish(pp);
    fence_sc(); /* [idle-race]: the work is published, now look for sleepers */
    if (load_rlx(&go__sched.idle_p_count) != 0 && load_rlx(&go__sched.spinning) == 0) {
        go__wakep();
    }
}

void go__put_next(struct go__p *pp, struct go__g *gp)
{
    struct go__g *before = load_rlx(&pp->runnext); /* rlx: ours, others only look */
    store_rlx(&pp->runnext, gp);
    if (before != NULL) {
        go__put_last(pp, before);
        return;
    }
    if (go__likely(load_rlx(&go__sched.idle_p_count) == 0)) {
        return;
    }
    /* Alone in runnext: gp runs here in a moment, most likely. A thread is woken for it at intervals that grow, until one was needed:
     * then the interval in progress is cut short, too. rlx throughout: heuristic. */
    uint32_t limit = load_rlx(&pp->ready_limit);
    if (pp->ready_skip > limit) {
        pp->ready_skip = limit;
    }
    if (pp->ready_skip > 0) {
        pp->ready_skip--;
    } else if (load_rlx(&go__sched.spinning) == 0) {
        pp->ready_skip = limit;
        store_rlx(&pp->ready_limit, limit < READY_LIMIT_MAX ? limit * 4 + 3 : limit);
        go__wakep();
    }
}

/* The calling thread's run is over. Goroutines of that run nobody runs any more; those that it has met in the queue of what the next run
 * knows too have been woken, like others. sysmon finds them a thread: this one is none that the end of that run waits for. */
static GO__NOINLINE void orphan_put(struct go__g_list *list)
{
    go__futex_lock(&go__sched.lock);
    struct go__g *gp = list->head;
    while (gp != NULL) {
        struct go__g *next = go__g_list_next(gp);
        if (go__g_of_this_run(gp)) {
            go__global_push(gp);
        }
        gp = next;
    }
    go__futex_unlock(&go__sched.lock);
    *list = (struct go__g_list){0};
    go__note_wake(&go__sched.sysmon_note);
}

void go__global_put(struct go__g_list *list)
{
    if (go__unlikely(go__is_orphan(go__m()))) {
        orphan_put(list);
        return;
    }
    go__futex_lock(&go__sched.lock);
    struct go__g_list *global = &go__sched.global;
    go__g_list_append(global, list);
    store_rlx(&go__sched.global_count, global->count); /* rlx: hint; idlers look under the lock */
    bool idle = load_rlx(&go__sched.idle_p_count) != 0;
    go__futex_unlock(&go__sched.lock);
    list->head = list->tail = NULL;
    list->count = 0;
    if (idle) {
        go__wakep();
    }
}

/* --- sources of work, on the g0 side --- */

/* A fair share of the global queue: one to run, the rest into the own list, shared at the next decision. */
static struct go__g *global_get(struct go__p *pp, uint32_t most)
{
    if (load_rlx(&go__sched.global_count) == 0) { /* rlx: hint; going idle looks again under the lock */
        return NULL;
    }
    go__futex_lock(&go__sched.lock);
    struct go__g_list *global = &go__sched.global;
    uint32_t n = global->count / (uint32_t)go__sched.procs + 1;
    n = n < most ? n : most;
    struct go__g *first = NULL;
    while (n-- > 0 && global->head != NULL) {
        struct go__g *gp = global->head;
        struct go__g *rest = go__g_list_next(gp);
        go__prefetch_write(go__guess(gp, rest, GO__LINKS_AHEAD));
        global->head = rest;
        global->tail = rest == NULL ? NULL : global->tail;
        global->count--;
        if (first == NULL) {
            first = gp;
        } else {
            go__own_put(pp, gp);
        }
    }
    store_rlx(&go__sched.global_count, global->count);
    go__futex_unlock(&go__sched.lock);
    return first;
}

void go__run_timers(struct go__p *pp, int64_t now)
{
    if (load_rlx(&pp->timer_next) <= now) { /* rlx: hint; the heap is looked at under its lock */
        (void)go__timers_run(pp, now);
    }
}

/* Those of all ps: the timers that ended a sleep may be in the heap of a p whose thread has been woken and has no CPU yet. Whoever slept
 * would find them due again and again until it has. */
void go__run_due_timers(int64_t now)
{
    for (int i = 0; i < go__sched.procs; i++) {
        go__run_timers(go__sched.all_p[i], now);
    }
}

/* One look at the network without waiting; the goroutines go to the caller's ring. */
static void poll_now(struct go__p *pp, int64_t now)
{
    if (!go__netpoll_has_waiters()) {
        return;
    }
    struct go__g_list ready = {0};
    store_rlx(&go__sched.last_poll, now); /* rlx: heuristic */
    go__netpoll(0, &ready);
    store_rlx(&pp->polls, load_rlx(&pp->polls) + 1);
    go__ready_list(&ready);
}

void go__poll_at_intervals(struct go__p *pp, int64_t now)
{
    if (now - load_rlx(&go__sched.last_poll) > POLL_INTERVAL_NS) {
        poll_now(pp, now);
    }
}

/* Three queues are passed over by runnext and by each other: the global one, what pp has set aside, its list. By turns one of them is asked
 * first. */
static struct go__g *passed_over(struct go__p *pp)
{
    uint32_t turn = pp->fair_turns++ % 3;
    struct go__g *gp = turn == 0 ? global_get(pp, 1) : turn == 1 ? go__later_get(pp) : go__pick_queued(pp);
    if (gp == NULL) {
        gp = global_get(pp, 1);
    }
    if (gp == NULL) {
        gp = go__later_get(pp);
    }
    return gp != NULL ? gp : go__pick_queued(pp);
}

/* The slice is over that runnext would inherit: its goroutine goes to the end of the list. Where each decision is asked for by sysmon, because
 * whoever runs computes, it would be passed over for ever by those who wait for a p in the global queue. */
static void demote_next(struct go__p *pp)
{
    struct go__g *next = load_rlx(&pp->runnext); /* rlx: ours, others only look */
    if (next != NULL) {
        store_rlx(&pp->runnext, NULL);
        go__own_put(pp, next);
    }
}

/* Every GO__FAIR_TURN-th decision, and when sysmon says the slice is over: whoever has been passed over gets its turn. */
static struct go__g *fair_turn(struct go__p *pp)
{
    pp->tick = 0;
    if (load_rlx(&pp->preempt) != 0) {
        store_rlx(&pp->preempt, 0u); /* rlx: a request that comes now is answered next time */
        demote_next(pp);
    }
    int64_t now = go__clock_now();
    store_rlx(&go__sched.coarse_now, now);
    go__run_timers(pp, now);
    go__poll_at_intervals(pp, now);
    return passed_over(pp);
}

static bool ring_visible(void)
{
    for (int i = 0; i < go__sched.procs; i++) {
        if (go__runq_length(go__sched.all_p[i]) != 0) {
            return true;
        }
    }
    return load_rlx(&go__sched.global_count) != 0;
}

/* Queued work anywhere, in the owners' lists too. */
static bool queued_anywhere(void)
{
    for (int i = 0; i < go__sched.procs; i++) {
        if (load_rlx(&go__sched.all_p[i]->own_count) != 0) {
            return true;
        }
    }
    return ring_visible();
}

/* A spinner without success watches a little longer: sleeping and being woken costs far more. */
static bool watch(void)
{
    for (int i = 0; i < WATCH_LOOPS; i++) {
        go__cpu_relax_for(GO__PAUSES_A_US);
        if (ring_visible()) {
            return true;
        }
        if (load_rlx(&go__sched.stopping) != 0 || load_rlx(&go__sched.world_stopped) != 0) {
            return false;
        }
    }
    return false;
}

bool go__work_waits(void)
{
    return queued_anywhere();
}

int64_t go__timers_earliest(void)
{
    int64_t earliest = INT64_MAX;
    for (int i = 0; i < go__sched.procs; i++) {
        int64_t next = load_sc(&go__sched.all_p[i]->timer_next); /* sc: see go__timers_armed */
        earliest = next < earliest ? next : earliest;
    }
    return earliest;
}

/* --- spinning --- */

void go__spinning_start(struct go__m *mp)
{
    if (load_acq(&mp->claim) == GO__CLAIM_ORPHAN) { /* acq: as in find_runnable */
        return;                                     /* the count is the next run's */
    }
    mp->spinning = true;
    (void)add_sc(&go__sched.spinning, 1u); /* sc: part of [idle-race] */
}

static bool may_spin(struct go__m *mp)
{
    if (mp->spinning) {
        return true;
    }
    uint32_t busy = (uint32_t)go__sched.procs - load_rlx(&go__sched.idle_p_count); /* rlx: heuristic */
    if (2 * load_rlx(&go__sched.spinning) >= busy) {
        return false;
    }
    go__spinning_start(mp);
    return true;
}

void go__spinning_stop(struct go__m *mp)
{
    if (mp->spinning) {
        mp->spinning = false;
        if (load_acq(&mp->claim) == GO__CLAIM_ORPHAN) { /* acq: as in find_runnable */
            return;                                     /* the count is gone with its run */
        }
        (void)sub_sc(&go__sched.spinning, 1u); /* sc: [idle-race], before the last look around */
    }
}

/* The m has work now. What else was readied on the g0 side is offered here, not where it was queued: for the one goroutine that
 * this m is about to run itself nobody need wake. If the m was the last one searching, the next one starts, also for what owners have kept to
 * themselves while this one held back and that they, computing, would not offer soon. */
static struct go__g *found(struct go__m *mp, struct go__g *gp)
{
    bool searched = mp->spinning;
    if (searched) {
        go__spinning_stop(mp);
        fence_sc(); /* [idle-race]: nobody searches, perhaps; now look around */
    }
    if (load_rlx(&mp->p->own_count) != 0 && go__hungry()) {
        go__share(mp->p);
    }
    if (searched && load_rlx(&go__sched.idle_p_count) != 0 &&
        ((mp->unoffered ? queued_anywhere() : ring_visible()) || go__unwatched())) {
        go__wakep();
    }
    mp->unoffered = false;
    return gp;
}

/* --- going idle --- */

/* Gives the p up unless work has come meanwhile. */
static bool release_p(struct go__m *mp)
{
    go__futex_lock(&go__sched.lock);
    if (go__sched.global.count != 0 || load_rlx(&go__sched.stopping) != 0) {
        go__futex_unlock(&go__sched.lock);
        return false;
    }
    struct go__p *pp = mp->p;
    pp->m = NULL;
    mp->p = NULL;
    go__idle_p_push(pp);
    go__futex_unlock(&go__sched.lock);
    return true;
}

static bool take_idle_p(struct go__m *mp)
{
    go__futex_lock(&go__sched.lock);
    struct go__p *pp = go__idle_p_pop();
    if (pp != NULL) {
        pp->m = mp;
        mp->p = pp;
    }
    go__futex_unlock(&go__sched.lock);
    return pp != NULL;
}

/* All goroutines blocked for ever? sched.lock held. Whoever holds work that is in no queue holds a p, `polling`, or is counted as
 * lost or foreign. */
bool go__dead(void)
{
    if (load_rlx(&go__sched.idle_p_count) != (uint32_t)go__sched.procs || go__sched.global.count != 0 || go__sched.lost != 0 ||
        go__sched.foreign != 0 || go__sched.signal_subscriptions != 0 || load_rlx(&go__sched.polling) != 0 ||
        load_rlx(&go__sched.world_stopped) != 0 || load_rlx(&go__sched.stopping) != 0 || go__netpoll_has_waiters() ||
        go__timers_earliest() != INT64_MAX) {
        return false;
    }
    for (int i = 0; i < go__sched.procs; i++) {
        struct go__p *pp = go__sched.all_p[i];
        if (go__runq_length(pp) != 0 || go__runq_hides(pp)) {
            return false;
        }
    }
    return true;
}

void go__check_dead(void)
{
    go__futex_lock(&go__sched.lock);
    bool dead = load_rlx(&go__sched.active) != 0 && go__dead(); /* rlx: written under the lock */
    go__futex_unlock(&go__sched.lock);
    if (dead) {
        go__deadlock();
    }
}

bool go__unwatched(void)
{
    return load_rlx(&go__sched.polling) == 0 && (go__netpoll_has_waiters() || go__timers_earliest() != INT64_MAX);
}

/* The earliest timer that somebody idle must see to: a p that is not idle runs its own, and timers that are due cannot be run without
 * an idle p. sc: read after poll_until or `polling` was written; who makes a p idle does it the other way round. */
static int64_t watched_until(void)
{
    return load_sc(&go__sched.idle_p_count) != 0 ? go__timers_earliest() : INT64_MAX;
}

/* Sleeps in the poller until a descriptor is ready, a timer due, or somebody breaks it. */
static void sleep_polling(struct go__m *mp)
{
    store_sc(&go__sched.poll_until, INT64_MAX);
    int64_t until = watched_until();
    store_sc(&go__sched.poll_until, until); /* sc: then read the timers again; go__timers_armed does it the other way round */
    int64_t again = watched_until();
    until = again < until ? again : until;
    int64_t wait = INT64_MAX;
    if (until != INT64_MAX) {
        int64_t now = go__clock_now();
        wait = until > now ? until - now : 0;
    }
    if (load_sc(&go__sched.stopping) != 0) {
        wait = 0;
    }
    struct go__g_list ready = {0};
    go__netpoll(wait, &ready);
    int64_t now = go__clock_now();
    store_rlx(&go__sched.last_poll, now); /* rlx: heuristics and dumps */
    store_rlx(&go__sched.coarse_now, now);
    store_sc(&go__sched.poll_until, 0);
    bool wanted = xchg_acq(&go__sched.poller_wanted, 0u) != 0; /* acq: what there is to find */
    if ((wanted || ready.head != NULL || go__timers_earliest() <= now || queued_anywhere()) && take_idle_p(mp)) {
        if (wanted) {
            go__spinning_start(mp); /* what it was woken for may be hidden in a p that does not move */
        }
        go__run_due_timers(now);
    }
    go__ready_list(&ready);
    store_sc(&go__sched.polling, 0u);
}

/* Kernels wake a thread on the CPU of its waker where the others do not look idle (halted ones of a virtual machine do not): it runs
 * instead of the waker, which has a goroutine in hand that nobody can take from it. So that one first. Others may be woken meanwhile. */
static void let_waker_go_on(struct go__m *mp, int waker)
{
    if (waker >= 0 && waker == go__thread_cpu()) {
        bool spinning = mp->spinning;
        go__spinning_stop(mp);
        go__thread_yield();
        if (spinning) {
            go__spinning_start(mp);
        }
    }
}

/* Sleeps until somebody hands over a p (true), or this thread should end (false). */
static bool sleep_idle(struct go__m *mp)
{
    go__futex_lock(&go__sched.lock);
    if (load_rlx(&go__sched.stopping) != 0) {
        go__futex_unlock(&go__sched.lock);
        return false;
    }
    if (go__sched.global.count != 0) {
        struct go__p *pp = go__idle_p_pop();
        if (pp != NULL) {
            pp->m = mp;
            mp->p = pp;
            go__futex_unlock(&go__sched.lock);
            return true;
        }
    }
    if (go__dead()) {
        go__futex_unlock(&go__sched.lock);
        go__deadlock();
    }
    if (go__sched.m_idle >= (uint32_t)go__sched.procs + IDLE_THREADS_KEPT) {
        go__futex_unlock(&go__sched.lock);
        return false;
    }
    go__note_clear(&mp->note);
    mp->idle_link = go__sched.idle_m;
    go__sched.idle_m = mp;
    go__sched.m_idle++;
    go__futex_unlock(&go__sched.lock);
    go__note_sleep(&mp->note);
    go__futex_lock(&go__sched.lock);
    mp->p = mp->next_p; /* NULL: the run is over */
    mp->next_p = NULL;
    int waker = mp->woken_from;
    mp->woken_from = -1;
    go__futex_unlock(&go__sched.lock);
    let_waker_go_on(mp, waker);
    return mp->p != NULL;
}

/* The m found nothing anywhere: gives up its p, looks once more, sleeps. False: the thread ends. */
static bool go_idle(struct go__m *mp)
{
    if (mp->p != NULL && !release_p(mp)) {
        return true;
    }
    go__spinning_stop(mp);
    fence_sc(); /* [idle-race]: idleness is published, now look at every source again */
    /* Whoever searches will look for more when it has found, or come here when it has not. */
    if (load_sc(&go__sched.spinning) == 0 && queued_anywhere() && take_idle_p(mp)) {
        go__spinning_start(mp);
        return true;
    }
    int64_t earliest = watched_until();
    if (earliest != INT64_MAX || go__netpoll_has_waiters()) {
        uint32_t nobody = 0;
        if (cas_sc(&go__sched.polling, &nobody, 1u)) {
            sleep_polling(mp);
            return true;
        }
        if (earliest < load_sc(&go__sched.poll_until)) {
            go__netpoll_break(); /* whoever sleeps there recomputes until when */
        }
    } else if (load_sc(&go__sched.polling) != 0) {
        go__netpoll_break(); /* for a timer that was stopped, say: is anybody left who can run? */
    }
    return sleep_idle(mp);
}

/* --- the loop --- */

/* The next goroutine for mp, NULL when its thread is to end. */
static struct go__g *find_runnable(struct go__m *mp)
{
    for (;;) {
        /* acq: pairs with the stores in run.c. An orphan that comes here late may find the next run begun. */
        if (load_acq(&go__sched.stopping) != 0 || go__unlikely(load_acq(&mp->claim) == GO__CLAIM_ORPHAN)) {
            return NULL;
        }
        if (go__unlikely(load_acq(&go__sched.world_stopped) != 0)) {
            go__world_wait(mp);
            continue;
        }
        struct go__p *pp = mp->p;
        if (pp == NULL) {
            if (!go_idle(mp)) {
                return NULL;
            }
            continue;
        }
        struct go__g *gp = NULL;
        if (pp->tick >= GO__FAIR_TURN || load_rlx(&pp->preempt) != 0) {
            gp = fair_turn(pp);
            if (gp != NULL) {
                return found(mp, gp);
            }
        }
        int64_t now = 0;
        if (load_rlx(&pp->timer_next) != INT64_MAX) {
            now = go__clock_now();
            store_rlx(&go__sched.coarse_now, now);
            go__run_timers(pp, now);
        }
        if ((gp = go__pick_local(pp)) != NULL || (gp = global_get(pp, GO__RUNQ_SIZE / 2)) != NULL) {
            return found(mp, gp);
        }
        now = now != 0 ? now : go__clock_now();
        store_rlx(&go__sched.coarse_now, now);
        poll_now(pp, now);
        if ((gp = go__pick_local(pp)) != NULL) {
            return found(mp, gp);
        }
        if (go__sched.procs > 1 && may_spin(mp)) {
            if (go__hold_back(mp)) {
                continue;
            }
            if ((gp = go__steal(mp)) != NULL) {
                return found(mp, gp);
            }
            if (watch()) {
                continue;
            }
        }
        if (!go_idle(mp)) {
            return NULL;
        }
    }
}

/* gp resumes only on its own thread: that one gets our p. */
static void run_tied(struct go__m *mp, struct go__g *gp)
{
    struct go__m *target = gp->lockedm;
    struct go__p *pp = mp->p;
    go__futex_lock(&go__sched.lock);
    mp->p = NULL;
    go__p_assign(pp, target);
    go__futex_unlock(&go__sched.lock);
    go__note_wake(&target->note);
}

/* The goroutine wired to this thread has left its stack: the p goes away until somebody brings one for it. False: the run is over. */
static bool wait_for_locked(struct go__m *mp)
{
    struct go__p *pp = mp->p;
    go__futex_lock(&go__sched.lock);
    go__sched.waiting++; /* before the handoff: the p may come back at once, if its next goroutine is ours */
    if (pp != NULL) {
        mp->p = NULL;
        pp->m = NULL;
    }
    go__futex_unlock(&go__sched.lock);
    if (pp != NULL) {
        go__spinning_stop(mp);
        go__handoff(pp);
    }
    go__check_dead(); /* this thread was the last one awake, perhaps */
    go__note_sleep(&mp->note);
    go__futex_lock(&go__sched.lock);
    mp->p = mp->next_p;
    mp->next_p = NULL;
    /* rlx: under the lock. The count is gone with the run. */
    bool on = mp->p != NULL && load_rlx(&go__sched.stopping) == 0 && load_rlx(&mp->claim) != GO__CLAIM_ORPHAN;
    go__sched.waiting -= on;
    go__futex_unlock(&go__sched.lock);
    return on;
}

static void execute(struct go__m *mp, struct go__g *gp)
{
    if (mp->locked_g == gp) {
        go__note_clear(&mp->note); /* before gp can be found tied to us and waiting */
    }
    go__count_switch(mp->p);
    go__g_adopt(mp, gp);
    go__cxa_switch(mp, NULL, gp);
    go__trace_switch(GO__TRACE_START, gp, mp->p);
    go__san_switch_start(&mp->g0buf, &gp->buf, false);
    go__switch(&mp->g0buf, &gp->buf);
    go__san_switch_finish(&mp->g0buf, NULL);
}

void go__m_loop(struct go__m *mp)
{
    for (;;) {
        struct go__g *gp = mp->locked_g;
        if (go__unlikely(gp != NULL)) {
            if (!wait_for_locked(mp)) {
                break;
            }
        } else {
            gp = find_runnable(mp);
            if (gp == NULL) {
                break;
            }
            if (go__unlikely(gp->tied)) {
                run_tied(mp, gp);
                continue;
            }
        }
        execute(mp, gp);
        if (mp->abandoned) {
            break;
        }
        go__landed(mp);
        if (go__unlikely(mp->lost_p)) { /* our own word: on the g0 side nobody claims anything of mp */
            go__futex_lock(&go__sched.lock);
            go__count_found(mp);
            go__futex_unlock(&go__sched.lock);
        }
    }
    go__spinning_stop(mp);
}
