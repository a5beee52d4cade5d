/* The trace is a file that its readers accept, and says what happened; jq is the judge. Statistics count. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "go.h"
#include "support/check.h"

static char path[64];

static int make_path(void **state)
{
    (void)state;
    (void)snprintf(path, sizeof path, "/tmp/goco-trace-%d.json", (int)getpid());
    return 0;
}

static int remove_path(void **state)
{
    (void)state;
    (void)unlink(path);
    return 0;
}

/* jq's exit status says whether the filter yields true for the file. */
static void assert_trace(const char *filter)
{
    char command[2048];
    (void)snprintf(command, sizeof command, "jq -e '%s' %s >/dev/null", filter, path);
    if (system(command) != 0) { /* NOLINT(cert-env33-c) */
        (void)fprintf(stderr, "not true of %s: %s\n", path, filter);
        fail();
    }
}

static void assert_trace_is_sound(void)
{
    assert_trace(".traceEvents | type == \"array\" and length > 0");
    assert_trace("[.traceEvents[] | .ph] | unique - [\"M\",\"X\",\"s\",\"f\",\"i\"] == []");
    assert_trace("[.traceEvents[] | select(.ph == \"X\") | .ts >= 0 and .dur >= 0 and (.name | length > 0)] | all");
    /* A P runs one goroutine at a time. */
    assert_trace("[.traceEvents[] | select(.ph == \"X\")] | group_by(.tid) | "
                 "all(.[]; sort_by(.ts) | [., .[1:]] | transpose | map(select(.[1] != null)) | "
                 "all(.[]; .[0].ts + .[0].dur <= .[1].ts + 0.002))");
    /* Arrows have both ends, tied to slices, the head not before the tail. */
    assert_trace("[.traceEvents[] | select(.ph == \"f\")] | all(.[]; .bp == \"e\")");
    assert_trace("[.traceEvents[] | select(.ph == \"s\" or .ph == \"f\")] | group_by(.id) | "
                 "all(.[]; sort_by(.ts) | map(.ph) | (map(select(. == \"s\")) | length) - (map(select(. == \"f\")) | length) | "
                 ". == 0 or . == 1)");
    assert_trace("([.traceEvents[] | select(.ph == \"X\") | .tid] | unique) - "
                 "[.traceEvents[] | select(.ph == \"M\" and .name == \"thread_name\") | .tid] == []");
}

struct pair {
    go_chan *there, *back;
    int rounds;
    go_waitgroup over; /* the ponger is through with all of it */
};

static void ponger(void *arg)
{
    struct pair *pair = (struct pair *)arg;
    for (int i = 0; i < pair->rounds; i++) {
        int value;
        CHECK(go_chan_recv(pair->there, &value) == 0);
        CHECK(go_chan_send(pair->back, &value) == 0);
    }
    go_waitgroup_done(&pair->over);
}

static void ping_pong(int rounds)
{
    struct pair pair = {go_chan_new(sizeof(int), 0), go_chan_new(sizeof(int), 0), rounds, GO_WAITGROUP_INIT};
    const go_attr attr = {.name = "pong \"é\"\n"};
    go_waitgroup_add(&pair.over, 1);
    CHECK(go_spawn(&attr, ponger, &pair) == 0);
    for (int i = 0; i < rounds; i++) {
        int value = i;
        CHECK(go_chan_send(pair.there, &value) == 0);
        CHECK(go_chan_recv(pair.back, &value) == 0);
        CHECK(value == i);
    }
    go_waitgroup_wait(&pair.over);
    go_chan_unref(pair.there);
    go_chan_unref(pair.back);
}

static int traced_ping_pong(void *arg)
{
    (void)arg;
    go_set_name("main");
    CHECK(go_trace_start(path) == 0);
    CHECK(go_trace_start(path) == -EBUSY);
    ping_pong(100);
    while (go_count() > 1) {} /* done, the other one may still be on its way out, on a thread without a CPU */
    (void)go_sleep(GO_MILLISECOND);
    CHECK(go_trace_stop() == 0);
    CHECK(go_trace_stop() == -EINVAL);
    return 0;
}

static void test_trace_is_json_with_slices_and_arrows(void **state)
{
    (void)state;
    assert_int_equal(go_run(traced_ping_pong, NULL), 0);
    assert_trace_is_sound();
    assert_trace(".otherData.dropped_events == 0");
    assert_trace("[.traceEvents[] | select(.ph == \"X\" and (.name | startswith(\"pong \\\"é\\\"\\n\")))] | length >= 100");
    assert_trace(
        "[.traceEvents[] | select(.ph == \"X\" and (.args.end == \"chan receive\" or .args.end == \"chan send\"))] | length > 0");
    assert_trace(
        "[.traceEvents[] | select(.ph == \"X\" and .args.end == \"sleep\" and (.name | startswith(\"main \")))] | length == 1");
    assert_trace("[.traceEvents[] | select(.ph == \"X\" and .args.end == \"exit\")] | length == 1");
    assert_trace("[.traceEvents[] | select(.ph == \"f\")] | length >= 50");
}

static int ping_pong_only(void *arg)
{
    (void)arg;
    ping_pong(50);
    return 0;
}

static void test_trace_may_surround_a_run(void **state)
{
    (void)state;
    assert_int_equal(go_trace_start(path), 0);
    assert_int_equal(go_run(ping_pong_only, NULL), 0);
    assert_int_equal(go_run(ping_pong_only, NULL), 0);
    assert_int_equal(go_trace_stop(), 0);
    assert_trace_is_sound();
    assert_trace("[.traceEvents[] | select(.ph == \"X\") | .name | select(startswith(\"ping_pong_only #1\"))] | length > 0");
}

static void test_empty_trace_is_json_too(void **state)
{
    (void)state;
    assert_int_equal(go_trace_start(path), 0);
    assert_int_equal(go_trace_stop(), 0);
    assert_trace(".traceEvents | length == 1");
}

static void test_environment_starts_and_ends_a_trace(void **state)
{
    (void)state;
    char setting[80];
    (void)snprintf(setting, sizeof setting, "trace=%s", path);
    (void)unlink(path);
    assert_int_equal(setenv("GOCO_DEBUG", setting, 1), 0);
    assert_int_equal(go_run(ping_pong_only, NULL), 0);
    assert_int_equal(unsetenv("GOCO_DEBUG"), 0);
    assert_trace_is_sound();
    assert_int_equal(go_trace_stop(), -EINVAL);
}

static void test_path_that_cannot_be_written_is_an_error_at_start(void **state)
{
    (void)state;
    assert_int_equal(go_trace_start("/nonexistent/trace.json"), -ENOENT);
    assert_int_equal(go_trace_start("/tmp"), -EISDIR);
    assert_int_equal(go_trace_stop(), -EINVAL);
    if (access("/dev/full", W_OK) == 0) {
        assert_int_equal(go_trace_start("/dev/full"), 0);
        assert_int_equal(go_trace_stop(), -ENOSPC);
    }
}

static void many_child(void *arg)
{
    go_yield();
    go_waitgroup_done((go_waitgroup *)arg);
}

/* A goroutine that has called done is not at its end yet, and may come to it in the next trace. */
static void wait_until_gone(go_waitgroup *wg)
{
    go_waitgroup_wait(wg);
    while (go_count() > 1) {
        go_yield();
    }
}

static int traced_crowd(void *arg)
{
    (void)arg;
    static go_waitgroup wg;
    for (int round = 0; round < 5; round++) {
        CHECK(go_trace_start(path) == 0);
        go_waitgroup_add(&wg, 1000);
        for (int i = 0; i < 1000; i++) {
            go(many_child, &wg);
        }
        if (round % 2 == 0) {
            wait_until_gone(&wg); /* else the trace ends in the middle of it */
        }
        CHECK(go_trace_stop() == 0);
        wait_until_gone(&wg);
    }
    return 0;
}

static void test_traces_start_and_stop_while_all_ps_are_busy(void **state)
{
    (void)state;
    assert_int_equal(go_run(traced_crowd, NULL), 0);
    assert_trace_is_sound();
    assert_trace("[.traceEvents[] | select(.ph == \"X\" and .args.end == \"exit\")] | length == 1000");
}

static int counted(void *arg)
{
    (void)arg;
    go_stats before, after;
    go_get_stats(&before);
    CHECK(before.goroutines == 1);
    CHECK(before.procs == (uint64_t)go_procs());
    CHECK(before.threads >= 1 && before.threads_idle <= before.threads);
    ping_pong(100);
    (void)go_sleep(GO_MILLISECOND);
    go_get_stats(&after);
    CHECK(after.goroutines_created == before.goroutines_created + 1);
    CHECK(after.switches >= before.switches + 200);
    CHECK(after.stacks_small + after.stacks_reserved >= 1);
    CHECK(after.stack_bytes_resident > 0);
    CHECK(after.procs_idle <= after.procs);
    return 0;
}

static void test_statistics_count_what_happened(void **state)
{
    (void)state;
    assert_int_equal(go_run(counted, NULL), 0);
    go_stats stats;
    go_get_stats(&stats);
    const go_stats zero = {0};
    assert_memory_equal(&stats, &zero, sizeof stats);
}

static void read_one(void *arg)
{
    char byte;
    CHECK(go_read(*(int *)arg, &byte, 1) == 1);
}

static uint64_t waiting_for_descriptors(void)
{
    go_stats stats;
    go_get_stats(&stats);
    return stats.pollers;
}

static int readers_counted(void *arg)
{
    int ends[2];
    (void)arg;
    CHECK(pipe(ends) == 0);
    CHECK(waiting_for_descriptors() == 0);
    for (int i = 0; i < 3; i++) {
        go(read_one, &ends[0]);
    }
    while (waiting_for_descriptors() == 0) { /* one has the turn to read, the others wait for it */
        CHECK(go_sleep(GO_MILLISECOND) == 0);
    }
    CHECK(go_write(ends[1], "abc", 3) == 3);
    while (go_count() > 1) {
        CHECK(go_sleep(GO_MILLISECOND) == 0);
    }
    CHECK(waiting_for_descriptors() == 0);
    return go_close(ends[0]) + go_close(ends[1]);
}

static void test_who_waits_for_descriptors_is_counted(void **state)
{
    (void)state;
    assert_int_equal(go_run(readers_counted, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trace_is_json_with_slices_and_arrows),
        cmocka_unit_test(test_trace_may_surround_a_run),
        cmocka_unit_test(test_empty_trace_is_json_too),
        cmocka_unit_test(test_environment_starts_and_ends_a_trace),
        cmocka_unit_test(test_path_that_cannot_be_written_is_an_error_at_start),
        cmocka_unit_test(test_traces_start_and_stop_while_all_ps_are_busy),
        cmocka_unit_test(test_statistics_count_what_happened),
        cmocka_unit_test(test_who_waits_for_descriptors_is_counted),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
