/* Seeing inside a running program: figures, a dump of every goroutine, a trace of the scheduler, the end of a deadlock.
 *
 * Nothing here needs a special build. Names come from the symbol table (strip removes them, -g is not needed), backtraces from
 * the unwind tables that compilers emit by default. The environment variable GOCO_DEBUG switches on, for any program, a
 * comma-separated list of
 *
 *   schedtrace=1000   a line about the scheduler on stderr every 1000 ms
 *   leak=1            at the end of go_run, every goroutine that was still blocked and where it was started
 *   trace=out.json    go_trace_start("out.json") at the start of go_run, go_trace_stop() at its end
 *   seed=N            each P chooses (victims, order of ready cases) from a generator that starts from N, not 0: with one P the
 *                     choices repeat
 *   stacks=1          a line if the program is linked so that no goroutine can start on 2 KB
 *
 * SIGQUIT (Ctrl-\) dumps all goroutines to stderr and the program goes on, unless it handles the signal itself.
 *
 *   static void report(void *arg) { (void)arg; go_dump(2); exit(1); }
 *   ...
 *   go_set_deadlock_handler(report, NULL); */
#ifndef GO_DEBUG_H
#define GO_DEBUG_H

#include <stdint.h>

#include "go/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Counters run from the start of the run; the others are of the moment. */
typedef struct go_stats {
    uint64_t goroutines; /* live, main included */
    uint64_t goroutines_created;
    uint64_t threads, threads_idle; /* OS threads that run goroutines */
    uint64_t procs, procs_idle;
    uint64_t runnable;                      /* goroutines in run queues */
    uint64_t switches;                      /* a goroutine began or went on to run */
    uint64_t steals;                        /* a P took work from another one's queue */
    uint64_t handoffs;                      /* a P left a thread that blocked, or computed for too long */
    uint64_t preemptions;                   /* split code stopped at a function's entry, its time was up */
    uint64_t wakeups;                       /* idle threads woken for work */
    uint64_t polls;                         /* looks at the network by a P that had work; sleeps in the poller are not counted */
    uint64_t stacks_small, stacks_reserved; /* stacks handed out, those cached for the next goroutine included */
    uint64_t stack_bytes_resident;          /* an estimate */
    uint64_t stack_growths;                 /* segments taken beyond the warm ones */
    uint64_t timers;                        /* armed */
    uint64_t pollers;                       /* goroutines and threads waiting for descriptors */
} go_stats;

/* go_get_stats: fill *stats. Figures are read one after the other while the program runs on: each is true, their sums may be off
 * by what happened meanwhile. All zero when no runtime runs.
 * Parks:  no.     Caller: any goroutine or thread. */
GO_API void go_get_stats(go_stats *stats);

/* go_dump: write every goroutine to descriptor fd: the caller's first, then by age. Each has its id, name, what it waits for
 * and since when, its backtrace and who started it:
 *
 *   goroutine 7 "worker" [chan receive, 3.2s]:
 *       go_chan_recv+0x4a server
 *       worker+0x31 server
 *   created by goroutine 1 in main_fn+0x58 server
 *
 * Scheduling stops meanwhile. Goroutines that execute at that moment without a P (long computations, blocking calls) are listed
 * without a backtrace. Does nothing when no runtime runs.
 * Parks:  no; it may block for as long as fd takes the text.     Caller: any goroutine or thread; not a signal handler. */
GO_API void go_dump(int fd);

/* go_trace_start: record scheduling events in memory until go_trace_stop writes them to path as Chrome trace-event JSON, which
 * ui.perfetto.dev and chrome://tracing open: a track per P, a slice per run of a goroutine, arrows from who woke or started it.
 * An event takes 48 bytes and about 40 ns; at 256 MiB recording ends and the file says how many events are missing.
 *   path   created or emptied now
 * Returns 0; -EBUSY if a trace is running; -ENOMEM; or why path cannot be written.
 * Caller: any goroutine or thread, also before go_run. */
GO_API int go_trace_start(const char *path);

/* go_trace_stop: end the recording and write the file. It may come after go_run.
 * Returns 0; -EINVAL if no trace is running; -ENOMEM; or why the file could not be written. */
GO_API int go_trace_stop(void);

/* go_set_deadlock_handler: call handler(arg), on a system stack, when all goroutines are asleep, instead of the fatal error. If it
 * returns, the error is reported as without it and the process exits with status 2. NULL: none. It stays for later runs. */
GO_API void go_set_deadlock_handler(void (*handler)(void *arg), void *arg);

#ifdef __cplusplus
}
#endif

#endif
