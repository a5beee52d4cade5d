/* Uses of descriptors, their turns, closing and making known. The states are told in fdtable.h. */
#include "poll/fdtable.h"

#include <fcntl.h>

#include "os/sanitize.h"
#include "os/syscall.h"
#include "os/vm.h"
#include "poll/netpoll.h"
#include "sched/alloc.h"
#include "sched/blocking.h"

go__atomic(struct go__fd *) go__fd_chunks[GO__FD_CHUNKS];
static go__atomic(int) top;

GO__INLINE unsigned chunk_size(unsigned chunk)
{
    return chunk == 0 ? 1u << GO__FD_CHUNK_BITS : go__fd_chunk_start(chunk);
}

GO__NOINLINE int go__fd_make(int fd, struct go__fd **record)
{
    unsigned chunk = go__fd_chunk((unsigned)fd);
    if (go__syscall2(SYS_fcntl, fd, F_GETFD) < 0) { /* a wild number must not make a table of its size */
        return -EBADF;
    }
    size_t bytes =
        sizeof(struct go__fd) * chunk_size(chunk); /* addresses only, until records are touched; zero is "open, unknown" */
    struct go__fd *records = go__vm_map(0, bytes, go__vm_page());
    struct go__fd *before = NULL;
    if (records == NULL) {
        return -ENOMEM;
    }
    if (!cas_acqrel(&go__fd_chunks[chunk], &before, records)) { /* rel publishes the mapping, acq sees a faster one's */
        go__vm_unmap(records, bytes);
        records = before;
    }
    *record = &records[(unsigned)fd - go__fd_chunk_start(chunk)];
    return 0;
}

void go__fd_raise_top(int fd)
{
    int before = load_rlx(&top); /* rlx: read when nobody raises it any more */
    while (before <= fd && !cas_rlx(&top, &before, fd + 1)) {}
}

/* --- queues: the first waiter's prev is the last one --- */

void go__fd_enqueue(struct go__fd_waiter **queue, struct go__fd_waiter *w, struct go__g *gp, uint32_t ticket)
{
    struct go__fd_waiter *first = *queue;
    w->g = gp;
    w->ticket = ticket;
    w->queued = true;
    w->dropped = false;
    w->next = NULL;
    if (first == NULL) {
        w->prev = w;
        *queue = w;
    } else {
        w->prev = first->prev;
        first->prev->next = w;
        first->prev = w;
    }
}

void go__fd_dequeue(struct go__fd_waiter **queue, struct go__fd_waiter *w)
{
    struct go__fd_waiter *first = *queue;
    if (w == first) {
        *queue = w->next;
    } else {
        w->prev->next = w->next;
    }
    if (w->next != NULL) {
        w->next->prev = w->prev;
    } else if (w != first) {
        first->prev = w->prev;
    }
    w->queued = false;
}

struct go__fd_waiter *go__fd_claim(struct go__fd_waiter **queue, uint32_t *count)
{
    struct go__fd_waiter *w;
    while ((w = *queue) != NULL) {
        go__fd_dequeue(queue, w);
        if (count != NULL) {
            ++*count;
        }
        if (go__claim(w->g, w->ticket)) {
            return w;
        }
    }
    return NULL;
}

void go__fd_unlock_commit(void *record)
{
    struct go__fd *r = record;
    go__spin_unlock(&r->lock);
}

/* --- turns --- */

#define RETRY  2
#define ORPHAN 3

/* Queues for the turn that another use has: GO__FD_WAIT, RETRY, -ETIMEDOUT, or ORPHAN: not queued, with a reference. */
static GO__NOINLINE int queue_for_turn(struct go__fd_use *use, enum go__fd_direction d, struct go__fd_waiter *w)
{
    struct go__fd *r = use->record;
    struct go__g *gp = go__self();
    int code = 0;
    go__spin_lock(&r->lock);
    uint64_t word = load_rlx(&r->word); /* rlx: the compare-and-swap decides */
    do {
        if ((word & (GO__FD_CLOSING | GO__FD_RELEASING)) != 0 || (word & use->turn) == 0) {
            code = RETRY;
        } else if (go__fd_has(r, GO__FD_EXPIRED(d))) {
            code = -ETIMEDOUT;
        }
        /* acq: as in go__fd_begin_fast. */
    } while (code == 0 && !cas_acq(&r->word, &word, (word + GO__FD_REF) | GO__FD_QUEUE(d)));
    if (code != 0) {
        go__spin_unlock(&r->lock);
        return code;
    }
    use->generation = go__fd_generation(word);
    if (go__unlikely(go__is_orphan(go__m()))) {
        go__spin_unlock(&r->lock);
        return ORPHAN;
    }
    w->poll = false;
    go__fd_enqueue(&r->turns[d], w, gp, go__wait_begin(gp, INT64_MAX, false));
    return GO__FD_WAIT;
}

/* Woken without the turn: the use has none, and is to be ended. */
static GO__NOINLINE void leave_queue(struct go__fd_use *use, enum go__fd_direction d, struct go__fd_waiter *w)
{
    struct go__fd *r = use->record;
    go__spin_lock(&r->lock);
    if (w->queued && go__fd_generation(load_rlx(&r->word)) == use->generation) { /* rlx: changes under the lock only */
        go__fd_dequeue(&r->turns[d], w);
    }
    go__spin_unlock(&r->lock);
    use->turn = 0;
    use->dropped = w->dropped;
}

/* The word was in the way of go__fd_begin_fast: 0 if that can be tried again. */
static GO__NOINLINE int clear_way(struct go__fd_use *use)
{
    uint64_t word = load_rlx(&use->record->word); /* rlx: the compare-and-swaps decide */
    if ((word & GO__FD_RELEASING) != 0) {
        go_yield(); /* another thread is about to return from close(2) */
        return 0;
    }
    return (word & GO__FD_CLOSING) != 0 ? -EBADF : 0;
}

/* What goes deep (clear_way yields, go__wait_park parks, go__fd_end may close) is called from here and not from further below, because
 * there is little stack left. */
GO__NOINLINE int go__fd_begin_slow(struct go__fd_use *use, enum go__fd_direction d, enum go__reason reason)
{
    struct go__fd_waiter w;
    int code;
    do {
        code = clear_way(use);
        if (code != 0 || go__fd_begin_fast(use, use->fd, GO__FD_TURN(d))) {
            return code;
        }
        code = queue_for_turn(use, d, &w);
    } while (code == RETRY);
    if (go__unlikely(code == ORPHAN)) {
        use->turn = 0;
        go__fd_orphan_ends(use);
    }
    if (code != GO__FD_WAIT) {
        return code;
    }
    code = go__wait_park(w.g, w.ticket, INT64_MAX, go__fd_unlock_commit, use->record, reason);
    if (code != 0) { /* 0: whoever had the turn has handed it over */
        leave_queue(use, d, &w);
        go__fd_end(use);
    }
    return code;
}

int go__fd_hold(struct go__fd_use *use, int fd)
{
    int code = go__fd_find(fd, &use->record);
    if (go__unlikely(code != 0)) {
        return code;
    }
    while (!go__fd_begin_fast(use, fd, 0)) {
        code = clear_way(use);
        if (code != 0) {
            return code;
        }
    }
    return 0;
}

static int release(struct go__fd *r, int fd, uint32_t generation);

static GO__NOINLINE void end_slow(const struct go__fd_use *use)
{
    struct go__fd *r = use->record;
    struct go__fd_waiter *w = NULL;
    struct go__g *gp = NULL;
    uint32_t ticket = 0;
    go__spin_lock(&r->lock);
    uint64_t word = load_acq(&r->word), after; /* acq pairs with the closer's compare-and-swap */
    if (go__fd_generation(word) != use->generation) {
        go__spin_unlock(&r->lock); /* the number has changed hands: the run is over, or somebody closed it behind our back */
        return;
    }
    if (use->turn != 0 && (word & GO__FD_CLOSING) == 0) {
        w = go__fd_claim(&r->turns[use->turn == GO__FD_TURN(GO__FD_WRITE)], NULL);
    }
    if (w != NULL) {
        gp = w->g;
        ticket = w->ticket;
    }
    do { /* queueing needs the lock, so an empty queue stays empty */
        after = w != NULL ? word - GO__FD_REF : (word - GO__FD_REF) & ~(uint64_t)(use->turn | use->turn << 2);
    } while (!cas_acqrel(&r->word, &word, after)); /* acqrel: as in go__fd_end; whoever drops the last one sees all others' uses */
    go__spin_unlock(&r->lock);
    if (gp != NULL) {
        go__wake(gp, ticket, 0);
    }
    if ((after & (GO__FD_CLOSING | GO__FD_REFS)) == GO__FD_CLOSING) {
        (void)release(r, use->fd, use->generation);
    }
}

void go__fd_end(struct go__fd_use *use)
{
    struct go__fd *r = use->record;
    if (go__unlikely(use->dropped)) {
        return;
    }
    uint64_t word = load_rlx(&r->word); /* rlx: the compare-and-swap decides */
    /* GO__FD_QUEUE(d) is GO__FD_TURN(d) << 2. rel: what this use did comes before the next one; partner is go__fd_begin_fast. */
    if (go__likely(go__fd_generation(word) == use->generation && (word & (GO__FD_CLOSING | use->turn << 2)) == 0 &&
                   cas_rel(&r->word, &word, (word - GO__FD_REF) & ~(uint64_t)use->turn))) {
        return;
    }
    end_slow(use);
}

GO__NOINLINE void go__fd_orphan_ends(struct go__fd_use *use)
{
    go__fd_end(use);
    go__abandon(go__m());
}

/* --- closing --- */

/* record.lock held. Everybody who waits is told -ECANCELED and loses its reference; returns how many did. */
static uint32_t drop_waiters(struct go__fd *r, struct go__g_list *list)
{
    struct go__fd_waiter **queues[4] = {&r->ready[0], &r->ready[1], &r->turns[0], &r->turns[1]};
    uint32_t dropped = 0, unwaited = 0;
    for (int i = 0; i < 4; i++) {
        struct go__fd_waiter *w;
        while ((w = go__fd_claim(queues[i], i < 2 ? &unwaited : NULL)) != NULL) {
            struct go__g *gp = w->g;
            w->dropped = true;
            dropped++;
            if (go__wake_prepare(gp, w->ticket, -ECANCELED)) {
                go__g_list_push(list, gp);
            }
        }
    }
    go__netpoll_unwait(unwaited);
    return dropped;
}

/* record.lock held, nobody uses the record: what is left of the old descriptor goes. */
static void wipe(struct go__fd *r)
{
    go__fd_deadlines_clear(r);
    store_rlx(&r->flags, 0u); /* rlx throughout: published by the word */
    store_rlx(&r->kind, (uint32_t)GO__FD_UNKNOWN);
    store_rlx(&r->registered, 0u);
    store_rlx(&r->inode, UINT64_C(0));
    go__free(r->path); /* go_close has taken it; left only if the number was closed behind our back */
    r->path = NULL;
}

/* record.lock held, because the end of the run may come in between. */
static char *take_path(struct go__fd *r)
{
    char *path = r->path;
    r->path = NULL;
    return path;
}

static void remove_path(char *path)
{
    if (path != NULL) {
        (void)go__syscall3(SYS_unlinkat, AT_FDCWD, (long)path, 0);
        go__free(path);
    }
}

/* The last reference to a closing descriptor is gone. A foreign thread may find that the run has ended and closed it meanwhile. */
static int release(struct go__fd *r, int fd, uint32_t generation)
{
    go__spin_lock(&r->lock);
    if (go__fd_generation(load_rlx(&r->word)) != generation) { /* rlx: changes under the lock only */
        go__spin_unlock(&r->lock);
        return 0;
    }
    go__netpoll_forget(r, fd);
    wipe(r);
    uint64_t fresh = (uint64_t)(generation + 1) << 32;
    store_rel(&r->word, fresh | GO__FD_RELEASING); /* rel pairs with the acquiring CAS of the next use */
    go__spin_unlock(&r->lock);
    long error = go__san_close(fd);
    uint64_t word = fresh | GO__FD_RELEASING;
    (void)cas_acqrel(&r->word, &word, fresh); /* fails if go__fd_adopt has the number already */
    return error == -EINTR ? 0 : (int)error;  /* Linux closes in any case */
}

/* Gives the closer's reference back, and those of the waiters it dropped. True: they were the last ones. If the run has ended
 * meanwhile (the closer is a foreign thread), its end has closed the descriptor, and the word counts another one's users. */
static bool drop_references(struct go__fd *r, uint32_t generation, uint32_t references)
{
    uint64_t word = load_rlx(&r->word), after; /* rlx: the compare-and-swap decides */
    do {
        if (go__fd_generation(word) != generation) {
            return false;
        }
        after = word - references * GO__FD_REF;
        /* acqrel: as in end_slow. The users that are in the middle of a system call close it when they come back. */
    } while (!cas_acqrel(&r->word, &word, after));
    return (after & GO__FD_REFS) == 0;
}

/* The record is marked as closing, with a reference for the closer. Out of line, because the closer may have yielded deeply before. */
static GO__NOINLINE int finish_closing(struct go__fd *r, int fd, uint32_t generation)
{
    struct go__g_list list = {NULL, NULL, 0};
    uint32_t references = 0;
    char *path = NULL;
    go__spin_lock(&r->lock);
    if (go__fd_generation(load_rlx(&r->word)) == generation) { /* rlx: changes under the lock only */
        path = take_path(r);
        references = drop_waiters(r, &list) + 1;
    }
    go__spin_unlock(&r->lock);
    remove_path(path); /* while the descriptor is open: once it is closed somebody else may bind the path */
    int error = drop_references(r, generation, references) ? release(r, fd, generation) : 0;
    go__ready_list(&list);
    return error;
}

int go__fd_close(int fd)
{
    struct go__fd *r;
    go__check_forked(); /* a listener's path is the parent's */
    int error = go__fd_find(fd, &r);
    if (error != 0) {
        return error == -EBADF ? error : (int)go__san_close(fd);
    }
    uint64_t word = load_rlx(&r->word); /* rlx: the compare-and-swap decides */
    for (;;) {
        if ((word & GO__FD_RELEASING) != 0) {
            go_yield();
            word = load_rlx(&r->word);
        } else if ((word & GO__FD_CLOSING) != 0) {
            return -EBADF;
        } else if (cas_acqrel(&r->word, &word, (word + GO__FD_REF) | GO__FD_CLOSING)) { /* pairs with end_slow */
            return finish_closing(r, fd, go__fd_generation(word));
        }
    }
}

/* --- making known --- */

/* The number was closed behind our back, by close(2), while the record knew it. */
static GO__NOINLINE void take_over(struct go__fd *r)
{
    struct go__g_list list = {NULL, NULL, 0};
    go__spin_lock(&r->lock);
    (void)drop_waiters(r, &list);
    wipe(r);
    /* A plain store: whoever changes the word by compare-and-swap now fails at the generation. */
    store_rel(&r->word, (uint64_t)(go__fd_generation(load_rlx(&r->word)) + 1) << 32);
    go__spin_unlock(&r->lock);
    go__ready_list(&list);
}

int go__fd_adopt(int fd, enum go__fd_kind kind, uint32_t flags)
{
    struct go__fd *r;
    int error = go__fd_find(fd, &r);
    if (error != 0) {
        (void)go__san_close(fd);
        return error;
    }
    go__fd_raise_top(fd);
    uint64_t word = load_acq(&r->word);
    bool clean =
        (word & (GO__FD_CLOSING | GO__FD_REFS)) == 0 && load_rlx(&r->kind) == GO__FD_UNKNOWN && load_rlx(&r->registered) == 0;
    if (!clean || !cas_acqrel(&r->word, &word, (uint64_t)(go__fd_generation(word) + 1) << 32)) {
        take_over(r);
    }
    /* rlx: nobody else knows the descriptor; whoever learns of it learns of these stores. */
    store_rlx(&r->drained, load_rlx(&r->edge[GO__FD_READ]) - 1);
    store_rlx(&r->flags, flags | GO__FD_OWN);
    store_rlx(&r->kind, (uint32_t)kind);
    return 0;
}

/* --- the end of a run --- */

/* Foreign threads that come back from a wait only now find another generation and keep away. */
static void forget_users(struct go__fd *r, int fd, bool close)
{
    go__spin_lock(&r->lock);
    uint64_t word = load_rlx(&r->word); /* rlx: changes with us alone, or fails at the generation */
    r->ready[0] = r->ready[1] = r->turns[0] = r->turns[1] = NULL;
    go__fd_deadlines_clear(r);
    struct go__fd_deadlines *deadlines = load_rlx(&r->deadlines); /* rlx: under the lock, as the store */
    store_rlx(&r->deadlines, NULL);                               /* no timer fires any more */
    store_rlx(&r->registered, 0u);
    close = close || (word & GO__FD_CLOSING) != 0;
    char *path = close ? take_path(r) : NULL; /* the closer's, which comes too late for it */
    if (close) {
        wipe(r);
    }
    store_rel(&r->word, (uint64_t)(go__fd_generation(word) + 1) << 32); /* rel: as in release */
    go__spin_unlock(&r->lock);
    go__free(deadlines);
    remove_path(path);
    if (close) {
        (void)go__san_close(fd);
    }
}

void go__fd_discard(int fd)
{
    forget_users(go__fd_peek(fd), fd, true);
}

static void reset(struct go__fd *r, int fd)
{
    uint64_t word = load_rlx(&r->word);
    if ((word & (GO__FD_CLOSING | GO__FD_REFS)) != 0 || load_rlx(&r->registered) != 0 || load_rlx(&r->deadlines) != NULL) {
        forget_users(r, fd, false);
    }
}

void go__fd_reset_all(void)
{
    int end = load_acq(&top); /* stays: a record known from this run is used in the next without being made known again */
    for (int fd = 0; fd < end; fd++) {
        struct go__fd *r = go__fd_peek(fd);
        if (r != NULL) {
            reset(r, fd);
        }
    }
}
