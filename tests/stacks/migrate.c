/* Goroutines that park on segments and go on, on whichever of several threads comes first: a segment is entered on one thread
 * and given back on another, while a fifth thread poisons everybody's limit words at random moments. */
#include <pthread.h>
#include <string.h>

#include "stacks/harness.h"

#define GOROUTINES 200
#define THREADS    4
#define TURNS      300

#ifdef __clang__
#define NOINLINE __attribute__((noinline))
#else
#define NOINLINE __attribute__((noinline, noclone, noipa))
#endif

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct go__g *queue[GOROUTINES];
static int head, count, live; /* under lock */
static uintptr_t *words[THREADS];
static pthread_barrier_t all_there, poisoner_gone;
static volatile int stop;

static NOINLINE int park_deep(int depth)
{
    volatile char frame[400];
    memset((char *)(uintptr_t)frame, depth, sizeof frame); /* libc: this call is on a segment */
    harness_park();
    int r = depth == 0 ? 0 : park_deep(depth - 1);
    for (size_t i = 0; i < sizeof frame; i++) {
        CHECK(frame[i] == (char)depth);
    }
    return r + 1;
}

static NOINLINE int park_small(int n)
{
    harness_park();
    return n + 1;
}

static void work(void *arg)
{
    int number = (int)(intptr_t)arg;
    for (int i = 0; i < TURNS; i++) {
        int depth = (number * 7 + i) % 5;
        CHECK(park_deep(depth) == depth + 1);
        CHECK(park_small(i) == i + 1);
        if (i % 50 == number % 50) {
            harness_poison();
        }
        if (i % 100 == 99) {
            CHECK(park_deep(600) == 601); /* beyond the first segment */
        }
    }
}

static void *poisoner(void *arg)
{
    unsigned n = 1;
    (void)arg;
    while (!stop) {
        n = n * 1664525u + 1013904223u;
        harness_poison_word(words[(n >> 16) % THREADS]);
        for (volatile unsigned i = 0; i < (n >> 20) % 2000; i = i + 1) {}
    }
    return NULL;
}

static void *thread(void *arg)
{
    harness_thread_start();
    words[(intptr_t)arg] = harness_limit_word();
    pthread_barrier_wait(&all_there);
    for (;;) {
        pthread_mutex_lock(&lock);
        if (live == 0) {
            pthread_mutex_unlock(&lock);
            break;
        }
        struct go__g *gp = NULL;
        if (count > 0) {
            gp = queue[head];
            head = (head + 1) % GOROUTINES;
            count--;
        }
        pthread_mutex_unlock(&lock);
        if (gp == NULL) {
            sched_yield();
            continue;
        }
        bool again = harness_resume(gp);
        pthread_mutex_lock(&lock);
        if (again) {
            queue[(head + count++) % GOROUTINES] = gp;
        } else {
            live--;
        }
        pthread_mutex_unlock(&lock);
    }
    pthread_barrier_wait(&poisoner_gone);
    harness_thread_stop();
    return NULL;
}

int main(void)
{
    harness_start(0, 0);
    for (int i = 0; i < GOROUTINES; i++) {
        queue[i] = harness_new(i % 4 == 3 ? HARNESS_RESERVED : HARNESS_SMALL, work, (void *)(intptr_t)i);
    }
    count = live = GOROUTINES;
    pthread_t threads[THREADS];
    pthread_t fifth;
    pthread_barrier_init(&all_there, NULL, THREADS + 1);
    pthread_barrier_init(&poisoner_gone, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, thread, (void *)(intptr_t)i);
    }
    pthread_barrier_wait(&all_there);
    pthread_create(&fifth, NULL, poisoner, NULL);
    for (bool over = false; !over; sched_yield()) {
        pthread_mutex_lock(&lock);
        over = live == 0;
        pthread_mutex_unlock(&lock);
    }
    stop = 1;
    pthread_join(fifth, NULL);
    pthread_barrier_wait(&poisoner_gone);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    harness_stop();
    printf("all passed, %d preemptions\n", harness_preempts());
    return 0;
}
