/* Goroutines by the thousand, their local values, and their stacks. What must hold: each runs once, with the argument it was given; each
 * value is destroyed once; no frame changes while the stack grows, shrinks and moves between threads. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdio.h>
#include <stdlib.h>

#include "soak.h"

/* --- spawn storms --- */

struct storm {
    go_waitgroup wg;
    atomic_ullong sum, count;
};

struct drop {
    struct storm *storm;
    uint64_t value, check;
};

static void land(const struct drop *drop)
{
    MUST_EQUAL(drop->check, soak_mix(drop->value));
    atomic_fetch_add_explicit(&drop->storm->sum, drop->value, memory_order_relaxed);
    atomic_fetch_add_explicit(&drop->storm->count, 1, memory_order_relaxed);
}

/* A copied argument lives as long as its goroutine, so it ends the storm's count itself. */
static void copied_drop(void *arg)
{
    const struct drop *drop = arg;
    MUST(((uintptr_t)drop & 15) == 0);
    land(drop);
    if (drop->value % 3 == 0) {
        go_yield();
        MUST_EQUAL(drop->check, soak_mix(drop->value));
    }
    bool leave = drop->value % 5 == 0;
    go_waitgroup_done(&drop->storm->wg);
    if (leave) {
        go_exit();
    }
}

static void plain_drop(void *arg)
{
    struct storm *storm = arg;
    struct drop drop = {storm, 1, soak_mix(1)};
    land(&drop);
    go_waitgroup_done(&storm->wg);
}

static void named_drop(struct storm *storm, uint64_t *random)
{
    uint64_t id = 0;
    go_attr attr = {.name = "drop", .id = &id, .stack_size = soak_below(random, 4) == 0 ? 64 * 1024 : 0};
    MUST_EQUAL(go_spawn(&attr, plain_drop, storm), 0);
    MUST(id > 1);
}

static void rain(struct storm *storm, uint64_t *random, uint32_t count)
{
    uint64_t sum = 0;
    go_waitgroup_add(&storm->wg, (int)count);
    for (uint32_t i = 0; i < count; i++) {
        struct drop drop = {storm, soak_random(random), 0};
        drop.check = soak_mix(drop.value);
        switch (soak_below(random, 8)) {
        case 0: named_drop(storm, random), sum += 1; break;
        case 1:
        case 2: go(plain_drop, storm), sum += 1; break;
        default: go_copy(copied_drop, &drop, sizeof drop), sum += drop.value;
        }
    }
    go_waitgroup_wait(&storm->wg);
    MUST_EQUAL(storm->count, count);
    MUST_EQUAL(storm->sum, sum);
}

struct branch {
    struct storm *storm;
    int depth;
};

static void branch(void *arg)
{
    struct branch *me = arg;
    if (me->depth > 0) {
        struct branch next = {me->storm, me->depth - 1};
        go_waitgroup_add(&me->storm->wg, 2);
        go_copy(branch, &next, sizeof next);
        go_copy(branch, &next, sizeof next);
    } else {
        atomic_fetch_add_explicit(&me->storm->count, 1, memory_order_relaxed);
    }
    go_waitgroup_done(&me->storm->wg);
}

static void grow_tree(struct storm *storm, int depth)
{
    struct branch root = {storm, depth};
    go_waitgroup_add(&storm->wg, 1);
    go_copy(branch, &root, sizeof root);
    go_waitgroup_wait(&storm->wg);
    MUST_EQUAL(storm->count, 1 << depth);
}

static void storms(void *arg)
{
    uint64_t random = soak_new_random();
    (void)arg;
    while (soak_goes_on()) {
        struct storm rained = {0}, grown = {0};
        uint32_t count = 1 + soak_below(&random, soak_below(&random, 8) == 0 ? 3000 : 200);
        int depth = (int)soak_below(&random, 9);
        rain(&rained, &random, count);
        grow_tree(&grown, depth);
        soak_count(&soak_spawn, count + (2u << depth) - 1);
    }
}

static void start_storms(void)
{
    soak_go(storms, NULL);
    soak_go(storms, NULL);
}

struct soak_family soak_spawn = {.name = "spawn", .start = start_storms};

/* --- local values --- */

static go_key *counted, *plain;
static atomic_ullong values_set, values_destroyed;

static void destroy(void *value)
{
    MUST(value != NULL);
    go_yield(); /* it may */
    atomic_fetch_add_explicit(&values_destroyed, 1, memory_order_relaxed);
}

static void use_keys(void *arg)
{
    void *me = arg;
    MUST(go_key_get(counted) == NULL && go_key_get(plain) == NULL);
    MUST_EQUAL(go_key_set(counted, me), 0);
    MUST_EQUAL(go_key_set(plain, &me), 0);
    atomic_fetch_add_explicit(&values_set, 1, memory_order_relaxed);
    for (int i = 0; i < 3; i++) {
        go_yield();
        MUST(go_key_get(counted) == me && go_key_get(plain) == &me);
        MUST_EQUAL(go_key_set(counted, me), 0);
    }
}

static void keys(void *arg)
{
    uint64_t random = soak_new_random();
    (void)arg;
    while (soak_goes_on()) {
        go_waitgroup wg = GO_WAITGROUP_INIT;
        uint32_t count = 1 + soak_below(&random, 50);
        for (uint32_t i = 0; i < count; i++) {
            go_waitgroup_go(&wg, use_keys, (void *)((uintptr_t)soak_random(&random) | 1));
        }
        go_waitgroup_wait(&wg);
        soak_count(&soak_keys, count);
    }
}

static void start_keys(void)
{
    values_set = values_destroyed = 0;
    counted = go_key_new(destroy);
    plain = go_key_new(NULL);
    MUST(counted != NULL && plain != NULL);
    soak_go(keys, NULL);
}

static void finish_keys(void)
{
    MUST_EQUAL(values_destroyed, values_set);
    go_key_free(counted);
    go_key_free(plain);
}

struct soak_family soak_keys = {.name = "keys", .start = start_keys, .finish = finish_keys};

/* --- stacks --- */

/* On a segment while it runs, whatever stack the caller has. */
static uint64_t through_text(uint64_t number)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%llu %.3f", (unsigned long long)number, 0.5);
    return strtoull(text, NULL, 10);
}

static __attribute__((noinline)) uint64_t descend(int depth, uint64_t *random)
{
    uint32_t size = 1 + soak_below(random, 300);
    volatile unsigned char frame[size];
    unsigned char mark = (unsigned char)soak_random(random);
    for (uint32_t i = 0; i < size; i++) {
        frame[i] = (unsigned char)(mark + i);
    }
    uint64_t number = soak_random(random);
    uint64_t below = depth > 0 ? descend(depth - 1, random) : 0;
    if (depth % 8 == 0) {
        MUST_EQUAL(through_text(number), number);
        go_yield();
    }
    for (uint32_t i = 0; i < size; i++) {
        MUST(frame[i] == (unsigned char)(mark + i));
    }
    return below + 1;
}

struct descent {
    go_waitgroup *wg;
    uint64_t random;
    int depth;
};

static void go_down(void *arg)
{
    struct descent *descent = arg;
    int depth = descent->depth;
    for (int i = 0; i < 3; i++) {
        MUST_EQUAL(descend((int)soak_below(&descent->random, (uint32_t)depth), &descent->random) > 0, 1);
    }
    MUST_EQUAL(descend(depth, &descent->random), depth + 1);
    go_waitgroup_done(descent->wg);
}

/* Without the stack check a goroutine has 256 KiB unless it asks for more: the sanitizers' frames are large, so 150 deep. */
static void stacks(void *arg)
{
    uint64_t random = soak_new_random();
    (void)arg;
    while (soak_goes_on()) {
        go_waitgroup wg = GO_WAITGROUP_INIT;
        uint32_t count = 1 + soak_below(&random, 8);
        go_waitgroup_add(&wg, (int)count);
        for (uint32_t i = 0; i < count; i++) {
            bool large = soak_below(&random, 8) == 0;
            struct descent descent = {&wg, soak_random(&random), 1 + (int)soak_below(&random, large ? 800 : 150)};
            go_attr attr = {.stack_size = large ? 2 * 1024 * 1024 : 0, .arg_size = sizeof descent};
            MUST_EQUAL(go_spawn(&attr, go_down, &descent), 0);
        }
        go_waitgroup_wait(&wg);
        soak_count(&soak_stacks, count);
    }
}

static void start_stacks(void)
{
    soak_go(stacks, NULL);
}

struct soak_family soak_stacks = {.name = "stacks", .start = start_stacks};
