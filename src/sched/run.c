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
#include "sched/goroutine.h"
#include "sched/hooks.h"
#include "sched/machine.h"
#include "sched/proc.h"
#include "sched/standin.h"
#include "sched/sysmon.h"
#include "stack/overflow.h"

#define DEFAULT_RESERVE     ((size_t)256 * 1024)
#define DEFAULT_MAX         ((size_t)64 * 1024 * 1024)
#define DEFAULT_MAX_THREADS ((size_t)10000)
#define DEFAULT_STOP_NS     INT64_C(1000000000)

struct go__sched go__sched;

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
        go__sched.all_p[i] = pp;
        go__sched.all_p_count = i + 1;
    }
    for (int i = go__sched.procs - 1; i > 0; i--) {
        go__idle_p_push(go__sched.all_p[i]);
    }
    return 0;
}

static void free_ps(void)
{
    for (int i = 0; i < go__sched.all_p_count; i++) {
        go__timers_destroy(go__sched.all_p[i]);
        free(go__sched.all_p[i]);
    }
    free(go__sched.all_p);
    go__sched.all_p = NULL;
    go__sched.all_p_count = 0;
}

/* In the child of a fork the other threads are gone and the locks are in any state. */
static void forked(void)
{
    struct go__m *mp = go__m();
    if (mp != NULL) {
        store_rel(&mp->claim, (uint32_t)GO__CLAIM_FORKED);
    }
    store_rel(&go__sched.active, 0u);
}

static void register_fork(void)
{
    (void)pthread_atfork(NULL, NULL, forked);
}

/* What the run's other fields are at its beginning; what outlives runs stays. */
static void reset(void)
{
    uint64_t run = go__sched.run_number + 1;
    memset(&go__sched, 0, sizeof go__sched);
    go__sched.run_number = run;
    store_rlx(&go__sched.next_id, 1u);
    store_rlx(&go__sched.coarse_now, go__clock_now());
#if GO__VALGRIND
    go__sched.valgrind = RUNNING_ON_VALGRIND != 0;
#endif
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
    go__stacks_destroy();
    return error;
}

/* --- end --- */

/* sched.lock held. True when mp's thread is done or waits where it can be told. */
static void hurry(struct go__m *mp, uint32_t how)
{
    struct go__p *pp = mp->p;
    if (mp->gone || mp->main_thread) {
        return;
    }
    uint32_t claim = load_acq(&mp->claim);
    if (how == GO__CLAIM_ORPHAN) {
        store_rel(&mp->claim, (uint32_t)GO__CLAIM_ORPHAN);
        return;
    }
    if (claim == GO__CLAIM_NONE && pp != NULL && pp->m == mp) {
        store_rlx(&pp->preempt, 1u);
        (void)go__claim_p(pp);
    }
    go__note_wake(&mp->note); /* whoever sleeps on it finds no p and ends */
}

static uint32_t hurry_all(uint32_t how)
{
    go__futex_lock(&go__sched.lock);
    go__sched.idle_m = NULL;
    go__sched.m_idle = 0;
    for (struct go__m *mp = go__sched.all_m; mp != NULL; mp = mp->all_link) {
        hurry(mp, how);
    }
    uint32_t left = go__sched.m_count;
    go__futex_unlock(&go__sched.lock);
    return left;
}

/* Waits for the threads. Those whose goroutines still execute after stop_timeout are left to themselves; returns how many. */
static uint32_t end_threads(void)
{
    int64_t deadline = go__clock_now() + go__sched.stop_timeout;
    int64_t pause = 1000;
    for (;;) {
        uint32_t left = hurry_all(GO__CLAIM_TAKEN);
        go__netpoll_break();
        if (left == 0) {
            break;
        }
        if (go__clock_now() > deadline) {
            return left;
        }
        go__atomic(uint32_t) nothing = 0;
        (void)go__futex_wait(&nothing, 0, pause);
        pause = pause < 1000000 ? pause * 2 : pause;
    }
    go__machines_join(true);
    return 0;
}

/* Orphans keep their m and their stacks: what the run owned stays for them, unlinked. */
static void leave_orphans(void)
{
    (void)hurry_all(GO__CLAIM_ORPHAN);
    go__futex_lock(&go__sched.lock);
    struct go__m **link = &go__sched.all_m;
    while (*link != NULL) {
        struct go__m *mp = *link;
        if (!mp->gone && !mp->main_thread) {
            (void)pthread_detach(mp->thread);
            *link = mp->all_link;
        } else {
            link = &mp->all_link;
        }
    }
    go__futex_unlock(&go__sched.lock);
    go__machines_join(true);
}

static void end(uint32_t orphans)
{
    go__signals_stop();
    go__debug_stop();
    go__sysmon_stop();
    go__leak_report();
    store_rel(&go__sched.active, 0u);
    go__standins_cancel();
    go__overflow_restore();
    for (int i = 0; i < go__sched.all_p_count; i++) {
        go__free_gs_return(go__sched.all_p[i]);
    }
    if (orphans == 0) {
        go__stacks_destroy();
    }
    go__netpoll_destroy();
    free_ps();
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
    struct go__m *mp = go__enter();
    /* sc: no goroutine is scheduled from here on; pairs with the loads in find_runnable, sysmon and the poller. */
    store_sc(&go__sched.stopping, 1u);
    struct go__g *gp = mp->curg;
    store_rlx(&gp->status, (uint32_t)GO__G_DEAD);
    go__note_wake(&go__sched.main_note);
    go__abandon(mp);
}

/* The thread of go_run works as an m until the run ends, then waits for that if it was not the one that saw it. */
static uint32_t run_here(struct go__m *m0, struct main_call *call)
{
    struct go__g *gp = go__spawn_main(main_goroutine, call);
    if (gp == NULL) {
        go__fatal("out of memory for the main goroutine");
    }
    struct go__p *pp = go__sched.all_p[0];
    pp->m = m0;
    m0->p = pp;
    store_rlx(&pp->status, (uint32_t)GO__P_RUNNING);
    (void)go__runq_put(pp, gp);
    void *exceptions[2] = {NULL, NULL};
    if (m0->cxa != NULL) {
        exceptions[0] = m0->cxa[0];
        exceptions[1] = m0->cxa[1];
    }
    go__m_loop(m0);
    if (m0->cxa != NULL) {
        m0->cxa[0] = exceptions[0];
        m0->cxa[1] = exceptions[1];
    }
    go__note_sleep(&go__sched.main_note);
    return end_threads();
}

static int run(struct main_call *call)
{
    int error = start();
    if (error != 0) {
        return error;
    }
    struct go__m m0;
    memset(&m0, 0, sizeof m0);
    m0.main_thread = true;
    m0.thread = pthread_self();
    go__sched.all_m = &m0;
    sigset_t signals;
    go__thread_block_signals(&signals);
    go__machine_attach(&m0);
    store_rel(&go__sched.active, 1u); /* pairs with every load_acq of active: the ps exist */
    go__debug_start();
    if (go__debug_flag("stacks") && !go__stacks_small_on()) {
        go__warn("this program's link does not move libc calls off small stacks: every goroutine has a reserved stack");
    }
    error = go__sysmon_start();
    uint32_t orphans = 0;
    if (error != 0) {
        store_rel(&go__sched.stopping, 1u);
        go__debug_stop();
        store_rel(&go__sched.active, 0u);
        go__overflow_restore();
        go__stacks_destroy();
        go__netpoll_destroy();
        free_ps();
    } else {
        orphans = run_here(&m0, call);
        end(orphans);
    }
    go__machine_detach(&m0);
    go__thread_restore_signals(&signals);
    if (orphans != 0) {
        leave_orphans();
    }
    return error != 0 ? error : go__sched.result;
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
