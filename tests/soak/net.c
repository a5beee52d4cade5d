/* TCP connections that live and are killed: by a reset, a shutdown or a close by somebody else while they wait, a deadline, a context,
 * and by the server. What must hold: every byte is the one that was sent, who is killed is told so, and all others get everything. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <string.h>
#include <sys/socket.h>

#include "net.h"

enum { LARGEST = 5000, CLIENTS = 10, STREAM = 100000 };

static go_waitgroup clients;
static int listener;
static char address[64];

/* --- the server: what it is sent it sends back; after a first byte 'k' it may break off --- */

static void reset(int fd)
{
    struct linger now = {1, 0};
    MUST_EQUAL(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
}

static void echo(void *arg)
{
    int fd = *(int *)arg;
    char buffer[700], kind = 'q';
    uint64_t random = soak_new_random();
    ssize_t n;
    if (go_read_full(fd, &kind, 1) == 1) {
        while ((n = go_read(fd, buffer, sizeof buffer)) > 0 && go_write(fd, buffer, (size_t)n) == n) {
            if (kind == 'k' && soak_below(&random, 5) == 0) {
                reset(fd);
                break;
            }
        }
    }
    MUST_EQUAL(go_close(fd), 0);
    go_waitgroup_done(&soak_workers);
}

static void serve(void *arg)
{
    int fd;
    (void)arg;
    while ((fd = go_accept(listener)) != -ECANCELED) {
        MUST(fd >= 0);
        go_attr attr = {.name = "echo", .arg_size = sizeof fd};
        go_waitgroup_add(&soak_workers, 1); /* never from 0: the acceptor itself counts */
        MUST_EQUAL(go_spawn(&attr, echo, &fd), 0);
    }
}

/* --- clients --- */

static unsigned char pattern(uint64_t key, size_t i)
{
    return (unsigned char)(key * 131 + i * 7 + (i >> 8));
}

/* One message there and back: 0, or the code of what broke it; 1: end of file. */
static int exchange(int fd, uint64_t *random)
{
    unsigned char out[LARGEST], in[LARGEST];
    size_t size = 1 + soak_below(random, LARGEST);
    uint64_t key = soak_random(random);
    for (size_t i = 0; i < size; i++) {
        out[i] = pattern(key, i);
    }
    struct iovec parts[2] = {{out, size / 2}, {out + size / 2, size - size / 2}};
    ssize_t n = soak_below(random, 2) == 0 ? go_write(fd, out, size) : go_writev(fd, parts, 2);
    if (n < 0) {
        return (int)n;
    }
    MUST_EQUAL(n, size);
    n = go_read_full(fd, in, size);
    if (n < 0) {
        return (int)n;
    }
    MUST(memcmp(in, out, (size_t)n) == 0);
    return n == (ssize_t)size ? 0 : 1;
}

static void exchange_some(int fd, uint64_t *random)
{
    for (uint32_t i = soak_below(random, 8); i > 0; i--) {
        MUST_EQUAL(exchange(fd, random), 0);
        soak_count(&soak_tcp, 1);
    }
}

struct stream {
    go_waitgroup wg;
    int fd;
};

static void write_stream(void *arg)
{
    struct stream *s = arg;
    unsigned char chunk[1000];
    for (size_t sent = 0; sent < STREAM; sent += sizeof chunk) {
        for (size_t i = 0; i < sizeof chunk; i++) {
            chunk[i] = pattern(STREAM, sent + i);
        }
        MUST_EQUAL(go_write(s->fd, chunk, sizeof chunk), sizeof chunk);
    }
    MUST_EQUAL(go_shutdown(s->fd, SHUT_WR), 0);
}

/* Both directions at once, more than the kernel buffers, to the end of file. */
static void stream(int fd, uint64_t *random)
{
    struct stream s = {.fd = fd};
    unsigned char chunk[1500];
    size_t got = 0;
    ssize_t n;
    (void)random;
    go_waitgroup_go(&s.wg, write_stream, &s);
    while ((n = go_read(fd, chunk, sizeof chunk)) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            MUST(chunk[i] == pattern(STREAM, got + (size_t)i));
        }
        got += (size_t)n;
    }
    MUST_EQUAL(n, 0);
    MUST_EQUAL(got, STREAM);
    go_waitgroup_wait(&s.wg);
}

/* Nothing arrives, so the reader waits, until its deadline or its context ends that; the connection goes on. */
static void wait_in_vain(int fd, uint64_t *random)
{
    char byte;
    if (soak_below(random, 2) == 0) {
        MUST_EQUAL(go_set_read_deadline(fd, go_now() + soak_micros(random, 2000)), 0);
        MUST_EQUAL(go_read(fd, &byte, 1), -ETIMEDOUT);
        MUST_EQUAL(go_set_read_deadline(fd, GO_FOREVER), 0);
    } else {
        go_context *ctx = go_context_with_timeout(NULL, soak_micros(random, 2000));
        (void)go_context_bind(ctx);
        MUST_EQUAL(go_read(fd, &byte, 1), -ECANCELED);
        (void)go_context_bind(NULL);
        go_context_unref(ctx);
    }
}

static void shut_down_later(void *arg)
{
    struct stream *s = arg;
    uint64_t random = soak_new_random();
    (void)go_sleep(soak_micros(&random, 1000));
    (void)go_shutdown(s->fd, SHUT_RDWR);
}

static void be_shut_down(int fd)
{
    struct stream s = {.fd = fd};
    char byte;
    go_waitgroup_go(&s.wg, shut_down_later, &s);
    MUST_EQUAL(go_read(fd, &byte, 1), 0);
    go_waitgroup_wait(&s.wg);
}

/* Half a message on its way, and the connection is gone. */
static void break_off(int fd, uint64_t *random)
{
    char half[LARGEST];
    memset(half, 'x', sizeof half);
    MUST_EQUAL(go_write(fd, half, sizeof half), sizeof half);
    if (soak_below(random, 4) != 0) {
        reset(fd);
    }
}

static void until_the_server_breaks(int fd, uint64_t *random)
{
    int code = 0;
    for (int i = 0; i < 100 && code == 0; i++) {
        code = exchange(fd, random);
    }
    MUST(code == 0 || code == 1 || code == -ECONNRESET || code == -EPIPE);
}

static void one_connection(int fd, uint64_t *random)
{
    uint32_t kind = soak_below(random, 12);
    MUST_EQUAL(go_write(fd, kind == 0 ? "k" : "q", 1), 1);
    if (kind == 0) {
        until_the_server_breaks(fd, random);
        MUST_EQUAL(go_close(fd), 0);
        return;
    }
    exchange_some(fd, random);
    switch (kind) {
    case 1: break_off(fd, random); break;
    case 2: be_shut_down(fd); break;
    case 3: soak_close_under_reader(fd, fd); return;
    case 4:
    case 5: wait_in_vain(fd, random), exchange_some(fd, random), reset(fd); break;
    case 6: stream(fd, random); break;
    case 7: reset(fd); break;
    default: break;
    }
    MUST_EQUAL(go_close(fd), 0);
}

static void client(void *arg)
{
    uint64_t random = soak_new_random();
    (void)arg;
    while (soak_goes_on()) {
        int fd = soak_below(&random, 2) == 0 ? go_dial("tcp", address) : go_dial_until("tcp", address, go_now() + 20 * GO_SECOND);
        if (fd == -EADDRNOTAVAIL) { /* all ports of the last minute wait for their end */
            (void)go_sleep(50 * GO_MILLISECOND);
            continue;
        }
        MUST(fd >= 0);
        one_connection(fd, &random);
        soak_count(&soak_tcp, 1);
    }
    go_waitgroup_done(&clients);
}

static void close_listener(void *arg)
{
    (void)arg;
    go_waitgroup_wait(&clients);
    MUST_EQUAL(go_close(listener), 0);
}

static void start_tcp(void)
{
    listener = go_listen("tcp", "127.0.0.1:0");
    MUST(listener >= 0 && go_local_address(listener, address, sizeof address) > 0);
    go_waitgroup_add(&clients, CLIENTS);
    for (int i = 0; i < CLIENTS; i++) {
        soak_go(client, NULL);
    }
    soak_go(serve, NULL);
    soak_go(close_listener, NULL);
}

struct soak_family soak_tcp = {.name = "tcp", .start = start_tcp};
