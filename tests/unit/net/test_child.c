/* What children get from a goroutine's thread: signals as the program has them, and descriptors that stay the parent's. */
#include "unit/net/net_support.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
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

/* --- descriptors --- */

static atomic_int ended;
static int accepted;

static void accept_one(void *arg)
{
    accepted = go_accept(*(int *)arg);
    atomic_fetch_add(&ended, 1);
}

/* The child of a fork that calls fn(fd): it is told that it must not. */
static void dies_in_a_child(int (*fn)(int fd), int fd)
{
    pid_t child = fork();
    if (child == 0) {
        (void)dup2(open("/dev/null", O_WRONLY), 2);
        (void)fn(fd);
        _exit(3);
    }
    check_ended_by(SIGABRT, child);
}

static int shut_down(int fd)
{
    return go_shutdown(fd, SHUT_RDWR);
}

/* The epoll instance is one for both, and so is a path: the parent's acceptor would sleep for ever, its clients find nothing. */
NET_TEST(a_forked_child_cannot_close_for_its_parent)
{
    static int listener;
    char at[64];
    for (int local = 0; local < 2; local++) {
        (void)snprintf(at, sizeof at, local ? "/tmp/goco-test-child-%d" : "127.0.0.1:0", (int)getpid());
        listener = go_listen(local ? "unix" : "tcp", at);
        CHECK(listener >= 0 && go_local_address(listener, at, sizeof at) > 0);
        atomic_store(&ended, 0);
        go(accept_one, &listener);
        await_waiters(listener, 1);
        dies_in_a_child(go_close, listener);
        dies_in_a_child(shut_down, listener);
        int client = go_dial(local ? "unix" : "tcp", at);
        CHECK(client >= 0);
        await_count(&ended, 1);
        CHECK(accepted >= 0);
        CHECK(go_close(accepted) == 0 && go_close(client) == 0 && go_close(listener) == 0);
    }
    return 0;
}

static int read_byte(int fd)
{
    char byte;
    return (int)go_read(fd, &byte, 1);
}

/* It cannot wait either: neither for what is registered already, nor for what it would have to register. */
NET_TEST(a_forked_child_cannot_wait)
{
    int ends[2];
    char byte;
    CHECK(pipe(ends) == 0);
    dies_in_a_child(read_byte, ends[0]);
    CHECK_EQUAL(go_set_read_deadline(ends[0], go_now() + GO_MILLISECOND), 0);
    CHECK_EQUAL(go_read(ends[0], &byte, 1), -ETIMEDOUT);
    CHECK_EQUAL(go_set_read_deadline(ends[0], GO_FOREVER), 0);
    dies_in_a_child(read_byte, ends[0]);
    CHECK(go_close(ends[0]) == 0 && go_close(ends[1]) == 0);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_spawned_with_the_programs_mask_can_be_ended),
        cmocka_unit_test(what_is_forked_and_executed_can_be_ended),
        cmocka_unit_test(a_forked_child_has_no_handlers),
        cmocka_unit_test(what_is_ignored_stays_ignored),
        cmocka_unit_test(a_forked_child_cannot_close_for_its_parent),
        cmocka_unit_test(a_forked_child_cannot_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
