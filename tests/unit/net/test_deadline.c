/* Deadlines of descriptors, cancellation by a bound context, and taking turns. */
#include "unit/net/net_support.h"

#include <poll.h>
#include <unistd.h>

static char byte;

NET_TEST(a_deadline_ends_waits_and_stays_until_moved)
{
    struct pair p = tcp_pair();
    int64_t start = go_now();
    CHECK(go_set_read_deadline(p.client, start + 20 * GO_MILLISECOND) == 0);
    CHECK_EQUAL(go_read(p.client, &byte, 1), -ETIMEDOUT);
    int64_t took = go_now() - start;
    CHECK(took >= 20 * GO_MILLISECOND && took < 2 * GO_SECOND);
    CHECK(go_write(p.server, "x", 1) == 1);
    CHECK_EQUAL(go_read(p.client, &byte, 1), -ETIMEDOUT); /* though there is a byte */
    CHECK_EQUAL(go_write(p.client, "x", 1), 1);           /* the other direction is not concerned */
    CHECK(go_set_read_deadline(p.client, GO_FOREVER) == 0);
    CHECK_EQUAL(go_read(p.client, &byte, 1), 1);
    CHECK(go_set_deadline(p.client, go_now()) == 0);
    CHECK_EQUAL(go_read(p.client, &byte, 1), -ETIMEDOUT);
    CHECK_EQUAL(go_write(p.client, "x", 1), -ETIMEDOUT);
    CHECK(go_set_write_deadline(p.client, go_now() + GO_SECOND) == 0);
    CHECK_EQUAL(go_write(p.client, "x", 1), 1);
    CHECK_EQUAL(go_read(p.client, &byte, 1), -ETIMEDOUT);
    close_pair(p);
    return 0;
}

NET_TEST(a_write_deadline_ends_a_write)
{
    static char block[1 << 20];
    struct pair p = tcp_pair();
    CHECK(go_set_write_deadline(p.client, go_now() + 30 * GO_MILLISECOND) == 0);
    ssize_t n;
    do {
        n = go_write(p.client, block, sizeof block);
    } while (n > 0);
    CHECK_EQUAL(n, -ETIMEDOUT);
    close_pair(p);
    return 0;
}

static atomic_int ended;
static atomic_llong result, woken_at;

static void park_reading(void *arg)
{
    char b;
    result = go_read((int)(intptr_t)arg, &b, 1);
    woken_at = go_now();
    atomic_fetch_add(&ended, 1);
}

/* Later, earlier, into the past, away. */
NET_TEST(moving_a_deadline_concerns_who_waits_already)
{
    struct pair p = tcp_pair();
    void *fd = (void *)(intptr_t)p.client;
    int64_t start = go_now();
    atomic_store(&ended, 0);
    CHECK(go_set_read_deadline(p.client, start + 20 * GO_MILLISECOND) == 0);
    go(park_reading, fd);
    settle();
    CHECK(go_set_read_deadline(p.client, start + 80 * GO_MILLISECOND) == 0); /* later */
    bool in_time = go_now() < start + 20 * GO_MILLISECOND;                   /* on a busy machine it may have passed before */
    await_count(&ended, 1);
    CHECK_EQUAL(result, -ETIMEDOUT);
    CHECK(!in_time || woken_at - start >= 80 * GO_MILLISECOND);

    CHECK(go_set_read_deadline(p.client, go_now() + 3600 * GO_SECOND) == 0);
    go(park_reading, fd);
    await_waiters(p.client, 1);
    CHECK(go_set_read_deadline(p.client, go_now() + 10 * GO_MILLISECOND) == 0); /* earlier */
    await_count(&ended, 2);
    CHECK_EQUAL(result, -ETIMEDOUT);

    CHECK(go_set_read_deadline(p.client, GO_FOREVER) == 0);
    go(park_reading, fd);
    await_waiters(p.client, 1);
    CHECK(go_set_read_deadline(p.client, go_now() - 1) == 0); /* into the past */
    await_count(&ended, 3);
    CHECK_EQUAL(result, -ETIMEDOUT);

    int64_t when = go_now() + 10 * GO_MILLISECOND;
    CHECK(go_set_read_deadline(p.client, when) == 0);
    go(park_reading, fd);
    settle();
    CHECK(go_set_read_deadline(p.client, GO_FOREVER) == 0); /* away */
    in_time = go_now() < when;
    CHECK(go_sleep(30 * GO_MILLISECOND) == 0);
    CHECK(go_write(p.server, "x", 1) == 1);
    await_count(&ended, 4);
    CHECK(result == 1 || (!in_time && result == -ETIMEDOUT));
    close_pair(p);
    return 0;
}

static int moved_fd;
static atomic_int stop;

static void move_deadlines(void *arg)
{
    uint64_t random = (uint64_t)(intptr_t)arg;
    while (!atomic_load(&stop)) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        int64_t when = go_now() + (int64_t)(random >> 40) % (200 * GO_MICROSECOND) - 20 * GO_MICROSECOND;
        CHECK(go_set_read_deadline(moved_fd, random >> 61 == 0 ? GO_FOREVER : when) == 0);
        go_yield();
    }
    atomic_fetch_add(&ended, 1);
}

/* Deadlines moved by many while bytes come: none is lost, and at the end the deadline that was set last holds. */
NET_TEST(deadlines_moved_under_load)
{
    enum { BYTES = 2000 };
    struct pair p = tcp_pair();
    int got = 0;
    moved_fd = p.client;
    atomic_store(&stop, 0);
    atomic_store(&ended, 0);
    for (intptr_t i = 1; i <= 3; i++) {
        go(move_deadlines, (void *)i);
    }
    for (int sent = 0; got < BYTES;) {
        if (sent < BYTES && sent <= got + 1) {
            CHECK(go_write(p.server, "x", 1) == 1);
            sent++;
        }
        ssize_t n = go_read(p.client, &byte, 1);
        CHECK(n == 1 || n == -ETIMEDOUT);
        got += n == 1;
        if (n < 0) {
            go_yield();
        }
    }
    atomic_store(&stop, 1);
    await_count(&ended, 3);
    CHECK(go_set_read_deadline(p.client, go_now() + 5 * GO_MILLISECOND) == 0);
    CHECK_EQUAL(go_read(p.client, &byte, 1), -ETIMEDOUT);
    CHECK(go_set_read_deadline(p.client, GO_FOREVER) == 0);
    CHECK(go_write(p.server, "x", 1) == 1);
    CHECK_EQUAL(go_read(p.client, &byte, 1), 1);
    close_pair(p);
    return 0;
}

NET_TEST(descriptors_that_cannot_be_polled_have_no_deadlines)
{
    FILE *file = tmpfile();
    CHECK(file != NULL);
    CHECK_EQUAL(go_set_deadline(fileno(file), go_now()), -EINVAL);
    fclose(file);
    return 0;
}

/* --- cancellation --- */

struct bound {
    go_context *ctx;
    int fd;
    int (*what)(int fd);
    int result;
};

static void run_bound(void *arg)
{
    struct bound *b = arg;
    (void)go_context_bind(b->ctx);
    b->result = b->what(b->fd);
    (void)go_context_bind(NULL);
    atomic_fetch_add(&ended, 1);
}

static int do_read(int fd)
{
    char b;
    return (int)go_read(fd, &b, 1);
}

static int do_write(int fd)
{
    static char block[1 << 20];
    ssize_t n;
    do {
        n = go_write(fd, block, sizeof block);
    } while (n > 0);
    return (int)n;
}

static int do_accept(int fd)
{
    return go_accept(fd);
}

static int do_poll(int fd)
{
    return go_poll(fd, POLLIN, GO_FOREVER);
}

NET_TEST(a_cancelled_context_ends_every_wait)
{
    static struct bound b[6];
    struct pair p = tcp_pair();
    int listener = go_listen("tcp", "127.0.0.1:0");
    go_context *ctx = go_context_with_cancel(NULL);
    CHECK(ctx != NULL && listener >= 0);
    atomic_store(&ended, 0);
    int (*const what[6])(int fd) = {do_read, do_read, do_write, do_accept, do_poll, do_accept};
    const int fds[6] = {p.client, p.client, p.client, listener, p.client, listener};
    for (int i = 0; i < 6; i++) {
        b[i] = (struct bound){ctx, fds[i], what[i], 0};
        go(run_bound, &b[i]);
    }
    CHECK(go_sleep(20 * GO_MILLISECOND) == 0);
    CHECK_EQUAL(atomic_load(&ended), 0);
    go_context_cancel(ctx, 0);
    await_count(&ended, 6);
    for (int i = 0; i < 6; i++) {
        CHECK_EQUAL(b[i].result, -ECANCELED);
    }
    /* At once from now on, even what could succeed; but not closing and shutting down. */
    CHECK(go_write(p.server, "x", 1) == 1);
    (void)go_context_bind(ctx);
    CHECK_EQUAL(do_read(p.client), -ECANCELED);
    CHECK_EQUAL(go_write(p.client, "x", 1), -ECANCELED);
    CHECK_EQUAL(go_listen("tcp", "127.0.0.1:0"), -ECANCELED);
    CHECK_EQUAL(go_dial("tcp", "127.0.0.1:1"), -ECANCELED);
    CHECK_EQUAL(go_waitpid(-1, NULL, 0), -ECANCELED);
    CHECK_EQUAL(go_poll(p.client, POLLIN, 0), -ECANCELED);
    CHECK_EQUAL(go_shutdown(p.client, SHUT_WR), 0);
    CHECK_EQUAL(go_close(listener), 0);
    close_pair(p);
    (void)go_context_bind(NULL);
    go_context_unref(ctx);
    return 0;
}

static void cancel_later(void *arg)
{
    go_yield();
    go_context_cancel(arg, 0);
    go_context_unref(arg);
}

/* The cancellation, the byte and the close race; whoever wins, nothing is lost and nobody hangs. */
NET_TEST(cancellation_races_with_events)
{
    static struct bound b;
    for (int round = 0; round < 600; round++) {
        struct pair p = net_pair("unix", "@goco-test-cancel");
        go_context *ctx = go_context_with_cancel(NULL);
        if (round == 0) {
            atomic_store(&ended, 0);
        }
        b = (struct bound){ctx, p.client, do_read, 0};
        go(run_bound, &b);
        go(cancel_later, go_context_ref(ctx));
        for (int i = round % 4; i > 0; i--) {
            go_yield();
        }
        bool closed = round % 3 == 0;
        if (closed) {
            CHECK(go_close(p.client) == 0);
        } else {
            CHECK(go_write(p.server, "x", 1) == 1);
        }
        await_count(&ended, round + 1);
        CHECK(b.result == -ECANCELED || (closed ? b.result == -EBADF : b.result == 1));
        if (!closed) {
            CHECK(b.result == 1 || go_read(p.client, &byte, 1) == 1);
            CHECK(go_close(p.client) == 0);
        }
        CHECK(go_close(p.server) == 0);
        go_context_unref(ctx);
    }
    return 0;
}

/* --- turns --- */

static atomic_llong sum;

static void read_my_turn(void *arg)
{
    char four[4];
    /* Whole messages: another reader in between would tear them. */
    CHECK_EQUAL(go_read_full((int)(intptr_t)arg, four, 4), 4);
    CHECK(four[0] == four[1] && four[1] == four[2] && four[2] == four[3]);
    atomic_fetch_add(&sum, four[0]);
    atomic_fetch_add(&ended, 1);
}

NET_TEST(readers_take_turns)
{
    enum { READERS = 40 };
    struct pair p = tcp_pair();
    atomic_store(&ended, 0);
    atomic_store(&sum, 0);
    for (int i = 0; i < READERS; i++) {
        go(read_my_turn, (void *)(intptr_t)p.client);
    }
    settle();
    int64_t wanted = 0;
    for (char i = 0; i < READERS; i++) {
        const char four[4] = {i, i, i, i};
        for (int j = 0; j < 4; j += 2) { /* in pieces */
            CHECK(go_write(p.server, four + j, 2) == 2);
            if (i % 8 == 0) {
                CHECK(go_sleep(100 * GO_MICROSECOND) == 0);
            }
        }
        wanted += i;
    }
    await_count(&ended, READERS);
    CHECK_EQUAL(atomic_load(&sum), wanted);
    close_pair(p);
    return 0;
}

static void write_my_turn(void *arg)
{
    enum { SIZE = 300000 };
    static atomic_int next;
    char *block = malloc(SIZE);
    memset(block, 'a' + atomic_fetch_add(&next, 1) % 8, SIZE);
    CHECK_EQUAL(go_write((int)(intptr_t)arg, block, SIZE), SIZE);
    free(block);
    atomic_fetch_add(&ended, 1);
}

NET_TEST(writers_take_turns)
{
    enum { WRITERS = 8, SIZE = 300000 };
    struct pair p = tcp_pair();
    char *block = malloc(SIZE);
    atomic_store(&ended, 0);
    for (int i = 0; i < WRITERS; i++) {
        go(write_my_turn, (void *)(intptr_t)p.client);
    }
    for (int i = 0; i < WRITERS; i++) {
        CHECK_EQUAL(go_read_full(p.server, block, SIZE), SIZE);
        for (int j = 1; j < SIZE; j++) {
            CHECK(block[j] == block[0]); /* nobody wrote in between */
        }
    }
    await_count(&ended, WRITERS);
    free(block);
    close_pair(p);
    return 0;
}

/* Waiting for a turn obeys the deadline too. */
NET_TEST(a_deadline_ends_the_wait_for_a_turn)
{
    struct pair p = tcp_pair();
    atomic_store(&ended, 0);
    for (int i = 0; i < 5; i++) {
        go(park_reading, (void *)(intptr_t)p.client);
    }
    settle();
    CHECK(go_set_read_deadline(p.client, go_now() + 5 * GO_MILLISECOND) == 0);
    await_count(&ended, 5);
    CHECK_EQUAL(result, -ETIMEDOUT);
    CHECK(go_set_read_deadline(p.client, GO_FOREVER) == 0);
    CHECK(go_write(p.server, "x", 1) == 1);
    CHECK_EQUAL(go_read(p.client, &byte, 1), 1);
    close_pair(p);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deadline_ends_waits_and_stays_until_moved),
        cmocka_unit_test(a_write_deadline_ends_a_write),
        cmocka_unit_test(moving_a_deadline_concerns_who_waits_already),
        cmocka_unit_test(deadlines_moved_under_load),
        cmocka_unit_test(descriptors_that_cannot_be_polled_have_no_deadlines),
        cmocka_unit_test(a_cancelled_context_ends_every_wait),
        cmocka_unit_test(cancellation_races_with_events),
        cmocka_unit_test(readers_take_turns),
        cmocka_unit_test(writers_take_turns),
        cmocka_unit_test(a_deadline_ends_the_wait_for_a_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
