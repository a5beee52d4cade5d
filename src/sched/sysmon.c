/* sysmon wakes every 20 us to 10 ms while goroutines run (500 us while a p is idle beside them or a slice is over, see next_delay), and when
 * the slice ends of a p for which somebody waits; not at all while everything sleeps.
 *
 *   a p that has run one slice for 10 ms while others wait     asks it to give way (p.preempt, poisoned limit word)
 *   a p whose goroutine does not switch while work waits, and
 *   whose thread sleeps in the kernel, for 0.4 ms, or computes,
 *   for 11 ms                                                  takes the p away (go__claim_p) and gives it to another thread
 *   goroutines that only a p's owner reaches, and it does not move   wakes a thief
 *   nobody has looked at the network for 10 ms                 looks
 *   timers or descriptors that nobody watches                  wakes a thread
 *
 * A goroutine that loses its p while its thread computes is a hog. The number of hogs without a p is bounded, so that code that
 * computes without end cannot multiply threads; blocked threads are bounded by max_threads only. The kernel says which it is: how much
 * of a CPU the thread got says nothing when there are more of its kind than cores. It is asked 0.34, 0.7, 1.4 … 11 ms after the switch
 * (an answer costs 3 us), and every 11 ms from then on. */
#include "sched/sysmon.h"

#include <errno.h>

#include "os/clock.h"
#include "os/thread.h"
#include "sched/hooks.h"
#include "sched/proc.h"

#define SLICE_NS       10000000
#define STUCK_NS       10000000
#define ASK_FIRST_NS   343750
#define ASK_LAST_NS    (32 * ASK_FIRST_NS) /* later than STUCK_NS, so that split code may give way by itself */
#define POLL_LATE_NS   10000000
#define RUNNEXT_NS     40000
#define DELAY_MIN_NS   20000
#define NAP_NS         100000
#define DELAY_MAX_NS   10000000
#define DELAY_WATCH_NS 500000 /* while others run, and an idle p could be needed to watch timers and descriptors */
#define QUIET_ROUNDS   50     /* rounds without an event before the delay grows */
#define TRIM_NS        1000000000
#define HOGS_PER_P     4u
#define HOGS_ASKED     16u

static pthread_t thread;
/* Seen in this look, of ps that run something while somebody waits for them: is there any, is one's slice over, when will the next one's be. */
static bool somebody_waits, slice_over;
static int64_t slice_ends;

static bool work_waits_for(struct go__p *pp, int64_t now)
{
    return go__work_waits() || load_rlx(&pp->runnext) != NULL || load_rlx(&pp->timer_next) <= now;
}

/* Nothing is to be taken from anybody, the lost ps are the stopper's. What follows needs sched.lock. */
static bool halted(void)
{
    return load_rlx(&go__sched.stopping) != 0 || load_rlx(&go__sched.world_stopped) != 0; /* rlx: under the lock */
}

/* sched.lock held. The m that has pp, or NULL. */
static struct go__m *holder(struct go__p *pp)
{
    return halted() ? NULL : pp->m;
}

static bool many_hogs(void)
{
    return go__sched.hogs >= HOGS_PER_P * (uint32_t)go__sched.procs;
}

/* How the thread fares that has pp and runs a goroutine; -EAGAIN if it is in the runtime. With as many hogs as may be, who sleeps now must
 * sleep longer to lose its p: it may be the next one. */
static int ask_kernel(struct go__p *pp, bool *in_doubt)
{
    go__futex_lock(&go__sched.lock);
    struct go__m *mp = holder(pp);
    int tid = mp != NULL && load_rlx(&mp->inside) == 0 ? mp->tid : 0; /* rlx: go__claim_p looks again */
    *in_doubt = many_hogs();
    go__futex_unlock(&go__sched.lock);
    return tid != 0 ? go__thread_computes(tid) : -EAGAIN;
}

static void mark_hog(struct go__m *mp, bool computes)
{
    go__sched.hogs += (uint32_t)computes - (uint32_t)mp->hog;
    mp->hog = computes;
}

/* Split code gives way at its next prologue. sched.lock held, mp in no goco call: it would need the lock to run another goroutine. */
static void poison(struct go__m *mp)
{
    if (mp->limit_address != NULL) {
        __atomic_store_n(mp->limit_address, GO__LIMIT_POISON, __ATOMIC_RELAXED); /* see GO__LIMIT_POISON */
    }
}

/* Takes pp from a goroutine that does not enter the runtime. */
static bool retake(struct go__p *pp, bool hog, int64_t unmoved)
{
    bool taken = false, too_many = false;
    go__futex_lock(&go__sched.lock);
    struct go__m *mp = holder(pp);
    if (mp != NULL && load_rlx(&pp->switches) == pp->seen_switches) { /* rlx: it may change all the same, and p with it */
        too_many = hog && many_hogs();
        taken = !too_many && go__claim_p(pp);
    }
    if (taken) {
        mark_hog(mp, hog);
        go__runq_release(pp); /* the goroutine will queue behind what it has started */
    }
    go__futex_unlock(&go__sched.lock);
    if (taken) {
        store_rlx(&pp->handoffs, load_rlx(&pp->handoffs) + 1); /* rlx: the p is ours */
        go__handoff(pp);
    } else {
        pp->ask_after = unmoved + (too_many ? ASK_LAST_NS : ASK_FIRST_NS);
    }
    return taken;
}

/* Work waits for pp, whose goroutine has not switched for a while. True if it lost its p. */
static bool look_closer(struct go__p *pp, int64_t unmoved)
{
    if (unmoved < pp->ask_after) {
        return false;
    }
    bool in_doubt;
    int computes = ask_kernel(pp, &in_doubt);
    if (computes == -EAGAIN) {
        return false; /* soon again */
    }
    if ((computes != 0 || in_doubt) && unmoved < ASK_LAST_NS) {
        pp->ask_after *= 2;
        return false;
    }
    return retake(pp, computes > 0, unmoved); /* where the kernel would not say the p goes too, in the end */
}

/* Who lost its p asleep may compute by now, and a hog sleep. Split code that computes waits for a p at its next prologue. A few at a time,
 * as each answer costs 3 us. */
static void count_hogs(int64_t now)
{
    static int64_t counted;
    static uint32_t next; /* whose turn it is, by its place in the list */
    if (now - counted < ASK_LAST_NS) {
        return;
    }
    counted = now;
    uint32_t place = 0, asked = 0;
    go__futex_lock(&go__sched.lock);
    struct go__m *mp = go__sched.lost != 0 && !halted() ? go__sched.all_m : NULL;
    for (; mp != NULL && asked < HOGS_ASKED; mp = mp->all_link, place++) {
        if (place >= next && mp->lost_p && !mp->blocked) {
            bool computes = go__thread_computes(mp->tid) > 0;
            mark_hog(mp, computes);
            if (computes && load_rlx(&mp->claim) == GO__CLAIM_TAKEN) { /* rlx: as it is written, under the lock */
                poison(mp);
            }
            asked++;
        }
    }
    next = mp != NULL ? place : 0;
    go__futex_unlock(&go__sched.lock);
}

/* The word is the thread's own: late or lost, the next round writes it again. */
static void ask_to_give_way(struct go__p *pp)
{
    go__futex_lock(&go__sched.lock);
    struct go__m *mp = holder(pp);
    if (mp != NULL && load_rlx(&mp->inside) == 0) {
        poison(mp);
    }
    go__futex_unlock(&go__sched.lock);
}

/* True if a p lost its m, or a thief was called. */
static bool look_at(struct go__p *pp, int64_t now)
{
    if (load_rlx(&pp->status) != GO__P_RUNNING) {
        return false;
    }
    uint32_t tick = load_rlx(&pp->sched_tick); /* rlx throughout: late values only make us late */
    uint64_t switches = load_rlx(&pp->switches);
    if (switches != pp->seen_switches) {
        pp->seen_switches = switches;
        pp->moved_since = now;
        pp->ask_after = go__sched.valgrind ? ASK_LAST_NS : ASK_FIRST_NS; /* there threads sleep until it is their turn to compute */
    }
    if (tick != pp->seen_tick) {
        pp->seen_tick = tick;
        pp->seen_since = now;
    }
    bool idle_ps = load_rlx(&go__sched.idle_p_count) != 0;
    bool hides = now - pp->moved_since > RUNNEXT_NS && go__runq_hides(pp) && idle_ps;
    if (hides) {
        store_rlx(&pp->ready_limit, 0u);
        go__wakep();
    }
    if (!work_waits_for(pp, now)) {
        return hides;
    } /* thieves may fail, or there is no thread to be one: then the p changes hands */
    somebody_waits = true;
    bool over = now - pp->seen_since >= SLICE_NS;
    if (over) {
        slice_over = true;
        store_rlx(&pp->preempt, 1u);
    } else if (pp->seen_since + SLICE_NS < slice_ends) {
        slice_ends = pp->seen_since + SLICE_NS;
    }
    if (over && now - pp->moved_since >= STUCK_NS) {
        ask_to_give_way(pp);
    }
    bool taken = look_closer(pp, now - pp->moved_since);
    return taken || hides;
}

static void look_at_network(int64_t now)
{
    if (now - load_rlx(&go__sched.last_poll) < POLL_LATE_NS || !go__netpoll_has_waiters()) {
        return;
    }
    uint32_t nobody = 0;
    if (!cas_sc(&go__sched.polling, &nobody, 1u)) { /* somebody sleeps there; also keeps the deadlock check away */
        return;
    }
    struct go__g_list ready = {0};
    store_rlx(&go__sched.last_poll, now);
    go__netpoll(0, &ready);
    go__ready_list(&ready);
    store_sc(&go__sched.polling, 0u);
}

static void look_at_idle(void)
{
    if (load_rlx(&go__sched.idle_p_count) == 0) {
        return;
    }
    if (go__work_waits() || go__unwatched()) {
        go__wakep();
    }
}

/* No p runs, and nothing waits that a thread would have to be found for. */
static bool all_quiet(void)
{
    return load_rlx(&go__sched.idle_p_count) == (uint32_t)go__sched.procs && !go__work_waits() && !go__unwatched();
}

/* From here until the note idle_p_pop tells us when a p is taken. */
static bool fall_asleep(void)
{
    go__futex_lock(&go__sched.lock);
    bool quiet = all_quiet() && load_rlx(&go__sched.stopping) == 0 && load_rlx(&go__sched.world_stopped) == 0 &&
                 load_rlx(&go__sched.sysmon_note.word) == 0;
    if (quiet) {
        store_rlx(&go__sched.sysmon_asleep, 1u); /* rlx: read under the lock */
    }
    go__futex_unlock(&go__sched.lock);
    return quiet;
}

/* Everything sleeps and has slept for a while: waits for idle_p_pop to say otherwise. */
static void sleep_deep(void)
{
    int64_t now = go__clock_now();
    go__debug_poll();
    go__check_dead(); /* who went idle last may have seen somebody who was about to do so too */
    if (fall_asleep()) {
        if (go__note_sleep_for(&go__sched.sysmon_note, TRIM_NS) != 0) {
            go__stacks_trim(now + TRIM_NS); /* a last one, once what was in use has been idle for a second */
        }
        go__note_sleep(&go__sched.sysmon_note);
    }
    go__futex_lock(&go__sched.lock);
    store_rlx(&go__sched.sysmon_asleep, 0u);
    go__futex_unlock(&go__sched.lock);
    go__note_clear(&go__sched.sysmon_note);
}

/* A number that changes whenever a p does something. */
static uint64_t activity(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < load_acq(&go__sched.all_p_count); i++) {
        sum += load_rlx(&go__sched.all_p[i]->switches);
    }
    return sum;
}

static bool look_around(int64_t now)
{
    bool events = false;
    for (int i = 0; i < go__sched.procs; i++) {
        events |= look_at(go__sched.all_p[i], now);
    }
    count_hogs(now);
    look_at_network(now);
    look_at_idle();
    return events;
}

/* The thread that slept in the poller runs what it woke for, and wakes no other one to take its place: most goroutines wait again at once.
 * When one does not, the look that finds a thread for timers and descriptors must not be far off. */
static int64_t next_delay(int64_t delay, int quiet, bool active)
{
    if (quiet < QUIET_ROUNDS) {
        return DELAY_MIN_NS;
    }
    bool watch = go__sched.procs > 1 && (active || load_rlx(&go__sched.idle_p_count) != (uint32_t)go__sched.procs) &&
                 (go__netpoll_has_waiters() || go__timers_earliest() != INT64_MAX);
    int64_t most = watch || slice_over ? DELAY_WATCH_NS : DELAY_MAX_NS;
    return delay * 2 < most ? delay * 2 : most;
}

/* After a long nap the first look tells that a p has switched since, and only the next one that it has not. No slice for whose
 * end somebody was seen to wait lasts longer because we were asleep. */
static int64_t next_nap(int64_t delay, int64_t last, int64_t now)
{
    if (somebody_waits && last > ASK_FIRST_NS && delay > ASK_FIRST_NS) {
        delay = ASK_FIRST_NS;
    }
    int64_t left = slice_ends - now;
    return left >= delay ? delay : left > DELAY_MIN_NS ? left : DELAY_MIN_NS;
}

/* Short ones are not worth being woken from, and futexes are left to those who wait for each other. */
static void nap(int64_t delay)
{
    if (delay <= NAP_NS) {
        go__clock_sleep(delay);
    } else {
        (void)go__note_sleep_for(&go__sched.sysmon_note, delay);
    }
}

static void *sysmon(void *arg)
{
    int64_t delay = DELAY_MIN_NS, length = delay, last_trim = go__clock_now();
    int quiet = 0;
    uint64_t seen = 0;
    (void)arg;
    go__debug_sysmon_thread_init();
    while (load_acq(&go__sched.stopping) == 0) { /* acq pairs with run.c */
        nap(length);
        go__note_clear(&go__sched.sysmon_note);
        if (load_acq(&go__sched.stopping) != 0) { /* the note that has just been cleared said so, perhaps: no deep sleep now */
            break;
        }
        int64_t now = go__clock_now();
        store_rlx(&go__sched.coarse_now, now);
        go__debug_poll();
        go__schedtrace_tick(now);
        somebody_waits = slice_over = false;
        slice_ends = INT64_MAX;
        if (load_rlx(&go__sched.world_stopped) == 0) {
            bool events = look_around(now);
            quiet = events ? 0 : quiet + (quiet < QUIET_ROUNDS);
        }
        uint64_t moved = activity();
        delay = next_delay(delay, quiet, moved != seen);
        if (now - last_trim > TRIM_NS) {
            last_trim = now;
            go__stacks_trim(now);
        }
        if (moved == seen && delay == DELAY_MAX_NS && go__debug_value("schedtrace", 0) == 0 && all_quiet()) {
            sleep_deep();
            delay = DELAY_MIN_NS;
            quiet = 0;
        }
        length = next_nap(delay, length, now);
        seen = moved;
    }
    return NULL;
}

int go__sysmon_start(void)
{
    go__note_clear(&go__sched.sysmon_note);
    return go__thread_start(&thread, sysmon, NULL);
}

void go__sysmon_stop(void)
{
    go__note_wake(&go__sched.sysmon_note);
    (void)pthread_join(thread, NULL);
}
