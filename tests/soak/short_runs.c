/* Runs of a few milliseconds, each ended by main with goroutines in the middle of everything. What must hold: go_run returns main's
 * result, and neither a thread nor a descriptor of the run is left. Nothing here owns memory or a descriptor: who is cut off cannot free it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "soak.h"

static struct {
    go_mutex mutex;
    go_waitgroup wg;
    go_cond cond;
    go_sem sem;
} taken;
static int silent[2];

static void block_undeclared(void)
{
    (void)nanosleep(&(struct timespec){0, 3000000}, NULL);
}

static void compute_for_a_while(void)
{
    for (int64_t end = go_now() + 3 * GO_MILLISECOND; go_now() < end;) {}
}

/* Nothing comes, until main closes it; then it is no descriptor any more. */
static void wait_in_a_pipe(void)
{
    char byte;
    (void)go_read(silent[0], &byte, 1);
}

static void anything(void *arg)
{
    uint64_t random = (uint64_t)(uintptr_t)arg;
    for (;;) {
        switch (soak_below(&random, 10)) {
        case 0: (void)go_sleep(GO_FOREVER); break;
        case 1: (void)go_chan_recv(NULL, NULL); break;
        case 2: go_mutex_lock(&taken.mutex); break;
        case 3: go_waitgroup_wait(&taken.wg); break;
        case 4: (void)go_sem_acquire(&taken.sem, 1); break;
        case 5: compute_for_a_while(); break;
        case 6: block_undeclared(); break;
        case 7: wait_in_a_pipe(); break;
        case 8: (void)go_sleep(soak_micros(&random, 500)); break;
        default: go_yield();
        }
    }
}

static int short_main(void *arg)
{
    uint64_t *random = arg;
    memset(&taken, 0, sizeof taken);
    go_mutex_lock(&taken.mutex);
    go_waitgroup_add(&taken.wg, 1);
    go_sem_init(&taken.sem, 0);
    MUST_EQUAL(pipe2(silent, O_CLOEXEC), 0);
    for (uint32_t i = soak_below(random, 200); i > 0; i--) {
        go(anything, (void *)(uintptr_t)soak_random(random));
    }
    if (soak_below(random, 3) != 0) {
        (void)go_sleep(soak_micros(random, 8000));
    }
    if (soak_below(random, 3) == 0) {
        MUST(go_set_procs(1 + (int)soak_below(random, 8)) > 0);
    }
    MUST_EQUAL(go_close(silent[0]), 0);
    MUST_EQUAL(go_close(silent[1]), 0);
    return (int)soak_below(random, 100);
}

void soak_short_runs(int count)
{
    uint64_t random = soak_new_random();
    struct soak_usage before, after;
    soak_measure(&before);
    for (int i = 0; i < count; i++) {
        go_config config = {.procs = (int)soak_below(&random, 9)};
        uint64_t run_random = soak_random(&random);
        int result = go_run_config(&config, short_main, &run_random);
        MUST(result >= 0 && result < 100);
        MUST_EQUAL(go_count(), 0);
        soak_measure_calm(&after, &before);
        MUST_EQUAL(after.threads, before.threads);
        MUST_EQUAL(after.descriptors, before.descriptors);
    }
}
