/* Slabs and their slots. A slab is an aligned range, so a slot's address names its slab; its record lies in its first bytes.
 *
 *   small:     [record][stack head][stack head]...                       populated ahead, no guards
 *   reserved:  [record, own page][guard stack head][guard stack head]... touched on use
 *
 * Slots are cut in address order, recycled last in first out, and a partly used slab is preferred to an empty one, so that
 * slabs drain. Empty ones beyond a quarter of those in use go back to the system at once, the rest when trimmed. */
#include "stack/depot.h"

#include "base/mem.h"
#include "base/prefetch.h"
#include "os/vm.h"
#include "stack/layout.h"
#include "stack/stack.h"

#define SMALL_SLAB_BYTES    ((size_t)2 << 20) /* one huge page, one populate call */
#define RESERVED_SLAB_BYTES ((size_t)16 << 20)
#define POPULATE_BYTES      ((size_t)64 << 10)
#define EMPTY_KEPT          8u
#define CUT_AHEAD           4u
#define LARGE_SLABS         32u /* from so many on slabs are mapped and prepared ahead: a sixteenth more memory at most */
#define RAW_SLABS           8u  /* mapped at once: who maps waits for all that touch memory. No memory, but for who locks all */

struct go__slab {
    go__list all_link;          /* depot->slabs */
    go__list available_link;    /* depot->available iff free_count > 0 or cut < slab_slots */
    struct go__slot_node *free; /* last in first out */
    uint32_t free_count;
    uint32_t cut;    /* slots ever handed out: a prefix of the slab */
    uint32_t low;    /* fewest free slots since the last trim: that many were of no use */
    uint32_t cold;   /* free slots whose stacks were discarded: at the end of the list */
    bool was_empty;  /* at the last trim */
    char *populated; /* small: first byte not touched ahead yet */
};

#define SLAB_RECORD_BYTES 128u
_Static_assert(sizeof(struct go__slab) <= SLAB_RECORD_BYTES, "the record must fit before the first slot");

static char *slab_first(const struct go__depot *depot, const struct go__slab *slab)
{
    return (char *)(uintptr_t)slab + (depot->guarded ? go__vm_page() : SLAB_RECORD_BYTES);
}

static struct go__slot_node *slab_node(const struct go__depot *depot, const struct go__slab *slab, uint32_t index)
{
    char *end = slab_first(depot, slab) + (size_t)(index + 1) * depot->stride;
    return (struct go__slot_node *)(void *)(end - GO__HEAD_BYTES);
}

static struct go__slab *slab_of(const struct go__depot *depot, const void *node)
{
    return (struct go__slab *)((uintptr_t)node & ~(uintptr_t)(depot->slab_bytes - 1));
}

void go__depot_init(struct go__depot *depot, uint32_t area, size_t stack_bytes, bool guarded)
{
    go__zero(depot, sizeof *depot);
    go__area_init(&depot->area, area);
    depot->stack_bytes = stack_bytes;
    depot->guarded = guarded;
    depot->stride = stack_bytes + GO__HEAD_BYTES + (guarded ? GO__GUARD_BYTES : 0);
    depot->slab_bytes = guarded ? RESERVED_SLAB_BYTES : SMALL_SLAB_BYTES;
    while (guarded && depot->slab_bytes < 3 * depot->stride) {
        depot->slab_bytes *= 2;
    }
    size_t room = depot->slab_bytes - (guarded ? go__vm_page() : SLAB_RECORD_BYTES);
    depot->slab_slots = (uint32_t)(room / depot->stride);
    go__list_init(&depot->slabs);
    go__list_init(&depot->available);
}

static void slab_unmap(struct go__depot *depot, struct go__slab *slab)
{
    if (go__list_linked(&slab->available_link)) {
        go__list_remove(&slab->available_link);
    }
    go__list_remove(&slab->all_link);
    depot->slab_count--;
    go__area_unmap(&depot->area, slab, depot->slab_bytes);
}

/* depot->lock held, or nobody else is left. */
static void drop_ready(struct go__depot *depot)
{
    while (depot->ready_count > 0) {
        go__area_unmap(&depot->area, depot->ready[--depot->ready_count], depot->slab_bytes);
    }
}

void go__depot_destroy(struct go__depot *depot)
{
    while (depot->slabs.next != NULL && !go__list_empty(&depot->slabs)) {
        slab_unmap(depot, go__container_of(depot->slabs.next, struct go__slab, all_link));
    }
    drop_ready(depot);
    if (depot->raw != depot->raw_end) {
        go__area_unmap(&depot->area, (void *)depot->raw, depot->raw_end - depot->raw);
    }
    go__zero(depot, sizeof *depot);
}

static bool is_large(const struct go__depot *depot)
{
    return !depot->guarded && depot->slab_count >= LARGE_SLABS;
}

/* depot->lock held. Address space for a slab that nobody touched. Several at once, unless slabs were given back: their places are used again. */
static struct go__slab *slab_map(struct go__depot *depot)
{
    if (depot->raw == depot->raw_end && is_large(depot) && depot->area.hole == depot->area.end) {
        size_t bytes = RAW_SLABS * depot->slab_bytes;
        depot->raw = (uintptr_t)go__area_map(&depot->area, bytes, depot->slab_bytes);
        depot->raw_end = depot->raw != 0 ? depot->raw + bytes : 0;
        go__vm_want_huge((void *)depot->raw, depot->raw_end - depot->raw);
    }
    if (depot->raw != depot->raw_end) {
        struct go__slab *slab = (struct go__slab *)depot->raw;
        depot->raw += depot->slab_bytes;
        return slab;
    }
    struct go__slab *slab = go__area_map(&depot->area, depot->slab_bytes, depot->slab_bytes);
    if (slab != NULL && depot->guarded) {
        go__vm_no_huge(slab, depot->slab_bytes);
    } else if (slab != NULL && depot->slab_count > 0) {
        /* One fault instead of 512, when it is populated. Before the first word is written: a slab that has a small page already gets
         * no huge one. */
        go__vm_want_huge(slab, depot->slab_bytes);
    }
    return slab;
}

void go__depot_prepare(struct go__depot *depot)
{
    if (!go__futex_trylock(&depot->lock)) {
        return; /* who has it may be clearing memory itself */
    }
    struct go__slab *slab = NULL;
    if (depot->ready_count + depot->preparing < GO__SLABS_READY && is_large(depot)) {
        slab = slab_map(depot);
        depot->preparing += slab != NULL;
    }
    store_rlx(&depot->growing, 0u); /* rlx: under the lock */
    go__futex_unlock(&depot->lock);
    if (slab == NULL) {
        return;
    }
    go__vm_populate(slab, depot->slab_bytes);
    go__futex_lock(&depot->lock);
    depot->preparing--;
    depot->ready[depot->ready_count++] = slab;
    depot->ready_idle = false;
    go__futex_unlock(&depot->lock);
}

/* depot->lock held. */
static struct go__slab *slab_new(struct go__depot *depot)
{
    bool ahead = !depot->guarded && depot->slab_count > 0; /* a program that fills one slab will fill the next */
    struct go__slab *slab;
    if (is_large(depot)) {
        store_rlx(&depot->growing, 1u); /* rlx: under the lock */
    }
    if (depot->ready_count > 0) {
        slab = depot->ready[--depot->ready_count];
        depot->ready_idle = false;
    } else {
        slab = slab_map(depot);
        if (slab != NULL && ahead) {
            go__vm_populate(slab, depot->slab_bytes);
        }
    }
    if (slab == NULL) {
        return NULL;
    }
    slab->populated = (char *)slab + (ahead ? depot->slab_bytes : 0);
    go__list_push_back(&depot->slabs, &slab->all_link);
    go__list_push_back(&depot->available, &slab->available_link);
    depot->slab_count++;
    depot->empty_count++;
    return slab;
}

/* Prepares the next slot of the slab that was never used. False: no guard to be had. */
static bool slab_cut(struct go__depot *depot, struct go__slab *slab)
{
    char *lo = slab_first(depot, slab) + (size_t)slab->cut * depot->stride;
    if (depot->guarded) {
        if (go__vm_guard(lo, GO__GUARD_BYTES) != 0) {
            return false;
        }
    } else {
        char *end = (char *)slab + depot->slab_bytes;
        while (slab->populated < lo + depot->stride) {
            size_t left = (size_t)(end - slab->populated);
            size_t bytes = left < POPULATE_BYTES ? left : POPULATE_BYTES;
            go__vm_populate(slab->populated, bytes);
            slab->populated += bytes;
        }
        *(uint64_t *)(void *)lo = GO__STACK_CANARY;
        uintptr_t soon = (uintptr_t)lo + CUT_AHEAD * depot->stride;
        go__prefetch_write(soon); /* where its canary will be */
        go__slot_prefetch(soon + depot->stack_bytes);
    }
    slab->cut++;
    return true;
}

static bool slab_is_empty(const struct go__slab *slab)
{
    return slab->free_count == slab->cut;
}

static uint32_t slab_take(struct go__depot *depot, struct go__slab *slab, struct go__slot_node **list, uint32_t want)
{
    uint32_t got = 0;
    struct go__slot_node *rest = *list, **end = list; /* in their order, so that who walks a list can guess */
    if (slab_is_empty(slab)) {
        depot->empty_count--;
    }
    while (got < want) {
        struct go__slot_node *node = slab->free;
        if (node != NULL) {
            slab->free = node->link;
            slab->free_count--;
            slab->cold -= (uint32_t)node->cold;
        } else if (slab->cut < depot->slab_slots && slab_cut(depot, slab)) {
            node = slab_node(depot, slab, slab->cut - 1);
        } else {
            break;
        }
        node->cold = 0;
        *end = node;
        end = &node->link;
        got++;
    }
    *end = rest;
    if (slab->free_count < slab->low) {
        slab->low = slab->free_count;
    }
    if (slab_is_empty(slab)) {
        depot->empty_count++; /* not one could be cut */
    } else if (slab->free_count == 0 && slab->cut == depot->slab_slots) {
        go__list_remove(&slab->available_link);
    }
    return got;
}

uint32_t go__depot_take(struct go__depot *depot, struct go__slot_node **list, uint32_t want)
{
    uint32_t got = 0;
    go__futex_lock(&depot->lock);
    while (got < want) {
        go__list *first = depot->available.next;
        struct go__slab *slab =
            first != &depot->available ? go__container_of(first, struct go__slab, available_link) : slab_new(depot);
        uint32_t n = slab != NULL ? slab_take(depot, slab, list, want - got) : 0;
        if (n == 0) {
            break;
        }
        got += n;
    }
    depot->out += got;
    depot->handed += got;
    go__futex_unlock(&depot->lock);
    return got;
}

static void push_front(go__list *head, go__list *node)
{
    go__list_push_back(head->next, node); /* before the first */
}

/* Empty slabs stand last among the available ones. */
static void shed_empty(struct go__depot *depot)
{
    while (load_acq(&go__slots_pins) == 0 && /* acq: as in go__depot_trim */
           depot->empty_count > EMPTY_KEPT + (depot->slab_count - depot->empty_count) / 4) {
        struct go__slab *last = go__container_of(depot->available.prev, struct go__slab, available_link);
        if (!slab_is_empty(last)) {
            return; /* a fresh slab was pushed behind it */
        }
        depot->empty_count--;
        slab_unmap(depot, last);
    }
}

static void slab_give(struct go__depot *depot, struct go__slot_node *node)
{
    struct go__slab *slab = slab_of(depot, node);
    node->link = slab->free;
    slab->free = node;
    slab->free_count++;
    if (!go__list_linked(&slab->available_link)) {
        push_front(&depot->available, &slab->available_link);
    }
    if (slab_is_empty(slab)) {
        depot->empty_count++;
        slab->was_empty = false;
        go__list_remove(&slab->available_link);
        go__list_push_back(&depot->available, &slab->available_link);
        shed_empty(depot);
    }
}

void go__depot_give(struct go__depot *depot, struct go__slot_node *list, uint32_t count)
{
    go__futex_lock(&depot->lock);
    for (uint32_t i = 0; i < count; i++) {
        struct go__slot_node *node = list;
        list = node->link;
        node->cold = 0;
        slab_give(depot, node);
    }
    depot->out -= count;
    go__futex_unlock(&depot->lock);
}

/* Discards the stacks of the slots at the cold end of the slab's list. Returns the system calls made. */
static uint32_t slab_chill(struct go__depot *depot, struct go__slab *slab, uint32_t budget)
{
    uint32_t calls = 0;
    uint32_t position = 0;
    uint32_t warm = slab->free_count - slab->low;
    size_t page = go__vm_page();
    bool wanted = slab->low > slab->cold; /* else all that could be discarded was: do not touch a thousand heads for nothing */
    for (struct go__slot_node *node = slab->free; wanted && node != NULL && calls < budget; node = node->link, position++) {
        if (position < warm || node->cold != 0) {
            continue;
        }
        /* The top page holds the head: it stays. */
        char *top = (char *)((uintptr_t)node & ~(uintptr_t)(page - 1));
        char *lo = (char *)((uintptr_t)((char *)node - depot->stack_bytes + page - 1) & ~(uintptr_t)(page - 1));
        if (top > lo) {
            go__vm_discard(lo, (size_t)(top - lo));
            calls++;
        }
        node->cold = 1;
        slab->cold++;
    }
    slab->low = slab->free_count;
    return calls;
}

void go__depot_trim(struct go__depot *depot, uint32_t budget)
{
    go__futex_lock(&depot->lock);
    if (depot->ready_idle) {
        drop_ready(depot);
    }
    depot->ready_idle = true;
    go__list *next;
    bool pinned = load_acq(&go__slots_pins) != 0; /* acq: 0 says that the walk is over; pairs with go__slots_unpin */
    for (go__list *at = depot->slabs.next; at != &depot->slabs && budget > 0; at = next) {
        next = at->next;
        struct go__slab *slab = go__container_of(at, struct go__slab, all_link);
        if (slab_is_empty(slab) && slab->was_empty && depot->slab_count > 1 && !pinned) {
            depot->empty_count--;
            slab_unmap(depot, slab);
            budget--;
            continue;
        }
        slab->was_empty = slab_is_empty(slab);
        if (depot->guarded) {
            budget -= slab_chill(depot, slab, budget);
        }
    }
    go__futex_unlock(&depot->lock);
}

void go__depot_each(struct go__depot *depot, void (*fn)(struct go__slot_node *node, void *arg), void *arg)
{
    for (go__list *at = depot->slabs.next; at != NULL && at != &depot->slabs; at = at->next) {
        struct go__slab *slab = go__container_of(at, struct go__slab, all_link);
        for (uint32_t i = 0; i < slab->cut; i++) {
            fn(slab_node(depot, slab, i), arg);
        }
    }
}

uint64_t go__depot_resident(struct go__depot *depot)
{
    go__futex_lock(&depot->lock);
    uint64_t bytes = (uint64_t)depot->ready_count * depot->slab_bytes;
    for (go__list *at = depot->slabs.next; at != &depot->slabs; at = at->next) {
        struct go__slab *slab = go__container_of(at, struct go__slab, all_link);
        bytes += depot->guarded ? (uint64_t)(slab->cut + 1) * go__vm_page() : (uint64_t)(slab->populated - (char *)slab);
    }
    go__futex_unlock(&depot->lock);
    return bytes;
}

void go__depot_layout(struct go__slots_layout *layout)
{
    layout->slab_link = offsetof(struct go__slab, all_link);
    layout->slab_cut = offsetof(struct go__slab, cut);
    layout->first[GO__SLOT_SMALL] = SLAB_RECORD_BYTES;
    layout->first[GO__SLOT_RESERVED] = go__vm_page();
}
