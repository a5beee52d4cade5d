/* A thousand dumps of a program that does everything at once: each stops the world and starts it again, and nothing is lost by it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "go.h"
#include "support/check.h"
#include "support/stress.h"

#define DUMPS 1000

static _Atomic int over;
static _Atomic long exchanged;
static go_waitgroup workers;

/* Dumps into memory and looks at each headline: ids do not repeat, main is there. */
static void dump_and_check(int fd, char *text, size_t size)
{
    CHECK(ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0);
    go_dump(fd);
    ssize_t n = pread(fd, text, size - 1, 0);
    CHECK(n > 0);
    text[n] = '\0';
    int mains = 0;
    for (const char *at = text; (at = strstr(at, "goroutine ")) != NULL; at++) {
        mains += (at == text || at[-1] == '\n') && strncmp(at, "goroutine 1 ", 12) == 0;
    }
    CHECK(mains == 1);
}

struct pair {
    go_chan *there, *back;
};

static void answer(void *arg)
{
    const struct pair *pair = (const struct pair *)arg;
    int value;
    while (go_chan_recv(pair->there, &value) == 0) {
        value++;
        CHECK(go_chan_send(pair->back, &value) == 0);
    }
    go_chan_unref(pair->there);
    go_chan_unref(pair->back);
    go_waitgroup_done(&workers);
}

static void ask(void *arg)
{
    (void)arg;
    struct pair pair = {go_chan_new(sizeof(int), 0), go_chan_new(sizeof(int), 0)};
    go_waitgroup_add(&workers, 1);
    (void)go_chan_ref(pair.there);
    (void)go_chan_ref(pair.back);
    go_copy(answer, &pair, sizeof pair);
    for (int i = 0; !over; i++) {
        int value = i;
        CHECK(go_chan_send(pair.there, &value) == 0);
        CHECK(go_chan_recv(pair.back, &value) == 0 && value == i + 1);
        exchanged++;
    }
    CHECK(go_chan_close(pair.there) == 0);
    go_chan_unref(pair.there);
    go_chan_unref(pair.back);
    go_waitgroup_done(&workers);
}

/* Deep, on segments, with a name that comes and goes. */
static int deep(int n)
{
    char text[400];
    int length = snprintf(text, sizeof text, "depth %d", n);
    if (n > 0) {
        return deep(n - 1) + (length > 0);
    }
    (void)go_sleep(50 * GO_MICROSECOND);
    return 0;
}

static void digger(void *arg)
{
    (void)arg;
    while (!over) {
        go_set_name("digger");
        CHECK(deep(20) == 20);
        go_set_name(NULL);
        go_yield();
    }
    go_waitgroup_done(&workers);
}

static void nothing(void *arg)
{
    (void)arg;
}

static void spawner(void *arg)
{
    (void)arg;
    while (!over) {
        for (int i = 0; i < 10; i++) {
            go(nothing, NULL);
        }
        (void)go_sleep(100 * GO_MICROSECOND);
    }
    go_waitgroup_done(&workers);
}

static void hog(void *arg)
{
    (void)arg;
    while (!over) {
        for (volatile int i = 0; i < 30000000 && !over; i = i + 1) {}
        go_yield();
    }
    go_waitgroup_done(&workers);
}

static void blocker(void *arg)
{
    (void)arg;
    while (!over) {
        const struct timespec pause = {0, 300000};
        go_block_begin();
        (void)nanosleep(&pause, NULL);
        go_block_end();
        (void)nanosleep(&pause, NULL); /* undeclared */
    }
    go_waitgroup_done(&workers);
}

static go_func const kinds[] = {ask, ask, digger, digger, spawner, hog, blocker};

static void start_load(void)
{
    over = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        go_waitgroup_add(&workers, 1);
        go(kinds[i], NULL);
    }
}

static void end_load(void)
{
    over = 1;
    go_waitgroup_wait(&workers);
}

static void dump_often(int dumps)
{
    static char text[2][1 << 20];
    static _Atomic unsigned taken;
    unsigned mine = taken++ % 2;
    int fd = memfd_create("dump", MFD_CLOEXEC);
    CHECK(fd >= 0);
    for (int i = 0; i < dumps; i++) {
        dump_and_check(fd, text[mine], sizeof text[mine]);
        if (go_id() != 0) {
            go_yield();
        }
    }
    CHECK(close(fd) == 0);
}

static int rounds(void)
{
    return DUMPS / (STRESS_SANITIZED ? 20 : 1);
}

static int dumped_by_a_goroutine(void *arg)
{
    (void)arg;
    start_load();
    dump_often(rounds());
    long before = exchanged;
    while (exchanged < before + 10) { /* the world goes on */
        go_yield();
    }
    end_load();
    return 0;
}

static void test_a_goroutine_dumps_a_loaded_program(void **state)
{
    (void)state;
    assert_int_equal(go_run(dumped_by_a_goroutine, NULL), 0);
}

static void *dump_outside(void *arg)
{
    (void)arg;
    dump_often(rounds() / 2);
    return NULL;
}

static void wait_for_thread(void *arg)
{
    go_block_begin();
    CHECK(pthread_join(*(pthread_t *)arg, NULL) == 0);
    go_block_end();
}

static int dumped_by_both(void *arg)
{
    (void)arg;
    pthread_t thread;
    start_load();
    CHECK(pthread_create(&thread, NULL, dump_outside, NULL) == 0);
    dump_often(rounds() / 2);
    wait_for_thread(&thread);
    end_load();
    return 0;
}

static void test_a_thread_and_a_goroutine_dump_a_loaded_program(void **state)
{
    (void)state;
    assert_int_equal(go_run(dumped_by_both, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_goroutine_dumps_a_loaded_program),
        cmocka_unit_test(test_a_thread_and_a_goroutine_dump_a_loaded_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
