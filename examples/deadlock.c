/* deadlock: everybody waits for somebody else, and goco says so.
 *
 * Lesson: a program that can never go on does not hang: goco prints every goroutine, what it waits for, since when, where in the code,
 * and who started it, and the process exits with status 2. Here two goroutines take two locks in opposite order, and main waits for
 * both. */
#include <go.h>

static go_mutex left, right;
static go_waitgroup both_hold_one, done;

static void left_then_right(void *arg)
{
    (void)arg;
    go_mutex_lock(&left);
    go_waitgroup_done(&both_hold_one);
    go_waitgroup_wait(&both_hold_one);
    go_mutex_lock(&right);
    go_mutex_unlock(&right);
    go_mutex_unlock(&left);
    go_waitgroup_done(&done);
}

static void right_then_left(void *arg)
{
    (void)arg;
    go_mutex_lock(&right);
    go_waitgroup_done(&both_hold_one);
    go_waitgroup_wait(&both_hold_one);
    go_mutex_lock(&left);
    go_mutex_unlock(&left);
    go_mutex_unlock(&right);
    go_waitgroup_done(&done);
}

static int deadlock_main(void *arg)
{
    (void)arg;
    go_set_name("main");
    go_waitgroup_add(&both_hold_one, 2);
    go_waitgroup_add(&done, 2);
    if (go_spawn(&(go_attr){.name = "left first"}, left_then_right, NULL) != 0 ||
        go_spawn(&(go_attr){.name = "right first"}, right_then_left, NULL) != 0) {
        return 1;
    }
    go_waitgroup_wait(&done);
    return 0;
}

int main(void)
{
    return go_run(deadlock_main, NULL);
}
