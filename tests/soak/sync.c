/* Locks and what else waits. What must hold: one writer or several readers, no permit beyond those there are, no signal lost, once. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "soak.h"

enum { PERMITS = 5, LOCKERS = 6, ROOM = 4 };

static go_mutex mutex;
static uint64_t left, right; /* by mutex: equal */
static go_rwmutex rwmutex;
static uint64_t above, below; /* by rwmutex: equal */
static atomic_int readers, writers;
static go_sem sem;
static atomic_int permits_out;

static void dawdle(uint64_t *random)
{
    switch (soak_below(random, 8)) {
    case 0: go_yield(); break;
    case 1: (void)go_sleep(soak_micros(random, 50)); break;
    default: break;
    }
}

static bool take_mutex(uint64_t *random)
{
    int code;
    switch (soak_below(random, 3)) {
    case 0: go_mutex_lock(&mutex); return true;
    case 1: return go_mutex_trylock(&mutex);
    default:
        code = go_mutex_lock_until(&mutex, go_now() + soak_micros(random, 200));
        MUST(code == 0 || code == -ETIMEDOUT);
        return code == 0;
    }
}

static void with_mutex(uint64_t *random)
{
    if (take_mutex(random)) {
        MUST_EQUAL(left, right);
        left++;
        dawdle(random);
        right++;
        go_mutex_unlock(&mutex);
    }
}

static void as_reader(uint64_t *random)
{
    if (soak_below(random, 4) == 0) {
        if (!go_rwmutex_tryrlock(&rwmutex)) {
            return;
        }
    } else {
        go_rwmutex_rlock(&rwmutex);
    }
    atomic_fetch_add(&readers, 1);
    MUST_EQUAL(writers, 0);
    uint64_t seen = above;
    MUST_EQUAL(below, seen);
    dawdle(random);
    MUST_EQUAL(above, seen);
    atomic_fetch_sub(&readers, 1);
    go_rwmutex_runlock(&rwmutex);
}

static void as_writer(uint64_t *random)
{
    if (soak_below(random, 4) == 0) {
        if (!go_rwmutex_trylock(&rwmutex)) {
            return;
        }
    } else {
        go_rwmutex_lock(&rwmutex);
    }
    MUST_EQUAL(atomic_fetch_add(&writers, 1), 0);
    MUST_EQUAL(readers, 0);
    above++;
    dawdle(random);
    below++;
    MUST_EQUAL(atomic_fetch_sub(&writers, 1), 1);
    go_rwmutex_unlock(&rwmutex);
}

static void with_permits(uint64_t *random)
{
    int n = 1 + (int)soak_below(random, PERMITS), code = 0;
    switch (soak_below(random, 3)) {
    case 0: code = go_sem_acquire(&sem, n); break;
    case 1: code = go_sem_try_acquire(&sem, n) ? 0 : -ETIMEDOUT; break;
    default: code = go_sem_acquire_until(&sem, n, go_now() + soak_micros(random, 200));
    }
    MUST(code == 0 || code == -ETIMEDOUT);
    if (code == 0) {
        MUST(atomic_fetch_add(&permits_out, n) + n <= PERMITS);
        dawdle(random);
        atomic_fetch_sub(&permits_out, n);
        go_sem_release(&sem, n);
    }
}

struct first_time {
    go_once once;
    go_waitgroup wg;
    int done; /* by once */
};

static void do_once(void *arg)
{
    struct first_time *f = arg;
    go_yield();
    f->done++;
}

static void come_to_once(void *arg)
{
    struct first_time *f = arg;
    go_once_do(&f->once, do_once, f);
    MUST_EQUAL(f->done, 1);
}

static void with_once(uint64_t *random)
{
    struct first_time f = {.done = 0};
    for (uint32_t i = soak_below(random, 6); i > 0; i--) {
        go_waitgroup_go(&f.wg, come_to_once, &f);
    }
    come_to_once(&f);
    int code;
    while ((code = go_waitgroup_wait_until(&f.wg, go_now() + soak_micros(random, 100))) == -ETIMEDOUT) {}
    MUST_EQUAL(code, 0);
}

static void locker(void *arg)
{
    uint64_t random = soak_new_random();
    (void)arg;
    while (soak_goes_on()) {
        switch (soak_below(&random, 8)) {
        case 0: as_writer(&random); break;
        case 1:
        case 2: as_reader(&random); break;
        case 3:
        case 4: with_permits(&random); break;
        case 5: with_once(&random); break;
        default: with_mutex(&random);
        }
        soak_count(&soak_locks, 1);
    }
}

static void start_locks(void)
{
    go_sem_init(&sem, PERMITS);
    for (int i = 0; i < LOCKERS; i++) {
        soak_go(locker, NULL);
    }
}

static void finish_locks(void)
{
    MUST(go_mutex_trylock(&mutex));
    MUST_EQUAL(left, right);
    go_mutex_unlock(&mutex);
    MUST(go_rwmutex_trylock(&rwmutex));
    MUST_EQUAL(above, below);
    go_rwmutex_unlock(&rwmutex);
    MUST(go_sem_try_acquire(&sem, PERMITS));
    go_sem_release(&sem, PERMITS);
}

struct soak_family soak_locks = {.name = "locks", .start = start_locks, .finish = finish_locks};

/* --- a queue of a mutex and two conditions --- */

static go_mutex queue_mutex;
static go_cond not_empty, not_full;
static struct {
    uint64_t values[ROOM], put_sum, taken_sum, put, taken;
    int putters;
} queue; /* by queue_mutex */

static void wait_for(go_cond *cond, uint64_t *random)
{
    if (soak_below(random, 2) == 0) {
        go_cond_wait(cond, &queue_mutex);
    } else {
        int code = go_cond_wait_until(cond, &queue_mutex, go_now() + soak_micros(random, 200));
        MUST(code == 0 || code == -ETIMEDOUT);
    }
}

static void put(void *arg)
{
    uint64_t random = soak_new_random();
    (void)arg;
    while (soak_goes_on()) {
        go_mutex_lock(&queue_mutex);
        while (queue.put - queue.taken == ROOM) {
            wait_for(&not_full, &random);
        }
        uint64_t value = soak_random(&random);
        queue.values[queue.put++ % ROOM] = value;
        queue.put_sum += value;
        go_mutex_unlock(&queue_mutex);
        go_cond_signal(&not_empty);
    }
    go_mutex_lock(&queue_mutex);
    queue.putters--;
    go_mutex_unlock(&queue_mutex);
    go_cond_broadcast(&not_empty);
}

static void take(void *arg)
{
    uint64_t random = soak_new_random();
    (void)arg;
    go_mutex_lock(&queue_mutex);
    for (;;) {
        while (queue.put == queue.taken && queue.putters > 0) {
            wait_for(&not_empty, &random);
        }
        if (queue.put == queue.taken) {
            break;
        }
        queue.taken_sum += queue.values[queue.taken++ % ROOM];
        soak_count(&soak_queue, 1);
        go_cond_signal(&not_full);
        go_mutex_unlock(&queue_mutex);
        go_mutex_lock(&queue_mutex);
    }
    go_mutex_unlock(&queue_mutex);
}

static void start_queue(void)
{
    queue.putters = 3;
    for (int i = 0; i < 3; i++) {
        soak_go(put, NULL);
    }
    for (int i = 0; i < 3; i++) {
        soak_go(take, NULL);
    }
}

static void finish_queue(void)
{
    MUST_EQUAL(queue.taken, queue.put);
    MUST_EQUAL(queue.taken_sum, queue.put_sum);
}

struct soak_family soak_queue = {.name = "cond", .start = start_queue, .finish = finish_queue};
