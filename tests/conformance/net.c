/* Sockets beside Go's own cases (net, os, os/signal and internal/poll). */
#include <dirent.h>
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
    int listener = go_listen("tcp", own_name("127.0.0.1:0", at, sizeof at));
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

/* TestCloseUnblocksReadUDP. */
NET_TEST(close_unblocks_datagrams)
{
    static struct reader r;
    atomic_store(&ended, 0);
    r = (struct reader){.fd = go_listen("udp", "127.0.0.1:0")};
    CHECK(r.fd >= 0);
    go(read_one, &r);
    settle();
    CHECK(go_close(r.fd) == 0);
    await_count(&ended, 1);
    CHECK_EQUAL(r.result, -ECANCELED);
    return 0;
}

/* TestUDPZeroBytePayload, TestUnixgramZeroBytePayload: an empty datagram is one, and not the end. */
NET_TEST(empty_datagrams_arrive)
{
    static const struct {
        const char *network, *address;
    } table[] = {{"udp", "127.0.0.1:0"}, {"unixgram", "@goco-conformance-datagrams"}};
    for (size_t i = 0; i < 2; i++) {
        char at[128], b = 0;
        int server = go_listen(table[i].network, own_name(table[i].address, at, sizeof at));
        CHECK(server >= 0 && go_local_address(server, at, sizeof at) > 0);
        int client = go_dial(table[i].network, at);
        CHECK(client >= 0);
        CHECK_EQUAL(go_sendto(client, "", 0, 0, NULL, 0), 0);
        CHECK_EQUAL(go_sendto(client, "x", 1, 0, NULL, 0), 1);
        CHECK_EQUAL(go_recvfrom(server, &b, 1, 0, NULL, NULL), 0);
        CHECK_EQUAL(go_recvfrom(server, &b, 1, 0, NULL, NULL), 1);
        CHECK_EQUAL(b, 'x');
        CHECK(go_close(client) == 0 && go_close(server) == 0);
    }
    return 0;
}

/* TestReadTimeoutMustNotReturn: a deadline taken back does not end the wait. */
NET_TEST(no_deadline_no_end)
{
    static struct reader r;
    struct pair p = tcp_pair();
    atomic_store(&ended, 0);
    r = (struct reader){.fd = p.client};
    CHECK(go_set_deadline(p.client, 0) == 0);
    CHECK_EQUAL(go_read(p.client, &byte, 1), -ETIMEDOUT);
    CHECK(go_set_deadline(p.client, go_now() + 3600 * GO_SECOND) == 0 && go_set_deadline(p.client, GO_FOREVER) == 0);
    go(read_one, &r);
    CHECK(go_sleep(50 * GO_MILLISECOND) == 0);
    CHECK_EQUAL(atomic_load(&ended), 0);
    CHECK_EQUAL(go_write(p.server, "x", 1), 1);
    await_count(&ended, 1);
    CHECK_EQUAL(r.result, 1);
    close_pair(p);
    return 0;
}

/* TestWriteTimeout, TestWriteTimeoutFluctuation: into a connection that nobody reads from. */
NET_TEST(writes_time_out_too)
{
    static char much[1 << 20];
    struct pair p = tcp_pair();
    for (int64_t duration = GO_MILLISECOND; duration <= 16 * GO_MILLISECOND; duration *= 2) {
        int64_t start = go_now();
        ssize_t n;
        CHECK(go_set_write_deadline(p.client, start + duration) == 0);
        while ((n = go_write(p.client, much, sizeof much)) > 0) {}
        CHECK_EQUAL(n, -ETIMEDOUT);
        CHECK(go_now() - start >= duration);
    }
    close_pair(p);
    return 0;
}

/* TestDialTimeoutMaxDuration: the longest deadline does not wrap around. */
NET_TEST(a_dial_may_have_for_ever)
{
    char at[64];
    int listener = go_listen("tcp", "127.0.0.1:0");
    CHECK(go_local_address(listener, at, sizeof at) > 0);
    int fd = go_dial_until("tcp", at, GO_FOREVER);
    CHECK(fd >= 0 && go_close(fd) == 0);
    fd = go_dial_until("tcp", at, GO_FOREVER - 1);
    CHECK(fd >= 0 && go_close(fd) == 0);
    CHECK(go_close(listener) == 0);
    return 0;
}

static void accept_in_vain(void *arg)
{
    atomic_fetch_add(&ended, 1);
    int code = go_accept((int)(intptr_t)arg);
    CHECK(code == -ECANCELED || code == -EBADF || code == -ENOTSOCK); /* the latter ones: it came too late for the listener */
    atomic_fetch_add(&ended, 1);
}

/* TestClosingListener, TestTCPListenAfterClose: the port is free as soon as close returned, whoever waited. */
NET_TEST(a_port_can_be_listened_on_again)
{
    char at[64];
    int listener = go_listen("tcp", "127.0.0.1:0");
    CHECK(listener >= 0 && go_local_address(listener, at, sizeof at) > 0);
    for (int i = 0; i < 10; i++) {
        atomic_store(&ended, 0);
        go(accept_in_vain, (void *)(intptr_t)listener);
        await_count(&ended, 1);
        settle();
        CHECK(go_close(listener) == 0);
        int in_its_place = open("/dev/null", O_RDONLY | O_CLOEXEC); /* so that one who comes late does not meet the next listener */
        listener = go_listen("tcp", at);
        CHECK(in_its_place >= 0 && listener >= 0);
        await_count(&ended, 2);
        CHECK(close(in_its_place) == 0);
    }
    CHECK(go_close(listener) == 0);
    return 0;
}

static int threads_of_the_process(void)
{
    int n = 0;
    DIR *folder = opendir("/proc/self/task");
    CHECK(folder != NULL);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        n += entry->d_name[0] != '.';
    }
    (void)closedir(folder);
    return n;
}

/* os.TestPipeThreads: who waits for a descriptor keeps no thread. */
NET_TEST(waiting_readers_keep_no_threads)
{
    enum { PIPES = 100 };
    static struct reader readers[PIPES];
    static int ends[PIPES][2];
    atomic_store(&ended, 0);
    for (int i = 0; i < PIPES; i++) {
        CHECK(pipe(ends[i]) == 0);
        readers[i] = (struct reader){.fd = ends[i][0]};
        go(read_one, &readers[i]);
    }
    settle();
    CHECK(threads_of_the_process() < go_procs() + 20);
    for (int i = 0; i < PIPES; i++) {
        CHECK_EQUAL(go_write(ends[i][1], "x", 1), 1);
    }
    await_count(&ended, PIPES);
    for (int i = 0; i < PIPES; i++) {
        CHECK_EQUAL(readers[i].result, 1);
        CHECK(go_close(ends[i][0]) == 0 && go_close(ends[i][1]) == 0);
    }
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

/* os/signal: TestSIGCONT. */
NET_TEST(continuing_is_a_signal_too)
{
    go_chan *c = go_chan_new(sizeof(int), 1);
    int signo;
    CHECK(go_signal_notify(c, SIGCONT) == 0);
    CHECK(kill(getpid(), SIGCONT) == 0);
    CHECK(go_chan_recv(c, &signo) == 0 && signo == SIGCONT);
    CHECK(go_signal_stop(c, SIGCONT) == 0);
    go_chan_unref(c);
    return 0;
}

static void yield_until_ended(void *arg)
{
    (void)arg;
    while (atomic_load(&ended) == 0) {
        go_yield();
    }
    atomic_fetch_add(&ended, 1);
}

/* os/signal: TestStress. */
NET_TEST(signals_among_busy_goroutines)
{
    go_chan *c = go_chan_new(sizeof(int), 1);
    int signo, many = 0;
    signal(SIGUSR1, SIG_IGN); /* for those that are on their way at the end */
    atomic_store(&ended, 0);
    CHECK(go_signal_notify(c, SIGUSR1) == 0);
    go(yield_until_ended, NULL);
    go(yield_until_ended, NULL);
    for (int64_t end = go_now() + 50 * GO_MILLISECOND; go_now() < end;) {
        CHECK(kill(getpid(), SIGUSR1) == 0);
        many += go_chan_try_recv(c, &signo) == 0;
        go_yield();
    }
    CHECK(many > 0 || go_chan_recv(c, &signo) == 0);
    atomic_store(&ended, 1);
    await_count(&ended, 3);
    CHECK(go_signal_stop(c, SIGUSR1) == 0);
    go_chan_unref(c);
    return 0;
}

static atomic_int handled;

static void count_signal(int signo)
{
    (void)signo;
    atomic_fetch_add(&handled, 1);
}

static void send_signal(void *arg)
{
    (void)arg;
    CHECK(kill(getpid(), SIGUSR2) == 0);
    atomic_fetch_add(&ended, 1);
}

#if defined(__SANITIZE_THREAD__)
#define KEEPS_SIGNALS_BACK 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define KEEPS_SIGNALS_BACK 1
#endif
#endif
#ifndef KEEPS_SIGNALS_BACK
#define KEEPS_SIGNALS_BACK 0
#endif

/* os/signal: TestAtomicStop. A signal that comes while its subscription ends is sent to the channel or left to what was there before:
 * it is not lost. ThreadSanitizer keeps the program's own handlers back until their thread calls it, which go_run's does not. */
NET_TEST(no_signal_is_lost_by_stop)
{
    struct sigaction counting = {.sa_handler = count_signal}, before;
    CHECK(sigaction(SIGUSR2, &counting, &before) == 0);
    for (int i = 0; i < 300 && !KEEPS_SIGNALS_BACK; i++) {
        go_chan *c = go_chan_new(sizeof(int), 1);
        atomic_store(&ended, 0);
        atomic_store(&handled, 0);
        CHECK(go_signal_notify(c, SIGUSR2) == 0);
        go(send_signal, NULL);
        for (int spin = 0; spin < i % 30 * 30; spin++) {
            atomic_thread_fence(memory_order_seq_cst);
        }
        if (i % 3 == 0) {
            go_yield();
        }
        CHECK(go_signal_stop(c, SIGUSR2) == 0);
        int received = (int)go_chan_len(c);
        await_count(&ended, 1);
        for (int64_t end = go_now() + GO_SECOND; received + atomic_load(&handled) == 0 && go_now() < end;) {
            CHECK(go_sleep(100 * GO_MICROSECOND) == 0);
        }
        CHECK_EQUAL(received + atomic_load(&handled), 1);
        CHECK_EQUAL(go_chan_len(c), received);
        go_chan_unref(c);
    }
    CHECK(sigaction(SIGUSR2, &before, NULL) == 0);
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
        cmocka_unit_test(close_unblocks_datagrams),
        cmocka_unit_test(empty_datagrams_arrive),
        cmocka_unit_test(no_deadline_no_end),
        cmocka_unit_test(writes_time_out_too),
        cmocka_unit_test(a_dial_may_have_for_ever),
        cmocka_unit_test(a_port_can_be_listened_on_again),
        cmocka_unit_test(waiting_readers_keep_no_threads),
        cmocka_unit_test(pipe_end),
        cmocka_unit_test(signals),
        cmocka_unit_test(continuing_is_a_signal_too),
        cmocka_unit_test(signals_among_busy_goroutines),
        cmocka_unit_test(no_signal_is_lost_by_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
