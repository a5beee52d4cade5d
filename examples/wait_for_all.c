/* wait_for_all: a waitgroup, and go_copy against the capture of a loop variable.
 *
 * Lesson: go(fn, &i) in a loop hands every goroutine the address of the same i: they see what it is when they look, not what it was when
 * they were started. go_copy(fn, &i, sizeof i) hands each a copy of its own. A waitgroup waits until all of them are done. */
#include <go.h>
#include <stdio.h>

enum { COUNT = 5 };

static go_waitgroup wg;
static int seen[COUNT + 1];

static void see(void *arg)
{
    __atomic_fetch_add(&seen[*(int *)arg], 1, __ATOMIC_RELAXED);
    go_waitgroup_done(&wg);
}

static void report(const char *how)
{
    printf("%s:", how);
    for (int i = 0; i <= COUNT; i++) {
        printf(" %dx%d", seen[i], i);
        seen[i] = 0;
    }
    printf("\n");
}

/* Holds the goroutines back until the loop is over, so that the mistake shows every time and not one time in a thousand. */
static go_waitgroup loop_over;

static void see_late(void *arg)
{
    go_waitgroup_wait(&loop_over);
    see(arg);
}

static int all_main(void *arg)
{
    int i;

    (void)arg;
    go_waitgroup_add(&loop_over, 1);
    go_waitgroup_add(&wg, COUNT);
    for (i = 0; i < COUNT; i++) {
        go(see_late, &i);
    }
    go_waitgroup_done(&loop_over);
    go_waitgroup_wait(&wg);
    report("the variable itself, times seen x value");

    go_waitgroup_add(&wg, COUNT);
    for (i = 0; i < COUNT; i++) {
        go_copy(see, &i, sizeof i);
    }
    go_waitgroup_wait(&wg);
    report("a copy for each, times seen x value");
    return 0;
}

int main(void)
{
    return go_run(all_main, NULL);
}
