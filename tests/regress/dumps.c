/* Dumps and statistics beside all that goes on: a trim, a name that changes, the end of the run. */
#include "regress/child.h"

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>

#include "sched/park.h"
#include "stack/depot.h"
#include "stack/layout.h"

static int die_in_the_depot(void *arg)
{
    struct go__slots_layout layout;
    (void)arg;
    go__slots_layout(&layout);
    struct go__depot *depots = (struct go__depot *)layout.depots;
    for (uint32_t i = 0; i < layout.depot_count; i++) {
        go__futex_lock(&depots[i].lock);
    }
    go__throw("with the depots locked");
}

static int run_and_die(void *arg)
{
    return go_run(die_in_the_depot, arg);
}

static void who_dies_in_the_depot_reports(void **state)
{
    (void)state;
    int status = child_status(run_and_die, NULL);
    assert_killed(status, SIGABRT);
    assert_non_null(strstr(child_text, "with the depots locked"));
    assert_non_null(strstr(child_text, "goroutine 1 [running]"));
}

/* --- names --- */

#define NAME_BYTES 60000 /* a dump takes a while to copy it */

static atomic_int named;

static void change_name(void *arg)
{
    static char name[NAME_BYTES + 1];
    (void)arg;
    (void)memset(name, 'a', NAME_BYTES);
    while (named >= 0) {
        go_set_name(name);
        named = 1;
    }
}

/* What is freed consists of these. */
static bool dump_has(char freed)
{
    static char text[4 * NAME_BYTES];
    int fd = memfd_create("dump", MFD_CLOEXEC);
    CHECK(fd >= 0);
    go_dump(fd);
    ssize_t n = pread(fd, text, sizeof text, 0);
    CHECK(n > 0); /* without names if the world could not be stopped, on a machine that is too busy */
    (void)close(fd);
    return memchr(text, freed, (size_t)n) != NULL;
}

static int dump_names(void *arg)
{
    (void)arg;
    go(change_name, NULL);
    while (named == 0) {
        go_yield();
    }
    for (int i = 0; i < 300; i++) {
        CHECK(!dump_has('~'));
    }
    named = -1;
    return 0;
}

static int run_names(void *arg)
{
    const go_config two = {.procs = 2};
#ifdef M_PERTURB
    (void)mallopt(M_PERTURB, '~');
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 24);
#endif
    return go_run_config(&two, dump_names, arg);
}

static void a_name_that_changes_is_dumped_whole(void **state)
{
    (void)state;
    child_exits(run_names, NULL, 0);
}

/* --- the end of the run --- */

static atomic_int watching, looks;

static void *watch(void *arg)
{
    go_stats stats;
    int fd = memfd_create("dump", MFD_CLOEXEC), kind = (int)(intptr_t)arg;
    CHECK(fd >= 0);
    while (watching) {
        switch (kind) {
        case 0: go_get_stats(&stats); break;
        case 1: go_dump(fd); break;
        case 2: (void)go_count(); break;
        default: (void)go_set_procs(1 + looks % 8); break;
        }
        looks++;
        CHECK_EQUAL(ftruncate(fd, 0), 0);
    }
    (void)close(fd);
    return NULL;
}

static void nap(void *arg)
{
    (void)arg;
    go_set_name("napping");
    (void)go_sleep(GO_MILLISECOND / 5);
}

static int sleep_with_others(void *arg)
{
    (void)arg;
    for (int i = 0; i < 1000; i++) {
        go(nap, NULL);
    }
    return go_sleep(GO_MILLISECOND / 10);
}

static int run_watched(void *arg)
{
    pthread_t watchers[4];
    const go_config eight = {.procs = 8};
    watching = 1;
    for (intptr_t i = 0; i < 4; i++) {
        CHECK_EQUAL(pthread_create(&watchers[i], NULL, watch, (void *)i), 0);
    }
    for (int i = 0; i < 200; i++) {
        CHECK_EQUAL(go_run_config(&eight, sleep_with_others, arg), 0);
    }
    watching = 0;
    for (int i = 0; i < 4; i++) {
        CHECK_EQUAL(pthread_join(watchers[i], NULL), 0);
    }
    CHECK(looks > 4);
    return 0;
}

static void who_watches_does_not_meet_the_end_of_a_run(void **state)
{
    (void)state;
    child_exits(run_watched, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_that_changes_is_dumped_whole),
        cmocka_unit_test(who_watches_does_not_meet_the_end_of_a_run),
        cmocka_unit_test(who_dies_in_the_depot_reports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
