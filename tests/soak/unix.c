/* Pipes and unix sockets, and descriptors that are closed under their users. What must hold: frames of several writers stay whole, none
 * is lost; who waits on what is closed gets -ECANCELED. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"

/* --- closing under a reader and under a writer --- */

struct victim {
    go_waitgroup wg;
    int fd;
};

static void read_two(void *arg)
{
    struct victim *v = arg;
    char bytes[2];
    MUST_EQUAL(go_read_full(v->fd, bytes, 2), -ECANCELED);
}

static int bytes_waiting(int fd)
{
    int count = 0;
    MUST_EQUAL(ioctl(fd, FIONREAD, &count), 0);
    return count;
}

/* The byte is there before the reader starts; when it is gone the reader is inside its call, and wants a second one. */
void soak_close_under_reader(int fd, int to)
{
    struct victim v = {.fd = fd};
    MUST_EQUAL(go_write(to, "1", 1), 1);
    MUST(go_poll(fd, POLLIN, GO_FOREVER) > 0);
    go_waitgroup_go(&v.wg, read_two, &v);
    while (bytes_waiting(fd) != 0) {
        (void)go_sleep(20 * GO_MICROSECOND);
    }
    MUST_EQUAL(go_close(fd), 0);
    go_waitgroup_wait(&v.wg);
}

/* More than any pipe takes. */
static void write_much(void *arg)
{
    static char much[1 << 21];
    struct victim *v = arg;
    MUST_EQUAL(go_write(v->fd, much, sizeof much), -ECANCELED);
}

static void close_under_writer(int from, int fd)
{
    struct victim v = {.fd = fd};
    go_waitgroup_go(&v.wg, write_much, &v);
    while (bytes_waiting(from) == 0) {
        (void)go_sleep(20 * GO_MICROSECOND);
    }
    MUST_EQUAL(go_close(fd), 0);
    go_waitgroup_wait(&v.wg);
}

/* A pipe, or a pair of sockets: ends[1] to ends[0]. */
static void make_ends(int ends[2], uint64_t *random)
{
    int code = soak_below(random, 2) == 0 ? pipe2(ends, O_CLOEXEC) : socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
    MUST_EQUAL(code, 0);
}

static void close_under_users(uint64_t *random)
{
    int ends[2];
    make_ends(ends, random);
    soak_close_under_reader(ends[0], ends[1]);
    ssize_t n = go_write(ends[1], "1", 1);
    MUST(n == -EPIPE || n == 1); /* a child that has not got to its exec has the other end as well */
    MUST_EQUAL(go_close(ends[1]), 0);
    make_ends(ends, random);
    close_under_writer(ends[0], ends[1]);
    MUST_EQUAL(go_close(ends[0]), 0);
}

/* --- frames --- */

enum { FRAME = 48, MOST_FRAMES = 200 };

struct frames {
    go_waitgroup writing, reading;
    int from, to;
    uint32_t each;
    atomic_ullong sent, received;
};

static void write_frames(void *arg)
{
    struct frames *f = arg;
    uint64_t frame[FRAME / 8], random = soak_new_random();
    for (uint32_t n = 0; n < f->each; n++) {
        frame[0] = soak_random(&random);
        for (size_t i = 1; i < FRAME / 8; i++) {
            frame[i] = soak_mix(frame[i - 1]);
        }
        MUST_EQUAL(go_write(f->to, frame, FRAME), FRAME);
        atomic_fetch_add_explicit(&f->sent, frame[0], memory_order_relaxed);
    }
}

static void read_frames(void *arg)
{
    struct frames *f = arg;
    uint64_t frame[FRAME / 8];
    ssize_t n;
    while ((n = go_read_full(f->from, frame, FRAME)) == FRAME) {
        for (size_t i = 1; i < FRAME / 8; i++) {
            MUST(frame[i] == soak_mix(frame[i - 1]));
        }
        atomic_fetch_add_explicit(&f->received, frame[0], memory_order_relaxed);
        soak_count(&soak_unix, 1);
    }
    MUST_EQUAL(n, 0);
}

static void exchange_frames(uint64_t *random)
{
    int ends[2];
    make_ends(ends, random);
    struct frames f = {.from = ends[0], .to = ends[1], .each = soak_below(random, MOST_FRAMES)};
    for (uint32_t i = soak_below(random, 4) + 1; i > 0; i--) {
        go_waitgroup_go(&f.writing, write_frames, &f);
        go_waitgroup_go(&f.reading, read_frames, &f);
    }
    go_waitgroup_wait(&f.writing);
    MUST_EQUAL(go_close(f.to), 0);
    go_waitgroup_wait(&f.reading);
    MUST_EQUAL(go_close(f.from), 0);
    MUST_EQUAL(f.received, f.sent);
}

/* --- a listener with a path, and datagrams --- */

static void say(void *arg)
{
    const char *path = arg;
    int fd = go_dial("unix", path);
    MUST(fd >= 0);
    MUST_EQUAL(go_write(fd, "said", 4), 4);
    MUST_EQUAL(go_close(fd), 0);
}

static void name_path(char *path, size_t size, uint64_t *random)
{
    (void)snprintf(path, size, "/tmp/goco_soak_%d_%08x", (int)getpid(), soak_random(random));
}

static void listen_at_path(uint64_t *random)
{
    char path[64], heard[4];
    go_waitgroup wg = GO_WAITGROUP_INIT;
    name_path(path, sizeof path, random);
    int fd = go_listen("unix", path);
    MUST(fd >= 0);
    go_waitgroup_go(&wg, say, path);
    int connection = go_accept(fd);
    MUST(connection >= 0);
    MUST_EQUAL(go_read_full(connection, heard, 4), 4);
    MUST(memcmp(heard, "said", 4) == 0);
    MUST_EQUAL(go_close(connection), 0);
    go_waitgroup_wait(&wg);
    MUST_EQUAL(go_close(fd), 0);
    MUST(access(path, F_OK) != 0);
}

static void send_datagrams(uint64_t *random)
{
    int in = go_listen("udp", "127.0.0.1:0");
    char address[64], buffer[64];
    MUST(in >= 0 && go_local_address(in, address, sizeof address) > 0);
    int out = go_dial("udp", address);
    MUST(out >= 0);
    for (uint32_t i = soak_below(random, 10); i > 0; i--) {
        size_t size = 1 + soak_below(random, sizeof buffer - 1);
        memset(buffer, (int)i, sizeof buffer);
        MUST_EQUAL(go_sendto(out, buffer, size, 0, NULL, 0), size);
        MUST_EQUAL(go_recvfrom(in, buffer, sizeof buffer, 0, NULL, NULL), size); /* loopback drops nothing while there is room */
        MUST(buffer[0] == (char)i && buffer[size - 1] == (char)i);
    }
    MUST_EQUAL(go_close(in), 0);
    MUST_EQUAL(go_close(out), 0);
}

static void unix_worker(void *arg)
{
    uint64_t random = soak_new_random();
    (void)arg;
    while (soak_goes_on()) {
        switch (soak_below(&random, 4)) {
        case 0: close_under_users(&random); break;
        case 1: exchange_frames(&random); break;
        case 2: listen_at_path(&random); break;
        default: send_datagrams(&random);
        }
        soak_count(&soak_unix, 1);
    }
}

static void start_unix(void)
{
    for (int i = 0; i < 4; i++) {
        soak_go(unix_worker, NULL);
    }
}

struct soak_family soak_unix = {.name = "pipes, unix, udp", .start = start_unix};
