/* Waiting for events and deadlines of descriptors; the rules are told in netpoll.h. */
#include "poll/netpoll.h"

#include <errno.h>
#include <sys/stat.h>

#include "go/time.h"
#include "os/syscall.h"
#include "sched/alloc.h"
#include "sched/hooks.h"
#include "sched/proc.h"
#include "time/timer.h"

struct go__fd_deadlines {
    struct go__fd *record;     /* constant */
    struct go__timer timer[2]; /* armed and disarmed under record.lock */
    int64_t when[2];           /* INT64_MAX: none; under record.lock */
};

#if GO__TSAN
char go__io_edge;
#endif

/* --- how many wait ---
 *
 * One word for all would be fought over by every P at each request. Each thread adds and takes away in the slot it hashes to, so a
 * single slot may be negative and only the sum means something: it is exact as soon as nobody parks or wakes, and those who ask while
 * others are at work ask again before they sleep. On 128 cores a slot is shared by eight; the sum costs 16 lines. */

#define SLOTS 16

/* Foreign threads in a wait: they come back even when the run is over, so its end leaves this word alone. */
static go__atomic(int64_t) foreign_waiting;

static struct {
    GO__ALIGNED(GO__CACHELINE) go__atomic(int64_t) waiting;
} slots[SLOTS];

GO__INLINE go__atomic(int64_t) * own_slot(void)
{
    struct go__m *mp = go__m();
    return &slots[((uintptr_t)mp / sizeof *mp) % SLOTS].waiting;
}

void go__netpoll_wait_more(void)
{
    (void)add_rlx(own_slot(), 1); /* rlx: a goroutine's thread looks itself before it sleeps; foreign threads add a barrier */
}

void go__netpoll_wait_less(uint32_t count)
{
    if (count != 0) {
        (void)sub_rlx(own_slot(), (int64_t)count); /* rlx: see above */
    }
}

int64_t go__netpoll_waiters(void)
{
    int64_t sum = load_rlx(&foreign_waiting);
    for (int i = 0; i < SLOTS; i++) {
        sum += load_rlx(&slots[i].waiting); /* rlx: see above */
    }
    return sum;
}

bool go__netpoll_has_waiters(void)
{
    return go__netpoll_waiters() > 0;
}

void go__netpoll_unwait(uint32_t count)
{
    if (count == 0) {
        return;
    }
    go__netpoll_wait_less(count);
    if (load_sc(&go__sched.polling) != 0 && !go__netpoll_has_waiters()) {
        go__netpoll_break(); /* whoever sleeps in the poller sleeps for nothing: is anybody left who can run? */
    }
}

void go__netpoll_count_reset(void)
{
    for (int i = 0; i < SLOTS; i++) {
        store_rlx(&slots[i].waiting, 0); /* rlx: nobody else is left */
    }
}

/* A foreign thread is about to wait: nobody may be watching yet, because no goroutine had a reason to. */
static void begin_foreign(void)
{
    (void)add_rlx(&foreign_waiting, 1);
    fence_sc(); /* [idle-race]: the waiter is counted, now look for somebody who polls or will look again */
    if (go__unwatched()) {
        go__wakep();
    }
}

static void end_foreign(void)
{
    (void)sub_rlx(&foreign_waiting, 1);
    if (load_sc(&go__sched.polling) != 0 && !go__netpoll_has_waiters()) {
        go__netpoll_break();
    }
}

/* --- waiting --- */

/* record.lock held: why a wait cannot begin, 0 if it can. */
static int refuse(const struct go__fd_use *use, unsigned expired)
{
    uint64_t word = load_acq(&use->record->word); /* acq pairs with the closer's compare-and-swap */
    if ((word & GO__FD_CLOSING) != 0 || go__fd_generation(word) != use->generation) {
        return -ECANCELED;
    }
    return go__fd_has(use->record, expired) ? -ETIMEDOUT : 0;
}

/* 0 and the inode, 0 of what is no socket; or -errno. Out of line, so that its struct does not lie on the stack while check_socket
 * registers. */
static GO__NOINLINE int socket_inode(int fd, uint64_t *inode)
{
    struct stat st;
    int error = (int)go__syscall2(SYS_fstat, fd, (long)&st);
    if (error == 0) {
        *inode = S_ISSOCK(st.st_mode) ? st.st_ino : 0;
    }
    return error;
}

/* Under the lock, as the generation's going up: who is late, a foreign thread whose run is over, must not register what others use by
 * now. Their events would be taken for those of a descriptor that had the number before. inode: of a socket that is not ours, else 0. */
static GO__NOINLINE int register_use(struct go__fd_use *use, uint64_t inode)
{
    struct go__fd *r = use->record;
    go__spin_lock(&r->lock);
    bool late = go__fd_generation(load_rlx(&r->word)) != use->generation; /* rlx: changes under the lock only */
    int error = late ? -ECANCELED : go__netpoll_register(r, use->fd, use->generation);
    if (error == 0 && inode != 0 && load_rlx(&r->inode) != inode) {
        store_rlx(&r->kind, (uint32_t)GO__FD_UNKNOWN); /* the next try looks at it anew */
        store_rlx(&r->inode, inode);                   /* now: whoever finds it relies on what is registered */
    }
    go__spin_unlock(&r->lock);
    return error;
}

/* A socket that is not ours: is it still the one that was registered? */
static GO__NOINLINE int check_socket(struct go__fd_use *use, bool *socket)
{
    struct go__fd *r = use->record;
    uint64_t inode = 0;
    int error = socket_inode(use->fd, &inode);
    if (error != 0) {
        return error;
    }
    *socket = inode != 0;
    if (!*socket || (load_rlx(&r->registered) == load_rlx(&go__netpoll_number) && load_rlx(&r->inode) == inode)) {
        return 0; /* rlx: written by those who hold a reference, and any two write the same */
    }
    return register_use(use, inode);
}

/* Before the lock is taken. *renew: to be registered for this wait. */
static int prepare(struct go__fd_use *use, bool *renew)
{
    struct go__fd *r = use->record;
    bool socket = true;
    int error = 0;
    if (!go__fd_has(r, GO__FD_OWN)) {
        error = check_socket(use, &socket);
    } else if (go__unlikely(load_rlx(&r->registered) != load_rlx(&go__netpoll_number))) { /* rlx: as in check_socket */
        error = register_use(use, 0);
    }
    *renew = !socket;
    return error;
}

/* GO__FD_WAIT: *w is filled and queued, the lock held; 0 or an error, which is negative. */
static GO__NOINLINE int begin_wait(struct go__fd_use *use, enum go__fd_direction d, uint32_t edge, struct go__fd_waiter *w)
{
    struct go__fd *r = use->record;
    bool renew;
    int code = prepare(use, &renew);
    if (code < 0) {
        return code;
    }
    struct go__g *gp = go__self();
    if (go__unlikely(gp->thread != NULL)) {
        begin_foreign();
    }
    w->poll = false;
    go__spin_lock(&r->lock);
    code = refuse(use, GO__FD_EXPIRED(d));
    if (go__likely(code == 0 && load_rlx(&r->edge[d]) == edge)) { /* rlx: changes under the lock only */
        code = go__unlikely(renew) ? go__netpoll_rearm(r, use->fd, 1u << d) : 0;
        if (go__likely(code == 0)) { /* the ticket is opened when nothing can stop the wait: a canceller may have it at once */
            go__fd_enqueue(&r->ready[d], w, gp, go__wait_begin(gp, INT64_MAX, false));
            go__netpoll_wait_more();
            return GO__FD_WAIT;
        }
    }
    go__spin_unlock(&r->lock);
    if (gp->thread != NULL) {
        end_foreign();
    }
    return code;
}

/* Woken by another cause than the record's, perhaps, or a foreign thread: the waiter may still be queued. */
static GO__NOINLINE void leave_wait(struct go__fd_use *use, enum go__fd_direction d, struct go__fd_waiter *w)
{
    struct go__fd *r = use->record;
    go__spin_lock(&r->lock);
    if (w->queued && go__fd_generation(load_rlx(&r->word)) == use->generation) { /* rlx: changes under the lock only */
        go__fd_dequeue(&r->ready[d], w);
        go__netpoll_unwait(1); /* under the lock: a run that ends resets the record first, then the count */
    }
    go__spin_unlock(&r->lock);
    if (w->g->thread != NULL) {
        end_foreign();
    }
}

int go__fd_wait(struct go__fd_use *use, enum go__fd_direction d, uint32_t edge, enum go__reason reason)
{
    struct go__fd_waiter w;
    int code = begin_wait(use, d, edge, &w);
    if (code != GO__FD_WAIT) {
        return code;
    }
    code = go__wait_park(w.g, w.ticket, INT64_MAX, go__fd_unlock_commit, use->record, reason);
    if (go__unlikely(w.ticket != 0)) {
        leave_wait(use, d, &w);
    }
    use->dropped = w.dropped;
    return code;
}

static bool moved(const struct go__fd_poll *p)
{
    struct go__fd *r = p->use.record;
    for (unsigned d = 0; d < 2; d++) {
        if ((p->directions & 1u << d) != 0 && load_rlx(&r->edge[d]) != p->edge[d]) { /* rlx: changes under the lock only */
            return true;
        }
    }
    return false;
}

/* record.lock held. */
static void dequeue_both(struct go__fd_poll *p)
{
    struct go__fd *r = p->use.record;
    uint32_t taken = 0;
    for (unsigned d = 0; d < 2; d++) {
        if (p->waiter[d].queued) {
            go__fd_dequeue(&r->ready[d], &p->waiter[d]);
            taken++;
        }
    }
    go__netpoll_unwait(taken);
}

/* record.lock held. 0 or what registering says. */
static int enqueue_both(struct go__fd_poll *p, struct go__g *gp, int64_t deadline, bool renew)
{
    struct go__fd *r = p->use.record;
    int error = renew ? go__netpoll_rearm(r, p->use.fd, p->directions) : 0;
    if (error != 0) {
        return error;
    }
    uint32_t ticket = go__wait_begin(gp, deadline, true);
    for (unsigned d = 0; d < 2; d++) {
        p->waiter[d].ticket = ticket;
        if ((p->directions & 1u << d) != 0) {
            p->waiter[d].poll = true;
            go__fd_enqueue(&r->ready[d], &p->waiter[d], gp, ticket);
            go__netpoll_wait_more();
        }
    }
    return 0;
}

GO__NOINLINE int go__fd_begin_poll(struct go__fd_poll *p, int64_t deadline)
{
    struct go__fd *r = p->use.record;
    bool renew;
    int code = prepare(&p->use, &renew);
    if (code != 0) {
        return code;
    }
    struct go__g *gp = go__self();
    if (gp->thread != NULL) {
        begin_foreign();
    }
    for (unsigned d = 0; d < 2; d++) {
        p->waiter[d].g = gp;
        p->waiter[d].queued = p->waiter[d].dropped = false;
    }
    go__spin_lock(&r->lock);
    code = refuse(&p->use, 0);
    if (code == 0 && !moved(p)) {
        code = enqueue_both(p, gp, deadline, renew);
        if (code == 0) {
            return GO__FD_WAIT;
        }
    }
    go__spin_unlock(&r->lock);
    if (gp->thread != NULL) {
        end_foreign();
    }
    return code;
}

GO__NOINLINE void go__fd_end_poll(struct go__fd_poll *p)
{
    struct go__fd *r = p->use.record;
    go__spin_lock(&r->lock);
    if (go__fd_generation(load_rlx(&r->word)) == p->use.generation) { /* rlx: changes under the lock only */
        dequeue_both(p);
    }
    go__spin_unlock(&r->lock);
    p->use.dropped = p->waiter[0].dropped || p->waiter[1].dropped;
    if (p->waiter[0].g->thread != NULL) {
        end_foreign();
    }
}

/* --- events --- */

/* record.lock held. An event of these directions: whoever waits for one is to ask the kernel again. */
GO__INLINE void announce(struct go__fd *r, unsigned directions, struct go__g_list *ready, uint32_t *taken)
{
    for (unsigned d = 0; d < 2; d++) {
        if ((directions & 1u << d) == 0) {
            continue;
        }
        store_rel(&r->edge[d],
                  load_rlx(&r->edge[d]) + 1); /* rel pairs with the reader's acquiring load before it asks the kernel */
        struct go__fd_waiter *w;
        while ((w = go__fd_claim(&r->ready[d], taken)) != NULL) {
            struct go__g *gp = w->g;
            if (go__wake_prepare(gp, w->ticket, 0)) {
                go__g_list_push(ready, gp);
            }
        }
    }
}

void go__fd_event(const struct go__fd_event *event, struct go__g_list *ready, uint32_t *taken)
{
    struct go__fd *r = go__fd_peek(event->fd);
    if (r == NULL) {
        return;
    }
    go__spin_lock(&r->lock);
    if (go__fd_generation(load_rlx(&r->word)) != event->generation) { /* rlx: changes under the lock only */
        go__spin_unlock(&r->lock);
        return; /* of a descriptor that had the number before */
    }
    if (event->careful && !go__fd_has(r, GO__FD_CAREFUL)) {
        store_rlx(&r->flags, load_rlx(&r->flags) | GO__FD_CAREFUL); /* rlx: published with the edge */
    }
    announce(r, event->directions, ready, taken);
    if (go__unlikely(!go__fd_has(r, GO__FD_OWN)) && (r->ready[0] != NULL || r->ready[1] != NULL) && load_rlx(&r->inode) == 0 &&
        go__netpoll_rearm(r, event->fd, 0) != 0) { /* the one shot was for the other direction */
        announce(r, 3, ready, taken);              /* no event would come any more: whoever waits tries again and is told why */
    }
    go__spin_unlock(&r->lock);
}

/* --- deadlines --- */

/* record.lock held. */
static void wake_expired(struct go__fd *r, unsigned d, struct go__g_list *list)
{
    struct go__fd_waiter **queues[2] = {&r->ready[d], &r->turns[d]};
    uint32_t unwaited = 0;
    for (int i = 0; i < 2; i++) {
        struct go__fd_waiter *next;
        for (struct go__fd_waiter *w = *queues[i]; w != NULL; w = next) {
            next = w->next;
            if (w->poll) {
                continue;
            }
            go__fd_dequeue(queues[i], w);
            unwaited += i == 0;
            struct go__g *gp = w->g;
            uint32_t ticket = w->ticket;
            if (go__claim(gp, ticket) && go__wake_prepare(gp, ticket, -ETIMEDOUT)) {
                go__g_list_push(list, gp);
            }
        }
    }
    go__netpoll_unwait(unwaited);
}

/* On the g0 side, without a lock: the deadline may have been moved since the timer fired. */
static void expire(struct go__fd *r, unsigned d)
{
    struct go__g_list list = {NULL, NULL, 0};
    int64_t now = go_now();
    go__spin_lock(&r->lock);
    if (load_rlx(&r->deadlines)->when[d] <= now) {                     /* rlx: under the lock */
        store_rlx(&r->flags, load_rlx(&r->flags) | GO__FD_EXPIRED(d)); /* rlx: whoever waits looks under the lock */
        wake_expired(r, d, &list);
    }
    go__spin_unlock(&r->lock);
    go__ready_list(&list);
}

static void expire_read(void *record)
{
    expire(record, GO__FD_READ);
}

static void expire_write(void *record)
{
    expire(record, GO__FD_WRITE);
}

/* Under the heap's lock, which comes after the record's: the rest is put off until it is dropped. */
static int64_t due_read(struct go__timer *t, int64_t now, struct go__g_list *ready)
{
    (void)now;
    (void)ready;
    go__timer_defer(t, GO__TIMER_THEN_CALL, expire_read, go__container_of(t, struct go__fd_deadlines, timer[GO__FD_READ])->record);
    return INT64_MAX;
}

static int64_t due_write(struct go__timer *t, int64_t now, struct go__g_list *ready)
{
    (void)now;
    (void)ready;
    go__timer_defer(t, GO__TIMER_THEN_CALL, expire_write,
                    go__container_of(t, struct go__fd_deadlines, timer[GO__FD_WRITE])->record);
    return INT64_MAX;
}

void go__fd_deadlines_clear(struct go__fd *r)
{
    struct go__fd_deadlines *deadlines = load_rlx(&r->deadlines); /* rlx: under the lock */
    for (int d = 0; deadlines != NULL && d < 2; d++) {
        deadlines->when[d] = INT64_MAX;
        (void)go__timer_disarm(&deadlines->timer[d]);
    }
    store_rlx(&r->flags, load_rlx(&r->flags) & ~(GO__FD_EXPIRED(GO__FD_READ) | GO__FD_EXPIRED(GO__FD_WRITE))); /* rlx: under lock */
}

static GO__NOINLINE int make_deadlines(struct go__fd *r)
{
    struct go__fd_deadlines *deadlines = go__alloc(sizeof *deadlines);
    if (deadlines == NULL) {
        return -ENOMEM;
    }
    deadlines->record = r;
    deadlines->timer[GO__FD_READ].fire = due_read;
    deadlines->timer[GO__FD_WRITE].fire = due_write;
    deadlines->when[0] = deadlines->when[1] = INT64_MAX;
    go__spin_lock(&r->lock);
    if (load_rlx(&r->deadlines) == NULL) {
        store_rel(&r->deadlines, deadlines); /* rel pairs with the load_acq in go__fd_set_deadline */
        deadlines = NULL;
    }
    go__spin_unlock(&r->lock);
    go__free(deadlines); /* somebody was faster */
    return 0;
}

struct change {
    int64_t when;
    bool passed;                 /* when is in the past */
    struct go__timers *reserved; /* room for the timer, or NULL */
    struct go__timers *announce; /* whom to tell once the lock is dropped, or NULL */
    struct go__g_list *woken;
};

/* record.lock held. False: room must be reserved first. */
static GO__NOINLINE bool move_deadline(struct go__fd *r, unsigned d, struct change *c)
{
    struct go__fd_deadlines *deadlines = load_rlx(&r->deadlines); /* rlx: under the lock */
    struct go__timer *t = &deadlines->timer[d];
    if (c->passed || c->when == INT64_MAX) {
        (void)go__timer_disarm(t);
    } else if (!go__timer_rearm(t, c->when, &c->announce)) {
        if (c->reserved == NULL) {
            return false;
        }
        c->announce = go__timer_arm_reserved(c->reserved, t, c->when) ? c->reserved : NULL;
        c->reserved = NULL;
    }
    deadlines->when[d] = c->when;
    uint32_t flags = load_rlx(&r->flags) & ~GO__FD_EXPIRED(d);
    store_rlx(&r->flags, c->passed ? flags | GO__FD_EXPIRED(d) : flags); /* rlx: as in expire */
    if (c->passed) {
        wake_expired(r, d, c->woken);
    }
    return true;
}

/* No lock held. */
static GO__NOINLINE void tell(struct change *c)
{
    if (c->reserved != NULL) {
        go__timers_unreserve(c->reserved);
    }
    if (c->announce != NULL) {
        go__timers_announce(c->announce, c->when);
    }
}

/* 0, -EBADF, -ENOMEM. */
static GO__NOINLINE int set_one(struct go__fd_use *use, unsigned d, struct change *c)
{
    for (;;) {
        go__spin_lock(&use->record->lock);
        bool closed = refuse(use, 0) != 0;
        bool done = closed || move_deadline(use->record, d, c);
        go__spin_unlock(&use->record->lock);
        if (done) {
            tell(c);
            return closed ? -EBADF : 0;
        }
        c->reserved = go__timers_reserve();
        if (c->reserved == NULL) {
            return -ENOMEM;
        }
    }
}

int go__fd_set_deadline(struct go__fd_use *use, unsigned directions, int64_t when)
{
    struct go__g_list woken = {NULL, NULL, 0};
    bool passed = when <= go_now();
    int error = 0;
    if (load_acq(&use->record->deadlines) == NULL) { /* a stale NULL is noticed under the lock */
        error = make_deadlines(use->record);
    }
    for (unsigned d = 0; d < 2 && error == 0; d++) {
        if ((directions & 1u << d) != 0) {
            struct change c = {when, passed, NULL, NULL, &woken};
            error = set_one(use, d, &c);
        }
    }
    go__ready_list(&woken);
    return error;
}
