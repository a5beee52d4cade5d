/* timeout_select: wait for an answer, but not for ever.
 *
 * Lesson: a timer is a channel, so a timeout is one more case of a select. When all you wait for is one channel, the _until form says
 * the same in one line: a deadline on go_now()'s clock. */
#include <errno.h>
#include <go.h>
#include <stdio.h>

typedef GO_CHAN(int) int_chan;

struct question {
    int_chan answer;
    int64_t takes;
};

static void answerer(void *arg)
{
    struct question *q = arg;

    go_sleep(q->takes);
    (void)GO_SEND(q->answer, 42);
    GO_UNREF(q->answer);
}

/* Room for one answer: should the asker have gone, the answerer can still leave it there and end. */
static int_chan ask(int64_t takes)
{
    struct question q = {.takes = takes};

    if (GO_CHAN_NEW(q.answer, 1) == 0) {
        go_chan_ref(q.answer.chan);
        go_copy(answerer, &q, sizeof q);
    }
    return q.answer;
}

static void wait_with_select(int64_t takes, int64_t limit)
{
    int_chan answer = ask(takes);
    go_timer *timeout = go_timer_new(limit);
    int value = 0;
    go_case cases[] = {GO_CASE_RECV(answer, &value), {go_timer_chan(timeout), NULL, GO_DIRECTION_RECV, 0}};

    if (go_select(cases, 2) == 0) {
        printf("select: the answer is %d\n", value);
    } else {
        printf("select: no answer in %d ms\n", (int)(limit / GO_MILLISECOND));
    }
    go_timer_free(timeout);
    GO_UNREF(answer);
}

static void wait_with_deadline(int64_t takes, int64_t limit)
{
    int_chan answer = ask(takes);
    int value, code = go_chan_recv_until(answer.chan, &value, go_now() + limit);

    if (code == 0) {
        printf("deadline: the answer is %d\n", value);
    } else if (code == -ETIMEDOUT) {
        printf("deadline: no answer in %d ms\n", (int)(limit / GO_MILLISECOND));
    } else {
        printf("deadline: %s\n", go_strerror(code));
    }
    GO_UNREF(answer);
}

static int timeout_main(void *arg)
{
    (void)arg;
    wait_with_select(GO_MILLISECOND, 10 * GO_SECOND);
    wait_with_select(10 * GO_SECOND, 200 * GO_MILLISECOND);
    wait_with_deadline(GO_MILLISECOND, 10 * GO_SECOND);
    wait_with_deadline(10 * GO_SECOND, 200 * GO_MILLISECOND);
    return 0;
}

int main(void)
{
    return go_run(timeout_main, NULL);
}
