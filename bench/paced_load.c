/* paced_load: opens CONNECTIONS keep-alive connections to an HTTP server, asks once on each and checks the answer, says `ready`; then asks
 * RATE times a second for SECONDS, over the connections in turn; says `done` and holds all of them until its standard input ends.
 * Usage: paced_load HOST:PORT PATH CONNECTIONS RATE SECONDS. More connections than one address has ports come from several: 127.0.0.2 up. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

enum { PORTS_AN_ADDRESS = 20000, ANSWER = 4096 };

static struct sockaddr_in server = {.sin_family = AF_INET};
static char request[512];
static size_t request_size;

static int open_connection(int number)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    BENCH_CHECK(fd >= 0);
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (uint32_t)(number / PORTS_AN_ADDRESS));
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    BENCH_CHECK(bind(fd, (struct sockaddr *)&from, sizeof from) == 0);
    BENCH_CHECK(connect(fd, (struct sockaddr *)&server, sizeof server) == 0);
    return fd;
}

/* The answer to a GET ends with its body, whose last bytes are known. */
static void ask(int fd)
{
    static const char last[] = "Hello, World!";
    char answer[ANSWER];
    size_t have = 0;

    BENCH_CHECK(write(fd, request, request_size) == (ssize_t)request_size);
    do {
        ssize_t n = read(fd, answer + have, sizeof answer - have);
        BENCH_CHECK(n > 0);
        have += (size_t)n;
    } while (have < sizeof last - 1 || memcmp(answer + have - (sizeof last - 1), last, sizeof last - 1) != 0);
    BENCH_CHECK(memcmp(answer, "HTTP/1.1 200", 12) == 0);
}

static void ask_at_pace(const int *fds, int connections, double rate, double seconds)
{
    int64_t next = bench_now(), period = (int64_t)(1e9 / rate);
    int count = (int)(rate * seconds);

    for (int i = 0; i < count; i++, next += period) {
        struct timespec at = {next / 1000000000, next % 1000000000};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
        ask(fds[i % connections]);
    }
}

int main(int argc, char **argv)
{
    char host[64];
    int port;

    if (argc != 6 || sscanf(argv[1], "%63[0-9.]:%d", host, &port) != 2 || inet_pton(AF_INET, host, &server.sin_addr) != 1) {
        fprintf(stderr, "usage: paced_load HOST:PORT PATH CONNECTIONS RATE SECONDS\n");
        return 2;
    }
    int connections = atoi(argv[3]);
    struct rlimit files = {(rlim_t)connections + 100, (rlim_t)connections + 100};
    int *fds = calloc((size_t)connections, sizeof *fds);
    server.sin_port = htons((uint16_t)port);
    request_size = (size_t)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", argv[2]);
    BENCH_CHECK(fds != NULL && setrlimit(RLIMIT_NOFILE, &files) == 0);
    for (int i = 0; i < connections; i++) {
        fds[i] = open_connection(i);
        ask(fds[i]);
    }
    printf("ready\n");
    fflush(stdout);
    if (atof(argv[4]) > 0) {
        ask_at_pace(fds, connections, atof(argv[4]), atof(argv[5]));
    }
    printf("done\n");
    fflush(stdout);
    while (getchar() != EOF) {}
    return 0;
}
