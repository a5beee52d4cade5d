/* What the system refuses by itself: descriptors (RLIMIT_NOFILE), memory (RLIMIT_AS), threads (RLIMIT_NPROC), and peers that are gone or
 * take little at a time. Each test has a process of its own, whose limits it may lower. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <go.h>

#include "support/check.h"
#include "support/stress.h"

#define LIMIT_S 30

/* Runs the test in a child: CHECK ends it, a hang is cut off. */
static void in_child(void **state)
{
    int status;
    void (*const *test)(void) = *state;
    pid_t pid = fork();
    if (pid == 0) {
        (void)alarm(LIMIT_S);
        (*test)();
        _exit(0);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void set_limit(int resource, rlim_t value)
{
    struct rlimit limit;
    CHECK_EQUAL(getrlimit(resource, &limit), 0);
    limit.rlim_cur = value < limit.rlim_max ? value : limit.rlim_max;
    CHECK_EQUAL(setrlimit(resource, &limit), 0);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* --- descriptors --- */

/* The highest number that is in use, plus one. */
static int descriptors(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    (void)close(fd);
    return fd;
}

static void no_descriptors_for_start(void)
{
    int used = descriptors();
    for (int more = 0; more < 2; more++) { /* epoll and what wakes it */
        set_limit(RLIMIT_NOFILE, (rlim_t)(used + more));
        CHECK_EQUAL(go_run(nothing, NULL), -EMFILE);
    }
    set_limit(RLIMIT_NOFILE, 256);
    CHECK_EQUAL(descriptors(), used);
    CHECK_EQUAL(go_run(nothing, NULL), 0);
}

static int refuse_sockets(void *arg)
{
    char at[64];
    (void)arg;
    int listener = go_listen("tcp", "127.0.0.1:0");
    CHECK(listener >= 0 && go_local_address(listener, at, sizeof at) > 0);
    int first = go_dial("tcp", at);
    CHECK(first >= 0);
    set_limit(RLIMIT_NOFILE, (rlim_t)descriptors());
    CHECK_EQUAL(go_accept(listener), -EMFILE);
    CHECK_EQUAL(go_dial("tcp", at), -EMFILE);
    CHECK_EQUAL(go_listen("tcp", "127.0.0.1:0"), -EMFILE);
    set_limit(RLIMIT_NOFILE, 256);
    int second = go_accept(listener); /* it stayed in the queue */
    CHECK(second >= 0);
    CHECK(go_close(first) == 0 && go_close(second) == 0 && go_close(listener) == 0);
    return 0;
}

static void no_descriptors_for_sockets(void)
{
    CHECK_EQUAL(go_run(refuse_sockets, NULL), 0);
}

/* --- memory --- */

static void park(void *arg)
{
    (void)go_chan_recv(arg, NULL);
}

static size_t mapped_bytes(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL && fscanf(file, "%lu", &pages) == 1);
    (void)fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Spawns until there is no more, ends them all, and spawns again. */
static int fill_memory(void *arg)
{
    (void)arg;
    go_chan *c = go_chan_new(0, 0);
    CHECK(c != NULL);
    set_limit(RLIMIT_AS, mapped_bytes() + ((size_t)96 << 20));
    for (int round = 0; round < 2; round++) {
        const go_attr large = {.stack_size = (size_t)1 << 20};
        size_t count = 0;
        int error;
        while ((error = go_spawn(&large, park, c)) == 0) {
            count++;
        }
        CHECK_EQUAL(error, -ENOMEM);
        CHECK(count > 20 && go_count() == count + 1);
        for (size_t i = 0; i < count; i++) {
            CHECK_EQUAL(go_chan_send(c, NULL), 0);
        }
        while (go_count() > 1) {
            go_yield();
        }
    }
    go_chan_unref(c);
    return 0;
}

static void no_addresses(void)
{
    if (!STRESS_SANITIZED) { /* their shadows alone are larger than any limit */
        CHECK_EQUAL(go_run(fill_memory, NULL), 0);
        set_limit(RLIMIT_AS, RLIM_INFINITY);
        CHECK_EQUAL(go_run(nothing, NULL), 0);
    }
}

/* --- threads --- */

static void no_threads(void)
{
    if (getuid() == 0) {
        /* Root is exempt; another user's processes are counted, and those limits hold. */
        CHECK_EQUAL(setgid(65534), 0);
        CHECK_EQUAL(setuid(65534), 0);
    }
    set_limit(RLIMIT_NPROC, 1);
    int result = go_run(nothing, NULL);
    CHECK(result == -EAGAIN || result == 0); /* 0: a capability exempts us */
}

/* --- peers --- */

static int write_to_nobody(void *arg)
{
    char at[64], block[4096] = {0};
    ssize_t n;
    (void)arg;
    int listener = go_listen("tcp", "127.0.0.1:0");
    CHECK(listener >= 0 && go_local_address(listener, at, sizeof at) > 0);
    int client = go_dial("tcp", at), server = go_accept(listener);
    CHECK(client >= 0 && server >= 0);
    const struct linger abort_it = {.l_onoff = 1};
    CHECK_EQUAL(setsockopt(server, SOL_SOCKET, SO_LINGER, &abort_it, sizeof abort_it), 0);
    CHECK_EQUAL(go_close(server), 0);
    n = go_read(client, block, sizeof block);
    CHECK_EQUAL(n, -ECONNRESET);
    CHECK_EQUAL(go_write(client, block, sizeof block), -EPIPE); /* and no signal, which would end us */
    CHECK(go_close(client) == 0 && go_close(listener) == 0);
    return 0;
}

static void closed_peer(void)
{
    (void)signal(SIGPIPE, SIG_DFL);
    CHECK_EQUAL(go_run(write_to_nobody, NULL), 0);
}

#define MUCH ((size_t)1 << 20)

static void write_much(void *arg)
{
    int fd = *(int *)arg;
    char *all = malloc(MUCH);
    CHECK(all != NULL);
    for (size_t i = 0; i < MUCH; i++) {
        all[i] = (char)(i * 7 >> 3);
    }
    CHECK_EQUAL(go_write(fd, all, MUCH), (ssize_t)MUCH);
    CHECK_EQUAL(go_shutdown(fd, SHUT_WR), 0);
    free(all);
}

static int write_in_pieces(void *arg)
{
    int ends[2], tiny = 1;
    char piece[333];
    size_t got = 0;
    ssize_t n;
    (void)arg;
    CHECK_EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    CHECK_EQUAL(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &tiny, sizeof tiny), 0);
    CHECK_EQUAL(go_spawn(NULL, write_much, &ends[0]), 0);
    while ((n = go_read(ends[1], piece, sizeof piece)) > 0) {
        for (ssize_t i = 0; i < n; i++, got++) {
            CHECK(piece[i] == (char)(got * 7 >> 3));
        }
    }
    CHECK(n == 0 && got == MUCH);
    while (go_count() > 1) {
        go_yield();
    }
    CHECK(go_close(ends[0]) == 0 && go_close(ends[1]) == 0);
    return 0;
}

static void short_writes(void)
{
    CHECK_EQUAL(go_run(write_in_pieces, NULL), 0);
}

#define LIMIT_TEST(f)                                        \
    {                                                        \
#f, in_child, NULL, NULL, &(void (*[])(void)){f }[0] \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIMIT_TEST(no_descriptors_for_start),
        LIMIT_TEST(no_descriptors_for_sockets),
        LIMIT_TEST(no_addresses),
        LIMIT_TEST(no_threads),
        LIMIT_TEST(closed_peer),
        LIMIT_TEST(short_writes),
    };
    return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
