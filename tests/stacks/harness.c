#include "stacks/harness.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "arch/morestack.h"
#include "os/fatal.h"
#include "sched/rt.h"
#include "stack/grow.h"
#include "stack/overflow.h"

__thread struct go__m *go__tls_m; /* the scheduler's */
static __thread struct go__m this_m;
static __thread bool over;
static go__atomic(int) preempts;
void (*harness_preempt_hook)(void);

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
                         : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "rax", "rcx", "rdx", "rsi", "rdi", "r8",
                           "r9", "r10", "r11");
#endif
}

void go__fatal_dump(void) {}

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
    memset(&this_m, 0, sizeof this_m);
    go__m_set(&this_m);
    this_m.overflow = go__overflow_thread_init();
}

void harness_thread_stop(void)
{
    go__seg_cache_drain(&this_m.segs);
    go__overflow_thread_exit(this_m.overflow);
    go__m_set(NULL);
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

static const struct go__gobuf *begin(void *arg)
{
    struct go__g *gp = arg;
    gp->entry(gp->arg);
    harness_exit();
    return NULL;
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
    struct go__m *mp = go__m(); /* native frames stay on their thread */
    mp->curg = gp;
    over = false;
    go__switch(&mp->g0buf, &gp->buf);
    mp->curg = NULL;
    if (!go__slot_check(gp)) {
        go__overflow_canary(gp);
    }
    if (!over) {
        return true;
    }
    go__stack_release(&gp->stack, &mp->segs);
    if (gp->slot_kind == GO__SLOT_CUSTOM) {
        go__slot_custom_free(gp);
    } else {
        store_rlx(&gp->status, (uint32_t)GO__G_IDLE);
        go__slots_return((enum go__slot_kind)gp->slot_kind, gp, 1);
    }
    return false;
}

void harness_run(enum harness_slot slot, void (*fn)(void *arg), void *arg)
{
    struct go__g *gp = harness_new(slot, fn, arg);
    while (harness_resume(gp)) {}
}

void harness_together(enum harness_slot slot, void (*fn)(void *arg), int count)
{
    for (int i = 0; i < count; i++) {
        harness_run(slot, fn, NULL);
    }
}

void harness_park(void)
{
    struct go__m *mp = go__m();
    if (mp == NULL || mp->curg == NULL) {
        return;
    }
    go__switch(&mp->curg->buf, &mp->g0buf);
}

void harness_park_if(bool condition)
{
    if (condition) {
        harness_park();
    }
}

void harness_exit(void)
{
    over = true;
    harness_park();
}

bool harness_on_slot(void)
{
    struct go__m *mp = go__m();
    struct go__g *gp = mp != NULL ? mp->curg : NULL;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    return gp != NULL && here < (uintptr_t)gp && here >= (uintptr_t)go__slot_lo(gp);
}

bool harness_on_small(void)
{
    return go__m()->curg->slot_kind == GO__SLOT_SMALL;
}

size_t harness_segments(void)
{
    size_t n = 0;
    for (struct go__segment *seg = go__m()->curg->stack.top; seg != NULL; seg = seg->link) {
        n++;
    }
    return n;
}

uintptr_t *harness_limit_word(void)
{
    return go__limit_address();
}

void harness_poison_word(uintptr_t *word)
{
    if (word != NULL) {
        *(volatile uintptr_t *)word = GO__LIMIT_POISON;
    }
}

void harness_poison(void)
{
    harness_poison_word(go__limit_address());
}

bool harness_limit_is_true(void)
{
    uintptr_t *word = go__limit_address();
    return word == NULL ||
           *(volatile uintptr_t *)word == go__stack_true_limit(go__m()->curg, (uintptr_t)__builtin_frame_address(0));
}

int harness_preempts(void)
{
    return load_rlx(&preempts);
}
