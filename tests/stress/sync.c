/* Locks from all sides at once, by goroutines and by threads. What must hold is checked inside the sections and after: nobody beside
 * a holder, no update lost, nobody forgotten (a hang), nothing touched after it was given away (objects are freed at once). */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "support/stress.h"
#include "unit/sync/waiting.h"

static int64_t stop_at;
static uint64_t seed;
static _Atomic(uint64_t) next_user;

/* Runs body in so many goroutines and threads until the time is over. */
struct crowd {
    void (*body)(uint64_t *random);
};

static void in_crowd(void *arg)
{
    uint64_t random = seed + next_user++ * 7919;
    while (go_now() < stop_at) {
        for (int i = 0; i < 20; i++) {
            ((struct crowd *)arg)->body(&random);
        }
    }
}

static void *thread_in_crowd(void *arg)
{
    in_crowd(arg);
    return NULL;
}

static void run_crowd(void (*body)(uint64_t *random), int goroutines, int threads)
{
    struct crowd crowd = {body};
    go_waitgroup wg = GO_WAITGROUP_INIT;
    pthread_t ids[8];
    seed = stress_seed();
    stop_at = stress_deadline();
    for (int i = 0; i < threads; i++) {
        CHECK_EQUAL(pthread_create(&ids[i], NULL, thread_in_crowd, &crowd), 0);
    }
    for (int i = 0; i < goroutines; i++) {
        go_waitgroup_go(&wg, in_crowd, &crowd);
    }
    go_waitgroup_wait(&wg);
    go_block_begin();
    for (int i = 0; i < threads; i++) {
        CHECK_EQUAL(pthread_join(ids[i], NULL), 0);
    }
    go_block_end();
}

/* What people do inside and outside of sections. */
static void dawdle(uint64_t *random)
{
    switch (stress_below(random, 64)) {
    case 0: (void)go_sleep((int64_t)stress_below(random, 300) * GO_MICROSECOND); break; /* some have a context that ends */
    case 1:
    case 2:
    case 3: go_yield(); break;
    case 4:
    case 5:
        for (volatile unsigned i = stress_below(random, 2000); i > 0; i--) {}
        break;
    default: break;
    }
}

static int64_t soon(uint64_t *random)
{
    return go_now() + (int64_t)stress_below(random, 200) * GO_MICROSECOND;
}

/* --- mutex --- */

static go_mutex mutex;
static long inside, entered; /* by the holder */
static _Atomic(long) counted;

static void mutex_user(uint64_t *random)
{
    switch (stress_below(random, 8)) {
    case 0:
        if (!go_mutex_trylock(&mutex)) {
            return;
        }
        break;
    case 1:
    case 2: {
        int code = go_mutex_lock_until(&mutex, soon(random));
        CHECK(code == 0 || code == -ETIMEDOUT);
        if (code != 0) {
            return;
        }
        break;
    }
    default: go_mutex_lock(&mutex);
    }
    CHECK_EQUAL(inside, 0);
    inside = 1;
    dawdle(random);
    entered++;
    CHECK_EQUAL(inside, 1);
    inside = 0;
    go_mutex_unlock(&mutex);
    counted++;
}

static void mutex_excludes(void)
{
    entered = inside = 0;
    counted = 0;
    run_crowd(mutex_user, 20, 4);
    CHECK_EQUAL(entered, counted);
    CHECK_EQUAL(mutex.private_word & 3u, 0); /* nobody is left who ought to be woken */
    CHECK_EQUAL(waiting_for_mutex(&mutex), 0);
    CHECK(go_mutex_trylock(&mutex));
    go_mutex_unlock(&mutex);
}

/* --- rwmutex --- */

static go_rwmutex rwmutex;
static _Atomic(int) readers, writers;

static void reader_inside(uint64_t *random)
{
    readers++;
    CHECK_EQUAL(writers, 0);
    dawdle(random);
    CHECK_EQUAL(writers, 0);
    readers--;
    go_rwmutex_runlock(&rwmutex);
}

static void writer_inside(uint64_t *random)
{
    CHECK(++writers == 1 && readers == 0);
    dawdle(random);
    CHECK(writers-- == 1 && readers == 0);
    go_rwmutex_unlock(&rwmutex);
}

static void rwmutex_user(uint64_t *random)
{
    switch (stress_below(random, 16)) {
    case 0:
    case 1:
        go_rwmutex_lock(&rwmutex);
        writer_inside(random);
        break;
    case 2:
        if (go_rwmutex_trylock(&rwmutex)) {
            writer_inside(random);
        }
        break;
    case 3:
        if (go_rwmutex_tryrlock(&rwmutex)) {
            reader_inside(random);
        }
        break;
    default: go_rwmutex_rlock(&rwmutex); reader_inside(random);
    }
}

static void writers_user(uint64_t *random)
{
    go_rwmutex_lock(&rwmutex);
    writer_inside(random);
}

static void rwmutex_is_free(void)
{
    CHECK_EQUAL(rwmutex.private_word, 0);
    CHECK_EQUAL(readers_waiting(&rwmutex) + writers_waiting(&rwmutex), 0);
}

static void rwmutex_lets_readers_in_or_one_writer(void)
{
    run_crowd(rwmutex_user, 20, 4);
    rwmutex_is_free();
}

static void rwmutex_with_writers_only(void)
{
    run_crowd(writers_user, 12, 2);
    rwmutex_is_free();
}

/* --- semaphore --- */

enum { PERMITS = 7 };
static go_sem sem;
static _Atomic(int64_t) permits_out;

static void sem_user(uint64_t *random)
{
    int64_t n = stress_below(random, PERMITS + 1);
    switch (stress_below(random, 4)) {
    case 0:
        if (!go_sem_try_acquire(&sem, n)) {
            return;
        }
        break;
    case 1:
        if (go_sem_acquire_until(&sem, n, soon(random)) != 0) {
            return;
        }
        break;
    default: CHECK_EQUAL(go_sem_acquire(&sem, n), 0);
    }
    int64_t out = atomic_fetch_add(&permits_out, n) + n;
    CHECK(out <= PERMITS);
    dawdle(random);
    permits_out -= n;
    go_sem_release(&sem, n);
}

static void sem_never_gives_more_than_it_has(void)
{
    go_sem_init(&sem, PERMITS);
    run_crowd(sem_user, 20, 4);
    CHECK(go_sem_try_acquire(&sem, PERMITS));
    CHECK_EQUAL(waiting_for_sem(&sem), 0);
}

/* --- cond: a bounded buffer; every item that went in comes out, and nobody sleeps while there is something to do --- */

enum { ROOM = 3 };
static go_mutex buffer_lock;
static go_cond not_empty, not_full;
static int items;
static _Atomic(long) put, got;

static bool wait_or_give_up(go_cond *c, uint64_t *random)
{
    if (stress_below(random, 4) != 0 && go_now() < stop_at) {
        int code = go_cond_wait_until(c, &buffer_lock, soon(random) + GO_MILLISECOND);
        CHECK(code == 0 || code == -ETIMEDOUT);
        if (code == 0) {
            return true;
        }
    }
    return false;
}

static void buffer_user(uint64_t *random)
{
    bool puts = stress_below(random, 2) != 0;
    go_mutex_lock(&buffer_lock);
    while (puts ? items == ROOM : items == 0) {
        if (!wait_or_give_up(puts ? &not_full : &not_empty, random)) {
            go_mutex_unlock(&buffer_lock);
            return;
        }
    }
    items += puts ? 1 : -1;
    CHECK(items >= 0 && items <= ROOM);
    if (stress_below(random, 8) == 0) {
        go_cond_broadcast(puts ? &not_empty : &not_full);
    } else {
        go_cond_signal(puts ? &not_empty : &not_full);
    }
    go_mutex_unlock(&buffer_lock);
    *(puts ? &put : &got) += 1;
    dawdle(random);
}

static void cond_moves_what_is_put(void)
{
    items = 0;
    put = got = 0;
    run_crowd(buffer_user, 20, 4);
    CHECK_EQUAL(put, got + items);
    CHECK_EQUAL(waiting_on_cond(&not_empty) + waiting_on_cond(&not_full), 0);
}

/* Ping-pong by signals alone: each one counts, so a lost one hangs and one too many breaks the order. */
static go_cond turn_changed[2];
static int turn;
static long turns_left;

static void player(void *arg)
{
    int me = (int)(intptr_t)arg;
    go_mutex_lock(&buffer_lock);
    while (turns_left > 0) {
        if (turn == me) {
            turn = 1 - me;
            turns_left--;
            go_cond_signal(&turn_changed[1 - me]);
        } else {
            go_cond_wait(&turn_changed[me], &buffer_lock);
        }
    }
    go_cond_signal(&turn_changed[1 - me]);
    go_mutex_unlock(&buffer_lock);
}

static void *thread_player(void *arg)
{
    player(arg);
    return NULL;
}

static void play_on_a_thread(void *arg)
{
    on_foreign_thread(thread_player, arg);
}

static void cond_loses_no_signal(void)
{
    int64_t end = stress_deadline();
    for (int round = 0; round < 4 || go_now() < end; round++) {
        go_waitgroup wg = GO_WAITGROUP_INIT;
        turn = 0;
        turns_left = STRESS_SANITIZED ? 1000 : 5000;
        go_waitgroup_go(&wg, round % 4 < 3 ? player : play_on_a_thread, (void *)(intptr_t)0);
        go_waitgroup_go(&wg, round % 4 != 1 ? player : play_on_a_thread, (void *)(intptr_t)1);
        go_waitgroup_wait(&wg);
        CHECK_EQUAL(turns_left, 0);
    }
}

/* --- objects that are freed as soon as the last user may do so --- */

struct family {
    go_waitgroup wg;
    go_mutex lock;
    go_once once;
    go_cond changed;
    int members, started, runs;
    _Atomic(bool) known;
};

static go_waitgroup members; /* of all families: who is left when the run ends leaks its family */

static void start_family(void *arg)
{
    struct family *f = arg;
    f->runs++;
    go_yield();
}

static void leave_family(struct family *f)
{
    go_mutex_lock(&f->lock);
    int left = --f->members;
    go_mutex_unlock(&f->lock);
    if (left == 0) {
        free(f);
    }
}

static void member(void *arg)
{
    struct family *f = arg;
    go_once_do(&f->once, start_family, f);
    CHECK_EQUAL(f->runs, 1);
    go_mutex_lock(&f->lock);
    f->started++;
    go_cond_broadcast(&f->changed);
    while (f->started < 4) {
        go_cond_wait(&f->changed, &f->lock);
    }
    go_mutex_unlock(&f->lock);
    go_waitgroup_done(&f->wg);
    go_waitgroup_wait(&f->wg);
    leave_family(f);
}

/* A thread that goco does not know yet keeps nobody from being taken for deadlocked: it shows itself first. */
static void *thread_member(void *arg)
{
    (void)go_context_bound();
    ((struct family *)arg)->known = true;
    member(arg);
    return NULL;
}

static void one_family(uint64_t *random)
{
    struct family *f = calloc(1, sizeof *f);
    CHECK(f != NULL);
    f->members = 5;
    go_waitgroup_add(&f->wg, 4);
    for (int i = 0; i < 3; i++) {
        go_waitgroup_go(&members, member, f);
    }
    pthread_t thread;
    bool with_thread = stress_below(random, 64) == 0;
    if (with_thread) {
        CHECK_EQUAL(pthread_create(&thread, NULL, thread_member, f), 0);
        UNTIL(f->known);
    } else {
        go_waitgroup_go(&members, member, f);
    }
    if (stress_below(random, 2) != 0) {
        while (go_waitgroup_wait_until(&f->wg, go_now() + (int64_t)stress_below(random, 30) * GO_MICROSECOND) != 0) {}
    } else {
        go_waitgroup_wait(&f->wg);
    }
    leave_family(f);
    if (with_thread) {
        go_block_begin();
        CHECK_EQUAL(pthread_join(thread, NULL), 0);
        go_block_end();
    }
}

static void families_come_and_go(void)
{
    run_crowd(one_family, 4, 0);
    go_waitgroup_wait(&members);
}

/* A waitgroup that is freed the moment wait returns, while others count down, some of them threads. */
struct heap_group {
    go_waitgroup wg;
};

static void count_down(void *arg)
{
    go_waitgroup_done(&((struct heap_group *)arg)->wg);
}

static void one_group(uint64_t *random)
{
    struct heap_group *g = calloc(1, sizeof *g);
    CHECK(g != NULL);
    int n = 1 + (int)stress_below(random, 4);
    go_waitgroup_add(&g->wg, n);
    for (int i = 0; i < n; i++) {
        go(count_down, g);
    }
    while (go_waitgroup_wait_until(&g->wg, go_now() + (int64_t)stress_below(random, 5) * GO_MICROSECOND) != 0) {}
    g->wg.private_state = UINT64_C(0x5555555500000000); /* whoever still counts down comes to a group that never ends */
    free(g);
}

static void groups_are_freed_at_once(void)
{
    run_crowd(one_group, 4, 2);
}

/* --- contexts that end while their goroutines wait --- */

static void under_context(void *arg)
{
    uint64_t random = seed + (uint64_t)(uintptr_t)arg;
    for (;;) {
        int code;
        switch (stress_below(&random, 2)) {
        case 0:
            code = go_mutex_lock_until(&mutex, GO_FOREVER);
            if (code == 0) {
                dawdle(&random);
                go_mutex_unlock(&mutex);
            }
            break;
        default:
            code = go_sem_acquire(&sem, 3);
            if (code == 0) {
                dawdle(&random);
                go_sem_release(&sem, 3);
            }
        }
        if (code != 0) {
            CHECK_EQUAL(code, -ECANCELED);
            return;
        }
    }
}

static void contexts_end_waits(void)
{
    seed = stress_seed();
    int64_t end = stress_deadline();
    uint64_t random = seed;
    go_sem_init(&sem, PERMITS);
    while (go_now() < end) {
        go_context *ctx = go_context_with_cancel(NULL);
        go_waitgroup wg = GO_WAITGROUP_INIT;
        (void)go_context_bind(ctx);
        for (uintptr_t i = 0; i < 10; i++) {
            go_waitgroup_go(&wg, under_context, (void *)i);
        }
        (void)go_context_bind(NULL);
        CHECK_EQUAL(go_sleep((int64_t)stress_below(&random, 1000) * GO_MICROSECOND), 0);
        go_context_cancel(ctx, 0);
        go_waitgroup_wait(&wg);
        go_context_unref(ctx);
    }
    CHECK(go_sem_try_acquire(&sem, PERMITS));
    CHECK(go_mutex_trylock(&mutex));
    go_mutex_unlock(&mutex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BEHAVIOUR(mutex_excludes),
        BEHAVIOUR(rwmutex_lets_readers_in_or_one_writer),
        BEHAVIOUR(rwmutex_with_writers_only),
        BEHAVIOUR(sem_never_gives_more_than_it_has),
        BEHAVIOUR(cond_moves_what_is_put),
        BEHAVIOUR(cond_loses_no_signal),
        BEHAVIOUR(families_come_and_go),
        BEHAVIOUR(groups_are_freed_at_once),
        BEHAVIOUR(contexts_end_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
