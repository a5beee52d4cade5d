/* echo_load: drives any echo server: N connections, each sends 64 bytes and waits for them to come back, for some seconds; every byte is
 * checked. One epoll loop, so that it costs as little of the machine as possible.
 * Usage: echo_load HOST:PORT CONNECTIONS SECONDS. Prints `requests/s N` and the latency percentiles in microseconds. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

enum { MESSAGE = 64, SAMPLES = 1 << 20 };

struct client {
    int fd;
    uint32_t sequence;
    size_t have;
    int64_t sent_at;
    char expect[MESSAGE], in[MESSAGE];
};

static void send_next(struct client *c, int64_t now)
{
    c->sequence++;
    for (size_t i = 0; i < MESSAGE; i++) {
        c->expect[i] = (char)(c->sequence * 31 + (uint32_t)c->fd * 7 + (uint32_t)i);
    }
    c->have = 0;
    c->sent_at = now;
    BENCH_CHECK(write(c->fd, c->expect, MESSAGE) == MESSAGE);
}

/* Returns whether a whole message came back. */
static bool receive(struct client *c)
{
    ssize_t n = read(c->fd, c->in + c->have, MESSAGE - c->have);

    if (n < 0 && errno == EAGAIN) {
        return false;
    }
    BENCH_CHECK(n > 0);
    c->have += (size_t)n;
    if (c->have < MESSAGE) {
        return false;
    }
    BENCH_CHECK(memcmp(c->in, c->expect, MESSAGE) == 0);
    return true;
}

static int open_connection(const char *host, int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

    BENCH_CHECK(fd >= 0 && inet_pton(AF_INET, host, &a.sin_addr) == 1);
    BENCH_CHECK(connect(fd, (struct sockaddr *)&a, sizeof a) == 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

int main(int argc, char **argv)
{
    static int64_t latency[SAMPLES];
    struct epoll_event ready[256];
    struct rlimit files = {65536, 65536};
    char host[64];
    int port, count, ep = epoll_create1(0);
    uint64_t done = 0;

    if (argc != 4 || sscanf(argv[1], "%63[0-9.]:%d", host, &port) != 2) {
        fprintf(stderr, "usage: echo_load HOST:PORT CONNECTIONS SECONDS\n");
        return 2;
    }
    setrlimit(RLIMIT_NOFILE, &files);
    count = atoi(argv[2]);
    struct client *clients = calloc((size_t)count, sizeof *clients);
    BENCH_CHECK(clients != NULL);
    for (int i = 0; i < count; i++) {
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &clients[i]};
        clients[i].fd = open_connection(host, port);
        epoll_ctl(ep, EPOLL_CTL_ADD, clients[i].fd, &ev);
    }
    int64_t start = bench_now(), now = start, end = start + (int64_t)(atof(argv[3]) * 1e9);
    for (int i = 0; i < count; i++) {
        send_next(&clients[i], bench_now());
    }
    while (now < end) {
        int n = epoll_wait(ep, ready, 256, 1000);
        now = bench_now();
        for (int i = 0; i < n; i++) {
            struct client *c = ready[i].data.ptr;
            if (receive(c)) {
                latency[done++ % SAMPLES] = now - c->sent_at;
                send_next(c, now);
            }
        }
    }
    BENCH_CHECK(done > 0);
    size_t kept = done < SAMPLES ? (size_t)done : SAMPLES;
    qsort(latency, kept, sizeof latency[0], bench_compare_int64);
    printf("requests %" PRIu64 "\n", done);
    printf("requests/s %.0f\n", (double)done / ((double)(now - start) / 1e9));
    printf("latency_p50 %.1f\nlatency_p99 %.1f\n", (double)latency[kept / 2] / 1e3, (double)latency[kept * 99 / 100] / 1e3);
    return 0;
}
