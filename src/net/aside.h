/* A blocking call that one can stop waiting for: it runs in a goroutine of its own as a declared blocking call, and whoever asked waits
 * for it as for anything else. Given up, by deadline or cancellation, it ends alone and drops what it made. */
#ifndef GO_SRC_NET_ASIDE_H
#define GO_SRC_NET_ASIDE_H

#include "go/run.h"
#include "sched/park.h"
#include "time/wait.h"

/* Embedded in what go__alloc made, zeroed. */
struct go__aside {
    void (*call)(struct go__aside *aside); /* on a native stack; constant, as the next two */
    void (*drop)(struct go__aside *aside); /* frees it; on a goroutine's stack */
    enum go__reason reason;
    go__atomic(uint32_t) references; /* the caller's and the goroutine's */
    go__spinlock lock;
    /* Under lock. */
    struct go__g *waiter; /* with its ticket; NULL before it waits and after it gave up */
    uint32_t ticket;
    bool done;
};

/* 0 or -ENOMEM: nothing runs then. The caller has a reference in either case. */
int go__aside_start(struct go__aside *aside);
void go__aside_unref(struct go__aside *aside);

/* go_spawn from a deep place: on the native stack. */
int go__spawn_deep(go_func fn, void *arg);

struct go__g *go__aside_begin_wait(struct go__aside *aside, int64_t deadline); /* with the lock held; NULL: it is done */
void go__aside_end_wait(struct go__aside *aside);
void go__aside_unlock(void *aside);

/* 0: the call has returned; -ETIMEDOUT, -ECANCELED: given up. Inline, because there is little stack below. */
GO__INLINE int go__aside_wait(struct go__aside *aside, int64_t deadline)
{
    struct go__g *gp = go__aside_begin_wait(aside, deadline);
    if (gp == NULL) {
        return 0;
    }
    int code = go__wait_park(gp, aside->ticket, deadline, go__aside_unlock, aside, aside->reason);
    go__aside_end_wait(aside);
    return code;
}

#endif
