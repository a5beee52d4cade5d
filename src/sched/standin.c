#include "sched/standin.h"

#include <errno.h>
#include <stdlib.h>

#include "os/fatal.h"
#include "sched/hooks.h"
#include "sched/proc.h"

static __thread struct go__standin *mine;
static pthread_key_t at_exit;
static pthread_once_t at_exit_once = PTHREAD_ONCE_INIT;

/* sched.lock held. */
static void uncount(struct go__standin *s)
{
    if (s->run == 0 || s->run != go__sched.run_number) {
        return;
    }
    struct go__standin **link = &go__sched.standins;
    while (*link != NULL && *link != s) {
        link = &(*link)->next;
    }
    if (*link != NULL) { /* otherwise the run is over: go__standins_cancel has emptied the list */
        *link = s->next;
        go__sched.foreign--;
    }
    s->run = 0;
}

static void thread_ends(void *value)
{
    struct go__standin *s = value;
    if (s->g.locals != NULL) {
        go__locals_drop(&s->g); /* what the destructors bind is dropped next */
    }
    if (s->g.bound != NULL) {
        go__bound_drop(&s->g);
    }
    go__futex_lock(&go__sched.lock);
    bool last = s->run != 0 && s->run == go__sched.run_number && go__sched.foreign == 1;
    uncount(s);
    go__futex_unlock(&go__sched.lock);
    mine = NULL;
    free(s);
    if (last) {
        go__check_dead(); /* nobody is left who could wake the rest, perhaps */
    }
}

static void make_key(void)
{
    if (pthread_key_create(&at_exit, thread_ends) != 0) {
        go__fatal("no thread key left for foreign threads");
    }
}

static GO__NOINLINE struct go__standin *standin_new(void)
{
    (void)pthread_once(&at_exit_once, make_key);
    struct go__standin *s = calloc(1, sizeof *s);
    if (s == NULL || pthread_setspecific(at_exit, s) != 0) {
        go__fatal("out of memory for a foreign thread");
    }
    s->g.thread = s;
    s->g.slot_kind = GO__SLOT_CUSTOM; /* no canary */
    mine = s;
    return s;
}

/* sched.lock held: s is of the run that runs, or of none. Without one nothing can be waited for; calls that need not wait work. */
static void enroll(struct go__standin *s)
{
    uncount(s);
    s->run = 0;                             /* of a run that is over, perhaps */
    if (load_rlx(&go__sched.active) != 0) { /* rlx: the end of a run stores it, then looks for us under the lock */
        s->run = go__sched.run_number;
        s->next = go__sched.standins;
        go__sched.standins = s;
        go__sched.foreign++;
    }
}

struct go__g *go__standin_get(void)
{
    struct go__standin *s = mine;
    if (go__likely(s != NULL && s->run == go__sched.run_number && s->run != 0)) {
        return &s->g;
    }
    if (s == NULL) {
        s = standin_new();
    }
    go__futex_lock(&go__sched.lock);
    enroll(s);
    go__futex_unlock(&go__sched.lock);
    return &s->g;
}

/* It waits without a ticket: said so (go__wait_sole), or never had one. */
static bool is_sole(struct go__g *gp)
{
    uint32_t word = load_acq(&gp->claim); /* acq pairs with the store in go__wait_sole */
    return word == 0 || (word & GO__WAIT_STATES) == GO__WAIT_SOLE;
}

static GO__NORETURN void ended_under(enum go__reason reason)
{
    go__fatal("the run ended while a foreign thread waits in %s: join your threads first", go__reason_text[reason]);
}

/* s cannot wait in its run, which is over; the next one may have begun. Returns only if somebody has ended the wait already, or
 * nobody will but we: then true. */
static bool run_is_over(struct go__standin *s, enum go__reason reason)
{
    if (s->run == 0 || (is_sole(&s->g) && s->run == go__sched.run_number)) {
        go__fatal("a thread waits in a goco call (%s) while no runtime runs", go__reason_text[reason]);
    }
    if (is_sole(&s->g)) {
        ended_under(reason);
    }
    uint32_t ticket = go__claim_open_ticket(&s->g); /* 0: claimed, and whoever has claimed it wakes us all the same */
    return ticket != 0 && go__claim(&s->g, ticket);
}

int go__standin_park(go__commit_fn commit, void *arg, enum go__reason reason)
{
    struct go__standin *s = mine; /* enrolled by the go__self of this call: its run is the one in which the wait was begun */
    struct go__g *gp = &s->g;
    gp->reason = (uint8_t)reason;
    go__futex_lock(&go__sched.lock);
    if (load_rlx(&go__sched.active) == 0 || (s->run != 0 && s->run != go__sched.run_number)) { /* rlx: the lock orders it */
        go__futex_unlock(&go__sched.lock);
        if (run_is_over(s, reason)) {
            return -ECANCELED;
        }
        go__futex_lock(&go__sched.lock);
    } else if (s->run == 0) { /* a run has begun meanwhile */
        enroll(s);
    }
    s->waiting = true;
    go__note_clear(&s->note);
    go__futex_unlock(&go__sched.lock);
    store_rlx(&gp->status, (uint32_t)GO__G_WAITING); /* rlx: for dumps */
    if (commit == NULL || commit(gp, arg)) {
        go__note_sleep(&s->note);
    }
    go__edge_acquire(gp);
    store_rlx(&gp->status, (uint32_t)GO__G_RUNNING);
    go__futex_lock(&go__sched.lock);
    s->waiting = false;
    go__futex_unlock(&go__sched.lock);
    return gp->wake_code;
}

void go__standin_wake(struct go__g *gp)
{
    go__note_wake(&gp->thread->note);
}

void go__standins_cancel(void)
{
    go__futex_lock(&go__sched.lock);
    for (struct go__standin *s = go__sched.standins; s != NULL; s = s->next) {
        if (!s->waiting) {
            continue;
        }
        uint32_t ticket = go__claim_open_ticket(&s->g);
        if (ticket != 0 && go__claim(&s->g, ticket)) {
            if (go__wake_prepare(&s->g, ticket, -ECANCELED)) {
                go__standin_wake(&s->g);
            }
        } else if (ticket == 0 && load_rlx(&s->note.word) == 0 && is_sole(&s->g)) {
            ended_under((enum go__reason)s->g.reason);
        }
    }
    go__sched.standins = NULL;
    go__sched.foreign = 0;
    go__futex_unlock(&go__sched.lock);
}
