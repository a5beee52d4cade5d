/* Growth: what __morestack decides, and where segments come from.
 *
 * Entered with every argument register saved, on the stack that has no room, whose margin below the limit is all there is:
 * frames here are small, nothing outside this room is called but system calls, and the file is compiled with general registers
 * only, so vector and x87 registers pass through untouched.
 *
 * The limit word is written, never trusted: the true limit follows from the goroutine's slot and its deepest segment. A word
 * that differs was poisoned by sysmon, carried along by a switch, or left behind by longjmp or an exception (their segments
 * are then stale: the stack pointer does not lie in them). */
#include "stack/grow.h"

#include "arch/morestack.h"
#include "base/mem.h"
#include "os/fatal.h"
#include "sched/rt.h"
#include "stack/overflow.h"

static struct go__depot levels[GO__SEG_LEVELS]; /* constant but for what their locks cover */
static uint32_t level_count;

#if GO__STACK_SPLIT
uint32_t go__grow_xsave_bytes; /* constant from the first run on, as the next one */
uint32_t go__grow_has_xsave;

static void ask_cpu(void)
{
    uint32_t a = 1, b, c = 0, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    bool xsave = (c & (UINT32_C(1) << 27)) != 0; /* OSXSAVE */
    b = 512;
    if (xsave) {
        a = 0xD;
        c = 0;
        __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d)); /* b: bytes for what the system enabled */
    }
    go__grow_has_xsave = xsave;
    go__grow_xsave_bytes = (b + 63) & ~UINT32_C(63);
}
#endif

void go__segments_init(size_t first_bytes, size_t max_bytes)
{
    size_t bytes = first_bytes < GO__SEG_MINIMUM ? GO__SEG_MINIMUM : first_bytes;
#if GO__STACK_SPLIT
    if (go__grow_xsave_bytes == 0) {
        ask_cpu();
    }
#endif
    level_count = 0;
    do {
        go__depot_init(&levels[level_count], GO__AREA_SEGMENTS + level_count, bytes - GO__HEAD_BYTES, true);
        level_count++;
        bytes *= 2;
    } while (level_count < GO__SEG_LEVELS && bytes <= max_bytes);
}

void go__segments_destroy(void)
{
    for (uint32_t i = 0; i < level_count; i++) {
        go__depot_destroy(&levels[i]);
    }
    level_count = 0;
}

void go__segments_trim(uint32_t budget)
{
    for (uint32_t i = 0; i < level_count; i++) {
        go__depot_trim(&levels[i], budget);
    }
}

void go__segments_stats(struct go__stacks_stats *stats)
{
    for (uint32_t i = 0; i < level_count; i++) {
        struct go__depot *depot = &levels[i];
        go__futex_lock(&depot->lock);
        stats->segments += depot->out;
        stats->growths += depot->handed;
        stats->mapped_bytes += (uint64_t)depot->slab_count * depot->slab_bytes;
        go__futex_unlock(&depot->lock);
        stats->resident_bytes += go__depot_resident(depot);
    }
}

static void segment_give(struct go__segment *seg)
{
    go__depot_give(&levels[seg->level], (struct go__slot_node *)(void *)seg, 1);
}

/* Keeps a returned segment warm for the thread, or gives it back. Deeper levels have one place. */
static void segment_release(struct go__segment *seg, struct go__seg_cache *cache)
{
    if (cache != NULL && seg == cache->hot) {
        cache->hot_free = true;
    } else if (cache != NULL && seg->level == 0 && cache->count < GO__SEG_CACHE) {
        seg->link = cache->list;
        cache->list = seg;
        cache->count++;
    } else if (cache != NULL && seg->level != 0 && cache->big == NULL) {
        cache->big = seg;
    } else {
        segment_give(seg);
    }
}

void go__seg_cache_drain(struct go__seg_cache *cache)
{
    if (level_count == 0) { /* the run is over: its segments are gone */
        *cache = (struct go__seg_cache){0};
        return;
    }
    struct go__segment *seg;
    while ((seg = cache->list) != NULL) {
        cache->list = seg->link;
        segment_give(seg);
    }
    cache->count = 0;
    if (cache->big != NULL) {
        segment_give(cache->big);
        cache->big = NULL;
    }
    if (cache->hot_free) {
        segment_give(cache->hot);
    }
    cache->hot_free = false;
    cache->hot = NULL; /* a goroutine parked on it takes it along */
}

void go__stack_release(struct go__stack_state *state, struct go__seg_cache *cache)
{
    struct go__segment *seg;
    while ((seg = state->top) != NULL) {
        state->top = seg->link;
        segment_release(seg, cache);
    }
}

static bool in_segment(const struct go__segment *seg, uintptr_t address)
{
    return address - seg->lo <= seg->hi - seg->lo;
}

static bool in_slot(const struct go__g *gp, uintptr_t address)
{
    uintptr_t lo = (uintptr_t)go__slot_lo(gp);
    return address - lo <= (uintptr_t)gp - lo;
}

static const struct go__segment *segment_at(const struct go__g *gp, uintptr_t address)
{
    const struct go__segment *seg = gp->stack.top;
    while (seg != NULL && !in_segment(seg, address)) {
        seg = seg->link;
    }
    return seg;
}

bool go__stack_contains(const struct go__g *gp, uintptr_t address)
{
    return in_slot(gp, address) || segment_at(gp, address) != NULL;
}

void go__stack_bounds(const struct go__g *gp, uintptr_t sp, uintptr_t *lo, uintptr_t *hi)
{
    const struct go__segment *seg = segment_at(gp, sp);
    *lo = seg != NULL ? seg->lo : (uintptr_t)go__slot_lo(gp);
    *hi = seg != NULL ? seg->hi : (uintptr_t)go__slot_hi(gp);
}

uintptr_t go__stack_true_limit(const struct go__g *gp, uintptr_t sp)
{
    const struct go__segment *seg = segment_at(gp, sp);
    return seg != NULL ? seg->limit : go__slot_limit(gp);
}

#if GO__STACK_SPLIT

static size_t level_stack_bytes(uint32_t level)
{
    return levels[level].stack_bytes;
}

static struct go__segment *segment_new(uint32_t level)
{
    struct go__slot_node *node = NULL;
    if (go__depot_take(&levels[level], &node, 1) == 0) {
        return NULL;
    }
    struct go__segment *seg = (struct go__segment *)(void *)node;
    seg->hi = (uintptr_t)seg;
    seg->lo = seg->hi - level_stack_bytes(level);
    seg->limit = seg->lo + GO__SEG_MARGIN;
    seg->level = level;
    return seg;
}

static struct go__segment *segment_acquire_first(struct go__seg_cache *cache)
{
    struct go__segment *seg = cache->hot;
    if (cache->hot_free) {
        cache->hot_free = false;
        return seg;
    }
    seg = cache->list;
    if (seg != NULL) {
        cache->list = seg->link;
        cache->count--;
    } else {
        cache->growths++;
        seg = segment_new(0);
    }
    cache->hot = seg; /* the one that was belongs to whoever took it */
    return seg;
}

static struct go__segment *segment_acquire(uint32_t level, struct go__seg_cache *cache)
{
    struct go__segment *seg = cache->big;
    if (level == 0) {
        return segment_acquire_first(cache);
    }
    if (seg == NULL || seg->level != level) {
        cache->growths++;
        return segment_new(level);
    }
    cache->big = NULL;
    return seg;
}

static uintptr_t limit_word(void)
{
    uintptr_t word;
    __asm__ volatile("movq %%fs:0x70, %0" : "=r"(word));
    return word;
}

static void set_limit_word(uintptr_t limit)
{
    __asm__ volatile("movq %0, %%fs:0x70" ::"r"(limit) : "memory");
}

_Static_assert(GO__LIMIT_WORD == 0x70, "the two functions above spell it out");

#define CROSS_SPARE 256u /* what the crossing itself takes of a segment, at most */

static struct go__g *running(void)
{
    struct go__m *mp = go__m();
    return mp != NULL ? mp->curg : NULL;
}

static void link_segment(struct go__stack_state *state, struct go__segment *seg, uintptr_t rbp, uintptr_t below)
{
    seg->link = state->top;
    seg->frame = rbp;
    seg->below_limit = below;
    state->top = seg;
    set_limit_word(seg->limit);
}

static uintptr_t copy_arguments(const struct go__grow_frame *frame, uintptr_t hi)
{
    /* They may be aligned to 64 bytes: keep the low bits of their address. */
    uintptr_t from = (uintptr_t)frame->arguments;
    uintptr_t sp = hi - frame->r11;
    sp -= (sp - from) & 63;
    for (uintptr_t i = 0; i < frame->r11; i += sizeof(uintptr_t)) {
        *(uintptr_t *)(sp + i) = *(const uintptr_t *)(from + i);
    }
    return sp;
}

GO__INLINE struct go__grow_result cross(struct go__stack_state *state, struct go__segment *seg, struct go__grow_frame *frame,
                                        uintptr_t below)
{
    uintptr_t sp = seg->hi; /* a multiple of 64, as the record above it */
    if (go__unlikely(frame->r11 != 0)) {
        sp = copy_arguments(frame, sp);
    }
    link_segment(state, seg, (uintptr_t)&frame->rbp, below);
    return (struct go__grow_result){sp, GO__GROW_CROSS};
}

/* Pops segments that sp is not in. Their contents are gone: longjmp, an exception or the end of a VLA's scope left them. */
static void reconcile(struct go__stack_state *state, uintptr_t sp)
{
    while (state->top != NULL && !in_segment(state->top, sp)) {
        struct go__segment *seg = state->top;
        state->top = seg->link;
        segment_release(seg, &go__m()->segs);
    }
}

static size_t total_bytes(const struct go__g *gp)
{
    size_t bytes = go__slot_bytes(gp);
    for (const struct go__segment *seg = gp->stack.top; seg != NULL; seg = seg->link) {
        bytes += level_stack_bytes(seg->level);
    }
    return bytes;
}

#define NONE UINT32_MAX

/* The level of the next segment: twice the deepest one, more if `need` asks for it, less if that is what stack_max leaves, NONE if it leaves
 * too little. */
static uint32_t next_level(const struct go__g *gp, size_t need)
{
    need += GO__SEG_MARGIN + CROSS_SPARE;
    uint32_t level = gp->stack.top == NULL ? 0 : gp->stack.top->level + 1;
    if (level >= level_count) {
        level = level_count - 1;
    }
    while (level + 1 < level_count && level_stack_bytes(level) < need) {
        level++;
    }
    size_t used = total_bytes(gp);
    while (level > 0 && used + level_stack_bytes(level) > go__stacks_max() && level_stack_bytes(level - 1) >= need) {
        level--;
    }
    bool full = level_stack_bytes(level) < need || (gp->stack.top != NULL && used + level_stack_bytes(level) > go__stacks_max());
    return full ? NONE : level;
}

static struct go__segment *next_segment(struct go__g *gp, size_t need)
{
    uint32_t level = next_level(gp, need);
    if (level == NONE) {
        go__overflow_report(gp, need + GO__SEG_MARGIN + CROSS_SPARE);
    }
    struct go__segment *seg = segment_acquire(level, &go__m()->segs);
    if (seg == NULL) {
        go__fatal("out of memory for a stack segment of %zu bytes", level_stack_bytes(level));
    }
    return seg;
}

/* NULL: there is none, and the goroutine goes on. Giving way must not be what ends it. */
static struct go__segment *segment_to_give_way(const struct go__g *gp)
{
    uint32_t level = next_level(gp, GO__ROOM_BYTES);
    return level != NONE ? segment_acquire(level, &go__m()->segs) : NULL;
}

static struct go__grow_result GO__NOINLINE enter_slowly(struct go__grow_frame *frame, struct go__g *gp)
{
    uintptr_t sp = (uintptr_t)&frame->caller;
    struct go__grow_result stay = {0, GO__GROW_STAY};
    if (gp == NULL) {
        set_limit_word(0); /* a thread's own stack: a poison came late */
        return stay;
    }
    struct go__stack_state *state = &gp->stack;
    state->slot_limit = go__slot_limit(gp);
    if (!go__stack_contains(gp, sp)) {
        return stay; /* a signal handler, or native code on the goroutine's behalf: the word is not about this stack */
    }
    bool poisoned = limit_word() == GO__LIMIT_POISON;
    reconcile(state, sp);
    uintptr_t limit = state->top != NULL ? state->top->limit : state->slot_limit;
    set_limit_word(limit);
    struct go__segment *seg = poisoned ? segment_to_give_way(gp) : NULL;
    if (seg != NULL) {
        link_segment(state, seg, (uintptr_t)&frame->rbp, limit);
        state->slot_limit = 0; /* afterwards the slow way again: the warm one takes for granted that the frame does not fit */
        return (struct go__grow_result){seg->hi, GO__GROW_PREEMPT};
    }
    if (sp >= limit + frame->r10) {
        return stay;
    }
    return cross(state, next_segment(gp, frame->r10 + frame->r11), frame, limit);
}

struct go__grow_result go__grow_enter(struct go__grow_frame *frame)
{
    struct go__m *mp = go__m();
    struct go__g *gp = mp != NULL ? mp->curg : NULL;
    if (go__unlikely(gp == NULL)) {
        return enter_slowly(frame, NULL);
    }
    /* The warm case: from a slot onto the thread's hot segment. slot_limit is 0, and never what the
     * word says, at a slot's first crossing. */
    struct go__segment *seg = mp->segs.hot;
    uintptr_t limit = gp->stack.slot_limit;
    uintptr_t hi = (uintptr_t)gp;
    bool on_slot = hi - (uintptr_t)frame < hi - (limit - GO__MARGIN_BYTES);
    if (go__unlikely(limit_word() != limit || !on_slot || gp->stack.top != NULL || !mp->segs.hot_free ||
                     frame->r10 + frame->r11 + CROSS_SPARE > seg->hi - seg->limit)) {
        return enter_slowly(frame, gp);
    }
    mp->segs.hot_free = false;
    return cross(&gp->stack, seg, frame, limit);
}

static void GO__NOINLINE leave_slowly(struct go__stack_state *state, struct go__seg_cache *cache, uintptr_t rbp)
{
    struct go__segment *seg;
    bool last;
    do { /* deeper ones were left without a return */
        seg = state->top;
        state->top = seg->link;
        last = seg->frame == rbp;
        set_limit_word(seg->below_limit);
        segment_release(seg, cache);
    } while (!last);
}

/* The call returned: we stand on the stack it came from, the segment's contents are dead. */
void go__grow_leave(uintptr_t rbp)
{
    struct go__m *mp = go__m(); /* of this thread, which need not be the one that entered */
    struct go__stack_state *state = &mp->curg->stack;
    struct go__seg_cache *cache = &mp->segs;
    struct go__segment *seg = state->top;
    if (go__unlikely(seg->frame != rbp || seg != cache->hot)) {
        leave_slowly(state, cache, rbp);
        return;
    }
    state->top = seg->link;
    set_limit_word(seg->below_limit);
    cache->hot_free = true;
}

/* alloca or a VLA does not fit. Returns where the caller's stack pointer moves; the block begins GO__ALLOCA_SPARE above it.
 * Moving it onto a segment is sound because after alloca nothing is addressed from the stack pointer, and the epilogue or the
 * end of the scope takes it back from the frame pointer: the segment is stale from then on. */
uintptr_t go__grow_alloca(size_t bytes, uintptr_t sp)
{
    struct go__g *gp = running();
    size_t need = bytes + GO__ALLOCA_SPARE;
    if (gp == NULL || !go__stack_contains(gp, sp)) {
        return sp - need;
    }
    struct go__stack_state *state = &gp->stack;
    reconcile(state, sp);
    uintptr_t limit = state->top != NULL ? state->top->limit : go__slot_limit(gp);
    if (sp - limit >= need && sp >= limit) {
        if (limit_word() != GO__LIMIT_POISON) {
            set_limit_word(limit);
        }
        return sp - need;
    }
    struct go__segment *seg = next_segment(gp, need);
    link_segment(state, seg, 0, limit);
    return seg->hi - need;
}

#endif
