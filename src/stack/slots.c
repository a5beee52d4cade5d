/* Slots: depots of small and reserved ones, mappings for custom sizes, and where in a slot things lie. */
#include <errno.h>

#include "arch/gobuf.h"
#include "base/mem.h"
#include "os/vm.h"
#include "sched/rt.h"
#include "stack/depot.h"
#include "stack/grow.h"
#include "stack/layout.h"
#include "stack/stack.h"

#define RESERVE_MINIMUM ((size_t)16 << 10)
#define RESERVE_MAXIMUM ((size_t)1 << 30)
#define TRIM_NS         INT64_C(1000000000)
#define TRIM_CALLS      64u /* a depot is locked meanwhile */

_Static_assert(offsetof(struct go__g, link) == offsetof(struct go__slot_node, link), "a free slot is a node");

static struct go__depot depots[2]; /* by enum go__slot_kind; each has its lock */
static size_t reserve_bytes;       /* constant during a run, like the next four */
static size_t max_bytes;
static size_t reserved_stack_bytes; /* reserve without the head */
static bool small_on;
static uint32_t run;
static bool kept;         /* by go_run's thread alone */
static int64_t last_trim; /* sysmon only */

go__atomic(uint32_t) go__slots_pins;

/* Custom slots. The record lies above the head, so the mapping is [guard][stack][head][record]. */
struct custom {
    go__list link; /* under custom_lock */
    size_t bytes;  /* of the mapping; constant */
};
#define CUSTOM_RECORD 64u
static go__futex_mutex custom_lock; /* leaf */
static go__list customs;            /* under custom_lock, as the next one */
static struct go__area custom_area;

static size_t round_up(size_t bytes, size_t to)
{
    return (bytes + to - 1) & ~(to - 1);
}

int go__stacks_init(const struct go__stacks_config *config)
{
    size_t reserve = config->reserve < RESERVE_MINIMUM ? RESERVE_MINIMUM : config->reserve;
    if (reserve > RESERVE_MAXIMUM) {
        return -EINVAL;
    }
    run = config->run;
    last_trim = 0;
    if (kept) {
        return 0;
    }
    reserve_bytes = round_up(reserve, go__vm_page());
    reserved_stack_bytes = reserve_bytes - GO__HEAD_BYTES;
    max_bytes = config->max < reserve_bytes ? reserve_bytes : config->max;
    small_on = GO__STACK_SPLIT && !config->no_small && go__link_is_split();
    go__depot_init(&depots[GO__SLOT_SMALL], GO__AREA_SMALL, GO__SMALL_BYTES, false);
    go__depot_init(&depots[GO__SLOT_RESERVED], GO__AREA_RESERVED, reserved_stack_bytes, true);
    go__list_init(&customs);
    go__area_init(&custom_area, GO__AREA_CUSTOM);
    go__segments_init(reserve_bytes, max_bytes);
    return 0;
}

void go__stacks_keep(void)
{
    kept = true;
}

bool go__stacks_kept(void)
{
    return kept;
}

void go__stacks_destroy(void)
{
    kept = false;
    go__segments_destroy();
    go__depot_destroy(&depots[GO__SLOT_SMALL]);
    go__depot_destroy(&depots[GO__SLOT_RESERVED]);
    while (customs.next != NULL && !go__list_empty(&customs)) {
        struct custom *custom = go__container_of(go__list_pop_front(&customs), struct custom, link);
        go__vm_unmap((char *)custom + CUSTOM_RECORD - custom->bytes, custom->bytes);
    }
}

size_t go__stacks_reserve(void)
{
    return reserve_bytes;
}

size_t go__stacks_max(void)
{
    return max_bytes;
}

bool go__stacks_small_on(void)
{
    return small_on;
}

void go__stacks_trim(int64_t now)
{
    if (now - last_trim < TRIM_NS) {
        return;
    }
    last_trim = now;
    go__depot_trim(&depots[GO__SLOT_SMALL], TRIM_CALLS);
    go__depot_trim(&depots[GO__SLOT_RESERVED], TRIM_CALLS);
    go__segments_trim(TRIM_CALLS);
}

static void add_depot(struct go__depot *depot, uint64_t *out, struct go__stacks_stats *stats)
{
    go__futex_lock(&depot->lock);
    *out += depot->out;
    stats->mapped_bytes += (uint64_t)(depot->slab_count + depot->ready_count) * depot->slab_bytes;
    go__futex_unlock(&depot->lock);
    stats->resident_bytes += go__depot_resident(depot);
}

void go__stacks_stats(struct go__stacks_stats *stats)
{
    go__zero(stats, sizeof *stats);
    add_depot(&depots[GO__SLOT_SMALL], &stats->small, stats);
    add_depot(&depots[GO__SLOT_RESERVED], &stats->reserved, stats);
    go__segments_stats(stats);
}

uint32_t go__slots_refill(enum go__slot_kind kind, struct go__g **list, uint32_t want)
{
    struct go__slot_node *nodes = (struct go__slot_node *)(void *)*list;
    uint32_t got = go__depot_take(&depots[kind], &nodes, want);
    *list = (struct go__g *)(void *)nodes;
    struct go__g *gp = *list;
    for (uint32_t i = 0; i < got; i++, gp = gp->link) {
        gp->slot_kind = (uint8_t)kind;
        gp->run = run;
    }
    return got;
}

void go__slots_return(enum go__slot_kind kind, struct go__g *list, uint32_t count)
{
    go__depot_give(&depots[kind], (struct go__slot_node *)(void *)list, count);
}

bool go__slots_wanted(void)
{
    return load_rlx(&depots[GO__SLOT_SMALL].growing) != 0; /* rlx: a hint */
}

void go__slots_prepare(void)
{
    go__depot_prepare(&depots[GO__SLOT_SMALL]);
}

static void custom_unmap(char *lo, size_t bytes)
{
    go__futex_lock(&custom_lock);
    go__area_unmap(&custom_area, lo, bytes);
    go__futex_unlock(&custom_lock);
}

struct go__g *go__slot_custom_new(size_t stack_bytes)
{
    size_t page = go__vm_page();
    if (stack_bytes > SIZE_MAX / 2) {
        return NULL;
    }
    stack_bytes = stack_bytes < RESERVE_MINIMUM ? RESERVE_MINIMUM : stack_bytes;
    size_t bytes = GO__GUARD_BYTES + round_up(stack_bytes + GO__HEAD_BYTES + CUSTOM_RECORD, page);
    go__futex_lock(&custom_lock);
    char *lo = go__area_map(&custom_area, bytes, page);
    go__futex_unlock(&custom_lock);
    if (lo == NULL) {
        return NULL;
    }
    go__vm_no_huge(lo, bytes);
    if (go__vm_guard(lo, GO__GUARD_BYTES) != 0) {
        custom_unmap(lo, bytes);
        return NULL;
    }
    struct custom *custom = (struct custom *)(void *)(lo + bytes - CUSTOM_RECORD);
    struct go__g *gp = (struct go__g *)(void *)((char *)custom - GO__HEAD_BYTES);
    gp->slot_kind = GO__SLOT_CUSTOM;
    gp->run = run;
    gp->custom_lo = lo;
    custom->bytes = bytes;
    go__futex_lock(&custom_lock);
    go__list_push_back(&customs, &custom->link);
    go__futex_unlock(&custom_lock);
    return gp;
}

void go__slot_custom_free(struct go__g *gp)
{
    struct custom *custom = (struct custom *)(void *)((char *)gp + GO__HEAD_BYTES);
    go__futex_lock(&custom_lock);
    if (load_acq(&go__slots_pins) != 0) { /* acq: as in go__depot_trim. It stays until the run ends: this is rare */
        go__futex_unlock(&custom_lock);
        return;
    }
    go__list_remove(&custom->link);
    go__area_unmap(&custom_area, gp->custom_lo, custom->bytes);
    go__futex_unlock(&custom_lock);
}

void *go__slot_lo(const struct go__g *gp)
{
    switch (gp->slot_kind) {
    case GO__SLOT_SMALL: return (char *)(uintptr_t)gp - GO__SMALL_BYTES;
    case GO__SLOT_RESERVED: return (char *)(uintptr_t)gp - reserved_stack_bytes;
    default: return (char *)gp->custom_lo + GO__GUARD_BYTES;
    }
}

void *go__slot_hi(const struct go__g *gp)
{
    return (void *)(uintptr_t)gp;
}

size_t go__slot_bytes(const struct go__g *gp)
{
    return (size_t)((char *)go__slot_hi(gp) - (char *)go__slot_lo(gp));
}

uintptr_t go__slot_limit(const struct go__g *gp)
{
#if GO__STACK_SPLIT
    uintptr_t lo = (uintptr_t)go__slot_lo(gp);
    if (gp->slot_kind == GO__SLOT_SMALL) {
        return lo + GO__MARGIN_BYTES;
    }
    size_t quarter = go__slot_bytes(gp) / 4;
    return lo + (quarter < GO__SEG_MARGIN ? quarter : GO__SEG_MARGIN);
#else
    (void)gp;
    return 0;
#endif
}

void go__slots_pin(int64_t timeout_ns)
{
    (void)add_acqrel(&go__slots_pins, 1u); /* rel: before the locks, under which it is read */
    go__futex_await(&depots[GO__SLOT_SMALL].lock, timeout_ns);
    go__futex_await(&depots[GO__SLOT_RESERVED].lock, timeout_ns);
    go__futex_await(&custom_lock, timeout_ns);
}

void go__slots_unpin(void)
{
    (void)sub_acqrel(&go__slots_pins, 1u); /* rel: the walk is over */
}

struct each {
    void (*fn)(struct go__g *gp, void *arg);
    void *arg;
};

static void each_node(struct go__slot_node *node, void *arg)
{
    struct each *each = arg;
    each->fn((struct go__g *)(void *)node, each->arg);
}

void go__slots_each(void (*fn)(struct go__g *gp, void *arg), void *arg)
{
    struct each each = {fn, arg};
    go__depot_each(&depots[GO__SLOT_SMALL], each_node, &each);
    go__depot_each(&depots[GO__SLOT_RESERVED], each_node, &each);
    for (go__list *at = customs.next; at != NULL && at != &customs; at = at->next) {
        struct custom *custom = go__container_of(at, struct custom, link);
        fn((struct go__g *)(void *)((char *)custom - GO__HEAD_BYTES), arg);
    }
}

void go__slots_layout(struct go__slots_layout *layout)
{
    layout->depots = (uintptr_t)depots;
    layout->depot_count = go__countof(depots);
    layout->depot_bytes = sizeof depots[0];
    layout->depot_slabs = offsetof(struct go__depot, slabs);
    layout->depot_stride = offsetof(struct go__depot, stride);
    layout->customs = (uintptr_t)&customs;
    go__depot_layout(layout);
}
