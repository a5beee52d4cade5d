#include "sched/runq.h"

#include "sched/proc.h"

/* Copies up to half of victim's ring into to's slots from `at` on; returns how many became ours. */
static uint32_t grab(struct go__p *victim, struct go__p *to, uint32_t at)
{
    uint32_t head = load_acq(&victim->head); /* pairs with other consumers' CAS */
    for (;;) {
        uint32_t tail = load_acq(&victim->tail); /* pairs with store_rel in put: slots and goroutines are visible */
        uint32_t n = tail - head;
        n -= n / 2;
        if (n == 0) {
            return 0;
        }
        if (n > GO__RUNQ_SIZE / 2) { /* head and tail were read at different times */
            head = load_acq(&victim->head);
            continue;
        }
        for (uint32_t i = 0; i < n; i++) {
            store_rlx(&to->ring[(at + i) % GO__RUNQ_SIZE], load_rlx(&victim->ring[(head + i) % GO__RUNQ_SIZE]));
        }
        /* acqrel: the copies are made before the slots are free; pairs with load_acq of head in put. */
        if (cas_acqrel(&victim->head, &head, head + n)) {
            return n;
        }
    }
}

struct go__g *go__runq_steal(struct go__p *to, struct go__p *victim)
{
    uint32_t tail = load_rlx(&to->tail);
    uint32_t n = grab(victim, to, tail);
    if (n == 0) {
        return NULL;
    }
    struct go__g *gp = load_rlx(&to->ring[(tail + n - 1) % GO__RUNQ_SIZE]);
    if (n > 1) {
        store_rel(&to->tail, tail + n - 1); /* as in put */
    }
    return gp;
}

void go__runq_overflow(struct go__p *pp)
{
    uint32_t half = load_rlx(&pp->own_count) / 2; /* rlx: ours */
    struct go__g_list older = {pp->own_first, pp->own_first, half};
    for (uint32_t i = 1; i < half; i++) {
        older.tail = older.tail->link;
    }
    pp->own_first = older.tail->link;
    older.tail->link = NULL;
    store_rlx(&pp->own_count, load_rlx(&pp->own_count) - half);
    go__global_put(&older);
}

void go__runq_publish(struct go__p *pp)
{
    /* Out of the list first: once a goroutine is in the ring its link may be another queue's. */
    uint32_t room = GO__RUNQ_SIZE - (load_rlx(&pp->tail) - load_acq(&pp->head)); /* as in go__runq_put; consumers only make more */
    while (room-- > 0 && pp->own_first != NULL) {
        (void)go__runq_put(pp, go__own_get(pp));
    }
}
