/* go_run: everything a run needs is made here and, in reverse order, given back. */
#include "sched/run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "go/run.h"
#include "os/clock.h"
#include "os/cpu.h"
#include "os/fatal.h"
#include "os/sanitize.h"
#include "os/thread.h"
#include "sched/edge.h"
#include "sched/goroutine.h"
#include "sched/hooks.h"
#include "sched/machine.h"
#include "sched/proc.h"
#include "sched/standin.h"
#include "sched/sysmon.h"
#include "sched/world.h"
#include "stack/grow.h"
#include "stack/overflow.h"

#define DEFAULT_RESERVE     ((size_t)256 * 1024)
#define DEFAULT_MAX         ((size_t)64 * 1024 * 1024)
#define DEFAULT_MAX_THREADS ((size_t)10000)
#define DEFAULT_STOP_NS     INT64_C(1000000000)
#define PATIENCE_NS         INT64_C(10000000000) /* with threads that need only a CPU */

struct go__sched go__sched;
go__atomic(uint32_t) go__orphans;

static go__atomic(uint32_t) busy; /* a go_run is somewhere between its first and last step */

struct go__p *go__p_new(int index)
{
    struct go__p *pp = aligned_alloc(GO__CACHELINE, (sizeof *pp + GO__CACHELINE - 1) / GO__CACHELINE * GO__CACHELINE);
    if (pp == NULL) {
        return NULL;
    }
    memset(pp, 0, sizeof *pp);
    pp->index = (uint32_t)index;
    go__rng_seed(&pp->rng, go__sched.seed + (uint64_t)index);
    store_rlx(&pp->timer_next, INT64_MAX);
    if (go__timers_init(pp) != 0) {
        free(pp);
        return NULL;
    }
    return pp;
}

/* --- configuration --- */

/* "256K", "64M", plain bytes or a count; 0 when unset; fatal when it is no number: a typo must not pass for a default. */
static uint64_t from_environment(const char *name)
{
    const char *text = getenv(name);
    if (text == NULL || *text == '\0') {
        return 0;
    }
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    unsigned shift = *end == 'K' || *end == 'k' ? 10 : *end == 'M' || *end == 'm' ? 20 : *end == 'G' || *end == 'g' ? 30 : 0;
    end += shift != 0;
    if (errno != 0 || *end != '\0' || *text == '-' || value == 0 || value > (UINT64_MAX >> 1 >> shift)) {
        go__fatal("%s=%s is not a positive number", name, text);
    }
    return (uint64_t)value << shift;
}

static size_t pick(size_t configured, const char *name, size_t otherwise)
{
    if (configured != 0) {
        return configured;
    }
    uint64_t value = from_environment(name);
    return value != 0 ? (size_t)value : otherwise;
}

static int configure(const go_config *config)
{
    static const go_config none;
    const go_config *c = config != NULL ? config : &none;
    if (c->procs < 0 || c->procs > GO__MAX_PROCS || c->stop_timeout < 0 || c->stack_reserve > SIZE_MAX / 4 ||
        c->stack_max > SIZE_MAX / 4 || c->max_threads > INT32_MAX) {
        return -EINVAL;
    }
    size_t procs = pick((size_t)c->procs, "GOCO_PROCS", 0);
    procs = procs != 0 ? procs : (size_t)go__cpu_count();
    go__sched.procs = (int)(procs < GO__MAX_PROCS ? procs : GO__MAX_PROCS);
    go__sched.stacks.reserve = pick(c->stack_reserve, "GOCO_STACK_RESERVE", DEFAULT_RESERVE);
    go__sched.stacks.max = pick(c->stack_max, "GOCO_STACK_MAX", DEFAULT_MAX);
    go__sched.stacks.run = (uint32_t)go__sched.run_number;
    go__sched.max_threads = pick(c->max_threads, "GOCO_MAX_THREADS", DEFAULT_MAX_THREADS);
    go__sched.stop_timeout = c->stop_timeout != 0 ? c->stop_timeout : DEFAULT_STOP_NS;
    go__sched.seed = (uint64_t)go__debug_value("seed", 0);
    go__sched.seeded = go__sched.seed != 0;
    if (!go__sched.seeded) {
        go__sched.seed = (uint64_t)go__clock_now();
    }
    return 0;
}

/* --- start --- */

static int make_ps(void)
{
    go__sched.all_p = calloc(GO__MAX_PROCS, sizeof(struct go__p *));
    if (go__sched.all_p == NULL) {
        return -ENOMEM;
    }
    for (int i = 0; i < go__sched.procs; i++) {
        struct go__p *pp = go__p_new(i);
        if (pp == NULL) {
            return -ENOMEM;
        }
        go__free_gs_limit(pp, go__sched.procs);
        go__sched.all_p[i] = pp;
        store_rlx(&go__sched.all_p_count, i + 1); /* rlx: the run begins later */
    }
    return 0;
}

static void destroy_ps(struct go__p **all_p, int count)
{
    for (int i = 0; i < count; i++) {
        go__timers_destroy(all_p[i]);
        free(all_p[i]);
    }
    free(all_p);
}

static void free_ps(void)
{
    destroy_ps(go__sched.all_p, load_rlx(&go__sched.all_p_count)); /* rlx: nobody else is left */
    go__sched.all_p = NULL;
    store_rlx(&go__sched.all_p_count, 0);
}

void go__leftover_release(struct go__leftover *left)
{
    if (left == NULL) {
        return;
    }
    go__edge_publish(left);
    if (sub_acqrel(&left->refs, 1u) == 1) { /* acqrel: the last one comes after all others */
        go__edge_receive(left);
        destroy_ps(left->all_p, left->all_p_count);
        free(left);
    }
}

/* In the child of a fork the other threads are gone and the locks are in any state. */
static void forked(void)
{
    struct go__m *mp = go__m();
    if (mp != NULL) {
        store_rel(&mp->claim, (uint32_t)GO__CLAIM_FORKED);
        /* Nobody is to give way here. */
        if (mp->limit_address != NULL && mp->curg != NULL && *mp->limit_address == GO__LIMIT_POISON) {
            *mp->limit_address = go__stack_true_limit(mp->curg, (uintptr_t)__builtin_frame_address(0));
        }
        go__thread_free_signals(&go__sched.signal_mask);
    }
    go__netpoll_forked();
    store_rlx(&go__sched.lock.word, 0u); /* rlx: no other thread is left; whoever held it is gone, and a run may begin here */
    store_rel(&go__sched.active, 0u);
}

static void register_fork(void)
{
    (void)pthread_atfork(NULL, NULL, forked);
}

/* What the run's other fields are at its beginning; what outlives runs stays. */
static void reset(void)
{
    /* But for the lock, and under it: a foreign thread that the end of the last run woke may be about to say that it does not wait. */
    go__futex_lock(&go__sched.lock);
    uint64_t run = go__sched.run_number + 1;
    memset((char *)&go__sched + sizeof go__sched.lock, 0, sizeof go__sched - sizeof go__sched.lock);
    go__sched.run_number = run;
    go__futex_unlock(&go__sched.lock);
    store_rlx(&go__sched.next_id, 1u);
    store_rlx(&go__sched.coarse_now, go__clock_now());
    go__thread_get_signals(&go__sched.signal_mask);
#if GO__VALGRIND
    go__sched.valgrind = RUNNING_ON_VALGRIND != 0;
#endif
}

/* Stacks on which orphans may execute stay, and so do the depots that these grow from. */
static void stacks_over(bool orphans)
{
    if (orphans) {
        go__stacks_keep();
    } else {
        go__goroutines_drop_left();
        go__stacks_destroy();
    }
}

static bool orphans_execute(void)
{
    return load_acq(&go__orphans) != 0; /* acq: pairs with orphan_over */
}

static int start(void)
{
    static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&fork_once, register_fork);
    go__barrier_init(go__sched.procs);
    int error = go__stacks_init(&go__sched.stacks);
    if (error != 0) {
        return error;
    }
    error = go__netpoll_init();
    if (error == 0) {
        error = make_ps();
        if (error == 0) {
            error = go__overflow_install();
            if (error == 0) {
                return 0;
            }
        }
        free_ps();
        go__netpoll_destroy();
    }
    stacks_over(orphans_execute());
    return error;
}

/* --- end --- */

/* sched.lock held. Whoever sleeps on its note finds no p and ends; whoever computes finds its p taken at its next goco call. */
static void hurry(struct go__m *mp)
{
    struct go__p *pp = mp->p;
    if (mp->gone) {
        return;
    }
    if (pp != NULL && pp->m == mp) {
        store_rlx(&pp->preempt, 1u); /* rlx: asked again until it is seen */
        if (go__claim_p(pp)) {
            store_rlx(&pp->status, (uint32_t)GO__P_STOPPED); /* rlx: under the lock; nobody brings it anywhere */
        }
    }
    go__note_wake(&mp->note);
}

static uint32_t hurry_all(void)
{
    go__futex_lock(&go__sched.lock);
    go__sched.idle_m = NULL;
    go__sched.m_idle = 0;
    for (struct go__m *mp = go__sched.all_m; mp != NULL; mp = mp->all_link) {
        hurry(mp);
    }
    uint32_t left = go__sched.m_count + go__sched.wakers;
    go__futex_unlock(&go__sched.lock);
    return left;
}

/* NULL: no memory, and nobody frees them. */
static struct go__leftover *leftover_new(void)
{
    struct go__leftover *left = calloc(1, sizeof *left);
    if (left != NULL) {
        left->all_p = go__sched.all_p;
        left->all_p_count = load_rlx(&go__sched.all_p_count); /* rlx: the run is over */
        store_rlx(&left->refs, 1u);
    }
    return left;
}

/* sched.lock held. mp is for itself from now on. */
static void disown(struct go__m *mp)
{
    (void)pthread_detach(mp->thread);
    mp->leftover = go__sched.leftover;
    if (mp->leftover != NULL) {
        (void)add_rlx(&mp->leftover->refs, 1u); /* rlx: ours keeps it */
    }
    go__sched.m_count--;
    (void)add_rlx(&go__orphans, 1u); /* rlx: this thread asks for them */
    go__world_forget(mp, true);
    store_rel(&mp->claim, (uint32_t)GO__CLAIM_ORPHAN); /* pairs with go__enter and find_runnable; mp may go when the lock does */
}

/* sched.lock held. Its goroutine has lost its p and is not in the runtime, on its way there perhaps: it meets the lock, or ORPHAN, first. A
 * thread that sleeps in wait_for_p has lost_p false. */
static bool executes(const struct go__m *mp)
{
    /* rlx: claimers hold the lock; acq pairs with go__leave */
    return load_rlx(&mp->claim) == GO__CLAIM_TAKEN && mp->lost_p && load_acq(&mp->inside) == 0;
}

/* Threads whose goroutines still execute are left to themselves: each ends at its goroutine's next goco call, and frees its m. The ps
 * are theirs, for one of them may be on its way through the runtime: the last one frees them. Those whose p could not be taken are in the
 * runtime: they would run on into the next run, and need nothing but a CPU to end by themselves. */
static bool leave_orphans(bool all)
{
    bool some = false;
    go__futex_lock(&go__sched.lock);
    struct go__m **link = &go__sched.all_m;
    while (*link != NULL) {
        struct go__m *mp = *link;
        if (mp->ending || !(all || executes(mp))) {
            link = &mp->all_link;
            continue;
        }
        *link = mp->all_link;
        disown(mp);
        some = true;
    }
    go__futex_unlock(&go__sched.lock);
    return some;
}

/* Waits for the threads, for those that execute goroutines stop_timeout at most. True: somebody was left behind. */
static bool end_threads(void)
{
    int64_t deadline = go__clock_now() + go__sched.stop_timeout;
    int64_t pause = 1000;
    bool orphans = false, late_before = false;
    while (hurry_all() != 0) {
        go__netpoll_break();
        int64_t late = go__clock_now() - deadline;
        if (late > 0) {
            if (!late_before) { /* once: all orphans count in the same, or none does */
                late_before = true;
                go__sched.leftover = leftover_new();
            }
            orphans |= leave_orphans(late > PATIENCE_NS);
        }
        go__atomic(uint32_t) nothing = 0;
        (void)go__futex_wait(&nothing, 0, pause);
        pause = pause < 1000000 ? pause * 2 : pause;
    }
    go__machines_join(true);
    return orphans;
}

/* What orphans may still use stays behind: their stacks, and the ps. */
static void end(bool orphans)
{
    bool execute = orphans_execute(); /* before it is said what belongs to goroutines that do not */
    go__edge_run_acquire();
    go__chans_forget(); /* before subscriptions let go of channels that dropped goroutines wait on */
    go__signals_stop();
    go__debug_stop();
    go__sysmon_stop();
    go__leak_report();
    go__world_over();
    go__standins_cancel();
    go__bounds_drop_all();
    go__locals_drop_all();
    go__overflow_restore();
    go__netpoll_destroy();
    if (!orphans) {
        for (int i = 0; i < load_rlx(&go__sched.all_p_count); i++) {
            go__free_gs_return(go__sched.all_p[i]);
        }
        stacks_over(execute);
        go__selects_drop_all();
        free_ps();
        free(go__sched.leftover);
    } else {
        stacks_over(true);
        go__sched.all_p = NULL;
        store_rlx(&go__sched.all_p_count, 0); /* rlx: nobody of this run looks but orphans, at their own p */
        go__leftover_release(go__sched.leftover);
    }
}

/* --- the main goroutine --- */

struct main_call {
    int (*fn)(void *arg);
    void *arg;
};

static void main_goroutine(void *arg)
{
    struct main_call *call = arg;
    go__sched.result = call->fn(call->arg);
    struct go__m *mp = go__m();
    go__enter_parking(mp); /* main may have lost its p, to hogs that keep it, and needs none to end the run */
    /* sc: no goroutine is scheduled from here on; pairs with the loads in find_runnable, sysmon and the poller. */
    store_sc(&go__sched.stopping, 1u);
    struct go__g *gp = mp->curg;
    store_rlx(&gp->status, (uint32_t)GO__G_DEAD);
    go__note_wake(&go__sched.main_note);
    go__abandon(mp);
}

/* The first thread with the first p and the main goroutine. */
static int launch(struct main_call *call)
{
    struct go__g *gp = go__spawn_main(main_goroutine, call, (void (*)(void))call->fn);
    if (gp == NULL) {
        return -ENOMEM;
    }
    struct go__p *pp = go__sched.all_p[0];
    store_rlx(&pp->status, (uint32_t)GO__P_RUNNING);
    /* Not in the ring: sysmon runs already, and a thread that it wakes could steal main and end the run before pp has its own. */
    go__own_put(pp, gp);
    go__futex_lock(&go__sched.lock); /* foreign threads may look for idle ps as soon as there are any */
    for (int i = go__sched.procs - 1; i > 0; i--) {
        go__idle_p_push(go__sched.all_p[i]);
    }
    go__futex_unlock(&go__sched.lock);
    return go__machine_start(pp, false);
}

/* go_run's own thread runs no goroutine: it can always tell when stop_timeout is over, and the program's signal handlers find a
 * thread that is not ours, with a stack of ordinary size. */
static int run(struct main_call *call)
{
    int error = start();
    if (error != 0) {
        return error;
    }
    bool turn = go__world_begin();
    go__futex_lock(&go__sched.lock);
    store_rel(&go__sched.active, 1u); /* pairs with every load_acq of active: the ps exist */
    go__futex_unlock(&go__sched.lock);
    go__debug_start();
    if (go__debug_flag("stacks") && !go__stacks_small_on()) {
        go__warn("this program's link does not move libc calls off small stacks: every goroutine has a reserved stack");
    }
    error = go__sysmon_start();
    if (error == 0) {
        error = launch(call);
        go__world_begun(turn);
        if (error == 0) {
            go__note_sleep(&go__sched.main_note);
        } else {
            store_rel(&go__sched.stopping, 1u);
        }
        end(end_threads());
        return error != 0 ? error : go__sched.result;
    }
    go__debug_stop();
    go__world_begun(turn);
    go__world_over();
    go__overflow_restore();
    go__netpoll_destroy();
    stacks_over(orphans_execute());
    free_ps();
    return error;
}

int go_run_config(const go_config *config, int (*main_fn)(void *arg), void *arg)
{
    if (main_fn == NULL) {
        return -EINVAL;
    }
    uint32_t nobody = 0;
    if (!cas_acqrel(&busy, &nobody, 1u)) { /* acqrel: one run after the other */
        return -EBUSY;
    }
    reset();
    int result = configure(config);
    if (result == 0) {
        struct main_call call = {main_fn, arg};
        result = run(&call);
    }
    store_rel(&busy, 0u);
    return result;
}

int go_run(int (*main_fn)(void *arg), void *arg)
{
    return go_run_config(NULL, main_fn, arg);
}
