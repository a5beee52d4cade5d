/* Goroutines begin and end: spawn, ids, free gs, exit. */
#include "sched/goroutine.h"

#include <errno.h>

#include "base/mem.h"
#include "go/run.h"
#include "sched/alloc.h"
#include "sched/hooks.h"
#include "sched/proc.h"
#include "sched/run.h"
#include "sched/switch.h"
#include "stack/overflow.h"

#define FREE_AHEAD   2u
#define REFILL       32u
#define MANY_STARTED 64u /* so many wait to run: the free gs that follow are out of the innermost cache */
#define IDS_AT_ONCE  64u
#define COPY_SMALL   512u /* larger copies would fill a small stack */
#define COPY_ROOM    (64u * 1024)

/* Free gs of a kind a p keeps; half goes back beyond. So many small ones that a burst of a thousand or two does not go through the depot each
 * time, unless all ps together would keep too much memory. Reserved stacks may have touched far more of it each. */
#define KEPT_LEAST  512u
#define KEPT_MOST   2048u
#define KEPT_IN_ALL 65536u

const char *const go__reason_text[GO__REASON_COUNT] = {
    [GO__REASON_NONE] = "none",
    [GO__REASON_CHAN_SEND] = "chan send",
    [GO__REASON_CHAN_RECEIVE] = "chan receive",
    [GO__REASON_CHAN_SEND_NIL] = "chan send (nil chan)",
    [GO__REASON_CHAN_RECEIVE_NIL] = "chan receive (nil chan)",
    [GO__REASON_SELECT] = "select",
    [GO__REASON_SELECT_EMPTY] = "select (no cases)",
    [GO__REASON_SLEEP] = "sleep",
    [GO__REASON_MUTEX_LOCK] = "mutex lock",
    [GO__REASON_RWMUTEX_LOCK] = "rwmutex lock",
    [GO__REASON_RWMUTEX_RLOCK] = "rwmutex rlock",
    [GO__REASON_COND_WAIT] = "cond wait",
    [GO__REASON_WAITGROUP_WAIT] = "waitgroup wait",
    [GO__REASON_SEMAPHORE_ACQUIRE] = "semaphore acquire",
    [GO__REASON_ONCE] = "once",
    [GO__REASON_GROUP_WAIT] = "group wait",
    [GO__REASON_IO_READ] = "io read",
    [GO__REASON_IO_WRITE] = "io write",
    [GO__REASON_IO_POLL] = "io poll",
    [GO__REASON_IO_CONNECT] = "io connect",
    [GO__REASON_IO_ACCEPT] = "io accept",
    [GO__REASON_PROCESS_WAIT] = "process wait",
    [GO__REASON_BLOCKING_CALL] = "blocking call",
    [GO__REASON_EXIT_MAIN] = "main exited",
};

/* --- the first frame and the last --- */

static const struct go__gobuf *goroutine_end(struct go__g *gp);

static const struct go__gobuf *goroutine_main(void *arg)
{
    struct go__g *gp = arg;
    struct go__m *mp = go__m();
    go__san_switch_finish(&gp->buf, mp->after == NULL || mp->after_g->thread != NULL ? &mp->g0buf : NULL);
    go__edge_resumed(gp, mp);
    go__landed(mp);
    go__leave(go__m());
    gp->start(gp->arg);
    return goroutine_end(gp);
}

void go__free_gs_return(struct go__p *pp)
{
    for (int kind = 0; kind < 2; kind++) {
        struct go__free_gs *list = &pp->free_gs[kind];
        if (list->first != NULL) {
            go__slots_return((enum go__slot_kind)kind, list->first, list->count);
            list->first = NULL;
            list->count = 0;
        }
    }
}

void go__free_gs_limit(struct go__p *pp, int procs)
{
    go__free_gs_return(pp);                               /* or `middle` would be that of another half */
    uint32_t share = KEPT_IN_ALL / (uint32_t)procs & ~1u; /* two halves */
    share = share > KEPT_LEAST ? share : KEPT_LEAST;
    pp->free_gs[GO__SLOT_SMALL].most = share < KEPT_MOST ? share : KEPT_MOST;
    pp->free_gs[GO__SLOT_RESERVED].most = KEPT_LEAST;
}

/* The list is longer by one than it may be: its older half goes to the depot. */
static GO__NOINLINE void give_back(struct go__free_gs *list, enum go__slot_kind kind)
{
    uint32_t half = list->most / 2;
    struct go__g *older = list->middle->link;
    list->middle->link = NULL;
    list->middle = list->first;
    list->count -= half;
    go__slots_return(kind, older, half);
}

/* Runs after gp has left its stack for good. Inside; the p is the current m's. */
static bool bury(struct go__g *gp, void *arg)
{
    struct go__m *mp = go__m();
    struct go__p *pp = mp->p;
    (void)arg;
    go__san_stack_gone(&gp->buf);
    go__edge_release(gp); /* whoever gets the slot next comes after everything that ran on it */
    if (go__unlikely(gp->stack.top != NULL)) {
        go__stack_release(&gp->stack, &mp->segs);
    }
    store_rlx(&gp->status, (uint32_t)GO__G_IDLE); /* rlx: ours */
    store_rlx(&pp->ended, load_rlx(&pp->ended) + 1);
    enum go__slot_kind kind = (enum go__slot_kind)gp->slot_kind;
    if (go__unlikely(kind == GO__SLOT_CUSTOM)) {
        go__slot_custom_free(gp);
        return true;
    }
    struct go__free_gs *list = &pp->free_gs[kind];
    gp->link = list->first;
    list->first = gp;
    list->count++;
    if (go__unlikely(list->count == list->most / 2 + 1)) {
        list->middle = gp;
    }
    if (go__unlikely(list->count > list->most)) {
        give_back(list, kind);
    }
    return true;
}

/* What user-visible state a goroutine leaves behind. */
static GO__NOINLINE void drop_belongings(struct go__g *gp)
{
    if (gp->locals != NULL) {
        go__locals_drop(gp);
    }
    if (gp->bound != NULL) {
        go__bound_drop(gp);
    }
    if (gp->name != NULL) {
        go_set_name(NULL);
    }
    while (gp->lock_count > 0) {
        go_unlock_thread();
    }
    if (gp->block_depth > 0) {
        gp->block_depth = 1;
        go_block_end();
    }
}

static void drop_left(struct go__g *gp, void *arg)
{
    (void)arg;
    if (load_rlx(&gp->status) != GO__G_IDLE) { /* rlx: nobody runs any more */
        go__san_stack_gone(&gp->buf);
        go__free(gp->name);
        gp->name = NULL;
    }
}

void go__goroutines_drop_left(void)
{
    go__slots_each(drop_left, NULL);
}

/* Up to the last step, which is inside. */
GO__INLINE struct go__m *finish(struct go__g *gp)
{
    if (gp->locals != NULL || gp->bound != NULL || gp->name != NULL || gp->lock_count + gp->block_depth > 0) {
        drop_belongings(gp);
    }
    struct go__m *mp = go__enter();
    if (go__unlikely(!go__slot_check(gp))) {
        go__overflow_canary(gp);
    }
    go__trace_switch(GO__TRACE_EXIT, gp, mp->p);
    store_rlx(&gp->status, (uint32_t)GO__G_DEAD); /* rlx: ours */
    return mp;
}

/* The usual end: by returning, so that calls and returns stay paired. Noinline: no frame of goroutine_main outlives the stack. */
static GO__NOINLINE GO__NO_ASAN const struct go__gobuf *goroutine_end(struct go__g *gp)
{
    struct go__m *mp = finish(gp);
    return go__leave_for_good(mp, gp, bury);
}

/* From any depth. */
void go__goroutine_exit(void)
{
    struct go__g *gp = go__m()->curg;
    struct go__m *mp = finish(gp);
    go__leave_stack(mp, gp, bury, NULL);
    __builtin_unreachable();
}

static bool stay(struct go__g *gp, void *arg)
{
    (void)gp;
    (void)arg;
    return true;
}

void go_exit(void)
{
    struct go__m *mp = go__m();
    if (mp == NULL) {
        go__throw("go_exit outside a goroutine");
    }
    if (mp->curg->id == 1) {
        for (;;) { /* the run goes on without main, until nobody can run */
            (void)go__park(stay, NULL, GO__REASON_EXIT_MAIN);
        }
    }
    go__goroutine_exit();
}

/* --- spawn --- */

struct spawn {
    go_func start; /* what runs first */
    go_func entry; /* what the user gave: chooses the stack, shown in dumps */
    const void *arg;
    size_t copy;  /* 0: pass arg itself */
    size_t stack; /* bytes wanted; 0: by entry */
    void *pc;
    struct go__g *parent; /* NULL: a thread */
};

static enum go__slot_kind choose_kind(const struct spawn *sp, struct go__p *pp)
{
    if (go__unlikely(sp->stack != 0 || sp->copy > COPY_SMALL)) {
        size_t need = sp->stack + (sp->copy > COPY_SMALL ? sp->copy + COPY_ROOM : 0);
        return need <= go__stacks_reserve() ? GO__SLOT_RESERVED : GO__SLOT_CUSTOM;
    }
    if (pp == NULL) {
        return go__entry_is_split(sp->entry) ? GO__SLOT_SMALL : GO__SLOT_RESERVED;
    }
    if (pp->split_entry != sp->entry) {
        pp->split_answer = go__entry_is_split(sp->entry);
        pp->split_entry = sp->entry;
    }
    return pp->split_answer ? GO__SLOT_SMALL : GO__SLOT_RESERVED;
}

struct refill {
    struct go__p *pp;
    enum go__slot_kind kind;
};

/* On a native stack. */
static void refill(void *arg)
{
    struct refill *r = arg;
    uint32_t want = r->kind == GO__SLOT_SMALL ? REFILL : REFILL / 8;
    struct go__free_gs *list = &r->pp->free_gs[r->kind];
    list->count = go__slots_refill(r->kind, &list->first, want);
}

/* Threads that are not goco's: straight from the depot. */
static GO__NOINLINE struct go__g *g_take_outside(enum go__slot_kind kind)
{
    struct go__g *one = NULL;
    return go__slots_refill(kind, &one, 1) == 1 ? one : NULL;
}

/* A free g; pp NULL: for a thread that is not goco's. */
static struct go__g *g_take(struct go__p *pp, enum go__slot_kind kind, size_t custom_bytes)
{
    if (go__unlikely(kind == GO__SLOT_CUSTOM)) {
        return go__slot_custom_new(custom_bytes);
    }
    if (go__unlikely(pp == NULL)) {
        return g_take_outside(kind);
    }
    struct go__free_gs *list = &pp->free_gs[kind];
    struct go__g *gp = list->first;
    if (go__unlikely(gp == NULL)) {
        struct refill r;
        r.pp = pp;
        r.kind = kind;
        go__system_call(refill, &r);
        gp = list->first;
        if (gp == NULL) {
            return NULL;
        }
    }
    if (go__unlikely(load_rlx(&pp->own_count) > MANY_STARTED)) { /* rlx: ours */
        go__slot_prefetch(go__guess(gp, gp->link, FREE_AHEAD));
    }
    list->first = gp->link;
    list->count--;
    return gp;
}

static uint64_t next_id(struct go__p *pp)
{
    if (pp == NULL) {
        return add_rlx(&go__sched.next_id, 1u); /* rlx: unique is enough */
    }
    if (go__unlikely(pp->id_next == pp->id_end)) {
        pp->id_next = add_rlx(&go__sched.next_id, IDS_AT_ONCE);
        pp->id_end = pp->id_next + IDS_AT_ONCE;
    }
    return pp->id_next++;
}

/* Apart, because the request takes room on the stack. */
static GO__NOINLINE void tell_valgrind(void *copy, size_t bytes)
{
    go__valgrind_writable(copy, bytes);
}

static void g_prepare(struct go__g *gp, const struct spawn *sp, uint64_t id)
{
    char *hi = go__slot_hi(gp);
    void *arg = (void *)(uintptr_t)sp->arg;
    go__san_stack_new(&gp->buf, go__slot_lo(gp), hi); /* before anything is written to the stack */
    if (sp->copy != 0) {
        hi -= (sp->copy + 15) & ~(size_t)15;
        if (go__unlikely(go__sched.valgrind)) {
            tell_valgrind(hi, sp->copy);
        }
        go__copy(hi, sp->arg, sp->copy);
        arg = hi;
    }
    gp->start = sp->start;
    gp->entry = sp->entry;
    gp->arg = arg;
    gp->id = id;
    gp->parent = sp->parent != NULL ? sp->parent->id : 0;
    gp->created_at = sp->pc;
    gp->reason = GO__REASON_NONE;
    gp->system = 0;
    gp->cxa[0] = gp->cxa[1] = NULL;
    go__gobuf_init(&gp->buf, hi, go__slot_limit(gp), goroutine_main, gp);
    if (go__unlikely(go__sched.valgrind) && gp->valgrind_id == 0) {
        gp->valgrind_id = go__valgrind_stack_new(go__slot_lo(gp), go__slot_hi(gp)) + 1;
    }
    go__edge_release(gp);
    store_rlx(&gp->status, (uint32_t)GO__G_RUNNABLE); /* rlx: published by the queue */
}

static size_t custom_bytes(const struct spawn *sp)
{
    return sp->stack + (sp->copy > COPY_SMALL ? sp->copy + COPY_ROOM : 0);
}

static struct go__g *spawn_on(struct go__p *pp, const struct spawn *sp)
{
    struct go__g *gp = g_take(pp, choose_kind(sp, pp), custom_bytes(sp));
    if (gp != NULL) {
        g_prepare(gp, sp, next_id(pp));
        if (pp != NULL) {
            store_rlx(&pp->created, load_rlx(&pp->created) + 1);
        } else {
            (void)add_rlx(&go__sched.created_outside, 1);
        }
        go__trace_switch(GO__TRACE_SPAWN, gp, pp);
    }
    return gp;
}

/* False: no memory. */
static bool copy_name(struct go__g *gp, const char *name)
{
    size_t length = go__string_length(name) + 1;
    char *copy = go__alloc(length);
    if (copy != NULL) {
        go__copy(copy, name, length);
        gp->name = copy;
    }
    return copy != NULL;
}

static void set_attributes(struct go__g *gp, const go_attr *attr)
{
    if (attr->id != NULL) {
        *attr->id = gp->id;
    }
    if (attr->name != NULL) {
        (void)copy_name(gp, attr->name); /* a nameless goroutine is better than none */
    }
}

/* From a foreign thread. */
static GO__NOINLINE int spawn_outside(const struct spawn *sp, const go_attr *attr)
{
    if (load_acq(&go__sched.active) == 0) { /* acq pairs with the store at start */
        return -ESRCH;
    }
    struct go__g *self = go__self(); /* counted: this thread may do it again */
    struct go__g *gp = spawn_on(NULL, sp);
    if (gp == NULL) {
        return -ENOMEM;
    }
    if (attr != NULL) {
        set_attributes(gp, attr);
    }
    if (self->bound != NULL) {
        go__bound_inherit(gp, self);
    }
    struct go__g_list one = {0};
    go__g_list_push(&one, gp);
    go__edge_release(gp);
    go__global_put(&one);
    return 0;
}

static int spawn(struct spawn *sp, const go_attr *attr)
{
    if (go__unlikely(sp->entry == NULL)) {
        return -EINVAL; /* here, where the caller can be told; the goroutine would only fault at address 0 */
    }
    struct go__m *mp = go__m();
    if (go__unlikely(mp == NULL)) {
        return spawn_outside(sp, attr);
    }
    mp = go__enter();
    sp->parent = mp->curg;
    struct go__g *gp = spawn_on(mp->p, sp);
    if (go__unlikely(gp == NULL)) {
        go__leave(mp);
        return -ENOMEM;
    }
    if (go__unlikely(attr != NULL)) {
        set_attributes(gp, attr);
    }
    if (go__unlikely(mp->curg->bound != NULL)) {
        go__bound_inherit(gp, mp->curg);
    }
    go__edge_release(gp);
    go__put_next(mp->p, gp);
    if (go__unlikely(go__runq_long(mp->p))) {
        go__runq_overflow(mp->p);
    }
    go__leave(mp);
    return 0;
}

static GO__NOINLINE GO__NORETURN void spawn_failed(int error)
{
    go__throw(error == -ESRCH    ? "go() while no runtime runs"
              : error == -EINVAL ? "go() without a function"
                                 : "out of memory for a goroutine");
}

static void spawn_init(struct spawn *sp, go_func fn, const void *arg, size_t copy, void *pc)
{
    sp->start = fn;
    sp->entry = fn;
    sp->arg = arg;
    sp->copy = copy;
    sp->stack = 0;
    sp->pc = pc;
    sp->parent = NULL;
}

void(go)(go_func fn, void *arg)
{
    struct spawn sp;
    spawn_init(&sp, fn, arg, 0, __builtin_return_address(0));
    int error = spawn(&sp, NULL);
    if (go__unlikely(error != 0)) {
        spawn_failed(error);
    }
}

void go_copy(go_func fn, const void *arg, size_t size)
{
    struct spawn sp;
    spawn_init(&sp, fn, arg, size, __builtin_return_address(0));
    int error = spawn(&sp, NULL);
    if (go__unlikely(error != 0)) {
        spawn_failed(error);
    }
}

int go_spawn(const go_attr *attr, go_func fn, void *arg)
{
    struct spawn sp;
    spawn_init(&sp, fn, arg, attr != NULL ? attr->arg_size : 0, __builtin_return_address(0));
    if (attr != NULL) {
        if (attr->stack_size > SIZE_MAX / 4 || attr->arg_size > SIZE_MAX / 4) {
            return -ENOMEM;
        }
        sp.stack = attr->stack_size;
    }
    return spawn(&sp, attr);
}

int go__spawn_wrapped(go_func wrapper, go_func fn, const void *arg, size_t size, void *pc)
{
    struct spawn sp;
    spawn_init(&sp, fn, arg, size, pc);
    sp.start = wrapper;
    return spawn(&sp, NULL);
}

int go__spawn_from_system(go_func fn, void *arg)
{
    struct go__p *pp = go__m()->p;
    struct spawn sp;
    spawn_init(&sp, fn, arg, 0, NULL);
    struct go__g *gp = spawn_on(pp, &sp);
    if (gp == NULL) {
        return -ENOMEM;
    }
    go__put_last(pp, gp);
    return 0;
}

struct go__g *go__spawn_main(go_func wrapper, void *arg, void (*fn)(void))
{
    struct spawn sp;
    spawn_init(&sp, wrapper, arg, 0, NULL);
    sp.entry = (go_func)fn;
    sp.stack = 1; /* on a reserved stack: main programs call libc */
    return spawn_on(NULL, &sp);
}

/* --- what a goroutine can ask about itself --- */

uint64_t go_id(void)
{
    struct go__m *mp = go__m();
    return mp != NULL && mp->curg != NULL ? mp->curg->id : 0;
}

static int64_t count_all(void)
{
    struct go__p *const *all_p = go__sched.all_p;         /* first, and once: who becomes an orphan meanwhile keeps these */
    int64_t count = load_rlx(&go__sched.created_outside); /* rlx throughout: a snapshot of running counters */
    for (int i = 0; all_p != NULL && i < load_acq(&go__sched.all_p_count); i++) {
        count += load_rlx(&all_p[i]->created) - load_rlx(&all_p[i]->ended);
    }
    return count;
}

/* The lock keeps the end of the run, and of the next one, away. */
static GO__NOINLINE int64_t count_outside(void)
{
    int64_t count = 0;
    go__futex_lock(&go__sched.lock);
    if (load_acq(&go__sched.active) != 0) { /* acq pairs with the store at start; the one at the end is under the lock */
        count = count_all();
    }
    go__futex_unlock(&go__sched.lock);
    return count;
}

size_t go_count(void)
{
    struct go__m *mp = go__m();
    int64_t count = mp == NULL || go__is_orphan(mp) ? count_outside() : count_all(); /* a run outlives its goroutines */
    return count > 0 ? (size_t)count : 0;
}

void go_set_name(const char *name)
{
    struct go__m *mp = go__m();
    if (mp == NULL) {
        return; /* a foreign thread has a name of its own */
    }
    mp = go__enter(); /* dumps read the name while they have stopped the world, which is while nobody is inside */
    struct go__g *gp = mp->curg;
    char *before = gp->name;
    if (name == NULL) {
        gp->name = NULL;
    } else if (!copy_name(gp, name)) {
        before = NULL; /* it stays */
    }
    go__leave(mp);
    go__free(before);
}
