/* Environment variables of a run: they take effect, and one that is no number ends the program instead of passing for a default. */
#include "support/child.h"

#include <sched.h>
#include <stdlib.h>

#include <go.h>

#include "support/check.h"

struct setting {
    const char *name, *value;
    int (*main_fn)(void *arg);
    int procs; /* 0: not configured */
};

static int nothing(void *arg)
{
    return arg == NULL ? 0 : 1;
}

static int run_with(void *setting)
{
    const struct setting *s = setting;
    const go_config config = {.procs = s->procs};
    (void)setenv(s->name, s->value, 1);
    return go_run_config(&config, s->main_fn, NULL);
}

static void a_setting_that_is_no_positive_number_is_fatal(void **state)
{
    static const char *const settings[][2] = {
        {"GOCO_PROCS", "two"},
        {"GOCO_PROCS", "-1"},
        {"GOCO_PROCS", "0"},
        {"GOCO_MAX_THREADS", "10x"},
        {"GOCO_STACK_RESERVE", "64Q"},
        {"GOCO_STACK_RESERVE", "K"},
        {"GOCO_STACK_MAX", "1 M"},
        {"GOCO_STACK_MAX", "99999999999999999999"},
        {"GOCO_STACK_MAX", "9999999999999G"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        struct setting s = {settings[i][0], settings[i][1], nothing, 0};
        char line[128];
        (void)snprintf(line, sizeof line, "goco: fatal error: %s=%s is not a positive number\n", s.name, s.value);
        int status = child_status(run_with, &s);
        assert_killed(status, SIGABRT);
        assert_non_null(strstr(child_text, line));
    }
}

static int procs_as_set(void *arg)
{
    (void)arg;
    return go_procs();
}

static void procs_come_from_the_environment(void **state)
{
    struct setting three = {"GOCO_PROCS", "3", procs_as_set, 0};
    (void)state;
    assert_exit(child_status(run_with, &three), 3);
}

static int procs_of_one_cpu(void *arg)
{
    cpu_set_t one;
    (void)arg;
    (void)unsetenv("GOCO_PROCS");
    if (sched_getaffinity(0, sizeof one, &one) != 0) {
        return 100;
    }
    for (int cpu = 0, kept = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &one) && kept++ > 0) {
            CPU_CLR(cpu, &one);
        }
    }
    return sched_setaffinity(0, sizeof one, &one) != 0 ? 101 : go_run(procs_as_set, NULL);
}

static void procs_are_the_cpus_the_process_may_use(void **state)
{
    (void)state;
    assert_exit(child_status(procs_of_one_cpu, NULL), 1);
}

static void sleep_in_the_kernel(void *wg)
{
    go_block_begin();
    (void)usleep(20000);
    go_block_end();
    go_waitgroup_done(wg);
}

static int more_naps_than_threads(void *arg)
{
    static go_waitgroup wg;
    go_stats stats;
    (void)arg;
    go_waitgroup_add(&wg, 20);
    for (int i = 0; i < 20; i++) {
        go(sleep_in_the_kernel, &wg);
    }
    go_waitgroup_wait(&wg);
    go_get_stats(&stats);
    return (int)stats.threads;
}

static void max_threads_comes_from_the_environment(void **state)
{
    struct setting four = {"GOCO_MAX_THREADS", "4", more_naps_than_threads, 1};
    (void)state;
    int status = child_status(run_with, &four);
    assert_true(WIFEXITED(status));
    assert_in_range(WEXITSTATUS(status), 1, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_setting_that_is_no_positive_number_is_fatal),
        cmocka_unit_test(procs_come_from_the_environment),
        cmocka_unit_test(procs_are_the_cpus_the_process_may_use),
        cmocka_unit_test(max_threads_comes_from_the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
