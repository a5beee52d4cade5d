/* Goroutines, their stacks and threads. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "fault/scenario.h"

#define OUT_OF_MEMORY "out of memory"

static const int no_memory[] = {-ENOMEM, 0};

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* --- spawning --- */

static void done(void *arg)
{
    go_waitgroup_done(arg);
}

static int spawn(go_waitgroup *wg, const go_attr *attr, go_func fn, void *arg)
{
    go_waitgroup_add(wg, 1);
    size_t before = go_count();
    int error = go_spawn(attr, fn, arg);
    if (error != 0) {
        CHECK(go_count() <= before); /* nothing has happened */
        go_waitgroup_done(wg);
    }
    return error;
}

static int spawn_many(void *arg)
{
    go_waitgroup wg = GO_WAITGROUP_INIT;
    int error = 0;
    (void)arg;
    for (int i = 0; i < 1500; i++) { /* more than one slab of small stacks */
        note_error(&error, spawn(&wg, NULL, done, &wg));
    }
    go_waitgroup_wait(&wg);
    return error;
}

struct message {
    go_waitgroup *wg;
    char text[800];
};

static void check_message(void *arg)
{
    const struct message *m = arg;
    CHECK(m->text[799] == 'x');
    go_waitgroup_done(m->wg);
}

static int spawn_attributes(void *arg)
{
    go_waitgroup wg = GO_WAITGROUP_INIT;
    struct message m = {&wg, {0}};
    uint64_t id;
    int error = 0;
    (void)arg;
    m.text[799] = 'x';
    for (int i = 0; i < 3; i++) {
        const go_attr named = {.name = "a name", .id = &id}, copied = {.arg_size = sizeof m},
                      large = {.stack_size = 300000 + (size_t)i * 4096};
        note_error(&error, spawn(&wg, &named, done, &wg));
        note_error(&error, spawn(&wg, &copied, check_message, &m));
        note_error(&error, spawn(&wg, &large, done, &wg));
    }
    go_set_name("main"); /* without memory the old name stays */
    go_waitgroup_wait(&wg);
    return error;
}

static void return_at_once(void *arg)
{
    (void)arg;
}

static int spawn_or_die(void *arg)
{
    go_waitgroup wg = GO_WAITGROUP_INIT;
    (void)arg;
    go_waitgroup_add(&wg, 10);
    for (int i = 0; i < 10; i++) {
        go(done, &wg);
    }
    for (int i = 0; i < 10; i++) {
        go_waitgroup_go(&wg, return_at_once, NULL);
    }
    go_waitgroup_wait(&wg);
    return 0;
}

/* --- stacks --- */

static int __attribute__((noinline)) deep(int levels)
{
    volatile char room[1000];
    room[0] = (char)levels;
    return levels == 0 ? 0 : deep(levels - 1) + (room[0] == (char)levels);
}

static void grow(void *arg)
{
    CHECK_EQUAL(deep(150), 150);
    go_waitgroup_done(arg);
}

static void grow_far(void *arg)
{
    CHECK_EQUAL(deep(20), 20);
    CHECK_EQUAL(deep(200), 200); /* within what one reserved stack has */
    go_yield();
    CHECK_EQUAL(deep(100), 100);
    go_waitgroup_done(arg);
}

static int grow_stacks(void *arg)
{
    go_waitgroup wg = GO_WAITGROUP_INIT;
    int error = 0;
    (void)arg;
    for (int i = 0; i < 8; i++) {
        note_error(&error, spawn(&wg, NULL, i % 2 == 0 ? grow : grow_far, &wg));
    }
    go_waitgroup_wait(&wg);
    return error;
}

/* --- threads --- */

static void block(void *arg)
{
    go_block_begin();
    (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    go_block_end();
    go_waitgroup_done(arg);
}

static void compute(void *arg)
{
    for (int64_t end = go_now() + GO_MILLISECOND; go_now() < end;) {}
    go_waitgroup_done(arg);
}

static int block_threads(void *arg)
{
    go_waitgroup wg = GO_WAITGROUP_INIT;
    int error = 0;
    (void)arg;
    for (int i = 0; i < 4; i++) {
        note_error(&error, spawn(&wg, NULL, block, &wg));
        note_error(&error, spawn(&wg, NULL, compute, &wg));
    }
    go_waitgroup_wait(&wg);
    return error;
}

/* Blocks until another goroutine has written: there must be a second thread, now or a little later. */
static void write_one(void *arg)
{
    CHECK_EQUAL(write(*(int *)arg, "x", 1), 1);
}

static int block_for_other(void *arg)
{
    int ends[2];
    char c;
    (void)arg;
    CHECK_EQUAL(pipe(ends), 0);
    int error = go_spawn(NULL, write_one, &ends[1]);
    if (error == 0) {
        go_block_begin();
        CHECK_EQUAL(read(ends[0], &c, 1), 1);
        go_block_end();
    }
    (void)close(ends[0]);
    (void)close(ends[1]);
    return error;
}

static void tied(void *arg)
{
    go_lock_thread();
    for (int i = 0; i < 3; i++) {
        go_yield();
    }
    go_waitgroup_done(arg);
}

static int lock_threads(void *arg)
{
    go_waitgroup wg = GO_WAITGROUP_INIT;
    int error = 0;
    (void)arg;
    for (int i = 0; i < 3; i++) {
        note_error(&error, spawn(&wg, NULL, tied, &wg));
    }
    go_waitgroup_wait(&wg);
    return error;
}

static void *foreign(void *arg)
{
    static go_mutex lock;
    go_mutex_lock(&lock);
    go_mutex_unlock(&lock);
    int error = go_spawn(NULL, done, arg);
    if (error != 0) {
        CHECK_EQUAL(error, -ENOMEM);
        go_waitgroup_done(arg);
    }
    go_waitgroup_done(arg);
    return NULL;
}

static int foreign_threads(void *arg)
{
    go_waitgroup wg = GO_WAITGROUP_INIT;
    pthread_t threads[3];
    (void)arg;
    for (int i = 0; i < 3; i++) {
        go_waitgroup_add(&wg, 2);
        CHECK_EQUAL(pthread_create(&threads[i], NULL, foreign, &wg), 0);
    }
    go_block_begin();
    for (int i = 0; i < 3; i++) {
        CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
    }
    go_block_end();
    go_waitgroup_wait(&wg);
    return 0;
}

/* --- ps --- */

static void sleeper(void *arg)
{
    (void)go_sleep(2 * GO_MILLISECOND);
    go_waitgroup_done(arg);
}

static int set_procs(void *arg)
{
    static const int sizes[] = {4, 1, 7, 2};
    go_waitgroup wg = GO_WAITGROUP_INIT;
    int error = 0;
    (void)arg;
    for (int i = 0; i < 100; i++) {
        note_error(&error, spawn(&wg, NULL, sleeper, &wg));
    }
    for (int i = 0; i < 4; i++) {
        int before = go_procs(), result = go_set_procs(sizes[i]);
        note_error(&error, result);
        CHECK_EQUAL(go_procs(), result < 0 ? before : sizes[i]);
        go_yield();
    }
    go_waitgroup_wait(&wg);
    return error;
}

const struct scenario scenarios_sched[] = {
    {.name = "start", .body = nothing, .errors = no_memory},
    {.name = "spawn_many", .body = spawn_many, .errors = no_memory},
    {.name = "spawn_attributes", .body = spawn_attributes, .errors = no_memory},
    {.name = "spawn_or_die", .body = spawn_or_die, .errors = no_memory, .fatal = OUT_OF_MEMORY},
    {.name = "grow_stacks", .body = grow_stacks, .errors = no_memory, .fatal = OUT_OF_MEMORY},
    {.name = "block_threads", .body = block_threads, .errors = no_memory},
    {.name = "block_for_other", .body = block_for_other, .errors = no_memory, .waits = true},
    {.name = "lock_threads", .body = lock_threads, .errors = no_memory, .fatal = "no thread to be had"},
    {.name = "foreign_threads", .body = foreign_threads, .errors = no_memory, .fatal = OUT_OF_MEMORY},
    {.name = "set_procs", .body = set_procs, .errors = no_memory, .fatal = OUT_OF_MEMORY},
    {.name = NULL},
};
