/* race: a counter without a lock, and its two cures.
 *
 * Lesson: goroutines run on several cores, so what two of them touch needs a mutex, or one owner that the others send to. Build goco
 * with -DGOCO_SANITIZE=thread and `race unsafe` gets a report that names both goroutines' lines; `race mutex` and `race channel` are
 * clean.
 *
 *     $ race unsafe|mutex|channel */
#include <go.h>
#include <stdio.h>
#include <string.h>

enum { GOROUTINES = 8, EACH = 10000 };

static int counter;
static go_mutex mutex;
static GO_CHAN(int) increments;
static go_waitgroup wg;

static void count_unsafe(void *arg)
{
    (void)arg;
    for (int i = 0; i < EACH; i++) {
        counter++;
    }
    go_waitgroup_done(&wg);
}

static void count_mutex(void *arg)
{
    (void)arg;
    for (int i = 0; i < EACH; i++) {
        go_mutex_lock(&mutex);
        counter++;
        go_mutex_unlock(&mutex);
    }
    go_waitgroup_done(&wg);
}

static void count_channel(void *arg)
{
    (void)arg;
    for (int i = 0; i < EACH && GO_SEND(increments, 1) == 0; i++) {}
    go_waitgroup_done(&wg);
}

static void own_counter(void *arg)
{
    GO_RANGE(increment, increments)
    {
        counter += increment;
    }
    go_waitgroup_done(arg);
}

static int race_main(void *arg)
{
    const char *mode = arg;
    bool by_channel = strcmp(mode, "channel") == 0;
    go_func count = by_channel ? count_channel : strcmp(mode, "mutex") == 0 ? count_mutex : count_unsafe;
    go_waitgroup owner = GO_WAITGROUP_INIT;

    if (GO_CHAN_NEW(increments, 64) != 0) {
        return 1;
    }
    go_waitgroup_add(&owner, 1);
    go(own_counter, &owner);
    go_waitgroup_add(&wg, GOROUTINES);
    for (int i = 0; i < GOROUTINES; i++) {
        go(count, NULL);
    }
    go_waitgroup_wait(&wg);
    GO_CLOSE(increments);
    go_waitgroup_wait(&owner);
    GO_UNREF(increments);
    printf("%s: counted %d of %d\n", mode, counter, GOROUTINES * EACH);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: race unsafe|mutex|channel\n");
        return 1;
    }
    return go_run(race_main, argv[1]);
}
