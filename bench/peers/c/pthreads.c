/* The same questions asked of plain POSIX threads, where they make sense: what the operating system itself offers.
 * One P is one CPU: the process is bound to as many CPUs as there would be Ps.
 * Usage: pthreads QUESTION [PARAMS] */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

#include "../../bench.h"
#include "../../mandelbrot_row.h"

enum { MOST_THREADS = 10000, STACK_BYTES = 16384 };

static pthread_t threads[MOST_THREADS];
static pthread_attr_t small;

static pthread_t start(void *(*fn)(void *), void *arg)
{
    pthread_t t;
    BENCH_CHECK(pthread_create(&t, &small, fn, arg) == 0);
    return t;
}

static uint64_t each;

static void *yielder(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < each; i++) {
        sched_yield();
    }
    return NULL;
}

static void yield(uint64_t n)
{
    each = n / 16;
    for (int i = 0; i < 16; i++) {
        threads[i] = start(yielder, NULL);
    }
    for (int i = 0; i < 16; i++) {
        pthread_join(threads[i], NULL);
    }
}

static int64_t ran;

static void *work(void *arg)
{
    (void)arg;
    __atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED);
    return NULL;
}

static void spawn(uint64_t n, int batch)
{
    uint64_t rounds = n / (uint64_t)batch + 1;

    ran = 0;
    for (uint64_t i = 0; i < rounds; i++) {
        for (int j = 0; j < batch; j++) {
            threads[j] = start(work, NULL);
        }
        for (int j = 0; j < batch; j++) {
            pthread_join(threads[j], NULL);
        }
    }
    BENCH_CHECK(ran == (int64_t)rounds * batch);
}

static void one_by_one(uint64_t n)
{
    spawn(n, 1);
}

static void thousands(uint64_t n)
{
    spawn(n, 1000);
}

/* A channel of capacity 1 or more: what a C programmer writes with a mutex and two conditions. */
struct channel {
    pthread_mutex_t mutex;
    pthread_cond_t not_empty, not_full;
    int64_t ring[128];
    size_t capacity, count, head;
    bool closed;
};

static void channel_init(struct channel *c, size_t capacity)
{
    memset(c, 0, sizeof *c);
    pthread_mutex_init(&c->mutex, NULL);
    pthread_cond_init(&c->not_empty, NULL);
    pthread_cond_init(&c->not_full, NULL);
    c->capacity = capacity;
}

static void channel_send(struct channel *c, int64_t v)
{
    pthread_mutex_lock(&c->mutex);
    while (c->count == c->capacity) {
        pthread_cond_wait(&c->not_full, &c->mutex);
    }
    c->ring[(c->head + c->count++) % c->capacity] = v;
    pthread_mutex_unlock(&c->mutex);
    pthread_cond_signal(&c->not_empty);
}

static bool channel_recv(struct channel *c, int64_t *v)
{
    pthread_mutex_lock(&c->mutex);
    while (c->count == 0 && !c->closed) {
        pthread_cond_wait(&c->not_empty, &c->mutex);
    }
    bool got = c->count > 0;
    if (got) {
        *v = c->ring[c->head];
        c->head = (c->head + 1) % c->capacity;
        c->count--;
    }
    pthread_mutex_unlock(&c->mutex);
    pthread_cond_signal(&c->not_full);
    return got;
}

static void channel_close(struct channel *c)
{
    pthread_mutex_lock(&c->mutex);
    c->closed = true;
    pthread_mutex_unlock(&c->mutex);
    pthread_cond_broadcast(&c->not_empty);
}

static struct channel ping, pong;

static void *answer(void *arg)
{
    int64_t v;

    (void)arg;
    while (channel_recv(&ping, &v)) {
        channel_send(&pong, v + 1);
    }
    return NULL;
}

static void pingpong(uint64_t n)
{
    int64_t v = 0;

    channel_init(&ping, 1);
    channel_init(&pong, 1);
    pthread_t t = start(answer, NULL);
    for (uint64_t i = 0; i < n; i++) {
        channel_send(&ping, v);
        BENCH_CHECK(channel_recv(&pong, &v));
    }
    BENCH_CHECK(v == (int64_t)n);
    channel_close(&ping);
    pthread_join(t, NULL);
}

static struct channel shared;
static int64_t messages_each, sum;

static void *sender(void *arg)
{
    (void)arg;
    for (int64_t i = 1; i <= messages_each; i++) {
        channel_send(&shared, i);
    }
    return NULL;
}

static void *receiver(void *arg)
{
    int64_t v, s = 0;

    (void)arg;
    while (channel_recv(&shared, &v)) {
        s += v;
    }
    __atomic_fetch_add(&sum, s, __ATOMIC_RELAXED);
    return NULL;
}

static void transfer(uint64_t n, int pairs)
{
    channel_init(&shared, 128);
    messages_each = (int64_t)n / pairs + 1;
    sum = 0;
    for (int i = 0; i < pairs; i++) {
        threads[i] = start(sender, NULL);
        threads[pairs + i] = start(receiver, NULL);
    }
    for (int i = 0; i < pairs; i++) {
        pthread_join(threads[i], NULL);
    }
    channel_close(&shared);
    for (int i = 0; i < pairs; i++) {
        pthread_join(threads[pairs + i], NULL);
    }
    BENCH_CHECK(sum == pairs * messages_each * (messages_each + 1) / 2);
}

static void one_to_one(uint64_t n)
{
    transfer(n, 1);
}

static void four_to_four(uint64_t n)
{
    transfer(n, 4);
}

enum { MEMBERS = 503 };

static sem_t turns[MEMBERS];
static int64_t token, ended_at;

static void *member(void *arg)
{
    int64_t at = (int64_t)(intptr_t)arg;

    for (;;) {
        sem_wait(&turns[at]);
        if (token == 0) {
            ended_at = at + 1;
        }
        bool over = token-- <= 0;
        sem_post(&turns[(at + 1) % MEMBERS]);
        if (over) {
            return NULL;
        }
    }
}

static void ring(uint64_t n)
{
    token = (int64_t)n;
    for (int i = 0; i < MEMBERS; i++) {
        sem_init(&turns[i], 0, 0);
    }
    for (int i = 0; i < MEMBERS; i++) {
        threads[i] = start(member, (void *)(intptr_t)i);
    }
    sem_post(&turns[0]);
    for (int i = 0; i < MEMBERS; i++) {
        pthread_join(threads[i], NULL);
    }
    BENCH_CHECK(ended_at == (int64_t)(n % MEMBERS) + 1);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static uint64_t counter;

static void *locker(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < each; i++) {
        pthread_mutex_lock(&mutex);
        counter++;
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static void lockers(uint64_t n, int contenders)
{
    counter = 0;
    each = n / (uint64_t)contenders;
    for (int i = 0; i < contenders; i++) {
        threads[i] = start(locker, NULL);
    }
    for (int i = 0; i < contenders; i++) {
        pthread_join(threads[i], NULL);
    }
    BENCH_CHECK(counter == each * (uint64_t)contenders);
}

static void alone(uint64_t n)
{
    lockers(n, 1);
}

static void eight(uint64_t n)
{
    lockers(n, 8);
}

static int next_row;
static int64_t expected;

static void *rows(void *arg)
{
    int y;

    (void)arg;
    while ((y = __atomic_fetch_add(&next_row, 1, __ATOMIC_RELAXED)) < MANDELBROT_WIDTH) {
        __atomic_fetch_add(&sum, mandelbrot_row(y), __ATOMIC_RELAXED);
    }
    return NULL;
}

/* A thread a CPU that takes rows: nobody would start a thread for each. */
static void picture(void)
{
    sum = next_row = 0;
    for (int i = 0; i < bench_procs(); i++) {
        threads[i] = start(rows, NULL);
    }
    for (int i = 0; i < bench_procs(); i++) {
        pthread_join(threads[i], NULL);
    }
    BENCH_CHECK(sum == expected);
}

static sem_t gate;
static uint64_t arrived;

static void *parked_thread(void *arg)
{
    (void)arg;
    __atomic_fetch_add(&arrived, 1, __ATOMIC_RELAXED);
    sem_wait(&gate);
    return NULL;
}

static void parked(void)
{
    uint64_t n = MOST_THREADS;
    double rss = bench_rss();
    int64_t begin = bench_now();

    sem_init(&gate, 0, 0);
    for (uint64_t i = 0; i < n; i++) {
        threads[i] = start(parked_thread, NULL);
    }
    while (__atomic_load_n(&arrived, __ATOMIC_RELAXED) < n) {
        sched_yield();
    }
    double create = (double)(bench_now() - begin) / (double)n;
    rss = bench_rss() - rss;
    begin = bench_now();
    for (uint64_t i = 0; i < n; i++) {
        sem_post(&gate);
    }
    for (uint64_t i = 0; i < n; i++) {
        pthread_join(threads[i], NULL);
    }
    bench_report("parked", "goroutines=10000", "create", create, "ns/goroutine");
    bench_report("parked", "goroutines=10000", "release", (double)(bench_now() - begin) / (double)n, "ns/goroutine");
    bench_report("parked", "goroutines=10000", "memory", rss / (double)n, "B/goroutine");
}

int main(int argc, char **argv)
{
    const char *question = argc > 1 ? argv[1] : "";
    cpu_set_t cpus;

    bench_init(argc - 1, argv + 1);
    CPU_ZERO(&cpus);
    for (int i = 0; i < bench_procs(); i++) {
        CPU_SET((size_t)i, &cpus);
    }
    sched_setaffinity(0, sizeof cpus, &cpus);
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, STACK_BYTES);
    if (strcmp(question, "yield") == 0) {
        bench_measure("yield", "goroutines=16", bench_count(400000), yield);
    } else if (strcmp(question, "spawn") == 0) {
        bench_measure("spawn", "batch=1", bench_count(20000), one_by_one);
        bench_measure("spawn", "batch=1000", bench_count(20000), thousands);
    } else if (strcmp(question, "pingpong") == 0) {
        bench_measure("pingpong", "", bench_count(50000), pingpong);
    } else if (strcmp(question, "buffered") == 0) {
        bench_measure("buffered", "1x1,capacity=128", bench_count(1000000), one_to_one);
        bench_measure("buffered", "4x4,capacity=128", bench_count(1000000), four_to_four);
    } else if (strcmp(question, "ring") == 0) {
        bench_measure("ring", "members=503", bench_count(100000), ring);
    } else if (strcmp(question, "mutex") == 0) {
        bench_measure("mutex", "contenders=1", bench_count(20000000), alone);
        bench_measure("mutex", "contenders=8", bench_count(8000000), eight);
    } else if (strcmp(question, "mandelbrot") == 0) {
        for (int y = 0; y < MANDELBROT_WIDTH; y++) {
            expected += mandelbrot_row(y);
        }
        bench_measure_whole("mandelbrot", "width=1024", picture);
    } else if (strcmp(question, "parked") == 0) {
        parked();
    } else {
        fprintf(stderr, "pthreads: unknown question %s\n", question);
        return 2;
    }
    return 0;
}
