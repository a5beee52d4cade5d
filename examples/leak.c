/* leak: a sender nobody receives from.
 *
 * Lesson: the first answer wins and the function returns, so the slower goroutine waits for ever to deliver its own. Run with
 * GOCO_DEBUG=leak=1, goco lists at the end who was still blocked, where, and where it was started. The cure is room for every answer
 * (`leak fixed`): then all can deliver and end.
 *
 *     $ GOCO_DEBUG=leak=1 leak [fixed] */
#include <go.h>
#include <stdio.h>
#include <string.h>

typedef GO_CHAN(int) int_chan;

enum { MIRRORS = 3 };

static bool fixed;
static go_waitgroup asked;

static void ask_mirror(void *arg)
{
    int_chan answer = *(int_chan *)arg;

    go_waitgroup_done(&asked);
    (void)GO_SEND(answer, 42);
    GO_UNREF(answer);
}

static int first_answer(void)
{
    int_chan answer;
    int value = -1;

    if (GO_CHAN_NEW(answer, fixed ? MIRRORS : 0) != 0) {
        return -1;
    }
    go_waitgroup_add(&asked, MIRRORS);
    for (int i = 0; i < MIRRORS; i++) {
        go_chan_ref(answer.chan); /* each gives back its own: the last one out frees the channel */
        go_copy(ask_mirror, &answer, sizeof answer);
    }
    (void)GO_RECV(answer, &value);
    GO_UNREF(answer);
    return value;
}

static int leak_main(void *arg)
{
    (void)arg;
    printf("the first answer: %d\n", first_answer());
    go_waitgroup_wait(&asked);
    go_sleep(20 * GO_MILLISECOND);
    printf("goroutines now: %zu\n", go_count());
    return 0;
}

int main(int argc, char **argv)
{
    fixed = argc > 1 && strcmp(argv[1], "fixed") == 0;
    return go_run(leak_main, NULL);
}
