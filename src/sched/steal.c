/* Thieves: what an m without work takes from other ps, and when it had better not. */
#include "sched/steal.h"

#include "os/clock.h"
#include "sched/crowd.h"
#include "sched/proc.h"
#include "sched/world.h"

#define SPIN_ROUNDS   4    /* passes over all victims; the last one also considers runnext */
#define LOOK_PAUSES   20   /* about a microsecond */
#define LOOT_WORTH_NS 1000 /* what a stolen goroutine should take, the theft included */
#define WORTHY_NS     400  /* what those should take that a p has to spare */
#define HOLD_MIN_NS   500
#define HOLD_MAX_NS   2000000
#define HOLD_OPEN_NS  40000 /* the end of it: owners share what they have with those who search */
#define HOLD_LOOK_NS  20000
#define LOOK_TRIES    8

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
    for (int i = 0; i < 3 * LOOK_PAUSES; i++) {
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
    int64_t now, looked;
    uint32_t at;       /* in all_p: whom it watches until it looks again */
    uint64_t progress; /* of that one, when it looked */
};

/* What pp has done. rlx: one writer each, hints here. */
static uint64_t progress(const struct go__p *pp)
{
    return load_rlx(&pp->switches) + (uint64_t)load_rlx(&pp->created);
}

/* Has pp queued more than it runs? rlx, as below: hints. */
static bool has_spare(const struct go__p *pp)
{
    return load_rlx(&pp->own_count) != 0 || load_rlx(&pp->head) != load_rlx(&pp->tail);
}

/* One p is watched at a time, so that on 128 cores a look costs a few cache lines. */
static void watch_next(struct hold *h, const struct go__p *own)
{
    uint32_t count = (uint32_t)go__sched.procs, at = h->at;
    const struct go__p *pp = own;
    for (int tries = 0; tries < LOOK_TRIES && (pp == own || !has_spare(pp)); tries++) {
        at = at + 1 < count ? at + 1 : 0;
        if (go__sched.all_p[at] != own) {
            h->at = at;
            pp = go__sched.all_p[at];
        }
    }
    h->progress = progress(pp);
}

/* Do the goroutines that the watched p has queued take long enough? */
static bool worthy(const struct go__m *mp, const struct hold *h)
{
    const struct go__p *pp = go__sched.all_p[h->at];
    return has_spare(pp) && (int64_t)(progress(pp) - h->progress) * WORTHY_NS < h->now - h->looked && !go__same_crowd(mp, pp);
}

/* Now and then, while mp holds back: looks after what only searchers look after, how the others do, and what may be done for them. */
static void look_around(struct go__m *mp, struct hold *h)
{
    go__poll_at_intervals(mp->p, h->now);
    if (load_rlx(&go__sched.polling) == 0) { /* the timers of idle ps are nobody's else */
        go__run_due_timers(h->now);
    }
    if (worthy(mp, h) && mp->hold_until > h->now + HOLD_OPEN_NS) {
        mp->hold_until = h->now + HOLD_OPEN_NS;
    }
    watch_next(h, mp->p);
    h->looked = h->now;
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
    if (h->now - h->looked > HOLD_LOOK_NS) {
        look_around(mp, h);
    }
    return go__runq_hides(pp) || go__runq_length(pp) != 0;
}

/* Until `open` ns before the end, or until there is something else to do, which is true. */
static bool hold(struct go__m *mp, struct hold *h, int64_t open)
{
    bool call = false;
    while (!call && h->now < mp->hold_until - open) {
        for (int i = 0; i < LOOK_PAUSES; i++) {
            go__cpu_relax();
        }
        h->now = go__clock_now();
        call = has_call(mp, h);
    }
    return call;
}

/* A thief whose loot was worth less than the theft waits for more to gather, longer each time: taking goroutines that hardly do anything
 * costs their owner and the thief several cache misses each, more than it takes to run them. The same where they and their owner's want one
 * lock, however long they take then. Meanwhile it counts as searching, but owners offer nothing, until shortly before the end; that comes soon
 * where a p, not of the same crowd, has goroutines to spare that do something. True: there is something else to do, and nothing may be
 * stolen before that, for the own queue may not be empty any more. */
bool go__hold_back(struct go__m *mp)
{
    int64_t since = go__clock_now();
    if (since - mp->stole_at > (int64_t)mp->loot * LOOT_WORTH_NS && !go__crowded(mp, since)) {
        mp->hold_ns = mp->hold_until = 0;
        return false;
    }
    if (mp->hold_until == 0) { /* else the last one was cut short, and goes on */
        mp->hold_ns = mp->hold_ns > HOLD_MIN_NS ? mp->hold_ns : HOLD_MIN_NS;
        mp->hold_until = since + mp->hold_ns;
    }
    struct hold h = {.now = since, .looked = since, .at = go__rng_below(&mp->p->rng, (uint32_t)go__sched.procs)};
    watch_next(&h, mp->p);
    bool call = false;
    if (mp->hold_until - since > HOLD_OPEN_NS) {
        (void)add_rlx(&go__sched.holding, 1u); /* rlx, as below: a hint, go__hungry */
        call = hold(mp, &h, HOLD_OPEN_NS);
        (void)sub_rlx(&go__sched.holding, 1u);
    }
    call = call || hold(mp, &h, 0);
    if (mp->conflict_at <= since) { /* without goroutines it meets nobody: that is no sign of calm */
        mp->conflict_at += h.now - since;
    }
    if (!call) {
        mp->hold_until = 0;
        mp->hold_ns = mp->hold_ns * 2 < HOLD_MAX_NS ? mp->hold_ns * 2 : HOLD_MAX_NS;
    }
    return call;
}

struct go__g *go__steal(struct go__m *mp)
{
    struct go__p *pp = mp->p;
    int64_t now = 0;
    uint32_t count = (uint32_t)go__sched.procs;
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
                store_rlx(&pp->steals, load_rlx(&pp->steals) + 1);
                mp->stole_at = go__clock_now();
                mp->loot = go__runq_length(pp) + 1;
                return gp;
            }
        }
    }
    return NULL;
}
