/* The soak: everything at once, for as long as one likes. A family of workers is a file, or half of one; soak.c starts all of them,
 * watches that each gets on, stops them at the end of a lap and looks at what is left: goroutines, memory, threads, descriptors. */
#ifndef GO_TESTS_SOAK_SOAK_H
#define GO_TESTS_SOAK_SOAK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <go.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SOAK_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SOAK_SANITIZED 1
#endif
#endif
#ifndef SOAK_SANITIZED
#define SOAK_SANITIZED 0
#endif

/* What must hold. Unlike CHECK of tests/support it says the seed and dumps all goroutines, and it leaves no call of libc in the function
 * that uses it: that one stays on its small stack. */
#define MUST(condition)                                      \
    do {                                                     \
        if (__builtin_expect(!(condition), 0)) {             \
            soak_fail(__FILE__, __LINE__, #condition, 0, 0); \
        }                                                    \
    } while (0)
#define MUST_EQUAL(left, right)                                                         \
    do {                                                                                \
        const long long must_left = (long long)(left), must_right = (long long)(right); \
        if (__builtin_expect(must_left != must_right, 0)) {                             \
            soak_fail(__FILE__, __LINE__, #left " is " #right, must_left, must_right);  \
        }                                                                               \
    } while (0)

GO_NORETURN void soak_fail(const char *file, int line, const char *what, long long left, long long right);

struct soak_family {
    const char *name;
    void (*start)(void);  /* makes what the workers share and starts them with soak_go */
    void (*finish)(void); /* when the workers of all families have ended: looks at sums, frees what start made; may be NULL */
    atomic_ullong operations;
    unsigned long long seen; /* the watcher's own */
};

extern struct soak_family soak_spawn, soak_keys, soak_stacks, soak_pipelines, soak_selects, soak_timers, soak_locks, soak_queue,
    soak_tcp, soak_unix, soak_hogs, soak_blocking, soak_children, soak_threads, soak_foreign, soak_contexts, soak_groups,
    soak_procs, soak_debug, soak_signals;

extern uint64_t soak_seed;
extern int soak_first_procs;      /* Ps at the start */
extern atomic_bool soak_stopping; /* true from the moment when a lap's workers are to end */
extern go_chan *soak_stopped;     /* closed at that moment: for those who wait */
extern go_waitgroup soak_workers; /* all that soak_go started */

static inline bool soak_goes_on(void)
{
    return !atomic_load_explicit(&soak_stopping, memory_order_relaxed);
}

static inline void soak_count(struct soak_family *family, unsigned long long operations)
{
    atomic_fetch_add_explicit(&family->operations, operations, memory_order_relaxed);
}

static inline void soak_go(go_func fn, void *arg)
{
    go_waitgroup_go(&soak_workers, fn, arg);
}

/* Sums and checks, not secrets: splitmix64. */
static inline uint64_t soak_mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static inline uint32_t soak_random(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(soak_mix(*state) >> 32);
}

static inline uint32_t soak_below(uint64_t *state, uint32_t n)
{
    return (uint32_t)(((uint64_t)soak_random(state) * n) >> 32);
}

/* Up to so many microseconds, as a duration. */
static inline int64_t soak_micros(uint64_t *state, uint32_t most)
{
    return (int64_t)soak_below(state, most) * GO_MICROSECOND;
}

uint64_t soak_new_random(void); /* a generator for one worker, drawn from the seed */

/* short_runs.c: the runtime started and stopped, with goroutines in the middle of everything. */
void soak_short_runs(int count);

/* usage.c */
struct soak_usage {
    long resident, heap; /* KiB; heap is 0 where it cannot be told */
    int threads, descriptors;
};

void soak_measure(struct soak_usage *usage);

/* Waits for threads that have been joined to leave /proc, which happens a moment later: the usage then. */
void soak_measure_calm(struct soak_usage *usage, const struct soak_usage *wanted);

#endif
