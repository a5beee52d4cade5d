/* Descriptors that are not goco's own: numbers that others close and that come back as something else. */
#include "unit/net/net_support.h"

#include <fcntl.h>
#include <netinet/in.h>

static atomic_int ended;

struct call {
    int fd;
    int64_t result;
};

static void read_one(void *arg)
{
    struct call *c = arg;
    char byte;
    c->result = go_read(c->fd, &byte, 1);
    atomic_fetch_add(&ended, 1);
}

/* A regular file with n bytes, read from its beginning. */
static int file_of(size_t n)
{
    char path[] = "/tmp/goco-test-XXXXXX", *bytes = calloc(1, n);
    int file = mkstemp(path);
    CHECK(file >= 0 && unlink(path) == 0 && bytes != NULL);
    CHECK(pwrite(file, bytes, n, 0) == (ssize_t)n);
    free(bytes);
    return file;
}

static int blocking_listener(struct sockaddr_in *at)
{
    socklen_t size = sizeof *at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK(listener >= 0 && bind(listener, (struct sockaddr *)at, size) == 0 && listen(listener, 5) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)at, &size) == 0);
    return listener;
}

static bool blocks(int fd)
{
    return (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
}

/* --- numbers that come back --- */

/* One end of a pair, known to goco as a socket. */
static int known_socket(int *other)
{
    int ends[2];
    char byte;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    CHECK(write(ends[1], "a", 1) == 1 && go_read(ends[0], &byte, 1) == 1);
    *other = ends[1];
    return ends[0];
}

enum { PLAIN, FULL, VECTOR, MANNERS };

static ssize_t read_somehow(int how, int fd, char *byte)
{
    struct iovec one = {byte, 1};
    return how == PLAIN ? go_read(fd, byte, 1) : how == FULL ? go_read_full(fd, byte, 1) : go_readv(fd, &one, 1);
}

static ssize_t write_somehow(int how, int fd)
{
    struct iovec one = {"w", 1};
    if (how == FULL) {
        int file = file_of(1);
        ssize_t n = go_sendfile(fd, file, NULL, 1);
        CHECK(go_close(file) == 0);
        return n;
    }
    return how == PLAIN ? go_write(fd, "w", 1) : go_writev(fd, &one, 1);
}

NET_TEST(a_sockets_number_becomes_a_pipe)
{
    for (int how = 0; how < MANNERS; how++) {
        int other, ends[2];
        char byte;
        int fd = known_socket(&other);
        CHECK(pipe(ends) == 0 && write(ends[1], "r", 1) == 1);
        replace(fd, ends[0]);
        CHECK_EQUAL(read_somehow(how, fd, &byte), 1);
        CHECK(!blocks(fd));
        CHECK(go_set_read_deadline(fd, go_now() + GO_MILLISECOND) == 0);
        CHECK_EQUAL(read_somehow(how, fd, &byte), -ETIMEDOUT);
        CHECK(go_close(fd) == 0 && close(ends[1]) == 0 && close(other) == 0); /* or the number would keep its deadline */

        fd = known_socket(&other);
        CHECK(pipe(ends) == 0);
        replace(fd, ends[1]);
        CHECK_EQUAL(write_somehow(how, fd), 1);
        CHECK(!blocks(fd) && read(ends[0], &byte, 1) == 1);
        CHECK(close(fd) == 0 && close(ends[0]) == 0 && close(other) == 0);
    }
    return 0;
}

NET_TEST(a_sockets_number_becomes_a_file)
{
    int other;
    char bytes[8];
    int fd = known_socket(&other);
    replace(fd, file_of(4));
    CHECK_EQUAL(go_read(fd, bytes, sizeof bytes), 4);
    CHECK_EQUAL(go_read(fd, bytes, sizeof bytes), 0);
    CHECK_EQUAL(go_recvfrom(fd, bytes, sizeof bytes, 0, NULL, NULL), -ENOTSOCK);
    CHECK(go_close(fd) == 0 && close(other) == 0);
    return 0;
}

/* What was no socket all along, or is none any more, is told so. */
NET_TEST(a_pipe_is_still_no_socket)
{
    int ends[2], other;
    char byte;
    struct sockaddr_in any = {.sin_family = AF_INET};
    CHECK(pipe(ends) == 0);
    int fd = known_socket(&other);
    replace(fd, ends[0]);
    CHECK_EQUAL(go_recvfrom(fd, &byte, 1, 0, NULL, NULL), -ENOTSOCK);
    CHECK_EQUAL(go_accept(fd), -ENOTSOCK);
    CHECK_EQUAL(go_connect(fd, (struct sockaddr *)&any, sizeof any), -ENOTSOCK);
    CHECK_EQUAL(go_sendto(ends[1], "x", 1, 0, NULL, 0), -ENOTSOCK);
    CHECK(close(fd) == 0 && close(ends[1]) == 0 && close(other) == 0);
    return 0;
}

/* The new one blocks: a read that relied on the old one's flag would hang in the kernel. */
NET_TEST(a_pipes_number_becomes_a_pipe_that_blocks)
{
    static struct call c;
    int old[2], new[2];
    char byte;
    CHECK(pipe(old) == 0 && write(old[1], "a", 1) == 1);
    CHECK_EQUAL(go_read(old[0], &byte, 1), 1);
    CHECK(pipe(new) == 0 && blocks(new[0]));
    replace(old[0], new[0]);
    CHECK_EQUAL(go_set_read_deadline(old[0], go_now() + 20 * GO_MILLISECOND), 0);
    CHECK_EQUAL(go_read(old[0], &byte, 1), -ETIMEDOUT);
    CHECK(close(new[1]) == 0 && pipe(new) == 0 && blocks(new[0]));
    replace(old[0], new[0]);
    CHECK_EQUAL(go_set_read_deadline(old[0], GO_FOREVER), 0);
    CHECK(close(new[1]) == 0 && pipe(new) == 0 && blocks(new[0]));
    replace(old[0], new[0]);
    atomic_store(&ended, 0);
    c = (struct call){.fd = old[0]};
    go(read_one, &c);
    await_waiters(old[0], 1);
    CHECK(!blocks(old[0]));
    CHECK_EQUAL(go_close(old[0]), 0);
    await_count(&ended, 1);
    CHECK_EQUAL(c.result, -ECANCELED);
    CHECK(close(old[1]) == 0 && close(new[1]) == 0);
    return 0;
}

NET_TEST(a_files_number_becomes_a_pipe)
{
    int fd = file_of(1), ends[2];
    char byte;
    CHECK_EQUAL(go_read(fd, &byte, 1), 1);
    CHECK_EQUAL(go_set_deadline(fd, GO_FOREVER), -EINVAL);
    CHECK(pipe(ends) == 0);
    replace(fd, ends[0]);
    CHECK_EQUAL(go_set_read_deadline(fd, go_now() + GO_MILLISECOND), 0);
    CHECK_EQUAL(go_read(fd, &byte, 1), -ETIMEDOUT);
    CHECK(go_close(fd) == 0 && close(ends[1]) == 0);
    return 0;
}

/* accept and connect have no MSG_DONTWAIT. */
NET_TEST(a_sockets_number_becomes_a_socket_that_blocks)
{
    struct sockaddr_in at;
    int other, fd = known_socket(&other), listener = blocking_listener(&at);
    CHECK_EQUAL(go_set_read_deadline(fd, go_now() + GO_MILLISECOND), 0);
    replace(fd, listener);
    CHECK_EQUAL(go_accept(fd), -ETIMEDOUT);
    CHECK_EQUAL(go_set_read_deadline(fd, GO_FOREVER), 0);
    CHECK(!blocks(fd));
    int another, client = known_socket(&another);
    replace(client, socket(AF_INET, SOCK_STREAM, 0));
    CHECK_EQUAL(go_connect(client, (struct sockaddr *)&at, sizeof at), 0);
    CHECK(!blocks(client));
    int server = go_accept(fd);
    CHECK(server >= 0);
    CHECK(go_close(server) == 0 && go_close(client) == 0 && go_close(fd) == 0 && close(other) == 0 && close(another) == 0);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sockets_number_becomes_a_pipe), cmocka_unit_test(a_sockets_number_becomes_a_file),
        cmocka_unit_test(a_pipe_is_still_no_socket),       cmocka_unit_test(a_pipes_number_becomes_a_pipe_that_blocks),
        cmocka_unit_test(a_files_number_becomes_a_pipe),   cmocka_unit_test(a_sockets_number_becomes_a_socket_that_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
