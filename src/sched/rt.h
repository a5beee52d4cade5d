/* What g, m and p are, who owns them when, and the words they share. Read this first.
 *
 *   g  a goroutine: a stack, a saved context, a state. It lies at the top of its stack's slot.
 *   m  an OS thread. It runs scheduler code on its native stack (its "g0 side") and goroutines on theirs.
 *   p  the right to run goroutines: run queue, timers, free gs. At most `procs` goroutines run goco code at any moment.
 *
 * Ownership in one paragraph: a running g belongs to its m; a waiting g to whoever holds the lock or the claim through which
 * it will be woken; a runnable g to the queue it is linked into. A p belongs to the m that has it (mp->p == pp and
 * pp->m == mp), or to sched.idle_p under sched.lock, or to whoever stopped the world. p changes hands only under sched.lock.
 *
 * Life of a goroutine, states and who moves it:
 *
 *        spawn                 schedule              park: commit ran
 *   IDLE ------> RUNNABLE ---------------> RUNNING ------------------> WAITING
 *    ^               ^                     |     |                        |
 *    |               |   yield, preempt    |     | exit                   |  ready (the one waker)
 *    |               +---------------------+     v                        |
 *    +------------------------------------------ DEAD   RUNNABLE <--------+
 *
 * Each arrow is taken by the owner of the state it leaves, so plain stores suffice; dumps read the word relaxed with the world
 * stopped. */
#ifndef GO_SRC_SCHED_RT_H
#define GO_SRC_SCHED_RT_H

#include <pthread.h>
#include <stdint.h>
#include <sys/select.h> /* sigset_t, without the many names of <signal.h> */

#include "arch/gobuf.h"
#include "arch/tls.h"
#include "base/atomic.h"
#include "base/compiler.h"
#include "base/list.h"
#include "base/prefetch.h"
#include "base/rng.h"
#include "base/spinlock.h"
#include "go/run.h"
#include "os/barrier.h"
#include "os/futex.h"
#include "stack/stack.h"

enum go__g_status {
    GO__G_IDLE = 0, /* never used or free: belongs to a free list */
    GO__G_RUNNABLE, /* in one run queue */
    GO__G_RUNNING,  /* gp->m runs it, or runs code for it without a p */
    GO__G_WAITING,  /* parked; gp->reason says on what */
    GO__G_DEAD,     /* has ended, on its way to a free list */
};

/* Why a goroutine waits; go__reason_text gives the words dumps print. */
enum go__reason {
    GO__REASON_NONE = 0,
    GO__REASON_CHAN_SEND,
    GO__REASON_CHAN_RECEIVE,
    GO__REASON_CHAN_SEND_NIL,
    GO__REASON_CHAN_RECEIVE_NIL,
    GO__REASON_SELECT,
    GO__REASON_SELECT_EMPTY,
    GO__REASON_SLEEP,
    GO__REASON_MUTEX_LOCK,
    GO__REASON_RWMUTEX_LOCK,
    GO__REASON_RWMUTEX_RLOCK,
    GO__REASON_COND_WAIT,
    GO__REASON_WAITGROUP_WAIT,
    GO__REASON_SEMAPHORE_ACQUIRE,
    GO__REASON_ONCE,
    GO__REASON_GROUP_WAIT,
    GO__REASON_IO_READ,
    GO__REASON_IO_WRITE,
    GO__REASON_IO_POLL,
    GO__REASON_IO_CONNECT,
    GO__REASON_IO_ACCEPT,
    GO__REASON_PROCESS_WAIT,
    GO__REASON_BLOCKING_CALL,
    GO__REASON_EXIT_MAIN,
    GO__REASON_COUNT
};
extern const char *const go__reason_text[GO__REASON_COUNT];

struct go__g;
struct go__m;
struct go__p;

/* Runs after gp has left its stack, on the stack of whoever runs next. false: gp does not wait after all. */
typedef bool (*go__commit_fn)(struct go__g *gp, void *arg);

/* The part of a context the scheduler looks at: a bound context begins with it (src/context). */
struct go__bound {
    go__atomic(int) err; /* 0 while live, then the negative cause; written once, release; pairs with go__canceled */
};

/* A goroutine, or the stand-in for a foreign pthread that waits in a goco call (thread != NULL; never runs in a p). */
struct go__g {
    /* Owner of the list the g is in (free list, run queue, batch). First word: the slot depot links free slots through it. */
    struct go__g *link;
    /* Written by go__switch when the g leaves, read when it is resumed. */
    struct go__gobuf buf;
    go__atomic(uint32_t) status; /* enum go__g_status; by the owner of the state, see above */
    uint8_t reason;              /* enum go__reason while waiting; by the g before it parks */
    uint8_t slot_kind;           /* enum go__slot_kind; constant */
    uint8_t tied;                /* 1: resumes only on lockedm (rescued from a blocking call, preempted, or go_lock_thread) */
    uint8_t system;              /* 1: the runtime's own: counted, but marked in dumps and left out of leak reports */
    /* ticket | state of the wait in progress: opened by the g, moved by compare-and-swap, drawn in park.h. */
    go__atomic(uint32_t) claim;
    int32_t wake_code;          /* written by the one waker before go__ready, read by the g after it resumed */
    struct go__m *m;            /* the m running it; by that m */
    struct go__bound *bound;    /* bound context or NULL; by the g; canceller reads it under the context's lock */
    struct go__standin *thread; /* foreign pthread's blocking state; NULL for a goroutine; constant */
    /* So far parking and readying read: one cache line. */
    int64_t wait_since_ns; /* coarse clock at park; by the g */
    struct go__m *lockedm; /* the m it is tied to, else NULL; by the g itself on that m */
    uint32_t lock_count;   /* go_lock_thread nesting; the g only */
    uint32_t block_depth;  /* go_block_begin nesting; the g only */
    uint32_t run;          /* run_number, cut short; set with the slot, constant from then on */
    go_func start;         /* what goroutine_main calls; constant while alive */
    go_func entry;         /* what the user started; shown in dumps; constant while alive */
    void *arg;
    uint64_t id;                  /* never reused */
    uint64_t parent;              /* id of the creator, 0 for a foreign thread */
    void *created_at;             /* return address in the creator */
    char *name;                   /* go__alloc'ed or NULL; by the g, read with the world stopped */
    go__list bound_link;          /* in the bound context's list; under the context's lock */
    void *locals;                 /* goroutine-local values; the g only */
    void *custom_lo;              /* GO__SLOT_CUSTOM: what to free; constant */
    void *cxa[2];                 /* C++ caught-exception words while the g is off its thread; by the switch */
    struct go__stack_state stack; /* segments beyond the first; the g, or its thread inside morestack */
    uint64_t valgrind_id;
};

_Static_assert(sizeof(struct go__g) <= GO__HEAD_BYTES, "a g fills at most the head of a slot");
_Static_assert(offsetof(struct go__g, link) == 0, "the slot depot links through the first word");

#define GO__FRAMES_BYTES (5u * GO__CACHELINE) /* below the record: where a goroutine begins, and most wait */

/* The goroutine at this address, if there is one, is about to run: its record, its frames, and the word at the far end of a small stack
 * that parking checks. */
GO__INLINE void go__g_prefetch(uintptr_t at)
{
    go__prefetch_lines(at - GO__FRAMES_BYTES, at + 3 * GO__CACHELINE);
    __builtin_prefetch((const void *)(at + 3 * GO__CACHELINE));
    __builtin_prefetch((const void *)(at - GO__SMALL_BYTES));
}

struct go__g_list { /* a batch, linked through g.link; whoever builds it owns it */
    struct go__g *head, *tail;
    uint32_t count;
};

#ifndef GO__RUNQ_SIZE
#define GO__RUNQ_SIZE 256u /* a power of two; stress builds use 4 to force overflow and wrap-around */
#endif
#define GO__LATER     128u /* batches a p sets aside before it joins old ones; a power of two */
#define GO__MAX_PROCS 1024
#define GO__FAIR_TURN 61u

/* Free gs of one kind, last in first out; the owner m of the p only. */
struct go__free_gs {
    struct go__g *first;
    struct go__g *middle; /* while there are more than half of `most`: the last one that stays when the older half goes */
    uint32_t count;
    uint32_t most; /* constant while the world runs */
};

struct go__p {
    /* Owner m only (claimers and world-stoppers count as the owner once they have the p). */
    go__atomic(
        struct go__g *) runnext; /* readied or spawned last; runs next, inheriting the time slice; others read it as a hint */
    struct go__g *own_first, *own_last;   /* goroutines not offered to thieves, first in first out, linked through g.link; runq.h */
    go__atomic(uint32_t) own_count;       /* how many, `later` included; others read it as a hint */
    uint32_t own_mark;                    /* how many there were when some were set aside, or fewer since */
    uint32_t own_old_count;               /* how many were left then */
    struct go__g *own_old_last;           /* and the last of these; NULL once any has been taken */
    uint32_t later_count;                 /* in all batches of `later` */
    uint32_t later_oldest, later_batches; /* which batch is the oldest, and how many there are */
    struct go__g_list later[GO__LATER];   /* what was set aside of a list that grew long; see go__runq_overflow */
    uint32_t fair_turns;                  /* says who is asked first, see passed_over */
    uint32_t tick;                        /* +1 a scheduling decision; the 61st is a fair turn */
    uint32_t ready_skip;                  /* readies into runnext alone until the next one wakes a helper, see go__put_next */
    struct go__free_gs free_gs[2];        /* by slot kind */
    uint64_t id_next, id_end;             /* goroutine ids reserved for this p */
    go__rng rng;
    go__atomic(int64_t) created, ended; /* goroutines started and ended here; owner writes, go_count sums relaxed */
    go_func split_entry;                /* the entry asked about last, and the answer of go__entry_is_split */
    bool split_answer;
    struct go__timers *timers; /* src/time; its own lock; constant while the runtime runs */
    /* Statistics of go_get_stats: owner writes, anyone reads. */
    go__atomic(uint64_t) steals, handoffs, preemptions, wakeups, polls;

    /* Shared, read by sysmon and thieves; owner writes. */
    GO__ALIGNED(GO__CACHELINE) go__atomic(uint32_t) sched_tick; /* +1 per slice (not for inherited ones); relaxed, late is fine */
    go__atomic(int64_t)
        met_at; /* when a goroutine of it found a lock taken last; by its m, which may just lose it; thieves, relaxed: crowd.h */
    go__atomic(uint64_t) switches; /* +1 a switch; relaxed; thieves and sysmon judge by it whether the p moves */
    go__atomic(uint32_t)
        ready_limit;              /* length of the ready_skip interval; owner, thieves and sysmon; relaxed, a lost update is fine */
    go__atomic(uint32_t) preempt; /* sysmon: this slice is over; owner clears at its next scheduling decision */
    go__atomic(int64_t) timer_next; /* earliest deadline in timers, INT64_MAX if none; written under the timers' lock */
    go__atomic(uint32_t) status;    /* enum go__p_status; under sched.lock */
    struct go__m *m;                /* owner or NULL; under sched.lock */
    struct go__p *idle_link;        /* under sched.lock, in sched.idle_p */
    struct go__m *stopped_from;     /* whoever had it when the world stopped; under sched.lock */
    uint32_t index;                 /* constant */
    /* sysmon only */
    uint32_t seen_tick;     /* sched_tick at seen_since */
    uint64_t seen_switches; /* switches at moved_since */
    int64_t seen_since, moved_since;
    int64_t ask_after; /* when to ask the kernel about the thread, in ns since moved_since */

    /* Run queue ring. Producer: owner. Consumers: owner and thieves (runq.h). */
    GO__ALIGNED(GO__CACHELINE) go__atomic(uint32_t) head; /* CAS by consumers */
    GO__ALIGNED(GO__CACHELINE) go__atomic(uint32_t) tail; /* store-release by owner */
    go__atomic(struct go__g *) ring[GO__RUNQ_SIZE];
};

enum go__p_status { GO__P_IDLE = 0, GO__P_RUNNING, GO__P_STOPPED, GO__P_GONE };

/* mp->claim, see blocking.h. */
enum go__claim_state { GO__CLAIM_NONE = 0, GO__CLAIM_ASKED, GO__CLAIM_TAKEN, GO__CLAIM_ORPHAN, GO__CLAIM_FORKED };

struct go__m {
    /* Owner thread only, hot. */
    struct go__g *curg; /* goroutine on this thread, NULL while the g0 side runs */
    struct go__p *p;    /* valid only between go__enter and go__leave: a claim may take it at any other time */
    go__atomic(
        uint32_t) inside;       /* 1 in runtime code that uses p; store relaxed, light barrier; claimers read after the heavy one */
    go__atomic(uint32_t) claim; /* enum go__claim_state; claimers write under sched.lock */
    go__commit_fn after;        /* to run on the other side of the switch in progress */
    struct go__g *after_g;
    void *after_arg;
    void **cxa;             /* this thread's C++ exception words, NULL without libstdc++ */
    struct go__gobuf g0buf; /* the g0 side while a goroutine runs */
    struct go__g *locked_g; /* go_lock_thread: this thread runs nothing else */
    int64_t stole_at;       /* when it stole last, how many, how long it holds back before it does again, until when (0: not yet) */
    int64_t hold_ns, hold_until;
    bool unoffered;          /* since it began to search it held back in a way that owners offered nothing */
    struct go__p *rob_first; /* who ended that */
    uint32_t loot;
    int64_t conflict_at;       /* when it found a lock taken last, later by the time it held back since; crowd.h */
    int64_t met_at;            /* when it did */
    int64_t crowding;          /* how often */
    bool abandoned;            /* its goroutine met the end of the run: the thread ends */
    bool spinning;             /* counted in sched.spinning; set by the waker before the note, else by the owner */
    bool blocked;              /* in a declared blocking call, without a p; by the running goroutine, read by dumps */
    struct go__seg_cache segs; /* warm segments for morestack */

    /* Constant after the thread started. */
    uintptr_t *limit_address; /* poisoned by sysmon to preempt split code; NULL where there is no limit word */
    int tid;
    pthread_t thread;
    void *overflow;                /* alternate stack of this thread */
    struct go__leftover *leftover; /* of an orphan: what it may still use; written under sched.lock before claim says ORPHAN */

    /* Under sched.lock. */
    struct go__m *all_link;
    struct go__m *idle_link; /* in sched.idle_m */
    struct go__p *next_p;    /* p handed over; read by the owner after its note */
    int woken_from;          /* the CPU of the thread that handed it over, -1 if not known; as next_p */
    bool lost_p;             /* runs a goroutine, or its commit, without a p (blocking call, rescued): counted in sched.lost */
    bool hog;                /* without a p and burning CPU when sysmon asked last: counted in sched.hogs */
    bool ending;             /* its thread is on its way out, and will be joined: no orphan any more */
    bool gone;               /* its thread is past its last use of anything; to be joined */
    go__note note;           /* cleared by the owner before it can be found by a waker */
};

struct go__sched {
    go__futex_mutex lock;
    /* Read-only while the world runs; go_set_procs changes it with the world stopped. */
    int procs;
    struct go__p **all_p;        /* GO__MAX_PROCS entries; those below all_p_count exist until the run ends */
    go__atomic(int) all_p_count; /* go_set_procs raises it while sysmon and foreign threads look: rel after the p, acq before it */
    struct go__stacks_config stacks;
    size_t max_threads;
    int64_t stop_timeout;
    bool seeded;
    bool valgrind; /* runs under Valgrind */
    uint64_t seed;
    sigset_t signal_mask; /* of the thread that called go_run */

    /* Under lock. */
    struct go__g_list global; /* runnable gs of no p */
    struct go__p *idle_p;
    struct go__m *idle_m;
    struct go__m *all_m;
    uint32_t m_count; /* threads of this run, sysmon not counted */
    uint32_t m_idle;
    uint32_t lost;    /* ms running a goroutine without a p */
    uint32_t hogs;    /* of these, those that burnt CPU when sysmon asked last */
    uint32_t waiting; /* ms asleep until a p comes for the goroutine tied to them: no threads to be had, but for that one */
    uint32_t wakers;  /* threads that are no ms and bring one a p; see count_waker */
    bool thread_limit_told;
    int64_t stalled_since; /* when a thread could not be started and none ran goroutines, 0: not so; see start_failed */
    uint64_t stalled_switches;
    struct go__standin *standins; /* of this run */
    uint32_t foreign;             /* live pthreads that used goco in this run */
    bool main_waits;              /* the main goroutine called go_exit */
    uint32_t signal_subscriptions;

    GO__ALIGNED(GO__CACHELINE)
    go__atomic(uint32_t) idle_p_count; /* written under lock; read by wakers after a fence [idle-race] */
    go__atomic(uint32_t) spinning;     /* ms looking for work; CAS 0->1 by wakers */
    go__atomic(uint32_t) holding;      /* those of them that would take none just now: each counts itself, steal.c */
    go__atomic(uint32_t) global_count; /* mirror of global.count for lock-free looks */
    go__atomic(uint32_t) stopping;     /* the run is over: no goroutine is scheduled again */
    go__atomic(uint32_t) world_stopped;
    go__atomic(uint32_t) polling;       /* an m sleeps in the poller; taken by exchange */
    go__atomic(uint32_t) poller_wanted; /* that m was woken to search for work; by wakers, taken by exchange */
    go__atomic(int64_t) poll_until;     /* when that m wakes by itself; INT64_MAX never, 0 nobody sleeps there */
    go__atomic(int64_t) last_poll;      /* when the network was last looked at */
    go__atomic(int64_t) coarse_now;     /* a recent go__clock_now: for dumps */
    go__atomic(uint64_t) next_id;
    go__atomic(int64_t) created_outside; /* goroutines started without a p (foreign threads) */
    go__atomic(uint32_t) active;         /* a runtime runs */
    go__atomic(uint32_t) sysmon_asleep;  /* sysmon waits on its note without a timeout */
    go__note sysmon_note;
    go__note main_note;            /* the main function has returned */
    struct go__leftover *leftover; /* go_run's thread, while it ends the run */
    uint64_t run_number;           /* distinguishes successive go_runs for stand-ins */
    /* Result of main. */
    int result;
};

extern struct go__sched go__sched;

/* gp belongs to the run that runs; others are left of one that did not wait for them. */
GO__INLINE bool go__g_of_this_run(const struct go__g *gp)
{
    return gp->run == (uint32_t)go__sched.run_number;
}

#endif
