/* Stress: bodies repeat until the time is over, from seeds that are printed. GOCO_STRESS_SECONDS: how long each case runs (default
 * 2); GOCO_STRESS_SEED: the seed to repeat. */
#ifndef GO_TESTS_SUPPORT_STRESS_H
#define GO_TESTS_SUPPORT_STRESS_H

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/behaviour.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STRESS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define STRESS_SANITIZED 1
#endif
#endif
#ifndef STRESS_SANITIZED
#define STRESS_SANITIZED 0
#endif

static inline int64_t stress_deadline(void)
{
    const char *text = getenv("GOCO_STRESS_SECONDS");
    double seconds = text != NULL ? atof(text) : 2;
    return go_now() + (int64_t)(seconds * (double)GO_SECOND);
}

static inline uint64_t stress_seed(void)
{
    const char *text = getenv("GOCO_STRESS_SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : (uint64_t)go_now();
    printf("             GOCO_STRESS_SEED=%llu\n", (unsigned long long)seed);
    (void)fflush(stdout);
    return seed;
}

static inline uint32_t stress_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

static inline uint32_t stress_below(uint64_t *state, uint32_t n)
{
    return (uint32_t)(((uint64_t)stress_random(state) * n) >> 31);
}

struct stress_thread {
    void (*fn)(void *arg);
    void *arg;
    atomic_int known;
};

static inline void *stress_thread_main(void *arg)
{
    struct stress_thread *started = arg;
    void (*fn)(void *) = started->fn;
    void *fn_arg = started->arg;
    CHECK_EQUAL(go_sleep(0), 0);
    atomic_store(&started->known, 1);
    fn(fn_arg);
    return NULL;
}

/* A thread that goroutines are going to wait for. It has used goco when this returns: until then the runtime cannot know that somebody is
 * left who may wake the others, and where threads get no CPU for as long as a case lasts, it would report a deadlock. */
static inline pthread_t stress_thread(void (*fn)(void *arg), void *arg)
{
    pthread_t thread;
    struct stress_thread started = {fn, arg, 0};
    CHECK_EQUAL(pthread_create(&thread, NULL, stress_thread_main, &started), 0);
    while (!atomic_load(&started.known)) {
        CHECK_EQUAL(go_sleep(GO_MILLISECOND), 0);
    }
    return thread;
}

#endif
