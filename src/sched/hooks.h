/* What the scheduler asks of the floors above it; they define these functions (a link-time contract, no pointers). All are
 * called on the g0 side, by an m that owns pp where one is given, unless it says otherwise. */
#ifndef GO_SRC_SCHED_HOOKS_H
#define GO_SRC_SCHED_HOOKS_H

#include "sched/rt.h"

/* src/time. pp->timers and pp->timer_next are theirs. */
int go__timers_init(struct go__p *pp);     /* 0 or -ENOMEM */
void go__timers_destroy(struct go__p *pp); /* the run is over */
/* Runs what is due at `now` in pp's heap (any m may run any p's timers: they have their own lock) and returns how many ran; not all if
 * they are many: pp->timer_next tells. Callbacks ready goroutines; they are called without the timers' lock unless the timer room says otherwise. */
int go__timers_run(struct go__p *pp, int64_t now);
void go__timers_move(struct go__p *from, struct go__p *to); /* world stopped: from goes away */
size_t go__timers_count(struct go__p *pp);                  /* any thread; for statistics */

/* src/poll. */
int go__netpoll_init(void); /* 0 or -errno */
void go__netpoll_destroy(void);
void go__netpoll_forked(void); /* in the child of a fork: the poller is the parent's */
/* Collects goroutines whose descriptors became ready. timeout_ns 0: look only; INT64_MAX: until woken. May be called on the g0 side
 * with or without a p; one m at a time with a non-zero timeout. */
void go__netpoll(int64_t timeout_ns, struct go__g_list *ready);
void go__netpoll_break(void);       /* ends a sleep in go__netpoll; any thread */
int64_t go__netpoll_waiters(void);  /* how many wait for descriptors, less than 0 for a moment; any thread */
bool go__netpoll_has_waiters(void); /* somebody does */

/* src/context. */
struct go__bound;
void go__bound_inherit(struct go__g *child, struct go__g *parent); /* on spawn, parent->bound != NULL; on the parent's stack */
void go__bound_drop(struct go__g *gp);                             /* on exit, gp->bound != NULL; on gp's stack, or its thread's */
void go__bounds_drop_all(void);                                    /* the run is over, its threads ended; before stacks go */

/* src/debug. */
void go__deadlock(void) GO__NORETURN; /* all goroutines are asleep; no lock held */
void go__leak_report(void);           /* the run ends; world stopped, before stacks go; prints if GOCO_DEBUG asks */
void go__dump_all(int fd);            /* world stopped or dying */
void go__debug_start(void);           /* GOCO_DEBUG parsed, SIGQUIT; go_run's thread, before main starts */
void go__debug_stop(void);
void go__schedtrace_tick(int64_t now);    /* sysmon, every wake-up; prints when due */
void go__debug_sysmon_thread_init(void);  /* sysmon's thread, first thing: opens SIGQUIT if the run handles it */
void go__debug_poll(void);                /* sysmon, every wake-up, no lock held: makes a dump that SIGQUIT asked for */
extern go__atomic(uint32_t) go__trace_on; /* scheduling events are recorded */
enum go__trace_event { GO__TRACE_START, GO__TRACE_STOP, GO__TRACE_PARK, GO__TRACE_READY, GO__TRACE_SPAWN, GO__TRACE_EXIT };
void go__trace_record(enum go__trace_event event, struct go__g *gp, struct go__p *pp);

/* src/sync: goroutine-local values. */
void go__locals_drop(struct go__g *gp); /* on exit, gp->locals != NULL; on gp's stack, or its thread's; runs destructors */
void go__locals_drop_all(void);         /* the run is over, its threads ended; before stacks go; runs none */

/* src/chan. */
void go__chans_forget(void);     /* the run is over: those who wait on channels will not come back, but for foreign threads, whose
                                    waits are cancelled next */
void go__selects_drop_all(void); /* the run is over, no thread of it is left */

/* src/net: signals and children. */
void go__signals_stop(void); /* the run ends */

/* sysmon asks; any of them may print nothing. */
bool go__debug_flag(const char *name); /* GOCO_DEBUG contains name or name=1 */
int64_t go__debug_value(const char *name, int64_t otherwise);

#endif
