/* Waiting for descriptors: readiness, deadlines, and what this room asks of the system's poller.
 *
 * A call tries its system call first and waits only after EAGAIN. What may happen in between is caught by counting: record.edge[d]
 * goes up by one for every event of direction d. The caller reads it, asks the kernel, and waits under the record's lock only if it
 * still reads the same; then every later event finds it in the queue. So an event is a hint to ask again, never a promise, and a
 * stale or spurious one costs a system call and nothing else.
 *
 *   reader                                   poller (one event)
 *   seen = edge                              lock
 *   read -> EAGAIN                           edge += 1
 *   lock, edge == seen ? enqueue, park       take everybody out of the queue
 *                      : unlock, try again   unlock, make them ready
 *
 * Three ways to be registered, by who closes the descriptor:
 *   our own             once, for both directions, edge-triggered: we see the close
 *   foreign sockets     the same, but the owner may close one without telling us, and the number may be another socket by now: each
 *                       wait compares the inode (one fstat)
 *   foreign others      their inodes tell nothing (a FIFO opened again, all timerfds have one): each wait registers anew, one-shot, for the
 *                       directions waited for. EPOLL_CTL_MOD fails if the number is not what was registered. Not used for sockets,
 *                       which may report EPOLLERR for as long as nobody reads their error queue: a loop. */
#ifndef GO_SRC_POLL_NETPOLL_H
#define GO_SRC_POLL_NETPOLL_H

#include "poll/fdtable.h"
#include "time/wait.h"

/* --- netpoll.c --- */

/* Waits for an event after `edge` was read from record.edge[d]. 0: try again; -ECANCELED; -ETIMEDOUT; what registering may return. */
int go__fd_wait(struct go__fd_use *use, enum go__fd_direction d, uint32_t edge, enum go__reason reason);

/* The same for go_poll: for one or both directions (bit 0 reading, bit 1 writing), with its own deadline. */
struct go__fd_poll { /* on the stack of whoever calls, because what is below it is scarce */
    struct go__fd_use use;
    uint32_t edge[2]; /* as it was read */
    unsigned directions;
    struct go__fd_waiter waiter[2];
};
int go__fd_begin_poll(struct go__fd_poll *p, int64_t deadline);
void go__fd_end_poll(struct go__fd_poll *p);
#define GO__FD_WAIT 1 /* what beginning a wait says: record.lock is held, the waiter queued */

GO__INLINE int go__fd_wait_any(struct go__fd_poll *p, int64_t deadline, enum go__reason reason)
{
    int code = go__fd_begin_poll(p, deadline);
    if (code == GO__FD_WAIT) {
        code = go__wait_park(p->waiter[0].g, p->waiter[0].ticket, deadline, go__fd_unlock_commit, p->use.record, reason);
        go__fd_end_poll(p);
    }
    return code;
}

/* 0, -EBADF, -ENOMEM. */
int go__fd_set_deadline(struct go__fd_use *use, unsigned directions, int64_t when);
void go__fd_deadlines_clear(struct go__fd *r); /* record.lock held */

/* -ETIMEDOUT once the deadline of the direction has passed, else 0. */
GO__INLINE int go__fd_expired(const struct go__fd_use *use, enum go__fd_direction d)
{
    return go__unlikely(go__fd_has(use->record, GO__FD_EXPIRED(d))) ? -ETIMEDOUT : 0;
}

/* Finds out what the descriptor is, and makes it non-blocking if it can be polled and is not shared. 0 or -errno. */
int go__fd_classify(struct go__fd_use *use);

/* What the poller found. Goroutines go to *ready, *taken goes up by the waiters taken out. */
struct go__fd_event {
    int fd;
    uint32_t generation;
    unsigned directions; /* as above */
    bool careful;        /* hang-up, error or urgent data */
};
void go__fd_event(const struct go__fd_event *event, struct go__g_list *ready, uint32_t *taken);

/* How many waiters the queues `ready` of all records hold; in more than one word, see netpoll.c. */
void go__netpoll_wait_more(void);
void go__netpoll_wait_less(uint32_t count);
void go__netpoll_unwait(uint32_t count); /* the same for those who were not taken out by an event */
void go__netpoll_count_reset(void);

/* --- netpoll_epoll.c --- */

extern go__atomic(uint32_t) go__netpoll_number; /* of the poller of this run: registrations of earlier ones are void */

/* Registers for both directions, edge-triggered; what is ready now is reported as an event. record.lock held, unless nobody else knows the
 * descriptor yet. */
int go__netpoll_register(struct go__fd *r, int fd, uint32_t generation);

/* record.lock held: one-shot, for the directions somebody waits for. */
int go__netpoll_rearm(struct go__fd *r, int fd, unsigned more); /* more: and those directions */

/* Before close(2): a duplicate elsewhere may keep the registration alive. */
void go__netpoll_forget(struct go__fd *r, int fd);

/* Can fd be polled at all? 0, -EPERM, or another error. */
int go__netpoll_probe(struct go__fd *r, int fd);

/* What is readable on goroutines' side only in ThreadSanitizer's eyes: bytes that go through the kernel order what was written before
 * them. As in Go's race detector one object stands for all descriptors. */
#if GO__TSAN
extern char go__io_edge;
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define GO__IO_ACQUIRE() __tsan_acquire(&go__io_edge)
#define GO__IO_RELEASE() __tsan_release(&go__io_edge)
#else
#define GO__IO_ACQUIRE() ((void)0)
#define GO__IO_RELEASE() ((void)0)
#endif

#endif
