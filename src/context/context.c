/* The tree of contexts: making, cancelling, deadlines, values, references.
 *
 * References point upwards: a child holds its parent. Downwards a parent only lists its children, and a child whose last
 * reference went takes itself out under the parent's lock; until it has, others may find it there and must not revive it
 * (try_ref). No two contexts are ever locked at once, so their order needs no rule; timer heaps and channels come after them.
 *
 * Cancelling walks the tree without recursion, because trees may be deep and stacks are small. For each context: store err, claim
 * the bound goroutines that wait [cancel-race], and then, unlocked, close the done channel; its children next. A child leaves its
 * parent's list when all below it is done. So whoever cancels what is being cancelled already finds what is left and helps, and when a
 * cancel returns, everything below is done, whoever did it. The claimed goroutines are made ready before the channel is closed.
 *
 * A deadline fires under the heap's lock, where no context may be locked; the cancelling itself is deferred until it is
 * dropped, with a reference of its own. */
#include "context/context.h"

#include <errno.h>

#include "chan/chan.h"
#include "go/time.h"
#include "os/fatal.h"
#include "sched/alloc.h"
#include "sched/park.h"
#include "time/timer.h"

go_context go__context_background = {.deadline = INT64_MAX};

go_context *go_context_background(void)
{
    return &go__context_background;
}

static bool try_ref(go_context *ctx)
{
    uint32_t refs = load_rlx(&ctx->refs);
    while (refs != 0) {
        if (cas_rlx(&ctx->refs, &refs, refs + 1)) { /* rlx: found under a lock, which orders everything else */
            return true;
        }
    }
    return false;
}

/* Under ctx->lock, after err was stored. */
static void claim_waiting(go_context *ctx, struct go__g_list *ready)
{
    for (go__list *node = ctx->goroutines.next; node != &ctx->goroutines; node = node->next) {
        struct go__g *gp = go__container_of(node, struct go__g, bound_link);
        /* [cancel-race]: err is stored, the ticket read after it; a goroutine opens its ticket, then reads err. So either it
         * sees the cancellation or its ticket is seen here. */
        uint32_t ticket = go__claim_open_ticket(gp);
        if (ticket != 0 && go__claim(gp, ticket) && go__wake_prepare(gp, ticket, -ECANCELED)) {
            go__g_list_push(ready, gp);
        }
    }
}

/* Under ctx->lock: a child that is still there, referenced. */
static go_context *first_child(go_context *ctx)
{
    while (!go__list_empty(&ctx->children)) {
        go_context *child = go__container_of(ctx->children.next, go_context, sibling);
        if (try_ref(child)) {
            return child;
        }
        go__list_remove(&child->sibling); /* on its way out: it waits for our lock and ends by itself */
    }
    return NULL;
}

static void close_done(go_chan *done)
{
    if (done != NULL && load_acq(&done->closed) == 0) { /* acq: pairs with the store in go_chan_close */
        (void)go_chan_close(done);                      /* closed by somebody else meanwhile: as good */
    }
}

/* Ends ctx itself if it is live; gives a child that is to be ended next. */
static go_context *end_one(go_context *ctx, int cause)
{
    struct go__g_list ready = {NULL, NULL, 0};
    go__spin_lock(&ctx->lock);
    bool live = load_rlx(&ctx->bound.err) == 0; /* rlx: written under this lock */
    if (live) {
        store_sc(&ctx->bound.err, cause); /* sc: before the tickets are read, see claim_waiting */
        claim_waiting(ctx, &ready);
    }
    go_context *child = first_child(ctx);
    go_chan *done = load_rlx(&ctx->done); /* rlx: written under this lock */
    go__spin_unlock(&ctx->lock);
    if (ready.head != NULL) {
        go__ready_list(&ready); /* at once: closing may enter the runtime, and at the end of the run not come back */
    }
    close_done(done);
    if (live && ctx->own_deadline) {
        (void)go__timer_disarm(&ctx->timer);
    }
    return child;
}

static void detach(go_context *ctx)
{
    go_context *parent = ctx->parent;
    if (parent == NULL) {
        return;
    }
    go__spin_lock(&parent->lock);
    if (go__list_linked(&ctx->sibling)) {
        go__list_remove(&ctx->sibling);
    }
    go__spin_unlock(&parent->lock);
}

void go__context_end(go_context *ctx, int cause)
{
    go_context *at = ctx;
    for (;;) {
        go_context *child = end_one(at, cause);
        if (child != NULL) {
            cause = load_rlx(&at->bound.err); /* rlx: written once, seen by end_one; it may be an earlier cause than ours */
            at = child;
            continue;
        }
        if (at == ctx) {
            break;
        }
        go_context *parent = at->parent;
        detach(at);
        go_context_unref(at);
        at = parent;
    }
}

void go_context_cancel(go_context *ctx, int cause)
{
    go__known();
    if (ctx != &go__context_background) {
        (void)go_context_ref(ctx); /* whoever wakes first may give the caller's up */
        go__context_end(ctx, cause != 0 ? cause : -ECANCELED);
        go_context_unref(ctx);
    }
}

static void expire(void *arg)
{
    go_context *ctx = arg;
    go__context_end(ctx, -ETIMEDOUT);
    go_context_unref(ctx);
}

static int64_t deadline_due(struct go__timer *t, int64_t now, struct go__g_list *ready)
{
    go_context *ctx = go__container_of(t, go_context, timer);
    (void)now;
    (void)ready;
    if (try_ref(ctx)) { /* its memory is there: destroying it disarms the timer under the lock we are called with */
        go__timer_defer(t, GO__TIMER_THEN_CALL, expire, ctx);
    }
    return INT64_MAX;
}

static int arm(go_context *ctx, uint64_t run)
{
    struct go__timers *heap = go__timers_reserve();
    bool first = false;
    if (heap == NULL) {
        return -ENOMEM;
    }
    go__spin_lock(&ctx->lock);
    if (load_rlx(&ctx->bound.err) == 0 && ctx->timer_run != run) { /* rlx: written under this lock */
        ctx->timer_run = run;
        ctx->timer.fire = deadline_due;
        first = go__timer_arm_reserved(heap, &ctx->timer, ctx->deadline);
    } else {
        go__timers_unreserve(heap);
    }
    go__spin_unlock(&ctx->lock);
    if (first) {
        go__timers_announce(heap, ctx->deadline);
    }
    return 0;
}

int go__context_ensure_armed(go_context *ctx)
{
    if (ctx->deadline == INT64_MAX || load_acq(&go__sched.active) == 0) { /* pairs with the store that starts a run */
        return 0;
    }
    uint64_t run = go__sched.run_number;
    go_context *at = ctx;
    /* rlx: a hint; arm decides under the lock */
    for (; at != NULL && at->deadline != INT64_MAX && load_rlx(&at->chain_run) != run; at = at->parent) {
        if (at->own_deadline && arm(at, run) != 0) {
            return -ENOMEM;
        }
    }
    for (; ctx != at; ctx = ctx->parent) { /* only now: the whole chain above is armed */
        store_rlx(&ctx->chain_run, run);
    }
    return 0;
}

/* Lists a new context under its parent; one whose parent is done is done from the start. */
static void attach(go_context *ctx)
{
    go_context *parent = ctx->parent;
    if (parent == NULL) {
        return;
    }
    go__spin_lock(&parent->lock);
    int err = load_rlx(&parent->bound.err); /* rlx: written under this lock */
    if (err == 0) {
        go__list_push_back(&parent->children, &ctx->sibling);
    }
    go__spin_unlock(&parent->lock);
    if (err != 0) {
        go__context_end(ctx, err);
    }
}

static go_context *make(go_context *parent, int64_t deadline, const void *key, void *value)
{
    go__known();
    go_context *ctx = go__alloc(sizeof *ctx);
    if (ctx == NULL) {
        return NULL;
    }
    if (parent == &go__context_background) {
        parent = NULL;
    }
    int64_t above = parent != NULL ? parent->deadline : INT64_MAX;
    store_rlx(&ctx->refs, 1); /* rlx: nobody else knows it */
    ctx->parent = parent != NULL ? go_context_ref(parent) : NULL;
    ctx->key = key;
    ctx->value = value;
    ctx->own_deadline = deadline < above;
    ctx->deadline = ctx->own_deadline ? deadline : above;
    go__list_init(&ctx->children);
    go__list_init(&ctx->goroutines);
    attach(ctx);
    if (ctx->own_deadline && go_context_err(ctx) == 0 && go__context_ensure_armed(ctx) != 0) {
        go_context_unref(ctx);
        return NULL;
    }
    return ctx;
}

go_context *go_context_with_cancel(go_context *parent)
{
    return make(parent, INT64_MAX, NULL, NULL);
}

go_context *go_context_with_deadline(go_context *parent, int64_t deadline)
{
    return make(parent, deadline, NULL, NULL);
}

go_context *go_context_with_timeout(go_context *parent, int64_t duration)
{
    return make(parent, go__deadline_after(go_now(), duration), NULL, NULL);
}

go_context *go_context_with_value(go_context *parent, const void *key, void *value)
{
    return make(parent, INT64_MAX, key, value);
}

go_context *go_context_ref(go_context *ctx)
{
    if (ctx != NULL && ctx != &go__context_background) {
        (void)add_rlx(&ctx->refs, 1); /* rlx: the caller has a reference, nothing is published */
    }
    return ctx;
}

void go_context_unref(go_context *ctx)
{
    /* acqrel: all uses by others come before the destruction; partners are the other releases. */
    while (ctx != NULL && ctx != &go__context_background && sub_acqrel(&ctx->refs, 1) == 1) {
        go__known();
        go_context *parent = ctx->parent;
        detach(ctx);
        go__context_end(ctx, -ECANCELED); /* no children and no bound goroutines: they would hold it */
        if (ctx->own_deadline) {
            (void)go__timer_disarm(&ctx->timer); /* even if it was done: its firing may be under way */
        }
        go_chan_unref(load_rlx(&ctx->done)); /* rlx: nobody else is left */
        go__free(ctx);
        ctx = parent;
    }
}

/* Ends those from ctx upwards whose time is over. */
static void expire_upwards(go_context *ctx, int64_t now)
{
    for (; ctx != NULL && ctx->deadline <= now; ctx = ctx->parent) {
        if (ctx->own_deadline) {
            go__context_end(ctx, -ETIMEDOUT);
        }
    }
}

int go_context_err(go_context *ctx)
{
    int err = load_acq(&ctx->bound.err); /* pairs with the store in end_one */
    if (err == 0) {
        if (ctx->deadline == INT64_MAX) {
            return 0;
        }
        /* The clock decides, not the timer, which may be late, or lack a runtime. */
        int64_t now = go_now();
        if (now < ctx->deadline) {
            return 0;
        }
        expire_upwards(ctx, now);
        err = load_acq(&ctx->bound.err);
    }
    /* Who sees the one must see the other, and whoever ends ctx may be between the two. */
    close_done(load_acq(&ctx->done)); /* acq: pairs with the store in make_done */
    return err;
}

static go_chan *make_done(go_context *ctx)
{
    go_chan *fresh = go_chan_new(0, 0);
    if (fresh == NULL) {
        go__fatal("out of memory for the done channel of a context");
    }
    go__spin_lock(&ctx->lock);
    go_chan *done = load_rlx(&ctx->done); /* rlx: written under this lock */
    if (done == NULL) {
        store_rel(&ctx->done, fresh); /* rel: pairs with the loads of done without the lock */
    }
    go__spin_unlock(&ctx->lock);
    if (done != NULL) {
        go_chan_unref(fresh); /* somebody was faster */
        return done;
    }
    return fresh;
}

go_chan *go_context_done(go_context *ctx)
{
    go__known();
    if (ctx == &go__context_background) {
        return NULL;
    }
    if (go__context_ensure_armed(ctx) != 0) {
        go__fatal("out of memory for the timer of a context");
    }
    go_chan *done = load_acq(&ctx->done); /* acq: pairs with the store in make_done */
    if (done == NULL) {
        done = make_done(ctx);
    }
    if (load_acq(&ctx->bound.err) != 0) { /* acq: as in go_context_err */
        close_done(done);                 /* who cancelled found no channel to close, or has not come to it */
    }
    return done;
}

bool go_context_deadline(go_context *ctx, int64_t *deadline)
{
    if (ctx->deadline == INT64_MAX) {
        return false;
    }
    *deadline = ctx->deadline;
    return true;
}

void *go_context_value(go_context *ctx, const void *key)
{
    for (; ctx != NULL; ctx = ctx->parent) {
        if (ctx->key == key && key != NULL) {
            return ctx->value;
        }
    }
    return NULL;
}
