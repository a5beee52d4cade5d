/* Timers: one 4-ary heap a p. A go__timer is embedded in whatever it wakes; arming and disarming allocate nothing but heap room. */
#ifndef GO_SRC_TIME_TIMER_H
#define GO_SRC_TIME_TIMER_H

#include "sched/rt.h"

struct go__timers;
struct go__timer;

/* Runs when the timer is due, with the heap's lock held, on whatever thread looked at the heap: short, no parking, no other
 * lock below the heap's. Goroutines to be woken are pushed on `ready`. It may re-arm its own timer by returning the next deadline;
 * INT64_MAX: done. */
typedef int64_t (*go__timer_fire)(struct go__timer *t, int64_t now, struct go__g_list *ready);

struct go__timer {
    go__timer_fire fire;     /* constant while armed */
    int64_t when;            /* under the heap's lock */
    go__atomic(struct go__timers *) heap; /* where it is or was last armed; written under that heap's lock */
    uint32_t index;          /* position in the heap + 1; 0 while not armed; under the heap's lock */
};

/* Arms a disarmed timer (zeroed, or after go__timer_disarm) on the caller's p; foreign threads use some p's heap. 0 or -ENOMEM.
 * Any goroutine or foreign thread while the runtime runs; not on the g0 side. */
int go__timer_arm(struct go__timer *t, int64_t when);

/* Disarms it; true if it was pending. When this returns, fire is not running and will not run. Same callers. */
bool go__timer_disarm(struct go__timer *t);

#endif
