/* soak SECONDS [SEED]: every family of workers at once, in laps of one run. While a lap lasts each family must get on in every window of
 * WINDOW; at its end all of them stop, their sums are looked at, and goroutines, memory and descriptors must be what they were. Before
 * and after come short runs. Ends with a table and "soak: passed", or at the first thing that does not hold, with the seed. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "soak.h"

#define WINDOW ((SOAK_SANITIZED ? 15 : 5) * GO_SECOND)
#define BEAT   (100 * GO_MILLISECOND)

enum {
    SILENCE_SECONDS = 120,      /* without a beat of the main goroutine: the runtime hangs as a whole */
    STOP_SECONDS = 60,          /* for the workers to end a lap */
    SHORT_RUNS = 15,            /* before and after */
    RESIDENT_SLACK = 16 * 1024, /* KiB that later laps may hold beyond the most that the first ones held, and a quarter */
    HEAP_SLACK = 1024,          /* the same for what malloc has given out, which is told exactly */
    END_SLACK = 8 * 1024,       /* KiB that libc may keep for itself when no runtime runs any more */
};

static struct soak_family *const families[] = {
    &soak_spawn,   &soak_keys,     &soak_stacks, &soak_pipelines, &soak_selects,  &soak_timers,   &soak_locks,
    &soak_queue,   &soak_tcp,      &soak_unix,   &soak_hogs,      &soak_blocking, &soak_children, &soak_threads,
    &soak_foreign, &soak_contexts, &soak_groups, &soak_procs,     &soak_debug,    &soak_signals,
};

enum { FAMILIES = sizeof families / sizeof families[0] };

uint64_t soak_seed;
int soak_first_procs;
atomic_bool soak_stopping;
go_chan *soak_stopped;
go_waitgroup soak_workers;

static atomic_ullong generators;
static atomic_int beats;
static atomic_bool watching;
static double seconds;
static int laps;
static struct soak_usage at_start, most_of_warm_laps, at_end;

uint64_t soak_new_random(void)
{
    return soak_mix(soak_seed + soak_mix(atomic_fetch_add(&generators, 1)));
}

void soak_fail(const char *file, int line, const char *what, long long left, long long right)
{
    (void)fflush(stdout);
    (void)fprintf(stderr, "%s:%d: does not hold: %s", file, line, what);
    if (left != right) {
        (void)fprintf(stderr, " (%lld, %lld)", left, right);
    }
    (void)fprintf(stderr, "\nsoak: failed in lap %d, seed %llu\n", laps, (unsigned long long)soak_seed);
    go_dump(2);
    abort();
}

/* --- a thread that watches the watcher --- */

static void *watch_for_silence(void *arg)
{
    int seen = -1, silence = 0;
    (void)arg;
    while (atomic_load(&watching)) {
        int now = atomic_load(&beats);
        silence = now == seen ? silence + 1 : 0;
        seen = now;
        MUST(silence < SILENCE_SECONDS * 10);
        (void)nanosleep(&(struct timespec){0, 100000000}, NULL);
    }
    return NULL;
}

static void beat(void)
{
    atomic_fetch_add(&beats, 1);
}

/* --- a lap --- */

static void start_lap(void)
{
    atomic_store(&soak_stopping, false);
    soak_stopped = go_chan_new(0, 0);
    MUST(soak_stopped != NULL);
    for (int i = 0; i < FAMILIES; i++) {
        families[i]->start();
    }
}

static void check_progress(void)
{
    for (int i = 0; i < FAMILIES; i++) {
        unsigned long long now = atomic_load(&families[i]->operations);
        if (now == families[i]->seen) {
            (void)fprintf(stderr, "soak: '%s' stands still at %llu\n", families[i]->name, now);
        }
        MUST(now != families[i]->seen);
        families[i]->seen = now;
    }
}

/* Windows count the time that is watched only, and go on in the next lap. */
static void watch_lap(int64_t until)
{
    static int64_t watched;
    int64_t now = go_now();
    while (now < until) {
        MUST_EQUAL(go_sleep(BEAT), 0);
        beat();
        watched += go_now() - now;
        now = go_now();
        if (watched >= WINDOW) {
            check_progress();
            watched = 0;
        }
    }
}

static void stop_lap(void)
{
    int code = -ETIMEDOUT;
    atomic_store(&soak_stopping, true);
    MUST_EQUAL(go_chan_close(soak_stopped), 0);
    for (int64_t limit = go_now() + STOP_SECONDS * GO_SECOND; code == -ETIMEDOUT && go_now() < limit; beat()) {
        code = go_waitgroup_wait_until(&soak_workers, go_now() + BEAT);
    }
    MUST_EQUAL(code, 0);
    for (int i = 0; i < FAMILIES; i++) {
        if (families[i]->finish != NULL) {
            families[i]->finish();
        }
    }
    /* Those that are done but have not ended, and look-ups that nobody waits for any more. */
    for (int64_t limit = go_now() + STOP_SECONDS * GO_SECOND; go_count() > 1 && go_now() < limit; beat()) {
        MUST_EQUAL(go_sleep(GO_MILLISECOND), 0);
    }
    MUST_EQUAL(go_count(), 1);
    go_chan_unref(soak_stopped);
}

static void larger(long *most, long now)
{
    *most = now > *most ? now : *most;
}

/* The first laps fill caches; from then on nothing may grow. What the sanitizers keep for themselves does. */
static void check_usage(bool warm)
{
    struct soak_usage now, *most = &most_of_warm_laps;
    soak_measure(&now);
    printf("lap %d: %ld KiB resident, %ld KiB of heap, %d threads, %d descriptors\n", laps, now.resident, now.heap, now.threads,
           now.descriptors);
    (void)fflush(stdout);
    if (most->descriptors == 0) {
        most->descriptors = now.descriptors;
    }
    MUST_EQUAL(now.descriptors, most->descriptors);
    if (warm) {
        larger(&most->resident, now.resident);
        larger(&most->heap, now.heap);
    } else if (!SOAK_SANITIZED) {
        MUST(now.resident <= most->resident + most->resident / 4 + RESIDENT_SLACK);
        MUST(now.heap <= most->heap + HEAP_SLACK);
    }
}

static int run_laps(void *arg)
{
    int64_t begun = go_now(), end = begun + (int64_t)(seconds * (double)GO_SECOND);
    double lap_seconds = seconds < 10 ? 1 : seconds > 600 ? 60 : seconds / 10;
    int64_t lap = (int64_t)(lap_seconds * (double)GO_SECOND), warm_until = begun + (end - begun) / 4;
    (void)arg;
    soak_first_procs = go_procs();
    while (go_now() < end) {
        bool warm = laps < 2 || go_now() < warm_until;
        laps++;
        start_lap();
        watch_lap(go_now() + lap < end ? go_now() + lap : end);
        stop_lap();
        check_usage(warm);
    }
    return 42;
}

/* --- the whole --- */

static void print_table(void)
{
    printf("\n%-20s %14s %12s\n", "family", "operations", "a second");
    for (int i = 0; i < FAMILIES; i++) {
        unsigned long long count = families[i]->operations;
        printf("%-20s %14llu %12.1f\n", families[i]->name, count, (double)count / seconds);
    }
    printf("\n%-20s %14s %12s\n", "", "start", "end");
    printf("%-20s %14ld %12ld\n", "resident KiB", at_start.resident, at_end.resident);
    printf("%-20s %14ld %12ld\n", "heap KiB", at_start.heap, at_end.heap);
    printf("%-20s %14d %12d\n", "threads", at_start.threads, at_end.threads);
    printf("%-20s %14d %12d\n", "descriptors", at_start.descriptors, at_end.descriptors);
    printf("%-20s %14d\n%-20s %14llu\n\n", "laps", laps, "seed", (unsigned long long)soak_seed);
}

static void soak(void)
{
    soak_short_runs(SHORT_RUNS);
    beat();
    MUST_EQUAL(go_run(run_laps, NULL), 42);
    MUST_EQUAL(go_count(), 0);
    beat();
    soak_short_runs(SHORT_RUNS);
    soak_measure_calm(&at_end, &at_start);
    print_table();
    MUST_EQUAL(at_end.threads, at_start.threads);
    MUST_EQUAL(at_end.descriptors, at_start.descriptors);
    if (!SOAK_SANITIZED) {
        MUST(at_end.resident <= at_start.resident + END_SLACK);
        MUST(at_end.heap <= at_start.heap + HEAP_SLACK);
    }
    for (int i = 0; i < FAMILIES; i++) {
        MUST(families[i]->operations > 0);
    }
}

/* malloc raises the limits from which on it gives memory back as it goes, and would hide what is the runtime's: not here. */
static void return_memory(void)
{
#if !SOAK_SANITIZED && defined(__GLIBC__)
    (void)mallopt(M_TRIM_THRESHOLD, 128 * 1024);
    (void)mallopt(M_MMAP_THRESHOLD, 128 * 1024);
#endif
}

int main(int argc, char **argv)
{
    pthread_t watcher;
    seconds = argc > 1 ? atof(argv[1]) : 0;
    if (argc > 3 || !(seconds > 0)) {
        (void)fprintf(stderr, "usage: soak SECONDS [SEED]\n");
        return 2;
    }
    soak_seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t)go_now() ^ (uint64_t)getpid() << 40;
    return_memory();
    printf("soak: %g seconds, seed %llu\n", seconds, (unsigned long long)soak_seed);
    (void)fflush(stdout);
    atomic_store(&watching, true);
    MUST_EQUAL(pthread_create(&watcher, NULL, watch_for_silence, NULL), 0);
    soak_measure(&at_start);
    soak();
    atomic_store(&watching, false);
    MUST_EQUAL(pthread_join(watcher, NULL), 0);
    printf("soak: passed\n");
    return 0;
}
