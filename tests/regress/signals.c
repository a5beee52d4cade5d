/* Subscriptions to signals when the run ends. */
#include "regress/child.h"

#include <signal.h>
#include <stdatomic.h>

static go_chan *c;
static atomic_int began;

static void receive(void *arg)
{
    int signo;
    began = 1;
    (void)go_chan_recv(arg, &signo);
}

static int drop_all_but_the_subscription(void *arg)
{
    (void)arg;
    c = go_chan_new(sizeof(int), 1);
    CHECK_EQUAL(go_signal_notify(c, SIGUSR1), 0);
    go(receive, c);
    while (!began) {
        go_yield();
    }
    CHECK_EQUAL(go_sleep(5 * GO_MILLISECOND), 0); /* it waits by now; if not, the end of the run is the easier one */
    go_chan_unref(c);
    return 0;
}

static void the_end_may_drop_a_channels_last_reference_while_somebody_waits(void **state)
{
    (void)state;
    child_runs(NULL, drop_all_but_the_subscription, 0);
}

static void subscribe_again_and_again(void *arg)
{
    go_chan *own = go_chan_new(sizeof(int), 1);
    (void)arg;
    for (;;) {
        CHECK_EQUAL(go_signal_notify(own, SIGUSR1), 0);
        CHECK_EQUAL(go_signal_stop(own, SIGUSR1), 0);
        began++;
    }
}

static int end_in_the_middle(void *arg)
{
    (void)arg;
    began = 0;
    for (int i = 0; i < 4; i++) {
        go(subscribe_again_and_again, NULL);
    }
    while (began < 8) {
        CHECK_EQUAL(go_sleep(100 * GO_MICROSECOND), 0);
    }
    return 0;
}

static int wait_for_a_signal(void *arg)
{
    int signo;
    (void)arg;
    c = go_chan_new(sizeof(int), 1);
    CHECK_EQUAL(go_signal_notify(c, SIGUSR1), 0);
    CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
    CHECK_EQUAL(go_chan_recv(c, &signo), 0);
    CHECK_EQUAL(signo, SIGUSR1);
    return 0;
}

static int many_runs(void *arg)
{
    const go_config patient = {.stop_timeout = 100 * GO_SECOND}; /* a thread without a CPU is no orphan */
    for (int i = 0; i < 20; i++) {
        CHECK_EQUAL(go_run_config(&patient, end_in_the_middle, arg), 0);
        CHECK_EQUAL(go_run(wait_for_a_signal, arg), 0); /* nothing is left of the changes that were cut short */
    }
    return 0;
}

static void a_run_ends_while_goroutines_subscribe(void **state)
{
    (void)state;
    child_exits(many_runs, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_may_drop_a_channels_last_reference_while_somebody_waits),
        cmocka_unit_test(a_run_ends_while_goroutines_subscribe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
