/* Timers: one 4-ary heap a p. A go__timer is embedded in whatever it wakes; arming and disarming allocate nothing but heap room. */
#ifndef GO_SRC_TIME_TIMER_H
#define GO_SRC_TIME_TIMER_H

#include "sched/rt.h"

struct go__timers;
struct go__timer;

/* Runs when the timer is due, with the heap's lock held, on whatever thread looked at the heap: short, no parking, no other
 * lock below the heap's. Goroutines to be woken are pushed on `ready`. It may re-arm its own timer by returning the next deadline;
 * INT64_MAX: done. After it has completed a wake-up and returns INT64_MAX, nobody touches the timer again. */
typedef int64_t (*go__timer_fire)(struct go__timer *t, int64_t now, struct go__g_list *ready);

struct go__timer {
    go__timer_fire fire;                  /* constant while armed */
    int64_t when;                         /* under the heap's lock; its entry may lie further ahead, see timer.c */
    go__atomic(struct go__timers *) heap; /* where it is or was last armed; written under that heap's lock */
    struct go__g *wakes;                  /* whom fire will wake, NULL: nobody; constant while armed; for the cache only */
    uint32_t index;                       /* its slot in the heap + 1; 0 while not armed; under the heap's lock */
};

/* Arms a disarmed timer (zeroed, or after go__timer_disarm) on the caller's p; foreign threads use some p's heap. 0 or -ENOMEM.
 * Any goroutine or foreign thread while the runtime runs; no spin lock held; not on the g0 side. */
int go__timer_arm(struct go__timer *t, int64_t when);

/* Disarms it; true if it was pending. When this returns, fire is not running and will not run. Anywhere but inside a fire. */
bool go__timer_disarm(struct go__timer *t);

/* Puts an armed timer off, or brings it forward: true. Not armed: false, and nothing has happened. *announce, if not NULL, is to
 * be told by go__timers_announce(*announce, when) once the caller's spin lock is dropped. Needs no memory. */
bool go__timer_rearm(struct go__timer *t, int64_t when, struct go__timers **announce);

/* Arming in two steps, for those who serialise by a spin lock of their own: first room is reserved without that lock (NULL: no
 * memory), then the timer is armed under it, which cannot fail; go__timers_announce follows when the lock is dropped. A
 * reservation that is not wanted after all goes back by go__timers_unreserve. */
struct go__timers *go__timers_reserve(void);
void go__timers_unreserve(struct go__timers *heap);
bool go__timer_arm_reserved(struct go__timers *heap, struct go__timer *t, int64_t when); /* true: announce it */
void go__timers_announce(struct go__timers *heap, int64_t when);

/* Inside a fire only: fn(arg) is to run once the heap's lock is dropped: in a goroutine of its own, or here on the g0 side. */
enum go__timer_then { GO__TIMER_THEN_SPAWN, GO__TIMER_THEN_CALL };
void go__timer_defer(struct go__timer *t, enum go__timer_then how, go_func fn, void *arg);

/* now + duration, held between 0 and GO_FOREVER. */
GO__INLINE int64_t go__deadline_after(int64_t now, int64_t duration)
{
    if (duration <= 0) {
        return now;
    }
    return duration > INT64_MAX - now ? INT64_MAX : now + duration;
}

/* The vDSO's clock_gettime, or NULL: found once, by go__vdso_init on a system stack. */
struct timespec;
typedef int (*go__clock_fn)(int clock, struct timespec *ts);
extern go__atomic(go__clock_fn) go__vdso_clock;
void go__vdso_init(void);

#endif
