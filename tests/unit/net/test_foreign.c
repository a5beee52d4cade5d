/* Descriptors that are not goco's own: numbers that others close and that come back as something else, and 0 to 2, which stay
 * blocking because other processes may have them too. */
#include "unit/net/net_support.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/un.h>

#include "poll/netpoll.h"

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

static void accept_one(void *arg)
{
    struct call *c = arg;
    c->result = go_accept(c->fd);
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
    int another, client = known_socket(&another);
    replace(client, socket(AF_INET, SOCK_STREAM, 0));
    CHECK_EQUAL(go_connect(client, (struct sockaddr *)&at, sizeof at), 0);
    CHECK(!blocks(client));
    int server = go_accept(fd);
    CHECK(server >= 0 && !blocks(fd));
    CHECK(go_close(server) == 0 && go_close(client) == 0 && go_close(fd) == 0 && close(other) == 0 && close(another) == 0);
    return 0;
}

/* --- late threads --- */

/* A wait of a use that the end of a run has forgotten, as a foreign thread begins it that is late. */
static void wait_late(int fd)
{
    struct go__fd_use use;
    CHECK(go__fd_hold(&use, fd) == 0);
    struct go__fd_use late = use;
    late.generation--;
    CHECK_EQUAL(go__fd_wait(&late, GO__FD_READ, load_acq(&use.record->edge[GO__FD_READ]), GO__REASON_IO_READ), -ECANCELED);
    go__fd_end(&use);
}

/* The next one is woken: what was registered tells events of its use. */
NET_TEST(a_late_wait_registers_nothing)
{
    static struct call c;
    int other, fd = known_socket(&other);
    struct pair own = tcp_pair();
    wait_late(fd);
    wait_late(own.server);
    for (int i = 0; i < 2; i++) {
        atomic_store(&ended, 0);
        c = (struct call){.fd = i == 0 ? fd : own.server};
        go(read_one, &c);
        await_waiters(c.fd, 1);
        CHECK_EQUAL(write(i == 0 ? other : own.client, "x", 1), 1);
        await_count(&ended, 1);
        CHECK_EQUAL(c.result, 1);
    }
    close_pair(own);
    CHECK(close(fd) == 0 && close(other) == 0);
    return 0;
}

/* --- 0, 1 and 2 --- */

/* `by` becomes the number fd, below 3; *kept is what it was. */
static void borrow(int fd, int by, int *kept)
{
    *kept = fcntl(fd, F_DUPFD_CLOEXEC, 10);
    CHECK(*kept >= 0);
    replace(fd, by);
}

static void give_back(int fd, int kept)
{
    CHECK(go_set_deadline(fd, GO_FOREVER) == 0);
    replace(fd, kept);
}

/* The same for the lowest number once it is closed: the runtime itself may have it for a moment. */
static void open_again(int fd, int kept)
{
    int again;
    while ((again = dup(kept)) != fd) {
        CHECK(again >= 0 && close(again) == 0 && go_sleep(GO_MILLISECOND) == 0);
    }
    CHECK(close(kept) == 0);
}

NET_TEST(a_listener_as_standard_input)
{
    static struct call c;
    struct sockaddr_in at;
    int kept, client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    borrow(0, blocking_listener(&at), &kept);
    CHECK_EQUAL(go_set_read_deadline(0, go_now() + 20 * GO_MILLISECOND), 0);
    CHECK_EQUAL(go_accept(0), -ETIMEDOUT);
    CHECK_EQUAL(go_set_read_deadline(0, GO_FOREVER), 0);
    atomic_store(&ended, 0);
    c = (struct call){.fd = 0};
    go(accept_one, &c);
    await_waiters(0, 1);
    CHECK_EQUAL(go_connect(client, (struct sockaddr *)&at, sizeof at), 0);
    await_count(&ended, 1);
    CHECK(c.result >= 0 && blocks(0) && !blocks((int)c.result));
    CHECK(go_close((int)c.result) == 0 && go_close(client) == 0);
    go(accept_one, &c);
    await_waiters(0, 1);
    CHECK_EQUAL(go_close(0), 0);
    await_count(&ended, 2);
    CHECK_EQUAL(c.result, -ECANCELED);
    open_again(0, kept);
    return 0;
}

NET_TEST(a_socket_as_standard_input_is_connected)
{
    struct sockaddr_in at;
    struct timeval limit = {7, 0};
    socklen_t size = sizeof limit;
    char byte;
    int kept, client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), listener = blocking_listener(&at);
    CHECK(setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &limit, size) == 0);
    borrow(0, client, &kept);
    CHECK_EQUAL(go_connect(0, (struct sockaddr *)&at, sizeof at), 0);
    int server = go_accept(listener);
    CHECK(server >= 0 && go_write(server, "x", 1) == 1 && go_read(0, &byte, 1) == 1);
    CHECK(blocks(0));
    limit = (struct timeval){0, 0};
    CHECK(getsockopt(0, SOL_SOCKET, SO_SNDTIMEO, &limit, &size) == 0 && limit.tv_sec == 7 && limit.tv_usec == 0);
    CHECK_EQUAL(go_connect(0, (struct sockaddr *)&at, sizeof at), -EISCONN);
    give_back(0, kept);
    CHECK(go_close(server) == 0 && go_close(listener) == 0);
    return 0;
}

/* With one connection waiting the queue of a listener with none to spare is full: SYNs get no answer, and a unix connect is told to wait. */
NET_TEST(connecting_standard_input_has_a_deadline)
{
    for (int family = 0; family < 2; family++) {
        struct sockaddr_storage at = {.ss_family = family == 0 ? AF_INET : AF_UNIX};
        socklen_t size = family == 0 ? sizeof(struct sockaddr_in) : sizeof(sa_family_t);
        int kept, listener = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), fillers[2];
        if (family == 0) {
            ((struct sockaddr_in *)&at)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        }
        CHECK(bind(listener, (struct sockaddr *)&at, size) == 0 &&
              listen(listener, 0) == 0); /* a unix name of the kernel's choice */
        size = sizeof at;
        CHECK(getsockname(listener, (struct sockaddr *)&at, &size) == 0);
        for (int i = 0; i < 2; i++) {
            fillers[i] = socket(at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
            (void)connect(fillers[i], (struct sockaddr *)&at, size);
        }
        CHECK_EQUAL(go_poll(listener, POLLIN, GO_FOREVER), POLLIN);
        borrow(0, socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), &kept);
        CHECK_EQUAL(go_set_write_deadline(0, go_now() + 30 * GO_MILLISECOND), 0);
        CHECK_EQUAL(go_connect(0, (struct sockaddr *)&at, size), -ETIMEDOUT);
        CHECK(blocks(0));
        give_back(0, kept);
        CHECK(close(fillers[0]) == 0 && close(fillers[1]) == 0 && go_close(listener) == 0);
    }
    return 0;
}

/* Nobody reads: once the pipe or socket is full, a sendfile that blocked would never end. */
NET_TEST(sendfile_to_standard_output_has_a_deadline)
{
    enum { SIZE = 8 << 20 };
    static char got[65536];
    int file = file_of(SIZE), kept, ends[2];
    for (int socket = 0; socket < 2; socket++) {
        ssize_t n;
        size_t sent = 0, received = 0;
        CHECK(lseek(file, 0, SEEK_SET) == 0);
        CHECK((socket ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) : pipe2(ends, O_CLOEXEC)) == 0);
        borrow(1, ends[1], &kept);
        CHECK_EQUAL(go_set_write_deadline(1, go_now() + 100 * GO_MILLISECOND), 0);
        while ((n = go_sendfile(1, file, NULL, SIZE)) > 0) {
            sent += (size_t)n;
        }
        CHECK_EQUAL(n, -ETIMEDOUT);
        CHECK(blocks(1));
        CHECK_EQUAL(go_set_write_deadline(1, GO_FOREVER), 0);
        while (received < sent) {
            n = go_read(ends[0], got, sizeof got);
            CHECK(n > 0);
            received += (size_t)n;
        }
        CHECK_EQUAL(received, sent);
        n = go_sendfile(1, file, NULL, SIZE);
        CHECK(n > 0 && go_read(ends[0], got, sizeof got) > 0);
        give_back(1, kept);
        CHECK(go_close(ends[0]) == 0);
    }
    CHECK(go_close(file) == 0);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sockets_number_becomes_a_pipe),
        cmocka_unit_test(a_sockets_number_becomes_a_file),
        cmocka_unit_test(a_pipe_is_still_no_socket),
        cmocka_unit_test(a_pipes_number_becomes_a_pipe_that_blocks),
        cmocka_unit_test(a_files_number_becomes_a_pipe),
        cmocka_unit_test(a_sockets_number_becomes_a_socket_that_blocks),
        cmocka_unit_test(a_late_wait_registers_nothing),
        cmocka_unit_test(a_listener_as_standard_input),
        cmocka_unit_test(a_socket_as_standard_input_is_connected),
        cmocka_unit_test(connecting_standard_input_has_a_deadline),
        cmocka_unit_test(sendfile_to_standard_output_has_a_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
