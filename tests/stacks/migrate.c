/* Goroutines that park on segments and go on, on whichever of several threads comes first: a segment is entered on one thread
 * and given back on another. */
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

static void *thread(void *arg)
{
    (void)arg;
    harness_thread_start();
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
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, thread, NULL);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    harness_stop();
    puts("all passed");
    return 0;
}
