/* Sockets beside Go's own cases (net, os, os/signal and internal/poll). */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <go.h>

#include "unit/net/net_support.h"

static atomic_int ended;
static char byte;

/* TestConnAndListener: every network, a server that answers, names at both ends. */
NET_TEST(conn_and_listener)
{
    static const struct {
        const char *network, *address;
    } table[] = {{"tcp", "127.0.0.1:0"}, {"tcp4", "127.0.0.1:0"}, {"unix", "@goco-conformance"}};
    for (size_t i = 0; i < 3; i++) {
        struct pair p = net_pair(table[i].network, table[i].address);
        char local[64], peer[64], buffer[64];
        CHECK(go_local_address(p.server, local, sizeof local) >= 0 && go_peer_address(p.client, peer, sizeof peer) >= 0);
        CHECK(strcmp(local, peer) == 0);
        CHECK(go_write(p.client, "hello", 5) == 5 && go_read_full(p.server, buffer, 5) == 5);
        CHECK(go_write(p.server, buffer, 5) == 5 && go_read_full(p.client, buffer, 5) == 5);
        CHECK(memcmp(buffer, "hello", 5) == 0);
        close_pair(p);
    }
    return 0;
}

/* TestReadTimeoutUnblocksRead, testVariousDeadlines: from nanoseconds to a second. */
NET_TEST(various_deadlines)
{
    static const int64_t durations[] = {1, 2, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 50000000};
    struct pair p = tcp_pair();
    for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
        for (int again = 0; again < 3; again++) {
            int64_t start = go_now();
            CHECK(go_set_read_deadline(p.client, start + durations[i]) == 0);
            CHECK_EQUAL(go_read(p.client, &byte, 1), -ETIMEDOUT);
            CHECK(go_now() - start >= durations[i]);
        }
    }
    close_pair(p);
    return 0;
}

/* TestReadFromTimeout, TestAcceptTimeout. */
NET_TEST(accept_and_datagram_deadlines)
{
    int listener = go_listen("tcp", "127.0.0.1:0"), datagrams = go_listen("udp", "127.0.0.1:0");
    CHECK(go_set_deadline(listener, go_now() + GO_MILLISECOND) == 0 && go_set_deadline(datagrams, go_now() + GO_MILLISECOND) == 0);
    for (int i = 0; i < 2; i++) { /* and it stays so */
        CHECK_EQUAL(go_accept(listener), -ETIMEDOUT);
        CHECK_EQUAL(go_recvfrom(datagrams, &byte, 1, 0, NULL, NULL), -ETIMEDOUT);
    }
    CHECK(go_close(listener) == 0 && go_close(datagrams) == 0);
    return 0;
}

struct reader {
    int fd;
    ssize_t result;
};

static void read_one(void *arg)
{
    struct reader *r = arg;
    char b;
    r->result = go_read(r->fd, &b, 1);
    atomic_fetch_add(&ended, 1);
}

/* TestCloseRead, TestCloseWrite: half a connection. */
NET_TEST(half_closed)
{
    struct pair p = tcp_pair();
    CHECK(go_shutdown(p.client, SHUT_WR) == 0);
    CHECK_EQUAL(go_read(p.server, &byte, 1), 0);
    CHECK_EQUAL(go_write(p.client, "x", 1), -EPIPE);
    CHECK_EQUAL(go_write(p.server, "x", 1), 1);
    CHECK_EQUAL(go_read(p.client, &byte, 1), 1);
    close_pair(p);
    return 0;
}

/* TestCloseUnblocksRead; TestListenerClose: a second close is an error, a call on the closed one too. */
NET_TEST(close_unblocks)
{
    static struct reader r;
    struct pair p = tcp_pair();
    atomic_store(&ended, 0);
    r = (struct reader){.fd = p.client};
    go(read_one, &r);
    settle();
    CHECK(go_close(p.client) == 0);
    await_count(&ended, 1);
    CHECK_EQUAL(r.result, -ECANCELED);
    CHECK_EQUAL(go_close(p.client), -EBADF);
    CHECK_EQUAL(go_read(p.client, &byte, 1), -EBADF);
    CHECK(go_close(p.server) == 0);
    return 0;
}

/* TestZeroByteRead. */
NET_TEST(zero_bytes)
{
    struct pair p = tcp_pair();
    CHECK_EQUAL(go_read(p.client, NULL, 0), 0);
    CHECK_EQUAL(go_write(p.client, NULL, 0), 0);
    close_pair(p);
    return 0;
}

/* TestDialTimeout, TestSelfConnect: a port nobody listens on is refused, never met by itself. */
NET_TEST(dial_does_not_meet_itself)
{
    char at[64];
    int listener = go_listen("tcp", "127.0.0.1:0");
    CHECK(go_local_address(listener, at, sizeof at) > 0);
    CHECK(go_close(listener) == 0);
    for (int i = 0; i < 2000; i++) {
        CHECK_EQUAL(go_dial("tcp", at), -ECONNREFUSED);
    }
    return 0;
}

/* TestConcurrentPreferGoResolversDial's relative: many dial one listener at once. */
static char dial_address[64];

static void dial_and_close(void *arg)
{
    (void)arg;
    int fd = go_dial("tcp", dial_address);
    CHECK(fd >= 0);
    CHECK(go_write(fd, "x", 1) == 1);
    CHECK_EQUAL(go_read(fd, &byte, 1), 0); /* the server hangs up */
    CHECK(go_close(fd) == 0);
    atomic_fetch_add(&ended, 1);
}

static void accept_one(void *arg)
{
    char b;
    int fd = go_accept((int)(intptr_t)arg);
    CHECK(fd >= 0);
    CHECK_EQUAL(go_read(fd, &b, 1), 1);
    CHECK(go_close(fd) == 0);
}

NET_TEST(many_accept_at_one_listener)
{
    enum { MANY = 200 };
    int listener = go_listen("tcp", "127.0.0.1:0");
    CHECK(listener >= 0 && go_local_address(listener, dial_address, sizeof dial_address) > 0);
    atomic_store(&ended, 0);
    for (int i = 0; i < MANY; i++) {
        go(accept_one, (void *)(intptr_t)listener);
        go(dial_and_close, NULL);
    }
    await_count(&ended, MANY);
    CHECK(go_close(listener) == 0);
    return 0;
}

/* os.TestPipeEOF, TestReadNonblockingFd's relative: a pipe made by others. */
NET_TEST(pipe_end)
{
    static struct reader r;
    int ends[2];
    CHECK(pipe(ends) == 0);
    atomic_store(&ended, 0);
    r = (struct reader){.fd = ends[0]};
    go(read_one, &r);
    settle();
    CHECK(go_close(ends[1]) == 0);
    await_count(&ended, 1);
    CHECK_EQUAL(r.result, 0);
    CHECK(go_close(ends[0]) == 0);
    return 0;
}

/* os/signal: TestSignal, TestStop, TestNotify's drop when the channel is full. */
NET_TEST(signals)
{
    go_chan *c = go_chan_new(sizeof(int), 1);
    int signo;
    signal(SIGWINCH, SIG_IGN);
    CHECK(go_signal_notify(c, SIGWINCH) == 0);
    for (int i = 0; i < 3; i++) {
        CHECK(kill(getpid(), SIGWINCH) == 0);
        CHECK(go_chan_recv(c, &signo) == 0 && signo == SIGWINCH);
    }
    CHECK(go_signal_stop(c, SIGWINCH) == 0);
    CHECK(kill(getpid(), SIGWINCH) == 0);
    CHECK(go_sleep(20 * GO_MILLISECOND) == 0);
    CHECK_EQUAL(go_chan_len(c), 0);
    go_chan_unref(c);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conn_and_listener),
        cmocka_unit_test(various_deadlines),
        cmocka_unit_test(accept_and_datagram_deadlines),
        cmocka_unit_test(half_closed),
        cmocka_unit_test(close_unblocks),
        cmocka_unit_test(zero_bytes),
        cmocka_unit_test(dial_does_not_meet_itself),
        cmocka_unit_test(many_accept_at_one_listener),
        cmocka_unit_test(pipe_end),
        cmocka_unit_test(signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
