/* Thieves: what an m without work takes from other ps, and when it had better not. */
#include "sched/steal.h"

#include "os/clock.h"
#include "sched/crowd.h"
#include "sched/proc.h"
#include "sched/world.h"

#define SPIN_ROUNDS    4    /* passes over all victims; the last one also considers what they hide */
#define PAUSES         20   /* about a microsecond */
#define STILL_PAUSES   60   /* a p that makes no switch for so long does not move */
#define LOOT_WORTH_NS  1000 /* what a stolen goroutine should have taken, for the theft to be worth it */
#define SPARE_WORTH_NS 400  /* what those take, the switch included, that a p would be relieved of */
#define HOLD_MIN_NS    500
#define HOLD_MAX_NS    2000000
#define HOLD_OPEN_NS   40000 /* the end of it: owners share what they have with those who search */
#define ATTEND_NS      20000 /* so often other things are looked after meanwhile */
#define SPARE_TRIES    8

/* victim claimed: what can be had of it. */
static struct go__g *open_up(struct go__p *pp, struct go__p *victim)
{
    go__runq_publish(victim);
    struct go__g *gp = go__runq_steal(pp, victim);
    if (gp == NULL) {
        gp = load_rlx(&victim->runnext);
        if (gp == NULL) {
            return NULL;
        }
        store_rlx(&victim->runnext, NULL); /* a tied one takes the thief's p to its thread */
        /* An interrupt may have stopped the p for a moment, no more. When it has stopped, sysmon sets 0. rlx: heuristic. */
        store_rlx(&victim->ready_limit, load_rlx(&victim->ready_limit) / 64);
    }
    return gp;
}

/* Steals what a p that does not move hides in runnext and its list. The owner uses them only inside, so the p is claimed for a
 * moment. */
static struct go__g *steal_hidden(struct go__p *pp, struct go__p *victim)
{
    if (!go__runq_hides(victim)) {
        return NULL;
    }
    uint64_t seen = load_rlx(&victim->switches);
    for (int i = 0; i < STILL_PAUSES; i++) {
        go__cpu_relax();
    }
    if (load_rlx(&victim->switches) != seen || !go__runq_hides(victim)) {
        return NULL; /* it moves by itself, and shares its list */
    }
    struct go__g *gp = NULL;
    go__futex_lock(&go__sched.lock);
    struct go__m *owner = victim->m;
    if (go__claim_p(victim)) {
        gp = open_up(pp, victim);
        go__unclaim_p(victim, owner);
    }
    go__futex_unlock(&go__sched.lock);
    return gp;
}

/* A thief that holds back. */
struct hold {
    int64_t now, attended;
    uint32_t at;       /* in all_p: whom it watches until it attends again */
    uint64_t progress; /* of that one, when it did */
};

/* What pp has done. rlx: one writer each, hints here. */
static uint64_t progress(const struct go__p *pp)
{
    return load_rlx(&pp->switches) + (uint64_t)load_rlx(&pp->created);
}

/* Has pp more than it runs? rlx: hints. */
static bool has_spare(struct go__p *pp)
{
    return go__runq_hides(pp) || load_rlx(&pp->head) != load_rlx(&pp->tail);
}

/* One p is watched at a time, so that on 128 cores a look costs a few cache lines. */
static void watch_next(struct hold *h, const struct go__p *own)
{
    uint32_t count = (uint32_t)go__sched.procs, at = h->at;
    bool spare = false;
    for (int tries = 0; tries < SPARE_TRIES && !spare; tries++) {
        at = at + 1 < count ? at + 1 : 0;
        if (go__sched.all_p[at] != own) {
            h->at = at;
            spare = has_spare(go__sched.all_p[at]);
        }
    }
    h->progress = progress(go__sched.all_p[h->at]);
}

/* Do the goroutines of the watched p take so long that it should be relieved of some? */
static bool needs_help(const struct go__m *mp, const struct hold *h)
{
    struct go__p *pp = go__sched.all_p[h->at];
    return has_spare(pp) && (int64_t)(progress(pp) - h->progress) * SPARE_WORTH_NS < h->now - h->attended &&
           !go__same_crowd(mp, pp);
}

/* Now and then, while mp holds back: looks after what only searchers look after, how the others do, and what may be done for them. */
static void attend(struct go__m *mp, struct hold *h)
{
    go__poll_at_intervals(mp->p, h->now);
    /* The timers of idle ps are nobody's else, or the poller's; those of a p that computes are nobody's. rlx: heuristic. */
    if (load_rlx(&go__sched.polling) == 0 || load_rlx(&go__sched.idle_p_count) == 0) {
        go__run_due_timers(h->now);
    }
    if (mp->rob_first == NULL && needs_help(mp, h)) {
        mp->rob_first = go__sched.all_p[h->at];
        mp->hold_until = mp->hold_until < h->now + HOLD_OPEN_NS ? mp->hold_until : h->now + HOLD_OPEN_NS;
    }
    watch_next(h, mp->p);
    h->attended = h->now;
    go__slots_prepare();
}

/* While mp holds back: is there something else for it to do? */
static bool has_call(struct go__m *mp, struct hold *h)
{
    struct go__p *pp = mp->p;
    if (load_rlx(&go__sched.stopping) != 0 || load_rlx(&go__sched.world_stopped) != 0 || load_rlx(&mp->claim) == GO__CLAIM_ORPHAN ||
        load_rlx(&go__sched.global_count) != 0 || load_rlx(&pp->timer_next) <= h->now) {
        return true;
    }
    if (h->now - h->attended > ATTEND_NS) {
        attend(mp, h);
    }
    return go__runq_hides(pp) || go__runq_length(pp) != 0;
}

/* Until `open` ns before the end, or until there is something else to do, which is true. */
static bool wait_until(struct go__m *mp, struct hold *h, int64_t open)
{
    bool call = has_call(mp, h);
    while (!call && h->now < mp->hold_until - open) {
        for (int i = 0; i < PAUSES; i++) {
            go__cpu_relax();
        }
        h->now = go__clock_now();
        call = has_call(mp, h);
    }
    return call;
}

/* While every searcher waits so, owners share nothing. */
static bool wait_unoffered(struct go__m *mp, struct hold *h)
{
    if (has_call(mp, h)) {
        return true; /* no change of a word that all owners read */
    }
    (void)add_rlx(&go__sched.holding, 1u); /* rlx, as below: a hint, go__hungry */
    bool call = wait_until(mp, h, HOLD_OPEN_NS);
    if (load_acq(&mp->claim) != GO__CLAIM_ORPHAN) { /* else it is the next run's. acq: as in find_runnable */
        (void)sub_rlx(&go__sched.holding, 1u);
    }
    return call;
}

/* The first search since the theft: was it worth it? If not, for how long to hold back. */
static bool was_worth(struct go__m *mp, int64_t now)
{
    if (now - mp->stole_at > (int64_t)mp->loot * LOOT_WORTH_NS && !go__crowded(mp, now)) {
        mp->hold_ns = 0;
        return true;
    }
    mp->hold_ns = mp->hold_ns * 2 > HOLD_MIN_NS ? mp->hold_ns * 2 : HOLD_MIN_NS;
    mp->hold_ns = mp->hold_ns < HOLD_MAX_NS ? mp->hold_ns : HOLD_MAX_NS;
    mp->hold_until = now + mp->hold_ns;
    return false;
}

/* A thief whose loot was worth less than the theft waits for more to gather, longer each time: taking goroutines that hardly do anything
 * costs their owner and the thief several cache misses each, more than it takes to run them. The same where they and their owner's want one
 * lock, however long they take then. Meanwhile it counts as searching. The wait ends soon, and with that p, where one has goroutines to spare
 * that do something and are not of the same crowd. It is done once a theft; a call only interrupts it. True: that is so, and nothing may be
 * stolen before, for the own queue may not be empty any more. */
bool go__hold_back(struct go__m *mp)
{
    int64_t since = go__clock_now();
    if (mp->held_back || (mp->hold_until == 0 && was_worth(mp, since))) {
        mp->held_back = true;
        return false;
    }
    struct hold h = {.now = since, .attended = since, .at = go__rng_below(&mp->p->rng, (uint32_t)go__sched.procs)};
    watch_next(&h, mp->p);
    bool call = (mp->hold_until - since > HOLD_OPEN_NS && wait_unoffered(mp, &h)) || wait_until(mp, &h, 0);
    if (mp->conflict_at <= since) { /* without goroutines it meets nobody: that is no sign of calm */
        mp->conflict_at += h.now - since;
    }
    mp->held_back = !call;
    return call;
}

static struct go__g *stolen(struct go__m *mp, struct go__g *gp)
{
    struct go__p *pp = mp->p;
    store_rlx(&pp->steals, load_rlx(&pp->steals) + 1);
    mp->stole_at = go__clock_now();
    mp->loot = go__runq_length(pp) + 1;
    mp->hold_until = 0;
    mp->held_back = false;
    return gp;
}

/* From the p that ended the wait, which may hide what it has. */
static struct go__g *steal_first(struct go__m *mp)
{
    struct go__p *victim = mp->rob_first;
    mp->rob_first = NULL;
    if (victim == NULL || victim == mp->p || load_rlx(&go__sched.world_stopped) != 0) {
        return NULL;
    }
    struct go__g *gp = go__runq_steal(mp->p, victim);
    return gp != NULL ? gp : steal_hidden(mp->p, victim);
}

struct go__g *go__steal(struct go__m *mp)
{
    struct go__p *pp = mp->p;
    int64_t now = 0;
    uint32_t count = (uint32_t)go__sched.procs;
    struct go__g *first = steal_first(mp);
    if (first != NULL) {
        return stolen(mp, first);
    }
    for (int round = 0; round < SPIN_ROUNDS; round++) {
        bool last = round == SPIN_ROUNDS - 1;
        uint32_t at = go__rng_below(&pp->rng, count);
        for (uint32_t i = 0; i < count; i++, at = at + 1 == count ? 0 : at + 1) {
            struct go__p *victim = go__sched.all_p[at];
            if (victim == pp || load_rlx(&go__sched.world_stopped) != 0) {
                continue;
            }
            if (last && load_rlx(&victim->timer_next) != INT64_MAX) {
                now = now != 0 ? now : go__clock_now();
                go__run_timers(victim, now);
                struct go__g *own = go__pick_local(pp);
                if (own != NULL) {
                    return own;
                }
            }
            struct go__g *gp = go__runq_steal(pp, victim);
            if (gp == NULL && last) {
                gp = steal_hidden(pp, victim);
            }
            if (gp != NULL) {
                return stolen(mp, gp);
            }
        }
    }
    return NULL;
}
