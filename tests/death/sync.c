/* Misuse of locks, counters and keys: one line that says what was wrong, and abort. Each case is a child of its own. */
#include "support/child.h"

#include <stdlib.h>

#include <go.h>
#include <pthread.h>

#include "support/check.h"
#include "unit/sync/waiting.h"

struct misuse {
    void (*body)(void);
    const char *message; /* after "goco: fatal error: " */
    int status;          /* 0: abort, else the exit status */
};

static int misuse_main(void *arg)
{
    ((const struct misuse *)arg)->body();
    return 0;
}

static int run_misuse(void *misuse)
{
    return go_run(misuse_main, misuse);
}

static void dies(void **state)
{
    const struct misuse *misuse = *state;
    int status = child_status(run_misuse, *state);
    char line[200];
    (void)snprintf(line, sizeof line, "goco: fatal error: %s\n", misuse->message);
    bool ended = misuse->status != 0 ? WIFEXITED(status) && WEXITSTATUS(status) == misuse->status
                                     : WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
    if (!ended || strncmp(child_text, line, strlen(line)) != 0) {
        (void)fprintf(stderr, "status 0x%x; expected: %sfound: %s", (unsigned)status, line, child_text);
        fail();
    }
}

#define UNLOCKED       "unlock of a mutex that is not locked"
#define NOT_READ       "runlock of an rwmutex that is not locked for reading"
#define NOT_WRITTEN    "unlock of an rwmutex that is not locked for writing"
#define NEGATIVE_COUNT "negative waitgroup counter"
#define TOO_MANY       "semaphore released more than was taken"
#define ASLEEP         "all goroutines are asleep - deadlock!"

static go_mutex mutex;
static go_rwmutex rwmutex;
static go_waitgroup wg;
static go_sem sem;
static go_cond cond;
static go_once once;

static void mutex_unlocked(void)
{
    go_mutex_unlock(&mutex);
}

static void mutex_unlocked_twice(void)
{
    go_mutex_lock(&mutex);
    go_mutex_unlock(&mutex);
    go_mutex_unlock(&mutex);
}

static void mutex_locked_twice(void)
{
    go_mutex_lock(&mutex);
    go_mutex_lock(&mutex);
}

static void rwmutex_unlocked(void)
{
    go_rwmutex_unlock(&rwmutex);
}

static void rwmutex_unlocked_by_reader(void)
{
    go_rwmutex_rlock(&rwmutex);
    go_rwmutex_unlock(&rwmutex);
}

static void rwmutex_unlocked_twice(void)
{
    go_rwmutex_lock(&rwmutex);
    go_rwmutex_unlock(&rwmutex);
    go_rwmutex_unlock(&rwmutex);
}

static void rwmutex_not_read(void)
{
    go_rwmutex_runlock(&rwmutex);
}

static void rwmutex_read_unlocked_by_writer(void)
{
    go_rwmutex_lock(&rwmutex);
    go_rwmutex_runlock(&rwmutex);
}

static void rwmutex_read_unlocked_twice(void)
{
    go_rwmutex_rlock(&rwmutex);
    go_rwmutex_runlock(&rwmutex);
    go_rwmutex_runlock(&rwmutex);
}

static void locks_again(void *arg)
{
    (void)arg;
    go_rwmutex_lock(&rwmutex);
}

/* The writer between the two holds the second one off. */
static void rwmutex_read_twice_around_a_writer(void)
{
    go_rwmutex_rlock(&rwmutex);
    go(locks_again, NULL);
    while (go_rwmutex_tryrlock(&rwmutex)) {
        go_rwmutex_runlock(&rwmutex);
        go_yield();
    }
    go_rwmutex_rlock(&rwmutex);
}

static void group_done_too_often(void)
{
    go_waitgroup_add(&wg, 1);
    go_waitgroup_done(&wg);
    go_waitgroup_done(&wg);
}

static void group_added_too_little(void)
{
    go_waitgroup_add(&wg, 2);
    go_waitgroup_add(&wg, -3);
}

static void group_overflows(void)
{
    go_waitgroup_add(&wg, INT32_MAX);
    go_waitgroup_add(&wg, 1);
}

static void group_waits_for_nobody(void)
{
    go_waitgroup_add(&wg, 1);
    go_waitgroup_wait(&wg);
}

static void sem_released_too_much(void)
{
    go_sem_init(&sem, 2);
    CHECK_EQUAL(go_sem_acquire(&sem, 1), 0);
    go_sem_release(&sem, 2);
}

static void sem_zeroed_released(void)
{
    go_sem_release(&sem, 1);
}

static void sem_released_negative(void)
{
    go_sem_init(&sem, 2);
    go_sem_release(&sem, -1);
}

static void sem_of_negative_size(void)
{
    go_sem_init(&sem, -1);
}

static void cond_without_the_mutex(void)
{
    go_cond_wait(&cond, &mutex);
}

static void ask_again(void *arg)
{
    go_once_do(arg, ask_again, arg);
}

static void once_inside_itself(void)
{
    go_once_do(&once, ask_again, &once);
}

static void key_freed_twice(void)
{
    go_key *key = go_key_new(NULL);
    CHECK(key != NULL);
    go_key_free(key);
    go_key_free(key);
}

static void *wait_for_mutex(void *arg)
{
    (void)arg;
    go_mutex_lock(&mutex);
    return NULL;
}

/* A call that returns void has no way to say that the run is over. */
static void run_ends_while_a_thread_waits(void)
{
    pthread_t thread;
    go_mutex_lock(&mutex);
    CHECK_EQUAL(pthread_create(&thread, NULL, wait_for_mutex, NULL), 0);
    UNTIL(waiting_for_mutex(&mutex) == 1); /* it has dropped the queue's lock: it waits */
}

#define DIES(f, message, status)               \
    {                                          \
#f, dies, NULL, NULL, &(struct misuse) \
        {                                      \
            f, message, status                 \
        }                                      \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        DIES(mutex_unlocked, UNLOCKED, 0),
        DIES(mutex_unlocked_twice, UNLOCKED, 0),
        DIES(mutex_locked_twice, ASLEEP, 2),
        DIES(rwmutex_unlocked, NOT_WRITTEN, 0),
        DIES(rwmutex_unlocked_by_reader, NOT_WRITTEN, 0),
        DIES(rwmutex_unlocked_twice, NOT_WRITTEN, 0),
        DIES(rwmutex_not_read, NOT_READ, 0),
        DIES(rwmutex_read_unlocked_by_writer, NOT_READ, 0),
        DIES(rwmutex_read_unlocked_twice, NOT_READ, 0),
        DIES(rwmutex_read_twice_around_a_writer, ASLEEP, 2),
        DIES(group_done_too_often, NEGATIVE_COUNT, 0),
        DIES(group_added_too_little, NEGATIVE_COUNT, 0),
        DIES(group_overflows, "waitgroup counter out of range", 0),
        DIES(group_waits_for_nobody, ASLEEP, 2),
        DIES(sem_released_too_much, TOO_MANY, 0),
        DIES(sem_zeroed_released, TOO_MANY, 0),
        DIES(sem_released_negative, "go_sem_release of a negative number", 0),
        DIES(sem_of_negative_size, "go_sem_init with a negative number of permits", 0),
        DIES(cond_without_the_mutex, UNLOCKED, 0),
        DIES(once_inside_itself, ASLEEP, 2),
        DIES(key_freed_twice, "go_key_free: the key is free already", 0),
        DIES(run_ends_while_a_thread_waits, "the run ended while a foreign thread waits in mutex lock: join your threads first", 0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
