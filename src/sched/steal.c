/* Thieves: what an m without work takes from other ps, and when it had better not. */
#include "sched/steal.h"

#include "os/clock.h"
#include "sched/crowd.h"
#include "sched/proc.h"
#include "sched/world.h"

#define SPIN_ROUNDS    4                     /* passes over all victims; the last one also considers what they hide */
#define STILL_PAUSES   (3 * GO__PAUSES_A_US) /* a p that makes no switch for so long does not move */
#define LOOT_WORTH_NS  1000                  /* what a stolen goroutine should have taken, for the theft to be worth it */
#define SPARE_WORTH_NS 400                   /* what those take, the switch included, that a p would be relieved of */
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
    go__cpu_relax_for(STILL_PAUSES);
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
    int64_t end;       /* not after hold_until */
    uint32_t at;       /* in all_p: whom it watches until it attends again */
    uint64_t progress; /* of that one, when it did */
    int64_t prepared;  /* when it tried to prepare memory last */
    bool crowded;      /* it came from a crowd */
};

/* What pp has done. rlx: one writer each, hints here. */
static uint64_t progress(const struct go__p *pp)
{
    return load_rlx(&pp->switches) + (uint64_t)load_rlx(&pp->created);
}

/* rlx: hints */
static bool has_queue(const struct go__p *pp)
{
    return load_rlx(&pp->own_count) != 0 || load_rlx(&pp->head) != load_rlx(&pp->tail);
}

/* One p is watched at a time, so that on 128 cores few cache lines are read. */
static void watch_next(struct hold *h, const struct go__p *own)
{
    uint32_t count = (uint32_t)go__sched.procs, at = h->at;
    bool found = false;
    for (int tries = 0; tries < SPARE_TRIES && !found; tries++) {
        at = at + 1 < count ? at + 1 : 0;
        struct go__p *pp = go__sched.all_p[at];
        if (pp != own) {
            h->at = at;
            found = has_queue(pp) || go__runq_hides(pp);
        }
    }
    h->progress = progress(go__sched.all_p[h->at]);
}

/* Do the goroutines of the watched p take so long that it should be relieved of some? A pair in runnext, as long as it goes on, shall not. */
static bool needs_help(const struct go__m *mp, const struct hold *h)
{
    struct go__p *pp = go__sched.all_p[h->at];
    int64_t done = (int64_t)(progress(pp) - h->progress);
    bool spare = has_queue(pp) || (done == 0 && go__runq_hides(pp));
    return spare && done * SPARE_WORTH_NS < h->now - h->attended && !(h->crowded && go__met_then(mp, pp));
}

/* Now and then, while mp holds back: looks after what only searchers look after, and how the others do. */
static void attend(struct go__m *mp, struct hold *h)
{
    go__poll_at_intervals(mp->p, h->now);
    /* The timers of idle ps are nobody's else, or the poller's; those of a p that computes are nobody's. rlx: heuristic. */
    if (load_rlx(&go__sched.polling) == 0 || load_rlx(&go__sched.idle_p_count) == 0) {
        go__run_due_timers(h->now);
    }
    if (mp->rob_first == NULL && needs_help(mp, h)) {
        mp->rob_first = go__sched.all_p[h->at];
        h->end = h->end < h->now + HOLD_OPEN_NS ? h->end : h->now + HOLD_OPEN_NS;
    }
    watch_next(h, mp->p);
    h->attended = h->now;
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

/* About a microsecond. True: there is something else to do. */
static bool wait_a_little(struct go__m *mp, struct hold *h)
{
    go__cpu_relax_for(GO__PAUSES_A_US);
    h->now = go__clock_now();
    return has_call(mp, h);
}

static bool may_prepare(const struct hold *h)
{
    return go__slots_wanted() && h->now - h->prepared > ATTEND_NS;
}

/* While every searcher waits so, owners share nothing. */
static bool wait_unoffered(struct go__m *mp, struct hold *h)
{
    bool call = false;
    mp->unoffered = true;
    (void)add_rlx(&go__sched.holding, 1u); /* rlx, as below: a hint, go__hungry */
    while (!call && h->now < h->end - HOLD_OPEN_NS && !may_prepare(h)) {
        call = wait_a_little(mp, h);
    }
    if (load_acq(&mp->claim) != GO__CLAIM_ORPHAN) { /* else it is the next run's. acq: as in find_runnable */
        (void)sub_rlx(&go__sched.holding, 1u);
    }
    return call;
}

/* Memory for goroutines to come. That takes some hundred us, in which mp does not search. True: there is something else to do. */
static bool prepare_slots(struct go__m *mp, struct hold *h)
{
    go__spinning_stop(mp);
    fence_sc(); /* [idle-race]: whoever made work visible before has woken nobody */
    h->now = h->prepared = go__clock_now();
    if (!has_call(mp, h)) {
        go__slots_prepare();
    }
    go__spinning_start(mp);
    h->now = go__clock_now();
    return has_call(mp, h);
}

/* True: something else is to be done before the end. */
static bool wait_to_end(struct go__m *mp, struct hold *h)
{
    bool call = has_call(mp, h); /* before words are changed that all owners read */
    while (!call && h->now < h->end - HOLD_OPEN_NS) {
        call = wait_unoffered(mp, h);
        if (!call && mp->rob_first == NULL && may_prepare(h)) {
            call = prepare_slots(mp, h);
        }
    }
    while (!call && h->now < h->end) {
        call = wait_a_little(mp, h);
    }
    return call;
}

/* The first search since the theft: for how long to hold back. Not at all where it was worth it. */
static void judge(struct go__m *mp, int64_t now)
{
    if (now - mp->stole_at > (int64_t)mp->loot * LOOT_WORTH_NS && !go__crowded(mp, now)) {
        mp->hold_ns = 0;
    } else {
        mp->hold_ns = mp->hold_ns * 2 > HOLD_MIN_NS ? mp->hold_ns * 2 : HOLD_MIN_NS;
        mp->hold_ns = mp->hold_ns < HOLD_MAX_NS ? mp->hold_ns : HOLD_MAX_NS;
    }
    mp->hold_until = now + mp->hold_ns;
}

/* A thief whose loot was worth less than the theft waits for more to gather, longer each time: taking goroutines that hardly do anything
 * costs their owner and the thief several cache misses each, more than it takes to run them. The same where they and their owner's want one
 * lock, however long they take then. Meanwhile it counts as searching. The wait is interrupted soon for a p that has goroutines to spare
 * that do something and are not of the same crowd, and for other things to do, which is true: nothing may be stolen before these, for the own
 * queue may not be empty any more. It is had once a theft. */
bool go__hold_back(struct go__m *mp)
{
    int64_t since = go__clock_now();
    if (mp->hold_until == 0) {
        judge(mp, since);
    }
    if (since >= mp->hold_until) {
        return false;
    }
    struct hold h = {.now = since, .attended = since, .end = mp->hold_until, .crowded = go__crowded(mp, since)};
    h.at = go__rng_below(&mp->p->rng, (uint32_t)go__sched.procs);
    watch_next(&h, mp->p);
    bool call = wait_to_end(mp, &h);
    if (mp->conflict_at <= since) { /* without goroutines it meets nobody: that is no sign of calm */
        mp->conflict_at += h.now - since;
    }
    mp->rob_first = call ? NULL : mp->rob_first;
    return call;
}

static struct go__g *stolen(struct go__m *mp, struct go__g *gp)
{
    struct go__p *pp = mp->p;
    store_rlx(&pp->steals, load_rlx(&pp->steals) + 1);
    mp->stole_at = go__clock_now();
    mp->loot = go__runq_length(pp) + 1;
    mp->hold_until = 0;
    return gp;
}

static struct go__g *steal_from(struct go__m *mp, struct go__p *victim, bool hidden)
{
    struct go__g *gp = go__runq_steal(mp->p, victim);
    if (gp == NULL && hidden) {
        gp = steal_hidden(mp->p, victim);
    }
    return gp != NULL ? stolen(mp, gp) : NULL;
}

struct go__g *go__steal(struct go__m *mp)
{
    struct go__p *pp = mp->p;
    int64_t now = 0;
    uint32_t count = (uint32_t)go__sched.procs;
    struct go__p *first = mp->rob_first;
    if (first != NULL) {
        mp->rob_first = NULL;
        struct go__g *gp = load_rlx(&go__sched.world_stopped) == 0 ? steal_from(mp, first, true) : NULL;
        if (gp != NULL || go__clock_now() < mp->hold_until) {
            return gp; /* or the wait goes on: that one needs no help any more */
        }
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
            struct go__g *gp = steal_from(mp, victim, last);
            if (gp != NULL) {
                return gp;
            }
        }
    }
    return NULL;
}
