/* What ThreadSanitizer is told of the scheduler, which it does not see. Without it every function here is empty. */
#ifndef GO_SRC_SCHED_EDGE_H
#define GO_SRC_SCHED_EDGE_H

#include "os/sanitize.h"
#include "sched/rt.h"

/* ThreadSanitizer's view. The scheduler is not instrumented; the edge goes from whoever made gp runnable, or last ran on its stack,
 * to gp. A commit comes after what gp did before it left, but gp's own fiber may be running elsewhere before the commit is over: so
 * commits run as the m's g0 side. */
#if GO__TSAN
GO__INLINE void go__edge_release(struct go__g *gp)
{
    __tsan_release(gp);
}

GO__INLINE void go__edge_acquire(struct go__g *gp)
{
    __tsan_acquire(gp);
}

/* To whoever is given `object` by the scheduler. */
GO__INLINE void go__edge_publish(void *object)
{
    __tsan_release(object);
}

/* From the start of mp's thread (its record, its thread-locals) to every goroutine that runs there. What goroutines do one after the
 * other on a thread is not ordered by it: that is no synchronization of theirs. */
GO__INLINE void go__edge_thread_started(struct go__m *mp)
{
    __tsan_release(&mp->tid);
}

GO__INLINE void go__edge_resumed(struct go__g *gp, struct go__m *mp)
{
    __tsan_acquire(&mp->tid);
    __tsan_acquire(gp);
}

GO__INLINE void go__edge_receive(void *object)
{
    __tsan_acquire(object);
}

/* From every goroutine, each time it leaves its stack, to the end of the run. */
GO__INLINE void go__edge_run_release(void)
{
    __tsan_release(&go__sched);
}

GO__INLINE void go__edge_run_acquire(void)
{
    __tsan_acquire(&go__sched);
}

GO__INLINE void *go__edge_commit_begin(struct go__m *mp, struct go__g *gp)
{
    void *self = __tsan_get_current_fiber();
    if (self != mp->g0buf.tsan_fiber) {
        __tsan_switch_to_fiber(mp->g0buf.tsan_fiber, __tsan_switch_to_fiber_no_sync);
    }
    __tsan_acquire(gp);
    return self;
}

/* What a commit writes on the stack of the goroutine that lands, when it starts a thread say, comes before what that goroutine does. */
GO__INLINE void go__edge_commit_wrote(struct go__m *mp)
{
    if (__tsan_get_current_fiber() == mp->g0buf.tsan_fiber) {
        __tsan_release(&mp->after);
    }
}

GO__INLINE void go__edge_commit_end(struct go__m *mp, void *self)
{
    if (self != __tsan_get_current_fiber()) {
        __tsan_switch_to_fiber(self, __tsan_switch_to_fiber_no_sync);
        __tsan_acquire(&mp->after);
    }
}
#else
GO__INLINE void go__edge_commit_wrote(struct go__m *mp)
{
    (void)mp;
}

GO__INLINE void go__edge_release(struct go__g *gp)
{
    (void)gp;
}

GO__INLINE void go__edge_acquire(struct go__g *gp)
{
    (void)gp;
}

GO__INLINE void go__edge_publish(void *object)
{
    (void)object;
}

GO__INLINE void go__edge_receive(void *object)
{
    (void)object;
}

GO__INLINE void go__edge_thread_started(struct go__m *mp)
{
    (void)mp;
}

GO__INLINE void go__edge_resumed(struct go__g *gp, struct go__m *mp)
{
    (void)gp;
    (void)mp;
}

GO__INLINE void go__edge_run_release(void) {}

GO__INLINE void go__edge_run_acquire(void) {}

GO__INLINE void *go__edge_commit_begin(struct go__m *mp, struct go__g *gp)
{
    (void)mp;
    (void)gp;
    return NULL;
}

GO__INLINE void go__edge_commit_end(struct go__m *mp, void *self)
{
    (void)mp;
    (void)self;
}
#endif

#endif
