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

/* Cuts the first n (or fewer) off a list that is not empty. */
static struct go__g_list cut(struct go__g *first, uint32_t n)
{
    struct go__g_list front = {first, first, 1};
    while (front.count < n && front.tail->link != NULL) {
        front.tail = front.tail->link;
        front.count++;
    }
    return front;
}

static struct go__g_list *batch(struct go__p *pp, uint32_t age)
{
    return &pp->later[(pp->later_oldest + age) % GO__LATER];
}

/* Too many batches: the two oldest become one. */
static void join_oldest(struct go__p *pp)
{
    struct go__g_list *oldest = batch(pp, 0), *next = batch(pp, 1);
    go__g_list_append(oldest, next);
    *next = *oldest;
    pp->later_oldest++;
    pp->later_batches--;
}

void go__runq_overflow(struct go__p *pp)
{
    uint32_t queued = load_rlx(&pp->own_count); /* rlx: ours */
    if (queued < pp->own_mark) {
        pp->own_mark = queued;
    }
    if (queued - pp->own_mark < GO__OWN_LONG / 2) {
        return;
    }
    pp->own_mark = queued;
    struct go__g_list older = {pp->own_first, pp->own_old_last, pp->own_old_count};
    if (older.tail == NULL || older.count > GO__OWN_LONG) { /* all of a long queue is not the older part of a list that grows */
        older = cut(pp->own_first, GO__OWN_LONG / 2);
    }
    pp->own_first = older.tail->link;
    older.tail->link = NULL;
    pp->own_old_last = pp->own_last;
    pp->own_old_count = queued - pp->later_count - older.count;
    if (pp->later_batches == GO__LATER) {
        join_oldest(pp);
    }
    *batch(pp, pp->later_batches++) = older;
    pp->later_count += older.count;
}

/* The list is empty. */
static void recall(struct go__p *pp, uint32_t most)
{
    struct go__g_list *newest = batch(pp, pp->later_batches - 1), front = *newest;
    if (front.count > most) {
        front = cut(front.head, most);
        newest->head = front.tail->link;
        newest->count -= front.count;
        front.tail->link = NULL;
    } else {
        pp->later_batches--;
    }
    pp->later_count -= front.count;
    pp->own_first = front.head;
    pp->own_last = front.tail;
}

void go__runq_recall(struct go__p *pp)
{
    recall(pp, GO__OWN_LONG); /* more would run before what they start: breadth first */
}

void go__runq_recall_all(struct go__p *pp)
{
    while (pp->later_batches != 0) {
        struct go__g *first = pp->own_first, *last = pp->own_last;
        recall(pp, UINT32_MAX);
        if (first != NULL) {
            last->link = pp->own_first;
            pp->own_first = first;
        }
    }
}

void go__runq_release(struct go__p *pp)
{
    struct go__g_list *global = &go__sched.global;
    for (; pp->later_batches != 0; pp->later_oldest++, pp->later_batches--) {
        go__g_list_append(global, batch(pp, 0));
    }
    store_rlx(&pp->own_count, load_rlx(&pp->own_count) - pp->later_count); /* rlx: one writer, a hint for others */
    pp->later_count = 0;
    store_rlx(&go__sched.global_count, global->count); /* rlx: hint; idlers look under the lock */
}

struct go__g *go__later_get(struct go__p *pp)
{
    if (pp->later_batches == 0) {
        return NULL;
    }
    struct go__g_list *oldest = batch(pp, 0);
    struct go__g *gp = oldest->head;
    oldest->head = gp->link;
    if (--oldest->count == 0) {
        pp->later_oldest++;
        pp->later_batches--;
    }
    pp->later_count--;
    store_rlx(&pp->own_count, load_rlx(&pp->own_count) - 1); /* rlx: one writer, a hint for others */
    return gp;
}

void go__runq_publish(struct go__p *pp)
{
    /* Out of the list first: once a goroutine is in the ring its link may be another queue's. */
    uint32_t room = GO__RUNQ_SIZE - (load_rlx(&pp->tail) - load_acq(&pp->head)); /* as in go__runq_put; consumers only make more */
    struct go__g *gp;
    while (room-- > 0 && (gp = go__own_get(pp)) != NULL) {
        (void)go__runq_put(pp, gp);
    }
}
