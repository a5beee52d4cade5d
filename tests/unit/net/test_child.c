/* What children get from a goroutine's thread: signals as the program has them. */
#include "unit/net/net_support.h"

#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

static char *const ends_itself[] = {"sh", "-c", "kill -USR2 $$; kill -TERM $$; exit 3", NULL}; /* 3: SIGTERM was blocked */

static int status_of(pid_t child)
{
    int status;
    CHECK(child > 0);
    CHECK_EQUAL(go_waitpid(child, &status, 0), child);
    return status;
}

static void check_ended_by(int signo, pid_t child)
{
    int status = status_of(child);
    CHECK(WIFSIGNALED(status));
    CHECK_EQUAL(WTERMSIG(status), signo);
}

static int spawn_with_the_mask(void *arg)
{
    posix_spawnattr_t attributes;
    sigset_t mask;
    pid_t child;
    (void)arg;
    go_signal_mask(&mask);
    CHECK(sigismember(&mask, SIGUSR2) == 1 && sigismember(&mask, SIGTERM) == 0 && sigismember(&mask, SIGUSR1) == 0);
    CHECK(posix_spawnattr_init(&attributes) == 0);
    CHECK(posix_spawnattr_setsigmask(&attributes, &mask) == 0);
    CHECK(posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK) == 0);
    CHECK(posix_spawn(&child, "/bin/sh", NULL, &attributes, ends_itself, environ) == 0);
    CHECK(posix_spawnattr_destroy(&attributes) == 0);
    check_ended_by(SIGTERM, child);
    return 0;
}

static int fork_and_exec(void *arg)
{
    (void)arg;
    pid_t child = fork();
    if (child == 0) {
        (void)execv("/bin/sh", ends_itself);
        _exit(4);
    }
    check_ended_by(SIGTERM, child);
    return 0;
}

/* SIGUSR2, which the program blocks, stays blocked; nothing else is. */
static void with_a_mask(int (*body)(void *arg))
{
    sigset_t usr2, before;
    sigemptyset(&usr2);
    sigaddset(&usr2, SIGUSR2);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &usr2, &before), 0);
    assert_int_equal(go_run(body, NULL), 0);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
}

static void what_is_spawned_with_the_programs_mask_can_be_ended(void **state)
{
    (void)state;
    with_a_mask(spawn_with_the_mask);
}

static void what_is_forked_and_executed_can_be_ended(void **state)
{
    (void)state;
    with_a_mask(fork_and_exec);
}

static void nothing(int signo)
{
    (void)signo;
}

/* Before exec too: a handler of the parent's would run on what may be a small stack, and the signal would be lost. */
NET_TEST(a_forked_child_has_no_handlers)
{
    struct sigaction handler = {.sa_handler = nothing}, before;
    go_chan *c = go_chan_new(sizeof(int), 1);
    CHECK(sigaction(SIGUSR1, &handler, &before) == 0);
    CHECK(go_signal_notify(c, SIGTERM) == 0);
    static const int signals[] = {SIGUSR1, SIGTERM};
    for (int i = 0; i < 2; i++) {
        pid_t child = fork();
        if (child == 0) {
            (void)kill(getpid(), signals[i]);
            _exit(3);
        }
        check_ended_by(signals[i], child);
    }
    CHECK(go_signal_stop(c, SIGTERM) == 0);
    CHECK(sigaction(SIGUSR1, &before, NULL) == 0);
    go_chan_unref(c);
    return 0;
}

NET_TEST(what_is_ignored_stays_ignored)
{
    CHECK(signal(SIGUSR1, SIG_IGN) == SIG_DFL);
    pid_t child = fork();
    if (child == 0) {
        (void)kill(getpid(), SIGUSR1);
        _exit(3);
    }
    int status = status_of(child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    CHECK(signal(SIGUSR1, SIG_DFL) == SIG_IGN);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_spawned_with_the_programs_mask_can_be_ended),
        cmocka_unit_test(what_is_forked_and_executed_can_be_ended),
        cmocka_unit_test(a_forked_child_has_no_handlers),
        cmocka_unit_test(what_is_ignored_stays_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
