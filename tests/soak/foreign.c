/* Threads that goco did not make, and goroutines, at one table. What must hold: what is sent is received, whoever locks is alone. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>

#include "soak.h"

enum { TABLE = 3, THREADS = 4, GOROUTINES = 4 };

static go_chan *table[TABLE];
static atomic_ullong given, taken;
static go_mutex lock;
static uint64_t inside[2]; /* by lock: equal */
static go_sem chairs;
static atomic_int seated;
static atomic_ullong born, asked;

static void newborn(void *arg)
{
    (void)arg;
    atomic_fetch_add_explicit(&born, 1, memory_order_relaxed);
}

static void give_or_take(uint64_t *random)
{
    int64_t deadline = go_now() + soak_micros(random, 500);
    uint64_t out = soak_random(random), in = 0;
    go_case cases[2] = {{table[soak_below(random, TABLE)], &out, GO_DIRECTION_SEND, 0},
                        {table[soak_below(random, TABLE)], &in, GO_DIRECTION_RECV, 0}};
    int chosen;
    switch (soak_below(random, 3)) {
    case 0: chosen = go_chan_send_until(cases[0].chan, &out, deadline); break;
    case 1:
        chosen = go_chan_recv_until(cases[1].chan, &in, deadline);
        chosen = chosen == 0 ? 1 : chosen;
        break;
    default: chosen = go_select_until(cases, 2, deadline);
    }
    MUST(chosen == 0 || chosen == 1 || chosen == -ETIMEDOUT);
    if (chosen >= 0) {
        atomic_fetch_add_explicit(chosen == 0 ? &given : &taken, chosen == 0 ? out : in, memory_order_relaxed);
        soak_count(&soak_foreign, 1);
    }
}

static void be_alone(uint64_t *random)
{
    if (soak_below(random, 2) == 0) {
        go_mutex_lock(&lock);
    } else if (go_mutex_lock_until(&lock, go_now() + soak_micros(random, 300)) != 0) {
        return;
    }
    MUST_EQUAL(inside[0], inside[1]);
    inside[0]++;
    if (soak_below(random, 4) == 0) {
        go_yield();
    }
    inside[1]++;
    go_mutex_unlock(&lock);
}

static void be_seated(uint64_t *random)
{
    if (go_sem_acquire_until(&chairs, 1, go_now() + soak_micros(random, 300)) == 0) {
        MUST(atomic_fetch_add(&seated, 1) < 2);
        (void)go_sleep(soak_micros(random, 100));
        atomic_fetch_sub(&seated, 1);
        go_sem_release(&chairs, 1);
    }
}

static void bear(void)
{
    atomic_fetch_add_explicit(&asked, 1, memory_order_relaxed);
    soak_go(newborn, NULL);
}

static void sit_at_table(uint64_t *random, int64_t until)
{
    while (soak_goes_on() && go_now() < until) {
        switch (soak_below(random, 10)) {
        case 0: be_seated(random); break;
        case 1:
        case 2: be_alone(random); break;
        case 3: bear(); break;
        default: give_or_take(random);
        }
    }
}

static void *foreign_thread(void *arg)
{
    uint64_t random = soak_new_random();
    (void)arg;
    MUST_EQUAL(go_id(), 0);
    sit_at_table(&random, go_now() + 50 * GO_MILLISECOND + soak_micros(&random, 300000));
    return NULL;
}

static void goroutine(void *arg)
{
    uint64_t random = soak_new_random();
    (void)arg;
    sit_at_table(&random, GO_FOREVER);
}

/* A call of libc that waits for threads that wait for goroutines: declared. */
static void invite(void)
{
    pthread_t threads[THREADS];
    go_block_begin();
    for (int i = 0; i < THREADS; i++) {
        MUST_EQUAL(pthread_create(&threads[i], NULL, foreign_thread, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        MUST_EQUAL(pthread_join(threads[i], NULL), 0);
    }
    go_block_end();
}

static void host(void *arg)
{
    (void)arg;
    while (soak_goes_on()) {
        invite();
        soak_count(&soak_foreign, 1);
    }
}

static void start_foreign(void)
{
    given = taken = born = asked = 0;
    go_sem_init(&chairs, 2);
    for (size_t i = 0; i < TABLE; i++) {
        table[i] = go_chan_new(sizeof(uint64_t), i);
        MUST(table[i] != NULL);
    }
    for (int i = 0; i < GOROUTINES; i++) {
        soak_go(goroutine, NULL);
    }
    soak_go(host, NULL);
}

static void finish_foreign(void)
{
    for (int i = 0; i < TABLE; i++) {
        uint64_t rest;
        while (go_chan_try_recv(table[i], &rest) == 0) {
            taken += rest;
        }
        go_chan_unref(table[i]);
    }
    MUST_EQUAL(taken, given);
    MUST_EQUAL(born, asked);
    MUST_EQUAL(inside[0], inside[1]);
    MUST(go_sem_try_acquire(&chairs, 2));
    go_sem_release(&chairs, 2);
}

struct soak_family soak_foreign = {.name = "foreign threads", .start = start_foreign, .finish = finish_foreign};
