/* The harness on the real scheduler: parking goes through its queues, beside goroutines that cross to segments, park there and hop
 * from thread to thread. Compiled without -fsplit-stack, and marked as code that fits on 2 KB, as the library is. */
#include "go.h"
#include "os/fatal.h"
#include "sched/park.h"
#include "sched/rt.h"
#include "stack/grow.h"
#include "stacks/harness.h"
#include "stacks/neighbour.h"

#define NEIGHBOURS 4

static go_config config;
static _Atomic int over;
static _Atomic unsigned parks;

void (*harness_preempt_hook)(void); /* never called: what a preempted call meets here is the scheduler's own */

void harness_failed(const char *file, int line, const char *what)
{
    go__fatal("%s:%d: check failed: %s", file, line, what);
}

void harness_start(size_t reserve, size_t max)
{
    config = (go_config){.stack_reserve = reserve, .stack_max = max};
}

void harness_stop(void) {}

struct run {
    enum harness_slot slot;
    void (*fn)(void *arg);
    void *arg;
    int count;
};

/* This entry has no check in its prologue, so its goroutine gets a reserved slot. */
static void enter_unchecked(void *arg)
{
    const struct run *run = (const struct run *)arg;
    run->fn(run->arg);
}

static bool ends(void)
{
    return over != 0;
}

static int run_all(void *arg)
{
    struct run *run = (struct run *)arg;
    over = 0;
    for (int i = 0; i < NEIGHBOURS; i++) {
        go(neighbour, (void *)(uintptr_t)ends);
    }
    for (int i = 0; i < run->count; i++) {
        const go_attr attr = {.stack_size = run->slot == HARNESS_CUSTOM ? 100000 : 0};
        bool unchecked = run->slot == HARNESS_RESERVED;
        CHECK(go_spawn(&attr, unchecked ? enter_unchecked : run->fn, unchecked ? run : run->arg) == 0);
    }
    while (go_count() > 1 + NEIGHBOURS) { /* the entry is to be run->fn itself, so nobody else tells its end */
        CHECK(go_sleep(20 * GO_MICROSECOND) == 0);
    }
    over = 1;
    while (go_count() > 1) {
        go_yield();
    }
    return 0;
}

static void run_many(enum harness_slot slot, void (*fn)(void *arg), void *arg, int count)
{
    struct run run = {slot, fn, arg, count};
    CHECK(go_run_config(&config, run_all, &run) == 0);
}

void harness_run(enum harness_slot slot, void (*fn)(void *arg), void *arg)
{
    run_many(slot, fn, arg, 1);
}

void harness_together(enum harness_slot slot, void (*fn)(void *arg), int count)
{
    run_many(slot, fn, NULL, count);
}

void harness_park(void)
{
    if (go_id() == 0) {
        return;
    }
    if (parks++ % 8 == 0) {
        CHECK(go_sleep(GO_MICROSECOND) == 0);
    } else {
        go_yield();
    }
}

void harness_park_if(bool condition)
{
    if (condition) {
        harness_park();
    }
}

void harness_exit(void)
{
    go_exit();
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
    return go__self()->slot_kind == GO__SLOT_SMALL;
}

size_t harness_segments(void)
{
    size_t n = 0;
    for (struct go__segment *seg = go__self()->stack.top; seg != NULL; seg = seg->link) {
        n++;
    }
    return n;
}

uintptr_t *harness_limit_word(void)
{
    return go__limit_address(); /* of threads that are not the scheduler's too */
}

void harness_poison_word(uintptr_t *word)
{
    if (word != NULL) {
        *(volatile uintptr_t *)word = GO__LIMIT_POISON;
    }
}

void harness_poison(void)
{
    harness_poison_word(harness_limit_word());
}

/* sysmon may have poisoned it for real. */
bool harness_limit_is_true(void)
{
    uintptr_t *address = harness_limit_word();
    uintptr_t word = address != NULL ? *(volatile uintptr_t *)address : 0;
    return address == NULL || word == GO__LIMIT_POISON ||
           word == go__stack_true_limit(go__self(), (uintptr_t)__builtin_frame_address(0));
}

int harness_preempts(void)
{
    return -1;
}
