/* Goroutines begin and end: arguments, attributes, ids, names, exit. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <go.h>

#include "support/check.h"

static atomic_int hits;
static atomic_llong sum;

static void wait_for(int n)
{
    while (hits < n) {
        go_yield();
    }
}

static void hit(void *arg)
{
    (void)arg;
    hits++;
}

static int run(int (*fn)(void *arg))
{
    hits = 0;
    sum = 0;
    return go_run(fn, NULL);
}

static int spawn_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10000; i++) {
        go(hit, NULL);
    }
    wait_for(10000);
    return hits;
}

static void test_every_goroutine_runs_once(void **state)
{
    (void)state;
    assert_int_equal(run(spawn_many), 10000);
}

/* What a p keeps of free goroutines depends on how many ps there are; what is more goes back. */
static int bursts(void *arg)
{
    static const int sizes[] = {3000, 600, 10000, 1, 2500, 1300}, procs[] = {1, 8, 200, 2, 40, 1};
    (void)arg;
    for (int round = 0; round < 24; round++) {
        CHECK(go_set_procs(procs[round % 6]) > 0);
        int size = sizes[(round + round / 6) % 6];
        hits = 0;
        for (int i = 0; i < size; i++) {
            go(hit, NULL);
        }
        wait_for(size);
        while (go_count() > 1) {
            go_yield();
        }
    }
    go_stats stats;
    go_get_stats(&stats);
    CHECK(stats.stacks_small + stats.stacks_reserved > 0);
    CHECK(stats.stacks_small + stats.stacks_reserved < 3000);
    return 0;
}

static void test_bursts_of_all_sizes_on_changing_ps_lose_no_stack(void **state)
{
    (void)state;
    assert_int_equal(run(bursts), 0);
}

static void grow_tree(void *arg)
{
    intptr_t depth = (intptr_t)arg;
    hits++;
    if (depth > 0) {
        go(grow_tree, (void *)(depth - 1));
        go(grow_tree, (void *)(depth - 1));
    }
}

static int tree(void *arg)
{
    (void)arg;
    grow_tree((void *)14);
    wait_for((1 << 15) - 1);
    return hits;
}

static void test_goroutines_start_goroutines(void **state)
{
    (void)state;
    assert_int_equal(run(tree), (1 << 15) - 1);
}

struct job {
    int number;
    char text[56];
};

static void add_job(void *arg)
{
    struct job *job = arg;
    CHECK((uintptr_t)job % 16 == 0);
    CHECK(strcmp(job->text, "copied") == 0);
    sum += job->number;
    job->number = -1; /* the copy is ours */
    hits++;
}

static int copies(void *arg)
{
    (void)arg;
    struct job job = {0, "copied"};
    for (job.number = 0; job.number < 100; job.number++) {
        go_copy(add_job, &job, sizeof job);
    }
    wait_for(100);
    return (int)sum;
}

static void test_go_copy_gives_each_its_own(void **state)
{
    (void)state;
    assert_int_equal(run(copies), 4950);
}

static void sum_bytes(void *arg)
{
    const unsigned char *bytes = arg;
    long long total = 0;
    for (int i = 0; i < 100000; i++) {
        total += bytes[i];
    }
    sum += total;
    hits++;
}

static int large_copy(void *arg)
{
    (void)arg;
    unsigned char *bytes = malloc(100000);
    CHECK(bytes != NULL);
    memset(bytes, 3, 100000);
    go_copy(sum_bytes, bytes, 100000);
    free(bytes); /* read before return */
    wait_for(1);
    return (int)sum;
}

static void test_a_large_copy_fits(void **state)
{
    (void)state;
    assert_int_equal(run(large_copy), 300000);
}

static void use_stack(void *arg)
{
    volatile char area[900 * 1024];
    (void)arg;
    for (size_t i = 0; i < sizeof area; i += 4096) {
        area[i] = 1;
    }
    hits += area[4096];
}

static int big_stack(void *arg)
{
    (void)arg;
    uint64_t id = 0;
    const go_attr attr = {.name = "big", .stack_size = 1024 * 1024, .id = &id};
    CHECK(go_spawn(&attr, use_stack, NULL) == 0);
    CHECK(id > 1);
    wait_for(1);
    return hits;
}

static void test_a_stack_of_the_size_asked_for(void **state)
{
    (void)state;
    assert_int_equal(run(big_stack), 1);
}

static int impossible(void *arg)
{
    (void)arg;
    const go_attr stack = {.stack_size = SIZE_MAX / 2};
    go_attr argument = {.arg_size = SIZE_MAX};
    CHECK(go_spawn(&stack, hit, NULL) == -ENOMEM);
    CHECK(go_spawn(&argument, hit, &argument) == -ENOMEM);
    CHECK(go_spawn(NULL, NULL, NULL) == -EINVAL);
    CHECK(go_count() == 1);
    return 0;
}

static void test_a_spawn_that_cannot_be_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(run(impossible), 0);
}

static void exit_early(void *arg)
{
    (void)arg;
    hits++;
    go_exit();
}

static int exits(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        go(exit_early, NULL);
    }
    wait_for(100);
    while (go_count() != 1) {
        go_yield();
    }
    return hits;
}

static void test_go_exit_ends_the_caller_only(void **state)
{
    (void)state;
    assert_int_equal(run(exits), 100);
}

static atomic_uchar seen_id[200000];

static void note_id(void *arg)
{
    (void)arg;
    uint64_t id = go_id();
    CHECK(id > 1 && id < sizeof seen_id);
    CHECK(atomic_exchange(&seen_id[id], 1) == 0);
    hits++;
}

static int ids(void *arg)
{
    (void)arg;
    CHECK(go_id() == 1);
    memset((void *)seen_id, 0, sizeof seen_id);
    for (int i = 0; i < 5000; i++) {
        go(note_id, NULL);
    }
    wait_for(5000);
    CHECK(go_id() == 1);
    return 0;
}

static void test_ids_are_never_reused(void **state)
{
    (void)state;
    assert_int_equal(run(ids), 0);
}

static void name_self(void *arg)
{
    (void)arg;
    go_set_name("one");
    go_set_name("another");
    go_set_name(NULL);
    go_set_name("a third, which goes with the goroutine");
    hits++;
}

static int names(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        go(name_self, NULL);
    }
    wait_for(100);
    return 0;
}

static void test_names_come_and_go(void **state)
{
    (void)state;
    assert_int_equal(run(names), 0);
}

static void *from_thread(void *arg)
{
    (void)arg;
    for (int i = 0; i < 1000; i++) {
        go(hit, NULL);
    }
    CHECK(go_id() == 0);
    uint64_t id = 0;
    const go_attr attr = {.name = "from outside", .id = &id};
    CHECK(go_spawn(&attr, hit, NULL) == 0);
    CHECK(id > 1);
    return NULL;
}

static int from_threads(void *arg)
{
    (void)arg;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        CHECK(pthread_create(&threads[i], NULL, from_thread, NULL) == 0);
    }
    wait_for(4 * 1001);
    for (int i = 0; i < 4; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    return hits;
}

static void test_foreign_threads_start_goroutines(void **state)
{
    (void)state;
    assert_int_equal(run(from_threads), 4004);
}

static int counts(void *arg)
{
    (void)arg;
    CHECK(go_count() == 1);
    for (int i = 0; i < 10; i++) {
        go(hit, NULL);
    }
    CHECK(go_count() <= 11);
    wait_for(10);
    while (go_count() > 1) {
        go_yield();
    }
    return 0;
}

static void test_count_is_of_the_living(void **state)
{
    (void)state;
    assert_int_equal(run(counts), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_goroutine_runs_once),
        cmocka_unit_test(test_bursts_of_all_sizes_on_changing_ps_lose_no_stack),
        cmocka_unit_test(test_goroutines_start_goroutines),
        cmocka_unit_test(test_go_copy_gives_each_its_own),
        cmocka_unit_test(test_a_large_copy_fits),
        cmocka_unit_test(test_a_stack_of_the_size_asked_for),
        cmocka_unit_test(test_a_spawn_that_cannot_be_is_an_error),
        cmocka_unit_test(test_go_exit_ends_the_caller_only),
        cmocka_unit_test(test_ids_are_never_reused),
        cmocka_unit_test(test_names_come_and_go),
        cmocka_unit_test(test_foreign_threads_start_goroutines),
        cmocka_unit_test(test_count_is_of_the_living),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
