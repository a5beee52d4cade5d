/* Reading and writing: streams, ends of streams, errors, vectors, datagrams. */
#include "unit/net/net_support.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LARGE ((size_t)4 << 20) /* more than socket buffers hold */

static unsigned char pattern(size_t i)
{
    return (unsigned char)(i * 31 + (i >> 8) * 7);
}

struct transfer {
    int fd;
    size_t size;
    int64_t result;
    go_waitgroup done;
};

static void send_large(void *arg)
{
    struct transfer *t = arg;
    unsigned char *data = malloc(t->size);
    for (size_t i = 0; i < t->size; i++) {
        data[i] = pattern(i);
    }
    t->result = go_write(t->fd, data, t->size);
    free(data);
    CHECK(go_shutdown(t->fd, SHUT_WR) == 0);
    go_waitgroup_done(&t->done);
}

/* The writer blocks again and again while a slow reader takes odd pieces. */
NET_TEST(short_writes_are_finished)
{
    struct pair p = tcp_pair();
    static struct transfer t;
    unsigned char piece[7001];
    size_t total = 0;
    ssize_t n;
    t = (struct transfer){.fd = p.client, .size = LARGE};
    go_waitgroup_add(&t.done, 1);
    go(send_large, &t);
    while ((n = go_read(p.server, piece, 1 + total % sizeof piece)) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            CHECK(piece[i] == pattern(total + (size_t)i));
        }
        total += (size_t)n;
    }
    CHECK_EQUAL(n, 0);
    CHECK_EQUAL(total, LARGE);
    go_waitgroup_wait(&t.done);
    CHECK_EQUAL(t.result, (int64_t)LARGE);
    close_pair(p);
    return 0;
}

/* Data and the end of the stream come with one event: a read that takes the data only must not make the next one wait for ever. */
NET_TEST(the_end_behind_the_data_is_not_lost)
{
    for (int i = 0; i < 300; i++) {
        struct pair p = tcp_pair();
        char byte[16];
        if (i % 3 == 1) {
            CHECK(go_write(p.server, "x", 1) == 1); /* registered, and drained once, before the end comes */
            CHECK(go_read(p.client, byte, sizeof byte) == 1);
        }
        CHECK(go_write(p.server, "hello", 5) == 5);
        CHECK(go_close(p.server) == 0);
        if (i % 3 == 2) {
            CHECK(go_sleep(200 * GO_MICROSECOND) == 0);
        }
        CHECK_EQUAL(go_read(p.client, byte, sizeof byte), 5);
        CHECK_EQUAL(go_read(p.client, byte, sizeof byte), 0);
        CHECK_EQUAL(go_read(p.client, byte, sizeof byte), 0);
        CHECK(go_close(p.client) == 0);
    }
    return 0;
}

static void write_later(void *arg)
{
    CHECK(go_sleep(GO_MILLISECOND) == 0);
    CHECK(go_write((int)(intptr_t)arg, "later", 5) == 5);
}

/* After urgent data a short read means only that the mark was reached. */
NET_TEST(urgent_data_does_not_hide_what_follows)
{
    struct pair p = tcp_pair();
    char buffer[64];
    size_t got = 0;
    CHECK(go_write(p.client, "before", 6) == 6);
    CHECK(go_sendto(p.client, "!", 1, MSG_OOB, NULL, 0) == 1);
    CHECK(go_write(p.client, "after", 5) == 5);
    CHECK(go_sleep(5 * GO_MILLISECOND) == 0);
    while (got < 11) {
        CHECK(go_set_read_deadline(p.server, go_now() + 5 * GO_SECOND) == 0);
        ssize_t n = go_read(p.server, buffer + got, sizeof buffer - got);
        CHECK(n > 0);
        got += (size_t)n;
    }
    CHECK(memcmp(buffer, "beforeafter", 11) == 0);
    close_pair(p);
    return 0;
}

NET_TEST(read_full_reads_all_or_to_the_end)
{
    struct pair p = tcp_pair();
    char buffer[16];
    CHECK(go_write(p.client, "first", 5) == 5);
    go(write_later, (void *)(intptr_t)p.client);
    CHECK_EQUAL(go_read_full(p.server, buffer, 10), 10);
    CHECK(memcmp(buffer, "firstlater", 10) == 0);
    CHECK(go_write(p.client, "end", 3) == 3);
    CHECK(go_shutdown(p.client, SHUT_WR) == 0);
    CHECK_EQUAL(go_read_full(p.server, buffer, 10), 3);
    CHECK_EQUAL(go_read_full(p.server, buffer, 10), 0);
    CHECK_EQUAL(go_read(p.server, buffer, 0), 0);
    CHECK_EQUAL(go_read_full(p.server, buffer, 0), 0);
    close_pair(p);
    return 0;
}

NET_TEST(vectors)
{
    struct pair p = tcp_pair();
    char a[3], b[4], c[5];
    struct iovec out[] = {{"one", 3}, {"", 0}, {"four", 4}, {"five5", 5}};
    struct iovec in[] = {{a, 3}, {NULL, 0}, {b, 4}, {c, 5}};
    CHECK_EQUAL(go_writev(p.client, out, 4), 12);
    CHECK(go_sleep(2 * GO_MILLISECOND) == 0);
    CHECK_EQUAL(go_readv(p.server, in, 4), 12);
    CHECK(memcmp(a, "one", 3) == 0 && memcmp(b, "four", 4) == 0 && memcmp(c, "five5", 5) == 0);
    CHECK_EQUAL(go_writev(p.client, out, 0), 0);
    CHECK_EQUAL(go_writev(p.client, &out[1], 1), 0);
    CHECK_EQUAL(go_readv(p.server, in, 0), 0);
    CHECK_EQUAL(go_readv(p.server, &in[1], 1), 0);
    CHECK_EQUAL(go_writev(p.client, out, -1), -EINVAL);
    CHECK_EQUAL(go_readv(p.server, in, -1), -EINVAL);
    CHECK_EQUAL(go_readv(p.server, in, 1025), -EINVAL);
    close_pair(p);
    return 0;
}

static void writev_large(void *arg)
{
    struct transfer *t = arg;
    enum { PARTS = 3000 };
    unsigned char *data = malloc(t->size);
    struct iovec *iov = calloc(PARTS, sizeof *iov), *same = calloc(PARTS, sizeof *iov);
    for (size_t i = 0; i < t->size; i++) {
        data[i] = pattern(i);
    }
    for (size_t i = 0; i < PARTS; i++) {
        size_t from = t->size * i / PARTS, to = t->size * (i + 1) / PARTS;
        iov[i] = same[i] = (struct iovec){data + from, to - from};
    }
    t->result = go_writev(t->fd, iov, PARTS);
    CHECK(memcmp(iov, same, PARTS * sizeof *iov) == 0);
    free(iov);
    free(same);
    free(data);
    CHECK(go_shutdown(t->fd, SHUT_WR) == 0);
    go_waitgroup_done(&t->done);
}

/* More parts than one system call takes, cut off in the middle of some. */
NET_TEST(a_long_vector_is_written_whole)
{
    struct pair p = tcp_pair();
    static struct transfer t;
    unsigned char *got = malloc(LARGE);
    t = (struct transfer){.fd = p.server, .size = LARGE};
    go_waitgroup_add(&t.done, 1);
    go(writev_large, &t);
    CHECK_EQUAL(go_read_full(p.client, got, LARGE), (ssize_t)LARGE);
    for (size_t i = 0; i < LARGE; i++) {
        CHECK(got[i] == pattern(i));
    }
    go_waitgroup_wait(&t.done);
    CHECK_EQUAL(t.result, (int64_t)LARGE);
    free(got);
    close_pair(p);
    return 0;
}

static void *write_outside(void *arg)
{
    int ends[2];
    struct iovec one = {"x", 1};
    sigset_t signals;
    CHECK(sigemptyset(&signals) == 0 && sigaddset(&signals, SIGPIPE) == 0);
    CHECK(pthread_sigmask(SIG_UNBLOCK, &signals, NULL) == 0); /* it would end the process */
    CHECK(pipe(ends) == 0);
    CHECK(go_close(ends[0]) == 0);
    CHECK_EQUAL(go_write(ends[1], "x", 1), -EPIPE);
    CHECK_EQUAL(go_writev(ends[1], &one, 1), -EPIPE);
    CHECK(sigpending(&signals) == 0 && sigismember(&signals, SIGPIPE) == 0);
    CHECK(pthread_sigmask(SIG_SETMASK, NULL, &signals) == 0 && sigismember(&signals, SIGPIPE) == 0);
    CHECK(go_close(ends[1]) == 0);
    return arg;
}

NET_TEST(a_foreign_thread_gets_epipe_and_no_signal)
{
    pthread_t thread;
    go_block_begin();
    CHECK(pthread_create(&thread, NULL, write_outside, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    go_block_end();
    return 0;
}

/* No signal: the test would be dead. */
NET_TEST(writing_to_nobody_is_epipe)
{
    struct pair p = tcp_pair();
    int ends[2];
    ssize_t n = 1;
    CHECK(go_close(p.server) == 0);
    for (int i = 0; i < 100 && n > 0; i++) {
        n = go_write(p.client, "x", 1);
        CHECK(go_sleep(100 * GO_MICROSECOND) == 0);
    }
    CHECK(n == -EPIPE || n == -ECONNRESET);
    CHECK_EQUAL(go_write(p.client, "x", 1), -EPIPE);
    CHECK(go_close(p.client) == 0);
    CHECK(pipe(ends) == 0);
    CHECK(go_close(ends[0]) == 0);
    CHECK_EQUAL(go_write(ends[1], "x", 1), -EPIPE);
    struct iovec one = {"x", 1};
    CHECK_EQUAL(go_writev(ends[1], &one, 1), -EPIPE);
    CHECK(go_close(ends[1]) == 0);
    return 0;
}

static atomic_int results;
static int64_t last_result;

static void read_one(void *arg)
{
    char byte;
    last_result = go_read((int)(intptr_t)arg, &byte, 1);
    atomic_fetch_add(&results, 1);
}

static void reset_connection(int fd)
{
    struct linger now = {1, 0};
    CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
    CHECK(go_close(fd) == 0);
}

NET_TEST(a_reset_wakes_a_parked_reader)
{
    struct pair p = tcp_pair();
    atomic_store(&results, 0);
    go(read_one, (void *)(intptr_t)p.client);
    settle();
    reset_connection(p.server);
    await_count(&results, 1);
    CHECK_EQUAL(last_result, -ECONNRESET);
    CHECK(go_close(p.client) == 0);
    return 0;
}

static void write_until_error(void *arg)
{
    static char block[65536];
    do {
        last_result = go_write((int)(intptr_t)arg, block, sizeof block);
    } while (last_result > 0);
    atomic_fetch_add(&results, 1);
}

NET_TEST(a_reset_wakes_a_parked_writer)
{
    struct pair p = tcp_pair();
    atomic_store(&results, 0);
    go(write_until_error, (void *)(intptr_t)p.client);
    CHECK(go_sleep(20 * GO_MILLISECOND) == 0);
    CHECK_EQUAL(atomic_load(&results), 0);
    reset_connection(p.server);
    await_count(&results, 1);
    CHECK(last_result == -ECONNRESET || last_result == -EPIPE);
    CHECK(go_close(p.client) == 0);
    return 0;
}

NET_TEST(shutdown_wakes_a_parked_reader)
{
    struct pair p = tcp_pair();
    atomic_store(&results, 0);
    go(read_one, (void *)(intptr_t)p.client);
    settle();
    CHECK(go_shutdown(p.client, SHUT_RD) == 0);
    await_count(&results, 1);
    CHECK_EQUAL(last_result, 0);
    CHECK_EQUAL(go_shutdown(p.client, 99), -EINVAL);
    close_pair(p);
    CHECK_EQUAL(go_shutdown(p.client, SHUT_RD), -EBADF);
    return 0;
}

NET_TEST(datagrams)
{
    char at[64], buffer[16];
    int server = go_listen("udp", "127.0.0.1:0");
    CHECK(server >= 0 && go_local_address(server, at, sizeof at) > 0);
    int client = go_dial("udp", at);
    CHECK(client >= 0);
    CHECK_EQUAL(go_write(client, "ping", 4), 4);
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    CHECK_EQUAL(go_recvfrom(server, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &size), 4);
    CHECK(size == sizeof from && from.sin_family == AF_INET);
    CHECK_EQUAL(go_recvfrom(server, buffer, sizeof buffer, MSG_DONTWAIT, NULL, NULL), -EAGAIN);
    CHECK_EQUAL(go_sendto(server, "pong!", 5, 0, (struct sockaddr *)&from, size), 5);
    CHECK_EQUAL(go_read(client, buffer, sizeof buffer), 5);
    CHECK_EQUAL(go_write(client, "", 0), 0); /* an empty datagram */
    CHECK_EQUAL(go_recvfrom(server, buffer, sizeof buffer, 0, NULL, NULL), 0);
    struct iovec part = {buffer, sizeof buffer};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    CHECK_EQUAL(go_write(client, "message", 7), 7);
    CHECK_EQUAL(go_recvmsg(server, &message, 0), 7);
    part = (struct iovec){"sent", 4};
    message = (struct msghdr){.msg_iov = &part, .msg_iovlen = 1, .msg_name = &from, .msg_namelen = size};
    CHECK_EQUAL(go_sendmsg(server, &message, 0), 4);
    CHECK_EQUAL(go_read(client, buffer, sizeof buffer), 4);
    CHECK(go_close(server) == 0 && go_close(client) == 0);
    return 0;
}

static void receive_one(void *arg)
{
    char buffer[16];
    last_result = go_recvfrom((int)(intptr_t)arg, buffer, sizeof buffer, 0, NULL, NULL);
    atomic_fetch_add(&results, 1);
}

NET_TEST(a_datagram_wakes_a_parked_receiver)
{
    char at[64];
    int server = go_listen("udp4", "127.0.0.1:0");
    CHECK(server >= 0 && go_local_address(server, at, sizeof at) > 0);
    int client = go_dial("udp4", at);
    for (int i = 1; i <= 50; i++) {
        if (i == 1) {
            atomic_store(&results, 0);
        }
        go(receive_one, (void *)(intptr_t)server);
        go_yield();
        CHECK(go_write(client, "x", 1) == 1);
        await_count(&results, i);
        CHECK_EQUAL(last_result, 1);
    }
    CHECK(go_close(server) == 0 && go_close(client) == 0);
    return 0;
}

/* A unix receiver's full queue, filled by one socket and sent to by another, of which the kernel tells nothing when there is room again. */
struct crowd {
    struct sockaddr_un at;
    socklen_t size;
    int receiver, filler, sender;
};

static void fill(struct crowd *c)
{
    *c = (struct crowd){.at = {.sun_family = AF_UNIX}, .size = sizeof c->at};
    c->receiver = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    c->filler = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    c->sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(bind(c->receiver, (struct sockaddr *)&c->at, sizeof(sa_family_t)) == 0); /* a name of the kernel's choice */
    CHECK(getsockname(c->receiver, (struct sockaddr *)&c->at, &c->size) == 0);
    while (go_sendto(c->filler, "f", 1, MSG_DONTWAIT, (struct sockaddr *)&c->at, c->size) == 1) {}
    CHECK_EQUAL(go_sendto(c->sender, "s", 1, MSG_DONTWAIT, (struct sockaddr *)&c->at, c->size), -EAGAIN);
}

static void empty(struct crowd *c)
{
    char buffer[4];
    while (go_recvfrom(c->receiver, buffer, sizeof buffer, MSG_DONTWAIT, NULL, NULL) == 1) {}
}

static void send_one(void *arg)
{
    struct crowd *c = arg;
    last_result = go_sendto(c->sender, "s", 1, 0, (struct sockaddr *)&c->at, c->size);
    atomic_fetch_add(&results, 1);
}

static void send_message(void *arg)
{
    struct crowd *c = arg;
    struct iovec part = {"s", 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_name = &c->at, .msg_namelen = c->size};
    last_result = go_sendmsg(c->sender, &message, 0);
    atomic_fetch_add(&results, 1);
}

static void send_bound(void *arg)
{
    go_context *ctx = go_context_with_timeout(NULL, 20 * GO_MILLISECOND);
    (void)go_context_bind(ctx);
    send_one(arg);
    (void)go_context_bind(NULL);
    go_context_unref(ctx);
}

/* Of the process. */
static int64_t cpu_time(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) == 0);
    return (int64_t)now.tv_sec * GO_SECOND + now.tv_nsec;
}

NET_TEST(a_full_receiver_is_waited_for)
{
    static struct crowd c;
    static const go_func how[] = {send_one, send_message};
    for (int i = 0; i < 2; i++) {
        char buffer[4];
        fill(&c);
        atomic_store(&results, 0);
        go(how[i], &c);
        int64_t before = cpu_time();
        CHECK(go_sleep(100 * GO_MILLISECOND) == 0);
        CHECK(cpu_time() - before < 50 * GO_MILLISECOND); /* each try that failed was an event once */
        CHECK_EQUAL(atomic_load(&results), 0);
        empty(&c);
        await_count(&results, 1);
        CHECK_EQUAL(last_result, 1);
        CHECK(go_read(c.receiver, buffer, sizeof buffer) == 1 && buffer[0] == 's');
        CHECK(go_close(c.receiver) == 0 && go_close(c.filler) == 0 && go_close(c.sender) == 0);
    }
    return 0;
}

/* The sender's own buffer is more than a quarter full with what a third has not received: so it is not ready, and does not become so. */
NET_TEST(a_full_receiver_is_waited_for_by_who_is_not_ready)
{
    enum { BULK = 1 << 15 };
    static struct crowd c, third;
    static char bulk[BULK];
    fill(&c);
    fill(&third);
    empty(&third);
    for (int i = 0; i < 5 && go_poll(c.sender, POLLOUT, 0) == POLLOUT; i++) {
        CHECK(go_sendto(c.sender, bulk, BULK, MSG_DONTWAIT, (struct sockaddr *)&third.at, third.size) == BULK);
    }
    CHECK_EQUAL(go_poll(c.sender, POLLOUT, 0), -ETIMEDOUT);
    atomic_store(&results, 0);
    go(send_one, &c);
    CHECK(go_sleep(10 * GO_MILLISECOND) == 0);
    CHECK_EQUAL(atomic_load(&results), 0);
    empty(&c);
    await_count(&results, 1);
    CHECK_EQUAL(last_result, 1);
    CHECK(go_close(c.receiver) == 0 && go_close(c.filler) == 0 && go_close(c.sender) == 0);
    CHECK(go_close(third.receiver) == 0 && go_close(third.filler) == 0 && go_close(third.sender) == 0);
    return 0;
}

NET_TEST(waiting_for_a_full_receiver_ends)
{
    static struct crowd c;
    fill(&c);
    CHECK_EQUAL(go_set_write_deadline(c.sender, go_now() + 20 * GO_MILLISECOND), 0);
    CHECK_EQUAL(go_sendto(c.sender, "s", 1, 0, (struct sockaddr *)&c.at, c.size), -ETIMEDOUT);
    CHECK_EQUAL(go_set_write_deadline(c.sender, GO_FOREVER), 0);
    atomic_store(&results, 0);
    go(send_bound, &c);
    await_count(&results, 1);
    CHECK_EQUAL(last_result, -ECANCELED);
    go(send_one, &c);
    CHECK(go_sleep(5 * GO_MILLISECOND) == 0);
    CHECK_EQUAL(go_close(c.sender), 0);
    await_count(&results, 2);
    CHECK_EQUAL(last_result, -ECANCELED);
    CHECK(go_close(c.receiver) == 0 && go_close(c.filler) == 0);
    return 0;
}

/* Bytes that other calls took or left do not confuse a later go_read. */
NET_TEST(calls_may_be_mixed)
{
    struct pair p = tcp_pair();
    char buffer[16];
    for (int i = 0; i < 100; i++) {
        CHECK(go_write(p.client, "abcdef", 6) == 6);
        CHECK_EQUAL(go_recvfrom(p.server, buffer, 2, MSG_PEEK | MSG_WAITALL, NULL, NULL), 2);
        CHECK_EQUAL(go_read(p.server, buffer, 2), 2);
        CHECK_EQUAL(go_recvfrom(p.server, buffer, 2, 0, NULL, NULL), 2);
        CHECK_EQUAL(go_read(p.server, buffer, sizeof buffer), 2);
        CHECK(memcmp(buffer, "ef", 2) == 0);
        CHECK_EQUAL(go_recvfrom(p.server, buffer, 1, MSG_DONTWAIT, NULL, NULL), -EAGAIN);
    }
    close_pair(p);
    return 0;
}

NET_TEST(bad_descriptors)
{
    char byte;
    struct sockaddr_in any = {.sin_family = AF_INET};
    int closed = dup(2);
    CHECK(closed >= 0 && go_close(closed) == 0);
    const int bad[] = {-1, closed, 1 << 20, INT32_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_EQUAL(go_read(bad[i], &byte, 1), -EBADF);
        CHECK_EQUAL(go_write(bad[i], &byte, 1), -EBADF);
        CHECK_EQUAL(go_accept(bad[i]), -EBADF);
        CHECK_EQUAL(go_poll(bad[i], 1, GO_FOREVER), -EBADF);
        CHECK_EQUAL(go_close(bad[i]), -EBADF);
        CHECK_EQUAL(go_set_deadline(bad[i], GO_FOREVER), -EBADF);
        CHECK_EQUAL(go_shutdown(bad[i], SHUT_RD), -EBADF);
        CHECK_EQUAL(go_connect(bad[i], (struct sockaddr *)&any, sizeof any), -EBADF);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_writes_are_finished),
        cmocka_unit_test(the_end_behind_the_data_is_not_lost),
        cmocka_unit_test(urgent_data_does_not_hide_what_follows),
        cmocka_unit_test(read_full_reads_all_or_to_the_end),
        cmocka_unit_test(vectors),
        cmocka_unit_test(a_long_vector_is_written_whole),
        cmocka_unit_test(writing_to_nobody_is_epipe),
        cmocka_unit_test(a_foreign_thread_gets_epipe_and_no_signal),
        cmocka_unit_test(a_reset_wakes_a_parked_reader),
        cmocka_unit_test(a_reset_wakes_a_parked_writer),
        cmocka_unit_test(shutdown_wakes_a_parked_reader),
        cmocka_unit_test(datagrams),
        cmocka_unit_test(a_datagram_wakes_a_parked_receiver),
        cmocka_unit_test(a_full_receiver_is_waited_for),
        cmocka_unit_test(a_full_receiver_is_waited_for_by_who_is_not_ready),
        cmocka_unit_test(waiting_for_a_full_receiver_ends),
        cmocka_unit_test(calls_may_be_mixed),
        cmocka_unit_test(bad_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
