/* bench.h: the harness of every benchmark program, for goco and for the C and C++ peers.
 *
 * A program states its operation count at full size (scaled by BENCH_SCALE), checks its own answer with BENCH_CHECK in every run of the
 * body (so the answer is verified before anything is timed), and prints lines `name params metric value unit`. One process is one
 * round; the interleaving of rounds and peers is bench/run's work. The first argument, if there is one, selects the measurements whose
 * params begin with it. */
#ifndef GOCO_BENCH_H
#define GOCO_BENCH_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { BENCH_REPEATS = 3 };

/* Out of line, so that a goroutine's body that checks its results calls nothing of libc itself and stays on its small stack. */
__attribute__((noinline, noreturn, cold, unused)) static void bench_fail(const char *what, const char *file, int line)
{
    fprintf(stderr, "bench: wrong: %s (%s:%d)\n", what, file, line);
    exit(1);
}

#define BENCH_CHECK(ok) ((ok) ? (void)0 : bench_fail(#ok, __FILE__, __LINE__))

static inline int64_t bench_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* User and system time of the process so far, in seconds. */
static inline double bench_cpu(void)
{
    struct rusage ru;
    getrusage(RUSAGE_SELF, &ru);
    return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) + (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

/* Resident bytes. From smaps_rollup: the counters of statm lag behind by a batch per CPU. */
static inline double bench_rss(void)
{
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    char line[256];
    double kib = 0;

    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (sscanf(line, "Rss: %lf kB", &kib) == 1) {
            break;
        }
    }
    if (f != NULL) {
        fclose(f);
    }
    return kib * 1024;
}

/* How many Ps (or worker threads) this run uses; bench/run sets it beside GOCO_PROCS and GOMAXPROCS. */
static inline int bench_procs(void)
{
    const char *text = getenv("GOCO_PROCS");
    return text != NULL && atoi(text) > 0 ? atoi(text) : 1;
}

static inline uint64_t bench_count(uint64_t full)
{
    const char *text = getenv("BENCH_SCALE");
    double scale = text != NULL ? atof(text) : 1;
    uint64_t n = (uint64_t)((double)full * (scale > 0 ? scale : 1));
    return n > 0 ? n : 1;
}

static const char *bench_filter = "";

static inline void bench_init(int argc, char **argv)
{
    bench_filter = argc > 1 ? argv[1] : "";
}

static inline bool bench_wanted(const char *params)
{
    return strncmp(params, bench_filter, strlen(bench_filter)) == 0;
}

static inline void bench_report(const char *name, const char *params, const char *metric, double value, const char *unit)
{
    printf("%s procs=%d%s%s %s %.6g %s\n", name, bench_procs(), *params != '\0' ? "," : "", params, metric, value, unit);
    fflush(stdout);
}

static inline int bench_compare_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static inline int bench_compare_int64(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Warm up with an eighth of the work, run body(n) several times, report the median per operation. */
static inline void bench_measure(const char *name, const char *params, uint64_t n, void (*body)(uint64_t n))
{
    double times[BENCH_REPEATS];

    if (!bench_wanted(params)) {
        return;
    }
    body(n / 8 + 1);
    for (int i = 0; i < BENCH_REPEATS; i++) {
        int64_t start = bench_now();
        body(n);
        times[i] = (double)(bench_now() - start) / (double)n;
    }
    qsort(times, BENCH_REPEATS, sizeof times[0], bench_compare_double);
    bench_report(name, params, "time", times[BENCH_REPEATS / 2], "ns/op");
}

/* The same for a body that is one operation of milliseconds. */
static inline void bench_measure_whole(const char *name, const char *params, void (*body)(void))
{
    double times[BENCH_REPEATS];

    if (!bench_wanted(params)) {
        return;
    }
    body();
    for (int i = 0; i < BENCH_REPEATS; i++) {
        int64_t start = bench_now();
        body();
        times[i] = (double)(bench_now() - start) / 1e6;
    }
    qsort(times, BENCH_REPEATS, sizeof times[0], bench_compare_double);
    bench_report(name, params, "time", times[BENCH_REPEATS / 2], "ms");
}

/* Sort ns in place and report its middle, its 99th percentile and its largest, in microseconds. */
static inline void bench_percentiles(const char *name, const char *params, const char *what, int64_t *ns, size_t count)
{
    char metric[64];
    const struct {
        const char *suffix;
        size_t at;
    } points[] = {{"p50", (count - 1) / 2}, {"p99", (count - 1) * 99 / 100}, {"max", count - 1}};

    qsort(ns, count, sizeof ns[0], bench_compare_int64);
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        snprintf(metric, sizeof metric, "%s_%s", what, points[i].suffix);
        bench_report(name, params, metric, (double)ns[points[i].at] / 1e3, "us");
    }
}

#endif
