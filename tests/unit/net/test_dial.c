/* Dialling, listening and accepting: success, refusal, limits of time and descriptors, unix sockets, names. */
#include "unit/net/net_support.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

NET_TEST(connections_have_nodelay_and_cloexec)
{
    struct pair p = tcp_pair();
    const int fds[2] = {p.client, p.server};
    for (int i = 0; i < 2; i++) {
        int on = 0;
        socklen_t size = sizeof on;
        CHECK(getsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &on, &size) == 0 && on != 0);
        CHECK((fcntl(fds[i], F_GETFD) & FD_CLOEXEC) != 0 && (fcntl(fds[i], F_GETFL) & O_NONBLOCK) != 0);
    }
    close_pair(p);
    return 0;
}

/* A listener made elsewhere, blocking: what goco accepts from it has the same properties. */
NET_TEST(a_foreign_listener_and_a_foreign_connection)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0), on = 0;
    char byte;
    CHECK(bind(listener, (struct sockaddr *)&at, size) == 0 && listen(listener, 5) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&at, &size) == 0);
    CHECK_EQUAL(go_set_read_deadline(listener, go_now() + GO_MILLISECOND), 0);
    CHECK_EQUAL(go_accept(listener), -ETIMEDOUT);
    CHECK_EQUAL(go_set_read_deadline(listener, GO_FOREVER), 0);
    CHECK_EQUAL(go_connect(client, (struct sockaddr *)&at, size), 0);
    int server = go_accept(listener);
    CHECK(server >= 0);
    size = sizeof on;
    CHECK(getsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, &size) == 0 && on != 0);
    for (int i = 0; i < 10; i++) {
        CHECK(go_write(client, "x", 1) == 1 && go_read(server, &byte, 1) == 1);
        CHECK(go_write(server, "y", 1) == 1 && go_read(client, &byte, 1) == 1);
    }
    CHECK(go_close(client) == 0 && go_close(server) == 0 && go_close(listener) == 0);
    return 0;
}

NET_TEST(refusals)
{
    char at[64];
    struct sockaddr_in to = {
        .sin_family = AF_INET,
    };
    int listener = go_listen("tcp", own_name("127.0.0.1:0", at, sizeof at));
    CHECK(listener >= 0 && go_local_address(listener, at, sizeof at) > 0);
    CHECK_EQUAL(go_listen("tcp", at), -EADDRINUSE);
    CHECK(go_close(listener) == 0);
    CHECK_EQUAL(go_dial("tcp", at), -ECONNREFUSED);
    CHECK_EQUAL(go_dial_until("tcp", at, go_now() + GO_SECOND), -ECONNREFUSED);
    to.sin_port = htons((uint16_t)atoi(strrchr(at, ':') + 1));
    *strrchr(at, ':') = '\0';
    CHECK(inet_pton(AF_INET, at, &to.sin_addr) == 1);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQUAL(go_connect(fd, (struct sockaddr *)&to, sizeof to), -ECONNREFUSED);
    CHECK_EQUAL(go_accept(fd), -EINVAL);
    CHECK(go_close(fd) == 0);
    CHECK_EQUAL(go_dial("tcp", "127.0.0.1"), -EINVAL);
    CHECK_EQUAL(go_dial("carrier-pigeon", at), -EINVAL);
    CHECK_EQUAL(go_dial("unix", "@goco-test-nobody"), -ECONNREFUSED);
    CHECK_EQUAL(go_dial("unix", "/tmp/goco-test-nothing"), -ENOENT);
    int datagrams = go_listen("udp", "127.0.0.1:0");
    CHECK_EQUAL(go_accept(datagrams), -EINVAL);
    CHECK(go_local_address(datagrams, at, sizeof at) > 0);
    CHECK_EQUAL(go_listen("udp", at), -EADDRINUSE); /* a datagram socket's port is its own */
    CHECK(go_close(datagrams) == 0);
    return 0;
}

/* A full queue leaves SYNs without an answer. */
NET_TEST(a_dial_has_a_deadline)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0), fillers[8], count = 0;
    char text[64];
    CHECK(bind(listener, (struct sockaddr *)&at, size) == 0 && listen(listener, 0) == 0);
    CHECK(go_local_address(listener, text, sizeof text) > 0);
    int result = 0;
    while (count < 8 && (result = go_dial_until("tcp", text, go_now() + 50 * GO_MILLISECOND)) >= 0) {
        fillers[count++] = result;
    }
    CHECK_EQUAL(result, -ETIMEDOUT);
    int64_t start = go_now();
    CHECK_EQUAL(go_dial_until("tcp", text, start + 30 * GO_MILLISECOND), -ETIMEDOUT);
    CHECK(go_now() - start >= 30 * GO_MILLISECOND && go_now() - start < 60 * GO_SECOND);
    CHECK_EQUAL(go_dial_until("tcp", text, go_now() - 1), -ETIMEDOUT);
    result = go_dial_until("tcp", ":1", INT64_MIN); /* two addresses, which share the time */
    CHECK(result == -ETIMEDOUT || result == -ECONNREFUSED);
    while (count > 0) {
        CHECK(go_close(fillers[--count]) == 0);
    }
    CHECK(go_close(listener) == 0);
    return 0;
}

static atomic_int ended;
static int dialled;

struct dial_job {
    go_context *ctx;
    char text[64];
};

static void dial_bound(void *arg)
{
    struct dial_job *job = arg;
    (void)go_context_bind(job->ctx);
    dialled = go_dial("tcp", job->text);
    (void)go_context_bind(NULL);
    atomic_fetch_add(&ended, 1);
}

NET_TEST(a_dial_can_be_cancelled)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    static struct dial_job job;
    int listener = socket(AF_INET, SOCK_STREAM, 0), fillers[8], count = 0, result;
    CHECK(bind(listener, (struct sockaddr *)&at, sizeof at) == 0 && listen(listener, 0) == 0);
    CHECK(go_local_address(listener, job.text, sizeof job.text) > 0);
    while (count < 8 && (result = go_dial_until("tcp", job.text, go_now() + 30 * GO_MILLISECOND)) >= 0) {
        fillers[count++] = result;
    }
    atomic_store(&ended, 0);
    job.ctx = go_context_with_cancel(NULL);
    go(dial_bound, &job);
    CHECK(go_sleep(10 * GO_MILLISECOND) == 0);
    CHECK_EQUAL(atomic_load(&ended), 0);
    go_context_cancel(job.ctx, 0);
    await_count(&ended, 1);
    CHECK_EQUAL(dialled, -ECANCELED);
    go_context_unref(job.ctx);
    while (count > 0) {
        CHECK(go_close(fillers[--count]) == 0);
    }
    CHECK(go_close(listener) == 0);
    return 0;
}

NET_TEST(unix_sockets)
{
    char path[64], text[128], buffer[16];
    struct stat st;
    snprintf(path, sizeof path, "/tmp/goco-test-%d", (int)getpid());
    unlink(path);
    int listener = go_listen("unix", path);
    CHECK(listener >= 0);
    CHECK(stat(path, &st) == 0 && S_ISSOCK(st.st_mode));
    CHECK_EQUAL(go_listen("unix", path), -EADDRINUSE);
    CHECK(go_local_address(listener, text, sizeof text) == (int)strlen(path) && strcmp(text, path) == 0);
    int client = go_dial("unix", path), server = go_accept(listener);
    CHECK(client >= 0 && server >= 0);
    CHECK(go_peer_address(client, text, sizeof text) > 0 && strcmp(text, path) == 0);
    CHECK_EQUAL(go_peer_address(server, text, sizeof text), 0); /* the other end has no name */
    CHECK(go_write(client, "hello", 5) == 5 && go_read(server, buffer, sizeof buffer) == 5);
    CHECK(go_close(client) == 0 && go_close(server) == 0);
    CHECK(stat(path, &st) == 0); /* connections have nothing to remove */
    CHECK(go_close(listener) == 0);
    CHECK(stat(path, &st) != 0);

    int receiver = go_listen("unixgram", path), sender = go_dial("unixgram", path);
    CHECK(receiver >= 0 && sender >= 0);
    CHECK(go_write(sender, "one", 3) == 3 && go_write(sender, "two", 3) == 3);
    CHECK(go_read(receiver, buffer, sizeof buffer) == 3 && go_read(receiver, buffer, sizeof buffer) == 3);
    CHECK(go_close(receiver) == 0 && go_close(sender) == 0);
    CHECK(stat(path, &st) != 0);
    return 0;
}

static void accept_all(void *arg)
{
    int fd, listener = (int)(intptr_t)arg;
    CHECK(go_sleep(20 * GO_MILLISECOND) == 0);
    while ((fd = go_accept(listener)) >= 0) {
        CHECK(go_close(fd) == 0);
    }
}

/* A unix listener's full queue answers "try again", and nothing tells when. */
NET_TEST(a_full_unix_queue_is_waited_for)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    (void)own_name("@goco-test-full", at.sun_path, sizeof at.sun_path);
    at.sun_path[0] = '\0';
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), fds[20];
    CHECK(bind(listener, (struct sockaddr *)&at, sizeof at) == 0 && listen(listener, 1) == 0);
    go(accept_all, (void *)(intptr_t)listener);
    for (int i = 0; i < 20; i++) {
        fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        CHECK_EQUAL(go_connect(fds[i], (struct sockaddr *)&at, sizeof at), 0);
    }
    for (int i = 0; i < 20; i++) {
        CHECK(go_close(fds[i]) == 0);
    }
    CHECK(go_close(listener) == 0);
    return 0;
}

#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51 /* Linux 6.3 */
#endif

/* "Try again" is not waited for where it means that no local port is left: nobody knows when there will be one. */
NET_TEST(no_port_is_left)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int holder = socket(AF_INET, SOCK_DGRAM, 0), fd = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(bind(holder, (struct sockaddr *)&(struct sockaddr_in){.sin_family = AF_INET}, size) == 0);
    struct sockaddr_in held;
    CHECK(getsockname(holder, (struct sockaddr *)&held, &size) == 0);
    uint32_t range = (uint32_t)ntohs(held.sin_port) << 16 | ntohs(held.sin_port);
    at.sin_port = held.sin_port;
    CHECK_EQUAL(go_set_write_deadline(fd, go_now() + 5 * GO_SECOND), 0);
    if (setsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &range, sizeof range) == 0) {
        CHECK_EQUAL(go_connect(fd, (struct sockaddr *)&at, size), -EAGAIN);
    }
    CHECK(go_close(fd) == 0 && close(holder) == 0);
    return 0;
}

/* No descriptor is left: the connection waits in the queue, and is accepted when there is one. */
NET_TEST(accept_without_descriptors)
{
    char at[64];
    struct rlimit before, tight;
    int listener = go_listen("tcp", "127.0.0.1:0");
    CHECK(listener >= 0 && go_local_address(listener, at, sizeof at) > 0);
    int client = go_dial("tcp", at), highest = dup(2);
    CHECK(client >= 0 && highest >= 0);
    CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    tight = before;
    tight.rlim_cur = (rlim_t)highest + 1;
    CHECK(setrlimit(RLIMIT_NOFILE, &tight) == 0);
    CHECK_EQUAL(go_accept(listener), -EMFILE);
    CHECK_EQUAL(go_accept(listener), -EMFILE);
    CHECK_EQUAL(go_dial("tcp", at), -EMFILE);
    CHECK_EQUAL(go_listen("tcp", "127.0.0.1:0"), -EMFILE);
    CHECK(go_close(highest) == 0);
    int server = go_accept(listener);
    CHECK(server >= 0);
    CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK(go_close(server) == 0 && go_close(client) == 0 && go_close(listener) == 0);
    return 0;
}

/* Aborted before they were accepted: what comes out is either skipped or an ordinary reset. */
NET_TEST(connections_aborted_in_the_queue)
{
    char at[64], byte;
    int listener = go_listen("tcp", "127.0.0.1:0");
    CHECK(listener >= 0 && go_local_address(listener, at, sizeof at) > 0);
    for (int i = 0; i < 20; i++) {
        struct linger now = {1, 0};
        int doomed = go_dial("tcp", at);
        CHECK(doomed >= 0 && setsockopt(doomed, SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
        CHECK(go_close(doomed) == 0);
    }
    int client = go_dial("tcp", at);
    CHECK(client >= 0 && go_write(client, "!", 1) == 1);
    for (;;) {
        int server = go_accept(listener);
        CHECK(server >= 0);
        ssize_t n = go_read(server, &byte, 1);
        CHECK(go_close(server) == 0);
        if (n == 1) {
            break;
        }
        CHECK_EQUAL(n, -ECONNRESET);
    }
    CHECK(go_close(client) == 0 && go_close(listener) == 0);
    return 0;
}

NET_TEST(names)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found = NULL;
    CHECK_EQUAL(go_getaddrinfo("localhost", "80", &hints, &found), 0);
    CHECK(found != NULL && found->ai_family == AF_INET);
    CHECK_EQUAL(ntohs(((struct sockaddr_in *)(void *)found->ai_addr)->sin_port), 80);
    freeaddrinfo(found);
    found = NULL;
    CHECK_EQUAL(go_getaddrinfo("127.0.0.1", NULL, NULL, &found), 0);
    freeaddrinfo(found);
    CHECK_EQUAL(go_getaddrinfo(NULL, NULL, NULL, &found), -ENOENT);
    CHECK_EQUAL(go_getaddrinfo("127.0.0.1", "no-such-service", &hints, &found), -EIO);
    int listener = go_listen("tcp", "localhost:0");
    char at[64], name[80];
    CHECK(listener >= 0 && go_local_address(listener, at, sizeof at) > 0);
    snprintf(name, sizeof name, "localhost%s", strrchr(at, ':'));
    int client = go_dial("tcp", name); /* of its addresses one is listened on */
    CHECK(client >= 0);
    CHECK(go_close(client) == 0 && go_close(listener) == 0);
    return 0;
}

static void look_up(void *arg)
{
    struct addrinfo *found;
    (void)arg;
    CHECK_EQUAL(go_getaddrinfo("localhost", "80", NULL, &found), 0);
    freeaddrinfo(found);
    atomic_fetch_add(&ended, 1);
}

NET_TEST(many_look_ups_at_once)
{
    atomic_store(&ended, 0);
    for (int i = 0; i < 30; i++) {
        go(look_up, NULL);
    }
    await_count(&ended, 30);
    return 0;
}

static void look_up_bound(void *arg)
{
    struct addrinfo *found;
    (void)go_context_bind(arg);
    int result = go_getaddrinfo("localhost", "80", NULL, &found);
    CHECK(result == 0 || result == -ECANCELED);
    if (result == 0) {
        freeaddrinfo(found);
    }
    (void)go_context_bind(NULL);
    atomic_fetch_add(&ended, 1);
}

/* Given up at any moment, a look-up ends alone and leaks nothing. What is cut off by the end of the run has not ended. */
NET_TEST(look_ups_given_up)
{
    size_t before = go_count();
    atomic_store(&ended, 0);
    for (int i = 0; i < 40; i++) {
        go_context *ctx = go_context_with_cancel(NULL);
        go(look_up_bound, ctx);
        CHECK(go_sleep(i * 20 * GO_MICROSECOND) == 0);
        go_context_cancel(ctx, 0);
        await_count(&ended, i + 1);
        go_context_unref(ctx);
    }
    while (go_count() > before) {
        CHECK(go_sleep(GO_MILLISECOND) == 0);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_have_nodelay_and_cloexec),
        cmocka_unit_test(a_foreign_listener_and_a_foreign_connection),
        cmocka_unit_test(refusals),
        cmocka_unit_test(a_dial_has_a_deadline),
        cmocka_unit_test(a_dial_can_be_cancelled),
        cmocka_unit_test(unix_sockets),
        cmocka_unit_test(a_full_unix_queue_is_waited_for),
        cmocka_unit_test(no_port_is_left),
        cmocka_unit_test(accept_without_descriptors),
        cmocka_unit_test(connections_aborted_in_the_queue),
        cmocka_unit_test(names),
        cmocka_unit_test(many_look_ups_at_once),
        cmocka_unit_test(look_ups_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
