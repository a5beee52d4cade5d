#include "sched/world.h"

#include <errno.h>

#include "arch/morestack.h"
#include "go/run.h"
#include "os/clock.h"
#include "os/thread.h"
#include "sched/goroutine.h"
#include "sched/hooks.h"
#include "sched/proc.h"
#include "sched/run.h"

#define TURN_PAUSE_NS    200000
#define TURN_PATIENCE_NS INT64_C(10000000000) /* a dump may go to a pipe that nobody reads */

static go__futex_mutex turn;    /* one stopper at a time; before sched.lock */
static go__atomic(int) stopper; /* the thread that has it; 0 while it is taken and given back */

bool go__unclaim_p(struct go__p *pp, struct go__m *mp)
{
    if (load_acq(&mp->claim) != GO__CLAIM_TAKEN) {
        return false;
    }
    /* The owner leaves TAKEN only under the lock, which we hold: it has not noticed, or waits for the lock. */
    if (mp->lost_p && mp->p == pp) {
        mp->lost_p = false;
        go__sched.lost--;
        pp->m = mp;
        store_rel(&mp->claim, (uint32_t)GO__CLAIM_NONE);
        return true;
    }
    return false;
}

void go__world_wait(struct go__m *mp)
{
    go__futex_lock(&go__sched.lock);
    struct go__p *pp = mp->p;
    if (pp != NULL && load_rlx(&go__sched.world_stopped) != 0) {
        mp->p = NULL;
        pp->m = NULL;
        go__idle_p_push(pp);
    }
    go__futex_unlock(&go__sched.lock);
    uint32_t stopped;
    while ((stopped = load_acq(&go__sched.world_stopped)) != 0) { /* acq pairs with the store in go__world_start */
        (void)go__futex_wait(&go__sched.world_stopped, stopped, GO__FUTEX_FOREVER);
    }
}

/* sched.lock held: how many ps still run goroutines, after another try at each. */
static int still_running(const struct go__m *self)
{
    int running = 0;
    for (int i = 0; i < load_rlx(&go__sched.all_p_count); i++) {
        struct go__p *pp = go__sched.all_p[i];
        struct go__m *mp = pp->m;
        if (mp == NULL) {
            running += load_rlx(&pp->status) == GO__P_RUNNING; /* on its way to a thread, or to the idle ones */
            continue;
        }
        if (mp == self) {
            continue;
        }
        if (go__claim_p(pp)) {
            pp->stopped_from = mp;
            store_rlx(&pp->status, (uint32_t)GO__P_STOPPED);
        } else {
            store_rlx(&pp->preempt, 1u); /* at its next decision it comes to the g0 side and sees world_stopped */
            running++;
        }
    }
    return running;
}

/* A goroutine is inside when it gets its turn, for who enters at the end of a run does not come back, and the turn would be nobody's. It
 * waits outside: the other stopper must be able to take its p. */
static struct go__m *take_turn(void)
{
    struct go__m *self = go__m();
    if (self == NULL || self->curg == NULL) {
        go__futex_lock(&turn);
        return self;
    }
    go__preempt_check(); /* who does nothing but stop the world is never met outside: the others, and the end of the run, wait for it */
    for (;;) {
        self = go__enter();
        if (go__futex_trylock(&turn)) {
            return self;
        }
        go__leave(self);
        (void)go__futex_wait(&turn.word, 1, TURN_PAUSE_NS);
    }
}

/* `turn` is ours; self is inside if it runs a goroutine. */
static bool stop(const struct go__m *self, int64_t timeout_ns)
{
    go__futex_lock(&go__sched.lock);
    store_sc(&go__sched.world_stopped, 1u);
    go__futex_unlock(&go__sched.lock);
    int64_t begun = go__clock_now();
    for (;;) {
        go__futex_lock(&go__sched.lock);
        int running = still_running(self);
        go__futex_unlock(&go__sched.lock);
        if (running == 0) {
            return true;
        }
        if (go__clock_now() - begun > timeout_ns) {
            return false;
        }
        go__thread_yield();
    }
}

static void give_turn(struct go__m *self)
{
    if (self != NULL && self->curg != NULL) {
        go__leave(self);
    }
    store_rlx(&stopper, 0);
    go__futex_unlock(&turn);
}

int go__world_stop(int64_t timeout_ns)
{
    struct go__m *self = take_turn();
    store_rlx(&stopper, go__thread_id());   /* rlx: read by the thread itself */
    if (load_acq(&go__sched.active) == 0) { /* acq: before the end of the run asked for the turn */
        give_turn(self);
        return -ESRCH;
    }
    return stop(self, timeout_ns) ? 0 : -EAGAIN;
}

bool go__world_begin(void)
{
    return go__futex_lock_for(&turn, TURN_PATIENCE_NS);
}

void go__world_begun(bool ours)
{
    if (ours) {
        go__futex_unlock(&turn);
    }
}

void go__world_over(void)
{
    go__futex_lock(&go__sched.lock);
    store_rel(&go__sched.active, 0u); /* under the lock: who finds the run active there has its ps until he drops it */
    go__futex_unlock(&go__sched.lock);
    go__futex_await(&turn, TURN_PATIENCE_NS);
}

bool go__world_freeze(int64_t timeout_ns)
{
    bool stopped = load_rlx(&stopper) == go__thread_id();
    if ((!stopped && !go__futex_lock_for(&turn, timeout_ns)) || !go__futex_lock_for(&go__sched.lock, timeout_ns)) {
        return false;
    }
    go__futex_unlock(&go__sched.lock); /* nobody holds it for long, and we did not: those who look at everything may take it */
    if (stopped) {
        return true;
    }
    struct go__m *self = go__m();
    if (self != NULL && self->curg != NULL) {
        self = go__enter();
    }
    return stop(self, timeout_ns);
}

void go__world_forget(const struct go__m *mp, bool at_work)
{
    for (int i = 0; i < load_rlx(&go__sched.all_p_count); i++) {
        struct go__p *pp = go__sched.all_p[i];
        if (pp->stopped_from == mp || pp->m == mp) {
            pp->stopped_from = NULL;
            pp->m = NULL;
            if (!at_work) {
                go__idle_p_push(pp);
            }
        }
    }
}

/* sched.lock held: a p that was stopped goes back to its goroutine, or to the idle ones. */
static void restart(struct go__p *pp)
{
    struct go__m *from = pp->stopped_from;
    pp->stopped_from = NULL;
    if (from == NULL) {
        return;
    }
    store_rlx(&pp->status, (uint32_t)GO__P_RUNNING);
    if (!go__unclaim_p(pp, from)) {
        go__idle_p_push(pp);
    }
}

void go__world_start(void)
{
    struct go__m *self = go__m();
    go__futex_lock(&go__sched.lock);
    store_rel(&go__sched.world_stopped, 0u); /* rel pairs with load_acq in go__world_wait and find_runnable */
    for (int i = 0; i < load_rlx(&go__sched.all_p_count); i++) {
        restart(go__sched.all_p[i]);
    }
    int wanted = 1; /* for the poller, and for each idle p that holds queued goroutines */
    for (int i = 0; i < load_rlx(&go__sched.all_p_count); i++) {
        struct go__p *pp = go__sched.all_p[i];
        wanted += pp->m == NULL && go__runq_length(pp) != 0;
    }
    go__futex_unlock(&go__sched.lock);
    go__futex_wake(&go__sched.world_stopped, INT32_MAX);
    while (wanted-- > 0 && go__idle_p_start()) {}
    give_turn(self);
}

/* World stopped: pp stops existing for the scheduler; what it holds goes elsewhere. */
static void retire(struct go__p *pp, struct go__p *heir)
{
    struct go__g_list all = {0};
    struct go__g *gp;
    while ((gp = go__pick_local(pp)) != NULL) {
        go__g_list_push(&all, gp);
    }
    if (all.head != NULL) {
        go__futex_lock(&go__sched.lock);
        go__g_list_append(&go__sched.global, &all);
        store_rlx(&go__sched.global_count, go__sched.global.count);
        go__futex_unlock(&go__sched.lock);
    }
    go__timers_move(pp, heir);
    go__free_gs_return(pp);
}

/* sched.lock held, world stopped: rebuilds the idle list from the ps below `procs` that nobody has. */
static void rebuild_idle(int procs)
{
    go__sched.idle_p = NULL;
    store_rlx(&go__sched.idle_p_count, 0u);
    for (int i = 0; i < load_rlx(&go__sched.all_p_count); i++) {
        struct go__p *pp = go__sched.all_p[i];
        pp->idle_link = NULL;
        if (i >= procs) {
            store_rlx(&pp->status, (uint32_t)GO__P_GONE);
            pp->stopped_from = NULL; /* its goroutine finds its p taken */
        } else if (pp->m == NULL && pp->stopped_from == NULL) {
            go__idle_p_push(pp);
        }
    }
}

/* World stopped. The caller keeps a p whose index stays. */
static int change_procs(int procs, struct go__m *self)
{
    int before = go__sched.procs;
    /* rlx throughout this file: changed by whoever has the turn only */
    for (int i = load_rlx(&go__sched.all_p_count); i < procs; i++) {
        struct go__p *pp = go__p_new(i);
        if (pp == NULL) {
            return -ENOMEM;
        }
        go__sched.all_p[i] = pp;
        store_rel(&go__sched.all_p_count, i + 1); /* pairs with load_acq in activity and where ps are summed: no stop stops those */
    }
    for (int i = before; i < procs; i++) {
        (void)go__timers_init(go__sched.all_p[i]); /* some come back; one that has a heap needs no memory */
    }
    struct go__p *own = self != NULL ? self->p : NULL;
    if (own != NULL && (int)own->index >= procs) {
        struct go__p *other = go__sched.all_p[0];
        other->stopped_from = NULL; /* whoever had it waits for another one */
        other->m = self;
        store_rlx(&other->status, (uint32_t)GO__P_RUNNING); /* rlx: the world is stopped */
        own->m = NULL;
        self->p = other;
    }
    for (int i = procs; i < before; i++) {
        retire(go__sched.all_p[i], go__sched.all_p[i % procs]);
    }
    for (int i = 0; i < procs; i++) {
        go__free_gs_limit(go__sched.all_p[i], procs);
    }
    go__futex_lock(&go__sched.lock);
    go__sched.procs = procs;
    rebuild_idle(procs);
    go__futex_unlock(&go__sched.lock);
    return before;
}

struct change {
    int procs, result;
};

static void set_procs(void *arg)
{
    struct change *c = arg;
    while ((c->result = go__world_stop(1000000000)) == -EAGAIN) {
        go__world_start(); /* a p that does not stop is one whose thread got no CPU for a second */
    }
    if (c->result != 0) {
        return;
    }
    struct go__m *self = go__m();
    c->result = change_procs(c->procs, self != NULL && self->curg != NULL ? self : NULL);
    go__world_start();
}

int go_procs(void)
{
    return load_acq(&go__sched.active) != 0 ? go__sched.procs : 0; /* acq pairs with the store at start */
}

int go_set_procs(int procs)
{
    if (procs < 1 || procs > GO__MAX_PROCS) {
        return -EINVAL;
    }
    if (load_acq(&go__sched.active) == 0) {
        return -ESRCH;
    }
    struct change c;
    c.procs = procs;
    c.result = 0;
    go__system_call(set_procs, &c);
    return c.result;
}
