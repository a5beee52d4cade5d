/* The timer heaps: arming, disarming and running what is due.
 *
 * Shape. A heap is an array of {when, slot}, smallest `when` first, four children a node, the four in one cache line: position
 * ROOT is 3 and the children of p are 4p-8 .. 4p-5. Positions past the end hold INT64_MAX, so that the smallest child is found
 * without asking how many there are. A slot names the armed timer and remembers where its entry lies. The indirection keeps
 * every word that sifting writes in two dense arrays: timers themselves lie on goroutine stacks, a page apart, and writing a
 * position into each one on the way would cost a TLB miss a level.
 *
 * Room. Both arrays live in chunks, each as large as all before it, which are never moved: growing allocates outside the lock
 * and copies nothing. Chunks go when the run ends. The go__timers themselves are type-stable (pooled, never freed), so that a
 * timer that outlived its run (a context's) can still be asked about: `index` counts only if the slot names the timer.
 *
 * Later. A timer that is armed anew for a later time (deadlines that are pushed on and on) keeps its entry where it is and is
 * sifted when that entry comes up: entry.when <= timer.when.
 *
 * Invariants, under `lock`: timers[entry.slot]->index == entry.slot + 1; positions[entry.slot] is the entry's position;
 * p->timer_next is the root's `when`; used + reserved <= room.
 *
 * Lock: a leaf but for sched.lock; fire callbacks run under it. Two heaps are locked together by go__timers_move alone. */
#include "time/timer.h"

#include <errno.h>

#include "os/fatal.h"
#include "sched/alloc.h"
#include "sched/goroutine.h"
#include "sched/hooks.h"
#include "sched/park.h"
#include "sched/proc.h"

#define CHUNK_FIRST_BITS 6  /* entries in the first chunk: 64 */
#define CHUNKS           24 /* 64 << 23 timers a heap */
#define ROOT             3u
#define BATCH            32 /* timers fired for one taking of the lock */

struct entry {
    int64_t when;
    uint32_t slot;
    uint32_t spare;
};

struct chunk {
    struct entry *entries; /* cache-line aligned */
    struct go__timer **timers;
    uint32_t *positions; /* of a used slot: where its entry is; of a free one: the next free slot */
};

struct after {
    go_func fn;
    void *arg;
    enum go__timer_then how;
};

struct after_list {
    struct after item[BATCH];
    uint32_t count;
};

struct go__timers {
    go__spinlock lock;
    /* Under lock. */
    uint32_t used;     /* armed timers */
    uint32_t reserved; /* room promised to go__timer_arm_reserved */
    uint32_t room;     /* entries in all chunks, the positions before ROOT and the padding not counted */
    uint32_t chunk_count;
    uint32_t slot_top;           /* slots ever used */
    uint32_t slot_free;          /* first free slot + 1, linked through positions; 0: none */
    struct go__timers *moved_to; /* the p is gone: use this heap instead */
    struct after_list *after;    /* while a batch fires: its runner's list */
    struct chunk chunks[CHUNKS];
    void *memory[CHUNKS]; /* what to free */
    /* Constant while the run lasts. */
    struct go__p *p;
    struct go__timers *pool_link; /* under pool_lock */
};

go__atomic(struct go__timers *) go__timers_outside; /* see sched/proc.h */

static go__spinlock pool_lock;
static struct go__timers *pool; /* heaps of no p; under pool_lock */

/* Chunk k > 0 holds [64 << (k-1), 64 << k), chunk 0 holds [0, 64). */
GO__INLINE uint32_t chunk_of(uint32_t index)
{
    return 32u - (uint32_t)__builtin_clz(index | ((1u << CHUNK_FIRST_BITS) - 1)) - CHUNK_FIRST_BITS;
}

GO__INLINE uint32_t chunk_start(uint32_t chunk)
{
    return chunk == 0 ? 0 : 1u << (chunk + CHUNK_FIRST_BITS - 1);
}

GO__INLINE uint32_t chunk_size(uint32_t chunk)
{
    return chunk == 0 ? 1u << CHUNK_FIRST_BITS : chunk_start(chunk);
}

GO__INLINE struct entry *entry_at(struct go__timers *h, uint32_t position)
{
    uint32_t c = chunk_of(position);
    return &h->chunks[c].entries[position - chunk_start(c)];
}

GO__INLINE uint32_t *position_of(struct go__timers *h, uint32_t slot)
{
    uint32_t c = chunk_of(slot);
    return &h->chunks[c].positions[slot - chunk_start(c)];
}

GO__INLINE struct go__timer **timer_of(struct go__timers *h, uint32_t slot)
{
    uint32_t c = chunk_of(slot);
    return &h->chunks[c].timers[slot - chunk_start(c)];
}

GO__INLINE void place(struct go__timers *h, uint32_t position, int64_t when, uint32_t slot)
{
    struct entry *e = entry_at(h, position);
    e->when = when;
    e->slot = slot;
    *position_of(h, slot) = position;
}

static void sift_up(struct go__timers *h, uint32_t position, int64_t when, uint32_t slot)
{
    while (position > ROOT) {
        uint32_t parent = position / 4 + 2;
        struct entry *e = entry_at(h, parent);
        if (e->when <= when) {
            break;
        }
        place(h, position, e->when, e->slot);
        position = parent;
    }
    place(h, position, when, slot);
}

static void sift_down(struct go__timers *h, uint32_t position, int64_t when, uint32_t slot)
{
    uint32_t end = ROOT + h->used;
    for (;;) {
        uint32_t child = 4 * position - 8;
        if (child >= end) {
            break;
        }
        struct entry *e = entry_at(h, child); /* four in a row: never across chunks */
        uint32_t below = 4 * child - 8; /* whichever of the four it is, its own are on their way; past a chunk's end: in vain */
        if (below < end) {
            struct entry *b = entry_at(h, below);
            __builtin_prefetch(b);
            __builtin_prefetch(b + 4);
            __builtin_prefetch(b + 8);
            __builtin_prefetch(b + 12);
        }
        uint32_t a = e[1].when < e[0].when ? 1 : 0;
        uint32_t c = e[3].when < e[2].when ? 3 : 2;
        uint32_t least = e[c].when < e[a].when ? c : a;
        if (e[least].when >= when) {
            break;
        }
        place(h, position, e[least].when, e[least].slot);
        position = child + least;
    }
    place(h, position, when, slot);
}

/* The root may have changed: tell those who look without the lock. */
static void publish(struct go__timers *h)
{
    int64_t next = h->used > 0 ? entry_at(h, ROOT)->when : INT64_MAX;
    if (h->p != NULL && load_rlx(&h->p->timer_next) != next) {
        /* rlx: readers use it as a hint and take the lock; the race of arming against a thread that goes to sleep is settled
         * by go__timers_armed (sched/proc.h). */
        store_rlx(&h->p->timer_next, next);
    }
}

/* Needs room. The new timer may have become the root; the caller publishes. */
static void insert(struct go__timers *h, struct go__timer *t, int64_t when)
{
    uint32_t slot;
    if (h->slot_free != 0) {
        slot = h->slot_free - 1;
        h->slot_free = *position_of(h, slot);
    } else {
        slot = h->slot_top++;
    }
    *timer_of(h, slot) = t;
    t->when = when;
    t->index = slot + 1;
    /* rel: whoever finds the heap here finds it initialised; partner is the load_acq in lock_heap_of. */
    store_rel(&t->heap, h);
    sift_up(h, ROOT + h->used++, when, slot);
}

static void free_slot(struct go__timers *h, uint32_t slot)
{
    *timer_of(h, slot) = NULL;
    *position_of(h, slot) = h->slot_free;
    h->slot_free = slot + 1;
}

/* Takes the entry at position out; its slot stays. */
static void remove_entry(struct go__timers *h, uint32_t position)
{
    uint32_t last = ROOT + --h->used;
    struct entry *e = entry_at(h, last);
    int64_t when = e->when;
    e->when = INT64_MAX;
    if (position == last) {
        return;
    }
    if (position > ROOT && entry_at(h, position / 4 + 2)->when > when) {
        sift_up(h, position, when, e->slot);
    } else {
        sift_down(h, position, when, e->slot);
    }
}

static bool armed_in(struct go__timers *h, const struct go__timer *t)
{
    uint32_t index = t->index;
    return index != 0 && index <= h->slot_top && *timer_of(h, index - 1) == t;
}

/* Adds a chunk if the heap still has only `chunks` of them. No lock held. */
static bool grow(struct go__timers *h, uint32_t chunks)
{
    if (chunks >= CHUNKS) {
        return false;
    }
    uint32_t n = chunk_size(chunks);
    size_t bytes = (sizeof(struct entry) + sizeof(struct go__timer *) + sizeof(uint32_t)) * n + GO__CACHELINE;
    char *memory = go__alloc(bytes);
    if (memory == NULL) {
        return false;
    }
    struct chunk c;
    c.entries = (struct entry *)(void *)(((uintptr_t)memory + GO__CACHELINE - 1) & ~(uintptr_t)(GO__CACHELINE - 1));
    c.timers = (struct go__timer **)(void *)(c.entries + n);
    c.positions = (uint32_t *)(void *)(c.timers + n);
    for (uint32_t i = 0; i < n; i++) {
        c.entries[i].when = INT64_MAX;
    }
    go__spin_lock(&h->lock);
    if (h->chunk_count == chunks) {
        h->chunks[chunks] = c;
        h->memory[chunks] = memory;
        h->chunk_count++;
        h->room = chunk_start(chunks) + n - ROOT;
        memory = NULL;
    }
    go__spin_unlock(&h->lock);
    go__free(memory); /* somebody else grew it meanwhile */
    return true;
}

/* Locks the heap that stands for h now. */
static struct go__timers *lock_current(struct go__timers *h)
{
    go__edge_receive(h);
    go__spin_lock(&h->lock);
    while (h->moved_to != NULL) {
        struct go__timers *next = h->moved_to;
        go__spin_unlock(&h->lock);
        h = next;
        go__spin_lock(&h->lock);
    }
    return h;
}

/* The caller's heap, locked, with room for `extra` more than is promised; NULL when memory is out. */
static struct go__timers *lock_with_room(struct go__timers *h, uint32_t extra)
{
    for (;;) {
        h = lock_current(h);
        if (go__likely(h->used + h->reserved + extra <= h->room) || h->p == NULL) {
            return h;
        }
        uint32_t chunks = h->chunk_count;
        go__spin_unlock(&h->lock);
        if (!grow(h, chunks)) {
            return NULL;
        }
    }
}

int go__timer_arm(struct go__timer *t, int64_t when)
{
    struct go__timers *h = go__timers_current();
    if (go__unlikely(h == NULL)) { /* there has been no run yet, as below */
        return 0;
    }
    h = lock_with_room(h, 1);
    if (h == NULL) {
        return -ENOMEM;
    }
    if (go__unlikely(h->p == NULL)) { /* the run is over: who parks is told so */
        go__spin_unlock(&h->lock);
        return 0;
    }
    insert(h, t, when);
    bool first = entry_at(h, ROOT)->slot + 1 == t->index;
    if (first) {
        publish(h);
    }
    go__spin_unlock(&h->lock);
    if (first) {
        go__timers_armed(h, when);
    }
    return 0;
}

struct go__timers *go__timers_reserve(void)
{
    struct go__timers *h = go__timers_current();
    h = h != NULL ? lock_with_room(h, 1) : NULL;
    if (h != NULL) {
        h->reserved += h->p != NULL; /* nothing fires after the end of the run */
        go__spin_unlock(&h->lock);
    }
    return h;
}

void go__timers_unreserve(struct go__timers *heap)
{
    struct go__timers *h = lock_current(heap);
    if (h->reserved > 0) { /* 0: the run it was made in is over, or it went to another heap with the timers of its p */
        h->reserved--;
    }
    go__spin_unlock(&h->lock);
}

bool go__timer_arm_reserved(struct go__timers *heap, struct go__timer *t, int64_t when)
{
    struct go__timers *h = lock_current(heap);
    bool first = false;
    /* Its p may have gone and come back meanwhile, and the reservation with the timers to another heap, where it stays: this one has had
     * room for it since. No p: the run it was made in is over, and nothing fires any more. */
    if (h->p != NULL && (h->reserved > 0 || h->used < h->room)) {
        h->reserved -= h->reserved > 0;
        insert(h, t, when);
        first = entry_at(h, ROOT)->slot + 1 == t->index;
        publish(h);
    }
    go__spin_unlock(&h->lock);
    return first;
}

void go__timers_announce(struct go__timers *heap, int64_t when)
{
    go__timers_armed(heap, when);
}

/* The heap t is armed in, locked; NULL if it is not armed. */
static struct go__timers *lock_heap_of(struct go__timer *t)
{
    for (;;) {
        struct go__timers *h = load_acq(&t->heap); /* pairs with the store in insert */
        if (h == NULL) {
            return NULL;
        }
        go__spin_lock(&h->lock);
        if (go__likely(load_rlx(&t->heap) == h)) {
            if (armed_in(h, t)) {
                return h;
            }
            go__spin_unlock(&h->lock);
            return NULL;
        }
        go__spin_unlock(&h->lock); /* it was moved or armed elsewhere meanwhile */
    }
}

/* Takes an armed timer out; its position is returned. */
static uint32_t take_out(struct go__timers *h, struct go__timer *t)
{
    uint32_t slot = t->index - 1;
    uint32_t position = *position_of(h, slot);
    remove_entry(h, position);
    free_slot(h, slot);
    t->index = 0;
    return position;
}

bool go__timer_disarm(struct go__timer *t)
{
    struct go__timers *h = lock_heap_of(t);
    if (h == NULL) {
        return false;
    }
    if (take_out(h, t) == ROOT) {
        publish(h);
    }
    go__spin_unlock(&h->lock);
    return true;
}

bool go__timer_rearm(struct go__timer *t, int64_t when, struct go__timers **announce)
{
    struct go__timers *h = lock_heap_of(t);
    *announce = NULL;
    if (h == NULL) {
        return false;
    }
    uint32_t slot = t->index - 1;
    uint32_t position = *position_of(h, slot);
    t->when = when;
    if (when < entry_at(h, position)->when) {
        sift_up(h, position, when, slot);
        if (entry_at(h, ROOT)->slot == slot) {
            publish(h);
            *announce = h;
        }
    } /* else it is sifted when its entry comes up */
    go__spin_unlock(&h->lock);
    return true;
}

void go__timer_defer(struct go__timer *t, enum go__timer_then how, go_func fn, void *arg)
{
    struct after_list *list = load_rlx(&t->heap)->after; /* rlx: we hold that heap's lock */
    struct after *a = &list->item[list->count++];        /* a timer defers once a firing, a batch has as many places */
    a->fn = fn;
    a->arg = arg;
    a->how = how;
}

/* What the firing will touch is spread over as many stacks as there are timers, and out of the cache: it is asked for a batch ahead, so that
 * all of it comes at once. Around the timer: the frames in which its goroutine waits. */
static void fetch(const struct go__timer *t)
{
    uintptr_t at = (uintptr_t)t;
    go__prefetch_lines(at - 2 * GO__CACHELINE, at + 3 * GO__CACHELINE);
    go__g_prefetch((uintptr_t)t->wakes);
}

/* Takes up to BATCH due timers out, then fires them; lock held. */
static int fire_batch(struct go__timers *h, int64_t now, struct go__g_list *ready)
{
    uint32_t due[BATCH];
    int n = 0;
    while (n < BATCH && h->used > 0) {
        struct entry *e = entry_at(h, ROOT);
        if (e->when > now) {
            break;
        }
        due[n++] = e->slot;
        __builtin_prefetch(timer_of(h, e->slot), 1);
        remove_entry(h, ROOT);
    }
    for (int i = 0; i < n; i++) {
        __builtin_prefetch(*timer_of(h, due[i]), 1);
    }
    for (int i = 0; i < n; i++) {
        fetch(*timer_of(h, due[i]));
    }
    for (int i = 0; i < n; i++) {
        struct go__timer *t = *timer_of(h, due[i]);
        free_slot(h, due[i]);
        t->index = 0;
        if (t->when > now) { /* it was put off meanwhile */
            insert(h, t, t->when);
            continue;
        }
        int64_t again = t->fire(t, now, ready);
        if (again != INT64_MAX) {
            insert(h, t, again); /* takes the place it has just left */
        }
    }
    return n;
}

static void run_after(const struct after_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const struct after *a = &list->item[i];
        if (a->how == GO__TIMER_THEN_CALL) {
            a->fn(a->arg);
        } else if (go__spawn_from_system(a->fn, a->arg) != 0) {
            go__fatal("out of memory starting the goroutine of a timer");
        }
    }
}

/* A batch at a time: those who have been woken run before the next ones are, while they are still in the cache. */
int go__timers_run(struct go__p *pp, int64_t now)
{
    struct go__timers *h = pp->timers;
    int total = 0;
    bool woken = false;
    while (!woken && load_rlx(&pp->timer_next) <= now) { /* rlx: a hint; who stored an earlier one tells us, see publish */
        struct after_list after;
        struct go__g_list ready = {NULL, NULL, 0};
        after.count = 0;
        go__edge_receive(h);
        go__spin_lock(&h->lock);
        h->after = &after;
        int n = fire_batch(h, now, &ready);
        h->after = NULL;
        publish(h);
        go__spin_unlock(&h->lock);
        woken = ready.head != NULL || after.count != 0;
        if (ready.head != NULL) {
            go__ready_list(&ready);
        }
        run_after(&after);
        total += n;
        if (n == 0) {
            break;
        }
    }
    return total;
}

int go__timers_init(struct go__p *pp)
{
    struct go__timers *h = pp->timers;
    go__vdso_init();
    if (h != NULL) { /* the p comes back after go_set_procs had retired it; what was moved stays where it is */
        go__spin_lock(&h->lock);
        h->moved_to = NULL;
        go__spin_unlock(&h->lock);
        return 0;
    }
    go__spin_lock(&pool_lock);
    h = pool;
    if (h != NULL) {
        pool = h->pool_link;
    }
    go__spin_unlock(&pool_lock);
    if (h == NULL) {
        h = go__alloc(sizeof *h);
        if (h == NULL) {
            return -ENOMEM;
        }
    }
    go__spin_lock(&h->lock); /* a thread of the last run may be looking */
    h->p = pp;
    go__spin_unlock(&h->lock);
    if (pp->index == 0) {
        store_rel(&go__timers_outside, h); /* pairs with go__timers_current */
    }
    go__edge_publish(h);
    store_rlx(&pp->timer_next, INT64_MAX); /* rlx: published with the p */
    pp->timers = h;
    return 0;
}

void go__timers_destroy(struct go__p *pp)
{
    struct go__timers *h = pp->timers;
    if (h == NULL) {
        return;
    }
    /* The timers are not touched: those of dropped goroutines lie on stacks that may be gone. Emptied like this, the heap
     * answers "not armed" for any of them. */
    go__spin_lock(&h->lock);
    uint32_t count = h->chunk_count;
    h->used = h->reserved = h->room = h->chunk_count = 0;
    h->slot_top = h->slot_free = 0;
    h->moved_to = NULL;
    h->p = NULL;
    go__spin_unlock(&h->lock);
    for (uint32_t i = 0; i < count; i++) {
        go__free(h->memory[i]);
    }
    pp->timers = NULL;
    store_rlx(&pp->timer_next, INT64_MAX); /* rlx: the world is over */
    go__spin_lock(&pool_lock);
    h->pool_link = pool;
    pool = h;
    go__spin_unlock(&pool_lock);
}

/* World stopped, but foreign threads may arm and disarm meanwhile: hence the locks, from before to. */
void go__timers_move(struct go__p *from_p, struct go__p *to_p)
{
    struct go__timers *from = from_p->timers, *to = to_p->timers;
    for (;;) {
        go__spin_lock(&from->lock);
        go__spin_lock(&to->lock);
        uint32_t chunks = to->chunk_count;
        if (to->used + to->reserved + from->used + from->reserved <= to->room) {
            break;
        }
        go__spin_unlock(&to->lock);
        go__spin_unlock(&from->lock);
        if (!grow(to, chunks)) {
            go__fatal("out of memory moving timers to another P");
        }
    }
    while (from->used > 0) {
        struct entry *e = entry_at(from, ROOT + from->used - 1);
        uint32_t slot = e->slot;
        struct go__timer *t = *timer_of(from, slot);
        remove_entry(from, ROOT + from->used - 1);
        free_slot(from, slot);
        insert(to, t, t->when);
    }
    to->reserved += from->reserved;
    from->reserved = 0;
    from->moved_to = to;
    publish(from);
    publish(to);
    go__spin_unlock(&to->lock);
    go__spin_unlock(&from->lock);
}

size_t go__timers_count(struct go__p *pp)
{
    struct go__timers *h = pp->timers;
    if (h == NULL) {
        return 0;
    }
    go__spin_lock(&h->lock);
    size_t n = h->used;
    go__spin_unlock(&h->lock);
    return n;
}
