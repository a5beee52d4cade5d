/* Threads that are no goroutines: while one that has used goco lives, it may wake whoever waits. */
#include "regress/child.h"

#include <stdatomic.h>
#include <sys/socket.h>

static go_chan *wakes, *other;
static go_cond cond;
static go_sem sem;
static go_context *context;
static go_timer *timer;
static go_ticker *ticker;
static go_waitgroup wg;
static go_rwmutex rwmutex;
static go_mutex mutex;
static go_once once;
static int sockets[2];

static void nothing(void *arg)
{
    (void)arg;
}

static void try_send(void)
{
    int value = 1;
    (void)go_chan_try_send(other, &value);
}

static void try_receive(void)
{
    (void)go_chan_try_recv(other, NULL);
}

static void close_channel(void)
{
    (void)go_chan_close(other);
}

static void select_try(void)
{
    go_case cases[] = {{other, NULL, GO_DIRECTION_RECV, 0}};
    (void)go_select_try(cases, 1);
}

static void cond_signal(void)
{
    go_cond_signal(&cond);
}

static void cond_broadcast(void)
{
    go_cond_broadcast(&cond);
}

static void sem_acquire(void)
{
    CHECK_EQUAL(go_sem_acquire(&sem, 1), 0);
}

static void sem_release(void)
{
    go_sem_release(&sem, 1);
}

static void waitgroup_wait(void)
{
    go_waitgroup_wait(&wg);
}

static void waitgroup_add(void)
{
    go_waitgroup_add(&wg, 1);
}

static void mutex_lock(void)
{
    go_mutex_lock(&mutex);
}

static void mutex_trylock(void)
{
    CHECK(go_mutex_trylock(&mutex));
}

static void rwmutex_runlock(void)
{
    go_rwmutex_runlock(&rwmutex);
}

static void rwmutex_lock(void)
{
    CHECK(!go_rwmutex_trylock(&rwmutex));
}

static void once_do(void)
{
    go_once_do(&once, nothing, NULL);
}

static void context_cancel(void)
{
    go_context_cancel(context, 0);
}

static void context_make(void)
{
    go_context_unref(go_context_with_cancel(NULL));
}

static void context_drop(void)
{
    go_context_unref(context);
}

static void context_done(void)
{
    (void)go_context_done(context);
}

static void timer_make(void)
{
    (void)go_timer_stop(go_timer_new(1000 * GO_SECOND));
}

static void timer_func(void)
{
    (void)go_timer_stop(go_timer_func(1000 * GO_SECOND, nothing, NULL));
}

static void timer_stop(void)
{
    (void)go_timer_stop(timer);
}

static void timer_reset(void)
{
    (void)go_timer_reset(timer, 1000 * GO_SECOND);
    (void)go_timer_stop(timer);
}

static void ticker_reset(void)
{
    go_ticker_reset(ticker, 1000 * GO_SECOND);
    go_ticker_free(ticker);
}

static void close_descriptor(void)
{
    CHECK_EQUAL(go_close(sockets[0]), 0);
}

static void shut_descriptor(void)
{
    CHECK_EQUAL(go_shutdown(sockets[0], SHUT_RD), 0);
}

static void chan_make(void)
{
    go_chan_unref(go_chan_new(0, 0));
}

static void sem_make(void)
{
    go_sem fresh;
    go_sem_init(&fresh, 1);
}

static void sleep_until_now(void)
{
    CHECK_EQUAL(go_sleep(0), 0);
}

static void start_one(void)
{
    go(nothing, NULL);
}

static void (*const calls[])(void) = {
    try_send,        try_receive,      close_channel,   select_try,    cond_signal,     cond_broadcast, sem_acquire, sem_release,
    waitgroup_add,   waitgroup_wait,   mutex_lock,      mutex_trylock, rwmutex_runlock, rwmutex_lock,   once_do,     context_make,
    context_drop,    context_cancel,   context_done,    timer_make,    timer_func,      timer_stop,     timer_reset, ticker_reset,
    sleep_until_now, close_descriptor, shut_descriptor, start_one,     chan_make,       sem_make,
};

static void (*call)(void);
static atomic_int called;

static bool all_asleep(void)
{
    go_stats stats;
    go_get_stats(&stats);
    return stats.procs_idle == stats.procs && stats.runnable == 0;
}

/* Calls, and wakes main some time after everything has gone to sleep. */
static void *call_and_wake(void *arg)
{
    int value = 7;
    call();
    called = 1;
    UNTIL(all_asleep());
    (void)usleep(20000); /* a report that comes later is missed, and nothing else */
    CHECK_EQUAL(go_chan_send(wakes, &value), 0);
    return arg;
}

static int wait_for_the_thread(void *arg)
{
    pthread_t thread;
    int value;
    wakes = go_chan_new(sizeof(int), 0);
    other = go_chan_new(sizeof(int), 0);
    context = go_context_with_cancel(NULL);
    timer = go_timer_new(1000 * GO_SECOND);
    ticker = go_ticker_new(1000 * GO_SECOND);
    (void)go_timer_stop(timer);
    if (call != ticker_reset) {
        go_ticker_free(ticker);
    }
    go_sem_init(&sem, 2);
    CHECK_EQUAL(go_sem_acquire(&sem, 1), 0);
    go_rwmutex_rlock(&rwmutex);
    CHECK_EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    go_block_begin(); /* a thread in a declared blocking call may wake the others */
    CHECK_EQUAL(pthread_create(&thread, NULL, call_and_wake, NULL), 0);
    UNTIL(called);
    go_block_end();
    CHECK_EQUAL(go_chan_recv(wakes, &value), 0);
    CHECK_EQUAL(value, 7);
    go_block_begin();
    CHECK_EQUAL(pthread_join(thread, NULL), 0);
    go_block_end();
    return arg == NULL ? 0 : 1;
}

static int run(void *arg)
{
    return go_run(wait_for_the_thread, arg);
}

static void calls_that_never_wait_keep_deadlock_reports_away(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        call = calls[i];
        int status = child_status(run, NULL);
        if (status != 0) {
            (void)fprintf(stderr, "call %zu: status 0x%x; stderr:\n%s", i, (unsigned)status, child_text);
            fail();
        }
    }
}

static void *use_and_end(void *arg)
{
    try_receive();
    return arg;
}

static int wait_for_nobody(void *arg)
{
    pthread_t thread;
    other = go_chan_new(sizeof(int), 0);
    go_block_begin();
    CHECK_EQUAL(pthread_create(&thread, NULL, use_and_end, NULL), 0);
    CHECK_EQUAL(pthread_join(thread, NULL), 0);
    go_block_end();
    (void)go_chan_recv(other, NULL);
    return arg == NULL ? 0 : 1;
}

static void the_end_of_the_last_thread_is_a_deadlock(void **state)
{
    (void)state;
    child_runs(NULL, wait_for_nobody, 2);
    assert_non_null(strstr(child_text, "all goroutines are asleep - deadlock!"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_that_never_wait_keep_deadlock_reports_away),
        cmocka_unit_test(the_end_of_the_last_thread_is_a_deadlock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
