#include "sync/waiters.h"

#include "go/time.h"
#include "os/syscall.h"
#include "sched/blocking.h"
#include "sched/crowd.h"
#include "sched/runq.h"

struct go__sudog *go__ring_claim_all(struct go__sudog **first)
{
    struct go__sudog *head = NULL, **link = &head;
    for (struct go__sudog *sg = go__ring_claim(first); sg != NULL; sg = go__ring_claim(first)) {
        *link = sg;
        link = &sg->next;
    }
    *link = NULL;
    return head;
}

void go__wake_all(struct go__sudog *list, int code)
{
    struct go__g_list ready = {0};
    while (list != NULL) {
        struct go__sudog *sg = list;
        struct go__g *gp = sg->g;
        list = sg->next; /* sg is gone when its wake-up is complete */
        if (go__wake_prepare(gp, sg->ticket, code)) {
            go__g_list_push(&ready, gp);
        }
    }
    if (ready.count == 1) {
        go__ready(ready.head);
    } else if (ready.count != 0) {
        go__ready_list(&ready);
    }
}

void go__sync_pause(unsigned round)
{
    go__cpu_relax_for(round < 6 ? 1u << round : 64);
    if (round >= 16) {
        (void)go__syscall0(SYS_sched_yield);
    }
}

/* p's records are the scheduler's, whose accesses ThreadSanitizer does not see. */
GO__SCHED_INLINE bool nothing_waits_here(void)
{
    struct go__m *mp = go__enter();
    struct go__p *pp = mp->p;
    bool nothing = !go__runq_hides(pp) && load_rlx(&pp->head) == load_rlx(&pp->tail);
    go__leave(mp);
    return nothing;
}

bool go__sync_may_spin(const struct go__g *gp)
{
    uint32_t idle = load_rlx(&go__sched.idle_p_count); /* rlx, as all here: heuristic */
    if (gp->thread != NULL) {
        return true; /* a sleep costs it two system calls */
    }
    return !go__conflict(go_now()) && (uint32_t)go__sched.procs > idle + 1 && nothing_waits_here();
}
