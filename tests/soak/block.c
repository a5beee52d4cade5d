/* Goroutines that keep their thread: computing without a call, blocking calls declared and not, look-ups, children, a thread of their
 * own, signals. What must hold: everybody else goes on, which the watcher sees, and each gets its result. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "soak.h"

static void rest(uint64_t *random, uint32_t most_millis)
{
    (void)go_chan_recv_until(soak_stopped, NULL, go_now() + (int64_t)soak_below(random, most_millis) * GO_MILLISECOND);
}

/* --- hogs --- */

/* No call at all. The rounds of a millisecond are measured once: asking for the time would be a call. */
static uint64_t compute(uint64_t rounds, uint64_t x)
{
    for (uint64_t i = 0; i < rounds; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        __asm__ volatile("" : "+r"(x));
    }
    return x;
}

/* Calls without end of functions that are compiled as this one is: with the stack check if there is one. */
static __attribute__((noinline)) uint64_t fold(uint64_t x, int depth)
{
    uint64_t copy[2] = {x, x >> 1};
    __asm__ volatile("" : : "r"(copy) : "memory");
    return depth == 0 ? copy[0] ^ copy[1] : fold(copy[0] + copy[1], depth - 1) + 1;
}

static uint64_t rounds_of_a_milli;
static atomic_ullong hog_result; /* so that nothing is optimised away */

static void measure_rounds(void)
{
    enum { ROUNDS = 4000000 };
    int64_t begun = go_now();
    hog_result = compute(ROUNDS, 1);
    rounds_of_a_milli = (uint64_t)ROUNDS * (uint64_t)GO_MILLISECOND / (uint64_t)(go_now() - begun + 1) + 1;
}

static void hog(void *arg)
{
    uint64_t random = soak_new_random(), result = 1;
    (void)arg;
    while (soak_goes_on()) {
        uint32_t millis = 20 + soak_below(&random, 60);
        if (soak_below(&random, 2) == 0) {
            result += compute(millis * rounds_of_a_milli, result);
        } else {
            for (int64_t end = go_now() + (int64_t)millis * GO_MILLISECOND; go_now() < end;) {
                for (int i = 0; i < 10000; i++) {
                    result += fold(result, 12);
                }
            }
        }
        hog_result = result;
        soak_count(&soak_hogs, 1);
        rest(&random, 150);
    }
}

static void start_hogs(void)
{
    if (rounds_of_a_milli == 0) {
        measure_rounds();
    }
    soak_go(hog, NULL);
    soak_go(hog, NULL);
}

struct soak_family soak_hogs = {.name = "hogs", .start = start_hogs};

/* --- blocking calls --- */

static void block(uint64_t *random)
{
    long millis = 1 + (long)soak_below(random, 40);
    if (soak_below(random, 2) == 0) {
        MUST_EQUAL(nanosleep(&(struct timespec){0, millis * 1000000}, NULL), 0);
    } else {
        MUST_EQUAL(poll(NULL, 0, (int)millis), 0);
    }
}

static void declared(uint64_t *random)
{
    go_block_begin();
    go_block_begin(); /* they nest */
    block(random);
    go_block_end();
    go_block_end();
}

static void look_up(uint64_t *random)
{
    struct addrinfo *found = NULL;
    go_context *ctx = soak_below(random, 4) == 0 ? go_context_with_timeout(NULL, soak_micros(random, 500)) : NULL;
    (void)go_context_bind(ctx);
    int code = go_getaddrinfo("localhost", "80", NULL, &found);
    (void)go_context_bind(NULL);
    MUST(code == 0 || (code == -ECANCELED && ctx != NULL));
    go_context_unref(ctx);
    if (code == 0) {
        MUST(found != NULL && found->ai_addr != NULL);
        freeaddrinfo(found);
    }
}

static void blocker(void *arg)
{
    uint64_t random = soak_new_random();
    (void)arg;
    while (soak_goes_on()) {
        switch (soak_below(&random, 4)) {
        case 0: declared(&random); break;
        case 1: look_up(&random); break;
        default: block(&random);
        }
        soak_count(&soak_blocking, 1);
        rest(&random, 20);
    }
}

static void start_blocking(void)
{
    for (int i = 0; i < 5; i++) {
        soak_go(blocker, NULL);
    }
}

struct soak_family soak_blocking = {.name = "blocking calls", .start = start_blocking};

/* --- children --- */

static pid_t start_child(const char *program)
{
    char *const argv[] = {(char *)(uintptr_t)program, NULL};
    char *const env[] = {NULL};
    pid_t child;
    MUST_EQUAL(posix_spawn(&child, program, NULL, NULL, argv, env), 0);
    return child;
}

static void parent(void *arg)
{
    uint64_t random = soak_new_random();
    (void)arg;
    while (soak_goes_on()) {
        bool good = soak_below(&random, 2) == 0;
        int status = -1;
        pid_t child = start_child(good ? "/bin/true" : "/bin/false");
        MUST_EQUAL(go_waitpid(child, &status, 0), child);
        MUST(WIFEXITED(status) && WEXITSTATUS(status) == !good);
        soak_count(&soak_children, 1);
        rest(&random, 60);
    }
}

static void start_children(void)
{
    soak_go(parent, NULL);
    soak_go(parent, NULL);
}

struct soak_family soak_children = {.name = "children", .start = start_children};

/* --- a thread of one's own --- */

static long thread_id(void)
{
    return syscall(SYS_gettid);
}

static void with_own_thread(void *arg)
{
    uint64_t random = soak_new_random();
    go_chan *c = arg;
    go_lock_thread();
    go_lock_thread();
    long id = thread_id();
    for (int i = 0; i < 5; i++) {
        uint64_t value = 0;
        switch (soak_below(&random, 4)) {
        case 0: go_yield(); break;
        case 1: (void)go_sleep(soak_micros(&random, 300)); break;
        case 2: (void)go_chan_send_until(c, &random, go_now() + soak_micros(&random, 300)); break;
        default: (void)go_chan_recv_until(c, &value, go_now() + soak_micros(&random, 300));
        }
        MUST_EQUAL(thread_id(), id);
    }
    go_unlock_thread();
    go_yield();
    MUST_EQUAL(thread_id(), id);
    if (soak_below(&random, 2) == 0) { /* else its end unlocks */
        go_unlock_thread();
    }
}

static void lock_threads(void *arg)
{
    uint64_t random = soak_new_random();
    (void)arg;
    while (soak_goes_on()) {
        go_waitgroup wg = GO_WAITGROUP_INIT;
        go_chan *c = go_chan_new(sizeof(uint64_t), 0);
        uint32_t count = 1 + soak_below(&random, 4);
        MUST(c != NULL);
        for (uint32_t i = 0; i < count; i++) {
            go_waitgroup_go(&wg, with_own_thread, c);
        }
        go_waitgroup_wait(&wg);
        go_chan_unref(c);
        soak_count(&soak_threads, count);
        rest(&random, 10);
    }
}

static void start_threads(void)
{
    soak_go(lock_threads, NULL);
}

struct soak_family soak_threads = {.name = "locked threads", .start = start_threads};

/* --- signals --- */

/* One at a time, so that none is merged with another or dropped. */
static void receive_signals(void *arg)
{
    uint64_t random = soak_new_random();
    (void)arg;
    while (soak_goes_on()) {
        int got, signo = soak_below(&random, 2) == 0 ? SIGUSR1 : SIGUSR2;
        go_chan *c = go_chan_new(sizeof(int), 1);
        MUST(c != NULL);
        MUST_EQUAL(go_signal_notify(c, signo), 0);
        for (uint32_t i = 1 + soak_below(&random, 5); i > 0; i--) {
            MUST_EQUAL(kill(getpid(), signo), 0);
            MUST_EQUAL(go_chan_recv_until(c, &got, go_now() + 20 * GO_SECOND), 0);
            MUST_EQUAL(got, signo);
            soak_count(&soak_signals, 1);
        }
        MUST_EQUAL(go_signal_stop(c, signo), 0);
        go_chan_unref(c);
        rest(&random, 20);
    }
}

static void start_signals(void)
{
    soak_go(receive_signals, NULL);
}

struct soak_family soak_signals = {.name = "signals", .start = start_signals};
