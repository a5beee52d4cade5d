/* Binding a context to a goroutine: g.bound is read by every call that may park, the context lists its goroutines to wake them.
 *
 * A binding holds a reference, so a context with bound goroutines is never destroyed. g.bound and the link change only while
 * the goroutine itself runs (or before it first does, or after its run is over), so a canceller that finds it in the list
 * finds it bound. */
#include "context/context.h"
#include "os/fatal.h"
#include "sched/hooks.h"
#include "sched/park.h"

static go__atomic(uint64_t) bound_run; /* the last run in which a goroutine bound a context; a hint */

GO__SCHED_INLINE go_context *bound_of(struct go__g *gp)
{
    return (go_context *)(void *)gp->bound; /* bound is the first member */
}

/* Takes over the caller's reference. */
static GO__NO_TSAN void link_goroutine(struct go__g *gp, go_context *ctx)
{
    gp->bound = &ctx->bound;
    if (ctx != &go__context_background) {                   /* which is never cancelled */
        if (load_rlx(&bound_run) != go__sched.run_number) { /* rlx: read again when the run's threads have ended */
            store_rlx(&bound_run, go__sched.run_number);
        }
        go__spin_lock(&ctx->lock);
        go__list_push_back(&ctx->goroutines, &gp->bound_link);
        go__spin_unlock(&ctx->lock);
    }
}

/* Gives the binding's reference to the caller. */
static GO__NO_TSAN go_context *unlink_goroutine(struct go__g *gp)
{
    go_context *ctx = bound_of(gp);
    if (ctx != NULL && ctx != &go__context_background) {
        go__spin_lock(&ctx->lock);
        go__list_remove(&gp->bound_link);
        go__spin_unlock(&ctx->lock);
    }
    gp->bound = NULL;
    return ctx;
}

go_context *go_context_bind(go_context *ctx)
{
    struct go__g *gp = go__self();
    go_context *before = bound_of(gp);
    if (ctx == before) {
        return before;
    }
    if (ctx != NULL && go__context_ensure_armed(ctx) != 0) {
        go__fatal("out of memory for the timer of a context");
    }
    (void)unlink_goroutine(gp);
    if (ctx != NULL) {
        link_goroutine(gp, go_context_ref(ctx));
    }
    go_context_unref(before);
    return before;
}

go_context *go_context_bound(void)
{
    return bound_of(go__self());
}

void go__bound_inherit(struct go__g *child, struct go__g *parent)
{
    link_goroutine(child, go_context_ref(bound_of(parent)));
}

void go__bound_drop(struct go__g *gp)
{
    go_context_unref(unlink_goroutine(gp));
}

static void drop_left(struct go__g *gp, void *arg)
{
    (void)arg;
    /* rlx: its thread has ended, or is left behind with it: then its memory stays, and its binding with it. */
    if (gp->bound != NULL && load_rlx(&gp->status) != GO__G_RUNNING) {
        go__bound_drop(gp);
    }
}

void go__bounds_drop_all(void)
{
    if (load_rlx(&bound_run) == go__sched.run_number || go__stacks_kept()) { /* or orphans of another run have ended */
        go__slots_each(drop_left, NULL);
    }
}
