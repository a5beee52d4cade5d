/* Goroutines begin and end. */
#ifndef GO_SRC_SCHED_GOROUTINE_H
#define GO_SRC_SCHED_GOROUTINE_H

#include "sched/rt.h"

/* Starts wrapper(copy of arg); the stack is chosen by fn's prologue, and dumps show fn as entry, created at pc. 0, -ENOMEM or
 * -ESRCH. */
int go__spawn_wrapped(go_func wrapper, go_func fn, const void *arg, size_t size, void *pc);

/* On the g0 side, mp owns a p (timer functions). Inherits nothing. 0 or -ENOMEM. */
int go__spawn_from_system(go_func fn, void *arg);

/* The main goroutine, wrapper(arg), before any m runs; dumps and traces show fn as its entry. NULL when memory is out. */
struct go__g *go__spawn_main(go_func wrapper, void *arg, void (*fn)(void));

/* The end of the calling goroutine. */
void go__goroutine_exit(void) GO__NORETURN;

/* The run is over and no thread runs: frees what goroutines that never ended own, but for their values and contexts. */
void go__goroutines_drop_left(void);

/* World stopped, or before the run: says how many free gs pp may keep, where there are `procs` ps; what it has goes back. */
void go__free_gs_limit(struct go__p *pp, int procs);

/* Owner p only, run over or p going away: gives the cached free gs back. */
void go__free_gs_return(struct go__p *pp);

#endif
