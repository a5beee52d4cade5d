/* Closing: whoever waits is woken, whoever is in the middle of a call finishes on the old descriptor, and a number that is used again
 * is never touched by a call that began before. */
#include "unit/net/net_support.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_int ended;

struct waiter {
    int fd;
    int64_t result;
};

static void park_reading(void *arg)
{
    struct waiter *w = arg;
    char byte;
    w->result = go_read(w->fd, &byte, 1);
    atomic_fetch_add(&ended, 1);
}

/* One call, which no socket's buffers take whole: it waits until it is woken, however much is taken meanwhile. */
static void park_writing(void *arg)
{
    static char block[1 << 26];
    struct waiter *w = arg;
    w->result = go_write(w->fd, block, sizeof block);
    atomic_fetch_add(&ended, 1);
}

static void park_polling(void *arg)
{
    struct waiter *w = arg;
    w->result = go_poll(w->fd, POLLIN, GO_FOREVER);
    atomic_fetch_add(&ended, 1);
}

static void park_accepting(void *arg)
{
    struct waiter *w = arg;
    w->result = go_accept(w->fd);
    atomic_fetch_add(&ended, 1);
}

NET_TEST(close_wakes_reader_writer_and_pollers)
{
    static struct waiter w[6];
    static const go_func how[6] = {park_reading, park_writing, park_polling, park_polling, park_reading, park_reading};
    for (int round = 0; round < 20; round++) {
        struct pair p = tcp_pair();
        atomic_store(&ended, 0);
        for (int i = 0; i < 6; i++) {
            w[i] = (struct waiter){.fd = p.client, .result = 77};
            go(how[i], &w[i]);
        }
        if (round % 3 != 0) { /* else some have not begun: the number is closed for them */
            await_waiters(p.client, 6);
        }
        CHECK_EQUAL(go_close(p.client), 0);
        await_count(&ended, 6);
        for (int i = 0; i < 6; i++) {
            CHECK(w[i].result == -ECANCELED || (round % 3 == 0 && w[i].result == -EBADF));
        }
        CHECK_EQUAL(go_close(p.client), -EBADF);
        CHECK(go_close(p.server) == 0);
    }
    return 0;
}

/* The port is free again at once: close(2) has been called when go_close returns. */
NET_TEST(a_listener_closed_under_its_acceptor_can_be_opened_again)
{
    static struct waiter w;
    char at[64];
    int listener = go_listen("tcp", own_name("127.0.0.1:0", at, sizeof at)); /* or somebody else may be given the port in between */
    CHECK(listener >= 0 && go_local_address(listener, at, sizeof at) > 0);
    for (int round = 1; round <= 50; round++) {
        if (round == 1) {
            atomic_store(&ended, 0);
        }
        w = (struct waiter){.fd = listener};
        go(park_accepting, &w);
        await_waiters(listener, 1);
        CHECK_EQUAL(go_close(listener), 0);
        int again = go_listen("tcp", at);
        CHECK(again >= 0);
        await_count(&ended, round);
        CHECK_EQUAL(w.result, -ECANCELED);
        listener = again;
    }
    CHECK(go_close(listener) == 0);
    return 0;
}

/* The side that closes first keeps the connection in TIME_WAIT, on the listener's port: SO_REUSEADDR, or nobody could restart a server. */
NET_TEST(an_address_with_connections_in_time_wait_can_be_listened_on)
{
    char at[64], byte;
    int listener = go_listen("tcp", own_name("127.0.0.1:0", at, sizeof at));
    CHECK(listener >= 0 && go_local_address(listener, at, sizeof at) > 0);
    int client = go_dial("tcp", at);
    int server = go_accept(listener);
    CHECK(client >= 0 && server >= 0);
    CHECK(go_close(server) == 0);
    CHECK_EQUAL(go_read(client, &byte, 1), 0);
    CHECK(go_close(client) == 0);
    CHECK(go_close(listener) == 0);
    listener = go_listen("tcp", at);
    CHECK(listener >= 0);
    CHECK(go_close(listener) == 0);
    return 0;
}

/* --- numbers that come back --- */

enum { ROUNDS = 3000, READERS = 4 };

static atomic_int current, stop;

/* Reads from whatever number is current, while it is closed and used again: which bytes it gets cannot be told from outside, but it
 * must neither hang nor crash nor disturb the closing. */
static void chase(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop)) {
        char byte;
        int fd = atomic_load(&current);
        if (fd == 0 || go_read(fd, &byte, 1) < 0) {
            go_yield();
        }
    }
    atomic_fetch_add(&ended, 1);
}

/* Parked on a descriptor that is closed and whose number is used again at once: the parked call must not get the new one's byte. */
NET_TEST(a_parked_call_never_touches_a_number_used_again)
{
    static struct waiter w;
    for (int round = 0; round < 500; round++) {
        int ends[2], again[2];
        CHECK(pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0);
        if (round == 0) {
            atomic_store(&ended, 0);
        }
        w = (struct waiter){.fd = ends[0], .result = 77};
        go(park_reading, &w);
        if (round % 2 == 0) {
            await_waiters(ends[0], 1);
        } else {
            go_yield(); /* it may have begun, be parked, or begin with the new descriptor */
        }
        CHECK(go_close(ends[0]) == 0);
        CHECK(pipe2(again, O_NONBLOCK | O_CLOEXEC) == 0); /* takes the lowest free number: the one just closed, or a later one */
        CHECK(write(again[1], "n", 1) == 1);
        await_count(&ended, round + 1);
        CHECK(w.result == -ECANCELED || w.result == -EBADF || again[0] != ends[0] || w.result == 1);
        char byte;
        if (w.result != 1) {
            CHECK_EQUAL(go_read(again[0], &byte, 1), 1); /* still there */
        }
        CHECK(w.result == -ECANCELED || round % 2 == 1);
        CHECK(go_close(again[0]) == 0 && go_close(again[1]) == 0 && go_close(ends[1]) == 0);
    }
    return 0;
}

NET_TEST(readers_chase_a_number_that_is_closed_and_used_again)
{
    atomic_store(&stop, 0);
    atomic_store(&ended, 0);
    atomic_store(&current, 0);
    for (int i = 0; i < READERS; i++) {
        go(chase, NULL);
    }
    for (int round = 1; round <= ROUNDS; round++) {
        char at[64]; /* a reader may be in the middle of a call on the last listener, whose name is taken until it is out */
        (void)snprintf(at, sizeof at, "@goco-test-chase-%d", round);
        struct pair p = net_pair("unix", at);
        CHECK(go_write(p.server, "12345678", 8) == 8);
        atomic_store(&current, p.client);
        if (round % 4 == 0) {
            go_yield();
        }
        CHECK_EQUAL(go_close(p.client), 0);
        CHECK_EQUAL(go_close(p.server), 0);
    }
    atomic_store(&stop, 1);
    await_count(&ended, READERS);
    return 0;
}

/* The number is closed behind goco's back, by a library that owns it, and is something else by then. */
NET_TEST(foreign_numbers_may_change_hands)
{
    static struct waiter w;
    atomic_store(&ended, 0);
    for (int round = 0; round < 50; round++) {
        int ends[2], next[2];
        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
        w = (struct waiter){.fd = ends[0]};
        go(park_polling, &w);
        await_waiters(ends[0], 1); /* known and registered now */
        CHECK(write(ends[1], "a", 1) == 1);
        await_count(&ended, 2 * round + 1);
        CHECK_EQUAL(w.result, POLLIN);

        CHECK((round % 2 == 0 ? pipe(next) : socketpair(AF_UNIX, SOCK_STREAM, 0, next)) == 0);
        replace(ends[0], next[0]);
        CHECK(close(ends[1]) == 0);
        w = (struct waiter){.fd = ends[0]};
        go(round % 3 == 0 ? park_polling : park_reading, &w);
        await_waiters(ends[0], 1);
        CHECK(write(next[1], "b", 1) == 1);
        await_count(&ended, 2 * round + 2);
        CHECK(w.result == (round % 3 == 0 ? POLLIN : 1));
        CHECK(close(ends[0]) == 0 && close(next[1]) == 0);
    }
    return 0;
}

/* A listener with that number, which nobody has: the runtime itself may have it for a moment. */
static int listen_with_number(int wanted)
{
    int fd, lower[16], count = 0;
    while ((fd = go_listen("tcp", "127.0.0.1:0")) != wanted) {
        CHECK(fd >= 0);
        if (fd > wanted) {
            CHECK(go_close(fd) == 0 && go_sleep(GO_MILLISECOND) == 0);
        } else {
            CHECK(count < 16);
            lower[count++] = fd;
        }
    }
    while (count > 0) {
        CHECK(go_close(lower[--count]) == 0);
    }
    return fd;
}

/* A descriptor of goco's closed by close(2): wrong, but the next owner, made by goco, must not suffer. */
NET_TEST(a_number_closed_by_others_starts_afresh)
{
    static struct waiter w;
    struct pair p = tcp_pair();
    atomic_store(&ended, 0);
    w = (struct waiter){.fd = p.client};
    go(park_reading, &w);
    await_waiters(p.client, 1);
    CHECK(close(p.client) == 0);
    int again = listen_with_number(p.client);
    await_count(&ended, 1);
    CHECK_EQUAL(w.result, -ECANCELED);
    CHECK_EQUAL(go_set_read_deadline(again, go_now() + GO_MILLISECOND), 0);
    CHECK_EQUAL(go_accept(again), -ETIMEDOUT);
    CHECK(go_close(again) == 0 && go_close(p.server) == 0);
    return 0;
}

static int open_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

static int leave_things_behind(void *arg)
{
    static struct waiter w[3];
    struct pair p = tcp_pair();
    int ends[2];
    (void)arg;
    CHECK(pipe(ends) == 0);
    CHECK(go_set_deadline(p.client, go_now() + GO_SECOND) == 0);
    for (int i = 0; i < 3; i++) {
        w[i].fd = i == 0 ? p.client : i == 1 ? ends[0] : p.client;
        go(park_reading, &w[i]);
    }
    await_waiters(p.client, 2);
    await_waiters(ends[0], 1);
    int *kept = arg;
    kept[0] = p.client;
    kept[1] = p.server;
    kept[2] = ends[0];
    kept[3] = ends[1];
    return 0;
}

static int use_again(void *arg)
{
    int *kept = arg;
    char byte;
    CHECK(go_write(kept[1], "x", 1) == 1);
    CHECK_EQUAL(go_read(kept[0], &byte, 1), 1);
    CHECK(go_write(kept[3], "y", 1) == 1);
    CHECK_EQUAL(go_read(kept[2], &byte, 1), 1);
    for (int i = 0; i < 4; i++) {
        CHECK_EQUAL(go_close(kept[i]), 0);
    }
    return 0;
}

/* Goroutines parked on descriptors when a run ends neither hold them nor disturb the next run. */
static void descriptors_outlive_a_run(void **state)
{
    int kept[4], before = open_descriptors();
    (void)state;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(go_run(leave_things_behind, kept), 0);
        assert_int_equal(open_descriptors(), before + 4);
        assert_int_equal(go_run(use_again, kept), 0);
        assert_int_equal(open_descriptors(), before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(close_wakes_reader_writer_and_pollers),
        cmocka_unit_test(a_listener_closed_under_its_acceptor_can_be_opened_again),
        cmocka_unit_test(an_address_with_connections_in_time_wait_can_be_listened_on),
        cmocka_unit_test(a_parked_call_never_touches_a_number_used_again),
        cmocka_unit_test(readers_chase_a_number_that_is_closed_and_used_again),
        cmocka_unit_test(foreign_numbers_may_change_hands),
        cmocka_unit_test(a_number_closed_by_others_starts_afresh),
        cmocka_unit_test(descriptors_outlive_a_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
