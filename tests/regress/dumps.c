/* Dumps and statistics beside all that goes on: a trim, a name that changes, the end of the run. */
#include "regress/child.h"

#include <malloc.h>
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
    CHECK(n > NAME_BYTES);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_that_changes_is_dumped_whole),
        cmocka_unit_test(who_dies_in_the_depot_reports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
