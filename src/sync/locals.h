/* What belongs to a goroutine and must be seen to when it ends: the list at g.locals, last in first out. A member is the table of
 * its goroutine-local values, or a call that go_exit must not skip (who runs a once, a waitgroup's goroutine), which lies on the
 * goroutine's stack. Only the goroutine itself touches the list. */
#ifndef GO_SRC_SYNC_LOCALS_H
#define GO_SRC_SYNC_LOCALS_H

#include "sched/rt.h"

struct go__local {
    struct go__local *next;
    /* The goroutine ends. Takes the member off the list. */
    void (*drop)(struct go__g *gp, struct go__local *local);
};

GO__INLINE void go__local_push(struct go__g *gp, struct go__local *local)
{
    local->next = gp->locals;
    gp->locals = local;
}

/* Members that were added since are before it. */
GO__INLINE void go__local_remove(struct go__g *gp, struct go__local *local)
{
    struct go__local *at = gp->locals;
    if (at == local) {
        gp->locals = local->next;
        return;
    }
    while (at->next != local) {
        at = at->next;
    }
    at->next = local->next;
}

/* Calls fn(arg), the user's function. If fn has no stack check (libc's free, say) and may be on a small stack, it gets a big one;
 * it may park all the same. */
void go__call_user(void (*fn)(void *arg), void *arg);

/* For functions without a check, on a stack with room for them (roomy.c, unchecked.c). */
void go__call_roomy(void (*fn)(void *arg), void *arg);
void go__call_unchecked(void (*fn)(void *arg), void *arg);

#endif
