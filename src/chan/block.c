/* The caches of select's blocks.
 *
 * A cache belongs to whoever owns the p with its index, between go__enter and go__leave, which is not while a lock is held: entering
 * the runtime may wait for a p. A goroutine that the end of the run meets in a select never gives its block back; so all blocks
 * of goroutines are in one list and go with the run. A foreign thread comes back in any case: its blocks are its own. */
#include "chan/block.h"

#include "base/rng.h"
#include "sched/alloc.h"
#include "sched/blocking.h"
#include "sched/hooks.h"

#define FEW  4
#define MANY 16
#define KEPT 64 /* blocks of a kind in a cache */

enum kind { FOR_FEW, FOR_MANY, KINDS, NOT_KEPT = KINDS };

static struct cache {
    GO__ALIGNED(GO__CACHELINE) struct go__select_block *first[KINDS];
    uint32_t count[KINDS];
} caches[GO__MAX_PROCS];

static go__spinlock all_lock; /* a leaf */
static go__list all;          /* under all_lock; made on first use */

static enum kind kind_of(uint32_t cases)
{
    return cases <= FEW ? FOR_FEW : cases <= MANY ? FOR_MANY : NOT_KEPT;
}

static void enlist(struct go__select_block *b)
{
    go__spin_lock(&all_lock);
    if (all.next == NULL) {
        go__list_init(&all);
    }
    go__list_push_back(&all, &b->all);
    go__spin_unlock(&all_lock);
}

static GO__NOINLINE struct go__select_block *block_new(uint32_t cases, bool foreign)
{
    static const uint32_t sizes[KINDS] = {FEW, MANY};
    enum kind kind = kind_of(cases);
    uint32_t size = kind != NOT_KEPT ? sizes[kind] : cases;
    struct go__select_block *b = go__alloc(sizeof *b + size * (sizeof b->waiters[0] + sizeof b->order[0]));
    if (b == NULL) {
        return NULL;
    }
    b->size = size;
    b->order = (uint16_t *)(void *)&b->waiters[size];
    b->foreign = foreign;
    if (!foreign) {
        enlist(b);
    }
    return b;
}

static GO__NOINLINE void block_free(struct go__select_block *b)
{
    if (!b->foreign) {
        go__spin_lock(&all_lock);
        go__list_remove(&b->all);
        go__spin_unlock(&all_lock);
    }
    go__free(b);
}

/* NULL: the cache is empty. */
static GO__NO_TSAN struct go__select_block *take(enum kind kind)
{
    struct go__m *mp = go__enter();
    struct cache *cache = &caches[mp->p->index];
    struct go__select_block *b = cache->first[kind];
    if (b != NULL) {
        cache->first[kind] = b->next;
        cache->count[kind]--;
    }
    go__leave(mp);
    return b;
}

/* False: the cache is full. */
static GO__NO_TSAN bool keep(struct go__select_block *b, enum kind kind)
{
    struct go__m *mp = go__enter();
    struct cache *cache = &caches[mp->p->index];
    bool room = cache->count[kind] < KEPT;
    if (room) {
        b->next = cache->first[kind];
        cache->first[kind] = b;
        cache->count[kind]++;
    }
    go__leave(mp);
    return room;
}

struct go__select_block *go__select_block_get(uint32_t cases)
{
    enum kind kind = kind_of(cases);
    bool foreign = go__m() == NULL;
    if (go__likely(!foreign && kind != NOT_KEPT)) {
        struct go__select_block *b = take(kind);
        if (b != NULL) {
            go__tsan_acquire(b);
            return b;
        }
    }
    return block_new(cases, foreign);
}

void go__select_block_put(struct go__select_block *b)
{
    enum kind kind = kind_of(b->size);
    if (go__likely(go__m() != NULL && kind != NOT_KEPT)) {
        go__tsan_release(b);
        if (keep(b, kind)) {
            return;
        }
    }
    block_free(b);
}

void go__selects_drop_all(void)
{
    /* Not this run's ps alone: one that left orphans had more, perhaps, and dropped nothing. */
    for (int i = 0; i < GO__MAX_PROCS; i++) {
        if ((caches[i].count[FOR_FEW] | caches[i].count[FOR_MANY]) != 0) { /* most are pages never written to */
            caches[i] = (struct cache){{NULL, NULL}, {0, 0}};
        }
    }
    go__spin_lock(&all_lock);
    while (all.next != NULL && !go__list_empty(&all)) {
        struct go__select_block *b = go__container_of(go__list_pop_front(&all), struct go__select_block, all);
        go__spin_unlock(&all_lock);
        go__free(b);
        go__spin_lock(&all_lock);
    }
    go__spin_unlock(&all_lock);
}

static GO__NOINLINE uint32_t chance_outside(void)
{
    static go__atomic(uint64_t) state = UINT64_C(0x9E3779B97F4A7C15); /* rlx: two threads that draw the same do no harm */
    go__rng rng = {load_rlx(&state)};
    uint32_t drawn = go__rng_next(&rng);
    store_rlx(&state, rng.state);
    return drawn;
}

GO__NO_TSAN uint32_t go__select_chance(void)
{
    if (go__unlikely(go__m() == NULL)) {
        return chance_outside();
    }
    struct go__m *mp = go__enter();
    uint32_t drawn = go__rng_next(&mp->p->rng);
    go__leave(mp);
    return drawn;
}
