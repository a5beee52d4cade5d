/* Connections from all sides at once: made, used, reset, timed out, cancelled and closed at random. What must hold: every byte that
 * arrives is the one that was sent, nobody hangs, and at the end no descriptor and no goroutine is left. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/stress.h"

enum { LARGEST_MESSAGE = 5000 };

static go_waitgroup wg, clients;
static int64_t stop_at;
static uint64_t seed;
static char server_address[64];

static int open_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 4096; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

static void await_descriptors(int wanted)
{
    for (int64_t end = go_now() + 20 * GO_SECOND; open_descriptors() != wanted && go_now() < end;) {
        (void)go_sleep(GO_MILLISECOND);
    }
    CHECK_EQUAL(open_descriptors(), wanted);
}

static unsigned char pattern(uint64_t key, size_t i)
{
    return (unsigned char)(key * 131 + i * 7 + (i >> 8));
}

/* --- an echo server and clients that do what clients do --- */

static void echo(void *arg)
{
    int fd = *(int *)arg;
    char buffer[1000];
    ssize_t n;
    while ((n = go_read(fd, buffer, sizeof buffer)) > 0 && go_write(fd, buffer, (size_t)n) == n) {}
    CHECK_EQUAL(go_close(fd), 0);
    go_waitgroup_done(&wg);
}

static void accept_all(void *arg)
{
    int fd, listener = *(int *)arg;
    while ((fd = go_accept(listener)) != -ECANCELED) {
        CHECK(fd >= 0);
        go_waitgroup_add(&wg, 1);
        go_copy(echo, &fd, sizeof fd);
    }
    go_waitgroup_done(&wg);
}

/* One message there and back; false when the deadline passed in the middle. */
static bool exchange(int fd, uint64_t *random)
{
    unsigned char out[LARGEST_MESSAGE], in[LARGEST_MESSAGE];
    size_t size = 1 + stress_below(random, LARGEST_MESSAGE);
    uint64_t key = stress_random(random);
    for (size_t i = 0; i < size; i++) {
        out[i] = pattern(key, i);
    }
    if (stress_below(random, 8) == 0) {
        CHECK_EQUAL(go_set_deadline(fd, go_now() + (int64_t)stress_below(random, 1000) * GO_MICROSECOND), 0);
    }
    struct iovec halves[2] = {{out, size / 2}, {out + size / 2, size - size / 2}};
    ssize_t n = stress_below(random, 2) == 0 ? go_write(fd, out, size) : go_writev(fd, halves, 2);
    if (n == -ETIMEDOUT) {
        return false;
    }
    CHECK_EQUAL(n, (ssize_t)size);
    n = go_read_full(fd, in, size);
    if (n == -ETIMEDOUT) {
        return false;
    }
    CHECK_EQUAL(n, (ssize_t)size);
    CHECK(memcmp(in, out, size) == 0);
    CHECK_EQUAL(go_set_deadline(fd, GO_FOREVER), 0);
    return true;
}

static void client(void *arg)
{
    uint64_t random = seed + (uint64_t)(intptr_t)arg;
    while (go_now() < stop_at) {
        int fd = go_dial("tcp", server_address);
        CHECK(fd >= 0);
        uint32_t count = stress_below(&random, 20);
        while (count-- > 0 && exchange(fd, &random)) {}
        if (stress_below(&random, 4) == 0) {
            struct linger now = {1, 0}; /* a reset */
            CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
        } else if (stress_below(&random, 4) == 0) {
            CHECK(go_shutdown(fd, SHUT_WR) == 0);
        }
        CHECK_EQUAL(go_close(fd), 0);
    }
    go_waitgroup_done(&clients);
}

static void connections_come_and_go(void)
{
    int before = open_descriptors(), listener = go_listen("tcp", "127.0.0.1:0");
    CHECK(listener >= 0 && go_local_address(listener, server_address, sizeof server_address) > 0);
    seed = stress_seed();
    stop_at = stress_deadline();
    go_waitgroup_add(&wg, 1);
    go_waitgroup_add(&clients, 20);
    go_copy(accept_all, &listener, sizeof listener);
    for (intptr_t i = 0; i < 20; i++) {
        go(client, (void *)i);
    }
    go_waitgroup_wait(&clients);
    CHECK_EQUAL(go_close(listener), 0);
    go_waitgroup_wait(&wg);
    await_descriptors(before);
}

/* --- one set of descriptors, used and replaced by everybody --- */

enum { SLOTS = 6, USERS = 16 };

static atomic_int slots[SLOTS];

/* Every descriptor is in one slot; whoever takes it out closes it. */
static void make_pair(int at, uint64_t *random)
{
    int ends[2], old;
    if (stress_below(random, 3) == 0) {
        CHECK(pipe2(ends, O_CLOEXEC) == 0);
    } else {
        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    }
    if ((old = atomic_exchange(&slots[at], ends[0])) >= 0) {
        CHECK_EQUAL(go_close(old), 0);
    }
    if ((old = atomic_exchange(&slots[at ^ 1], ends[1])) >= 0) {
        CHECK_EQUAL(go_close(old), 0);
    }
}

static void use_one(int fd, uint64_t *random)
{
    char buffer[300];
    int64_t soon = go_now() + (int64_t)stress_below(random, 300) * GO_MICROSECOND;
    switch (stress_below(random, 9)) {
    case 0:
    case 1: (void)go_read(fd, buffer, 1 + stress_below(random, sizeof buffer)); break;
    case 2:
    case 3:
        memset(buffer, 'x', sizeof buffer);
        (void)go_write(fd, buffer, 1 + stress_below(random, sizeof buffer));
        break;
    case 4: (void)go_poll(fd, POLLIN | POLLOUT, soon); break;
    case 5: (void)go_poll(fd, POLLIN, soon); break;
    case 6: (void)go_set_deadline(fd, soon); break;
    case 7: (void)go_set_read_deadline(fd, GO_FOREVER); break;
    default: (void)go_shutdown(fd, SHUT_WR); break;
    }
}

static void user(void *arg)
{
    uint64_t random = seed + (uint64_t)(intptr_t)arg * 77;
    while (go_now() < stop_at) {
        int at = (int)stress_below(&random, SLOTS), fd = atomic_load(&slots[at]);
        go_context *ctx = NULL;
        if (stress_below(&random, 4) == 0) {
            ctx = go_context_with_timeout(NULL, (int64_t)stress_below(&random, 500) * GO_MICROSECOND);
            (void)go_context_bind(ctx);
        }
        use_one(fd, &random);
        if (ctx != NULL) {
            (void)go_context_bind(NULL);
            go_context_unref(ctx);
        }
    }
    go_waitgroup_done(&wg);
}

static void replace(void *arg)
{
    uint64_t random = seed + 12345;
    (void)arg;
    while (go_now() < stop_at) {
        make_pair((int)stress_below(&random, SLOTS / 2) * 2, &random);
        if (stress_below(&random, 2) == 0) {
            (void)go_sleep((int64_t)stress_below(&random, 400) * GO_MICROSECOND);
        }
    }
    go_waitgroup_done(&wg);
}

static void descriptors_are_closed_under_their_users(void)
{
    uint64_t random;
    int before = open_descriptors();
    random = seed = stress_seed();
    stop_at = stress_deadline();
    for (int i = 0; i < SLOTS; i++) {
        atomic_store(&slots[i], -1);
    }
    for (int i = 0; i < SLOTS; i += 2) {
        make_pair(i, &random);
    }
    go_waitgroup_add(&wg, USERS + 1);
    for (intptr_t i = 0; i < USERS; i++) {
        go(user, (void *)i);
    }
    go(replace, NULL);
    while (go_now() < stop_at) {
        (void)go_sleep(5 * GO_MILLISECOND);
    }
    (void)go_sleep(5 * GO_MILLISECOND); /* replace has ended, or will not start another round */
    for (int tries = 0; go_waitgroup_wait_until(&wg, go_now() + 5 * GO_MILLISECOND) != 0; tries++) {
        CHECK(tries < 4000);
        for (int i = 0; i < SLOTS; i++) {
            int fd = atomic_exchange(&slots[i], -1);
            if (fd >= 0) {
                CHECK_EQUAL(go_close(fd), 0);
            }
        }
    }
    for (int i = 0; i < SLOTS; i++) {
        int fd = atomic_exchange(&slots[i], -1);
        if (fd >= 0) {
            CHECK_EQUAL(go_close(fd), 0);
        }
    }
    await_descriptors(before);
}

/* --- frames of many writers to many readers over one connection --- */

enum { WRITERS = 5, READERS = 5, FRAME = 64 };

static int frames_in, frames_out;
static atomic_long sent, received;
static go_waitgroup writers;

static void write_frames(void *arg)
{
    uint64_t random = seed + (uint64_t)(intptr_t)arg;
    unsigned char frame[FRAME];
    while (go_now() < stop_at) {
        uint64_t key = stress_random(&random);
        memcpy(frame, &key, sizeof key);
        for (size_t i = sizeof key; i < FRAME; i++) {
            frame[i] = pattern(key, i);
        }
        CHECK_EQUAL(go_write(frames_in, frame, FRAME), FRAME);
        sent++;
    }
    go_waitgroup_done(&writers);
}

static void read_frames(void *arg)
{
    unsigned char frame[FRAME];
    ssize_t n;
    (void)arg;
    while ((n = go_read_full(frames_out, frame, FRAME)) == FRAME) {
        uint64_t key;
        memcpy(&key, frame, sizeof key);
        for (size_t i = sizeof key; i < FRAME; i++) {
            CHECK(frame[i] == pattern(key, i));
        }
        received++;
    }
    CHECK_EQUAL(n, 0);
    go_waitgroup_done(&wg);
}

static void *read_frames_in_a_thread(void *arg)
{
    read_frames(arg);
    return NULL;
}

/* Foreign threads among the readers; the number of Ps changes meanwhile. */
static void frames_stay_whole(void)
{
    int ends[2], procs = go_procs();
    pthread_t threads[2];
    seed = stress_seed();
    stop_at = stress_deadline();
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    frames_in = ends[0];
    frames_out = ends[1];
    sent = received = 0;
    go_waitgroup_add(&wg, READERS + 2);
    for (int i = 0; i < READERS; i++) {
        go(read_frames, NULL);
    }
    for (int i = 0; i < 2; i++) {
        CHECK_EQUAL(pthread_create(&threads[i], NULL, read_frames_in_a_thread, NULL), 0);
    }
    go_waitgroup_add(&writers, WRITERS);
    for (intptr_t i = 0; i < WRITERS; i++) {
        go(write_frames, (void *)i);
    }
    for (int i = 0; go_now() < stop_at; i++) {
        CHECK(go_set_procs(1 + i % 4) > 0);
        (void)go_sleep(3 * GO_MILLISECOND);
    }
    CHECK(go_set_procs(procs) > 0);
    go_waitgroup_wait(&writers);
    CHECK_EQUAL(go_close(frames_in), 0);
    go_waitgroup_wait(&wg);
    for (int i = 0; i < 2; i++) {
        CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
    }
    CHECK_EQUAL(received, sent);
    CHECK_EQUAL(go_close(frames_out), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BEHAVIOUR(connections_come_and_go),
        BEHAVIOUR(descriptors_are_closed_under_their_users),
        BEHAVIOUR(frames_stay_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
