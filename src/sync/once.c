/* go_once. The word:
 *
 *   0 --first caller--> RUNNING --fn is over--> DONE        QUEUE: lock bit of the queue, beside RUNNING only
 *
 * The store of DONE also drops the queue's lock: whoever sees it may free the object. */
#include "go/sync.h"

#include "sync/locals.h"
#include "sync/waiters.h"

extern void go_once_do(go_once *once, go_func fn, void *arg); /* the inline function's home */

_Static_assert(sizeof(go_once) <= 24, "as promised");

enum { DONE = GO__ONCE_DONE, RUNNING = 2, QUEUE = 4 };

struct run {
    struct go__local local; /* a goroutine's: go_exit inside fn counts as over */
    go_once *once;
};

GO__INLINE go__atomic(uint32_t) * word_of(go_once *once)
{
    return (go__atomic(uint32_t) *)&once->private_word;
}

/* False: fn is over. */
static bool lock_queue(go_once *once)
{
    uint32_t word = load_acq(word_of(once)); /* acq: pairs with the store of DONE */
    for (unsigned round = 0;; round++) {
        if (word == DONE) {
            return false;
        }
        if ((word & QUEUE) == 0 && cas_acqrel(word_of(once), &word, word | QUEUE)) { /* acq: the last one who used the queue */
            break;
        }
        if ((word & QUEUE) != 0) {
            go__sync_pause(round);
            word = load_acq(word_of(once));
        }
    }
    uint32_t run = go__sync_run();
    if (go__unlikely(once->private_run != run)) {
        once->private_run = run;
        once->private_first = NULL;
    }
    return true;
}

static void unlock_queue(void *arg)
{
    go_once *once = arg;
    store_rel(word_of(once), (uint32_t)RUNNING); /* rel: pairs with lock_queue; nobody else changes the word meanwhile */
}

static void over(go_once *once)
{
    (void)lock_queue(once);
    struct go__sudog *list = go__ring_claim_all(&once->private_first);
    store_rel(word_of(once), (uint32_t)DONE); /* rel: all that fn did; from here on the object may be gone */
    go__wake_all(list, 0);
}

static void exited(struct go__g *gp, struct go__local *local)
{
    go__local_remove(gp, local);
    over(go__container_of(local, struct run, local)->once);
}

static void run_fn(go_once *once, go_func fn, void *arg)
{
    struct go__g *gp = go__self();
    struct run run;
    run.once = once;
    if (gp->thread == NULL) { /* a foreign thread has no go_exit */
        run.local.drop = exited;
        go__local_push(gp, &run.local);
    }
    go__call_user(fn, arg);
    if (gp->thread == NULL) {
        go__local_remove(gp, &run.local);
    }
    over(once);
}

static void wait_for_it(go_once *once)
{
    struct go__g *gp = go__self();
    if (lock_queue(once)) {
        struct go__sudog sg;
        sg.g = gp;
        sg.ticket = go__sync_ticket(gp, go__sync_void, unlock_queue, once);
        go__ring_push_last(&once->private_first, &sg);
        (void)go__wait_park(gp, sg.ticket, INT64_MAX, unlock_queue, once, GO__REASON_ONCE);
    }
}

void go__once_do_slow(go_once *once, go_func fn, void *arg)
{
    uint32_t word = 0;
    /* acqrel: one runs fn; the others see what it did by way of DONE. */
    if (cas_acqrel(word_of(once), &word, (uint32_t)RUNNING)) {
        run_fn(once, fn, arg);
    } else {
        wait_for_it(once);
    }
}
