/* Signals into channels. */
#include "unit/net/net_support.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

NET_TEST(a_signal_arrives_as_an_int)
{
    go_chan *c = go_chan_new(sizeof(int), 4);
    int signo;
    CHECK(c != NULL && go_signal_notify(c, SIGUSR1) == 0 && go_signal_notify(c, SIGUSR2) == 0);
    CHECK_EQUAL(go_signal_notify(c, SIGUSR1), 0); /* known already: no second copy */
    for (int i = 0; i < 20; i++) {
        int sent = i % 2 == 0 ? SIGUSR1 : SIGUSR2;
        CHECK(kill(getpid(), sent) == 0);
        CHECK(go_chan_recv(c, &signo) == 0);
        CHECK_EQUAL(signo, sent);
    }
    CHECK(go_sleep(5 * GO_MILLISECOND) == 0);
    CHECK_EQUAL(go_chan_len(c), 0);
    CHECK_EQUAL(go_signal_stop(c, SIGUSR1), 0);
    CHECK_EQUAL(go_signal_stop(c, SIGUSR1), -EINVAL);
    CHECK_EQUAL(go_signal_stop(c, SIGUSR2), 0);
    go_chan_unref(c);
    return 0;
}

NET_TEST(several_channels_get_it_and_full_ones_drop_it)
{
    go_chan *one = go_chan_new(sizeof(int), 1), *other = go_chan_new(sizeof(int), 8);
    int signo;
    CHECK(go_signal_notify(one, SIGUSR1) == 0 && go_signal_notify(other, SIGUSR1) == 0);
    for (int i = 0; i < 3; i++) {
        CHECK(kill(getpid(), SIGUSR1) == 0);
        CHECK(go_chan_recv(other, &signo) == 0);
    }
    CHECK_EQUAL(go_chan_len(one), 1);
    CHECK(go_signal_stop(other, SIGUSR1) == 0);
    CHECK(go_chan_recv(one, &signo) == 0);
    CHECK(kill(getpid(), SIGUSR1) == 0);
    CHECK(go_chan_recv(one, &signo) == 0);
    CHECK_EQUAL(go_chan_len(other), 0);
    CHECK(go_signal_stop(one, SIGUSR1) == 0);
    go_chan_unref(one);
    go_chan_unref(other);
    return 0;
}

NET_TEST(what_cannot_be_subscribed_to)
{
    static const int bad[] = {0, -1, 65, SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, 32};
    go_chan *c = go_chan_new(sizeof(int), 1), *rendezvous = go_chan_new(sizeof(int), 0), *bytes = go_chan_new(1, 1);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_EQUAL(go_signal_notify(c, bad[i]), -EINVAL);
    }
    CHECK_EQUAL(go_signal_notify(NULL, SIGUSR1), -EINVAL);
    CHECK_EQUAL(go_signal_notify(rendezvous, SIGUSR1), -EINVAL);
    CHECK_EQUAL(go_signal_notify(bytes, SIGUSR1), -EINVAL);
    go_chan_unref(c);
    go_chan_unref(rendezvous);
    go_chan_unref(bytes);
    return 0;
}

static volatile sig_atomic_t handled;

static void old_handler(int signo)
{
    (void)signo;
    handled = handled + 1;
}

static void await_handled(int n)
{
    for (int i = 0; i < 5000 && handled < n; i++) {
        CHECK(go_sleep(GO_MILLISECOND) == 0);
    }
    CHECK_EQUAL(handled, n);
}

#if defined(__SANITIZE_THREAD__)
#define THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define THREAD_SANITIZER 1
#endif
#endif

NET_TEST(the_old_disposition_comes_back)
{
#ifdef THREAD_SANITIZER
    return 0; /* it holds the program's own handlers back for as long as their thread sleeps in the runtime */
#endif
    struct sigaction old = {.sa_handler = old_handler}, now;
    go_chan *c = go_chan_new(sizeof(int), 1);
    int signo;
    CHECK(sigaction(SIGUSR1, &old, NULL) == 0);
    handled = 0;
    CHECK(kill(getpid(), SIGUSR1) == 0);
    await_handled(1);
    CHECK(go_signal_notify(c, SIGUSR1) == 0);
    CHECK(kill(getpid(), SIGUSR1) == 0);
    CHECK(go_chan_recv(c, &signo) == 0);
    CHECK_EQUAL(handled, 1);
    CHECK(go_signal_stop(c, SIGUSR1) == 0);
    CHECK(sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_handler == old_handler);
    CHECK(kill(getpid(), SIGUSR1) == 0);
    await_handled(2);
    go_chan_unref(c);
    signal(SIGUSR1, SIG_DFL);
    return 0;
}

static int leave_subscribed(void *arg)
{
    go_chan *c = go_chan_new(sizeof(int), 1);
    (void)arg;
    CHECK(go_signal_notify(c, SIGUSR1) == 0);
    go_chan_unref(c); /* the subscription has a reference of its own */
    return 0;
}

static void the_end_of_a_run_ends_subscriptions(void **state)
{
    struct sigaction now;
    (void)state;
    signal(SIGUSR1, SIG_IGN);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(go_run(leave_subscribed, NULL), 0);
        assert_int_equal(sigaction(SIGUSR1, NULL, &now), 0);
        assert_true(now.sa_handler == SIG_IGN);
    }
    signal(SIGUSR1, SIG_DFL);
}

/* A subscription is a reason to wait: no deadlock is reported. */
NET_TEST(waiting_for_a_signal_is_no_deadlock)
{
    go_chan *c = go_chan_new(sizeof(int), 1);
    int signo;
    CHECK(go_signal_notify(c, SIGALRM) == 0);
    alarm(1);
    CHECK(go_chan_recv(c, &signo) == 0);
    CHECK_EQUAL(signo, SIGALRM);
    CHECK(go_signal_stop(c, SIGALRM) == 0);
    go_chan_unref(c);
    return 0;
}

static atomic_int stop, ended;

static void send_signals(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop)) {
        CHECK(kill(getpid(), SIGUSR1) == 0);
        go_yield();
    }
    atomic_fetch_add(&ended, 1);
}

/* Subscribing and stopping under fire. After go_signal_stop nothing more is sent. */
NET_TEST(nothing_comes_after_stop)
{
    go_chan *keep = go_chan_new(sizeof(int), 1);
    signal(SIGUSR1, SIG_IGN); /* and it stays so: one may be on its way still when the last subscription ends, and later */
    atomic_store(&stop, 0);
    atomic_store(&ended, 0);
    CHECK(go_signal_notify(keep, SIGUSR1) == 0);
    for (int i = 0; i < 2; i++) {
        go(send_signals, NULL);
    }
    for (int i = 0; i < 500; i++) {
        go_chan *c = go_chan_new(sizeof(int), 64);
        CHECK(go_signal_notify(c, SIGUSR1) == 0);
        if (i % 2 == 0) {
            go_yield();
        }
        CHECK(go_signal_stop(c, SIGUSR1) == 0);
        size_t length = go_chan_len(c);
        go_yield();
        CHECK_EQUAL(go_chan_len(c), length);
        go_chan_unref(c);
    }
    atomic_store(&stop, 1);
    await_count(&ended, 2);
    CHECK(go_signal_stop(keep, SIGUSR1) == 0);
    go_chan_unref(keep);
    return 0;
}

static atomic_int fired;

static void *fire(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop)) {
        atomic_fetch_add(&fired, 1);
        CHECK(kill(getpid(), SIGUSR1) == 0);
        usleep(10);
    }
    return NULL;
}

/* Each time the goroutine that delivers ends and another is started, the old one in the middle of a delivery perhaps. */
NET_TEST(the_only_subscription_comes_and_goes)
{
    enum { ROUNDS = 3000 };
    pthread_t thread;
    int received = 0, signo;
    signal(SIGUSR1, SIG_IGN);
    atomic_store(&stop, 0);
    atomic_store(&fired, 0);
    CHECK(pthread_create(&thread, NULL, fire, NULL) == 0);
    for (int i = 0; i < ROUNDS; i++) {
        go_chan *c = go_chan_new(sizeof(int), 64);
        CHECK(c != NULL && go_signal_notify(c, SIGUSR1) == 0);
        for (int left = i % 3; left > 0; left--) {
            CHECK(go_chan_recv(c, &signo) == 0);
            received++;
        }
        CHECK(go_signal_stop(c, SIGUSR1) == 0);
        received += (int)go_chan_len(c);
        if (i % 64 == 0) {
            size_t length = go_chan_len(c);
            CHECK(go_sleep(100 * GO_MICROSECOND) == 0);
            CHECK_EQUAL(go_chan_len(c), length);
        }
        go_chan_unref(c); /* whoever sent now would send into freed memory */
    }
    atomic_store(&stop, 1);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(received <= atomic_load(&fired)); /* none twice */
    return 0;
}

/* --- children --- */

static pid_t spawn(int milliseconds, int status)
{
    pid_t child = fork();
    if (child == 0) {
        usleep((useconds_t)milliseconds * 1000);
        _exit(status);
    }
    CHECK(child > 0);
    return child;
}

/* A child that ends when *gate is closed. */
static pid_t hold(int status, int *gate)
{
    int ends[2];
    char byte;
    CHECK(pipe(ends) == 0);
    pid_t child = fork();
    if (child == 0) {
        (void)close(ends[1]);
        (void)!read(ends[0], &byte, 1);
        _exit(status);
    }
    CHECK(child > 0 && close(ends[0]) == 0);
    *gate = ends[1];
    return child;
}

struct wait {
    pid_t pid;
    int status, result;
};

static void wait_one(void *arg)
{
    struct wait *w = arg;
    w->result = go_waitpid(w->pid, &w->status, 0);
    atomic_fetch_add(&ended, 1);
}

NET_TEST(children_are_waited_for)
{
    enum { CHILDREN = 8 };
    static struct wait w[CHILDREN];
    int status, gate;
    atomic_store(&ended, 0);
    CHECK_EQUAL(go_waitpid(-1, NULL, 0), -ECHILD);
    CHECK_EQUAL(go_waitpid(getpid(), NULL, 0), -ECHILD);
    CHECK_EQUAL(go_waitpid(-1, NULL, 0x40000000), -EINVAL);
    for (int i = 0; i < CHILDREN; i++) {
        w[i].pid = spawn(i * 5, 10 + i);
        go(wait_one, &w[i]);
    }
    pid_t child = hold(2, &gate);
    CHECK_EQUAL(go_waitpid(child, NULL, WNOHANG), 0);
    CHECK(close(gate) == 0);
    CHECK_EQUAL(go_waitpid(child, &status, 0), child);
    CHECK(WEXITSTATUS(status) == 2);
    await_count(&ended, CHILDREN);
    for (int i = 0; i < CHILDREN; i++) {
        CHECK_EQUAL(w[i].result, w[i].pid);
        CHECK(WIFEXITED(w[i].status) && WEXITSTATUS(w[i].status) == 10 + i);
    }
    child = spawn(0, 3); /* over before it is waited for */
    CHECK(go_sleep(20 * GO_MILLISECOND) == 0);
    CHECK_EQUAL(go_waitpid(child, &status, 0), child);
    CHECK(WEXITSTATUS(status) == 3);
    child = spawn(20, 4);
    CHECK_EQUAL(go_waitpid(-1, &status, 0), child); /* any */
    CHECK(WEXITSTATUS(status) == 4);
    child = spawn(20, 5);
    CHECK_EQUAL(go_waitpid(0, &status, 0), child); /* of this group */
    child = spawn(60000, 6);
    CHECK(kill(child, SIGSTOP) == 0);
    CHECK_EQUAL(go_waitpid(child, &status, WUNTRACED), child);
    CHECK(WIFSTOPPED(status));
    CHECK(kill(child, SIGCONT) == 0);
    CHECK_EQUAL(go_waitpid(child, &status, WCONTINUED), child);
    CHECK(WIFCONTINUED(status));
    CHECK(kill(child, SIGKILL) == 0);
    CHECK_EQUAL(go_waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return 0;
}

static void wait_bound(void *arg)
{
    struct wait *w = arg;
    go_context *ctx = go_context_with_timeout(NULL, 20 * GO_MILLISECOND);
    (void)go_context_bind(ctx);
    w->result = go_waitpid(w->pid, &w->status, 0);
    (void)go_context_bind(NULL);
    go_context_unref(ctx);
    atomic_fetch_add(&ended, 1);
}

/* Who gives up leaves the child to the next. */
NET_TEST(waiting_for_a_child_can_be_cancelled)
{
    static struct wait w[2];
    int status, gate;
    pid_t child = hold(9, &gate);
    atomic_store(&ended, 0);
    w[0].pid = child;
    w[1].pid = -1;
    go(wait_bound, &w[0]);
    go(wait_bound, &w[1]);
    await_count(&ended, 2);
    CHECK_EQUAL(w[0].result, -ECANCELED);
    CHECK_EQUAL(w[1].result, -ECANCELED);
    CHECK(close(gate) == 0);
    CHECK_EQUAL(go_waitpid(child, &status, 0), child);
    CHECK(WEXITSTATUS(status) == 9);
    while (go_count() > 1) { /* what was given up ends with the child */
        CHECK(go_sleep(GO_MILLISECOND) == 0);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_arrives_as_an_int),
        cmocka_unit_test(several_channels_get_it_and_full_ones_drop_it),
        cmocka_unit_test(what_cannot_be_subscribed_to),
        cmocka_unit_test(the_old_disposition_comes_back),
        cmocka_unit_test(the_end_of_a_run_ends_subscriptions),
        cmocka_unit_test(waiting_for_a_signal_is_no_deadlock),
        cmocka_unit_test(nothing_comes_after_stop),
        cmocka_unit_test(the_only_subscription_comes_and_goes),
        cmocka_unit_test(children_are_waited_for),
        cmocka_unit_test(waiting_for_a_child_can_be_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
