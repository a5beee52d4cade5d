/* The physical limit of a server: a bare epoll loop on each of BENCH's threads, no runtime above it. `epoll_server echo` or `http`.
 * Every thread has its own listener on the port (SO_REUSEPORT), so that threads share nothing. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../bench.h"
#include "../../http_plain.h"

struct conn {
    int fd;
    struct http_conn http;
};

static bool http;

static int listen_on(uint16_t *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(*port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    BENCH_CHECK(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    BENCH_CHECK(bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 4096) == 0);
    getsockname(fd, (struct sockaddr *)&a, &size);
    *port = ntohs(a.sin_port);
    return fd;
}

static void accept_all(int ep, int listener)
{
    int fd, on = 1;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct conn *c = malloc(sizeof *c);
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

        BENCH_CHECK(c != NULL);
        c->fd = fd;
        c->http.have = 0;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
    }
}

/* The answers of these tests always fit the socket's buffer; a short write ends the connection. Returns false to close. */
static bool serve(struct conn *c)
{
    struct http_conn *h = &c->http;
    ssize_t n;

    if (!http) {
        n = read(c->fd, h->in, sizeof h->in);
        return n > 0 ? write(c->fd, h->in, (size_t)n) == n : n < 0 && errno == EAGAIN;
    }
    n = read(c->fd, h->in + h->have, HTTP_BUFFER - h->have);
    if (n <= 0) {
        return n < 0 && errno == EAGAIN;
    }
    h->have += (size_t)n;
    long out;
    do {
        out = http_answer_all(h);
        if (out < 0 || (out > 0 && write(c->fd, h->out, (size_t)out) != out)) {
            return false;
        }
    } while (out >= HTTP_BUFFER);
    return true;
}

static void *loop(void *arg)
{
    int listener = (int)(intptr_t)arg, ep = epoll_create1(0);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL}, ready[256];

    epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev);
    for (;;) {
        int n = epoll_wait(ep, ready, 256, -1);
        for (int i = 0; i < n; i++) {
            struct conn *c = ready[i].data.ptr;
            if (c == NULL) {
                accept_all(ep, listener);
            } else if (!serve(c)) {
                close(c->fd);
                free(c);
            }
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    uint16_t port = 0;
    int listeners[64], count = bench_procs();

    http = argc > 1 && strcmp(argv[1], "http") == 0;
    for (int i = 0; i < count; i++) {
        listeners[i] = listen_on(&port);
    }
    printf("listening on 127.0.0.1:%d\n", port);
    fflush(stdout);
    for (int i = 1; i < count; i++) {
        pthread_t t;
        pthread_create(&t, NULL, loop, (void *)(intptr_t)listeners[i]);
    }
    loop((void *)(intptr_t)listeners[0]);
    return 0;
}
