/* go_rwmutex beside Go's sync.RWMutex. */
#include <stdlib.h>

#include "support/behaviour.h"
#include "unit/sync/waiting.h"

static go_rwmutex lock;
static go_waitgroup wg;
static _Atomic(int) readers, writers, passed;
static _Atomic(bool) go_on;
static int written; /* plain: only the lock orders those who touch it */

/* Go's TestParallelReaders: a reader holds up no other. */
static void reader_among_others(void *arg)
{
    int all = *(int *)arg;
    go_rwmutex_rlock(&lock);
    readers++;
    UNTIL(readers == all);
    go_rwmutex_runlock(&lock);
}

static void readers_read_together(void)
{
    int counts[] = {1, 3, 4};
    for (int i = 0; i < 3; i++) {
        readers = 0;
        for (int j = 0; j < counts[i]; j++) {
            go_waitgroup_go(&wg, reader_among_others, &counts[i]);
        }
        go_waitgroup_wait(&wg);
    }
}

/* Go's HammerRWMutex. */
static void reads(void *arg)
{
    for (int i = 0; i < *(int *)arg; i++) {
        go_rwmutex_rlock(&lock);
        int seen = written;
        readers++;
        CHECK_EQUAL(writers, 0);
        if (i % 16 == 0) {
            go_yield();
        }
        CHECK_EQUAL(writers, 0);
        CHECK_EQUAL(written, seen);
        readers--;
        go_rwmutex_runlock(&lock);
    }
}

static void writes(void *arg)
{
    for (int i = 0; i < *(int *)arg; i++) {
        go_rwmutex_lock(&lock);
        written++;
        writers++;
        CHECK(writers == 1 && readers == 0);
        if (i % 16 == 0) {
            go_yield();
        }
        CHECK(writers == 1 && readers == 0);
        writers--;
        go_rwmutex_unlock(&lock);
    }
}

static void readers_and_writers_hammer(void)
{
    int rounds = 500;
    readers = writers = 0;
    for (int n = 1; n <= 10; n += 3) {
        go_waitgroup_go(&wg, writes, &rounds);
        for (int i = 0; i < n; i++) {
            go_waitgroup_go(&wg, reads, &rounds);
        }
        go_waitgroup_go(&wg, writes, &rounds);
        for (int i = 0; i < n; i++) {
            go_waitgroup_go(&wg, reads, &rounds);
        }
        go_waitgroup_wait(&wg);
    }
    CHECK(go_rwmutex_trylock(&lock));
    go_rwmutex_unlock(&lock);
}

static void try_tells_whether_it_was_free(void)
{
    go_rwmutex m = GO_RWMUTEX_INIT;
    go_rwmutex_lock(&m);
    CHECK(!go_rwmutex_trylock(&m));
    CHECK(!go_rwmutex_tryrlock(&m));
    go_rwmutex_unlock(&m);
    CHECK(go_rwmutex_trylock(&m));
    go_rwmutex_unlock(&m);
    go_rwmutex_rlock(&m);
    CHECK(go_rwmutex_tryrlock(&m));
    CHECK(!go_rwmutex_trylock(&m));
    go_rwmutex_runlock(&m);
    CHECK(!go_rwmutex_trylock(&m));
    go_rwmutex_runlock(&m);
    CHECK(go_rwmutex_tryrlock(&m));
    go_rwmutex_runlock(&m);
}

static void write_once(void *arg)
{
    go_rwmutex_lock(arg);
    writers++;
    UNTIL(go_on);
    writers--;
    go_rwmutex_unlock(arg);
    passed++;
}

static void read_once(void *arg)
{
    go_rwmutex_rlock(arg);
    readers++;
    UNTIL(go_on);
    readers--;
    go_rwmutex_runlock(arg);
    passed++;
}

static void a_writer_that_waits_holds_off_readers(void)
{
    go_rwmutex m = GO_RWMUTEX_INIT;
    go_on = false;
    passed = 0;
    go_rwmutex_rlock(&m);
    CHECK(go_rwmutex_tryrlock(&m));
    go_waitgroup_go(&wg, write_once, &m);
    UNTIL(writers_waiting(&m) == 1);
    CHECK(!go_rwmutex_tryrlock(&m));
    go_waitgroup_go(&wg, read_once, &m);
    UNTIL(readers_waiting(&m) == 1);
    go_rwmutex_runlock(&m);
    CHECK_EQUAL(writers_waiting(&m), 1); /* one reader is left */
    go_rwmutex_runlock(&m);
    UNTIL(writers == 1); /* not the reader */
    CHECK_EQUAL(readers, 0);
    CHECK(!go_rwmutex_tryrlock(&m));
    go_on = true;
    go_waitgroup_wait(&wg);
    CHECK_EQUAL(passed, 2);
}

static void readers_that_waited_go_before_the_next_writer(void)
{
    go_rwmutex m = GO_RWMUTEX_INIT;
    go_on = false;
    passed = 0;
    go_rwmutex_lock(&m);
    go_waitgroup_go(&wg, write_once, &m);
    UNTIL(writers_waiting(&m) == 1);
    for (int i = 0; i < 3; i++) {
        go_waitgroup_go(&wg, read_once, &m);
    }
    UNTIL(readers_waiting(&m) == 3);
    go_rwmutex_unlock(&m);
    UNTIL(readers == 3);
    CHECK_EQUAL(writers, 0);
    CHECK_EQUAL(writers_waiting(&m), 1);
    CHECK(!go_rwmutex_tryrlock(&m));
    go_on = true;
    go_waitgroup_wait(&wg);
    CHECK_EQUAL(passed, 4);
}

static void all_who_wait_get_it_in_the_end(void)
{
    go_rwmutex m = GO_RWMUTEX_INIT;
    go_on = true;
    passed = 0;
    go_rwmutex_lock(&m);
    for (int i = 0; i < 10; i++) {
        go_waitgroup_go(&wg, write_once, &m);
        go_waitgroup_go(&wg, read_once, &m);
    }
    UNTIL(writers_waiting(&m) == 10 && readers_waiting(&m) == 10);
    go_rwmutex_unlock(&m);
    go_waitgroup_wait(&wg);
    CHECK_EQUAL(passed, 20);
    CHECK_EQUAL(m.private_word, 0);
}

static void *foreign_reads(void *arg)
{
    reads(arg);
    return NULL;
}

static void *foreign_writes(void *arg)
{
    writes(arg);
    return NULL;
}

static void reading_thread(void *arg)
{
    on_foreign_thread(foreign_reads, arg);
}

static void writing_thread(void *arg)
{
    on_foreign_thread(foreign_writes, arg);
}

static void threads_and_goroutines_mix(void)
{
    int rounds = 300;
    readers = writers = 0;
    for (int i = 0; i < 2; i++) {
        go_waitgroup_go(&wg, reading_thread, &rounds);
        go_waitgroup_go(&wg, writing_thread, &rounds);
        go_waitgroup_go(&wg, reads, &rounds);
        go_waitgroup_go(&wg, writes, &rounds);
    }
    go_waitgroup_wait(&wg);
}

struct shared {
    go_rwmutex lock;
    _Atomic(int) left;
};

static void last_reader_frees(void *arg)
{
    struct shared *s = arg;
    go_rwmutex_rlock(&s->lock);
    int left = --s->left;
    go_rwmutex_runlock(&s->lock);
    if (left == 0) { /* the others have begun to give back: only a writer sees them finished */
        go_rwmutex_lock(&s->lock);
        go_rwmutex_unlock(&s->lock);
        s->lock.private_word = 99; /* whoever still looks at it finds no rwmutex */
        free(s);
    }
}

static void the_last_one_may_free_it(void)
{
    for (int i = 0; i < 300; i++) {
        struct shared *s = calloc(1, sizeof *s);
        CHECK(s != NULL);
        s->left = 5;
        for (int j = 0; j < 5; j++) {
            go_waitgroup_go(&wg, last_reader_frees, s);
        }
        go_waitgroup_wait(&wg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BEHAVIOUR(readers_read_together),
        BEHAVIOUR(readers_and_writers_hammer),
        BEHAVIOUR(try_tells_whether_it_was_free),
        BEHAVIOUR(a_writer_that_waits_holds_off_readers),
        BEHAVIOUR(readers_that_waited_go_before_the_next_writer),
        BEHAVIOUR(all_who_wait_get_it_in_the_end),
        BEHAVIOUR(threads_and_goroutines_mix),
        BEHAVIOUR(the_last_one_may_free_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
