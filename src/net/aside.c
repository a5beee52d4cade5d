#include "net/aside.h"

#include <errno.h>

#include "sched/blocking.h"

/* --- the goroutine's side --- */

void go__aside_unref(struct go__aside *aside)
{
    if (sub_acqrel(&aside->references, 1u) == 1) { /* acqrel: both are through with it */
        aside->drop(aside);
    }
}

static void call(void *arg)
{
    struct go__aside *aside = arg;
    aside->call(aside);
}

static void run_aside(void *arg)
{
    struct go__aside *aside = arg;
    go__blocking_call(call, aside);
    go__spin_lock(&aside->lock);
    struct go__g *gp = aside->waiter;
    uint32_t ticket = aside->ticket;
    aside->done = true;
    if (gp != NULL && !go__claim(gp, ticket)) {
        gp = NULL;
    }
    go__spin_unlock(&aside->lock);
    if (gp != NULL) {
        go__wake(gp, ticket, 0);
    }
    go__aside_unref(aside);
}

struct deep_spawn {
    go_func fn;
    void *arg;
    int result;
};

static void spawn(void *arg)
{
    struct deep_spawn *s = arg;
    s->result = go_spawn(NULL, s->fn, s->arg);
}

int go__spawn_deep(go_func fn, void *arg)
{
    struct deep_spawn s = {fn, arg, 0};
    go__system_call(spawn, &s);
    return s.result;
}

/* --- the caller's side --- */

int go__aside_start(struct go__aside *aside)
{
    store_rlx(&aside->references, 2u); /* rlx: published by the spawn */
    int error = go__spawn_deep(run_aside, aside);
    if (error != 0) {
        store_rlx(&aside->references, 1u);
    }
    return error;
}

void go__aside_unlock(void *aside)
{
    struct go__aside *a = aside;
    go__spin_unlock(&a->lock);
}

GO__NOINLINE struct go__g *go__aside_begin_wait(struct go__aside *aside, int64_t deadline)
{
    struct go__g *gp = go__self();
    go__spin_lock(&aside->lock);
    if (aside->done) {
        go__spin_unlock(&aside->lock);
        return NULL;
    }
    aside->waiter = gp;
    aside->ticket = go__wait_begin(gp, deadline, true);
    return gp;
}

GO__NOINLINE void go__aside_end_wait(struct go__aside *aside)
{
    go__spin_lock(&aside->lock);
    aside->waiter = NULL;
    go__spin_unlock(&aside->lock);
}
