#include "stacks/harness.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "os/fatal.h"
#include "sched/rt.h"
#include "stack/grow.h"
#include "stack/overflow.h"

struct thread {
    struct go__gobuf native;
    struct go__g *current;
    struct go__seg_cache cache;
    void *alternate;
    bool over;
};
static __thread struct thread self;
static go__atomic(int) preempts;
void (*harness_preempt_hook)(void);

static GO__NOINLINE struct thread *me(void)
{
    struct thread *t = &self;
    __asm__ volatile("" : "+r"(t));
    return t;
}

struct go__seg_cache *go__seg_cache_current(void)
{
    return &me()->cache;
}

struct go__stack_state *go__stack_state_current(void)
{
    struct go__g *gp = me()->current;
    return gp != NULL ? &gp->stack : NULL;
}

struct go__g *go__overflow_current(void)
{
    return me()->current;
}

/* Everything that a preempted call must not lose is trampled on. */
void go__preempt_check(void)
{
    add_rlx(&preempts, 1);
    if (harness_preempt_hook != NULL) {
        harness_preempt_hook();
    }
#if defined(__x86_64__)
    __asm__ volatile("pcmpeqd %%xmm0, %%xmm0\n\tpcmpeqd %%xmm1, %%xmm1\n\tpcmpeqd %%xmm2, %%xmm2\n\tpcmpeqd %%xmm3, %%xmm3\n\t"
                     "pcmpeqd %%xmm4, %%xmm4\n\tpcmpeqd %%xmm5, %%xmm5\n\tpcmpeqd %%xmm6, %%xmm6\n\tpcmpeqd %%xmm7, %%xmm7" ::
                         : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "rax", "rcx", "rdx", "rsi", "rdi",
                           "r8", "r9", "r10", "r11");
#endif
}

void go__fatal_dump(void)
{
}

void go__symbol_name(void *address, char *buffer, size_t size)
{
    (void)go__format(buffer, size, "%p", address);
}

void harness_failed(const char *file, int line, const char *what)
{
    go__fatal("%s:%d: check failed: %s", file, line, what);
}

void harness_thread_start(void)
{
    memset(me(), 0, sizeof self);
    me()->alternate = go__overflow_thread_init();
}

void harness_thread_stop(void)
{
    go__seg_cache_drain(&me()->cache);
    go__overflow_thread_exit(me()->alternate);
}

void harness_start(size_t reserve, size_t max)
{
    struct go__stacks_config config = {.reserve = reserve != 0 ? reserve : (size_t)256 << 10,
                                       .max = max != 0 ? max : (size_t)64 << 20};
    CHECK(go__stacks_init(&config) == 0);
    CHECK(go__overflow_install() == 0);
    harness_thread_start();
}

void harness_stop(void)
{
    harness_thread_stop();
    struct go__stacks_stats stats;
    go__stacks_stats(&stats);
    CHECK(stats.small == 0 && stats.reserved == 0 && stats.segments == 0);
    go__overflow_restore();
    go__stacks_destroy();
}

static void begin(void *arg)
{
    struct go__g *gp = arg;
    gp->entry(gp->arg);
    harness_exit();
}

struct go__g *harness_new(enum harness_slot slot, void (*fn)(void *arg), void *arg)
{
    struct go__g *gp = NULL;
    if (slot == HARNESS_CUSTOM) {
        gp = go__slot_custom_new(100000);
    } else {
        CHECK(go__slots_refill((enum go__slot_kind)slot, &gp, 1) == 1);
    }
    CHECK(gp != NULL);
    gp->entry = fn;
    gp->arg = arg;
    gp->id = 7;
    store_rlx(&gp->status, GO__G_RUNNABLE);
    go__gobuf_init(&gp->buf, go__slot_hi(gp), go__slot_limit(gp), begin, gp);
    return gp;
}

bool harness_resume(struct go__g *gp)
{
    struct thread *t = me();
    t->current = gp;
    t->over = false;
    go__switch(&t->native, &gp->buf);
    t = me();
    t->current = NULL;
    CHECK(go__slot_check(gp));
    if (!t->over) {
        return true;
    }
    go__stack_release(&gp->stack, &t->cache);
    if (gp->slot_kind == GO__SLOT_CUSTOM) {
        go__slot_custom_free(gp);
    } else {
        go__slots_return((enum go__slot_kind)gp->slot_kind, gp, 1);
    }
    return false;
}

void harness_run(enum harness_slot slot, void (*fn)(void *arg), void *arg)
{
    struct go__g *gp = harness_new(slot, fn, arg);
    while (harness_resume(gp)) {
    }
}

void harness_park(void)
{
    go__switch(&me()->current->buf, &me()->native);
}

void harness_exit(void)
{
    me()->over = true;
    harness_park();
}

bool harness_on_slot(void)
{
    struct go__g *gp = me()->current;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    return here < (uintptr_t)gp && here >= (uintptr_t)go__slot_lo(gp);
}

bool harness_on_small(void)
{
    return me()->current->slot_kind == GO__SLOT_SMALL;
}

size_t harness_segments(void)
{
    size_t n = 0;
    for (struct go__segment *seg = me()->current->stack.top; seg != NULL; seg = seg->link) {
        n++;
    }
    return n;
}

void harness_poison(void)
{
    uintptr_t *word = go__limit_address();
    if (word != NULL) {
        *(volatile uintptr_t *)word = GO__LIMIT_POISON;
    }
}

bool harness_limit_is_true(void)
{
    uintptr_t *word = go__limit_address();
    return word == NULL ||
           *(volatile uintptr_t *)word == go__stack_true_limit(me()->current, (uintptr_t)__builtin_frame_address(0));
}

int harness_preempts(void)
{
    return load_rlx(&preempts);
}
