/* The records of descriptors: who uses a number, whose turn it is, and when it may be given back to the kernel.
 *
 * There is one record for each number, in a table indexed by it; records are made on first use and never freed, so whoever holds a
 * pointer, an event or a timer of long ago finds a record, if not the one it meant: the generation tells. It goes up whenever the
 * number changes hands.
 *
 * The word. Every use of a descriptor takes a reference, reading and writing take the turn of their direction with it, each by one
 * compare-and-swap. close(2) is called by whoever drops the last reference after go_close, so a number that somebody still uses
 * cannot come back as another descriptor.
 *
 *   open       refs any                    go_close --> closing (-EBADF for whoever comes now)
 *   closing    refs > 0, falls only        last reference dropped --> releasing (the record is wiped, the generation new)
 *   releasing  refs 0, inside close(2)     close(2) returned --> open
 *                                          the kernel gave the number to a call of ours meanwhile --> open, a generation later
 *
 * Whoever meets "releasing" cannot know whether the number is still the old descriptor or a new one of somebody else's; it waits the
 * moment that is left and finds it new.
 *
 * Locks: record.lock covers what is marked so; it is taken before a timer heap's and after any channel's or context's. Nobody is made
 * ready under it.
 *
 *                          begin  end  wait  event  expire  close  adopt      X: may run at the same time on one record
 *   begin, end               X     X     X     X       X      X      X
 *   wait (one a direction)   X     X     X     X       X      X      X
 *   close                    X     X     X     X       X      -      X        the second closer gets -EBADF */
#ifndef GO_SRC_POLL_FDTABLE_H
#define GO_SRC_POLL_FDTABLE_H

#include <errno.h>

#include "sched/park.h"

enum go__fd_direction { GO__FD_READ = 0, GO__FD_WRITE = 1 };

#define GO__FD_CLOSING   UINT64_C(1)
#define GO__FD_RELEASING UINT64_C(2)
#define GO__FD_TURN(d)   (4u << (d))  /* somebody reads or writes */
#define GO__FD_QUEUE(d)  (16u << (d)) /* others wait for that turn: ending it takes the lock */
#define GO__FD_REF       UINT64_C(0x100)
#define GO__FD_REFS      UINT64_C(0xffffff00) /* 24 bits; the generation is in the upper half */

/* What a descriptor is, which decides how it is read and written. All that are looked at again before they are used come before the
 * sockets, see go__io_check. */
enum go__fd_kind {
    GO__FD_UNKNOWN = 0, /* not looked at yet */
    GO__FD_PIPE,        /* anything else that can be polled, made non-blocking */
    GO__FD_SHARED,      /* 0, 1 and 2, if they are no sockets: polled, then used as a blocking call */
    GO__FD_FILE,        /* cannot be polled: every use is a blocking call */
    GO__FD_SOCKET,
    GO__FD_TCP, /* a connection or listener: a short read means that nothing is left */
};

/* Flags of a record. */
#define GO__FD_EXPIRED(d) (1u << (d)) /* the deadline has passed; under lock, read without it */
#define GO__FD_CAREFUL    4u          /* hang-up, error or urgent data were seen: every read asks the kernel; set under lock */
#define GO__FD_OWN        8u          /* made by us, and closed by us */
#define GO__FD_NODELAY    16u         /* a listener whose connections inherit TCP_NODELAY */

/* On the stack of whoever waits; all under the record's lock. Like a sudog (sync/sudog.h), which lives on a higher floor. A queue is
 * a pointer to its first waiter, whose prev is the last one. */
struct go__fd_waiter {
    struct go__fd_waiter *next, *prev;
    struct go__g *g;
    uint32_t ticket;
    bool queued;
    bool poll;    /* go_poll's: the descriptor's deadlines do not count; constant */
    bool dropped; /* set by the closer: it gave the waiter's reference and turn back */
};

struct go__fd_deadlines;

struct go__fd {
    go__atomic(uint64_t) word; /* see above; by compare-and-swap, in "closing" and "releasing" also by its one owner */
    go__spinlock lock;
    go__atomic(uint32_t) flags; /* written under lock or by the maker of a new descriptor */
    /* Events of each direction so far; +1 by the poller under lock. A reader remembers what it saw before it asked the kernel and
     * waits only if that is still so: an event can come early, but not get lost. */
    go__atomic(uint32_t) edge[2];
    go__atomic(uint32_t) drained;    /* a short read has taken all that edge[READ] == drained announced; by the reader */
    go__atomic(uint32_t) kind;       /* enum go__fd_kind; by whoever has a reference: any two find the same */
    go__atomic(uint32_t) registered; /* the poller's number when it took the descriptor in (netpoll_epoll.c), 0: not */
    go__atomic(struct go__fd_deadlines *) deadlines; /* made on first use, for the rest of the run; written under lock */
    struct go__fd_waiter *ready[2];                  /* for an event: one reader or writer, any number of go_polls; under lock */
    /* Here the second cache line begins. */
    struct go__fd_waiter *turns[2]; /* for their turn, first come first served; under lock */
    go__atomic(uint64_t) inode;     /* of a foreign socket when it was registered; by whoever has a reference */
    char *path;                     /* to be removed at close, or NULL; set before the descriptor is known, taken by the closer */
} GO__ALIGNED(GO__CACHELINE);

/* One use of a descriptor, on the user's stack. */
struct go__fd_use {
    struct go__fd *record;
    int fd;
    uint32_t generation;
    uint32_t turn; /* the GO__FD_TURN it has, or 0 */
    bool dropped;  /* by the closer: nothing is left to give back */
};

#define GO__FD_CHUNK_BITS 8  /* 256 records in the first chunk */
#define GO__FD_CHUNKS     24 /* each as large as all before it: enough for every int */

extern go__atomic(struct go__fd *) go__fd_chunks[GO__FD_CHUNKS]; /* set once, never freed */

int go__fd_make(int fd, struct go__fd **record); /* go__fd_find that makes fd's chunk; -EBADF also if fd is not open */

/* A record that has something to be reset at the end of a run: all of them lie below the highest number that was raised to. */
void go__fd_raise_top(int fd);

GO__INLINE unsigned go__fd_chunk(unsigned fd)
{
    return 32u - (unsigned)__builtin_clz(fd | ((1u << GO__FD_CHUNK_BITS) - 1)) - GO__FD_CHUNK_BITS;
}

GO__INLINE unsigned go__fd_chunk_start(unsigned chunk)
{
    return chunk == 0 ? 0 : 1u << (chunk + GO__FD_CHUNK_BITS - 1);
}

/* The record of a number if it has one already, else NULL. fd >= 0. */
GO__INLINE struct go__fd *go__fd_peek(int fd)
{
    unsigned chunk = go__fd_chunk((unsigned)fd);
    struct go__fd *records = load_acq(&go__fd_chunks[chunk]); /* acq pairs with the compare-and-swap in go__fd_make */
    return go__likely(records != NULL) ? &records[(unsigned)fd - go__fd_chunk_start(chunk)] : NULL;
}

/* *record of a number. 0; -EBADF for what cannot be open; -ENOMEM. */
GO__INLINE int go__fd_find(int fd, struct go__fd **record)
{
    if (go__unlikely(fd < 0)) {
        return -EBADF;
    }
    struct go__fd *r = go__fd_peek(fd);
    *record = r;
    return go__likely(r != NULL) ? 0 : go__fd_make(fd, record);
}

GO__INLINE uint32_t go__fd_generation(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

GO__INLINE bool go__fd_has(const struct go__fd *r, uint32_t flag)
{
    /* rlx: set under the lock, and whoever must see it at once looks there. */
    return (load_rlx(&((struct go__fd *)(uintptr_t)r)->flags) & flag) != 0;
}

/* Begins a use with the turn of d, waiting for it if need be. 0; -EBADF; -ENOMEM; for whoever had to wait also -ECANCELED and
 * -ETIMEDOUT. */
GO__INLINE int go__fd_begin(struct go__fd_use *use, int fd, enum go__fd_direction d, enum go__reason reason);

/* Begins a use without a turn; never waits. 0, -EBADF, -ENOMEM. */
int go__fd_hold(struct go__fd_use *use, int fd);

void go__fd_end(struct go__fd_use *use);

/* go_close. */
int go__fd_close(int fd);

/* A descriptor that the kernel has just given us becomes known: 0, or -ENOMEM and it is closed. */
int go__fd_adopt(int fd, enum go__fd_kind kind, uint32_t flags);

/* The run is over: closes a descriptor of our own without waking anybody. */
void go__fd_discard(int fd);

/* The run is over and no goroutine runs: forgets everybody who uses a descriptor, ends closes that waited for them. */
void go__fd_reset_all(void);

/* record.lock held. */
void go__fd_enqueue(struct go__fd_waiter **queue, struct go__fd_waiter *w, struct go__g *gp, uint32_t ticket);
void go__fd_dequeue(struct go__fd_waiter **queue, struct go__fd_waiter *w);
/* Takes the first waiter whose wait this call wins out of the queue, and those before it whose wait is over; NULL: there is none. *count,
 * if not NULL, goes up by all that were taken out. The caller completes the wake-up. */
struct go__fd_waiter *go__fd_claim(struct go__fd_waiter **queue, uint32_t *count);

/* The commit of whoever waits with record.lock held. */
void go__fd_unlock_commit(void *record);

/* --- inline --- */

/* Ends a use, and the calling thread: a goroutine that outlived its run is not to keep the next one from the descriptor. */
void go__fd_orphan_ends(struct go__fd_use *use) GO__NORETURN;

int go__fd_begin_slow(struct go__fd_use *use, enum go__fd_direction d, enum go__reason reason);

/* A use of use->record, if no more than a compare-and-swap is needed. turn: GO__FD_TURN or 0. */
GO__INLINE bool go__fd_begin_fast(struct go__fd_use *use, int fd, uint32_t turn)
{
    struct go__fd *r = use->record;
    use->fd = fd;
    use->turn = turn;
    use->dropped = false;
    uint64_t word = load_rlx(&r->word); /* rlx: the compare-and-swap decides */
    /* acq: the last reader's notes and what made the descriptor; partners are go__fd_end and go__fd_adopt. */
    if (go__unlikely((word & (GO__FD_CLOSING | GO__FD_RELEASING | turn)) != 0 ||
                     !cas_acq(&r->word, &word, (word + GO__FD_REF) | turn))) {
        return false;
    }
    use->generation = go__fd_generation(word);
    if (go__unlikely(go__is_orphan(go__m()))) { /* who takes the reference before he is one is forgotten by go__fd_reset_all */
        go__fd_orphan_ends(use);
    }
    return true;
}

GO__INLINE int go__fd_begin(struct go__fd_use *use, int fd, enum go__fd_direction d, enum go__reason reason)
{
    int error = go__fd_find(fd, &use->record);
    if (go__unlikely(error != 0)) {
        return error;
    }
    return go__likely(go__fd_begin_fast(use, fd, GO__FD_TURN(d))) ? 0 : go__fd_begin_slow(use, d, reason);
}

#endif
